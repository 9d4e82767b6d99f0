/*
 * workloads: submit, list, show, stop, suspend. Jobs and notebooks are the same thing with a kind:
 * /jobs and /notebooks are views of /workloads.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "api/call.h"
#include "base/str.h"
#include "base/units.h"

/* ---- submit ---- */

static void reply_workload(struct api_call *call, const struct workload *w, int status)
{
    struct buf out = BUF(4u << 20);
    struct js_writer writer;
    char etag[32];
    js_w_init(&writer, &out);
    api_put_workload(&writer, call, w, false);
    snprintf(etag, sizeof(etag), "\"%llu\"", (unsigned long long)w->version);
    http_reply_header(call->req, "ETag", etag);
    api_reply_json(call, status, &out);
}

static void submitted(void *arg, int rc, uint64_t id, const struct err *err)
{
    struct api_call *call = arg;
    const struct workload *w =
        rc < 0 ? NULL : control_find(call->api->cfg.control, (struct workload_id){id});
    if (rc < 0) {
        api_fail(call, err);
        return;
    }
    char text[ID_TEXT_SIZE];
    struct buf out = BUF(256);
    if (w) {
        reply_workload(call, w, 201);
        return;
    }
    /* Ended and gone from memory meanwhile: a repeated Idempotency-Key. */
    buf_printf(&out, "{\"id\":\"%s\"}", id_format(text, id));
    api_reply_json(call, 201, &out);
}

static void dry_run(struct api_call *call, const struct control_submit *req)
{
    struct err err = {0};
    struct buf out = BUF(4u << 20);
    if (control_dry_run(call->api->cfg.control, req, &out, &err) < 0) {
        buf_done(&out);
        api_fail(call, &err);
        return;
    }
    api_reply_json(call, 200, &out);
}

static void submit_kind(struct http_request *http, int kind)
{
    struct api_call *call = api_call(http);
    struct workload_spec *spec = call->in;
    struct err err = {0};
    bool dry = false;
    const char *key = http_head_get(http->head, "idempotency-key");
    int rc = api_query_bool(call, "dry_run", &dry, &err);
    if (rc == 0 && key && (!key[0] || strlen(key) > 127)) {
        err_set(&err, BERR_INVALID, "an Idempotency-Key has 1 to 127 characters");
        rc = err_at(&err, "Idempotency-Key", 0, 0);
    }
    if (rc == 0 && kind >= 0 && spec->kind != kind && js_get_str(js_root(call->doc), "kind")) {
        err_set(&err, BERR_INVALID, "expected kind %s here, found %s", workload_kind_names[kind],
                workload_kind_names[spec->kind]);
        rc = err_at(&err, "kind", 0, 0);
    }
    if (rc < 0) {
        api_fail(call, &err);
        return;
    }
    if (kind >= 0)
        spec->kind = kind;
    struct control_submit req = {
        .who = &call->who, .spec = spec, .doc = call->doc, .idempotency_key = key};
    if (dry)
        dry_run(call, &req);
    else
        control_submit(call->api->cfg.control, &req, submitted, call);
}

static void submit_any(struct http_request *req, void *arg)
{
    (void)arg;
    submit_kind(req, -1);
}

static void submit_job(struct http_request *req, void *arg)
{
    (void)arg;
    submit_kind(req, KIND_JOB);
}

static void submit_notebook(struct http_request *req, void *arg)
{
    (void)arg;
    submit_kind(req, KIND_NOTEBOOK);
}

/* ---- list ---- */

static int find_name(const char *const *names, const char *text)
{
    for (int i = 0; names[i]; i++)
        if (str_is_equal_ci(names[i], text))
            return i;
    return -1;
}

static int take_choice(struct api_call *call, const char *field, const char *const *names, int *ret,
                       struct err *err)
{
    const char *text = api_query(call, field);
    if (!text)
        return 0;
    *ret = find_name(names, text);
    if (*ret >= 0)
        return 0;
    size_t count = 0;
    while (names[count])
        count++;
    const char *near = str_nearest(text, names, count);
    err_set(err, BERR_INVALID, "unknown %s \"%s\"", field, text);
    if (near)
        err_hint(err, "did you mean %s?", near);
    return err_at(err, field, 0, 0);
}

/* "MILLISECONDS-ID", as given out as `next`. */
static int take_cursor(struct api_call *call, struct store_workload_query *q, struct err *err)
{
    const char *text = api_query(call, "cursor");
    if (!text)
        return 0;
    const char *dash = strchr(text, '-');
    char number[24] = "";
    if (dash && (size_t)(dash - text) < sizeof(number))
        memcpy(number, text, (size_t)(dash - text));
    if (!dash || !str_parse_i64(number, &q->before_ms) || !id_parse(dash + 1, &q->before_id)) {
        err_set(err, BERR_INVALID, "a cursor is what a list gave as next, found \"%s\"", text);
        return err_at(err, "cursor", 0, 0);
    }
    return 0;
}

/* Those that the asker may look into; none is a good answer too. */
static int take_projects(struct api_call *call, struct store_workload_query *q, struct err *err)
{
    const struct auth *auth = call->api->cfg.auth;
    const struct project *p;
    const char *name = api_query(call, "project");
    if (name) {
        int rc = api_find_project(call, name, AUTH_VIEW, &p, err);
        if (rc == 0)
            q->project = p->id;
        return rc;
    }
    size_t count = 0, n = 0;
    for (size_t i = 0; auth_next_project(auth, &i);)
        count++;
    uint64_t *ids = arena_array(&call->req->arena, count + 1, sizeof(*ids));
    if (!ids)
        return err_set(err, BERR_NOMEM, "out of memory");
    for (size_t i = 0; (p = auth_next_project(auth, &i));) {
        struct auth_target target = {.kind = AUTH_KIND_PROJECT, .project = p->id, .id = p->id.v};
        if (auth_check(auth, &call->who, AUTH_VIEW, &target, NULL) == 0)
            ids[n++] = p->id.v;
    }
    q->projects = ids;
    q->project_count = n;
    return 0;
}

static void listed(void *arg, int rc, const struct store_workload_page *page, const struct err *err)
{
    struct api_call *call = arg;
    if (rc < 0) {
        api_fail(call, err);
        return;
    }
    struct buf out = BUF(64u << 20);
    struct js_writer w;
    js_w_init(&w, &out);
    js_w_object(&w, NULL);
    js_w_array(&w, "items");
    for (size_t i = 0; i < page->count; i++) {
        /* Memory knows the reason of the moment. */
        const struct workload *wl = control_find(call->api->cfg.control, page->rows[i].w->id);
        if (!wl)
            wl = api_thaw_workload(call, page->rows[i].w, page->rows[i].spec_json, page->rows[i].a);
        if (wl)
            api_put_workload(&w, call, wl, true);
    }
    js_w_end_array(&w);
    if (page->more && page->count) {
        char cursor[64], id[ID_TEXT_SIZE];
        const struct workload *last = page->rows[page->count - 1].w;
        snprintf(cursor, sizeof(cursor), "%lld-%s", (long long)last->submitted_ms,
                 id_format(id, last->id.v));
        js_w_str(&w, "next", cursor);
    }
    js_w_u64(&w, "event", control_last_event(call->api->cfg.control));
    js_w_end_object(&w);
    api_reply_json(call, 200, &out);
}

struct list_later {
    struct api_call *call;
    struct store_workload_query query;
};

static void list_after_barrier(void *arg, int rc, const struct err *err)
{
    struct list_later *later = arg;
    if (rc < 0)
        api_fail(later->call, err);
    else
        store_list_workloads(later->call->api->cfg.store, &later->query, listed, later->call);
}

static void list_kind(struct http_request *req, int kind)
{
    struct api_call *call = api_call(req);
    struct err err = {0};
    struct store_workload_query q = {.kind = kind, .state = -1};
    uint64_t limit = LIMIT_PAGE_DEFAULT;
    bool mine = false;
    int rc = take_projects(call, &q, &err);
    if (rc == 0 && kind < 0)
        rc = take_choice(call, "kind", workload_kind_names, &q.kind, &err);
    if (rc == 0)
        rc = take_choice(call, "state", workload_state_names, &q.state, &err);
    if (rc == 0)
        rc = api_query_bool(call, "mine", &mine, &err);
    if (rc == 0)
        rc = api_query_u64(call, "limit", LIMIT_PAGE_DEFAULT, &limit, &err);
    if (rc == 0)
        rc = take_cursor(call, &q, &err);
    if (rc < 0) {
        api_fail(call, &err);
        return;
    }
    q.limit = limit > LIMIT_PAGE_ITEMS ? LIMIT_PAGE_ITEMS : limit ? (uint32_t)limit : 1;
    if (mine)
        q.owner = call->who.user;
    struct list_later *later = arena_alloc(&req->arena, sizeof(*later));
    if (!later) {
        err_set(&err, BERR_NOMEM, "out of memory");
        api_fail(call, &err);
        return;
    }
    *later = (struct list_later){.call = call, .query = q};
    control_barrier(call->api->cfg.control, list_after_barrier, later);
}

static void list_any(struct http_request *req, void *arg)
{
    (void)arg;
    list_kind(req, -1);
}

static void list_jobs(struct http_request *req, void *arg)
{
    (void)arg;
    list_kind(req, KIND_JOB);
}

static void list_notebooks(struct http_request *req, void *arg)
{
    (void)arg;
    list_kind(req, KIND_NOTEBOOK);
}

/* ---- one ---- */

static void show(struct api_call *call, const struct workload *w)
{
    reply_workload(call, w, 200);
}

static void stopped(void *arg, int rc, uint64_t id, const struct err *err)
{
    struct api_call *call = arg;
    const struct workload *w = control_find(call->api->cfg.control, (struct workload_id){id});
    if (rc < 0)
        api_fail(call, err);
    else if (w)
        reply_workload(call, w, 202);
    else
        api_reply_empty(call, 204);
}

static void stop(struct api_call *call, const struct workload *w)
{
    struct err err = {0};
    int64_t grace = -1;
    const char *text = api_query(call, "grace");
    if (text && units_parse_duration(text, &grace, &err) < 0) {
        err_at(&err, "grace", 0, 0);
        api_fail(call, &err);
        return;
    }
    control_stop(call->api->cfg.control, w->id, END_STOPPED, grace, call->who.user, stopped, call);
}

static void suspend(struct api_call *call, const struct workload *w)
{
    control_suspend(call->api->cfg.control, w->id, true, call->who.user, stopped, call);
}

static void resume(struct api_call *call, const struct workload *w)
{
    control_suspend(call->api->cfg.control, w->id, false, call->who.user, stopped, call);
}

/* The kind a path speaks of: /api/v1/jobs/… */
static int path_kind(const struct api_call *call)
{
    if (str_has_prefix(call->route->pattern, "/api/v1/jobs"))
        return KIND_JOB;
    return str_has_prefix(call->route->pattern, "/api/v1/notebooks") ? KIND_NOTEBOOK : -1;
}

#define ONE(name, verb, fn)                                                 \
    static void name(struct http_request *req, void *arg)                   \
    {                                                                       \
        struct api_call *call = api_call(req);                              \
        (void)arg;                                                          \
        api_with_workload(call, req->params[0], path_kind(call), verb, fn); \
    }
ONE(show_one, AUTH_VIEW, show)
ONE(stop_one, AUTH_CHANGE, stop)
ONE(suspend_one, AUTH_CHANGE, suspend)
ONE(resume_one, AUTH_CHANGE, resume)

static const struct http_param list_query[] = {
    {"project", "only of this project", "string"},
    {"kind", "only of this kind", "string"},
    {"state", "only in this state", "string"},
    {"mine", "only the asker's own", "boolean"},
    {"limit", "at most so many, 1000 at most", "integer"},
    {"cursor", "goes on behind the page that gave it as next", "string"},
    {NULL, NULL, NULL},
};
static const struct http_param submit_query[] = {
    {"dry_run", "only say where and when it would start", "boolean"}, {NULL, NULL, NULL}};
static const struct http_param stop_query[] = {
    {"grace", "time between SIGTERM and SIGKILL, like 30s", "duration"}, {NULL, NULL, NULL}};

#define VIEWS(plural, list_fn, submit_fn, word)                                              \
    {"GET",      "/api/v1/" plural,                                                          \
     list_fn,    ACCESS_USER,                                                                \
     NULL,       NULL,                                                                       \
     true,       "List " word ", newest first",                                              \
     list_query, 0},                                                                         \
        {"POST", "/api/v1/" plural, submit_fn,    ACCESS_USER, &spec_table, NULL,            \
         false,  "Submit",          submit_query, 201},                                      \
        {"GET",    "/api/v1/" plural "/:id",                                                 \
         show_one, ACCESS_USER,                                                              \
         NULL,     NULL,                                                                     \
         false,    "Show one, by id or name",                                                \
         NULL,     0},                                                                       \
        {"POST",     "/api/v1/" plural "/:id/stop",                                          \
         stop_one,   ACCESS_USER,                                                            \
         NULL,       NULL,                                                                   \
         false,      "Stop: SIGTERM, then SIGKILL after the grace",                          \
         stop_query, 202},                                                                   \
        {"POST", "/api/v1/" plural "/:id/suspend", suspend_one, ACCESS_USER, NULL, NULL,     \
         false,  "Freeze all its processes",       NULL,        202},                        \
    {                                                                                        \
        "POST", "/api/v1/" plural "/:id/resume", resume_one, ACCESS_USER, NULL, NULL, false, \
            "Let it go on", NULL, 202                                                        \
    }

const struct http_route api_workload_routes[] = {
    VIEWS("workloads", list_any, submit_any, "workloads of all kinds"),
    VIEWS("jobs", list_jobs, submit_job, "jobs"),
    VIEWS("notebooks", list_notebooks, submit_notebook, "notebooks"),
};
const size_t api_workload_route_count = ARRAY_LEN(api_workload_routes);
