/*
 * pass: the rest of the working state of one scheduling pass: queues, order, kinds of waiting work,
 * preemption, forecasts, explanations. For this folder only.
 *
 * All memory lives in the arena of the pass. Functions that allocate return false (or -1) when
 * memory is short. One thread.
 */
#ifndef BERTH_SCHED_PASS_H
#define BERTH_SCHED_PASS_H

#include "sched/cluster.h"

/* ---- input.c ---- */

/* INVALID when the input contradicts itself; fills *ret_held. */
int input_check(const struct sched_input *in, struct arena *arena, struct held *ret_held,
                struct err *err);
/* NULL, or what is wrong with a shape in words; without an arena the words may be empty. */
const char *shape_fault(const struct sched_shape *shape, struct arena *arena);
bool shape_is_equal(const struct sched_shape *a, const struct sched_shape *b);
uint64_t shape_hash(const struct sched_shape *shape);

/* ---- queues.c: who may have how much ---- */

struct queue_use { /* of a queue and all below it, in this pass */
    int64_t cpu_milli, memory_bytes, gpu_milli;
    int64_t *models;
    int64_t over_share; /* beyond the guarantee, for its weight */
    uint32_t depth;
};
struct ask { /* of a whole gang */
    int64_t cpu_milli, memory_bytes, gpu_milli;
    uint32_t model; /* the only acceptable one, or SCHED_NONE */
};
struct user_use {
    uint64_t key; /* queue << 32 | user, plus 1 */
    int64_t gpu_milli;
};
struct queues {
    const struct sched_input *in;
    struct queue_use *use;
    struct user_use *users;
    uint32_t user_slots;
    struct queue_use total; /* of the cluster */
};
bool queues_init(struct queues *q, const struct sched_input *in, struct arena *arena);
struct ask ask_of(const struct sched_shape *shape);
void queues_take(struct queues *q, uint32_t queue, uint32_t user, const struct ask *ask, int sign);
/* True when a limit forbids it; then code and reason say which. */
bool queues_forbid(struct queues *q, uint32_t queue, uint32_t user, const struct ask *ask,
                   struct arena *arena, enum sched_hold_code *ret_code, const char **ret_reason);
/* Whether a queue and all above it stay within their guarantees with `ask` more (may be empty). */
bool queues_is_owed(const struct queues *q, uint32_t queue, const struct ask *ask);
/* Whose turn it is: below 0 when a goes before b. */
int queues_compare(const struct queues *q, uint32_t a, uint32_t b);

/* ---- order.c: who comes before whom within a queue ---- */

struct rank {
    int64_t priority; /* higher first */
    bool is_first;    /* has waited longer than the bound */
    int64_t level;    /* served GPU time in powers of two: less first */
    int64_t submitted_ms;
};
struct rank rank_waiting(const struct sched_input *in, uint32_t index);
struct rank rank_running(const struct sched_input *in, uint32_t index);
/* Marks who has waited longer than the bound; false when memory is short. */
bool ranks_promote(const struct sched_input *in, struct rank *waiting, struct rank *running,
                   struct arena *arena);
int rank_compare(const struct rank *a, const struct rank *b); /* 0: none before the other */
/* Waiting work by queue, each in its order: list[first[q]] to list[first[q + 1]]. One queue when
 * the input has none. */
struct lines {
    uint32_t *list, *first, *next; /* next: of each queue, what was not looked at yet */
    struct rank *ranks;            /* by waiting work */
    uint32_t queue_count;
};
bool lines_fill(struct lines *lines, const struct sched_input *in, struct rank *ranks,
                struct arena *arena);

/* ---- kinds.c: work alike ---- */

/* Waiting work of the same shape is decided and explained once. */
struct kind {
    const struct sched_shape *shape;
    uint64_t hash;
    const char *fault;                        /* what is wrong with the request itself */
    bool has_failed;                          /* no room in this pass */
    bool is_reserve_known, is_reserve_lifted; /* see reserve_blocks */
    bool has_no_victims; /* nor by preemption for work that comes after this rank */
    struct rank no_victims;
    uint32_t no_victims_queue; /* in this queue */
    bool is_explained;
    enum sched_hold_code code;
    const char *reason, *remedy;
};

struct pass {
    const struct sched_input *in;
    struct arena *arena;
    struct held held; /* of GPUs, by running work */
    struct cluster now;
    struct needs needs;        /* with the demand of all work in the input */
    struct needs bare_needs;   /* the same without head-room */
    struct cluster empty_kept; /* made when somebody wants them */
    struct needs empty_kept_needs;
    bool has_empty_kept;
    struct cluster empty, empty_all;
    struct needs empty_needs, empty_all_needs;
    bool has_empty, has_empty_all;
    struct kind *kinds;
    uint32_t kind_count;
    uint32_t *kind_of; /* by waiting work */
    struct queues queues;
    struct lines lines;
    struct rank *running_ranks, *waiting_ranks;
    bool *gone;        /* running work that was preempted in this pass */
    uint32_t *victims; /* of the last preempt_for */
    uint32_t victim_count;
    uint32_t *closed; /* nodes kept for the head of the line */
    uint32_t closed_count, reserved;
};
bool kinds_fill(struct pass *p);

/* ---- preempt.c: who has to go ---- */

/* Tries to make room by stopping running work that may be stopped for it. 1: placed, and
 * pass.victims must go or are leaving; 0: not possible; -1: memory is short. */
int preempt_for(struct pass *p, uint32_t waiting, struct placement *ret);

/* Gives running work's room back to pass.now, or takes it again; false when memory is short. */
bool preempt_move_slots(struct pass *p, uint32_t running, bool is_given);
bool preempt_can_move(const struct pass *p, uint32_t running);
bool preempt_note(struct pass *p, uint32_t running); /* gives its room and adds it to the victims */

/* relocate.c: the same by moving work that is served before it to other nodes. candidates may go
 * for good. The caller restores the victims when the answer is 0. */
int relocate_for(struct pass *p, uint32_t waiting, const uint32_t *candidates, uint32_t count,
                 struct placement *ret);

/* ---- reserve.c, forecast.c ---- */

/* Keeps room for waiting work that found none; false when memory is short. */
bool reserve_for(struct pass *p, uint32_t waiting);
/* Expected starts of what is held, in the order of the holds; false when memory is short. */
bool forecast_fill(struct pass *p, struct sched_hold *holds, uint32_t count);

/* ---- explain.c: why not now, in words ---- */

/* Fills code, reason and remedy of a kind that found no room; false when memory is short. */
bool explain_kind(struct pass *p, struct kind *kind);

#endif
