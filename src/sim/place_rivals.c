/*
 * Placement policies to compare with, as in the simulator published with Weng et al., "Beware of
 * Fragmentation", USENIX ATC 2023: random, best fit on CPU and GPU, fragmentation gradient descent.
 * Scores are rounded to whole numbers from 0 to 100 and the first node wins among equals, as there;
 * that rounding is part of the published figures.
 */
#include <math.h>
#include <string.h>
#include "base/str.h"
#include "sim/place.h"

#define TYPICAL_PERCENT    95 /* of pods, most frequent types first */
#define BEST_FIT_CPU_MILLI 128000.0
#define BEST_FIT_GPU_MILLI 8000.0

static bool has_gpus(const struct place_free *f, const struct place_pod *pod)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < f->gpu_count && count < pod->gpus; i++)
        count += f->gpus[i] >= (int16_t)pod->milli;
    return count >= pod->gpus;
}

static bool fits(const struct place_free *f, const struct place_pod *pod)
{
    if (f->cpu_milli < pod->cpu_milli || f->memory_mib < pod->memory_mib)
        return false;
    if (pod->gpus == 0)
        return true;
    return (pod->models == 0 || (pod->models >> f->model & 1) != 0) && has_gpus(f, pod);
}

static void take(struct place_free *f, const struct place_pod *pod, uint32_t gpu)
{
    f->cpu_milli -= pod->cpu_milli;
    f->memory_mib -= pod->memory_mib;
    f->gpu_milli -= (int64_t)pod->gpus * pod->milli;
    if (pod->gpus == 1) {
        f->gpus[gpu] = (int16_t)(f->gpus[gpu] - (int16_t)pod->milli);
        return;
    }
    for (uint32_t i = 0, left = pod->gpus; i < f->gpu_count && left > 0; i++) {
        if (f->gpus[i] == 1000) {
            f->gpus[i] = 0;
            left--;
        }
    }
}

static uint32_t tightest(const struct place_free *f, const struct place_pod *pod)
{
    uint32_t best = SCHED_NONE;
    for (uint32_t i = 0; pod->gpus == 1 && i < f->gpu_count; i++) {
        if (f->gpus[i] >= (int16_t)pod->milli && (best == SCHED_NONE || f->gpus[i] < f->gpus[best]))
            best = i;
    }
    return best;
}

/* ---- random ---- */

static struct place_choice choose_random(struct place_rival *r, const struct place_pod *pod)
{
    struct place_choice choice = {SCHED_NONE, SCHED_NONE};
    uint64_t seen = 0;
    for (uint32_t n = 0; n < r->world->node_count; n++) {
        if (fits(&r->free[n], pod) && rnd_below(&r->rnd, ++seen) == 0)
            choice.node = n;
    }
    if (choice.node == SCHED_NONE || pod->gpus != 1)
        return choice;
    seen = 0;
    const struct place_free *f = &r->free[choice.node];
    for (uint32_t i = 0; i < f->gpu_count; i++) {
        if (f->gpus[i] >= (int16_t)pod->milli && rnd_below(&r->rnd, ++seen) == 0)
            choice.gpu = i;
    }
    return choice;
}

/* ---- best fit ---- */

static struct place_choice choose_best_fit(struct place_rival *r, const struct place_pod *pod)
{
    struct place_choice choice = {SCHED_NONE, SCHED_NONE};
    int64_t best = INT64_MIN;
    for (uint32_t n = 0; n < r->world->node_count; n++) {
        const struct place_free *f = &r->free[n];
        if (!fits(f, pod))
            continue;
        double cpu = (double)(f->cpu_milli - pod->cpu_milli) / BEST_FIT_CPU_MILLI;
        double gpu = (double)(f->gpu_milli - (int64_t)pod->gpus * pod->milli) / BEST_FIT_GPU_MILLI;
        int64_t score = (int64_t)((1 - (cpu + gpu) / 2) * 100);
        if (score > best) {
            best = score;
            choice.node = n;
        }
    }
    if (choice.node != SCHED_NONE)
        choice.gpu = tightest(&r->free[choice.node], pod);
    return choice;
}

/* ---- fragmentation gradient descent ---- */

/* GPU thousandths that the typical pods could not use, times the number of typical pods. */
static int64_t fragment(const struct place_rival *r, const struct place_free *f)
{
    int64_t sum = 0;
    if (f->gpu_milli == 0)
        return 0;
    for (uint32_t t = 0; t < r->typical; t++) {
        const struct place_type *type = &r->world->types[t];
        int64_t lost = 0;
        if (type->pod.gpus == 0 || !fits(f, &type->pod)) {
            lost = f->gpu_milli;
        } else {
            for (uint32_t i = 0; i < f->gpu_count; i++)
                lost += f->gpus[i] < (int16_t)type->pod.milli ? f->gpus[i] : 0;
        }
        sum += lost * type->count;
    }
    return sum;
}

static int64_t gradient(const struct place_rival *r, const struct place_free *f,
                        const struct place_pod *pod, uint32_t gpu)
{
    struct place_free after = *f;
    take(&after, pod, gpu);
    double gain = (double)(f->fragment - fragment(r, &after)) / (double)r->typical_count;
    return (int64_t)(100 / (1 + exp(-gain / 1000)));
}

/* The best GPU of a node and its score; kept until the node changes. */
static struct place_score score_node(struct place_rival *r, const struct place_pod *pod, uint32_t n)
{
    const struct place_free *f = &r->free[n];
    struct place_score *kept = &r->scores[(size_t)pod->type * r->world->node_count + n];
    if (kept->version == f->version)
        return *kept;
    *kept = (struct place_score){.version = f->version, .score = -1};
    if (!fits(f, pod))
        return *kept;
    for (uint32_t g = 0; g < (pod->gpus == 1 ? f->gpu_count : 1); g++) {
        bool is_seen = pod->gpus == 1 && f->gpus[g] < (int16_t)pod->milli;
        for (uint32_t k = 0; pod->gpus == 1 && k < g && !is_seen; k++)
            is_seen = f->gpus[k] == f->gpus[g];
        int64_t score = is_seen ? -1 : gradient(r, f, pod, g);
        if (score > kept->score) {
            kept->score = (int8_t)score;
            kept->gpu = (uint8_t)g;
        }
    }
    return *kept;
}

static struct place_choice choose_fgd(struct place_rival *r, const struct place_pod *pod)
{
    struct place_choice choice = {SCHED_NONE, SCHED_NONE};
    int best = -1;
    for (uint32_t n = 0; n < r->world->node_count; n++) {
        struct place_score score = score_node(r, pod, n);
        if (score.score > best) {
            best = score.score;
            choice = (struct place_choice){n, score.gpu};
        }
    }
    return choice;
}

/* ---- all of them ---- */

static const struct {
    const char *name;
    place_choose_fn *choose;
} rivals[] = {{"random", choose_random}, {"bestfit", choose_best_fit}, {"fgd", choose_fgd}};

place_choose_fn *place_rival_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(rivals); i++) {
        if (str_is_equal(rivals[i].name, name))
            return rivals[i].choose;
    }
    return NULL;
}

bool place_rival_init(struct place_rival *r, const struct place_world *world, uint64_t seed,
                      struct arena *arena)
{
    *r = (struct place_rival){.world = world};
    rnd_seed(&r->rnd, seed);
    while (r->typical < world->type_count &&
           r->typical_count * 100 < (int64_t)world->pod_count * TYPICAL_PERCENT)
        r->typical_count += world->types[r->typical++].count;
    r->free = arena_array(arena, world->node_count, sizeof(*r->free));
    r->scores =
        arena_array(arena, (size_t)world->node_count * world->type_count, sizeof(*r->scores));
    if (r->free == NULL || r->scores == NULL)
        return false;
    for (uint32_t n = 0; n < world->node_count; n++) {
        const struct place_node *node = &world->nodes[n];
        struct place_free *f = &r->free[n];
        *f = (struct place_free){.cpu_milli = node->cpu_milli,
                                 .memory_mib = node->memory_mib,
                                 .gpu_milli = 1000 * (int64_t)node->gpus,
                                 .gpu_count = node->gpus,
                                 .model = node->model,
                                 .version = 1};
        for (uint32_t g = 0; g < node->gpus; g++)
            f->gpus[g] = 1000;
        f->fragment = fragment(r, f);
    }
    return true;
}

void place_rival_take(struct place_rival *r, const struct place_pod *pod,
                      struct place_choice choice)
{
    struct place_free *f = &r->free[choice.node];
    take(f, pod, choice.gpu);
    f->fragment = fragment(r, f);
    f->version++;
}
