/*
 * projects: the tenants and who is in them.
 */
#include <string.h>
#include "api/call.h"
#include "base/str.h"

struct project_in {
    const char *name, *admin;
    bool internet;
};
static const struct js_field project_fields[] = {
    {.name = "name",
     .type = JS_LABEL,
     .offset = offsetof(struct project_in, name),
     .flags = JS_REQUIRED},
    {.name = "admin",
     .type = JS_LABEL,
     .offset = offsetof(struct project_in, admin),
     .doc = "its first admin; default: who makes it"},
    {.name = "internet",
     .type = JS_BOOL,
     .offset = offsetof(struct project_in, internet),
     .doc = "its tasks reach the outside network"},
};
static const struct js_table project_table =
    JS_TABLE("NewProject", struct project_in, project_fields);

struct project_change {
    bool internet;
};
static const struct js_field change_fields[] = {
    {.name = "internet",
     .type = JS_BOOL,
     .offset = offsetof(struct project_change, internet),
     .flags = JS_REQUIRED,
     .doc = "its tasks reach the outside network"},
};
static const struct js_table change_table =
    JS_TABLE("ProjectChange", struct project_change, change_fields);

struct member_in {
    const char *user;
    int role;
};
static const struct js_field member_fields[] = {
    {.name = "user",
     .type = JS_LABEL,
     .offset = offsetof(struct member_in, user),
     .flags = JS_REQUIRED},
    {.name = "role",
     .type = JS_ENUM,
     .offset = offsetof(struct member_in, role),
     .flags = JS_REQUIRED,
     .names = role_names,
     .doc = "none removes"},
};
static const struct js_table member_table = JS_TABLE("Member", struct member_in, member_fields);

static void put_project(struct js_writer *w, struct api_call *call, const struct project *p)
{
    struct member m;
    const struct auth *auth = call->api->cfg.auth;
    js_w_object(w, NULL);
    js_w_id(w, "id", p->id.v);
    js_w_str(w, "name", p->name);
    js_w_bool(w, "internet", p->internet);
    js_w_time(w, "created", p->created_ms);
    js_w_str(w, "my_role", role_names[auth_find_role(auth, call->who.user, p->id)]);
    js_w_array(w, "members");
    for (size_t i = 0; auth_next_member(auth, &i, &m);) {
        const struct user *u = auth_find_user(auth, m.user);
        if (m.project.v != p->id.v || !u)
            continue;
        js_w_object(w, NULL);
        js_w_str(w, "user", u->name);
        js_w_str(w, "role", role_names[m.role]);
        js_w_end_object(w);
    }
    js_w_end_array(w);
    js_w_end_object(w);
}

static void get_projects(struct http_request *req, void *arg)
{
    struct api *api = arg;
    struct api_call *call = api_call(req);
    struct buf out = BUF(16u << 20);
    struct js_writer w;
    const struct project *p;
    js_w_init(&w, &out);
    js_w_object(&w, NULL);
    js_w_array(&w, "items");
    for (size_t i = 0; (p = auth_next_project(api->cfg.auth, &i));) {
        struct auth_target target = {.kind = AUTH_KIND_PROJECT, .project = p->id, .id = p->id.v};
        if (auth_check(api->cfg.auth, &call->who, AUTH_VIEW, &target, NULL) == 0)
            put_project(&w, call, p);
    }
    js_w_end_array(&w);
    js_w_end_object(&w);
    api_reply_json(call, 200, &out);
}

static void changed(void *arg, int rc, uint64_t id, const struct err *err)
{
    struct api_call *call = arg;
    const struct project *p =
        rc < 0 ? NULL : auth_find_project(call->api->cfg.auth, (struct project_id){id});
    if (rc < 0 || !p) {
        struct err gone = {0};
        err_set(&gone, BERR_NOT_FOUND, "the project is no longer there");
        api_fail(call, rc < 0 ? err : &gone);
        return;
    }
    struct buf out = BUF(1u << 20);
    struct js_writer w;
    js_w_init(&w, &out);
    put_project(&w, call, p);
    api_reply_json(call, call->route->status ? call->route->status : 200, &out);
}

static void post_project(struct http_request *req, void *arg)
{
    struct api *api = arg;
    struct api_call *call = api_call(req);
    const struct project_in *in = call->in;
    struct err err = {0};
    struct auth_target target = {.kind = AUTH_KIND_PROJECT};
    const struct user *admin =
        auth_find_user_name(api->cfg.auth, in->admin ? in->admin : call->who.name);
    int rc = auth_check(api->cfg.auth, &call->who, AUTH_CREATE, &target, &err);
    if (rc == 0 && !admin) {
        err_set(&err, BERR_INVALID, "there is no user %s", in->admin);
        rc = err_at(&err, "admin", 0, 0);
    }
    if (rc < 0) {
        api_fail(call, &err);
        return;
    }
    bool said = yyjson_obj_get(js_root(call->doc), "internet") != NULL;
    struct project p = {.id = {api_new_id(call)},
                        .internet = said ? in->internet : true,
                        .created_ms = api_now(call)};
    str_copy(p.name, sizeof(p.name), in->name);
    control_put_project(api->cfg.control, &p, admin->id, call->who.user, changed, call);
}

static void patch_project(struct http_request *req, void *arg)
{
    struct api *api = arg;
    struct api_call *call = api_call(req);
    const struct project_change *in = call->in;
    struct err err = {0};
    const struct project *p = NULL;
    if (api_find_project(call, req->params[0], AUTH_CHANGE, &p, &err) < 0) {
        api_fail(call, &err);
        return;
    }
    struct project row = *p;
    row.internet = in->internet;
    control_put_project(api->cfg.control, &row, (struct user_id){0}, call->who.user, changed, call);
}

/* A project without an admin could be helped only from outside. */
static bool is_last_admin(const struct auth *auth, struct project_id project, struct user_id user)
{
    struct member m;
    bool self = false;
    for (size_t i = 0; auth_next_member(auth, &i, &m);) {
        if (m.project.v != project.v || m.role != ROLE_ADMIN)
            continue;
        if (m.user.v != user.v)
            return false;
        self = true;
    }
    return self;
}

static void put_member(struct http_request *req, void *arg)
{
    struct api *api = arg;
    struct api_call *call = api_call(req);
    const struct member_in *in = call->in;
    struct err err = {0};
    const struct project *p = NULL;
    int rc = api_find_project(call, req->params[0], AUTH_GRANT, &p, &err);
    const struct user *u = auth_find_user_name(api->cfg.auth, in->user);
    if (rc == 0 && !u) {
        err_set(&err, BERR_INVALID, "there is no user %s", in->user);
        rc = err_at(&err, "user", 0, 0);
    }
    if (rc == 0 && in->role != ROLE_ADMIN && is_last_admin(api->cfg.auth, p->id, u->id)) {
        err_set(&err, BERR_CONFLICT, "%s is the last admin of %s", u->name, p->name);
        rc = err_hint(&err, "make somebody else admin first");
    }
    if (rc < 0) {
        api_fail(call, &err);
        return;
    }
    struct member m = {.project = p->id, .user = u->id, .role = (enum role)in->role};
    control_put_member(api->cfg.control, &m, call->who.user, changed, call);
}

const struct http_route api_project_routes[] = {
    {"GET", "/api/v1/projects", get_projects, ACCESS_USER, NULL, NULL, true,
     "Projects that I am in", NULL, 0},
    {"POST", "/api/v1/projects", post_project, ACCESS_USER, &project_table, NULL, false,
     "Make a project", NULL, 201},
    {"PATCH", "/api/v1/projects/:name", patch_project, ACCESS_USER, &change_table, NULL, false,
     "Change a project", NULL, 0},
    {"PUT", "/api/v1/projects/:name/members", put_member, ACCESS_USER, &member_table, NULL, false,
     "Give somebody a role in it, or take it", NULL, 0},
};
const size_t api_project_route_count = ARRAY_LEN(api_project_routes);
