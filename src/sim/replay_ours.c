/* The trace through sched_run, on nodes, as berthd would: no durations known. */
#include <string.h>
#include "base/alloc.h"
#include "sched/learn.h"
#include "sim/replay.h"

#define GIB            (1ull << 30)
#define CLOCK_START_MS 1000000000000ll /* any date: sched wants wall time */

struct ours {
    struct sched_policy policy;
    struct sched_node *nodes;
    struct sched_gpu *gpus;     /* node after node */
    struct sched_shape *shapes; /* by GPUs */
    struct sched_role (*roles)[2];
    struct sched_waiting *waiting;
    struct sched_running *running;
    struct sched_queue *queues;
    struct sched_history *histories; /* by queue and size of job */
    struct arena arena;              /* of one pass */
};

#define SIZES 8

/* Run times are learned per queue and power of two of GPUs. */
static struct sched_history *history_of(struct ours *o, const struct replay_job *job)
{
    uint32_t size = 0;
    while (size + 1 < SIZES && (1u << size) < job->gpus)
        size++;
    return &o->histories[job->queue * SIZES + size];
}

void replay_ours_ended(struct replay *r, const struct replay_job *job)
{
    struct ours *o = r->state;
    if (o != NULL)
        sched_history_add(history_of(o, job), job->served_ms);
}

static const char *const models[] = {"GPU"};

/* Whole nodes as far as they go, and a rest. */
static void fill_shape(struct replay *r, struct ours *o, uint32_t gpus)
{
    uint32_t whole = gpus / r->gpus_per_node, rest = gpus % r->gpus_per_node, count = 0;
    struct sched_role *roles = o->roles[gpus];
    if (whole > 0)
        roles[count++] = (struct sched_role){.count = whole, .gpu_milli = 1000 * r->gpus_per_node};
    if (rest > 0)
        roles[count++] = (struct sched_role){.count = 1, .gpu_milli = 1000 * (int64_t)rest};
    for (uint32_t i = 0; i < count; i++) {
        roles[i].count_max = roles[i].count;
        roles[i].cpu_milli = roles[i].gpu_milli;
        roles[i].memory_bytes = (uint64_t)(roles[i].gpu_milli / 1000) * GIB;
    }
    o->shapes[gpus] = (struct sched_shape){.roles = roles,
                                           .role_count = count,
                                           .together = -1,
                                           .node = SCHED_NONE,
                                           .pool = SCHED_NONE,
                                           .site = SCHED_NONE};
}

/* Guarantees: each queue's share of all GPU time asked for. */
static void fill_queues(struct replay *r, struct ours *o)
{
    double total = 0, by_queue[256] = {0};
    int64_t capacity = 1000 * (int64_t)r->node_count * r->gpus_per_node;
    for (uint32_t i = 0; i < r->job_count; i++) {
        double service = (double)r->jobs[i].duration_ms * r->jobs[i].gpus;
        total += service;
        by_queue[r->jobs[i].queue] += service;
    }
    for (uint32_t q = 0; q < r->queue_count; q++) {
        struct sched_amount none = {-1, -1, -1, NULL};
        o->queues[q] = (struct sched_queue){
            .name = r->queue_names[q],
            .parent = SCHED_NONE,
            .guarantee = {0, 0, (int64_t)((double)capacity * by_queue[q] / total), NULL},
            .limit = none,
            .weight_milli = 1000,
            .user_limit_gpu_milli = -1,
        };
    }
}

static int set_up(struct replay *r, struct err *err)
{
    struct ours *o = arena_alloc(r->arena, sizeof(*o));
    size_t gpu_count = (size_t)r->node_count * r->gpus_per_node;
    if (o == NULL)
        return err_set(err, BERR_NOMEM, "out of memory");
    o->nodes = arena_array(r->arena, r->node_count, sizeof(*o->nodes));
    o->gpus = arena_array(r->arena, gpu_count, sizeof(*o->gpus));
    o->shapes = arena_array(r->arena, gpu_count + 1, sizeof(*o->shapes));
    o->roles = arena_array(r->arena, gpu_count + 1, sizeof(*o->roles));
    o->waiting = arena_array(r->arena, r->job_count, sizeof(*o->waiting));
    o->running = arena_array(r->arena, gpu_count, sizeof(*o->running));
    o->queues = arena_array(r->arena, r->queue_count, sizeof(*o->queues));
    o->histories = arena_array(r->arena, (size_t)r->queue_count * SIZES, sizeof(*o->histories));
    if (o->nodes == NULL || o->gpus == NULL || o->shapes == NULL || o->roles == NULL ||
        o->waiting == NULL || o->running == NULL || o->queues == NULL || o->histories == NULL)
        return err_set(err, BERR_NOMEM, "out of memory");
    sched_policy_default(&o->policy);
    o->policy.order = SCHED_ORDER_FAIR;
    o->policy.preempt = true;
    o->policy.preempt_cost_ms = r->preempt_cost_ms;
    if (r->wait_bound_ms >= 0)
        o->policy.wait_bound_ms = r->wait_bound_ms;
    for (size_t g = 0; g < gpu_count; g++)
        o->gpus[g] = (struct sched_gpu){
            .index = (uint16_t)(g % r->gpus_per_node), .numa = -1, .usable = true};
    for (uint32_t n = 0; n < r->node_count; n++)
        o->nodes[n] = (struct sched_node){.id = n,
                                          .name = "node",
                                          .usable = true,
                                          .cpu_milli = 1000 * (int64_t)r->gpus_per_node,
                                          .memory_bytes = r->gpus_per_node * GIB,
                                          .level = {n, SCHED_NONE, SCHED_NONE, 0},
                                          .pool = SCHED_NONE,
                                          .gpu_count = r->gpus_per_node,
                                          .gpus = o->gpus + (size_t)n * r->gpus_per_node};
    for (uint32_t g = 1; g <= gpu_count; g++)
        fill_shape(r, o, g);
    if (r->has_queues)
        fill_queues(r, o);
    o->arena = ARENA(1ull << 30);
    r->state = o;
    return 0;
}

/* ---- a pass ---- */

static void clear_use(struct replay *r, struct ours *o)
{
    for (uint32_t n = 0; n < r->node_count; n++) {
        o->nodes[n].cpu_used_milli = 0;
        o->nodes[n].memory_used_bytes = 0;
    }
    for (size_t g = 0; g < (size_t)r->node_count * r->gpus_per_node; g++)
        o->gpus[g].used_milli = 0;
}

static void take_running(struct replay *r, struct ours *o)
{
    for (uint32_t i = 0; i < r->running.count; i++) {
        const struct replay_job *job = &r->jobs[r->running.items[i]];
        o->running[i] = (struct sched_running){
            .id = r->running.items[i],
            .queue = job->queue,
            .shape = &o->shapes[job->gpus],
            .slots = job->slots,
            .slot_count = job->slot_count,
            .started_ms = CLOCK_START_MS + job->since_ms,
            .submitted_ms = CLOCK_START_MS + job->submit_ms,
            .served_ms = job->served_ms,
            .waited_ms = job->waited_ms,
            .preemptible = true,
        };
        struct sched_running *run = &o->running[i];
        if (sched_history_expect(history_of(o, job), replay_served(r, job), &run->expect_ms,
                                 &run->expect_spread_ms))
            run->expect_ms -= job->served_ms; /* from this start on */
        for (uint32_t k = 0; k < job->slot_count; k++) {
            const struct sched_slot *slot = &job->slots[k];
            o->nodes[slot->node].cpu_used_milli += 1000 * (int64_t)slot->gpu_count;
            o->nodes[slot->node].memory_used_bytes += slot->gpu_count * GIB;
            for (uint32_t g = 0; g < slot->gpu_count; g++)
                o->gpus[(size_t)slot->node * r->gpus_per_node + slot->gpus[g]].used_milli = 1000;
        }
    }
}

static void take_waiting(struct replay *r, struct ours *o)
{
    for (uint32_t i = 0; i < r->waiting.count; i++) {
        const struct replay_job *job = &r->jobs[r->waiting.items[i]];
        o->waiting[i] = (struct sched_waiting){
            .id = r->waiting.items[i],
            .queue = job->queue,
            .shape = &o->shapes[job->gpus],
            .submitted_ms = CLOCK_START_MS + job->submit_ms,
            .queued_ms = CLOCK_START_MS + job->since_ms,
            .served_ms = job->served_ms,
            .waited_ms = job->waited_ms,
            .array_count = 1,
        };
        struct sched_waiting *wait = &o->waiting[i];
        if (sched_history_expect(history_of(o, job), job->served_ms, &wait->expect_ms,
                                 &wait->expect_spread_ms))
            wait->expect_ms -= job->served_ms;
    }
}

/* Slots outlive the pass: a job keeps a copy until it stops. */
static int keep_slots(struct replay_job *job, const struct sched_action *action, struct err *err)
{
    size_t gpus = 0;
    for (uint32_t i = 0; i < action->slot_count; i++)
        gpus += action->slots[i].gpu_count;
    size_t head = action->slot_count * sizeof(struct sched_slot);
    struct sched_slot *slots = mem_alloc(head + gpus * sizeof(uint16_t));
    if (slots == NULL)
        return err_set(err, BERR_NOMEM, "out of memory");
    uint16_t *at = (uint16_t *)(void *)((char *)slots + head);
    for (uint32_t i = 0; i < action->slot_count; i++) {
        slots[i] = action->slots[i];
        slots[i].gpus = at;
        memcpy(at, action->slots[i].gpus, slots[i].gpu_count * sizeof(uint16_t));
        at += slots[i].gpu_count;
    }
    job->slots = slots;
    job->slot_count = action->slot_count;
    return 0;
}

static int act(struct replay *r, struct ours *o, const struct sched_plan *plan, struct err *err)
{
    int rc = 0;
    bool has_preempted = false;
    for (uint32_t i = 0; i < plan->action_count && rc == 0; i++) {
        const struct sched_action *action = &plan->actions[i];
        if (action->kind == SCHED_PREEMPT) {
            replay_stop(r, (uint32_t)o->running[action->index].id);
            has_preempted = true;
        } else if (action->kind == SCHED_START) {
            uint32_t job = (uint32_t)o->waiting[action->index].id;
            rc = keep_slots(&r->jobs[job], action, err);
            if (rc == 0)
                replay_start(r, job);
        }
    }
    for (uint32_t i = 0; i < plan->hold_count; i++) {
        struct replay_job *job = &r->jobs[o->waiting[plan->holds[i].index].id];
        if (job->submit_ms == r->now_ms && plan->holds[i].eta_ms != 0)
            job->eta_ms = plan->holds[i].eta_ms - CLOCK_START_MS;
    }
    r->wake_ms = plan->wake_ms == 0 ? 0 : plan->wake_ms - CLOCK_START_MS;
    if (has_preempted) /* who was moved wants to go on at once */
        r->wake_ms = r->now_ms + 1;
    return rc;
}

int replay_ours(struct replay *r, struct err *err)
{
    if (r->state == NULL) {
        int rc = set_up(r, err);
        if (rc != 0)
            return rc;
    }
    struct ours *o = r->state;
    r->wake_ms = 0;
    if (r->waiting.count == 0)
        return 0;
    clear_use(r, o);
    take_running(r, o);
    take_waiting(r, o);
    struct sched_input in = {
        .now_ms = CLOCK_START_MS + r->now_ms,
        .policy = &o->policy,
        .nodes = o->nodes,
        .node_count = r->node_count,
        .models = models,
        .model_count = 1,
        .queues = o->queues,
        .queue_count = r->has_queues ? r->queue_count : 0,
        .running = o->running,
        .running_count = r->running.count,
        .waiting = o->waiting,
        .waiting_count = r->waiting.count,
    };
    struct sched_plan plan = {0};
    int rc = sched_run(&in, &o->arena, &plan, err);
    if (rc == 0)
        rc = act(r, o, &plan, err);
    arena_reset(&o->arena);
    return rc;
}
