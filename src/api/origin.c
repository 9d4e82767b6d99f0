/*
 * origin: how a login reaches a notebook's own origin. The console answers /open/ID with a redirect
 * that carries a one-time ticket; the notebook's origin (by the gateway) turns the ticket into a
 * cookie that opens this notebook and nothing else.
 */
#include <stdio.h>
#include <string.h>
#include "api/call.h"
#include "base/str.h"
#include "session/notebook.h"

#define OPEN_MS (12 * 3600 * 1000ll)

/* "https://ID.domain:port" from the console's own origin as the gateway told it. */
static void notebook_origin(struct api_call *call, uint64_t id, char dst[512])
{
    char text[ID_TEXT_SIZE];
    const char *own = http_head_get(call->req->head, "x-berth-origin");
    const char *port = own ? strrchr(own, ':') : NULL;
    if (port && (port[1] < '0' || port[1] > '9'))
        port = NULL;
    snprintf(dst, 512, "%s://%s.%s%s", api_is_plain(call) ? "http" : "https", id_format(text, id),
             call->api->cfg.domain, port ? port : "");
}

/* Where to go on the notebook's side: a path of it, never another place. */
static const char *safe_next(const struct api_call *call)
{
    const char *next = api_query(call, "next");
    if (!next || next[0] != '/' || next[1] == '/' || next[1] == '\\')
        return "/";
    return next;
}

static bool make_entry(struct api_call *call, const struct workload *w, struct buf *url,
                       struct err *err)
{
    char origin[512], ticket[AUTH_TOKEN_TEXT_SIZE], target[64];
    if (!notebook_target(w, target)) {
        err_set(err, BERR_CONFLICT, "%s is not running (%s): %s", w->spec->name,
                workload_state_names[w->state], w->reason);
        return false;
    }
    if (auth_make_ticket(call->api->cfg.auth, &call->who, w->id.v, api_now(call), ticket, err) < 0)
        return false;
    notebook_origin(call, w->id.v, origin);
    buf_printf(url, "%s/.berth/enter?ticket=%s&next=", origin, ticket);
    url_put_escaped(url, safe_next(call));
    return true;
}

static void reply_open(struct api_call *call, const struct workload *w)
{
    struct err err = {0};
    struct buf url = BUF(8192), out = BUF(16384);
    struct js_writer writer;
    char origin[512];
    if (!make_entry(call, w, &url, &err)) {
        api_fail(call, &err);
    } else {
        notebook_origin(call, w->id.v, origin);
        js_w_init(&writer, &out);
        js_w_object(&writer, NULL);
        js_w_str(&writer, "url", buf_str(&url));
        js_w_str(&writer, "origin", origin);
        js_w_end_object(&writer);
        api_reply_json(call, 200, &out);
    }
    buf_done(&url);
}

static void redirect_open(struct api_call *call, const struct workload *w)
{
    struct err err = {0};
    struct buf url = BUF(8192);
    if (!make_entry(call, w, &url, &err)) {
        api_fail(call, &err);
    } else {
        http_reply_header(call->req, "Location", buf_str(&url));
        http_reply_header(call->req, "Cache-Control", "no-store");
        api_reply_empty(call, 303);
    }
    buf_done(&url);
}

static void post_open(struct http_request *req, void *arg)
{
    (void)arg;
    api_with_workload(api_call(req), req->params[0], KIND_NOTEBOOK, AUTH_OPEN, reply_open);
}

/* A browser that is not logged in goes to the login page and comes back. */
static void get_open(struct http_request *req, void *arg)
{
    struct api_call *call = api_call(req);
    (void)arg;
    if (!call->who.user.v || call->who.route) {
        struct buf next = BUF(8192), url = BUF(16384);
        buf_printf(&next, "/open/%s?next=", req->params[0]);
        url_put_escaped(&next, safe_next(call));
        buf_puts(&url, "/login?next=");
        url_put_escaped(&url, buf_str(&next));
        http_reply_header(req, "Location", buf_str(&url));
        buf_done(&next);
        buf_done(&url);
        api_reply_empty(call, 303);
        return;
    }
    api_with_workload(call, req->params[0], KIND_NOTEBOOK, AUTH_OPEN, redirect_open);
}

/* ---- the notebook's side ---- */

struct entry {
    struct api_call *call;
    struct token token;
    char text[AUTH_TOKEN_TEXT_SIZE];
};

static void entered(void *arg, int rc, uint64_t id, const struct err *err)
{
    struct entry *e = arg;
    struct api_call *call = e->call;
    (void)id;
    if (rc < 0) {
        api_fail(call, err);
        return;
    }
    api_set_cookie(call, "berth-open", e->text, OPEN_MS);
    http_reply_header(call->req, "Location", safe_next(call));
    http_reply_header(call->req, "Cache-Control", "no-store");
    http_reply_header(call->req, "Referrer-Policy", "no-referrer");
    api_reply_empty(call, 303);
}

static void get_enter(struct http_request *req, void *arg)
{
    struct api *api = arg;
    struct api_call *call = api_call(req);
    struct err err = {0};
    struct user_id user = {0};
    uint64_t route = 0;
    const char *ticket = api_query(call, "ticket");
    struct entry *e = arena_alloc(&req->arena, sizeof(*e));
    int rc = e ? 0 : err_set(&err, BERR_NOMEM, "out of memory");
    if (rc == 0 && (!ticket || !id_parse(req->params[0], &route)))
        rc = err_set(&err, BERR_INVALID, "a ticket is needed to enter");
    if (rc == 0)
        rc = auth_take_ticket(api->cfg.auth, ticket, route, api_now(call), &user, &err);
    struct auth_token_request token = {.user = user,
                                       .label = "notebook",
                                       .session = true,
                                       .expires_ms = api_now(call) + OPEN_MS,
                                       .route = route};
    if (rc == 0)
        rc = auth_make_token(api->cfg.auth, &token, api_now(call), e->text, &e->token, &err);
    if (rc < 0) {
        api_fail(call, &err);
        return;
    }
    e->call = call;
    control_put_token(api->cfg.control, &e->token, user, entered, e);
}

static const struct http_param next_query[] = {{"next", "path on the notebook's origin", "string"},
                                               {NULL, NULL, NULL}};
static const struct http_param enter_query[] = {
    {"ticket", "from /open", "string"},
    {"next", "path to go to", "string"},
    {NULL, NULL, NULL},
};

const struct http_route api_origin_routes[] = {
    {"POST", "/api/v1/notebooks/:id/open", post_open, ACCESS_USER, NULL, NULL, false,
     "An address that opens it once, without another login", next_query, 0},
    {"GET", "/open/:id", get_open, ACCESS_OPEN, NULL, NULL, false,
     "Go to a notebook with the console's login", next_query, 303},
    {"GET", "/api/v1/origin/:id/enter", get_enter, ACCESS_OPEN, NULL, NULL, false,
     "Turn a ticket into the notebook's own cookie (used by the gateway)", enter_query, 303},
};
const size_t api_origin_route_count = ARRAY_LEN(api_origin_routes);
