#include "gateway/gateway.h"
#include "http/openmetrics.h"

void metrics_put(const struct gateway *gw, struct buf *out)
{
    static const char *const classes[] = {"", "1xx", "2xx", "3xx", "4xx", "5xx"};
    const struct gateway_counts *c = &gw->counts;
    om_family(out, "berth_gateway_requests", "counter", "Requests by where they went");
    om_sample(out, "berth_gateway_requests", "_total", "to", "console",
              (double)c->requests_console);
    om_sample(out, "berth_gateway_requests", "_total", "to", "api", (double)c->requests_api);
    om_sample(out, "berth_gateway_requests", "_total", "to", "notebook",
              (double)c->requests_notebook);
    om_sample(out, "berth_gateway_requests", "_total", "to", "refused",
              (double)c->requests_refused);
    om_family(out, "berth_gateway_answers", "counter", "Answers by class of status");
    for (int i = 1; i < 6; i++)
        om_sample(out, "berth_gateway_answers", "_total", "class", classes[i],
                  (double)c->by_class[i]);
    om_family(out, "berth_gateway_sent_bytes", "counter", "Bytes of answers");
    om_sample(out, "berth_gateway_sent_bytes", "_total", NULL, NULL, (double)c->bytes_sent);
    om_family(out, "berth_gateway_tunnel_bytes", "counter", "Bytes through tunnels, both ways");
    om_sample(out, "berth_gateway_tunnel_bytes", "_total", NULL, NULL, (double)gw->tunnels.bytes);
    om_family(out, "berth_gateway_verdicts", "counter", "Logins checked, by how");
    om_sample(out, "berth_gateway_verdicts", "_total", "result", "hit", (double)c->verdict_hits);
    om_sample(out, "berth_gateway_verdicts", "_total", "result", "miss", (double)c->verdict_misses);
    om_sample(out, "berth_gateway_verdicts", "_total", "result", "refused",
              (double)c->verdict_refusals);
    om_family(out, "berth_gateway_connections", "gauge", "Open connections without tunnels");
    om_sample(out, "berth_gateway_connections", "", NULL, NULL,
              (double)http_server_connections(gw->server));
    om_family(out, "berth_gateway_tunnels", "gauge", "Open tunnels");
    om_sample(out, "berth_gateway_tunnels", "", NULL, NULL, (double)gw->tunnels.count);
    om_family(out, "berth_gateway_routes", "gauge", "Notebooks that can be reached");
    om_sample(out, "berth_gateway_routes", "", NULL, NULL, (double)routes_count(&gw->routes));
    om_family(out, "berth_gateway_link_up", "gauge", "1 while berthd is connected");
    om_sample(out, "berth_gateway_link_up", "", NULL, NULL, gw_link_is_up(gw->link) ? 1 : 0);
    om_end(out);
}
