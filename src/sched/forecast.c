/*
 * When waiting work will start: amounts only, no nodes. Running work ends when its limit or its
 * learned run time says; who waits starts in order as soon as enough has ended. The answer is as
 * good as what is known about run times, so it always comes with a range.
 */
#include "sched/pass.h"

#include <stdlib.h>

#define LOOK_AT_MOST 1000          /* waiting work; those behind are extrapolated */
#define OVERDUE_MS   (60ll * 1000) /* work that should have ended by now */
#define PREEMPT_MS   (60ll * 1000)

struct ending {
    int64_t time_ms, gpu_milli, cpu_milli;
};

struct forecast {
    struct ending *heap; /* soonest first */
    uint32_t count;
    int64_t gpu_free, cpu_free, time_ms;
};

static void push(struct forecast *f, struct ending e)
{
    uint32_t at = f->count++;
    while (at > 0 && f->heap[(at - 1) / 2].time_ms > e.time_ms) {
        f->heap[at] = f->heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    f->heap[at] = e;
}

static struct ending pop(struct forecast *f)
{
    struct ending top = f->heap[0], last = f->heap[--f->count];
    uint32_t at = 0;
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child >= f->count)
            break;
        if (child + 1 < f->count && f->heap[child + 1].time_ms < f->heap[child].time_ms)
            child++;
        if (f->heap[child].time_ms >= last.time_ms)
            break;
        f->heap[at] = f->heap[child];
        at = child;
    }
    f->heap[at] = last;
    return top;
}

/* 0: nobody knows. */
static int64_t end_of(const struct sched_input *in, const struct sched_running *r)
{
    int64_t end = r->expect_ms > 0 ? r->started_ms + r->expect_ms : r->ends_by_ms;
    if (r->ends_by_ms > 0 && end > r->ends_by_ms)
        end = r->ends_by_ms;
    if (in->policy->preempt && r->preemptible) {
        int64_t may_go = r->started_ms + in->policy->min_run_ms;
        if (may_go < in->now_ms)
            may_go = in->now_ms + PREEMPT_MS;
        end = end == 0 || may_go < end ? may_go : end;
    }
    if (end != 0 && end <= in->now_ms)
        end = in->now_ms + OVERDUE_MS;
    return end;
}

static int64_t run_time(const struct sched_waiting *w)
{
    if (w->expect_ms > 0)
        return w->expect_ms;
    return w->limit_ms > 0 ? w->limit_ms : 3600 * 1000;
}

static bool begin(struct pass *p, struct forecast *f)
{
    const struct sched_input *in = p->in;
    f->heap = arena_array(p->arena, (size_t)in->running_count + LOOK_AT_MOST + in->waiting_count,
                          sizeof(*f->heap));
    if (f->heap == NULL)
        return false;
    f->time_ms = in->now_ms;
    for (uint32_t i = 0; i < p->now.alive_count;
         i++) { /* what started in this pass is off already */
        const struct cl_state *s = &p->now.states[p->now.alive[i]];
        if (!p->now.classes[s->class_id].usable)
            continue;
        f->gpu_free += s->gpu_free_milli * s->live;
        f->cpu_free += s->cpu_free * s->live;
    }
    for (uint32_t i = 0; i < in->running_count; i++) {
        int64_t end = end_of(in, &in->running[i]);
        struct ask ask;
        if (end == 0 || p->gone[i] || shape_fault(in->running[i].shape, NULL) != NULL)
            continue;
        ask = ask_of(in->running[i].shape);
        push(f, (struct ending){end, ask.gpu_milli, ask.cpu_milli});
    }
    return true;
}

/* When so much is free, in order; 0 when it never is as far as anybody knows. It is held, so what
 * is free now is not where it is wanted: the next end is the first chance. */
static int64_t find_start(struct forecast *f, const struct ask *ask, int64_t now_ms)
{
    if (f->time_ms <= now_ms && f->count > 0) {
        struct ending e = pop(f);
        f->time_ms = e.time_ms;
        f->gpu_free += e.gpu_milli;
        f->cpu_free += e.cpu_milli;
    }
    if (f->time_ms <= now_ms)
        return 0;
    while (f->gpu_free < ask->gpu_milli || f->cpu_free < ask->cpu_milli) {
        if (f->count == 0)
            return 0;
        struct ending e = pop(f);
        f->time_ms = e.time_ms > f->time_ms ? e.time_ms : f->time_ms;
        f->gpu_free += e.gpu_milli;
        f->cpu_free += e.cpu_milli;
    }
    return f->time_ms;
}

static void tell(const struct sched_input *in, struct sched_hold *h, int64_t eta_ms)
{
    h->eta_ms = eta_ms;
    h->eta_low_ms = in->now_ms + (eta_ms - in->now_ms) / 2;
    h->eta_high_ms = in->now_ms + (eta_ms - in->now_ms) * 2;
}

bool forecast_fill(struct pass *p, struct sched_hold *holds, uint32_t count)
{
    struct forecast f = {0};
    uint32_t looked = 0;
    if (count == 0)
        return true;
    if (!begin(p, &f))
        return false;
    for (uint32_t i = 0; i < count; i++) {
        struct sched_hold *h = &holds[i];
        const struct sched_waiting *w = &p->in->waiting[h->index];
        if (h->code == SCHED_HOLD_IMPOSSIBLE || h->code == SCHED_HOLD_NODES_AWAY ||
            h->code == SCHED_HOLD_BACKOFF)
            continue;
        if (looked == LOOK_AT_MOST) { /* as far behind as the line is long */
            int64_t wait = f.time_ms - p->in->now_ms;
            tell(p->in, h, p->in->now_ms + wait / LOOK_AT_MOST * (i + 1));
            continue;
        }
        struct ask ask = ask_of(w->shape);
        int64_t eta = find_start(&f, &ask, p->in->now_ms);
        if (eta == 0)
            continue;
        looked++;
        f.gpu_free -= ask.gpu_milli;
        f.cpu_free -= ask.cpu_milli;
        push(&f, (struct ending){eta + run_time(w), ask.gpu_milli, ask.cpu_milli});
        tell(p->in, h, eta);
    }
    return true;
}
