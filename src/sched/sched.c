/* One pass: check the input, put the waiting work in order, start what fits, explain the rest. */
#include "sched/pass.h"

#define WAKE_MS (60 * 1000)

void sched_policy_default(struct sched_policy *policy)
{
    *policy = (struct sched_policy){
        .order = SCHED_ORDER_FIFO,
        .skip = true,
        .preempt = false,
        .min_run_ms = 10 * 60 * 1000,
        .preempt_cost_ms = 60 * 1000,
        .half_life_ms = 7ll * 24 * 3600 * 1000,
        .gpu_cpu_reserve_milli = -1,
        .gpu_memory_reserve_bytes = -1,
        .backfill_depth = 8,
        .wait_bound_ms = 24ll * 3600 * 1000,
    };
}

/* All work in sight, waiting and running, is the demand that placement is kept fit for. */
static bool fill_mix(struct pass *p)
{
    const struct sched_input *in = p->in;
    uint32_t *counts = arena_array(p->arena, p->kind_count, sizeof(*counts));
    if (counts == NULL)
        return false;
    for (uint32_t i = 0; i < in->waiting_count; i++)
        counts[p->kind_of[i]]++;
    for (uint32_t k = 0; k < p->kind_count; k++) {
        if (p->kinds[k].fault == NULL &&
            !needs_add_demand(&p->needs, &p->now, p->kinds[k].shape, counts[k]))
            return false;
    }
    for (uint32_t i = 0; i < in->running_count; i++) {
        if (shape_fault(in->running[i].shape, p->arena) == NULL &&
            !needs_add_demand(&p->needs, &p->now, in->running[i].shape, 1))
            return false;
    }
    mix_draw(&p->needs.mix);
    return true;
}

/* ---- the walk ---- */

struct output {
    struct sched_action *actions;
    uint32_t action_count;
    struct sched_hold *holds;
    uint32_t hold_count;
    int64_t wake_ms;
    bool is_blocked; /* somebody before waits and nobody may pass */
};

static uint32_t line_of(const struct pass *p, uint32_t index)
{
    return p->in->queue_count == 0 ? 0 : p->in->waiting[index].queue;
}

static void wake_at(struct output *out, int64_t time_ms)
{
    if (out->wake_ms == 0 || time_ms < out->wake_ms)
        out->wake_ms = time_ms;
}

static bool start(struct pass *p, uint32_t index, struct placement *placement, struct output *out)
{
    const struct sched_waiting *w = &p->in->waiting[index];
    struct ask ask = ask_of(w->shape);
    if (!placement_name_gpus(&p->now, placement))
        return false;
    queues_take(&p->queues, w->queue, w->user, &ask, 1);
    out->actions[out->action_count++] = (struct sched_action){
        .kind = SCHED_START,
        .index = index,
        .slots = placement->slots,
        .slot_count = placement->slot_count,
    };
    return true;
}

static struct sched_hold *hold(struct output *out, uint32_t index, enum sched_hold_code code,
                               const char *reason)
{
    struct sched_hold *h = &out->holds[out->hold_count++];
    *h = (struct sched_hold){
        .index = index, .code = code, .reason = reason, .place = out->hold_count};
    return h;
}

static void hold_for_backoff(struct pass *p, uint32_t index, struct output *out)
{
    int64_t until = p->in->waiting[index].not_before_ms;
    struct sched_hold *h =
        hold(out, index, SCHED_HOLD_BACKOFF, "it failed and waits a little before the next try");
    h->eta_ms = h->eta_low_ms = h->eta_high_ms = until;
    wake_at(out, until);
}

static const char *why_preempt(struct pass *p, uint32_t victim, uint32_t winner)
{
    const struct sched_running *r = &p->in->running[victim];
    const struct sched_waiting *w = &p->in->waiting[winner];
    if (p->in->queue_count > 0 && r->queue != w->queue)
        return arena_printf(p->arena, "queue %s is over its guarantee, and queue %s is owed",
                            p->in->queues[r->queue].name, p->in->queues[w->queue].name);
    if (r->priority < w->priority)
        return "it makes room for work of higher priority";
    return "it makes room for work that was served less so far";
}

/* Stops the victims of preempt_for; the winner starts if none of them is still on its way out. */
static bool start_after(struct pass *p, uint32_t index, struct placement *placement,
                        struct output *out)
{
    bool must_wait = false;
    for (uint32_t i = 0; i < p->victim_count; i++) {
        uint32_t victim = p->victims[i];
        const struct sched_running *r = &p->in->running[victim];
        struct ask ask = ask_of(r->shape);
        p->gone[victim] = true;
        must_wait = must_wait || r->leaving;
        queues_take(&p->queues, r->queue, r->user, &ask, -1);
        if (r->leaving)
            continue;
        const char *why = why_preempt(p, victim, index);
        if (why == NULL)
            return false;
        out->actions[out->action_count++] =
            (struct sched_action){.kind = SCHED_PREEMPT, .index = victim, .why = why};
    }
    if (!must_wait)
        return start(p, index, placement, out);
    hold(out, index, SCHED_HOLD_RESOURCES, "room is being made for it");
    return true;
}

/* 1: started or will be; 0: not; -1: memory is short. */
static int try_preempt(struct pass *p, uint32_t index, struct kind *kind, struct output *out)
{
    struct placement placement;
    const struct rank *rank = &p->lines.ranks[index];
    uint32_t queue = line_of(p, index);
    bool is_known = kind->has_no_victims && kind->no_victims_queue == queue &&
                    rank_compare(&kind->no_victims, rank) <= 0;
    if (!p->in->policy->preempt || is_known || p->in->running_count == 0)
        return 0;
    int result = preempt_for(p, index, &placement);
    if (result > 0)
        return start_after(p, index, &placement, out) ? 1 : -1;
    kind->has_no_victims = true;
    kind->no_victims = *rank;
    kind->no_victims_queue = queue;
    return result;
}

static bool has_cpu_only_role(const struct sched_shape *shape)
{
    for (uint32_t r = 0; r < shape->role_count; r++) {
        if (shape->roles[r].gpu_milli <= 0)
            return true;
    }
    return false;
}

/* Head-room for GPU work must not keep work waiting for ever: what could not start with it even on
 * an idle cluster starts without. Head-room that was set holds all the same. 1: lifted, 0: holds. */
static int lift_reserve(struct pass *p, struct kind *kind)
{
    struct placement placement;
    if (p->now.keeps_reserve || !has_cpu_only_role(kind->shape))
        return 0;
    if (kind->is_reserve_known)
        return kind->is_reserve_lifted;
    if (!p->has_empty_kept) {
        if (!cluster_init(&p->empty_kept, p->in, NULL, CL_EMPTY_KEPT, p->arena) ||
            !needs_init(&p->empty_kept_needs, p->arena) || !needs_init(&p->bare_needs, p->arena))
            return -1;
        p->bare_needs.ignores_reserve = true;
        p->has_empty_kept = true;
    }
    int result = place_gang(&p->empty_kept, &p->empty_kept_needs, kind->shape, NULL, &placement);
    if (result > 0)
        place_undo(&p->empty_kept, kind->shape, &placement);
    kind->is_reserve_known = true;
    kind->is_reserve_lifted = result == 0;
    return result < 0 || p->empty_kept.is_short ? -1 : kind->is_reserve_lifted;
}

/* 1: decided; 0: it must wait; -1: memory is short. */
static int try_start(struct pass *p, uint32_t index, struct kind *kind, struct output *out)
{
    struct placement placement;
    int result = 0;
    if (!kind->has_failed)
        result = place_gang(&p->now, &p->needs, kind->shape, p->in->waiting[index].site_bytes,
                            &placement);
    int is_lifted = result == 0 && !kind->has_failed ? lift_reserve(p, kind) : 0;
    if (is_lifted > 0)
        result = place_gang(&p->now, &p->bare_needs, kind->shape, p->in->waiting[index].site_bytes,
                            &placement);
    if (is_lifted < 0)
        return -1;
    if (result != 0)
        return result > 0 && start(p, index, &placement, out) ? 1 : -1;
    kind->has_failed = true;
    return try_preempt(p, index, kind, out);
}

/* False when memory is short. */
static bool decide(struct pass *p, uint32_t index, struct output *out)
{
    const struct sched_waiting *w = &p->in->waiting[index];
    struct kind *kind = &p->kinds[p->kind_of[index]];
    enum sched_hold_code code;
    const char *reason;
    if (kind->fault == NULL && w->not_before_ms > p->in->now_ms) {
        hold_for_backoff(p, index, out);
        return true;
    }
    if (kind->fault == NULL && !out->is_blocked) {
        if (p->in->queue_count > 0) {
            struct ask ask = ask_of(kind->shape);
            if (queues_forbid(&p->queues, w->queue, w->user, &ask, p->arena, &code, &reason)) {
                hold(out, index, code, reason);
                return reason != NULL;
            }
        }
        int result = try_start(p, index, kind, out);
        if (result != 0)
            return result > 0;
    }
    if (!explain_kind(p, kind))
        return false;
    bool is_never = kind->code == SCHED_HOLD_IMPOSSIBLE || kind->code == SCHED_HOLD_NODES_AWAY;
    if (out->is_blocked && !is_never) {
        hold(out, index, SCHED_HOLD_ORDER, "work before it in the queue starts first");
        return true;
    }
    hold(out, index, kind->code, kind->reason)->remedy = kind->remedy;
    bool has_patience = p->in->policy->preempt && !p->lines.ranks[index].is_first;
    if (kind->code == SCHED_HOLD_RESOURCES && !has_patience && !reserve_for(p, index))
        return false;
    out->is_blocked = out->is_blocked || (!p->in->policy->skip && !is_never);
    return true;
}

/* Whose head comes next: the queue whose turn it is, or simply who came first. */
static uint32_t next_line(const struct pass *p)
{
    const struct lines *l = &p->lines;
    uint32_t best = SCHED_NONE;
    for (uint32_t q = 0; q < l->queue_count; q++) {
        if (l->next[q] == l->first[q + 1])
            continue;
        if (best == SCHED_NONE) {
            best = q;
            continue;
        }
        int order =
            p->in->policy->order == SCHED_ORDER_FIFO
                ? rank_compare(&l->ranks[l->list[l->next[q]]], &l->ranks[l->list[l->next[best]]])
                : queues_compare(&p->queues, q, best);
        if (order < 0)
            best = q;
    }
    return best;
}

/* A queue's turn lasts until it starts something; what is held does not change whose turn it is. */
static bool walk(struct pass *p, struct output *out)
{
    struct lines *l = &p->lines;
    for (uint32_t q; (q = next_line(p)) != SCHED_NONE;) {
        uint32_t before = out->action_count;
        bool is_fair = p->in->policy->order == SCHED_ORDER_FAIR || l->queue_count == 1;
        do {
            if (!decide(p, l->list[l->next[q]++], out))
                return false;
        } while (is_fair && l->next[q] < l->first[q + 1] &&
                 (l->queue_count == 1 || out->action_count == before));
    }
    return true;
}

/* Levels change as time goes by: look again while somebody waits and somebody could go for it. */
static void plan_wake(struct pass *p, struct output *out)
{
    const struct sched_policy *policy = p->in->policy;
    if (!policy->preempt || out->hold_count == 0 || p->in->running_count == 0)
        return;
    wake_at(out, p->in->now_ms + WAKE_MS);
}

/* ---- the pass ---- */

static int nomem(struct err *err)
{
    return err_set(err, BERR_NOMEM, "out of memory while scheduling");
}

static bool prepare(struct pass *p, struct output *out)
{
    const struct sched_input *in = p->in;
    out->actions =
        arena_array(p->arena, (size_t)in->waiting_count + in->running_count, sizeof(*out->actions));
    out->holds = arena_array(p->arena, in->waiting_count, sizeof(*out->holds));
    p->running_ranks = arena_array(p->arena, in->running_count, sizeof(*p->running_ranks));
    p->waiting_ranks = arena_array(p->arena, in->waiting_count, sizeof(*p->waiting_ranks));
    p->gone = arena_array(p->arena, in->running_count, sizeof(*p->gone));
    p->closed = arena_array(p->arena, in->node_count, sizeof(*p->closed));
    p->victims = arena_array(p->arena, in->running_count, sizeof(*p->victims));
    if (out->actions == NULL || out->holds == NULL || p->running_ranks == NULL ||
        p->waiting_ranks == NULL || p->gone == NULL || p->victims == NULL || p->closed == NULL)
        return false;
    for (uint32_t i = 0; i < in->running_count; i++)
        p->running_ranks[i] = rank_running(in, i);
    for (uint32_t i = 0; i < in->waiting_count; i++)
        p->waiting_ranks[i] = rank_waiting(in, i);
    return ranks_promote(in, p->waiting_ranks, p->running_ranks, p->arena) && kinds_fill(p) &&
           lines_fill(&p->lines, in, p->waiting_ranks, p->arena) &&
           queues_init(&p->queues, in, p->arena) &&
           cluster_init(&p->now, in, &p->held, CL_NOW, p->arena) &&
           needs_init(&p->needs, p->arena) && fill_mix(p);
}

int sched_run(const struct sched_input *in, struct arena *arena, struct sched_plan *ret_plan,
              struct err *err)
{
    struct pass p = {.in = in, .arena = arena};
    struct output out = {0};
    int rc = input_check(in, arena, &p.held, err);
    if (rc != 0)
        return rc;
    if (!prepare(&p, &out) || !walk(&p, &out))
        return nomem(err);
    if (!forecast_fill(&p, out.holds, out.hold_count) || p.now.is_short || p.empty.is_short ||
        p.empty_all.is_short)
        return nomem(err);
    plan_wake(&p, &out);
    *ret_plan = (struct sched_plan){
        .actions = out.actions,
        .action_count = out.action_count,
        .holds = out.holds,
        .hold_count = out.hold_count,
        .wake_ms = out.wake_ms,
    };
    return 0;
}
