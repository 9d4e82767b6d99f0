/*
 * users: accounts and their passwords.
 */
#include <string.h>
#include "api/call.h"
#include "base/str.h"

struct user_in {
    const char *name, *password;
    bool admin;
};
static const struct js_field user_fields[] = {
    {.name = "name",
     .type = JS_LABEL,
     .offset = offsetof(struct user_in, name),
     .flags = JS_REQUIRED,
     .doc = "also the account's name inside containers"},
    {.name = "password",
     .type = JS_STR,
     .offset = offsetof(struct user_in, password),
     .flags = JS_SECRET,
     .min = 8,
     .max = 512,
     .doc = "none: the user cannot log in by password"},
    {.name = "admin",
     .type = JS_BOOL,
     .offset = offsetof(struct user_in, admin),
     .doc = "of the whole installation"},
};
static const struct js_table user_table = JS_TABLE("NewUser", struct user_in, user_fields);

struct password_in {
    const char *password;
};
static const struct js_field password_fields[] = {
    {.name = "password",
     .type = JS_STR,
     .offset = offsetof(struct password_in, password),
     .flags = JS_REQUIRED | JS_SECRET,
     .min = 8,
     .max = 512},
};
static const struct js_table password_table =
    JS_TABLE("NewPassword", struct password_in, password_fields);

static void put_user(struct js_writer *w, const struct user *u)
{
    js_w_object(w, NULL);
    js_w_id(w, "id", u->id.v);
    js_w_str(w, "name", u->name);
    js_w_bool(w, "cluster_admin", u->cluster_admin);
    js_w_bool(w, "disabled", u->disabled);
    js_w_bool(w, "has_password", u->password_hash[0] != '\0');
    js_w_time(w, "created", u->created_ms);
    js_w_end_object(w);
}

static int may(struct api_call *call, enum auth_verb verb, enum auth_kind kind,
               struct user_id owner, struct err *err)
{
    struct auth_target target = {.kind = kind, .owner = owner, .id = owner.v};
    return auth_check(call->api->cfg.auth, &call->who, verb, &target, err);
}

static void get_users(struct http_request *req, void *arg)
{
    struct api *api = arg;
    struct api_call *call = api_call(req);
    struct buf out = BUF(16u << 20);
    struct js_writer w;
    const struct user *u;
    js_w_init(&w, &out);
    js_w_object(&w, NULL);
    js_w_array(&w, "items");
    for (size_t i = 0; (u = auth_next_user(api->cfg.auth, &i));)
        if (may(call, AUTH_VIEW, AUTH_KIND_USER, u->id, NULL) == 0)
            put_user(&w, u);
    js_w_end_array(&w);
    js_w_end_object(&w);
    api_reply_json(call, 200, &out);
}

/* ---- changes: the hash first, on a worker, then the row ---- */

struct change {
    struct api_call *call;
    struct user user;
};

static void changed(void *arg, int rc, uint64_t id, const struct err *err)
{
    struct change *change = arg;
    struct api_call *call = change->call;
    const struct user *u = auth_find_user(call->api->cfg.auth, (struct user_id){id});
    struct buf out = BUF(4096);
    struct js_writer w;
    if (rc < 0) {
        api_fail(call, err);
        return;
    }
    js_w_init(&w, &out);
    put_user(&w, u ? u : &change->user);
    api_reply_json(call, call->route->status ? call->route->status : 200, &out);
}

static void hashed(void *arg, int rc, const char *hash, const struct err *err)
{
    struct change *change = arg;
    struct api_call *call = change->call;
    if (rc < 0) {
        api_fail(call, err);
        return;
    }
    str_copy(change->user.password_hash, sizeof(change->user.password_hash), hash);
    control_put_user(call->api->cfg.control, &change->user, call->who.user, changed, change);
}

static struct change *new_change(struct api_call *call)
{
    struct err err = {0};
    struct change *change = arena_alloc(&call->req->arena, sizeof(*change));
    if (!change) {
        err_set(&err, BERR_NOMEM, "out of memory");
        api_fail(call, &err);
        return NULL;
    }
    change->call = call;
    return change;
}

static void post_user(struct http_request *req, void *arg)
{
    struct api *api = arg;
    struct api_call *call = api_call(req);
    const struct user_in *in = call->in;
    struct err err = {0};
    int rc = may(call, AUTH_CREATE, AUTH_KIND_USER, (struct user_id){0}, &err);
    if (rc == 0 && auth_check_user_name(in->name, &err) < 0)
        rc = err_at(&err, "name", 0, 0);
    if (rc == 0 && auth_find_user_name(api->cfg.auth, in->name))
        rc = err_set(&err, BERR_CONFLICT, "there is a user %s already", in->name);
    if (rc < 0) {
        api_fail(call, &err);
        return;
    }
    struct change *change = new_change(call);
    if (!change)
        return;
    change->user = (struct user){
        .id = {api_new_id(call)}, .cluster_admin = in->admin, .created_ms = api_now(call)};
    str_copy(change->user.name, sizeof(change->user.name), in->name);
    if (in->password)
        auth_hash_password(api->cfg.auth, in->password, hashed, change);
    else
        control_put_user(api->cfg.control, &change->user, call->who.user, changed, change);
}

static void put_password(struct http_request *req, void *arg)
{
    struct api *api = arg;
    struct api_call *call = api_call(req);
    const struct password_in *in = call->in;
    struct err err = {0};
    const struct user *u = auth_find_user_name(api->cfg.auth, req->params[0]);
    int rc = u ? may(call, AUTH_CHANGE, AUTH_KIND_PASSWORD, u->id, &err) : -(int)BERR_NOT_FOUND;
    if (rc == -(int)BERR_NOT_FOUND)
        err_set(&err, BERR_NOT_FOUND, "there is no user %s", req->params[0]);
    if (rc < 0) {
        api_fail(call, &err);
        return;
    }
    struct change *change = new_change(call);
    if (!change)
        return;
    change->user = *u;
    auth_hash_password(api->cfg.auth, in->password, hashed, change);
}

static void set_disabled(struct http_request *req, bool disabled)
{
    struct api_call *call = api_call(req);
    struct api *api = call->api;
    struct err err = {0};
    const struct user *u = auth_find_user_name(api->cfg.auth, req->params[0]);
    int rc = u ? may(call, AUTH_CHANGE, AUTH_KIND_USER, u->id, &err)
               : err_set(&err, BERR_NOT_FOUND, "there is no user %s", req->params[0]);
    if (rc == 0 && u->id.v == call->who.user.v)
        rc = err_set(&err, BERR_CONFLICT, "nobody disables themselves");
    if (rc < 0) {
        api_fail(call, &err);
        return;
    }
    struct change *change = new_change(call);
    if (!change)
        return;
    change->user = *u;
    change->user.disabled = disabled;
    control_put_user(api->cfg.control, &change->user, call->who.user, changed, change);
}

static void post_disable(struct http_request *req, void *arg)
{
    (void)arg;
    set_disabled(req, true);
}

static void post_enable(struct http_request *req, void *arg)
{
    (void)arg;
    set_disabled(req, false);
}

const struct http_route api_user_routes[] = {
    {"GET", "/api/v1/users", get_users, ACCESS_USER, NULL, NULL, true, "Users", NULL, 0},
    {"POST", "/api/v1/users", post_user, ACCESS_USER, &user_table, NULL, false, "Add a user", NULL,
     201},
    {"PUT", "/api/v1/users/:name/password", put_password, ACCESS_USER, &password_table, NULL, false,
     "Set a password", NULL, 0},
    {"POST", "/api/v1/users/:name/disable", post_disable, ACCESS_USER, NULL, NULL, false,
     "End all logins of a user and allow no new ones", NULL, 0},
    {"POST", "/api/v1/users/:name/enable", post_enable, ACCESS_USER, NULL, NULL, false,
     "Allow logins again", NULL, 0},
};
const size_t api_user_route_count = ARRAY_LEN(api_user_routes);
