/*
 * api: dispatch — route, identity, origin, body, then the resource's handler.
 */
#include "api/api.h"
#include <string.h>
#include "api/call.h"
#include "base/alloc.h"
#include "base/log.h"
#include "base/str.h"

static const struct {
    const struct http_route *routes;
    const size_t *count;
} tables[] = {
    {api_workload_routes, &api_workload_route_count},
    {api_log_routes, &api_log_route_count},
    {api_event_routes, &api_event_route_count},
    {api_login_routes, &api_login_route_count},
    {api_user_routes, &api_user_route_count},
    {api_project_routes, &api_project_route_count},
    {api_node_routes, &api_node_route_count},
    {api_meta_routes, &api_meta_route_count},
    {api_origin_routes, &api_origin_route_count},
    {api_image_routes, &api_image_route_count},
    {api_code_routes, &api_code_route_count},
};

int api_new(const struct api_config *cfg, struct api **ret, struct err *err)
{
    const struct http_route *all[ARRAY_LEN(tables)];
    size_t counts[ARRAY_LEN(tables)];
    struct api *api = mem_calloc(1, sizeof(*api));
    if (!api)
        return err_set(err, BERR_NOMEM, "out of memory");
    api->cfg = *cfg;
    for (size_t i = 0; i < ARRAY_LEN(tables); i++) {
        all[i] = tables[i].routes;
        counts[i] = *tables[i].count;
    }
    int rc = http_router_new(all, counts, ARRAY_LEN(tables), &api->router, err);
    if (rc < 0) {
        mem_free(api);
        return rc;
    }
    *ret = api;
    return 0;
}

struct api *api_free(struct api *api)
{
    if (api) {
        http_router_free(api->router);
        mem_free(api);
    }
    return NULL;
}

/* ---- identity ---- */

/* The value of a cookie, copied into the arena; NULL when absent (RFC 6265 4.2). */
static const char *find_cookie(struct http_request *req, const char *name)
{
    const char *all = http_head_get(req->head, "cookie");
    size_t len = strlen(name);
    for (const char *at = all; at && *at;) {
        at += strspn(at, " ;");
        size_t span = strcspn(at, ";");
        if (span > len && strncmp(at, name, len) == 0 && at[len] == '=')
            return arena_strndup(&req->arena, at + len + 1, span - len - 1);
        at += span;
    }
    return NULL;
}

static const char *find_token(struct api_call *call)
{
    const char *header = http_head_get(call->req->head, "authorization");
    if (header)
        return str_has_prefix(header, "Bearer ") ? header + 7 : "";
    const char *cookie = find_cookie(call->req, "__Host-berth");
    if (!cookie)
        cookie = find_cookie(call->req, "berth");
    call->by_cookie = cookie != NULL;
    return cookie;
}

/* A browser sends the cookie along whoever made it ask: only the console itself may change
 * things with it. */
static int check_origin(struct api_call *call, struct err *err)
{
    const struct http_head *head = call->req->head;
    const char *origin = http_head_get(head, "origin"),
               *own = http_head_get(head, "x-berth-origin");
    const char *site = http_head_get(head, "sec-fetch-site");
    if (!call->by_cookie || str_is_equal(call->req->method, "GET") || call->req->is_head)
        return 0;
    bool foreign = origin && !str_is_equal(origin, own);
    if (site && !str_is_equal(site, "same-origin") && !str_is_equal(site, "none"))
        foreign = true;
    if (foreign || (!origin && !site))
        return err_set(err, BERR_FORBIDDEN, "this request does not come from the console's page");
    return 0;
}

static int identify(struct api_call *call, struct err *err)
{
    const char *token = find_token(call);
    if (call->route->access == ACCESS_OPEN) {
        if (token)
            auth_identify(call->api->cfg.auth, token, api_now(call), &call->who, NULL);
        return 0;
    }
    if (!token) {
        err_set(err, BERR_UNAUTHENTICATED, "you are not logged in");
        return err_hint(err, "log in with `berth login`");
    }
    int rc = auth_identify(call->api->cfg.auth, token, api_now(call), &call->who, err);
    if (rc < 0)
        return rc;
    if (call->who.route)
        return err_set(err, BERR_FORBIDDEN, "this token opens one notebook and nothing else");
    return check_origin(call, err);
}

/* ---- bodies ---- */

static void run(struct api_call *call)
{
    call->route->handler(call->req, call->api);
}

static bool is_json(const struct http_head *head)
{
    const char *type = http_head_get(head, "content-type");
    char word[32] = "";
    if (type) {
        size_t len = strcspn(type, " ;");
        if (len < sizeof(word)) {
            memcpy(word, type, len);
            word[len] = '\0';
        }
    }
    return str_is_equal_ci(word, "application/json");
}

static void take_body(struct http_request *req, const char *data, size_t len, int rc,
                      const struct err *body_err)
{
    struct api_call *call = api_call(req);
    struct err err = {0};
    if (rc < 0) {
        api_fail(call, body_err);
        return;
    }
    if (len == 0) {
        data = "{}";
        len = 2;
    }
    call->in = arena_alloc(&req->arena, call->route->in->size);
    rc = call->in ? js_parse_json(data, len, &call->doc, &err)
                  : err_set(&err, BERR_NOMEM, "out of memory");
    if (rc == 0 && call->route->in == &spec_table)
        spec_defaults(call->in);
    if (rc == 0)
        rc = js_decode(call->doc, js_root(call->doc), call->route->in, &req->arena, call->in, &err);
    if (rc < 0)
        api_fail(call, &err);
    else
        run(call);
}

static void call_free(void *user)
{
    struct api_call *call = user;
    js_doc_free(call->doc); /* the call itself is in the request's arena */
}

void api_handle(struct http_request *req, void *arg)
{
    struct api *api = arg;
    struct err err = {0};
    const char *allow = NULL;
    struct api_call *call = arena_alloc(&req->arena, sizeof(*call));
    if (!call) {
        err_set(&err, BERR_NOMEM, "out of memory");
        http_reply_err(req, &err);
        return;
    }
    api->requests++;
    *call = (struct api_call){.api = api, .req = req};
    req->user = call;
    req->user_free = call_free;
    call->route = http_router_match(api->router, req, &allow, &err);
    if (!call->route) {
        if (allow)
            http_reply_header(req, "Allow", allow);
        api_fail(call, &err);
        return;
    }
    if (identify(call, &err) < 0) {
        api_fail(call, &err);
        return;
    }
    if (!call->route->in) {
        run(call);
        return;
    }
    if (req->head->has_body && !is_json(req->head)) {
        err_set(&err, BERR_INVALID, "the body must be JSON");
        err_hint(&err, "send it with Content-Type: application/json");
        api_fail(call, &err);
        return;
    }
    http_request_read_body(req, LIMIT_HTTP_BODY_BYTES, take_body);
}
