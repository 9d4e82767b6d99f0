/*
 * submit: from a decoded spec to a durable, queued workload; stopping and suspending it.
 */
#include "control/state.h"
#include <stdio.h>
#include <string.h>
#include "base/alloc.h"
#include "base/str.h"

struct admission {
    struct project_id project;
    struct user_id owner;
};

static int refuse_when_unwell(const struct control *c, struct err *err)
{
    if (store_is_full(c->cfg.store)) {
        err_set(err, BERR_NO_SPACE, "the disk of the data directory is full");
        return err_hint(err, "reading still works; free some space and try again");
    }
    if (c->live_count >= LIMIT_WORKLOADS_WAITING || c->commits_pending >= LIMIT_STORE_PENDING / 2)
        return err_set(err, BERR_BUSY, "too many workloads are waiting already (%zu)",
                       c->live_count);
    return 0;
}

/* What the largest node has, for requests that no node could ever hold. */
static int check_possible(const struct control *c, const struct control_submit *req,
                          struct err *err)
{
    int64_t cpu = 0;
    uint64_t memory = 0;
    uint32_t gpus = 0;
    for (size_t i = 0; i < c->nodes.len; i++) {
        const struct node *n = &c->nodes.items[i]->node;
        cpu = n->cpu_milli > cpu ? n->cpu_milli : cpu;
        memory = n->memory_bytes > memory ? n->memory_bytes : memory;
        gpus = n->gpu_count > gpus ? n->gpu_count : gpus;
    }
    if (c->nodes.len == 0)
        return 0; /* no node has been heard of yet: it waits */
    for (size_t r = 0; r < req->spec->roles.len; r++) {
        const char *name = NULL;
        const struct role_spec *role = spec_role(req->spec, r, &name);
        char asked[UNITS_TEXT_MAX], has[UNITS_TEXT_MAX], field[ERR_FIELD_MAX];
        int64_t whole = (role->gpu.milli + 999) / 1000;
        if (role->cpu_milli > cpu) {
            snprintf(field, sizeof(field), "roles.%s.cpu", name);
            err_set(err, BERR_INVALID, "a task asks for %s cores, the largest node has %s",
                    units_format_cpu(asked, role->cpu_milli), units_format_cpu(has, cpu));
        } else if (role->memory_bytes > memory) {
            snprintf(field, sizeof(field), "roles.%s.memory", name);
            err_set(err, BERR_INVALID, "a task asks for %s of memory, the largest node has %s",
                    units_format_bytes(asked, role->memory_bytes), units_human_bytes(has, memory));
        } else if (whole > (int64_t)gpus) {
            snprintf(field, sizeof(field), "roles.%s.gpu", name);
            err_set(err, BERR_INVALID, "a task asks for %lld GPUs, the largest node has %u",
                    (long long)whole, gpus);
        } else {
            continue;
        }
        err_hint(err, "ask for less, or see `berth node ls` for what there is");
        return err_at(err, field, 0, 0);
    }
    return 0;
}

/* The project named, or the only one that the user may work in. */
static int resolve_project(const struct control *c, const struct control_submit *req,
                           struct project_id *ret, struct err *err)
{
    const char *name = req->spec->project;
    if (name) {
        const struct project *p = auth_find_project_name(c->cfg.auth, name);
        struct auth_target target = {.kind = AUTH_KIND_PROJECT,
                                     .project = p ? p->id : (struct project_id){0}};
        if (!p || auth_check(c->cfg.auth, req->who, AUTH_VIEW, &target, NULL) < 0) {
            err_set(err, BERR_INVALID, "there is no project \"%s\", or you are not in it", name);
            err_hint(err, "see `berth project ls`");
            return err_at(err, "project", 0, 0);
        }
        *ret = p->id;
        return 0;
    }
    struct member m;
    size_t count = 0;
    for (size_t i = 0; auth_next_member(c->cfg.auth, &i, &m);)
        if (m.user.v == req->who->user.v && m.role >= ROLE_EDITOR) {
            *ret = m.project;
            count++;
        }
    if (count == 1)
        return 0;
    err_set(err, BERR_INVALID,
            count ? "you are in %zu projects: say which with project" : "you are in no project yet",
            count);
    err_hint(err, count ? "see `berth project ls`"
                        : "an admin adds you with `berth project member PROJECT USER editor`");
    return err_at(err, "project", 0, 0);
}

static int admit(struct control *c, const struct control_submit *req, struct admission *ret,
                 struct err *err)
{
    int rc = refuse_when_unwell(c, err);
    if (rc < 0)
        return rc;
    rc = spec_validate(req->spec, req->doc, err);
    if (rc < 0)
        return rc;
    rc = resolve_project(c, req, &ret->project, err);
    if (rc < 0)
        return rc;
    struct auth_target target = {
        .kind = AUTH_KIND_WORKLOAD, .project = ret->project, .owner = req->who->user};
    rc = auth_check(c->cfg.auth, req->who, AUTH_CREATE, &target, err);
    if (rc < 0)
        return rc;
    ret->owner = req->who->user;
    if (!req->spec->image) {
        err_set(err, BERR_INVALID, "an image is needed");
        err_hint(err, "see `berth image ls`, or make one with `berth image build`");
        return err_at(err, "image", 0, 0);
    }
    if (!c->cfg.hooks.image_find(c->cfg.hooks.arg, req->spec->image, err)) {
        err_hint(err, "see `berth image ls`, or make it with `berth image build`");
        err->code = BERR_INVALID;
        return err_at(err, "image", 0, 0);
    }
    if (req->spec->code && !c->cfg.hooks.code_exists(c->cfg.hooks.arg, req->spec->code)) {
        err_set(err, BERR_INVALID, "the code %.20s… was not sent completely", req->spec->code);
        return err_at(err, "code", 0, 0);
    }
    return check_possible(c, req, err);
}

static struct workload_id new_id(struct control *c)
{
    struct workload_id id;
    do
        id.v = id_from_random(c->cfg.random(c->cfg.random_arg));
    while (item_find(c, id));
    return id;
}

/* The home of the owner, made when it is needed first. */
static int ensure_home(struct control *c, struct txn *t, struct user_id owner, struct err *err)
{
    if (map_get_u64(&c->homes, owner.v))
        return 0;
    struct volume_row *home = mem_calloc(1, sizeof(*home));
    if (!home)
        return err_set(err, BERR_NOMEM, "out of memory");
    home->id.v = id_from_random(c->cfg.random(c->cfg.random_arg));
    home->owner = owner;
    str_copy(home->name, sizeof(home->name), "home");
    home->size_bytes = c->cfg.home_bytes;
    home->created_ms = control_wall(c);
    home->version = 1;
    if (map_put_u64(&c->volumes, home->id.v, home) < 0) {
        mem_free(home);
        return err_set(err, BERR_NOMEM, "out of memory");
    }
    if (map_put_u64(&c->homes, owner.v, home) < 0) {
        map_remove_u64(&c->volumes, home->id.v);
        mem_free(home);
        return err_set(err, BERR_NOMEM, "out of memory");
    }
    store_put_volume(txn_batch(t), home);
    txn_event_about(t, "volume.created", "volume", home->id.v, 0, owner, "home volume made");
    return 0;
}

/* Fills a new item from the request; the arena of the item owns the copy. */
static int fill_item(struct control *c, struct item *it, const struct control_submit *req,
                     const struct admission *adm, struct err *err)
{
    struct workload *w = &it->w;
    struct workload_spec *spec = spec_copy(req->spec, &w->arena);
    char id[ID_TEXT_SIZE];
    if (!spec)
        return err_set(err, BERR_NOMEM, "out of memory");
    w->spec = spec;
    w->project = adm->project;
    w->owner = adm->owner;
    w->state = STATE_QUEUED;
    w->desired = DESIRED_RUN;
    w->submitted_ms = w->state_since_ms = control_wall(c);
    it->mono_since_ms = control_mono(c);
    if (!spec->name)
        spec->name = arena_printf(&w->arena, "%s-%s", workload_kind_names[spec->kind],
                                  id_format(id, w->id.v));
    const struct project *project = map_get_u64(&c->projects, adm->project.v);
    if (project)
        spec->project = arena_strdup(&w->arena, project->name);
    if (!spec->name || !spec->project)
        return err_set(err, BERR_NOMEM, "out of memory");
    int rc = c->cfg.hooks.prepare(c->cfg.hooks.arg, w, spec, &w->arena, err);
    if (rc < 0)
        return rc;
    str_copy(w->reason, sizeof(w->reason), "just submitted");
    return item_make_shape(c, it, err);
}

/* ---- idempotency ---- */

const char *idempotency_name(char dst[192], struct user_id user, const char *key)
{
    char id[ID_TEXT_SIZE];
    snprintf(dst, 192, "%s/%.128s", id_format(id, user.v), key);
    return dst;
}

static int remember_key(struct control *c, struct txn *t, const struct control_submit *req,
                        uint64_t made, struct err *err)
{
    char name[192];
    struct idempotency_row *row = mem_calloc(1, sizeof(*row));
    if (!row || map_put(&c->idempotency,
                        idempotency_name(name, req->who->user, req->idempotency_key), row) < 0) {
        mem_free(row);
        return err_set(err, BERR_NOMEM, "out of memory");
    }
    row->user = req->who->user;
    str_copy(row->key, sizeof(row->key), req->idempotency_key);
    row->made = made;
    row->time_ms = control_wall(c);
    store_put_idempotency(txn_batch(t), row);
    return 0;
}

struct repeat {
    control_done_fn *done;
    void *arg;
    uint64_t id;
};

static void repeat_done(void *arg, int rc, const struct err *err)
{
    struct repeat *r = arg;
    r->done(r->arg, rc, r->id, err);
    mem_free(r);
}

/* A repeated key answers what it made, once that is durable. */
static bool answer_repeat(struct control *c, const struct control_submit *req,
                          control_done_fn *done, void *arg)
{
    char name[192];
    if (!req->idempotency_key)
        return false;
    const struct idempotency_row *row =
        map_get(&c->idempotency, idempotency_name(name, req->who->user, req->idempotency_key));
    struct repeat *r = row ? mem_alloc(sizeof(*r)) : NULL;
    if (!r)
        return false;
    *r = (struct repeat){.done = done, .arg = arg, .id = row->made};
    control_barrier(c, repeat_done, r);
    return true;
}

void control_submit(struct control *c, const struct control_submit *req, control_done_fn *done,
                    void *arg)
{
    struct err err = {0};
    struct admission adm = {0};
    if (answer_repeat(c, req, done, arg))
        return;
    int rc = admit(c, req, &adm, &err);
    struct item *it = rc == 0 ? item_new(c, new_id(c)) : NULL;
    struct txn *t = it ? txn_begin(c) : NULL;
    if (rc == 0 && !t)
        rc = err_set(&err, BERR_NOMEM, "out of memory");
    if (rc == 0)
        rc = fill_item(c, it, req, &adm, &err);
    if (rc == 0)
        rc = ensure_home(c, t, adm.owner, &err);
    if (rc == 0 && req->idempotency_key)
        rc = remember_key(c, t, req, it->w.id.v, &err);
    if (rc < 0) {
        if (it)
            item_remove(c, it);
        if (t)
            txn_cancel(t);
        done(arg, rc, 0, &err);
        return;
    }
    c->counts.submitted++;
    txn_touch(t, it, false);
    txn_event(t, "workload.submitted", it, adm.owner, NULL, "%s %s submitted",
              workload_kind_names[it->w.spec->kind], it->w.spec->name);
    txn_commit(t, done, arg, it->w.id.v);
    c->pass_wanted = true;
    control_wake(c);
}

int control_dry_run(struct control *c, const struct control_submit *req, struct buf *out,
                    struct err *err)
{
    struct admission adm = {0};
    int rc = admit(c, req, &adm, err);
    if (rc < 0)
        return rc;
    struct item probe = {0};
    arena_init(&probe.w.arena, 4u << 20);
    probe.w.id.v = 1;
    probe.w.spec = req->spec;
    probe.w.submitted_ms = control_wall(c);
    struct arena a = ARENA(256u << 20);
    struct sched_input in;
    struct sched_plan plan = {0};
    struct item **waiting, **running;
    rc = item_make_shape(c, &probe, err);
    if (rc == 0)
        rc = pass_snapshot(c, &a, &probe, &in, &waiting, &running, err);
    if (rc == 0)
        rc = sched_run(&in, &a, &plan, err);
    if (rc == 0)
        dry_run_print(&in, &plan, out);
    arena_done(&a);
    arena_done(&probe.w.arena);
    return rc;
}

/* ---- stop, suspend ---- */

void control_stop(struct control *c, struct workload_id id, enum end_reason why, int64_t grace_ms,
                  struct user_id actor, control_done_fn *done, void *arg)
{
    struct err err = {0};
    struct item *it = item_find(c, id);
    struct txn *t = NULL;
    int rc = 0;
    if (!it)
        rc = err_set(&err, BERR_NOT_FOUND, "there is no such workload");
    else if (workload_state_is_final(it->w.state))
        rc = err_set(&err, BERR_CONFLICT, "%s has ended already (%s)", it->w.spec->name,
                     workload_state_names[it->w.state]);
    else if (!(t = txn_begin(c)))
        rc = err_set(&err, BERR_NOMEM, "out of memory");
    if (rc < 0) {
        done(arg, rc, 0, &err);
        return;
    }
    const struct user *user = auth_find_user(c->cfg.auth, actor);
    char words[128];
    snprintf(words, sizeof(words), "stopped by %s", user ? user->name : "berth");
    life_stop(t, it, why, grace_ms, actor, words);
    txn_commit(t, done, arg, id.v);
}

void control_suspend(struct control *c, struct workload_id id, bool suspend, struct user_id actor,
                     control_done_fn *done, void *arg)
{
    struct err err = {0};
    struct item *it = item_find(c, id);
    struct txn *t = NULL;
    struct site *s = it && it->w.attempt ? control_site(c, it->w.attempt->site) : NULL;
    enum workload_state needs = suspend ? STATE_RUNNING : STATE_SUSPENDED;
    int rc = 0;
    if (!it)
        rc = err_set(&err, BERR_NOT_FOUND, "there is no such workload");
    else if (it->w.state != needs || !s)
        rc = err_set(&err, BERR_CONFLICT, "%s is %s, and only %s ones can be %s", it->w.spec->name,
                     workload_state_names[it->w.state], workload_state_names[needs],
                     suspend ? "suspended" : "resumed");
    else if (!(s->ops->abilities & ENGINE_CAN_SUSPEND))
        rc = engine_unsupported(s->ops->name, ENGINE_BIT_SUSPEND, &err);
    else if (!(t = txn_begin(c)))
        rc = err_set(&err, BERR_NOMEM, "out of memory");
    if (rc < 0) {
        done(arg, rc, 0, &err);
        return;
    }
    it->w.desired = suspend ? DESIRED_SUSPEND : DESIRED_RUN;
    txn_event(t, "workload.desired", it, actor, NULL, "%s is to %s", it->w.spec->name,
              suspend ? "be suspended" : "run again");
    txn_touch(t, it, false);
    txn_commit(t, done, arg, id.v);
}
