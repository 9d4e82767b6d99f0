/*
 * How much of a node's free GPUs is lost to the work that usually comes. Two measures added up:
 *
 * - the part that the average task could not use at once: fragmentation in the sense of Weng et
 *   al., "Beware of Fragmentation: Scheduling GPU-Sharing Workloads with Fragmentation Gradient
 *   Descent", USENIX ATC 2023;
 * - what stays unused when tasks drawn from the usual demand are put on the node one after the
 *   other until no more fit. The draws are the same for all states, so that differences come from
 *   the states and not from luck.
 *
 * Whole numbers only: the same answer on every machine.
 */
#include "sched/cluster.h"

#include <string.h>
#include "base/rand.h"

struct draft { /* a state that need not exist */
    const struct cl_class *k;
    uint32_t class_id;
    int64_t cpu_free, memory_free, gpu_free_milli;
    uint32_t whole_free;
    int16_t gpus[LIMIT_GPUS_PER_NODE];
};

/* ---- the usual demand ---- */

bool mix_add(struct mix *mix, struct need *need, uint64_t weight)
{
    for (uint32_t i = 0; i < mix->count; i++) {
        if (mix->tasks[i].need == need) {
            mix->tasks[i].weight += weight;
            mix->total += weight;
            return true;
        }
    }
    if (mix->count == MIX_TASKS)
        return false; /* rare ones don't matter */
    mix->tasks[mix->count++] = (struct mix_task){.need = need, .weight = weight};
    mix->total += weight;
    return true;
}

void mix_draw(struct mix *mix)
{
    struct rnd r;
    rnd_seed(&r, 1);
    mix->least_gpu_milli = INT64_MAX;
    mix->least_cpu_milli = INT64_MAX;
    for (uint32_t i = 0; i < mix->count; i++) {
        const struct sched_role *role = mix->tasks[i].need->role;
        if (role->gpu_milli <= 0)
            continue;
        if (role->gpu_milli < mix->least_gpu_milli)
            mix->least_gpu_milli = role->gpu_milli;
        if (role->cpu_milli < mix->least_cpu_milli)
            mix->least_cpu_milli = role->cpu_milli;
    }
    for (uint32_t i = 0; i < MIX_ROUNDS * MIX_DRAWS && mix->total > 0; i++) {
        uint64_t at = rnd_below(&r, mix->total);
        uint32_t task = 0;
        while (at >= mix->tasks[task].weight)
            at -= mix->tasks[task++].weight;
        mix->draws[i] = (uint8_t)task;
    }
    mix->is_ready = mix->total > 0 && mix->least_gpu_milli != INT64_MAX;
}

/* ---- one task on a draft ---- */

static bool has_gpus(const struct draft *d, int64_t milli)
{
    if (milli >= 1000)
        return d->whole_free >= (uint32_t)(milli / 1000);
    if (d->whole_free > 0)
        return true;
    for (uint32_t i = 0; i < d->k->gpu_count; i++) {
        if (d->gpus[i] >= milli)
            return true;
    }
    return false;
}

static bool fits(const struct draft *d, const struct need *need)
{
    const struct sched_role *role = need->role;
    return d->cpu_free >= role->cpu_milli && d->memory_free >= (int64_t)role->memory_bytes &&
           need->class_fits[d->class_id] && (role->gpu_milli <= 0 || has_gpus(d, role->gpu_milli));
}

static void take_share(struct draft *d, uint32_t gpu, int64_t milli)
{
    d->whole_free -= d->gpus[gpu] == 1000;
    d->gpus[gpu] = (int16_t)(d->gpus[gpu] - milli);
    d->gpu_free_milli -= milli;
}

static void take_tightest(struct draft *d, int64_t milli)
{
    uint32_t best = SCHED_NONE;
    for (uint32_t i = 0; i < d->k->gpu_count; i++) {
        if (d->gpus[i] >= milli && (best == SCHED_NONE || d->gpus[i] < d->gpus[best]))
            best = i;
    }
    if (best != SCHED_NONE)
        take_share(d, best, milli);
}

static void take(struct draft *d, const struct sched_role *role, uint32_t gpu)
{
    d->cpu_free -= role->cpu_milli;
    d->memory_free -= (int64_t)role->memory_bytes;
    if (role->gpu_milli <= 0)
        return;
    if (role->gpu_milli < 1000) {
        if (gpu == SCHED_NONE)
            take_tightest(d, role->gpu_milli);
        else
            take_share(d, gpu, role->gpu_milli);
        return;
    }
    int64_t left = role->gpu_milli;
    for (uint32_t i = 0; i < d->k->gpu_count && left > 0; i++) {
        if (d->gpus[i] == 1000) {
            take_share(d, i, 1000);
            left -= 1000;
        }
    }
}

/* ---- the measures, in thousandths of GPUs times 1024 ---- */

/* Free thousandths that the average task could not use. */
static int64_t fragments(const struct mix *mix, const struct draft *d)
{
    uint64_t lost = 0;
    for (uint32_t t = 0; t < mix->count; t++) {
        const struct mix_task *task = &mix->tasks[t];
        int64_t milli = task->need->role->gpu_milli, part = 0;
        if (milli <= 0 || !fits(d, task->need)) {
            part = d->gpu_free_milli;
        } else {
            int64_t least = milli > 1000 ? 1000 : milli;
            for (uint32_t i = 0; i < d->k->gpu_count; i++)
                part += d->gpus[i] < least ? d->gpus[i] : 0;
        }
        lost += (uint64_t)part * task->weight;
    }
    return (int64_t)(lost * 1024 / mix->total);
}

/* Thousandths still free when drawn tasks have come until hardly any fits. */
static int64_t leftovers(const struct mix *mix, const struct draft *before)
{
    int64_t lost = 0;
    for (uint32_t round = 0; round < MIX_ROUNDS; round++) {
        struct draft d = *before;
        const uint8_t *draws = &mix->draws[round * MIX_DRAWS];
        for (uint32_t i = 0; i < MIX_DRAWS; i++) {
            const struct need *need = mix->tasks[draws[i]].need;
            if (d.gpu_free_milli < mix->least_gpu_milli || d.cpu_free < mix->least_cpu_milli)
                break;
            if (fits(&d, need))
                take(&d, need->role, SCHED_NONE);
        }
        lost += d.gpu_free_milli;
    }
    return lost * 1024 / MIX_ROUNDS;
}

static int64_t waste(const struct mix *mix, const struct draft *d)
{
    if (d->gpu_free_milli == 0)
        return 0;
    return leftovers(mix, d) + fragments(mix, d) * 3 / 4;
}

static void draft_of(const struct cluster *c, const struct cl_state *s, struct draft *ret)
{
    ret->class_id = s->class_id;
    ret->k = &c->classes[s->class_id];
    ret->cpu_free = s->cpu_free;
    ret->memory_free = s->memory_free;
    ret->gpu_free_milli = s->gpu_free_milli;
    ret->whole_free = s->whole_free;
    memcpy(ret->gpus, s->gpus, ret->k->gpu_count * sizeof(*s->gpus));
}

int64_t mix_waste(struct mix *mix, const struct cluster *c, struct cl_state *s)
{
    struct draft d;
    if (s->waste == INT64_MIN) {
        draft_of(c, s, &d);
        s->waste = waste(mix, &d);
    }
    return s->waste;
}

int64_t mix_waste_after(struct mix *mix, const struct cluster *c, const struct cl_state *s,
                        const struct sched_role *role, uint32_t gpu)
{
    struct draft d;
    draft_of(c, s, &d);
    take(&d, role, gpu);
    return waste(mix, &d);
}
