/*
 * meta: the description of the API itself, health and metrics.
 */
#include <string.h>
#include "api/call.h"
#include "base/str.h"
#include "http/openmetrics.h"

#define TABLES_MAX 64

/* ---- OpenAPI 3.1, from the route table ---- */

/* "/api/v1/jobs/:id" -> "/api/v1/jobs/{id}" */
static const char *braces(const char *pattern, char dst[256])
{
    size_t n = 0;
    for (const char *at = pattern; *at && n < 250; at++) {
        if (*at != ':') {
            dst[n++] = *at;
            continue;
        }
        dst[n++] = '{';
        for (at++; *at && *at != '/' && n < 250; at++)
            dst[n++] = *at;
        dst[n++] = '}';
        at--;
    }
    dst[n] = '\0';
    return dst;
}

static void put_parameter(struct js_writer *w, const char *name, const char *in, const char *type,
                          const char *doc)
{
    js_w_object(w, NULL);
    js_w_str(w, "name", name);
    js_w_str(w, "in", in);
    if (str_is_equal(in, "path"))
        js_w_bool(w, "required", true);
    if (doc)
        js_w_str(w, "description", doc);
    js_w_object(w, "schema");
    js_w_str(w, "type", str_is_equal(type, "duration") ? "string" : type);
    js_w_end_object(w);
    js_w_end_object(w);
}

static void put_parameters(struct js_writer *w, const struct http_route *route)
{
    js_w_array(w, "parameters");
    for (const char *at = strchr(route->pattern, ':'); at; at = strchr(at + 1, ':')) {
        char name[32];
        size_t len = strcspn(at + 1, "/");
        if (len >= sizeof(name))
            continue;
        memcpy(name, at + 1, len);
        name[len] = '\0';
        put_parameter(w, name, "path", "string", NULL);
    }
    for (const struct http_param *q = route->query; q && q->name; q++)
        put_parameter(w, q->name, "query", q->type, q->doc);
    js_w_end_array(w);
}

static void put_reference(struct js_writer *w, const char *name)
{
    char ref[128];
    snprintf(ref, sizeof(ref), "#/components/schemas/%s", name);
    js_w_object(w, "content");
    js_w_object(w, "application/json");
    js_w_object(w, "schema");
    js_w_str(w, "$ref", ref);
    js_w_end_object(w);
    js_w_end_object(w);
    js_w_end_object(w);
}

static void put_operation(struct js_writer *w, const struct http_route *route)
{
    char method[12] = "", status[8];
    for (size_t i = 0; route->method[i] && i < sizeof(method) - 1; i++)
        method[i] = (char)(route->method[i] | 0x20);
    js_w_object(w, method);
    js_w_str(w, "summary", route->summary);
    put_parameters(w, route);
    if (route->access == ACCESS_OPEN) {
        js_w_array(w, "security");
        js_w_end_array(w);
    }
    if (route->in) {
        js_w_object(w, "requestBody");
        put_reference(w, route->in->name);
        js_w_end_object(w);
    }
    js_w_object(w, "responses");
    snprintf(status, sizeof(status), "%d", route->status ? route->status : 200);
    js_w_object(w, status);
    js_w_str(w, "description", "done");
    js_w_end_object(w);
    js_w_object(w, "default");
    js_w_str(w, "description", "a problem (RFC 9457)");
    js_w_object(w, "content");
    js_w_object(w, "application/problem+json");
    js_w_raw(w, "schema", "{\"$ref\":\"#/components/schemas/Problem\"}");
    js_w_end_object(w);
    js_w_end_object(w);
    js_w_end_object(w);
    js_w_end_object(w);
    js_w_end_object(w);
}

/* Routes of one path stand together, whatever the order of the tables. */
static void put_paths(struct js_writer *w, const struct http_router *router)
{
    const struct http_route *route, *other;
    char path[256];
    js_w_object(w, "paths");
    for (size_t i = 0; (route = http_router_next(router, &i));) {
        bool seen = false;
        for (size_t k = 0; k + 1 < i && !seen && (other = http_router_next(router, &k));)
            seen = other != route && str_is_equal(other->pattern, route->pattern);
        if (seen)
            continue;
        js_w_object(w, braces(route->pattern, path));
        for (size_t k = 0; (other = http_router_next(router, &k));)
            if (str_is_equal(other->pattern, route->pattern))
                put_operation(w, other);
        js_w_end_object(w);
    }
    js_w_end_object(w);
}

static const char problem_schema[] =
    "\"Problem\":{\"type\":\"object\",\"required\":[\"type\",\"title\",\"status\",\"detail\","
    "\"code\"],\"properties\":{\"type\":{\"type\":\"string\"},\"title\":{\"type\":\"string\"},"
    "\"status\":{\"type\":\"integer\"},\"detail\":{\"type\":\"string\"},\"code\":{\"type\":"
    "\"string\"},\"field\":{\"type\":\"string\"},\"line\":{\"type\":\"integer\"},\"column\":{"
    "\"type\":\"integer\"},\"hint\":{\"type\":\"string\"},\"request\":{\"type\":\"string\"}}}";

void api_put_openapi(const struct api *api, struct buf *out)
{
    const struct js_table *tables[TABLES_MAX];
    size_t count = 0;
    const struct http_route *route;
    struct js_writer w;
    for (size_t i = 0; (route = http_router_next(api->router, &i));) {
        if (route->in && count < TABLES_MAX)
            tables[count++] = route->in;
        if (route->out && count < TABLES_MAX)
            tables[count++] = route->out;
    }
    js_w_init(&w, out);
    js_w_object(&w, NULL);
    js_w_str(&w, "openapi", "3.1.0");
    js_w_object(&w, "info");
    js_w_str(&w, "title", "berth");
    js_w_str(&w, "version", api->cfg.version);
    js_w_end_object(&w);
    js_w_raw(&w, "security", "[{\"token\":[]}]");
    put_paths(&w, api->router);
    js_w_object(&w, "components");
    js_w_raw(&w, "securitySchemes", "{\"token\":{\"type\":\"http\",\"scheme\":\"bearer\"}}");
    struct buf schemas = BUF(4u << 20);
    buf_puts(&schemas, "{");
    buf_puts(&schemas, problem_schema);
    if (count)
        buf_putc(&schemas, ',');
    js_schema_components(tables, count, &schemas);
    buf_puts(&schemas, "}");
    js_w_raw(&w, "schemas", buf_str(&schemas));
    buf_done(&schemas);
    js_w_end_object(&w);
    js_w_end_object(&w);
}

static void get_openapi(struct http_request *req, void *arg)
{
    struct buf out = BUF(8u << 20);
    api_put_openapi(arg, &out);
    api_reply_json(api_call(req), 200, &out);
}

/* ---- health and metrics ---- */

static void get_health(struct http_request *req, void *arg)
{
    struct api *api = arg;
    struct buf out = BUF(4096);
    struct js_writer w;
    struct control_node n;
    size_t nodes = 0;
    for (size_t i = 0; control_next_node(api->cfg.control, &i, &n);)
        nodes += n.node->ready && n.connected;
    js_w_init(&w, &out);
    js_w_object(&w, NULL);
    js_w_str(&w, "version", api->cfg.version);
    js_w_bool(&w, "disk_full", store_is_full(api->cfg.store));
    js_w_u64(&w, "nodes_ready", nodes);
    js_w_end_object(&w);
    api_reply_json(api_call(req), 200, &out);
}

static void put_states(struct buf *out, const struct control_counts *counts)
{
    om_family(out, "berth_workloads", "gauge", "Workloads in memory by state");
    for (int s = 0; s < STATE_MAX; s++)
        om_sample(out, "berth_workloads", "", "state", workload_state_names[s],
                  (double)counts->by_state[s]);
    om_family(out, "berth_workloads_submitted", "counter", "Submitted since start");
    om_sample(out, "berth_workloads_submitted", "_total", NULL, NULL, (double)counts->submitted);
    om_family(out, "berth_attempts_started", "counter", "Attempts that began to run");
    om_sample(out, "berth_attempts_started", "_total", NULL, NULL, (double)counts->started);
    om_family(out, "berth_workloads_ended", "counter", "Reached a final state since start");
    om_sample(out, "berth_workloads_ended", "_total", NULL, NULL, (double)counts->ended);
    om_family(out, "berth_attempts_retried", "counter", "Attempts followed by another");
    om_sample(out, "berth_attempts_retried", "_total", NULL, NULL, (double)counts->retried);
}

static void put_nodes(struct buf *out, struct control *control)
{
    struct control_node n;
    om_family(out, "berth_node_cpu_used_cores", "gauge", "Cores given out");
    for (size_t i = 0; control_next_node(control, &i, &n);)
        om_sample(out, "berth_node_cpu_used_cores", "", "node", n.node->name,
                  (double)n.cpu_used_milli / 1000);
    om_family(out, "berth_node_memory_used_bytes", "gauge", "Memory given out");
    for (size_t i = 0; control_next_node(control, &i, &n);)
        om_sample(out, "berth_node_memory_used_bytes", "", "node", n.node->name,
                  (double)n.memory_used_bytes);
    om_family(out, "berth_node_gpus_used", "gauge", "GPUs given out");
    for (size_t i = 0; control_next_node(control, &i, &n);) {
        int64_t used = 0;
        for (uint32_t g = 0; g < n.node->gpu_count; g++)
            used += n.gpu_used_milli[g];
        om_sample(out, "berth_node_gpus_used", "", "node", n.node->name, (double)used / 1000);
    }
}

static void get_metrics(struct http_request *req, void *arg)
{
    struct api *api = arg;
    struct api_call *call = api_call(req);
    struct err err = {0};
    struct auth_target target = {.kind = AUTH_KIND_INSTALLATION};
    struct control_counts counts;
    struct store_metrics store;
    struct buf out = BUF(4u << 20);
    if (auth_check(api->cfg.auth, &call->who, AUTH_VIEW, &target, &err) < 0) {
        api_fail(call, &err);
        return;
    }
    control_get_counts(api->cfg.control, &counts);
    store_get_metrics(api->cfg.store, &store);
    put_states(&out, &counts);
    put_nodes(&out, api->cfg.control);
    om_family(&out, "berth_api_requests", "counter", "Requests");
    om_sample(&out, "berth_api_requests", "_total", NULL, NULL, (double)api->requests);
    om_family(&out, "berth_api_failures", "counter", "Requests answered by a problem");
    om_sample(&out, "berth_api_failures", "_total", NULL, NULL, (double)api->failures);
    om_family(&out, "berth_store_transactions", "counter", "Durable transactions");
    om_sample(&out, "berth_store_transactions", "_total", NULL, NULL, (double)store.transactions);
    om_family(&out, "berth_store_batches", "counter", "Changes committed in them");
    om_sample(&out, "berth_store_batches", "_total", NULL, NULL, (double)store.batches);
    om_family(&out, "berth_store_commit_seconds", "counter", "Time spent in commits");
    om_sample(&out, "berth_store_commit_seconds", "_total", NULL, NULL,
              (double)store.commit_us_total / 1e6);
    om_family(&out, "berth_store_full", "gauge", "1 while the disk is full");
    om_sample(&out, "berth_store_full", "", NULL, NULL, store_is_full(api->cfg.store));
    om_end(&out);
    http_reply(req, 200, OPENMETRICS_TYPE, buf_str(&out), out.len);
    buf_done(&out);
}

const struct http_route api_meta_routes[] = {
    {"GET", "/api/v1/openapi.json", get_openapi, ACCESS_OPEN, NULL, NULL, false, "This description",
     NULL, 0},
    {"GET", "/api/v1/health", get_health, ACCESS_OPEN, NULL, NULL, false,
     "Whether berthd answers, and what is wrong", NULL, 0},
    {"GET", "/metrics", get_metrics, ACCESS_USER, NULL, NULL, false,
     "OpenMetrics, for cluster admins", NULL, 0},
};
const size_t api_meta_route_count = ARRAY_LEN(api_meta_routes);
