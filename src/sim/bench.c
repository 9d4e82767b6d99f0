/* berth-sim bench: how long one pass takes on a large cluster with a long line. */
#include <string.h>
#include <sys/resource.h>
#include "base/alloc.h"
#include "base/rand.h"
#include "js/js.h"
#include "sched/sched.h"
#include "sim/sim.h"

#define GIB    (1ull << 30)
#define GPUS   8
#define MODELS 4

struct bench {
    struct sched_policy policy;
    struct sched_node *nodes;
    struct sched_gpu *gpus;
    struct sched_queue *queues;
    struct sched_shape *shapes;
    struct sched_role *roles;
    struct sched_waiting *waiting;
    struct arena arena;
};

static const char *const models[MODELS] = {"A100", "H100", "T4", "V100"};
static const uint32_t model_numbers[MODELS] = {0, 1, 2, 3};

static bool make_nodes(struct bench *b, uint32_t count)
{
    b->nodes = arena_array(&b->arena, count, sizeof(*b->nodes));
    b->gpus = arena_array(&b->arena, (size_t)count * GPUS, sizeof(*b->gpus));
    if (b->nodes == NULL || b->gpus == NULL)
        return false;
    for (size_t g = 0; g < (size_t)count * GPUS; g++)
        b->gpus[g] = (struct sched_gpu){.index = (uint16_t)(g % GPUS), .numa = -1, .usable = true};
    for (uint32_t n = 0; n < count; n++)
        b->nodes[n] = (struct sched_node){.id = n,
                                          .name = "node",
                                          .model = n % MODELS,
                                          .gpu_memory_bytes = 40 * GIB,
                                          .usable = true,
                                          .cpu_milli = 96000,
                                          .memory_bytes = 768 * GIB,
                                          .disk_bytes = 4000 * GIB,
                                          .level = {n, n / 32, n / 512, 0},
                                          .pool = SCHED_NONE,
                                          .gpu_count = GPUS,
                                          .gpus = b->gpus + (size_t)n * GPUS};
    return true;
}

static bool make_queues(struct bench *b, uint32_t count)
{
    struct sched_amount open = {-1, -1, -1, NULL}, none = {0, 0, 0, NULL};
    b->queues = arena_array(&b->arena, count, sizeof(*b->queues));
    for (uint32_t q = 0; b->queues != NULL && q < count; q++)
        b->queues[q] = (struct sched_queue){.name = "queue",
                                            .parent = q < 10 ? SCHED_NONE : q % 10,
                                            .guarantee = none,
                                            .limit = open,
                                            .weight_milli = 1000 + q,
                                            .user_limit_gpu_milli = -1};
    return b->queues != NULL;
}

/* Gangs of 1 to 64 GPUs, most of them small, in 64 kinds. */
static bool make_waiting(struct bench *b, uint32_t count, uint32_t queues)
{
    static const uint32_t tasks[] = {1, 1, 1, 1, 1, 2, 4, 8}, gpus[] = {1, 1, 1, 2, 4, 8, 8, 8};
    struct rnd r;
    rnd_seed(&r, 1);
    b->shapes = arena_array(&b->arena, 64, sizeof(*b->shapes));
    b->roles = arena_array(&b->arena, 64, sizeof(*b->roles));
    b->waiting = arena_array(&b->arena, count, sizeof(*b->waiting));
    if (b->shapes == NULL || b->roles == NULL || b->waiting == NULL)
        return false;
    for (uint32_t k = 0; k < 64; k++) {
        b->roles[k] = (struct sched_role){.count = tasks[k % 8],
                                          .count_max = tasks[k % 8],
                                          .gpu_milli = 1000 * (int64_t)gpus[k % 8],
                                          .cpu_milli = 4000 * (int64_t)gpus[k % 8],
                                          .memory_bytes = 16 * GIB * gpus[k % 8],
                                          .models = &model_numbers[k / 8 % MODELS],
                                          .model_count = k < 32 ? 1 : 0};
        b->shapes[k] = (struct sched_shape){.roles = &b->roles[k],
                                            .role_count = 1,
                                            .together = -1,
                                            .node = SCHED_NONE,
                                            .pool = SCHED_NONE,
                                            .site = SCHED_NONE};
    }
    for (uint32_t i = 0; i < count; i++)
        b->waiting[i] = (struct sched_waiting){
            .id = i + 1,
            .queue = queues == 0 ? 0 : (uint32_t)rnd_below(&r, queues),
            .user = (uint32_t)rnd_below(&r, 500),
            .shape = &b->shapes[rnd_below(&r, 64)],
            .submitted_ms = (int64_t)rnd_below(&r, 1000000),
            .array_count = 1,
        };
    return true;
}

/* Of this process: what other work on the machine takes does not count. */
static int64_t cpu_us(void)
{
    struct rusage use;
    getrusage(RUSAGE_SELF, &use);
    return ((int64_t)use.ru_utime.tv_sec + use.ru_stime.tv_sec) * 1000000 + use.ru_utime.tv_usec +
           use.ru_stime.tv_usec;
}

static void print(struct buf *out, const struct sched_plan *plan, int64_t best_us,
                  size_t arena_bytes, uint32_t waiting)
{
    uint64_t tasks = 0;
    struct js_writer w;
    for (uint32_t i = 0; i < plan->action_count; i++)
        tasks += plan->actions[i].slot_count;
    js_w_init(&w, out);
    js_w_object(&w, NULL);
    js_w_f64(&w, "pass_cpu_ms", (double)best_us / 1000);
    js_w_u64(&w, "started", plan->action_count);
    js_w_u64(&w, "tasks_placed", tasks);
    js_w_u64(&w, "held", plan->hold_count);
    js_w_f64(&w, "placements_per_s", (double)tasks * 1000000 / (double)(best_us > 0 ? best_us : 1));
    js_w_f64(&w, "bytes_per_waiting", (double)arena_bytes / (double)waiting);
    js_w_end_object(&w);
    buf_putc(out, '\n');
}

int sim_bench(int argc, char **argv, struct buf *out, struct err *err)
{
    struct sim_option options[] = {
        {"nodes", "5000", "nodes with 8 GPUs each"},
        {"waiting", "100000", "gangs that wait"},
        {"queues", "200", "queues in a tree of two levels"},
        {"rounds", "5", "the best of so many is told"},
        {NULL, NULL, NULL},
    };
    double nodes = 0, waiting = 0, queues = 0, rounds = 0;
    int rc = sim_options(options, argc, argv, err);
    if (rc != 0 || (rc = sim_option_double(options, "nodes", &nodes, err)) != 0 ||
        (rc = sim_option_double(options, "waiting", &waiting, err)) != 0 ||
        (rc = sim_option_double(options, "queues", &queues, err)) != 0 ||
        (rc = sim_option_double(options, "rounds", &rounds, err)) != 0)
        return rc;
    struct bench b = {.arena = ARENA(2ull << 30)};
    struct arena pass = ARENA(2ull << 30);
    struct sched_plan plan = {0};
    sched_policy_default(&b.policy);
    b.policy.order = SCHED_ORDER_FAIR;
    if (!make_nodes(&b, (uint32_t)nodes) || !make_queues(&b, (uint32_t)queues) ||
        !make_waiting(&b, (uint32_t)waiting, (uint32_t)queues))
        rc = err_set(err, BERR_NOMEM, "out of memory");
    struct sched_input in = {.now_ms = 2000000,
                             .policy = &b.policy,
                             .nodes = b.nodes,
                             .node_count = (uint32_t)nodes,
                             .models = models,
                             .model_count = MODELS,
                             .queues = b.queues,
                             .queue_count = (uint32_t)queues,
                             .waiting = b.waiting,
                             .waiting_count = (uint32_t)waiting};
    int64_t best_us = INT64_MAX;
    for (int i = 0; i < (int)rounds && rc == 0; i++) {
        arena_reset(&pass);
        int64_t start_us = cpu_us();
        rc = sched_run(&in, &pass, &plan, err);
        int64_t took_us = cpu_us() - start_us;
        best_us = took_us < best_us ? took_us : best_us;
    }
    if (rc == 0)
        print(out, &plan, best_us, pass.used_bytes, (uint32_t)waiting);
    arena_done(&pass);
    arena_done(&b.arena);
    return rc;
}
