/*
 * internal: the working state of one scheduling pass, shared by the files of this folder.
 *
 * The cluster holds what is free while the pass takes and gives. Nodes in the same condition (same
 * kind of node, same amounts free, GPU by GPU) form one *state*; a search looks at each state once
 * instead of at each node. All memory lives in one arena; nothing is freed before it. Functions
 * that allocate return false or NULL when memory is short. One thread.
 */
#ifndef BERTH_SCHED_INTERNAL_H
#define BERTH_SCHED_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/arena.h"
#include "base/limits.h"
#include "sched/sched.h"

#define SHAPE_ROLES_MAX 64

static inline uint64_t hash_mix(uint64_t hash, uint64_t value)
{
    hash ^= value + 0x9e3779b97f4a7c15ull + (hash << 6) + (hash >> 2);
    return hash * 0xff51afd7ed558ccdull;
}

/* ---- cluster.c: what is free ---- */

/* What never changes in a pass and is alike for many nodes. */
struct cl_class {
    uint32_t model, pool, site;
    uint64_t gpu_memory_bytes;
    bool usable;
    uint32_t gpu_count;     /* all */
    uint32_t gpus_usable;
    int64_t cpu_milli, memory_bytes, disk_bytes;
    int64_t reserve_cpu_milli, reserve_memory_bytes; /* per idle GPU, kept from CPU-only work */
    bool has_links;         /* its GPUs differ in link group or NUMA side */
    uint32_t sample;        /* a node of it */
};

/* Nodes in the same condition. */
struct cl_state {
    uint32_t class_id;
    uint64_t hash;
    int64_t cpu_free, memory_free, disk_free; /* negative when others took too much */
    uint32_t whole_free;    /* GPUs that nobody uses any of */
    int64_t gpu_free_milli; /* of all usable GPUs */
    const int16_t *gpus;    /* free thousandths by position; 0 when unusable */
    int64_t waste;          /* mix_waste of it; INT64_MIN: not known yet */
    uint32_t live;          /* nodes in it now */
    uint32_t alive_at;      /* where in cluster.alive; SCHED_NONE when empty */
    uint32_t *heap;         /* nodes, lowest number first; entries of nodes that left are skipped */
    uint32_t heap_len, heap_cap;
};

struct cl_domain { /* a host, rack, room or site with its nodes */
    uint32_t *nodes;
    uint32_t node_count;
};

struct cluster {
    struct arena *arena;
    const struct sched_node *nodes;
    uint32_t node_count;
    struct cl_class *classes;
    uint32_t class_count, class_cap;
    uint32_t *class_of;     /* by node */
    uint32_t *state_of;     /* by node */
    struct cl_state *states;
    uint32_t state_count, state_cap;
    uint32_t *state_slots;  /* hash table of states */
    uint32_t state_slot_count;
    uint32_t *alive;        /* states with nodes */
    uint32_t alive_count, alive_cap;
    struct cl_domain *domains[SCHED_LEVELS]; /* [0] stays NULL: each node is its own host */
    uint32_t domain_count[SCHED_LEVELS];
    bool has_reserve;       /* head-room for GPU work plays a part at all */
    bool keeps_reserve;     /* the head-room for GPU work was set, so it always holds */
    bool is_short;          /* memory ran out: the pass must end */
};

enum cl_view {
    CL_NOW,        /* as the input says */
    CL_EMPTY,      /* usable nodes with nothing running */
    CL_EMPTY_KEPT, /* the same, with head-room for GPU work */
    CL_EMPTY_ALL,  /* as if all nodes were back and nothing ran */
};
/* What running work holds of each GPU, in thousandths: milli[at[node] + position]. */
struct held {
    uint32_t *at;
    int32_t *milli;
};
/* held may be NULL; a GPU counts as used by the larger of what the node says and what is held. */
bool cluster_init(struct cluster *c, const struct sched_input *in, const struct held *held,
                  enum cl_view view, struct arena *arena);
/* Takes or gives one task's amounts. slot->gpus holds positions, not the caller's numbers. */
bool cluster_take(struct cluster *c, const struct sched_role *role, const struct sched_slot *slot);
bool cluster_give(struct cluster *c, const struct sched_role *role, const struct sched_slot *slot);
/* The lowest node of a state that lives. */
uint32_t cluster_first(struct cluster *c, uint32_t state);
static inline const struct cl_state *cluster_state(const struct cluster *c, uint32_t node)
{
    return &c->states[c->state_of[node]];
}
/* Position of the caller's GPU number on a node; SCHED_NONE when there is none. */
uint32_t node_gpu_position(const struct sched_node *node, uint16_t index);

/* ---- need.c: what one task asks for, and how well a state suits it ---- */

#define NEED_NO_FIT INT64_MAX
#define NEED_CHUNK 256

/* Distinct requests are kept once, with the score of each state as far as it was asked for. */
struct need {
    const struct sched_role *role;
    uint32_t pool, site;
    uint64_t hash;
    bool *class_fits;       /* by class */
    int64_t **scores;       /* chunks of NEED_CHUNK states; INT64_MIN: not known yet */
    uint32_t chunk_count;
    bool keeps_reserve;     /* CPU-only work that may not touch the head-room of idle GPUs */
};

/* The usual demand: tasks that come and how often. */
#define MIX_TASKS 128
#define MIX_ROUNDS 4
#define MIX_DRAWS 128
struct mix_task {
    struct need *need;
    uint64_t weight;
};
struct mix {
    struct mix_task tasks[MIX_TASKS];
    uint32_t count;
    uint64_t total;
    int64_t least_gpu_milli, least_cpu_milli;
    uint8_t draws[MIX_ROUNDS * MIX_DRAWS];
    bool is_ready;
};

struct needs {
    struct arena *arena;
    struct need **items;
    uint32_t count, cap;
    uint32_t *slots;
    uint32_t slot_count;
    bool ignores_reserve;   /* head-room for GPU work does not count */
    struct mix mix;
};
bool needs_init(struct needs *needs, struct arena *arena);
/* The need of a role; NULL when memory is short. */
struct need *needs_get(struct needs *needs, const struct cluster *c, const struct sched_role *role,
                       uint32_t pool, uint32_t site);

/* Counts a shape's tasks as usual demand; mix_draw when all are in. */
bool needs_add_demand(struct needs *needs, const struct cluster *c,
                      const struct sched_shape *shape, uint64_t weight);

/* Lower is better; NEED_NO_FIT when it does not fit. Kept once computed. */
int64_t need_score(struct needs *needs, struct need *need, struct cluster *c, uint32_t state);
bool need_fits(const struct need *need, const struct cluster *c, const struct cl_state *s);
/* Whether a node with GPUs keeps its head-room when CPU-only work comes. */
bool need_keeps_reserve(const struct need *need, const struct cluster *c, const struct cl_state *s);
/* Positions of the GPUs that a task of this need gets on a node that fits it. */
void need_pick_gpus(struct needs *needs, const struct need *need, struct cluster *c, uint32_t node,
                    uint16_t *ret_positions);
static inline uint32_t role_gpu_count(const struct sched_role *role)
{
    return role->gpu_milli <= 0      ? 0
           : role->gpu_milli <= 1000 ? 1
                                     : (uint32_t)(role->gpu_milli / 1000);
}

/* ---- score.c, mix.c: what suits best ---- */

int64_t score_state(struct needs *needs, const struct need *need, const struct cluster *c,
                    struct cl_state *s);
/* The best GPU for a share of one, and its score; SCHED_NONE when none fits. */
uint32_t score_share(struct needs *needs, const struct need *need, const struct cluster *c,
                     struct cl_state *s, int64_t *ret_score);

/* False when the table is full. After all are in, mix_draw once. */
bool mix_add(struct mix *mix, struct need *need, uint64_t weight);
void mix_draw(struct mix *mix);
/* Free GPU thousandths x 1024 of a state that the usual demand would leave unused, now and after a
 * task came (gpu: position for a share; SCHED_NONE: the tightest). */
int64_t mix_waste(struct mix *mix, const struct cluster *c, struct cl_state *s);
int64_t mix_waste_after(struct mix *mix, const struct cluster *c, const struct cl_state *s,
                        const struct sched_role *role, uint32_t gpu);

/* ---- place.c: gangs ---- */

struct placement {
    struct sched_slot *slots; /* with positions until placement_name_gpus */
    uint32_t slot_count;
};
/* Takes room for the whole gang at minimum size, or for nothing. 1: placed, 0: no room, -1: memory
 * is short. */
int place_gang(struct cluster *c, struct needs *needs, const struct sched_shape *shape,
               const uint64_t *site_bytes, struct placement *ret);
void place_undo(struct cluster *c, const struct sched_shape *shape, const struct placement *p);
/* Turns positions into the caller's GPU numbers, tasks in the order of their roles; false when memory
 * is short. */
bool placement_name_gpus(const struct cluster *c, struct placement *p);

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
    int64_t priority;   /* higher first */
    bool is_first;      /* has waited longer than the bound */
    int64_t level;      /* served GPU time in powers of two: less first */
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
    const char *fault;          /* what is wrong with the request itself */
    bool has_failed;            /* no room in this pass */
    bool is_reserve_known, is_reserve_lifted; /* see reserve_blocks */
    bool has_no_victims;        /* nor by preemption for work that comes after this rank */
    struct rank no_victims;
    uint32_t no_victims_queue;  /* in this queue */
    bool is_explained;
    enum sched_hold_code code;
    const char *reason, *remedy;
};

struct pass {
    const struct sched_input *in;
    struct arena *arena;
    struct held held;           /* of GPUs, by running work */
    struct cluster now;
    struct needs needs;         /* with the demand of all work in the input */
    struct needs bare_needs;    /* the same without head-room */
    struct cluster empty_kept;  /* made when somebody wants them */
    struct needs empty_kept_needs;
    bool has_empty_kept;
    struct cluster empty, empty_all;
    struct needs empty_needs, empty_all_needs;
    bool has_empty, has_empty_all;
    struct kind *kinds;
    uint32_t kind_count;
    uint32_t *kind_of;          /* by waiting work */
    struct queues queues;
    struct lines lines;
    struct rank *running_ranks, *waiting_ranks;
    bool *gone;                 /* running work that was preempted in this pass */
    uint32_t *victims;          /* of the last preempt_for */
    uint32_t victim_count;
    uint32_t *closed;           /* nodes kept for the head of the line */
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
