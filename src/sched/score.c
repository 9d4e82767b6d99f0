/* How well a state suits a need: lower is better. Whole numbers only, the same on every machine. */
#include "sched/cluster.h"

#define TIER_GPU_NODE (1ll << 56) /* CPU-only work on a node with GPUs */
#define TIER_HEADROOM (1ll << 57) /* that even touches the head-room of idle GPUs */

/* What is left of CPU and memory, each in 1/64 of the node. */
static int64_t leftover(const struct need *need, const struct cl_class *k, const struct cl_state *s)
{
    int64_t cpu = s->cpu_free - need->role->cpu_milli;
    int64_t memory = s->memory_free - (int64_t)need->role->memory_bytes;
    int64_t score = 0;
    if (k->cpu_milli > 0)
        score += cpu * 64 / k->cpu_milli;
    if (k->memory_bytes > 0)
        score += (memory >> 10) * 64 / ((k->memory_bytes >> 10) + 1);
    return score;
}

/* Tightest fit: what decides when nothing is known about the demand, and between equals. */
static int64_t tightness(const struct need *need, const struct cl_class *k,
                         const struct cl_state *s, int64_t share_free)
{
    int64_t score = leftover(need, k, s);
    if (need->role->gpu_milli > 0 && need->role->gpu_milli < 1000)
        score += share_free << 8;
    return score + ((int64_t)s->whole_free << 20);
}

uint32_t score_share(struct needs *needs, const struct need *need, const struct cluster *c,
                     struct cl_state *s, int64_t *ret_score)
{
    const struct cl_class *k = &c->classes[s->class_id];
    struct mix *mix = &needs->mix;
    uint32_t best = SCHED_NONE;
    int64_t before = mix->is_ready ? mix_waste(mix, c, s) : 0, milli = need->role->gpu_milli;
    for (uint32_t i = 0; i < k->gpu_count; i++) {
        bool is_seen = s->gpus[i] < milli;
        for (uint32_t j = 0; j < i && !is_seen; j++)
            is_seen = s->gpus[j] == s->gpus[i];
        if (is_seen)
            continue;
        int64_t score = tightness(need, k, s, s->gpus[i]);
        if (mix->is_ready)
            score = (mix_waste_after(mix, c, s, need->role, i) - before) * 512 + score / (1 << 12);
        if (best == SCHED_NONE || score < *ret_score) {
            best = i;
            *ret_score = score;
        }
    }
    return best;
}

int64_t score_state(struct needs *needs, const struct need *need, const struct cluster *c,
                    struct cl_state *s)
{
    const struct cl_class *k = &c->classes[s->class_id];
    struct mix *mix = &needs->mix;
    int64_t milli = need->role->gpu_milli, score = 0;
    if (milli > 0 && milli < 1000) {
        check(score_share(needs, need, c, s, &score) != SCHED_NONE);
        return score;
    }
    score = tightness(need, k, s, 0);
    if (mix->is_ready && k->gpu_count > 0)
        score = (mix_waste_after(mix, c, s, need->role, SCHED_NONE) - mix_waste(mix, c, s)) * 512 +
                score / (1 << 12);
    if (milli <= 0 && k->gpu_count > 0)
        score += TIER_GPU_NODE + (need_keeps_reserve(need, c, s) ? 0 : TIER_HEADROOM);
    return score;
}
