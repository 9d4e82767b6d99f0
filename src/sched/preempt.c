/*
 * Making room. Work may be stopped for other work when it allows that and is served after it, or
 * when its queue holds more than its guarantee and the other's queue is owed. Nobody is stopped
 * before its minimum run time. Victims are few and cheap: on one node where one is enough; a gang
 * goes as a whole.
 */
#include "sched/pass.h"

#include <stdlib.h>
#include <string.h>

static bool may_go(const struct pass *p, uint32_t running, const struct rank *rank, bool is_owed,
                   uint32_t queue)
{
    static const struct ask nothing = {.model = SCHED_NONE};
    const struct sched_running *r = &p->in->running[running];
    if (p->gone[running] || r->slot_count == 0)
        return false;
    if (r->leaving)
        return true;
    if (p->in->now_ms - r->started_ms < p->in->policy->min_run_ms)
        return false;
    /* What a queue holds within its guarantee is only for itself to shift. */
    if (p->in->queue_count > 0 && r->queue != queue)
        return is_owed && !queues_is_owed(&p->queues, r->queue, &nothing);
    if (!r->preemptible)
        return false;
    return rank_compare(&p->running_ranks[running], rank) > 0;
}

/* Who is leaving anyway, then the worst. */
static int compare_victims(const void *a, const void *b, void *arg)
{
    const struct pass *p = arg;
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    if (p->in->running[x].leaving != p->in->running[y].leaving)
        return p->in->running[x].leaving ? -1 : 1;
    int order = -rank_compare(&p->running_ranks[x], &p->running_ranks[y]);
    return order != 0 ? order : x < y ? -1 : x > y;
}

bool preempt_move_slots(struct pass *p, uint32_t running, bool is_given)
{
    const struct sched_running *r = &p->in->running[running];
    uint16_t positions[LIMIT_GPUS_PER_NODE];
    for (uint32_t i = 0; i < r->slot_count; i++) {
        struct sched_slot slot = r->slots[i];
        const struct sched_node *node = &p->in->nodes[slot.node];
        for (uint32_t g = 0; g < slot.gpu_count; g++)
            positions[g] = (uint16_t)node_gpu_position(node, slot.gpus[g]);
        slot.gpus = positions;
        if (!(is_given ? cluster_give : cluster_take)(&p->now, &r->shape->roles[slot.role], &slot))
            return false;
    }
    return true;
}

/* Whether the room of running work, given back before, is still free. */
static bool is_still_free(const struct pass *p, uint32_t running)
{
    const struct sched_running *r = &p->in->running[running];
    for (uint32_t i = 0; i < r->slot_count; i++) {
        const struct sched_slot *slot = &r->slots[i];
        const struct sched_role *role = &r->shape->roles[slot->role];
        const struct cl_state *s = cluster_state(&p->now, slot->node);
        if (s->cpu_free < role->cpu_milli || s->memory_free < (int64_t)role->memory_bytes ||
            s->disk_free < (int64_t)role->disk_bytes || r->slot_count > 1)
            return false;
        for (uint32_t g = 0; g < slot->gpu_count; g++) {
            uint32_t position = node_gpu_position(&p->in->nodes[slot->node], slot->gpus[g]);
            if (s->gpus[position] < slot->gpu_milli)
                return false;
        }
    }
    return true;
}

/* GPUs on unusable positions can't be given back to the picture: leave such work alone. */
bool preempt_can_move(const struct pass *p, uint32_t running)
{
    const struct sched_running *r = &p->in->running[running];
    for (uint32_t i = 0; i < r->slot_count; i++) {
        const struct sched_node *node = &p->in->nodes[r->slots[i].node];
        if (!node->usable)
            return false;
        for (uint32_t g = 0; g < r->slots[i].gpu_count; g++) {
            uint32_t position = node_gpu_position(node, r->slots[i].gpus[g]);
            if (!node->gpus[position].usable)
                return false;
        }
    }
    return true;
}

static uint32_t collect(struct pass *p, uint32_t waiting, const struct ask *ask, uint32_t *out)
{
    const struct sched_waiting *w = &p->in->waiting[waiting];
    bool is_owed = queues_is_owed(&p->queues, w->queue, ask);
    uint32_t count = 0;
    for (uint32_t i = 0; i < p->in->running_count; i++) {
        if (may_go(p, i, &p->lines.ranks[waiting], is_owed, w->queue) && preempt_can_move(p, i))
            out[count++] = i;
    }
    qsort_r(out, count, sizeof(*out), compare_victims, p);
    return count;
}

/* ---- one node is enough ---- */

struct node_plan {
    int64_t gpu_milli, cpu, memory; /* free with the victims gone */
    uint32_t whole;
    uint32_t count, victims; /* all, and those who are not leaving anyway */
    int64_t worst;           /* level of the best ranked victim: larger is better */
    bool is_enough;
};

static bool suits(const struct node_plan *plan, const struct sched_role *role)
{
    int64_t gpus = role->gpu_milli >= 1000 ? role->gpu_milli : role->gpu_milli > 0 ? 1000 : 0;
    return plan->cpu >= role->cpu_milli && plan->memory >= (int64_t)role->memory_bytes &&
           plan->whole * 1000ll >= gpus;
}

/* The node where the fewest, worst ranked victims make room for one task. */
static uint32_t choose_node(struct pass *p, struct need *need, const uint32_t *candidates,
                            uint32_t count, struct node_plan *plans)
{
    const struct sched_role *role = need->role;
    for (uint32_t n = 0; n < p->in->node_count; n++) {
        const struct cl_state *s = cluster_state(&p->now, n);
        plans[n] = (struct node_plan){
            .cpu = s->cpu_free, .memory = s->memory_free, .whole = s->whole_free};
    }
    uint32_t best = SCHED_NONE;
    for (uint32_t i = 0; i < count; i++) {
        const struct sched_running *r = &p->in->running[candidates[i]];
        const struct sched_slot *slot = &r->slots[0];
        struct node_plan *plan = &plans[slot->node];
        uint32_t class_id = cluster_state(&p->now, slot->node)->class_id;
        if (r->slot_count != 1 || plan->is_enough || !need->class_fits[class_id])
            continue;
        const struct sched_role *victim = &r->shape->roles[slot->role];
        plan->cpu += victim->cpu_milli;
        plan->memory += (int64_t)victim->memory_bytes;
        plan->whole += slot->gpu_milli == 1000 ? slot->gpu_count : 0;
        plan->victims += !r->leaving;
        plan->count++;
        plan->worst = p->running_ranks[candidates[i]].level;
        plan->is_enough = suits(plan, role);
        if (!plan->is_enough)
            continue;
        if (best == SCHED_NONE || plan->victims < plans[best].victims ||
            (plan->victims == plans[best].victims && plan->worst > plans[best].worst))
            best = slot->node;
    }
    return best;
}

bool preempt_note(struct pass *p, uint32_t running)
{
    p->victims[p->victim_count++] = running;
    return preempt_move_slots(p, running, true);
}

/* Who turned out not to be needed stays. */
static bool spare_victims(struct pass *p)
{
    for (uint32_t i = p->victim_count; i-- > 0;) {
        if (!is_still_free(p, p->victims[i]))
            continue;
        if (!preempt_move_slots(p, p->victims[i], false))
            return false;
        memmove(&p->victims[i], &p->victims[i + 1],
                (p->victim_count - i - 1) * sizeof(*p->victims));
        p->victim_count--;
    }
    return true;
}

static bool restore_victims(struct pass *p)
{
    while (p->victim_count > 0) {
        if (!preempt_move_slots(p, p->victims[--p->victim_count], false))
            return false;
    }
    return true;
}

static int place_after(struct pass *p, const struct sched_shape *shape,
                       const struct sched_waiting *w, struct placement *ret)
{
    return place_gang(&p->now, &p->needs, shape, w->site_bytes, ret);
}

static int on_one_node(struct pass *p, const struct sched_waiting *w, const uint32_t *candidates,
                       uint32_t count, struct placement *ret)
{
    const struct sched_shape *shape = w->shape;
    struct need *need = needs_get(&p->needs, &p->now, &shape->roles[0], shape->pool, shape->site);
    struct node_plan *plans = arena_array(p->arena, p->in->node_count, sizeof(*plans));
    if (need == NULL || plans == NULL)
        return -1;
    uint32_t node = choose_node(p, need, candidates, count, plans);
    if (node == SCHED_NONE || (shape->node != SCHED_NONE && shape->node != node))
        return 0;
    uint32_t left = plans[node].count;
    for (uint32_t i = 0; i < count && left > 0; i++) {
        const struct sched_running *r = &p->in->running[candidates[i]];
        if (r->slot_count != 1 || r->slots[0].node != node)
            continue;
        left--;
        if (!preempt_note(p, candidates[i]))
            return -1;
    }
    return place_after(p, shape, w, ret);
}

/* ---- gangs over several nodes ---- */

static int on_many_nodes(struct pass *p, const struct sched_waiting *w, const uint32_t *candidates,
                         uint32_t count, struct placement *ret)
{
    struct ask ask = ask_of(w->shape);
    int64_t freed = 0;
    for (uint32_t i = 0; i < p->now.alive_count; i++) {
        const struct cl_state *s = &p->now.states[p->now.alive[i]];
        freed += s->gpu_free_milli * s->live;
    }
    int result = 0;
    for (uint32_t i = 0; i < count && result == 0; i++) {
        const struct sched_running *r = &p->in->running[candidates[i]];
        for (uint32_t k = 0; k < r->slot_count; k++)
            freed += r->slots[k].gpu_milli * r->slots[k].gpu_count;
        if (!preempt_note(p, candidates[i]))
            return -1;
        if (freed >= ask.gpu_milli)
            result = place_after(p, w->shape, w, ret);
    }
    return result;
}

int preempt_for(struct pass *p, uint32_t waiting, struct placement *ret)
{
    const struct sched_waiting *w = &p->in->waiting[waiting];
    const struct sched_shape *shape = w->shape;
    struct ask ask = ask_of(shape);
    uint32_t *candidates = arena_array(p->arena, p->in->running_count, sizeof(*candidates));
    if (candidates == NULL)
        return -1;
    uint32_t count = collect(p, waiting, &ask, candidates);
    p->victim_count = 0;
    if (count == 0)
        return 0;
    bool is_single = shape->role_count == 1 && shape->roles[0].count == 1;
    int result = is_single ? on_one_node(p, w, candidates, count, ret)
                           : on_many_nodes(p, w, candidates, count, ret);
    if (result == 0 && !restore_victims(p))
        return -1;
    if (result == 0 && shape->role_count == 1 && shape->node == SCHED_NONE)
        result = relocate_for(p, waiting, candidates, count, ret);
    if (result == 0)
        return restore_victims(p) ? 0 : -1;
    return result > 0 && spare_victims(p) ? 1 : -1;
}
