/*
 * notebook: the gate in front of a notebook's origin. The same for pages, uploads, upgrades and
 * tunnels: where from, whose token, what verdict, which route — then the bytes go straight there.
 */
#include <string.h>
#include "base/alloc.h"
#include "base/id.h"
#include "base/str.h"
#include "gateway/gateway.h"

#define CONNECT_MS 5000

/* ---- on to the notebook ---- */

static void on_failed(void *arg, struct http_request *req, const struct err *err)
{
    struct visit *v = arg;
    struct err bad = *err;
    (void)req;
    if (err->code == BERR_UNAVAILABLE) {
        err_set(&bad, BERR_PROTOCOL, "the notebook does not answer");
        err_hint(&bad, "see its state with `berth notebook ls`");
    }
    visit_fail(v, &bad);
}

static struct tunnel *on_tunnel(void *arg, struct http_request *req)
{
    struct visit *v = arg;
    char id[ID_TEXT_SIZE];
    log_info("tunnel", "request", req->id, "peer", req->peer, "workload",
             id_format(id, v->host.route), "user", v->user, NULL);
    return tunnels_open(&v->gw->tunnels, v->host.route, v->digest);
}

static const struct proxy_events events = {.on_failed = on_failed, .on_tunnel = on_tunnel};

static void go_on(struct visit *v, const struct route *route)
{
    struct buf lines = BUF(4096);
    struct err err = {0};
    struct proxy_rules *rules = arena_alloc(&v->req->arena, sizeof(*rules));
    buf_reserve(&lines, 512);
    visit_put_forwarded(v, &lines);
    if (route->inject)
        buf_puts(&lines, route->inject);
    if (!rules || buf_is_failed(&lines)) {
        buf_done(&lines);
        err_set(&err, BERR_NOMEM, "out of memory");
        visit_fail(v, &err);
        return;
    }
    /* The name is static text in effect: compared while the head is written, in this call. */
    *rules = (struct proxy_rules){.strip = identity_headers,
                                  .strip_cookies = identity_cookies,
                                  .strip_one = route->inject_name};
    struct proxy_target to = {
        .to = {.host = route->host, .port = route->port},
        .host = v->host.authority,
        .target = v->req->head->target,
        .headers = lines.data,
        .rules = rules,
        .connect_ms = CONNECT_MS,
    };
    proxy_pass(v->gw->client, v->req, &to, &events, v);
    buf_done(&lines);
}

/* ---- verdicts ---- */

/* To the console, which knows the visitor or asks who it is, and sends back here with a ticket. */
static void send_to_console(struct visit *v)
{
    struct buf url = BUF(3 * LIMIT_HTTP_URL_BYTES + 1024);
    char id[ID_TEXT_SIZE];
    struct err err = {0};
    buf_printf(&url, "%s://%s/open/%s?next=", visit_scheme(v), v->host.authority + ID_TEXT_LEN + 1,
               id_format(id, v->host.route));
    url_put_escaped(&url, v->req->head->target);
    if (buf_is_failed(&url)) {
        err_set(&err, BERR_NOMEM, "out of memory");
        http_reply_err(v->req, &err);
    } else {
        http_reply_header(v->req, "Location", url.data);
        http_reply_header(v->req, "Cache-Control", "no-store");
        http_reply(v->req, 303, NULL, NULL, 0);
    }
    buf_done(&url);
}

static void unauthenticated(struct visit *v)
{
    struct err err = {0};
    if (identity_is_browser(v->req->head)) {
        send_to_console(v);
        return;
    }
    err_set(&err, BERR_UNAUTHENTICATED, "no valid login for this notebook");
    err_hint(&err, "open it with `berth notebook open`, or send Authorization: Bearer TOKEN");
    http_reply_err(v->req, &err);
}

static void refused(struct visit *v, const struct verdict *verdict)
{
    struct err err = {0};
    v->gw->counts.verdict_refusals++;
    if (verdict->code == BERR_UNAUTHENTICATED) {
        unauthenticated(v);
        return;
    }
    /* Somebody else's notebook looks like none. */
    err_set(&err, BERR_NOT_FOUND, "there is no such notebook");
    visit_fail(v, &err);
}

static void allowed(struct visit *v)
{
    struct err err = {0};
    struct route *route = routes_get(&v->gw->routes, v->host.route);
    if (!route) {
        if (gw_link_was_synced(v->gw->link))
            err_set(&err, BERR_NOT_FOUND, "this notebook is not running");
        else
            err_set(&err, BERR_UNAVAILABLE, "berth is starting");
        visit_fail(v, &err);
        return;
    }
    if (v->req->head->upgrade && tunnels_check(&v->gw->tunnels, route, &err) < 0) {
        http_reply_err(v->req, &err);
        return;
    }
    routes_touch(&v->gw->routes, route, v->gw->clock->wall_ms(v->gw->clock->arg));
    go_on(v, route);
}

static void judged(struct visit *v, const struct verdict *verdict)
{
    str_copy(v->user, sizeof(v->user), verdict->user);
    if (verdict->allow)
        allowed(v);
    else
        refused(v, verdict);
}

static void on_verdict(void *arg, const char *digest, uint64_t route, const struct verdict *verdict,
                       const struct err *err)
{
    struct visit *v = arg;
    (void)digest, (void)route;
    if (verdict && !http_request_is_gone(v->req))
        judged(v, verdict);
    else if (verdict)
        http_reply(v->req, 499, NULL, NULL, 0);
    else
        visit_fail(v, err);
}

static void judge(struct visit *v)
{
    struct err err = {0};
    struct gateway *gw = v->gw;
    int64_t now = gw->clock->wall_ms(gw->clock->arg);
    const struct verdict *known = verdicts_get(gw->verdicts, v->digest, v->host.route, now);
    if (known) {
        struct verdict copy = *known;
        gw->counts.verdict_hits++;
        judged(v, &copy);
        return;
    }
    gw->counts.verdict_misses++;
    if (gw_link_ask(gw->link, v->digest, v->host.route, on_verdict, v, &err) < 0)
        visit_fail(v, &err);
}

/* ---- paths of ours on a notebook's origin ---- */

static void own_path(struct visit *v)
{
    struct err err = {0};
    struct http_request *req = v->req;
    char id[ID_TEXT_SIZE];
    if (url_parse_target(req->head->target, &req->arena, &req->target, &err) < 0) {
        visit_fail(v, &err);
        return;
    }
    bool get = str_is_equal(req->method, "GET");
    if (get && str_is_equal(req->target.path, "/.berth/enter")) {
        const char *query = strchr(req->head->target, '?');
        const char *target = arena_printf(&req->arena, "/api/v1/origin/%s/enter%s",
                                          id_format(id, v->host.route), query ? query : "");
        if (target) {
            console_pass(v, target);
            return;
        }
        err_set(&err, BERR_NOMEM, "out of memory");
    } else if (get && str_is_equal(req->target.path, "/.berth/style.css") &&
               static_serve_path(v->gw->site, "/style.css", req)) {
        return;
    } else {
        err_set(&err, BERR_NOT_FOUND, "there is nothing at %.300s", req->target.path);
    }
    http_reply_err(req, &err);
}

void notebook_handle(struct visit *v)
{
    struct err err = {0};
    const struct http_head *head = v->req->head;
    const char *origin = "";
    if (http_head_get(head, "origin")) /* else it is not looked at */
        origin = arena_printf(&v->req->arena, "%s://%s", visit_scheme(v), v->host.authority);
    v->class = "notebook";
    if (!origin)
        err_set(&err, BERR_NOMEM, "out of memory");
    else if (head->target[0] != '/' || strchr(head->target, '#'))
        err_set(&err, BERR_INVALID, "the request target must be a path");
    else
        identity_check_origin(head, origin, &err);
    if (err.code)
        http_reply_err(v->req, &err);
    else if (str_has_prefix(head->target, "/.berth/"))
        own_path(v);
    else if (identity_token(head, v->gw->tls != NULL, v->digest) == TOKEN_NONE)
        unauthenticated(v);
    else
        judge(v);
}
