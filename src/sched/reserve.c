/*
 * Room kept for work at the head of the line that has waited a while, so that large work is not
 * passed for ever by small work that always fits. The nodes that need the least more to come free
 * take no other work until it starts.
 */
#include "sched/pass.h"

#include <stdlib.h>
#include <string.h>

#define WAIT_FIRST_MS (10ll * 60 * 1000)

struct site {
    uint32_t node, tasks;
    int64_t missing; /* GPU thousandths, or CPU thousandths for work without GPUs */
};

static int compare_sites(const void *a, const void *b)
{
    const struct site *x = a, *y = b;
    if (x->missing != y->missing)
        return x->missing < y->missing ? -1 : 1;
    return x->node < y->node ? -1 : x->node > y->node;
}

/* Tasks that the empty node would hold. */
static uint32_t tasks_on(const struct cl_class *k, const struct sched_role *role)
{
    int64_t count = role->apart ? 1 : INT32_MAX;
    uint32_t gpus = role_gpu_count(role);
    if (gpus > 0 && k->gpus_usable / gpus < count)
        count = k->gpus_usable / gpus;
    if (role->cpu_milli > 0 && k->cpu_milli / role->cpu_milli < count)
        count = k->cpu_milli / role->cpu_milli;
    if (role->memory_bytes > 0 && k->memory_bytes / (int64_t)role->memory_bytes < count)
        count = k->memory_bytes / (int64_t)role->memory_bytes;
    return (uint32_t)count;
}

/* Takes all that is free on a node. */
static bool close_node(struct pass *p, uint32_t node)
{
    const struct cl_state *s = cluster_state(&p->now, node);
    uint32_t gpu_count = p->now.classes[s->class_id].gpu_count;
    int16_t gpus[LIMIT_GPUS_PER_NODE];
    struct sched_role rest = {.cpu_milli = s->cpu_free > 0 ? s->cpu_free : 0,
                              .memory_bytes = s->memory_free > 0 ? (uint64_t)s->memory_free : 0};
    struct sched_slot slot = {.node = node};
    memcpy(gpus, s->gpus, gpu_count * sizeof(*gpus));
    if (!cluster_take(&p->now, &rest, &slot))
        return false;
    rest = (struct sched_role){0};
    for (uint16_t g = 0; g < gpu_count; g++) {
        slot = (struct sched_slot){.node = node, .gpu_count = 1, .gpus = &g, .gpu_milli = gpus[g]};
        if (gpus[g] > 0 && !cluster_take(&p->now, &rest, &slot))
            return false;
    }
    return true;
}

static bool is_closed(const struct pass *p, uint32_t node)
{
    for (uint32_t i = 0; i < p->closed_count; i++) {
        if (p->closed[i] == node)
            return true;
    }
    return false;
}

bool reserve_for(struct pass *p, uint32_t waiting)
{
    const struct sched_waiting *w = &p->in->waiting[waiting];
    const struct sched_shape *shape = w->shape;
    int64_t since = w->queued_ms == 0 ? w->submitted_ms : w->queued_ms;
    if (p->reserved == p->in->policy->backfill_depth || shape->role_count != 1 ||
        p->in->now_ms - since < WAIT_FIRST_MS)
        return true;
    const struct sched_role *role = &shape->roles[0];
    struct need *need = needs_get(&p->needs, &p->now, role, shape->pool, shape->site);
    struct site *sites = arena_array(p->arena, p->in->node_count, sizeof(*sites));
    if (need == NULL || sites == NULL)
        return false;
    uint32_t count = 0, tasks = 0;
    for (uint32_t n = 0; n < p->in->node_count; n++) {
        const struct cl_state *s = cluster_state(&p->now, n);
        const struct cl_class *k = &p->now.classes[s->class_id];
        if (!need->class_fits[s->class_id] || is_closed(p, n) ||
            (shape->node != SCHED_NONE && shape->node != n))
            continue;
        int64_t missing = role->gpu_milli > 0 ? role->gpu_milli - s->gpu_free_milli
                                              : role->cpu_milli - s->cpu_free;
        sites[count++] = (struct site){n, tasks_on(k, role), missing};
    }
    qsort(sites, count, sizeof(*sites), compare_sites);
    for (uint32_t i = 0; i < count && tasks < role->count; i++) {
        tasks += sites[i].tasks;
        p->closed[p->closed_count++] = sites[i].node;
        if (!close_node(p, sites[i].node))
            return false;
    }
    p->reserved++;
    return true;
}
