/*
 * sched: snapshot + policy + now -> plan. Pure and deterministic: the same input gives the same
 * bytes of output, on every compiler. Knows no clock, disk, socket, log.
 *
 * The caller fills a sched_input (a value: everything is pointed at, nothing is kept), calls
 * sched_run and gets a sched_plan whose memory lives in the arena passed in. Actions are
 * proposals: the caller checks each against its ledger before acting; a refused one leads to a
 * new pass. Things refer to each other by index into the input's arrays; ids are the caller's and
 * are only copied.
 *
 * Errors: INVALID when the input contradicts itself (index out of range, a cycle in the queue
 * tree, a GPU held twice); NOMEM. Nonsense from users (negative, huge requests) is not an error:
 * such work is held with the reason. One thread per call.
 */
#ifndef BERTH_SCHED_SCHED_H
#define BERTH_SCHED_SCHED_H

#include <stdbool.h>
#include <stdint.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

#define SCHED_NONE   UINT32_MAX
#define SCHED_LEVELS 4 /* host (the node itself), rack, room, site */

/* ---- input ---- */

struct sched_gpu {
    uint16_t index;      /* the caller's name of it on the node */
    uint16_t link_group; /* 0: none */
    int16_t numa;        /* -1: unknown */
    bool usable;         /* healthy, not quarantined */
    int64_t used_milli;  /* by attempts of this input and by others, 0..1000 */
};

struct sched_node {
    uint32_t id; /* caller's */
    const char *name;
    uint32_t model; /* number of its GPU model, SCHED_NONE without GPUs */
    uint64_t gpu_memory_bytes;
    bool usable;         /* ready, not drained */
    int64_t drain_at_ms; /* a maintenance window begins; 0: none */
    int64_t cpu_milli, cpu_used_milli;
    uint64_t memory_bytes, memory_used_bytes;
    uint64_t disk_bytes, disk_used_bytes;
    uint32_t level[SCHED_LEVELS]; /* number of its host, rack, room, site; SCHED_NONE unknown */
    uint32_t pool;
    uint32_t gpu_count;
    const struct sched_gpu *gpus;
};

/* A set of tasks alike. */
struct sched_role {
    uint32_t count, count_max; /* minimum and most tasks */
    int64_t cpu_milli;
    uint64_t memory_bytes, disk_bytes;
    int64_t gpu_milli;      /* per task, thousandths; above 1000 only whole GPUs */
    const uint32_t *models; /* acceptable models; model_count 0: any */
    uint32_t model_count;
    uint64_t gpu_memory_min_bytes;
    bool apart; /* its tasks on different nodes */
};

struct sched_shape {
    const struct sched_role *roles;
    uint32_t role_count;
    int8_t together; /* level 0..3 that all tasks should share; -1: don't care */
    bool together_hard;
    uint32_t node;       /* index of the only node allowed; SCHED_NONE: any */
    uint32_t pool, site; /* SCHED_NONE: any */
};

/* Where one task is or shall be. */
struct sched_slot {
    uint32_t role, node; /* indexes */
    uint32_t gpu_count;
    const uint16_t *gpus; /* caller's GPU indexes */
    int64_t gpu_milli;    /* of each of them: 1000, or the share of the only one */
};

struct sched_running {
    uint64_t id; /* caller's: workload */
    uint32_t queue, user, project;
    int32_t priority;
    const struct sched_shape *shape;
    const struct sched_slot *slots;
    uint32_t slot_count;
    int64_t started_ms;
    int64_t ends_by_ms;                  /* time limit or lease; 0: unknown */
    int64_t expect_ms, expect_spread_ms; /* learned run time from start; 0: unknown */
    int64_t checkpoint_ms;               /* last known; 0: none, all is lost with it */
    bool preemptible, suspendable;
    int64_t submitted_ms;
    int64_t served_ms; /* run time of earlier attempts that is not lost */
    int64_t waited_ms; /* all its waiting up to this start */
    bool leaving;      /* told to stop already: its room will be free soon */
};

struct sched_waiting {
    uint64_t id;
    uint32_t queue, user, project;
    int32_t priority;
    const struct sched_shape *shape;
    int64_t submitted_ms;
    int64_t not_before_ms; /* back-off; 0: none */
    int64_t limit_ms;      /* time limit; 0: none */
    int64_t expect_ms, expect_spread_ms;
    uint32_t attempts;          /* tries before */
    uint32_t array_count;       /* items left of an array; 1 for single work */
    const uint64_t *site_bytes; /* per site: bytes of inputs already there; NULL unknown */
    int64_t served_ms;          /* run time of earlier attempts that is not lost */
    int64_t waited_ms;          /* earlier waiting, before queued_ms */
    int64_t queued_ms;          /* since when it waits now; 0: since submitted_ms */
};

/* Amounts of what a queue may use. gpu per model; model_count of the input. */
struct sched_amount {
    int64_t cpu_milli;              /* -1: no bound */
    int64_t memory_bytes;           /* -1: no bound */
    int64_t gpu_milli;              /* of all models; -1: no bound */
    const int64_t *gpu_model_milli; /* [model_count], each -1: no bound; NULL: none */
};

struct sched_queue {
    const char *name;
    uint32_t parent; /* SCHED_NONE at the top */
    struct sched_amount guarantee, limit;
    int64_t weight_milli;         /* of what is over the guarantees; 1000 = 1 */
    double usage;                 /* decayed, in GPU-ms equivalents */
    int64_t user_limit_gpu_milli; /* per user in this queue; -1: none */
};

/* Capacity set aside from start to end for a set of users of a queue. */
struct sched_reservation {
    uint64_t id;
    int64_t start_ms, end_ms;
    uint32_t queue, node; /* node SCHED_NONE: gpu_milli anywhere in the site */
    int64_t gpu_milli, cpu_milli;
    uint64_t memory_bytes;
};

#define SCHED_ORDER_LIST(X) X(FIFO, "fifo") X(FAIR, "fair")
enum sched_order {
#define X(sym, name) SCHED_ORDER_##sym,
    SCHED_ORDER_LIST(X)
#undef X
};

struct sched_policy {
    int order; /* enum sched_order */
    bool skip; /* work that fits may start before work that doesn't */
    bool preempt;
    int64_t min_run_ms;               /* before it, nobody is preempted */
    int64_t preempt_cost_ms;          /* what a preemption costs its victim beside lost work */
    int64_t half_life_ms;             /* of usage */
    int64_t gpu_cpu_reserve_milli;    /* per idle GPU, kept from CPU-only work; -1: node's share */
    int64_t gpu_memory_reserve_bytes; /* per idle GPU; -1: node's share */
    uint32_t backfill_depth;          /* reservations made for work at the head; 0: none */
    int64_t wait_bound_ms; /* FAIR: who has waited so long in all goes first and stays; 0: none */
};
void sched_policy_default(struct sched_policy *policy);

struct sched_input {
    int64_t now_ms;
    const struct sched_policy *policy;
    const struct sched_node *nodes;
    uint32_t node_count;
    const char *const *models; /* names, for reasons */
    uint32_t model_count;
    const char *const *sites;
    uint32_t site_count;
    const struct sched_queue *queues; /* may be NULL with count 0: one queue without bounds */
    uint32_t queue_count;
    const struct sched_running *running;
    uint32_t running_count;
    const struct sched_waiting *waiting;
    uint32_t waiting_count;
    const struct sched_reservation *reservations;
    uint32_t reservation_count;
};

/* ---- output ---- */

#define SCHED_ACTION_LIST(X) \
    X(START, "start")        \
    X(PREEMPT, "preempt")    \
    X(SUSPEND, "suspend") X(RESUME, "resume") X(GROW, "grow") X(SHRINK, "shrink")
enum sched_action_kind {
#define X(sym, name) SCHED_##sym,
    SCHED_ACTION_LIST(X)
#undef X
};

struct sched_action {
    enum sched_action_kind kind;
    uint32_t index;                 /* into waiting for START and RESUME, else into running */
    const struct sched_slot *slots; /* START, RESUME, GROW: where */
    uint32_t slot_count;
    const char *why; /* PREEMPT, SUSPEND, SHRINK: in words */
};

/* The dominant reason of a wait. X(symbol, stable name)
 *   resources     would fit, but others use it
 *   impossible    no node or set of nodes could ever hold it
 *   nodes-away    fits only nodes that are drained or not ready
 */
#define SCHED_HOLD_LIST(X)        \
    X(RESOURCES, "resources")     \
    X(IMPOSSIBLE, "impossible")   \
    X(QUEUE_LIMIT, "queue-limit") \
    X(QUEUE_SHARE, "queue-share") \
    X(USER_LIMIT, "user-limit")   \
    X(TOPOLOGY, "topology")       \
    X(RESERVED, "reserved")       \
    X(ORDER, "order")             \
    X(BACKOFF, "back-off")        \
    X(NODES_AWAY, "nodes-away")
enum sched_hold_code {
#define X(sym, name) SCHED_HOLD_##sym,
    SCHED_HOLD_LIST(X)
#undef X
};
const char *sched_hold_name(enum sched_hold_code code);

struct sched_hold {
    uint32_t index; /* into waiting */
    enum sched_hold_code code;
    const char *reason; /* "no node has 8 free GPUs of A100: the largest free block is 5 on n3" */
    const char *remedy; /* what would let it start now; NULL when nothing would */
    uint32_t place;     /* 1 is next */
    int64_t eta_ms;     /* expected start, wall time; 0: unknown */
    int64_t eta_low_ms, eta_high_ms;
};

struct sched_plan {
    const struct sched_action *actions; /* in the order to be taken: victims before winners */
    uint32_t action_count;
    const struct sched_hold *holds; /* one for each waiting workload that is not started */
    uint32_t hold_count;
    int64_t wake_ms; /* when a new pass is worth it without news; 0: only on news */
};

int sched_run(const struct sched_input *in, struct arena *arena, struct sched_plan *ret_plan,
              struct err *err);

/* The same plan as text, one line an action or hold: for tests, logs and `--dry-run`. */
void sched_plan_print(const struct sched_input *in, const struct sched_plan *plan, struct buf *out);

#endif
