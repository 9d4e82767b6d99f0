/* One pass: check the input, put the waiting work in order, start what fits, explain the rest. */
#include "sched/internal.h"

#include <stdlib.h>

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
    };
}

/* ---- order ---- */

static int compare_fifo(const void *a, const void *b, void *arg)
{
    const struct sched_input *in = arg;
    uint32_t i = *(const uint32_t *)a, k = *(const uint32_t *)b;
    const struct sched_waiting *x = &in->waiting[i], *y = &in->waiting[k];
    if (x->priority != y->priority)
        return x->priority > y->priority ? -1 : 1;
    if (x->submitted_ms != y->submitted_ms)
        return x->submitted_ms < y->submitted_ms ? -1 : 1;
    return i < k ? -1 : 1;
}

static uint32_t *sort_waiting(struct pass *p)
{
    uint32_t count = p->in->waiting_count;
    uint32_t *order = arena_array(p->arena, count, sizeof(*order));
    for (uint32_t i = 0; order != NULL && i < count; i++)
        order[i] = i;
    struct sched_input in = *p->in;
    if (order != NULL)
        qsort_r(order, count, sizeof(*order), compare_fifo, &in);
    return order;
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
        if (p->kinds[k].fault == NULL && !needs_add_demand(&p->needs, &p->now, p->kinds[k].shape, counts[k]))
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

static bool start(struct pass *p, uint32_t index, struct placement *placement, struct output *out)
{
    if (!placement_name_gpus(&p->now, placement))
        return false;
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
    *h = (struct sched_hold){.index = index, .code = code, .reason = reason,
                             .place = out->hold_count};
    return h;
}

static void hold_for_backoff(struct pass *p, uint32_t index, struct output *out)
{
    int64_t until = p->in->waiting[index].not_before_ms;
    struct sched_hold *h =
        hold(out, index, SCHED_HOLD_BACKOFF, "it failed and waits a little before the next try");
    h->eta_ms = h->eta_low_ms = h->eta_high_ms = until;
    if (out->wake_ms == 0 || until < out->wake_ms)
        out->wake_ms = until;
}

/* False when memory is short. */
static bool decide(struct pass *p, uint32_t index, struct output *out)
{
    const struct sched_waiting *w = &p->in->waiting[index];
    struct kind *kind = &p->kinds[p->kind_of[index]];
    struct placement placement;
    if (kind->fault == NULL && w->not_before_ms > p->in->now_ms) {
        hold_for_backoff(p, index, out);
        return true;
    }
    if (kind->fault == NULL && !kind->has_failed && !out->is_blocked) {
        int result = place_gang(&p->now, &p->needs, kind->shape, w->site_bytes, &placement);
        if (result != 0)
            return result > 0 && start(p, index, &placement, out);
    }
    kind->has_failed = kind->has_failed || !out->is_blocked;
    if (!explain_kind(p, kind))
        return false;
    bool is_never = kind->code == SCHED_HOLD_IMPOSSIBLE || kind->code == SCHED_HOLD_NODES_AWAY;
    if (out->is_blocked && !is_never) {
        hold(out, index, SCHED_HOLD_ORDER, "work before it in the queue starts first");
        return true;
    }
    hold(out, index, kind->code, kind->reason)->remedy = kind->remedy;
    out->is_blocked = out->is_blocked || (!p->in->policy->skip && !is_never);
    return true;
}

static int nomem(struct err *err)
{
    return err_set(err, BERR_NOMEM, "out of memory while scheduling");
}

int sched_run(const struct sched_input *in, struct arena *arena, struct sched_plan *ret_plan,
              struct err *err)
{
    struct pass p = {.in = in, .arena = arena};
    struct output out = {0};
    int rc = input_check(in, arena, &p.held, err);
    if (rc != 0)
        return rc;
    out.actions = arena_array(arena, in->waiting_count, sizeof(*out.actions));
    out.holds = arena_array(arena, in->waiting_count, sizeof(*out.holds));
    uint32_t *order = sort_waiting(&p);
    if (out.actions == NULL || out.holds == NULL || order == NULL || !kinds_fill(&p) ||
        !cluster_init(&p.now, in, &p.held, CL_NOW, arena) || !needs_init(&p.needs, arena) ||
        !fill_mix(&p))
        return nomem(err);
    for (uint32_t i = 0; i < in->waiting_count; i++) {
        if (!decide(&p, order[i], &out))
            return nomem(err);
    }
    *ret_plan = (struct sched_plan){
        .actions = out.actions,
        .action_count = out.action_count,
        .holds = out.holds,
        .hold_count = out.hold_count,
        .wake_ms = out.wake_ms,
    };
    return 0;
}
