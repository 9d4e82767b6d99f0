/* Targets, authorities, bases and routes: what is let through is safe to use as a path and a host. */
#include <stdint.h>
#include <string.h>
#include "base/alloc.h"
#include "base/str.h"
#include "http/router.h"
#include "http/url.h"

static void handle(struct http_request *req, void *arg)
{
    (void)req, (void)arg;
}

static const struct http_route routes[] = {
    {"GET", "/", handle},         {"GET", "/a", handle},       {"POST", "/a/:x", handle},
    {"GET", "/a/b/:x/c", handle}, {"GET", "/:y/b/:x", handle},
};

static void check_path(const char *path)
{
    check(path[0] == '/');
    check(str_is_utf8(path, strlen(path)));
    check(!strstr(path, "//") && !strchr(path, '\\'));
    for (const char *at = path; (at = strchr(at, '/')) != NULL; at++) {
        size_t len = strcspn(at + 1, "/");
        check(!(len == 1 && at[1] == '.') && !(len == 2 && at[1] == '.' && at[2] == '.'));
    }
    for (const char *c = path; *c; c++)
        check((unsigned char)*c >= 0x20 && *c != 0x7f);
}

static void route(struct http_router *router, struct http_request *req)
{
    struct err err = {0};
    const char *allow = NULL;
    const struct http_route *r = http_router_match(router, req, &allow, &err);
    if (!r) {
        check(err.code == BERR_NOT_FOUND || (err.code == BERR_METHOD && allow && allow[0]));
        return;
    }
    check(str_is_equal(r->method, "GET"));
    size_t params = 0;
    for (const char *c = r->pattern; *c; c++)
        params += *c == ':';
    for (size_t i = 0; i < params; i++)
        check(req->params[i][0] && !strchr(req->params[i], '/'));
}

/* Escaping a text and reading it back gives the same. */
static void round_trip(const char *text, struct arena *arena)
{
    struct url_target t = {0};
    struct buf out = BUF(1 << 20);
    bool plain = str_is_utf8(text, strlen(text));
    for (const char *c = text; *c; c++)
        plain = plain && (unsigned char)*c >= 0x20 && *c != 0x7f;
    buf_puts(&out, "/?q=");
    url_put_escaped(&out, text);
    check((url_parse_target(buf_str(&out), arena, &t, NULL) == 0) == plain);
    if (plain)
        check(str_is_equal(url_query(&t, "q"), text));
    buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct http_router *router = NULL;
    const struct http_route *tables[] = {routes};
    const size_t counts[] = {ARRAY_LEN(routes)};
    struct http_request req = {.method = "GET", .arena = ARENA(8 << 20)};
    struct err err = {0};
    struct url_base base;
    char host[256];
    uint16_t port;
    char *text = mem_strndup((const char *)data, size);
    check(text && http_router_new(tables, counts, 1, &router, NULL) == 0);
    if (url_parse_target(text, &req.arena, &req.target, &err) == 0) {
        check_path(req.target.path);
        route(router, &req);
    } else {
        check(err.code == BERR_INVALID && err.text[0]);
    }
    if (url_parse_authority(text, host, &port, NULL) == 0)
        check(host[0] && !strpbrk(host, " /?#@[]\\\r\n"));
    if (url_parse_base(text, &base, NULL) == 0)
        check(base.host[0] && base.port != 0);
    round_trip(text, &req.arena);
    arena_done(&req.arena);
    http_router_free(router);
    mem_free(text);
    return 0;
}
