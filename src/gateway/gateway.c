/*
 * gateway: the parts and the way of a request between them.
 */
#include "gateway/gateway.h"
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include "base/alloc.h"
#include "base/id.h"
#include "base/limits.h"
#include "base/str.h"
#include "gateway/pages.h"
#include "os/file.h"

/* ---- visits ---- */

const char *visit_scheme(const struct visit *v)
{
    return v->gw->tls ? "https" : "http";
}

void visit_put_forwarded(const struct visit *v, struct buf *out)
{
    buf_puts(out, "X-Forwarded-For: ");
    buf_puts(out, v->req->peer);
    buf_puts(out, "\r\nX-Forwarded-Proto: ");
    buf_puts(out, visit_scheme(v));
    buf_puts(out, "\r\nX-Forwarded-Host: ");
    buf_puts(out, v->host.authority);
    buf_puts(out, "\r\nX-Request-Id: ");
    buf_puts(out, v->req->id);
    buf_puts(out, "\r\n");
}

void visit_page_headers(struct visit *v)
{
    http_reply_header(v->req, "Content-Security-Policy",
                      "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; "
                      "form-action 'self'");
    http_reply_header(v->req, "Referrer-Policy", "same-origin");
    if (v->gw->cfg->own_certificate)
        http_reply_header(v->req, "Strict-Transport-Security", "max-age=31536000");
}

static const struct static_asset *find_page(const char *path)
{
    for (size_t i = 0; i < pages_asset_count; i++)
        if (str_is_equal(pages_assets[i].path, path))
            return &pages_assets[i];
    return NULL;
}

void visit_fail(struct visit *v, const struct err *err)
{
    const struct static_asset *page = find_page("/error.html");
    if (http_request_is_gone(v->req) || !page || !identity_is_browser(v->req->head)) {
        http_reply_err(v->req, err);
        return;
    }
    visit_page_headers(v);
    http_reply_header(v->req, "X-Content-Type-Options", "nosniff");
    http_reply_header(v->req, "Cache-Control", "no-store");
    if (err->code == BERR_UNAVAILABLE)
        http_reply_header(v->req, "Retry-After", "1");
    http_reply(v->req, berr_http(err->code), "text/html; charset=utf-8", page->data, page->len);
}

static void refuse_host(struct visit *v)
{
    struct err err = {0};
    v->class = "refused";
    err_set(&err, BERR_INVALID, "nothing here has that name");
    http_reply_str(v->req, 421, "text/plain; charset=utf-8", "nothing here has that name\n");
}

static void handle(struct http_request *req, void *arg)
{
    struct gateway *gw = arg;
    struct visit *v = arena_alloc(&req->arena, sizeof(*v));
    if (!v) {
        http_reply_str(req, 503, "text/plain", "out of memory\n");
        return;
    }
    v->gw = gw;
    v->req = req;
    v->class = "refused";
    req->user = v;
    host_classify(http_head_get(req->head, "host"), gw->cfg->domain, &v->host);
    switch (v->host.kind) {
    case HOST_CONSOLE:
        console_handle(v);
        return;
    case HOST_NOTEBOOK:
        notebook_handle(v);
        return;
    case HOST_UNKNOWN:
        refuse_host(v);
        return;
    }
}

/* Paths only: queries may hold tickets. */
static void log_request(const struct http_request *req, const struct visit *v, int64_t ms)
{
    char path[256], status[8], took[24], bytes[24], id[ID_TEXT_SIZE];
    size_t len = strcspn(req->head->target, "?#");
    snprintf(path, sizeof(path), "%.*s", len < 250 ? (int)len : 250, req->head->target);
    snprintf(status, sizeof(status), "%d", req->status);
    snprintf(took, sizeof(took), "%lld", (long long)ms);
    snprintf(bytes, sizeof(bytes), "%llu", (unsigned long long)req->sent_bytes);
    log_info("request", "request", req->id, "peer", req->peer, "to", v->class, "workload",
             id_format(id, v->host.route), "method", req->method, "path", path, "status", status,
             "bytes", bytes, "ms", took, "user", v->user, NULL);
}

static void on_done(const struct http_request *req, int64_t ms, void *arg)
{
    struct gateway *gw = arg;
    const struct visit *v = req->user;
    if (req->status >= 100 && req->status < 600)
        gw->counts.by_class[req->status / 100]++;
    gw->counts.bytes_sent += req->sent_bytes;
    if (!v)
        return;
    if (v->class[0] == 'c')
        gw->counts.requests_console++;
    else if (v->class[0] == 'a')
        gw->counts.requests_api++;
    else if (v->class[0] == 'n')
        gw->counts.requests_notebook++;
    else
        gw->counts.requests_refused++;
    if (gw->cfg->log_level <= LOG_INFO)
        log_request(req, v, ms);
}

/* ---- what berthd tells ---- */

static void on_route_gone(void *arg, uint64_t route)
{
    struct gateway *gw = arg;
    tunnels_close_route(&gw->tunnels, route);
}

static void on_verdict_again(void *arg, const char *digest, uint64_t route,
                             const struct verdict *verdict, const struct err *err)
{
    struct gateway *gw = arg;
    (void)err; /* berthd is away: they stay */
    if (verdict && !verdict->allow)
        tunnels_close_pair(&gw->tunnels, digest, route);
}

/* Joined by the link when many tunnels have one token. */
static void ask_again(void *arg, const char *digest, uint64_t route)
{
    struct gateway *gw = arg;
    int64_t now = gw->clock->wall_ms(gw->clock->arg);
    if (!verdicts_get(gw->verdicts, digest, route, now))
        gw_link_ask(gw->link, digest, route, on_verdict_again, gw, NULL);
}

static void on_revoked(void *arg, const char *digest)
{
    struct gateway *gw = arg;
    if (digest)
        tunnels_close_digest(&gw->tunnels, digest);
    else
        tunnels_each(&gw->tunnels, ask_again, gw);
}

static void on_synced(void *arg)
{
    struct gateway *gw = arg;
    tunnels_each(&gw->tunnels, ask_again, gw);
}

/* ---- parts ---- */

/* `berth up` makes these files; without it the gateway does, when it may. */
static int make_certificate(const struct gw_config *cfg, struct err *err)
{
    char dir[GW_PATH_MAX + 8], names[600];
    if (cfg->own_certificate || os_file_exists(AT_FDCWD, cfg->key))
        return 0;
    snprintf(dir, sizeof(dir), "%s/tls", cfg->data);
    int rc = os_dir_make(AT_FDCWD, dir, 0755, NULL, err);
    if (rc < 0)
        return rc;
    snprintf(names, sizeof(names), "localhost,*.localhost,127.0.0.1,::1%s%s%s%s",
             str_is_equal(cfg->domain, "localhost") ? "" : ",",
             str_is_equal(cfg->domain, "localhost") ? "" : cfg->domain,
             str_is_equal(cfg->domain, "localhost") ? "" : ",*.",
             str_is_equal(cfg->domain, "localhost") ? "" : cfg->domain);
    return ev_tls_make_certificate(cfg->cert, cfg->key, names, err);
}

/* Notebooks' names, for which the self-made certificate has no wildcard that clients accept. */
static bool is_notebook(void *arg, const char *name)
{
    struct gateway *gw = arg;
    struct host host;
    host_classify(name, gw->cfg->domain, &host);
    return host.kind == HOST_NOTEBOOK;
}

static int open_doors(struct gateway *gw, struct err *err)
{
    /* Of the files, half are for connections, and two fifths for tunnels at two each; neither takes
     * the other's, and berthd and certificates find some left. */
    size_t files = gw->cfg->files_max ? gw->cfg->files_max : 1024;
    struct http_server_config server = {
        .handler = handle,
        .done = on_done,
        .arg = gw,
        .raw_targets = true,
        .connections_max = files / 2 < LIMIT_HTTP_CONNECTIONS ? files / 2 : LIMIT_HTTP_CONNECTIONS};
    gw->tunnels.max = files / 5;
    struct ev_address at = {.host = gw->cfg->host, .port = gw->cfg->port};
    int rc = gw->cfg->plain ? 0 : make_certificate(gw->cfg, err);
    if (rc == 0 && !gw->cfg->plain)
        rc = ev_tls_server(gw->cfg->cert, gw->cfg->key, &gw->tls, err);
    if (rc == 0 && gw->tls)
        rc = ev_tls_make_names(gw->tls, is_notebook, gw, err);
    if (rc < 0)
        return rc;
    gw->server = http_server_new(gw->loop, &server);
    gw->client = http_client_new(gw->loop);
    gw->verdicts = verdicts_new(LIMIT_VERDICTS);
    if (!gw->server || !gw->client || !gw->verdicts)
        return err_set(err, BERR_NOMEM, "out of memory");
    rc = static_site_new(pages_assets, pages_asset_count, &gw->site, err);
    return rc < 0 ? rc : http_server_listen(gw->server, &at, 0, gw->tls, NULL, err);
}

int gateway_new(struct ev_loop *loop, const struct gw_config *cfg, const struct os_clock *clock,
                struct gateway **ret, struct err *err)
{
    struct gateway *gw = mem_calloc(1, sizeof(*gw));
    if (!gw)
        return err_set(err, BERR_NOMEM, "out of memory");
    gw->loop = loop;
    gw->cfg = cfg;
    gw->clock = clock;
    routes_init(&gw->routes);
    tunnels_init(&gw->tunnels, &gw->routes, clock);
    int rc = open_doors(gw, err);
    if (rc < 0) {
        gateway_free(gw);
        return rc;
    }
    *ret = gw;
    return 0;
}

int gateway_start(struct gateway *gw, struct err *err)
{
    struct gw_link_config link = {
        .socket = gw->cfg->control_socket,
        .routes = &gw->routes,
        .verdicts = gw->verdicts,
        .clock = gw->clock,
        .on_route_gone = on_route_gone,
        .on_revoked = on_revoked,
        .on_synced = on_synced,
        .arg = gw,
    };
    gw->link = gw_link_new(gw->loop, &link, err);
    return gw->link ? 0 : err ? -(int)err->code : -(int)BERR_NOMEM;
}

struct gateway *gateway_free(struct gateway *gw)
{
    if (!gw)
        return NULL;
    http_server_free(gw->server); /* its requests end, and their calls with them */
    tunnels_done(&gw->tunnels);
    gw_link_free(gw->link);
    http_client_free(gw->client);
    static_site_free(gw->site);
    verdicts_free(gw->verdicts);
    routes_done(&gw->routes);
    ev_tls_free(gw->tls);
    mem_free(gw);
    return NULL;
}
