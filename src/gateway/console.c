/*
 * console: our own pages, and what is berthd's by its socket.
 */
#include <string.h>
#include "base/str.h"
#include "gateway/gateway.h"
#include "http/openmetrics.h"

static void on_failed(void *arg, struct http_request *req, const struct err *err)
{
    struct err away = *err;
    (void)arg;
    if (err->code != BERR_TIMEOUT && err->code != BERR_NOMEM && err->code != BERR_PROTOCOL) {
        err_set(&away, BERR_UNAVAILABLE, "berth is starting or restarting");
        err_hint(&away, "try again in a moment; your workloads go on meanwhile");
    }
    http_reply_err(req, &away);
}

static void on_answer(void *arg, struct http_request *req, int status)
{
    struct visit *v = arg;
    (void)status;
    http_reply_header(req, "X-Content-Type-Options", "nosniff");
    if (v->gw->cfg->own_certificate)
        http_reply_header(req, "Strict-Transport-Security", "max-age=31536000");
}

static const struct proxy_events events = {.on_failed = on_failed, .on_answer = on_answer};
static const struct proxy_rules rules = {.strip = identity_headers};

void console_pass(struct visit *v, const char *target)
{
    struct buf lines = BUF(2048);
    struct err err = {0};
    visit_put_forwarded(v, &lines);
    buf_printf(&lines, "X-Berth-Origin: %s://%s\r\n", visit_scheme(v), v->host.authority);
    if (buf_is_failed(&lines)) {
        err_set(&err, BERR_NOMEM, "out of memory");
        visit_fail(v, &err);
        return;
    }
    struct proxy_target to = {
        .to = {.unix_path = v->gw->cfg->api_socket},
        .host = v->host.authority,
        .target = target,
        .headers = lines.data,
        .rules = &rules,
        .connect_ms = 5000,
    };
    proxy_pass(v->gw->client, v->req, &to, &events, v);
    buf_done(&lines);
}

static void reply_metrics(struct visit *v)
{
    struct buf out = BUF(65536);
    struct err err = {0};
    if (strncmp(v->req->peer, "127.", 4) != 0 && !str_is_equal(v->req->peer, "::1")) {
        err_set(&err, BERR_FORBIDDEN, "the gateway's figures are for this machine only");
        visit_fail(v, &err);
        return;
    }
    metrics_put(v->gw, &out);
    http_reply(v->req, 200, OPENMETRICS_TYPE, buf_str(&out), out.len);
    buf_done(&out);
}

static bool is_berthds(const char *path)
{
    if (str_has_prefix(path, "/api/v1/origin/"))
        return false; /* the way for notebooks' own origins */
    return str_has_prefix(path, "/api/") || str_has_prefix(path, "/open/") ||
           str_is_equal(path, "/metrics");
}

static bool serve_page(struct visit *v, const char *path)
{
    bool reads = str_is_equal(v->req->method, "GET") || v->req->is_head;
    if (!reads || str_is_equal(path, "/error.html"))
        return false;
    visit_page_headers(v); /* static files bring nosniff themselves */
    if (str_is_equal(path, "/login"))
        return static_serve_path(v->gw->site, "/login.html", v->req);
    return static_serve(v->gw->site, v->req);
}

static void answer_here(struct visit *v)
{
    struct err err = {0};
    struct http_request *req = v->req;
    const char *path = req->target.path;
    if (str_is_equal(path, "/healthz")) {
        http_reply_str(req, 200, "application/json", "{\"status\":\"ok\"}\n");
    } else if (str_is_equal(path, "/metrics/gateway")) {
        reply_metrics(v);
    } else if (!serve_page(v, path)) {
        err_set(&err, BERR_NOT_FOUND, "there is nothing at %.300s", path);
        http_reply_err(req, &err);
    }
}

/* A body that nobody wants is read nevertheless, so that what is wrong with it shows. */
static void on_body(struct http_request *req, const char *data, size_t len, int rc,
                    const struct err *err)
{
    (void)data, (void)len;
    if (rc < 0)
        http_reply_err(req, err);
    else
        answer_here(req->user);
}

void console_handle(struct visit *v)
{
    struct err err = {0};
    struct http_request *req = v->req;
    if (url_parse_target(req->head->target, &req->arena, &req->target, &err) < 0) {
        visit_fail(v, &err);
        return;
    }
    const char *path = req->target.path;
    v->class = "console";
    if (is_berthds(path)) {
        v->class = "api";
        console_pass(v, req->head->target);
    } else if (req->head->has_body) {
        http_request_read_body(req, LIMIT_HTTP_BODY_BYTES, on_body);
    } else {
        answer_here(v);
    }
}
