/*
 * login: names and passwords for tokens, sessions of the console, tokens of a user.
 */
#include <stdio.h>
#include <string.h>
#include "api/call.h"
#include "base/str.h"

#define SESSION_MS (12 * 3600 * 1000ll)
#define TOKEN_MS   (90 * 24 * 3600 * 1000ll)

struct login_in {
    const char *name, *password, *label;
    bool session;
};
static const struct js_field login_fields[] = {
    {.name = "name",
     .type = JS_STR,
     .offset = offsetof(struct login_in, name),
     .flags = JS_REQUIRED,
     .min = 1,
     .max = 64,
     .doc = "user"},
    {.name = "password",
     .type = JS_STR,
     .offset = offsetof(struct login_in, password),
     .flags = JS_REQUIRED | JS_SECRET,
     .min = 1,
     .max = 512},
    {.name = "label",
     .type = JS_STR,
     .offset = offsetof(struct login_in, label),
     .max = 63,
     .doc = "what the token is for, shown in lists"},
    {.name = "session",
     .type = JS_BOOL,
     .offset = offsetof(struct login_in, session),
     .doc = "a browser's session: the token becomes a cookie and is not shown"},
};
static const struct js_table login_table = JS_TABLE("Login", struct login_in, login_fields);

struct token_in {
    const char *label;
    int64_t lifetime_ms;
};
static const struct js_field token_fields[] = {
    {.name = "label",
     .type = JS_STR,
     .offset = offsetof(struct token_in, label),
     .flags = JS_REQUIRED,
     .min = 1,
     .max = 63,
     .doc = "what the token is for"},
    {.name = "lifetime",
     .type = JS_DURATION,
     .offset = offsetof(struct token_in, lifetime_ms),
     .min = 1000,
     .max = 10ll * 366 * 24 * 3600 * 1000,
     .doc = "default 90d"},
};
static const struct js_table token_table = JS_TABLE("NewToken", struct token_in, token_fields);

/* A token whose row is on its way to the disk. */
struct issue {
    struct api_call *call;
    struct token token;
    char text[AUTH_TOKEN_TEXT_SIZE];
};

static void issued(void *arg, int rc, uint64_t id, const struct err *err)
{
    struct issue *issue = arg;
    struct api_call *call = issue->call;
    (void)id;
    if (rc < 0) {
        api_fail(call, err);
        return;
    }
    struct buf out = BUF(4096);
    struct js_writer w;
    js_w_init(&w, &out);
    js_w_object(&w, NULL);
    js_w_id(&w, "id", issue->token.id.v);
    if (issue->token.session)
        api_set_cookie(call, "berth", issue->text, SESSION_MS);
    else
        js_w_str(&w, "token", issue->text);
    js_w_str(&w, "label", issue->token.label);
    js_w_time(&w, "expires", issue->token.expires_ms);
    js_w_end_object(&w);
    api_reply_json(call, 201, &out);
}

static void issue_token(struct api_call *call, const struct auth_token_request *req,
                        struct user_id actor)
{
    struct err err = {0};
    struct issue *issue = arena_alloc(&call->req->arena, sizeof(*issue));
    int rc = issue ? auth_make_token(call->api->cfg.auth, req, api_now(call), issue->text,
                                     &issue->token, &err)
                   : err_set(&err, BERR_NOMEM, "out of memory");
    if (rc < 0) {
        api_fail(call, &err);
        return;
    }
    issue->call = call;
    control_put_token(call->api->cfg.control, &issue->token, actor, issued, issue);
}

static void logged_in(void *arg, int rc, const struct user *user, const struct err *err)
{
    struct api_call *call = arg;
    const struct login_in *in = call->in;
    if (rc < 0) {
        api_fail(call, err);
        return;
    }
    struct auth_token_request req = {
        .user = user->id,
        .label = in->label     ? in->label
                 : in->session ? "browser"
                               : "login",
        .expires_ms = api_now(call) + (in->session ? SESSION_MS : TOKEN_MS),
        .session = in->session,
    };
    issue_token(call, &req, user->id);
}

static void post_login(struct http_request *req, void *arg)
{
    struct api *api = arg;
    struct api_call *call = api_call(req);
    const struct login_in *in = call->in;
    auth_login(api->cfg.auth, in->name, in->password, req->peer, api_now(call), logged_in, call);
}

static void post_logout(struct http_request *req, void *arg)
{
    struct api *api = arg;
    struct api_call *call = api_call(req);
    if (call->by_cookie)
        api_set_cookie(call, "berth", "", 0);
    control_remove_token(api->cfg.control, call->who.token, call->who.user, api_done_empty, call);
}

static void get_me(struct http_request *req, void *arg)
{
    struct api *api = arg;
    struct api_call *call = api_call(req);
    struct buf out = BUF(1u << 20);
    struct js_writer w;
    struct member m;
    const struct user *user = auth_find_user(api->cfg.auth, call->who.user);
    js_w_init(&w, &out);
    js_w_object(&w, NULL);
    js_w_id(&w, "id", call->who.user.v);
    js_w_str(&w, "name", call->who.name);
    js_w_bool(&w, "cluster_admin", user && user->cluster_admin);
    js_w_time(&w, "expires", call->who.expires_ms);
    js_w_array(&w, "projects");
    for (size_t i = 0; auth_next_member(api->cfg.auth, &i, &m);) {
        const struct project *p = auth_find_project(api->cfg.auth, m.project);
        if (m.user.v != call->who.user.v || !p)
            continue;
        js_w_object(&w, NULL);
        js_w_str(&w, "name", p->name);
        js_w_str(&w, "role", role_names[m.role]);
        js_w_end_object(&w);
    }
    js_w_end_array(&w);
    js_w_end_object(&w);
    api_reply_json(call, 200, &out);
}

/* ---- tokens ---- */

static void get_tokens(struct http_request *req, void *arg)
{
    struct api *api = arg;
    struct api_call *call = api_call(req);
    struct buf out = BUF(1u << 20);
    struct js_writer w;
    const struct token *t;
    js_w_init(&w, &out);
    js_w_object(&w, NULL);
    js_w_array(&w, "items");
    for (size_t i = 0; (t = auth_next_token(api->cfg.auth, &i));) {
        if (t->user.v != call->who.user.v || t->route)
            continue;
        js_w_object(&w, NULL);
        js_w_id(&w, "id", t->id.v);
        js_w_str(&w, "label", t->label);
        js_w_bool(&w, "session", t->session);
        js_w_time(&w, "created", t->created_ms);
        js_w_time(&w, "expires", t->expires_ms);
        js_w_bool(&w, "this", t->id.v == call->who.token.v);
        js_w_end_object(&w);
    }
    js_w_end_array(&w);
    js_w_end_object(&w);
    api_reply_json(call, 200, &out);
}

static void post_token(struct http_request *req, void *arg)
{
    struct api_call *call = api_call(req);
    const struct token_in *in = call->in;
    struct auth_token_request token = {
        .user = call->who.user,
        .label = in->label,
        .expires_ms = api_now(call) + (in->lifetime_ms ? in->lifetime_ms : TOKEN_MS),
    };
    (void)arg;
    issue_token(call, &token, call->who.user);
}

static void delete_token(struct http_request *req, void *arg)
{
    struct api *api = arg;
    struct api_call *call = api_call(req);
    struct err err = {0};
    struct token_id id = {0};
    const struct token *t =
        id_parse(req->params[0], &id.v) ? auth_find_token(api->cfg.auth, id) : NULL;
    struct auth_target target = {.kind = AUTH_KIND_TOKEN, .id = id.v};
    if (t)
        target.owner = t->user;
    if (!t || auth_check(api->cfg.auth, &call->who, AUTH_REMOVE, &target, &err) < 0) {
        err_set(&err, BERR_NOT_FOUND, "there is no token %s", req->params[0]);
        api_fail(call, &err);
        return;
    }
    control_remove_token(api->cfg.control, id, call->who.user, api_done_empty, call);
}

const struct http_route api_login_routes[] = {
    {"POST", "/api/v1/login", post_login, ACCESS_OPEN, &login_table, NULL, false,
     "Name and password for a token, or for a session cookie", NULL, 201},
    {"POST", "/api/v1/logout", post_logout, ACCESS_USER, NULL, NULL, false,
     "End the token that this request came with", NULL, 204},
    {"GET", "/api/v1/me", get_me, ACCESS_USER, NULL, NULL, false, "Who I am", NULL, 0},
    {"GET", "/api/v1/tokens", get_tokens, ACCESS_USER, NULL, NULL, true, "My tokens", NULL, 0},
    {"POST", "/api/v1/tokens", post_token, ACCESS_USER, &token_table, NULL, false,
     "Make a token; its text is shown only now", NULL, 201},
    {"DELETE", "/api/v1/tokens/:id", delete_token, ACCESS_USER, NULL, NULL, false, "End a token",
     NULL, 204},
};
const size_t api_login_route_count = ARRAY_LEN(api_login_routes);
