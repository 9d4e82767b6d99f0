/*
 * Whole nodes for large tasks. When a large task's turn has come and there are GPUs enough but no
 * node is free as a whole, small work is moved: it is stopped here and starts at once elsewhere,
 * since it is served first. Without this, large work starves behind small work that nobody may stop.
 */
#include "sched/pass.h"

#include <stdlib.h>

struct site_plan { /* of a node */
    uint32_t node;
    uint32_t free, movable; /* whole GPUs, after those who may go for good have gone */
    uint32_t missing;       /* to be moved away; UINT32_MAX: not enough here */
};

static bool is_movable(const struct pass *p, uint32_t running, uint32_t gpus)
{
    const struct sched_running *r = &p->in->running[running];
    return !p->gone[running] && !r->leaving && r->preemptible && r->slot_count == 1 &&
           r->slots[0].gpu_milli == 1000 && r->slots[0].gpu_count > 0 &&
           r->slots[0].gpu_count < gpus && r->shape->node == SCHED_NONE &&
           p->in->now_ms - r->started_ms >= p->in->policy->min_run_ms &&
           preempt_can_move(p, running);
}

static int compare_sites(const void *a, const void *b)
{
    const struct site_plan *x = a, *y = b;
    if (x->missing != y->missing)
        return x->missing < y->missing ? -1 : 1;
    return x->node < y->node ? -1 : x->node > y->node;
}

static bool is_victim(const struct pass *p, uint32_t running)
{
    for (uint32_t i = 0; i < p->victim_count; i++) {
        if (p->victims[i] == running)
            return true;
    }
    return false;
}

/* The cheapest nodes for the tasks; false when moving can't help. */
static bool choose_sites(struct pass *p, struct need *need, const bool *movable,
                         struct site_plan *sites, uint32_t want)
{
    uint32_t gpus = role_gpu_count(need->role), room = 0, missing = 0;
    for (uint32_t n = 0; n < p->in->node_count; n++) {
        const struct cl_state *s = cluster_state(&p->now, n);
        sites[n] = (struct site_plan){
            .node = n, .free = p->now.classes[s->class_id].usable ? s->whole_free : 0};
    }
    for (uint32_t i = 0; i < p->in->running_count; i++) {
        if (movable[i])
            sites[p->in->running[i].slots[0].node].movable += p->in->running[i].slots[0].gpu_count;
    }
    for (uint32_t n = 0; n < p->in->node_count; n++) {
        bool is_enough = need->class_fits[cluster_state(&p->now, n)->class_id] &&
                         sites[n].free + sites[n].movable >= gpus;
        sites[n].missing = !is_enough              ? UINT32_MAX
                           : sites[n].free >= gpus ? 0
                                                   : gpus - sites[n].free;
    }
    qsort(sites, p->in->node_count, sizeof(*sites), compare_sites);
    for (uint32_t i = 0; i < p->in->node_count; i++) {
        if (i >= want)
            room += sites[i].free;
        else if (sites[i].missing == UINT32_MAX)
            return false;
        else
            missing += sites[i].missing;
    }
    return p->in->node_count >= want && missing > 0 && room >= missing;
}

/* Puts what was moved elsewhere, so that nobody after it in this pass takes its room; all or none. */
static int place_moved(struct pass *p, const uint32_t *moved, uint32_t count)
{
    struct placement *done = arena_array(p->arena, count, sizeof(*done));
    int result = done == NULL ? -1 : 1;
    uint32_t placed = 0;
    while (result > 0 && placed < count) {
        const struct sched_shape *shape = p->in->running[moved[placed]].shape;
        result = place_gang(&p->now, &p->needs, shape, NULL, &done[placed]);
        placed += result > 0;
    }
    while (result == 0 && placed > 0) {
        placed--;
        place_undo(&p->now, p->in->running[moved[placed]].shape, &done[placed]);
    }
    return p->now.is_short ? -1 : result;
}

static int move_and_place(struct pass *p, const struct sched_waiting *w, const bool *movable,
                          const struct site_plan *sites, struct placement *ret)
{
    uint32_t want = w->shape->roles[0].count, gpus = role_gpu_count(&w->shape->roles[0]);
    uint32_t *moved = arena_array(p->arena, p->in->running_count, sizeof(*moved)), count = 0;
    if (moved == NULL)
        return -1;
    for (uint32_t s = 0; s < want; s++) {
        uint32_t node = sites[s].node;
        for (uint32_t i = 0; i < p->in->running_count; i++) {
            if (cluster_state(&p->now, node)->whole_free >= gpus)
                break;
            if (!movable[i] || p->in->running[i].slots[0].node != node)
                continue;
            moved[count++] = i;
            if (!preempt_note(p, i))
                return -1;
        }
    }
    int result = place_gang(&p->now, &p->needs, w->shape, w->site_bytes, ret);
    if (result <= 0)
        return result;
    result = place_moved(p, moved, count);
    if (result == 0)
        place_undo(&p->now, w->shape, ret);
    return result;
}

int relocate_for(struct pass *p, uint32_t waiting, const uint32_t *candidates, uint32_t count,
                 struct placement *ret)
{
    const struct sched_waiting *w = &p->in->waiting[waiting];
    const struct sched_role *role = &w->shape->roles[0];
    struct site_plan *sites = arena_array(p->arena, p->in->node_count, sizeof(*sites));
    bool *movable = arena_array(p->arena, p->in->running_count, sizeof(*movable));
    struct need *need = needs_get(&p->needs, &p->now, role, w->shape->pool, w->shape->site);
    if (sites == NULL || movable == NULL || need == NULL)
        return -1;
    if (role->gpu_milli < 2000)
        return 0;
    for (uint32_t i = 0; i < count; i++) {
        if (!preempt_note(p, candidates[i]))
            return -1;
    }
    for (uint32_t i = 0; i < p->in->running_count; i++)
        movable[i] = is_movable(p, i, role_gpu_count(role)) && !is_victim(p, i);
    if (!choose_sites(p, need, movable, sites, role->count))
        return 0;
    return move_and_place(p, w, movable, sites, ret);
}
