/*
 * world: small scheduling inputs for tests. Nodes, work and queues are added by calls; world_plan
 * runs the scheduler and returns the plan as text. Everything lives in the world's arena.
 */
#ifndef BERTH_TEST_SCHED_WORLD_H
#define BERTH_TEST_SCHED_WORLD_H

#include <testlib.h>
#include "base/arena.h"
#include "base/buf.h"
#include "sched/sched.h"

#define WORLD_MAX 512
#define GIB       (1ull << 30)

struct world {
    struct arena arena;
    struct sched_policy policy;
    struct sched_input in;
    struct sched_node nodes[WORLD_MAX];
    struct sched_running running[WORLD_MAX];
    struct sched_waiting waiting[WORLD_MAX];
    struct sched_queue queues[64];
    struct sched_plan plan;
    struct buf text;
};

void world_init(struct world *w);
void world_done(struct world *w);

/* A node of site 0; model 0 is "A100", 1 "T4". Returns it for more settings. */
struct sched_node *world_node(struct world *w, const char *name, int64_t cpu, uint64_t memory_gib,
                              uint32_t gpus, uint32_t model);
struct sched_gpu *world_gpus(struct world *w, uint32_t node); /* to be changed before the plan */

/* One role of `count` tasks. Returns the shape for more settings. */
struct sched_shape *world_shape(struct world *w, uint32_t count, int64_t cpu_milli,
                                uint64_t memory_gib, int64_t gpu_milli);
struct sched_role *world_role(struct sched_shape *shape, uint32_t index);

/* Waiting work number 1, 2, …, submitted in this order within the last minute. */
struct sched_waiting *world_wait(struct world *w, const struct sched_shape *shape);
/* Running work number 1001, 1002, … of one task on a node; takes what it holds off the node. */
struct sched_running *world_run(struct world *w, uint32_t node, int64_t cpu_milli,
                                uint64_t memory_gib, uint32_t gpus, int64_t gpu_milli);

/* Runs; the test fails when the run does. */
const char *world_plan(struct world *w);
void world_expect(struct world *w, const char *plan);
/* The plan contains this line somewhere. */
void world_expect_part(struct world *w, const char *part);
void world_refuses(struct world *w, const char *part);

/* Fails the test when the plan breaks a promise: room taken twice, half a gang, work lost. */
void world_check(struct world *w);

#endif
