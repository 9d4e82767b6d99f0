/*
 * berth-sim fuzz: random clusters, work, faults and clocks that jump; after each pass the promises
 * of the scheduler are checked against books kept here. The first broken one is told with its seed.
 */
#include <stdio.h>
#include <string.h>
#include "base/alloc.h"
#include "base/rand.h"
#include "js/js.h"
#include "sched/sched.h"
#include "sim/sim.h"

#define NODES_MAX 8
#define GPUS_MAX  8
#define WORK_MAX  48
#define QUEUES    4
#define TASKS_MAX 32
#define GIB       (1ull << 30)
#define START_MS  1000000000000ll

struct work {
    struct sched_shape shape;
    struct sched_role role;
    uint32_t model;
    uint32_t queue, user;
    int32_t priority;
    int64_t submitted_ms, since_ms, served_ms, waited_ms, left_ms;
    bool is_running, is_gone, preemptible;
    struct sched_slot slots[TASKS_MAX];
    uint16_t gpus[TASKS_MAX][GPUS_MAX];
    uint32_t slot_count;
};

struct world {
    struct rnd rnd;
    uint64_t seed;
    struct sched_policy policy;
    struct sched_node nodes[NODES_MAX];
    struct sched_gpu gpus[NODES_MAX][GPUS_MAX];
    struct sched_queue queues[QUEUES];
    uint32_t node_count, queue_count;
    struct work work[WORK_MAX];
    uint32_t work_count;
    struct sched_running running[WORK_MAX];
    struct sched_waiting waiting[WORK_MAX];
    uint32_t running_work[WORK_MAX], waiting_work[WORK_MAX];
    struct sched_input in;
    struct arena arena;
    uint64_t passes, starts, preemptions;
};

static uint32_t below(struct world *w, uint32_t n)
{
    return (uint32_t)rnd_below(&w->rnd, n);
}

static int broken(const struct world *w, struct err *err, const char *what)
{
    return err_set(err, BERR_INTERNAL, "seed %llu, pass %llu: %s", (unsigned long long)w->seed,
                   (unsigned long long)w->passes, what);
}

/* ---- making ---- */

static void make_node(struct world *w, uint32_t n)
{
    uint32_t gpus = below(w, 3) == 0 ? 0 : 1 + below(w, GPUS_MAX);
    bool has_links = below(w, 3) == 0;
    for (uint32_t g = 0; g < gpus; g++)
        w->gpus[n][g] = (struct sched_gpu){.index = (uint16_t)g,
                                           .link_group = (uint16_t)(has_links ? 1 + g / 4 : 0),
                                           .numa = (int16_t)(g / 4),
                                           .usable = true};
    w->nodes[n] = (struct sched_node){.id = n,
                                      .name = "n",
                                      .model = gpus == 0 ? SCHED_NONE : below(w, 2),
                                      .gpu_memory_bytes = 16 * GIB,
                                      .usable = true,
                                      .cpu_milli = 1000 * (1 + (int64_t)below(w, 64)),
                                      .memory_bytes = GIB * (1 + below(w, 256)),
                                      .disk_bytes = 100 * GIB,
                                      .level = {n, below(w, 2), 0, 0},
                                      .pool = SCHED_NONE,
                                      .gpu_count = gpus,
                                      .gpus = w->gpus[n]};
}

static void make_world(struct world *w, uint64_t seed)
{
    static const struct sched_amount open = {-1, -1, -1, NULL};
    rnd_seed(&w->rnd, seed);
    w->seed = seed;
    sched_policy_default(&w->policy);
    w->policy.order = below(w, 2) == 0 ? SCHED_ORDER_FAIR : SCHED_ORDER_FIFO;
    w->policy.skip = below(w, 4) != 0;
    w->policy.preempt = below(w, 2) == 0;
    w->policy.min_run_ms = 60000 * (int64_t)below(w, 20);
    w->policy.wait_bound_ms = below(w, 2) == 0 ? 0 : 3600000;
    w->node_count = 1 + below(w, NODES_MAX);
    for (uint32_t n = 0; n < w->node_count; n++)
        make_node(w, n);
    w->queue_count = below(w, 2) == 0 ? 0 : QUEUES;
    for (uint32_t q = 0; q < w->queue_count; q++) {
        w->queues[q] = (struct sched_queue){.name = "q",
                                            .parent = q < 2 ? SCHED_NONE : below(w, 2),
                                            .guarantee = {0, 0, 1000 * (int64_t)below(w, 9), NULL},
                                            .limit = open,
                                            .weight_milli = below(w, 3000),
                                            .usage = below(w, 1000000),
                                            .user_limit_gpu_milli = -1};
        if (below(w, 3) ==
            0) /* never below what one piece of work may ask for: that would be held */
            w->queues[q].limit.gpu_milli = 8000 + 1000 * (int64_t)below(w, 16);
    }
}

static void add_work(struct world *w)
{
    uint32_t slot = 0;
    while (slot < w->work_count && !w->work[slot].is_gone)
        slot++;
    if (slot == WORK_MAX)
        return;
    if (slot == w->work_count)
        w->work_count++;
    struct work *job = &w->work[slot];
    *job = (struct work){.model = below(w, 2),
                         .queue = w->queue_count == 0 ? 0 : below(w, w->queue_count),
                         .user = below(w, 3),
                         .priority = (int32_t)below(w, 3) - 1,
                         .submitted_ms = w->in.now_ms,
                         .since_ms = w->in.now_ms,
                         .left_ms = 1000 * (1 + (int64_t)below(w, 20000)),
                         .preemptible = below(w, 2) == 0};
    uint32_t kind = below(w, 4);
    job->role = (struct sched_role){
        .count = 1 + (below(w, 3) == 0 ? below(w, 4) : 0),
        .cpu_milli = below(w, 8000),
        .memory_bytes = GIB * below(w, 16),
        .gpu_milli = kind == 0   ? 0
                     : kind == 1 ? 1 + below(w, 1000)
                                 : 1000 * (int64_t)(1 + below(w, 4)),
        .models = &job->model,
        .model_count = below(w, 3) == 0,
        .apart = below(w, 8) == 0,
    };
    job->role.count_max = job->role.count;
    job->shape = (struct sched_shape){.roles = &job->role,
                                      .role_count = 1,
                                      .together = (int8_t)((int)below(w, 4) - 1),
                                      .together_hard = below(w, 4) == 0,
                                      .node = SCHED_NONE,
                                      .pool = SCHED_NONE,
                                      .site = SCHED_NONE};
}

/* ---- playing ---- */

static void stop_work(struct world *w, struct work *job)
{
    for (uint32_t i = 0; i < job->slot_count; i++) {
        const struct sched_slot *slot = &job->slots[i];
        struct sched_node *node = &w->nodes[slot->node];
        node->cpu_used_milli -= job->role.cpu_milli;
        node->memory_used_bytes -= job->role.memory_bytes;
        for (uint32_t g = 0; g < slot->gpu_count; g++)
            w->gpus[slot->node][slot->gpus[g]].used_milli -= slot->gpu_milli;
    }
    job->is_running = false;
    job->slot_count = 0;
}

static void pass_time(struct world *w, bool has_faults)
{
    int64_t step_ms = 1000 * (1 + (int64_t)below(w, 3000));
    w->in.now_ms += step_ms;
    if (has_faults && below(w, 40) == 0)
        w->in.now_ms -= 1000 * (int64_t)below(w, 100000); /* clocks jump */
    for (uint32_t i = 0; i < w->work_count; i++) {
        struct work *job = &w->work[i];
        if (job->is_gone || !job->is_running)
            continue;
        job->left_ms -= step_ms;
        if (job->left_ms <= 0) {
            stop_work(w, job);
            job->is_gone = true;
        }
    }
    for (uint32_t n = 0; n < w->node_count; n++) {
        if (has_faults && below(w, 30) == 0) { /* a node vanishes with all that ran there */
            w->nodes[n].usable = !w->nodes[n].usable;
            for (uint32_t i = 0; i < w->work_count && !w->nodes[n].usable; i++) {
                struct work *job = &w->work[i];
                bool is_there = false;
                for (uint32_t k = 0; k < job->slot_count; k++)
                    is_there = is_there || job->slots[k].node == n;
                if (job->is_running && is_there) {
                    stop_work(w, job);
                    job->since_ms = w->in.now_ms;
                }
            }
        }
        if (!has_faults)
            w->nodes[n].usable = true;
    }
}

static void fill_input(struct world *w)
{
    static const char *const models[] = {"A", "B"};
    int64_t now_ms = w->in.now_ms;
    w->in = (struct sched_input){.now_ms = now_ms,
                                 .policy = &w->policy,
                                 .nodes = w->nodes,
                                 .node_count = w->node_count,
                                 .models = models,
                                 .model_count = 2,
                                 .queues = w->queues,
                                 .queue_count = w->queue_count,
                                 .running = w->running,
                                 .waiting = w->waiting};
    for (uint32_t i = 0; i < w->work_count; i++) {
        const struct work *job = &w->work[i];
        if (job->is_gone)
            continue;
        if (job->is_running) {
            w->running_work[w->in.running_count] = i;
            w->running[w->in.running_count++] =
                (struct sched_running){.id = i,
                                       .queue = job->queue,
                                       .user = job->user,
                                       .priority = job->priority,
                                       .shape = &job->shape,
                                       .slots = job->slots,
                                       .slot_count = job->slot_count,
                                       .started_ms = job->since_ms,
                                       .submitted_ms = job->submitted_ms,
                                       .served_ms = job->served_ms,
                                       .waited_ms = job->waited_ms,
                                       .preemptible = job->preemptible};
        } else {
            w->waiting_work[w->in.waiting_count] = i;
            w->waiting[w->in.waiting_count++] =
                (struct sched_waiting){.id = i,
                                       .queue = job->queue,
                                       .user = job->user,
                                       .priority = job->priority,
                                       .shape = &job->shape,
                                       .submitted_ms = job->submitted_ms,
                                       .queued_ms = job->since_ms,
                                       .served_ms = job->served_ms,
                                       .waited_ms = job->waited_ms,
                                       .array_count = 1};
        }
    }
}

/* ---- promises ---- */

static int start_work(struct world *w, const struct sched_action *action, struct err *err)
{
    struct work *job = &w->work[w->waiting_work[action->index]];
    if (action->slot_count != job->role.count)
        return broken(w, err, "half a gang was started");
    if (job->is_running)
        return broken(w, err, "work was started twice");
    job->is_running = true;
    job->waited_ms += w->in.now_ms > job->since_ms ? w->in.now_ms - job->since_ms : 0;
    job->since_ms = w->in.now_ms;
    job->slot_count = action->slot_count;
    for (uint32_t i = 0; i < action->slot_count; i++) {
        const struct sched_slot *slot = &action->slots[i];
        if (slot->node >= w->node_count || !w->nodes[slot->node].usable)
            return broken(w, err, "work was put on a node that is away");
        struct sched_node *node = &w->nodes[slot->node];
        if (slot->gpu_milli * slot->gpu_count != job->role.gpu_milli)
            return broken(w, err, "a task got another number of GPUs than asked for");
        job->slots[i] = *slot;
        job->slots[i].gpus = job->gpus[i];
        node->cpu_used_milli += job->role.cpu_milli;
        node->memory_used_bytes += job->role.memory_bytes;
        if (node->cpu_used_milli > node->cpu_milli || node->memory_used_bytes > node->memory_bytes)
            return broken(w, err, "a node got more work than it holds");
        for (uint32_t g = 0; g < slot->gpu_count; g++) {
            job->gpus[i][g] = slot->gpus[g];
            struct sched_gpu *gpu = &w->gpus[slot->node][slot->gpus[g]];
            gpu->used_milli += slot->gpu_milli;
            if (gpu->used_milli > 1000)
                return broken(w, err, "a GPU was given out twice");
            if (job->role.model_count > 0 && node->model != job->model)
                return broken(w, err, "a task got a GPU of the wrong model");
        }
        for (uint32_t k = 0; k < i; k++) {
            if (job->role.apart && action->slots[k].node == slot->node)
                return broken(w, err, "tasks that want to be apart share a node");
            if (job->shape.together_hard && job->shape.together == 0 &&
                action->slots[k].node != slot->node)
                return broken(w, err, "tasks that must share a host do not");
        }
    }
    return 0;
}

static int check_limits(const struct world *w, struct err *err)
{
    for (uint32_t q = 0; q < w->queue_count; q++) {
        int64_t used = 0;
        for (uint32_t i = 0; i < w->work_count; i++) {
            const struct work *job = &w->work[i];
            bool is_below = false;
            for (uint32_t up = job->queue; up != SCHED_NONE; up = w->queues[up].parent)
                is_below = is_below || up == q;
            if (job->is_running && is_below)
                used += job->role.gpu_milli * job->role.count;
        }
        if (w->queues[q].limit.gpu_milli >= 0 && used > w->queues[q].limit.gpu_milli)
            return broken(w, err, "a queue is over its limit");
    }
    return 0;
}

static int act(struct world *w, const struct sched_plan *plan, struct err *err)
{
    uint8_t fate[WORK_MAX] = {0};
    int rc = 0;
    for (uint32_t i = 0; i < plan->action_count && rc == 0; i++) {
        const struct sched_action *action = &plan->actions[i];
        if (action->kind == SCHED_PREEMPT) {
            struct work *job = &w->work[w->running_work[action->index]];
            if (!job->is_running)
                return broken(w, err, "work was stopped twice");
            if (w->in.now_ms - job->since_ms < w->policy.min_run_ms)
                return broken(w, err, "work was stopped before its minimum run time");
            if (!w->policy.preempt || (!job->preemptible && w->queue_count == 0))
                return broken(w, err, "work was stopped that may not be stopped");
            stop_work(w, job);
            job->served_ms += w->in.now_ms - job->since_ms;
            job->since_ms = w->in.now_ms;
            w->preemptions++;
        } else if (action->kind == SCHED_START) {
            fate[action->index]++;
            w->starts++;
            rc = start_work(w, action, err);
        }
    }
    for (uint32_t i = 0; i < plan->hold_count && rc == 0; i++) {
        fate[plan->holds[i].index]++;
        if (plan->holds[i].reason == NULL || plan->holds[i].reason[0] == '\0')
            rc = broken(w, err, "work waits without a reason");
    }
    for (uint32_t i = 0; i < w->in.waiting_count && rc == 0; i++) {
        if (fate[i] != 1)
            rc = broken(w, err, "work is neither started nor held");
    }
    return rc == 0 ? check_limits(w, err) : rc;
}

/* Work that only waits for room. */
static bool is_waiting_for_room(const struct sched_hold *h)
{
    return h->code == SCHED_HOLD_RESOURCES || h->code == SCHED_HOLD_ORDER ||
           h->code == SCHED_HOLD_QUEUE_SHARE;
}

static int one_pass(struct world *w, uint32_t *ret_hopeful, struct err *err)
{
    struct sched_plan plan = {0}, again = {0};
    fill_input(w);
    w->passes++;
    int rc = sched_run(&w->in, &w->arena, &plan, err);
    if (rc == 0 && w->passes % 16 == 0) { /* the same input gives the same bytes */
        struct buf first = BUF(1 << 20), second = BUF(1 << 20);
        rc = sched_run(&w->in, &w->arena, &again, err);
        sched_plan_print(&w->in, &plan, &first);
        sched_plan_print(&w->in, &again, &second);
        if (rc == 0 && strcmp(buf_str(&first), buf_str(&second)) != 0)
            rc = broken(w, err, "the same input gave another plan");
        buf_done(&first);
        buf_done(&second);
    }
    *ret_hopeful = 0;
    for (uint32_t i = 0; i < plan.hold_count; i++)
        *ret_hopeful += is_waiting_for_room(&plan.holds[i]);
    if (rc == 0)
        rc = act(w, &plan, err);
    arena_reset(&w->arena);
    return rc;
}

static int one_seed(struct world *w, uint64_t seed, struct err *err)
{
    uint32_t hopeful = 0;
    int rc = 0;
    w->work_count = 0;
    w->in.now_ms = START_MS;
    make_world(w, seed);
    for (int step = 0; step < 24 && rc == 0; step++) {
        for (uint32_t i = below(w, 6); i > 0; i--)
            add_work(w);
        rc = one_pass(w, &hopeful, err);
        pass_time(w, true);
    }
    /* No more work, no more faults: whoever can run must get to run. */
    for (int step = 0; step < 2000 && rc == 0; step++) {
        rc = one_pass(w, &hopeful, err);
        pass_time(w, false);
        bool is_running = false;
        for (uint32_t i = 0; i < w->work_count; i++)
            is_running = is_running || (w->work[i].is_running && !w->work[i].is_gone);
        if (hopeful == 0 && !is_running)
            return rc;
    }
    return rc != 0 ? rc : broken(w, err, "work starves");
}

int sim_fuzz(int argc, char **argv, struct buf *out, struct err *err)
{
    struct sim_option options[] = {
        {"seeds", NULL, "range of seeds like 1-10000"},
        {"output", "json", "json"},
        {NULL, NULL, NULL},
    };
    uint64_t first = 0, last = 0;
    int rc = sim_options(options, argc, argv, err);
    if (rc == 0)
        rc = sim_option_range(options, "seeds", &first, &last, err);
    struct world *w = rc == 0 ? mem_calloc(1, sizeof(*w)) : NULL;
    if (rc == 0 && w == NULL)
        rc = err_set(err, BERR_NOMEM, "out of memory");
    if (rc == 0)
        w->arena = ARENA(256u << 20);
    for (uint64_t seed = first; seed <= last && rc == 0; seed++)
        rc = one_seed(w, seed, err);
    if (rc == 0) {
        struct js_writer j;
        js_w_init(&j, out);
        js_w_object(&j, NULL);
        js_w_u64(&j, "seeds", last - first + 1);
        js_w_u64(&j, "passes", w->passes);
        js_w_u64(&j, "starts", w->starts);
        js_w_u64(&j, "preemptions", w->preemptions);
        js_w_u64(&j, "violations", 0);
        js_w_end_object(&j);
        buf_putc(out, '\n');
    }
    if (w != NULL)
        arena_done(&w->arena);
    mem_free(w);
    return rc;
}
