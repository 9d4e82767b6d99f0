/*
 * Policies to compare with, all by count of GPUs only: first come first served, the same with
 * skipping, shortest job first and shortest remaining service first by an oracle, and least
 * attained service. Service is GPU time.
 */
#include <stdlib.h>
#include "base/alloc.h"
#include "base/str.h"
#include "sim/replay.h"

#define LAS_TICK_MS (60 * 1000)

struct entry {
    int64_t key;
    uint32_t job;
};

static int compare_entries(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return x->job < y->job ? -1 : x->job > y->job;
}

static bool somebody_fits(const struct replay *r)
{
    for (uint32_t g = 1; g <= r->free_gpus && g < 1025; g++) {
        if (r->waiting_by_gpus[g] > 0)
            return true;
    }
    return false;
}

static struct entry *entries_of(uint32_t count)
{
    return mem_calloc(count + 1, sizeof(struct entry));
}

/* ---- without preemption: the waiting in order of a key that does not change ---- */

static int64_t key_of(const struct replay_job *job, bool is_shortest_first)
{
    return is_shortest_first ? job->duration_ms * job->gpus : job->submit_ms;
}

/* Only the first matters: look for it instead of sorting a long line at each event. */
static void start_first(struct replay *r, bool is_shortest_first)
{
    while (r->waiting.count > 0 && r->free_gpus > 0) {
        struct entry best = {INT64_MAX, UINT32_MAX};
        for (uint32_t i = 0; i < r->waiting.count; i++) {
            uint32_t job = r->waiting.items[i];
            struct entry entry = {key_of(&r->jobs[job], is_shortest_first), job};
            if (compare_entries(&entry, &best) < 0)
                best = entry;
        }
        if (r->jobs[best.job].gpus > r->free_gpus)
            return;
        replay_start(r, best.job);
    }
}

static int run_fifo(struct replay *r, struct err *err)
{
    start_first(r, false);
    return 0;
}

static int run_sjf(struct replay *r, struct err *err)
{
    start_first(r, true);
    return 0;
}

static int run_fifo_skip(struct replay *r, struct err *err)
{
    if (r->waiting.count == 0 || !somebody_fits(r))
        return 0;
    uint32_t count = r->waiting.count;
    struct entry *order = entries_of(count);
    if (order == NULL)
        return err_set(err, BERR_NOMEM, "out of memory");
    for (uint32_t i = 0; i < count; i++)
        order[i] =
            (struct entry){key_of(&r->jobs[r->waiting.items[i]], false), r->waiting.items[i]};
    qsort(order, count, sizeof(*order), compare_entries);
    for (uint32_t i = 0; i < count && somebody_fits(r); i++) {
        if (r->jobs[order[i].job].gpus <= r->free_gpus)
            replay_start(r, order[i].job);
    }
    mem_free(order);
    return 0;
}

/* ---- with preemption: everybody in order of a key, from the front as far as GPUs last ---- */

static int run_by_service(struct replay *r, bool is_remaining, struct err *err)
{
    uint32_t count = 0;
    if (r->waiting.count == 0)
        return 0;
    struct entry *order = entries_of(r->running.count + r->waiting.count);
    if (order == NULL)
        return err_set(err, BERR_NOMEM, "out of memory");
    const struct replay_list *lists[2] = {&r->running, &r->waiting};
    for (int l = 0; l < 2; l++) {
        for (uint32_t i = 0; i < lists[l]->count; i++) {
            const struct replay_job *job = &r->jobs[lists[l]->items[i]];
            int64_t service = is_remaining ? replay_remaining(r, job) : replay_served(r, job);
            order[count++] = (struct entry){service * job->gpus, lists[l]->items[i]};
        }
    }
    qsort(order, count, sizeof(*order), compare_entries);
    uint32_t left = r->node_count * r->gpus_per_node;
    for (uint32_t i = 0; i < count; i++) {
        bool does_run = r->jobs[order[i].job].gpus <= left;
        left -= does_run ? r->jobs[order[i].job].gpus : 0;
        order[i].key = does_run;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (!order[i].key && r->jobs[order[i].job].is_running)
            replay_stop(r, order[i].job);
    }
    for (uint32_t i = 0; i < count; i++) {
        if (order[i].key && !r->jobs[order[i].job].is_running)
            replay_start(r, order[i].job);
    }
    mem_free(order);
    return 0;
}

static int run_srsf(struct replay *r, struct err *err)
{
    return run_by_service(r, true, err);
}

static int run_las(struct replay *r, struct err *err)
{
    r->wake_ms = r->waiting.count > 0 ? r->now_ms + LAS_TICK_MS : 0;
    return run_by_service(r, false, err);
}

replay_policy_fn *replay_rival_find(const char *name)
{
    static const struct {
        const char *name;
        replay_policy_fn *run;
    } rivals[] = {{"fifo", run_fifo},
                  {"fifo-skip", run_fifo_skip},
                  {"sjf", run_sjf},
                  {"srsf", run_srsf},
                  {"las", run_las}};
    for (size_t i = 0; i < ARRAY_LEN(rivals); i++) {
        if (str_is_equal(rivals[i].name, name))
            return rivals[i].run;
    }
    return NULL;
}
