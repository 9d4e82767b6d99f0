/*
 * Order within a queue. FIFO: priority, then who came first. FAIR: priority, then who has waited
 * longer than the bound (they get half of the cluster), then who was served least so far. Served time is counted in GPU time and
 * in powers of two, so that work of about the same past is served in order of arrival and nobody is
 * swapped for a trifle: least attained service (Nuyens and Wierman 2008) in the discrete form of
 * Tiresias (Gu et al., NSDI 2019). It needs no run times, which users don't know.
 */
#include "sched/pass.h"

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

struct rank rank_waiting(const struct sched_input *in, uint32_t index)
{
    const struct sched_waiting *w = &in->waiting[index];
    struct rank rank = {.priority = w->priority, .submitted_ms = w->submitted_ms};
    if (in->policy->order != SCHED_ORDER_FIFO && shape_fault(w->shape, NULL) == NULL)
        rank.level = served_level(w->shape, w->served_ms);
    return rank;
}

struct rank rank_running(const struct sched_input *in, uint32_t index)
{
    const struct sched_running *r = &in->running[index];
    struct rank rank = {.priority = r->priority, .submitted_ms = r->submitted_ms};
    if (in->policy->order != SCHED_ORDER_FIFO && shape_fault(r->shape, NULL) == NULL)
        rank.level = served_level(r->shape, r->served_ms + in->now_ms - r->started_ms);
    return rank;
}

/* ---- who has waited longer than the bound ---- */

struct patient {
    struct rank *rank;
    int64_t width_milli;
    uint32_t number; /* running first, then waiting */
};

static int compare_patients(const void *a, const void *b)
{
    const struct patient *x = a, *y = b;
    int order = rank_compare(x->rank, y->rank);
    return order != 0 ? order : x->number < y->number ? -1 : x->number > y->number;
}

static int64_t total_width_milli(const struct sched_input *in)
{
    int64_t gpu = 0, cpu = 0;
    for (uint32_t n = 0; n < in->node_count; n++) {
        gpu += in->nodes[n].usable ? 1000 * (int64_t)in->nodes[n].gpu_count : 0;
        cpu += in->nodes[n].usable ? in->nodes[n].cpu_milli : 0;
    }
    return gpu > 0 ? gpu : cpu / 8;
}

static uint32_t find_patients(const struct sched_input *in, struct rank *waiting,
                              struct rank *running, struct patient *ret)
{
    int64_t bound = in->policy->wait_bound_ms;
    uint32_t count = 0;
    for (uint32_t i = 0; i < in->running_count; i++) {
        if (in->running[i].waited_ms > bound && shape_fault(in->running[i].shape, NULL) == NULL)
            ret[count++] = (struct patient){&running[i], width_milli(in->running[i].shape), i};
    }
    for (uint32_t i = 0; i < in->waiting_count; i++) {
        const struct sched_waiting *w = &in->waiting[i];
        int64_t since = w->queued_ms == 0 ? w->submitted_ms : w->queued_ms;
        if (w->waited_ms + in->now_ms - since > bound && shape_fault(w->shape, NULL) == NULL)
            ret[count++] =
                (struct patient){&waiting[i], width_milli(w->shape), in->running_count + i};
    }
    return count;
}

/* They get half of the cluster between them, so that a long jam does not turn all into a line. */
bool ranks_promote(const struct sched_input *in, struct rank *waiting, struct rank *running,
                   struct arena *arena)
{
    if (in->policy->order == SCHED_ORDER_FIFO || in->policy->wait_bound_ms <= 0)
        return true;
    struct patient *patients =
        arena_array(arena, (size_t)in->running_count + in->waiting_count, sizeof(*patients));
    if (patients == NULL)
        return false;
    uint32_t count = find_patients(in, waiting, running, patients);
    qsort(patients, count, sizeof(*patients), compare_patients);
    int64_t left = total_width_milli(in) * 5 / 8;
    for (uint32_t i = 0; i < count; i++) {
        if (patients[i].width_milli > left && i > 0)
            continue;
        left -= patients[i].width_milli;
        patients[i].rank->is_first = true;
    }
    return true;
}

int rank_compare(const struct rank *a, const struct rank *b)
{
    if (a->priority != b->priority)
        return a->priority > b->priority ? -1 : 1;
    if (a->is_first != b->is_first)
        return a->is_first ? -1 : 1;
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

bool lines_fill(struct lines *lines, const struct sched_input *in, struct rank *ranks,
                struct arena *arena)
{
    uint32_t queues = in->queue_count == 0 ? 1 : in->queue_count;
    *lines = (struct lines){.queue_count = queues, .ranks = ranks};
    lines->list = arena_array(arena, in->waiting_count, sizeof(*lines->list));
    lines->first = arena_array(arena, queues + 1, sizeof(*lines->first));
    lines->next = arena_array(arena, queues + 1, sizeof(*lines->next));
    if (lines->list == NULL || lines->first == NULL || lines->next == NULL)
        return false;
    for (uint32_t i = 0; i < in->waiting_count; i++) {
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
