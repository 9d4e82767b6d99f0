/*
 * pass: one round of scheduling. Takes the picture of the moment as a sched_input, asks sched, and
 * carries out what the ledger still allows; a proposal that the ledger refuses leads to another
 * pass.
 */
#include "control/state.h"
#include <stdio.h>
#include <string.h>
#include "base/log.h"
#include "base/str.h"

struct snapshot {
    struct control *c;
    struct arena *a;
    struct sched_input *in;
    const char **models;
    uint32_t model_count;
    const char **sites;
};

/* ---- numbers for names ---- */

/* Driver names like "NVIDIA A100-SXM4-40GB" are asked for as "A100": a whole word of it, any case. */
static bool model_matches(const char *asked, const char *model)
{
    size_t len = strlen(asked);
    for (const char *at = model; *at; at++) {
        bool starts =
            at == model || !((at[-1] >= 'a' && at[-1] <= 'z') || (at[-1] >= 'A' && at[-1] <= 'Z') ||
                             (at[-1] >= '0' && at[-1] <= '9'));
        char end = at[len < strlen(at) ? len : strlen(at)];
        bool ends = !((end >= 'a' && end <= 'z') || (end >= 'A' && end <= 'Z') ||
                      (end >= '0' && end <= '9'));
        char word[64];
        if (!starts || !ends || len >= sizeof(word) || strlen(at) < len)
            continue;
        memcpy(word, at, len);
        word[len] = '\0';
        if (str_is_equal_ci(word, asked))
            return true;
    }
    return false;
}

static uint32_t model_number(struct snapshot *s, const char *model)
{
    for (uint32_t i = 0; i < s->model_count; i++)
        if (str_is_equal(s->models[i], model))
            return i;
    s->models[s->model_count] = model;
    return s->model_count++;
}

static uint32_t level_number(const struct control *c, size_t upto, bool room, const char *name)
{
    if (!name[0])
        return SCHED_NONE;
    for (size_t i = 0; i <= upto; i++) {
        const struct node *n = &c->nodes.items[i]->node;
        if (str_is_equal(room ? n->room : n->rack, name))
            return (uint32_t)i;
    }
    return SCHED_NONE;
}

/* ---- nodes ---- */

static int take_gpus(struct snapshot *s, const struct node_entry *n, struct sched_node *out)
{
    struct sched_gpu *gpus =
        arena_array(s->a, n->node.gpu_count ? n->node.gpu_count : 1, sizeof(*gpus));
    if (!gpus)
        return -BERR_NOMEM;
    for (uint32_t g = 0; g < n->node.gpu_count; g++) {
        const struct gpu *gpu = &n->node.gpus[g];
        gpus[g] = (struct sched_gpu){
            .index = (uint16_t)g,
            .link_group = gpu->link_group,
            .numa = gpu->numa,
            .usable = gpu->healthy && !gpu->quarantine[0],
            .used_milli = n->use.gpu_used_milli[g],
        };
    }
    out->gpus = gpus;
    out->gpu_count = n->node.gpu_count;
    out->model = n->node.gpu_count ? model_number(s, n->node.gpus[0].model) : SCHED_NONE;
    out->gpu_memory_bytes = n->node.gpu_count ? n->node.gpus[0].memory_bytes : 0;
    return 0;
}

static int take_nodes(struct snapshot *s)
{
    struct control *c = s->c;
    size_t count = c->nodes.len;
    struct sched_node *nodes = arena_array(s->a, count + 1, sizeof(*nodes));
    s->models = arena_array(s->a, count + 1, sizeof(*s->models));
    s->sites = arena_array(s->a, c->site_count + 1, sizeof(*s->sites));
    if (!nodes || !s->models || !s->sites)
        return -BERR_NOMEM;
    for (size_t i = 0; i < c->site_count; i++)
        s->sites[i] = c->sites[i].name;
    for (size_t i = 0; i < count; i++) {
        const struct node_entry *n = c->nodes.items[i];
        nodes[i] = (struct sched_node){
            .id = (uint32_t)i,
            .name = n->node.name,
            .usable = n->node.ready && !n->drained && n->site->listed,
            .cpu_milli = n->node.cpu_milli,
            .cpu_used_milli = n->use.cpu_milli,
            .memory_bytes = n->node.memory_bytes,
            .memory_used_bytes = n->use.memory_bytes,
            .disk_bytes = n->node.disk_bytes,
            .disk_used_bytes = n->use.disk_bytes,
            .level = {(uint32_t)i, level_number(c, i, false, n->node.rack),
                      level_number(c, i, true, n->node.room), (uint32_t)(n->site - c->sites)},
            .pool = SCHED_NONE,
        };
        if (take_gpus(s, n, &nodes[i]) < 0)
            return -BERR_NOMEM;
    }
    s->in->nodes = nodes;
    s->in->node_count = (uint32_t)count;
    s->in->models = s->models;
    s->in->model_count = s->model_count;
    s->in->sites = s->sites;
    s->in->site_count = (uint32_t)c->site_count;
    return 0;
}

/* ---- workloads ---- */

/* The kept shape, with names of the moment resolved when it has any. */
static const struct sched_shape *take_shape(struct snapshot *s, const struct item *it)
{
    const struct workload_spec *spec = it->w.spec;
    bool plain = !spec->placement.node && !spec->placement.site;
    for (size_t r = 0; r < spec->roles.len && plain; r++)
        plain = spec_role(spec, r, NULL)->gpu.model == NULL;
    if (plain)
        return it->shape;
    struct sched_shape *shape = arena_copy(s->a, it->shape, sizeof(*shape));
    struct sched_role *roles = arena_copy(s->a, it->shape->roles, spec->roles.len * sizeof(*roles));
    if (!shape || !roles)
        return NULL;
    for (size_t r = 0; r < spec->roles.len; r++) {
        const char *asked = spec_role(spec, r, NULL)->gpu.model;
        if (!asked)
            continue;
        uint32_t *models = arena_array(s->a, s->model_count + 1, sizeof(*models));
        if (!models)
            return NULL;
        for (uint32_t m = 0; m < s->model_count; m++)
            if (model_matches(asked, s->models[m]))
                models[roles[r].model_count++] = m;
        if (roles[r].model_count == 0) /* a model that nobody has: matches nothing */
            models[roles[r].model_count++] = SCHED_NONE;
        roles[r].models = models;
    }
    shape->roles = roles;
    if (spec->placement.node) {
        shape->node = s->in->node_count;
        for (uint32_t i = 0; i < s->in->node_count; i++)
            if (str_is_equal(s->in->nodes[i].name, spec->placement.node))
                shape->node = i;
    }
    for (uint32_t i = 0; spec->placement.site && i < s->in->site_count; i++)
        if (str_is_equal(s->sites[i], spec->placement.site))
            shape->site = i;
    return shape;
}

static int32_t clamp_priority(int64_t p)
{
    return p > 1000 ? 1000 : p < -1000 ? -1000 : (int32_t)p;
}

static int take_waiting(struct snapshot *s, const struct item *it, struct sched_waiting *out)
{
    *out = (struct sched_waiting){
        .id = it->w.id.v,
        .priority = clamp_priority(it->w.spec->priority),
        .shape = take_shape(s, it),
        .submitted_ms = it->w.submitted_ms,
        .not_before_ms = it->w.not_before_ms,
        .limit_ms = it->w.spec->time_limit_ms,
        .attempts = it->w.attempts,
        .array_count = 1,
    };
    return out->shape ? 0 : -BERR_NOMEM;
}

static int take_running(struct snapshot *s, const struct item *it, struct sched_running *out)
{
    const struct attempt *a = it->w.attempt;
    struct sched_slot *slots = arena_array(s->a, a->task_count, sizeof(*slots));
    if (!slots)
        return -BERR_NOMEM;
    uint32_t count = 0;
    for (uint32_t i = 0; i < a->task_count; i++) {
        const struct task *task = &a->tasks[i];
        int64_t milli = spec_role(it->w.spec, task->role, NULL)->gpu.milli;
        for (uint32_t n = 0; n < s->in->node_count; n++)
            if (str_is_equal(s->in->nodes[n].name, task->node)) {
                slots[count++] = (struct sched_slot){
                    .role = task->role,
                    .node = n,
                    .gpu_count = task->gpu_count,
                    .gpus = task->gpus,
                    .gpu_milli = milli >= 1000 ? 1000 : milli,
                };
                break;
            }
    }
    int64_t limit = it->w.spec->time_limit_ms;
    *out = (struct sched_running){
        .id = it->w.id.v,
        .priority = clamp_priority(it->w.spec->priority),
        .shape = it->shape,
        .slots = slots,
        .slot_count = count,
        .started_ms = a->placed_ms,
        .ends_by_ms = limit && it->w.started_ms ? it->w.started_ms + limit : 0,
        .preemptible = it->w.spec->preemptible,
    };
    return 0;
}

static bool may_start(struct control *c, const struct item *it)
{
    if (it->w.state != STATE_QUEUED || it->committed_version != it->w.version)
        return false;
    const struct image *image = c->cfg.hooks.image_find(c->cfg.hooks.arg, it->w.spec->image, NULL);
    return image && image->state == IMAGE_READY;
}

int pass_snapshot(struct control *c, struct arena *a, const struct item *extra,
                  struct sched_input *ret, struct item ***ret_waiting, struct item ***ret_running,
                  struct err *err)
{
    struct snapshot s = {.c = c, .a = a, .in = ret};
    *ret = (struct sched_input){.now_ms = control_wall(c), .policy = &c->cfg.policy};
    struct sched_waiting *waiting = arena_array(a, c->live_count + 1, sizeof(*waiting));
    struct sched_running *running = arena_array(a, c->live_count + 1, sizeof(*running));
    struct item **w_items = arena_array(a, c->live_count + 1, sizeof(*w_items));
    struct item **r_items = arena_array(a, c->live_count + 1, sizeof(*r_items));
    int rc = waiting && running && w_items && r_items ? take_nodes(&s) : -BERR_NOMEM;
    for (struct item *it = c->live_head; it && rc == 0; it = it->next) {
        if (it->w.attempt && !it->w.attempt->gone) {
            r_items[ret->running_count] = it;
            rc = take_running(&s, it, &running[ret->running_count++]);
        } else if (may_start(c, it)) {
            w_items[ret->waiting_count] = it;
            rc = take_waiting(&s, it, &waiting[ret->waiting_count++]);
        }
    }
    if (rc == 0 && extra) {
        w_items[ret->waiting_count] = NULL;
        rc = take_waiting(&s, extra, &waiting[ret->waiting_count++]);
    }
    if (rc < 0)
        return err_set(err, BERR_NOMEM, "out of memory while taking the scheduler's picture");
    ret->waiting = waiting;
    ret->running = running;
    *ret_waiting = w_items;
    *ret_running = r_items;
    return 0;
}

/* ---- acting ---- */

static int fill_attempt(struct control *c, struct item *it, const struct sched_input *in,
                        const struct sched_action *action)
{
    struct attempt *a = item_new_attempt(it, action->slot_count);
    if (!a)
        return -BERR_NOMEM;
    a->key = (struct attempt_key){
        .workload = it->w.id, .number = it->w.attempts + 1, .fence = ++c->fence};
    a->placed_ms = control_wall(c);
    uint32_t rank[LIMIT_ROLES] = {0};
    for (uint32_t i = 0; i < action->slot_count; i++) {
        const struct sched_slot *slot = &action->slots[i];
        struct task *task = &a->tasks[i];
        const struct sched_node *node = &in->nodes[slot->node];
        task->role = slot->role;
        task->rank = rank[slot->role]++;
        str_copy(task->node, sizeof(task->node), node->name);
        str_copy(a->site, sizeof(a->site), in->sites[node->level[3]]);
        task->gpu_count = slot->gpu_count;
        for (uint32_t g = 0; g < slot->gpu_count && g < ARRAY_LEN(task->gpus); g++)
            task->gpus[g] = slot->gpus[g];
    }
    return 0;
}

static void start_item(struct control *c, struct item *it, const struct sched_input *in,
                       const struct sched_action *action)
{
    struct err err = {0};
    struct txn *t = txn_begin(c);
    if (!t || fill_attempt(c, it, in, action) < 0 || ledger_take(t, it, &err) < 0) {
        /* The ledger knows better than the picture: look again. */
        if (it->w.attempt)
            it->w.attempt->gone = true;
        if (t)
            txn_commit(t, NULL, NULL, 0);
        c->pass_wanted = true;
        return;
    }
    it->w.attempts++;
    it->forgotten = it->ending = false;
    it->w.stop_reason = END_NONE;
    it->start_sent = it->start_seen = it->stop_sent = false;
    it->w.hold_code[0] = '\0';
    const struct attempt *a = it->w.attempt;
    char why[200];
    snprintf(why, sizeof(why), "placed on %s%s", a->tasks[0].node,
             a->task_count > 1 ? " and others" : "");
    life_apply(t, it, LIFE_PLACE, (struct user_id){0}, why);
    txn_commit(t, NULL, NULL, 0);
}

static void preempt_item(struct control *c, struct item *it, const char *why)
{
    struct txn *t = txn_begin(c);
    if (!t)
        return;
    life_stop(t, it, END_PREEMPTED, -1, (struct user_id){0}, why ? why : "makes room");
    txn_commit(t, NULL, NULL, 0);
}

static void act(struct control *c, const struct sched_input *in, const struct sched_plan *plan,
                struct item **waiting, struct item **running)
{
    for (uint32_t i = 0; i < plan->action_count; i++) {
        const struct sched_action *action = &plan->actions[i];
        switch (action->kind) {
        case SCHED_START:
            start_item(c, waiting[action->index], in, action);
            break;
        case SCHED_PREEMPT:
            preempt_item(c, running[action->index], action->why);
            break;
        case SCHED_SUSPEND:
        case SCHED_RESUME:
        case SCHED_GROW:
        case SCHED_SHRINK:
            break; /* the policy in force proposes none of these */
        }
    }
}

/* Reasons are told, not stored: they are made anew by every pass. */
static void hold_items(const struct sched_plan *plan, struct item **waiting)
{
    for (uint32_t i = 0; i < plan->hold_count; i++) {
        const struct sched_hold *hold = &plan->holds[i];
        struct item *it = waiting[hold->index];
        if (!it || it->w.state != STATE_QUEUED)
            continue;
        str_copy(it->w.reason, sizeof(it->w.reason), hold->reason);
        str_copy(it->w.hold_code, sizeof(it->w.hold_code), sched_hold_name(hold->code));
    }
}

static void hold_for_images(struct control *c)
{
    for (struct item *it = c->live_head; it; it = it->next) {
        if (it->w.state != STATE_QUEUED)
            continue;
        const struct image *image =
            c->cfg.hooks.image_find(c->cfg.hooks.arg, it->w.spec->image, NULL);
        if (image && image->state == IMAGE_READY)
            continue;
        str_copy(it->w.hold_code, sizeof(it->w.hold_code), "image");
        if (!image)
            snprintf(it->w.reason, sizeof(it->w.reason), "image %.100s is not here any more",
                     it->w.spec->image);
        else
            snprintf(it->w.reason, sizeof(it->w.reason), "image %.60s is %s: %.100s",
                     it->w.spec->image, image->state == IMAGE_MAKING ? "being made" : "not usable",
                     image->reason);
    }
}

void pass_run(struct control *c)
{
    struct sched_input in;
    struct sched_plan plan = {0};
    struct item **waiting, **running;
    struct err err = {0};
    c->pass_wanted = false;
    c->pass_wake_ms = 0;
    int rc = pass_snapshot(c, &c->pass_arena, NULL, &in, &waiting, &running, &err);
    if (rc == 0 && in.waiting_count > 0)
        rc = sched_run(&in, &c->pass_arena, &plan, &err);
    if (rc < 0) {
        log_err(LOG_ERROR, &err, "a scheduling pass failed", NULL);
        arena_reset(&c->pass_arena);
        return;
    }
    hold_items(&plan, waiting);
    hold_for_images(c);
    act(c, &in, &plan, waiting, running);
    c->pass_wake_ms = plan.wake_ms;
    arena_reset(&c->pass_arena);
}
