/*
 * Order within a queue. FIFO: priority, then who came first. FAIR: priority, then who has waited
 * longer than the bound, then who was served least so far. Served time is counted in GPU time and
 * in powers of two, so that work of about the same past is served in order of arrival and nobody is
 * swapped for a trifle: least attained service (Nuyens and Wierman 2008) in the discrete form of
 * Tiresias (Gu et al., NSDI 2019). It needs no run times, which users don't know.
 */
#include "sched/internal.h"

#include <stdlib.h>
#include <string.h>

#define LEVEL_ONE_GPU_MS (600ll * 1000) /* served less than this: level 0 */

/* GPUs count as they are; work without GPUs counts by CPUs, eight to a GPU. */
static int64_t width_milli(const struct sched_shape *shape)
{
    int64_t gpu = 0, cpu = 0;
    for (uint32_t r = 0; r < shape->role_count; r++) {
        gpu += shape->roles[r].gpu_milli * shape->roles[r].count;
        cpu += shape->roles[r].cpu_milli * shape->roles[r].count;
    }
    int64_t width = gpu > 0 ? gpu : cpu / 8;
    return width < 100 ? 100 : width;
}

static int64_t served_level(const struct sched_shape *shape, int64_t served_ms)
{
    int64_t level = 0, width = width_milli(shape);
    if (served_ms < 0)
        served_ms = 0;
    for (int64_t top = LEVEL_ONE_GPU_MS; level < 40 && served_ms >= top * 1000 / width; top *= 2)
        level++;
    return level;
}

static bool has_waited_enough(const struct sched_input *in, int64_t waited_ms)
{
    return in->policy->wait_bound_ms > 0 && waited_ms > in->policy->wait_bound_ms;
}

struct rank rank_waiting(const struct sched_input *in, uint32_t index)
{
    const struct sched_waiting *w = &in->waiting[index];
    struct rank rank = {.priority = w->priority, .submitted_ms = w->submitted_ms};
    if (in->policy->order == SCHED_ORDER_FIFO || shape_fault(w->shape, NULL) != NULL)
        return rank;
    int64_t since = w->queued_ms == 0 ? w->submitted_ms : w->queued_ms;
    bool is_first = has_waited_enough(in, w->waited_ms + in->now_ms - since);
    rank.level = is_first ? -1 : served_level(w->shape, w->served_ms);
    return rank;
}

struct rank rank_running(const struct sched_input *in, uint32_t index)
{
    const struct sched_running *r = &in->running[index];
    struct rank rank = {.priority = r->priority, .submitted_ms = r->submitted_ms};
    if (in->policy->order == SCHED_ORDER_FIFO || shape_fault(r->shape, NULL) != NULL)
        return rank;
    rank.level = has_waited_enough(in, r->waited_ms)
                     ? -1
                     : served_level(r->shape, r->served_ms + in->now_ms - r->started_ms);
    return rank;
}

int rank_compare(const struct rank *a, const struct rank *b)
{
    if (a->priority != b->priority)
        return a->priority > b->priority ? -1 : 1;
    if (a->level != b->level)
        return a->level < b->level ? -1 : 1;
    if (a->submitted_ms != b->submitted_ms)
        return a->submitted_ms < b->submitted_ms ? -1 : 1;
    return 0;
}

static int compare_waiting(const void *a, const void *b, void *arg)
{
    const struct rank *ranks = arg;
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    int order = rank_compare(&ranks[x], &ranks[y]);
    return order != 0 ? order : x < y ? -1 : x > y;
}

bool lines_fill(struct lines *lines, const struct sched_input *in, struct arena *arena)
{
    uint32_t queues = in->queue_count == 0 ? 1 : in->queue_count;
    *lines = (struct lines){.queue_count = queues};
    lines->list = arena_array(arena, in->waiting_count, sizeof(*lines->list));
    lines->ranks = arena_array(arena, in->waiting_count, sizeof(*lines->ranks));
    lines->first = arena_array(arena, queues + 1, sizeof(*lines->first));
    lines->next = arena_array(arena, queues + 1, sizeof(*lines->next));
    if (lines->list == NULL || lines->ranks == NULL || lines->first == NULL || lines->next == NULL)
        return false;
    for (uint32_t i = 0; i < in->waiting_count; i++) {
        lines->ranks[i] = rank_waiting(in, i);
        lines->first[(in->queue_count == 0 ? 0 : in->waiting[i].queue) + 1]++;
    }
    for (uint32_t q = 0; q < queues; q++) {
        lines->first[q + 1] += lines->first[q];
        lines->next[q] = lines->first[q];
    }
    for (uint32_t i = 0; i < in->waiting_count; i++)
        lines->list[lines->next[in->queue_count == 0 ? 0 : in->waiting[i].queue]++] = i;
    for (uint32_t q = 0; q < queues; q++) {
        qsort_r(lines->list + lines->first[q], lines->first[q + 1] - lines->first[q],
                sizeof(*lines->list), compare_waiting, lines->ranks);
        lines->next[q] = lines->first[q];
    }
    return true;
}
