/*
 * load: from the store's rows to live state. Starting is recovering: what was durable is here
 * again; what the engines hold is compared with it when they have listed (observe.c).
 */
#include "control/state.h"
#include <string.h>
#include "base/alloc.h"
#include "base/log.h"
#include "base/str.h"

struct loader {
    struct control *c;
    const struct store_visitor *others;
    struct item *last;
    struct err err;
};

static int load_setting(void *arg, const char *name, const char *value)
{
    struct loader *l = arg;
    char *copy = mem_strdup(value);
    if (!copy || map_put(&l->c->settings, name, copy) < 0) {
        mem_free(copy);
        return -BERR_NOMEM;
    }
    return l->others->setting ? l->others->setting(l->others->arg, name, value) : 0;
}

static int load_user(void *arg, const struct user *u)
{
    struct loader *l = arg;
    return auth_put_user(l->c->cfg.auth, u, &l->err);
}

static int load_token(void *arg, const struct token *t)
{
    struct loader *l = arg;
    return auth_put_token(l->c->cfg.auth, t, &l->err);
}

static int load_project(void *arg, const struct project *p)
{
    struct loader *l = arg;
    struct project *copy = mem_alloc(sizeof(*copy));
    if (!copy)
        return -BERR_NOMEM;
    *copy = *p;
    if (map_put_u64(&l->c->projects, p->id.v, copy) < 0) {
        mem_free(copy);
        return -BERR_NOMEM;
    }
    return auth_put_project(l->c->cfg.auth, p, &l->err);
}

static int load_member(void *arg, const struct member *m)
{
    struct loader *l = arg;
    return auth_put_member(l->c->cfg.auth, m, &l->err);
}

static int load_volume(void *arg, const struct volume_row *v)
{
    struct loader *l = arg;
    struct volume_row *copy = mem_alloc(sizeof(*copy));
    if (!copy)
        return -BERR_NOMEM;
    *copy = *v;
    if (map_put_u64(&l->c->volumes, v->id.v, copy) < 0) {
        mem_free(copy);
        return -BERR_NOMEM;
    }
    if (str_is_equal(v->name, "home") && v->project.v == 0)
        return map_put_u64(&l->c->homes, v->owner.v, copy);
    return 0;
}

static int load_image(void *arg, const struct image *i)
{
    struct loader *l = arg;
    return l->others->image ? l->others->image(l->others->arg, i) : 0;
}

static int load_workload(void *arg, const struct workload *w, const char *spec_json)
{
    struct loader *l = arg;
    struct control *c = l->c;
    struct js_doc *doc = NULL;
    l->last = NULL;
    struct item *it = item_new(c, w->id);
    if (!it)
        return -BERR_NOMEM;
    struct arena arena = it->w.arena;
    it->w = *w;
    it->w.arena = arena;
    it->w.attempt = NULL;
    struct workload_spec *spec = arena_alloc(&it->w.arena, sizeof(*spec));
    int rc = spec ? js_parse_json(spec_json, strlen(spec_json), &doc, &l->err) : -BERR_NOMEM;
    if (rc == 0) {
        spec_defaults(spec);
        rc = js_decode_own(doc, js_root(doc), &spec_table, &it->w.arena, spec, &l->err);
    }
    js_doc_free(doc);
    it->w.spec = spec;
    if (rc == 0)
        rc = item_make_shape(c, it, &l->err);
    if (rc < 0) {
        item_remove(c, it);
        return rc;
    }
    it->committed_version = it->w.version;
    int64_t gone_by = control_wall(c) - it->w.state_since_ms;
    it->mono_since_ms = it->mono_progress_ms = control_mono(c) - (gone_by > 0 ? gone_by : 0);
    if (it->w.started_ms) {
        int64_t ran = control_wall(c) - it->w.started_ms;
        it->mono_started_ms = control_mono(c) - (ran > 0 ? ran : 0);
    }
    if (it->w.state == STATE_PREPARING || it->w.state == STATE_STARTING)
        it->mono_since_ms = it->mono_progress_ms = control_mono(c);
    if (it->w.state == STATE_STOPPING) {
        it->grace_ms = spec->grace_ms;
        it->kill_at_ms = control_mono(c) + it->grace_ms;
    }
    l->last = it;
    return 0;
}

static int load_attempt(void *arg, const struct attempt *a)
{
    struct loader *l = arg;
    struct item *it = l->last;
    if (!it || it->w.id.v != a->key.workload.v)
        return 0;
    struct attempt *copy = item_new_attempt(it, a->task_count);
    if (!copy)
        return -BERR_NOMEM;
    struct task *tasks = copy->tasks;
    *copy = *a;
    copy->tasks = tasks;
    memcpy(tasks, a->tasks, a->task_count * sizeof(*tasks));
    return 0;
}

static int load_idempotency(void *arg, const struct idempotency_row *r)
{
    struct loader *l = arg;
    struct idempotency_row *copy = mem_alloc(sizeof(*copy));
    char name[192];
    if (!copy)
        return -BERR_NOMEM;
    *copy = *r;
    if (map_put(&l->c->idempotency, idempotency_name(name, r->user, r->key), copy) < 0) {
        mem_free(copy);
        return -BERR_NOMEM;
    }
    return 0;
}

/* Final ones move to the ended list; images in use are held; deadlines are set. */
static void settle(struct control *c)
{
    struct item *next;
    for (struct item *it = c->live_head; it; it = next) {
        next = it->next;
        if (workload_state_is_final(it->w.state)) {
            it->forgotten = true;
            item_retire(c, it);
            continue;
        }
        struct attempt *a = it->w.attempt;
        if (a && !a->gone && a->key.fence > c->fence)
            c->fence = a->key.fence;
        const struct image *image =
            a && !a->gone ? c->cfg.hooks.image_find(c->cfg.hooks.arg, it->w.spec->image, NULL)
                          : NULL;
        if (image) {
            it->image_id = image->id;
            c->cfg.hooks.image_use(c->cfg.hooks.arg, image->id, it->w.id, true);
        }
        deadline_arm(c, it);
        c->cfg.hooks.changed(c->cfg.hooks.arg, &it->w);
    }
}

int control_load(struct control *c, const struct store_visitor *others, struct err *err)
{
    struct loader l = {.c = c, .others = others};
    struct store_visitor v = {
        .arg = &l,
        .setting = load_setting,
        .user = load_user,
        .token = load_token,
        .project = load_project,
        .member = load_member,
        .volume = load_volume,
        .image = load_image,
        .workload = load_workload,
        .attempt = load_attempt,
        .idempotency = load_idempotency,
    };
    struct store_heads heads = {0};
    int64_t recent = control_wall(c) - CONTROL_RECENT_MS;
    int rc = store_load(c->cfg.store, recent, &v, &heads, err);
    if (rc < 0) {
        if (l.err.code && err)
            *err = l.err;
        return err_wrap(err, rc, "loading the state");
    }
    c->event_seq = c->event_durable = heads.event_seq;
    c->fence = heads.fence;
    settle(c);
    log_info("state loaded", NULL);
    return 0;
}
