/* How well a state suits a need: lower is better. Whole numbers only, the same on every machine. */
#include "sched/internal.h"

/* What is left of CPU and memory, each in 1/1024 of the node. */
static int64_t leftover(const struct need *need, const struct cl_class *k, const struct cl_state *s)
{
    int64_t cpu = s->cpu_free - need->role->cpu_milli;
    int64_t memory = s->memory_free - (int64_t)need->role->memory_bytes;
    int64_t score = 0;
    if (k->cpu_milli > 0)
        score += cpu * 1024 / k->cpu_milli;
    if (k->memory_bytes > 0)
        score += (memory >> 10) * 1024 / ((k->memory_bytes >> 10) + 1);
    return score;
}

static int64_t share_left(const struct cl_state *s, uint32_t gpu_count, int64_t milli)
{
    int64_t best = INT16_MAX;
    for (uint32_t i = 0; i < gpu_count; i++) {
        if (s->gpus[i] >= milli && s->gpus[i] - milli < best)
            best = s->gpus[i] - milli;
    }
    return best;
}

int64_t score_state(const struct need *need, const struct cluster *c, const struct cl_state *s)
{
    const struct cl_class *k = &c->classes[s->class_id];
    int64_t milli = need->role->gpu_milli, score = leftover(need, k, s);
    if (milli <= 0) {
        if (k->gpu_count > 0)
            score += 1ll << 40; /* GPU first: CPU-only work goes elsewhere if it can */
        if (k->gpu_count > 0 && !need_keeps_reserve(need, c, s))
            score += 1ll << 41;
        return score;
    }
    if (milli < 1000)
        score += share_left(s, k->gpu_count, milli) << 20;
    return score + (int64_t)s->whole_free * (1ll << 32);
}
