/*
 * find: workloads by id or name, in memory or in the store, for those who may see them.
 */
#include <string.h>
#include "api/call.h"
#include "base/alloc.h"
#include "base/str.h"

struct search {
    struct api_call *call;
    api_workload_fn *fn;
    enum auth_verb verb;
    int kind;
    const char *text;
};

static void not_found(const struct search *s)
{
    struct err err = {0};
    const char *what = s->kind >= 0 ? workload_kind_names[s->kind] : "workload";
    err_set(&err, BERR_NOT_FOUND, "there is no %s %s", what, s->text);
    if (s->kind >= 0)
        err_hint(&err, "see `berth %s ls`", what);
    else
        err_hint(&err, "see `berth status`");
    api_fail(s->call, &err);
}

static void give(const struct search *s, const struct workload *w)
{
    struct err err = {0};
    struct auth_target target = {
        .kind = AUTH_KIND_WORKLOAD, .project = w->project, .owner = w->owner, .id = w->id.v};
    if (s->kind >= 0 && w->spec->kind != s->kind) {
        not_found(s);
        return;
    }
    int rc = auth_check(s->call->api->cfg.auth, &s->call->who, s->verb, &target, &err);
    if (rc == -(int)BERR_NOT_FOUND)
        not_found(s); /* the same words as for what does not exist */
    else if (rc < 0)
        api_fail(s->call, &err);
    else
        s->fn(s->call, w);
}

const struct workload *api_thaw_workload(struct api_call *call, const struct workload *w,
                                         const char *spec_json, const struct attempt *a)
{
    struct arena *arena = &call->req->arena;
    struct workload *copy = arena_copy(arena, w, sizeof(*w));
    struct workload_spec *spec = arena_alloc(arena, sizeof(*spec));
    struct js_doc *doc = NULL;
    if (!copy || !spec || js_parse_json(spec_json, strlen(spec_json), &doc, NULL) < 0)
        return NULL;
    spec_defaults(spec);
    int rc = js_decode_own(doc, js_root(doc), &spec_table, arena, spec, NULL);
    js_doc_free(doc);
    copy->spec = spec;
    copy->attempt = NULL;
    if (rc == 0 && a) {
        copy->attempt = arena_copy(arena, a, sizeof(*a));
        struct task *tasks = arena_copy(arena, a->tasks, a->task_count * sizeof(*tasks));
        if (!copy->attempt || !tasks)
            return NULL;
        copy->attempt->tasks = tasks;
    }
    return rc == 0 ? copy : NULL;
}

static void on_stored(void *arg, int rc, const struct store_workload_page *page,
                      const struct err *err)
{
    struct search *s = arg;
    const struct workload *w = NULL;
    if (rc < 0) {
        api_fail(s->call, err);
        return;
    }
    if (page->count)
        w = api_thaw_workload(s->call, page->rows[0].w, page->rows[0].spec_json, page->rows[0].a);
    if (w)
        give(s, w);
    else
        not_found(s);
}

/* The newest of that name in the projects that the asker is in. */
static const struct workload *by_name(struct api_call *call, const char *name)
{
    const struct auth *auth = call->api->cfg.auth;
    const struct workload *best = NULL;
    const struct project *p;
    for (size_t i = 0; (p = auth_next_project(auth, &i));) {
        struct auth_target target = {.kind = AUTH_KIND_PROJECT, .project = p->id, .id = p->id.v};
        if (auth_check(auth, &call->who, AUTH_VIEW, &target, NULL) < 0)
            continue;
        const struct workload *w = control_find_name(call->api->cfg.control, p->id, name);
        if (w && (!best || w->submitted_ms > best->submitted_ms))
            best = w;
    }
    return best;
}

static void look(void *arg, int rc, const struct err *err)
{
    struct search *s = arg;
    struct workload_id id;
    if (rc < 0) {
        api_fail(s->call, err);
        return;
    }
    bool is_id = id_parse(s->text, &id.v);
    const struct workload *w = is_id ? control_find(s->call->api->cfg.control, id) : NULL;
    if (!w)
        w = by_name(s->call, s->text);
    if (w)
        give(s, w);
    else if (is_id)
        store_get_workload(s->call->api->cfg.store, id, on_stored, s);
    else
        not_found(s);
}

void api_with_workload(struct api_call *call, const char *id_or_name, int kind, enum auth_verb verb,
                       api_workload_fn *fn)
{
    struct search *s = arena_alloc(&call->req->arena, sizeof(*s));
    if (!s) {
        struct err err = {0};
        err_set(&err, BERR_NOMEM, "out of memory");
        api_fail(call, &err);
        return;
    }
    *s = (struct search){.call = call, .fn = fn, .verb = verb, .kind = kind, .text = id_or_name};
    /* Nobody is shown what is not durable. */
    control_barrier(call->api->cfg.control, look, s);
}
