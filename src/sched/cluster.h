/*
 * cluster: what is free in one scheduling pass, and finding room in it. For this folder only.
 *
 * The cluster holds what is free while the pass takes and gives. Nodes in the same condition (same
 * kind of node, same amounts free, GPU by GPU) form one *state*; a search looks at each state once
 * instead of at each node. All memory lives in one arena; nothing is freed before it. Functions
 * that allocate return false or NULL when memory is short. One thread.
 */
#ifndef BERTH_SCHED_CLUSTER_H
#define BERTH_SCHED_CLUSTER_H

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
    uint32_t gpu_count; /* all */
    uint32_t gpus_usable;
    int64_t cpu_milli, memory_bytes, disk_bytes;
    int64_t reserve_cpu_milli, reserve_memory_bytes; /* per idle GPU, kept from CPU-only work */
    bool has_links;  /* its GPUs differ in link group or NUMA side */
    uint32_t sample; /* a node of it */
};

/* Nodes in the same condition. */
struct cl_state {
    uint32_t class_id;
    uint64_t hash;
    int64_t cpu_free, memory_free, disk_free; /* negative when others took too much */
    uint32_t whole_free;                      /* GPUs that nobody uses any of */
    int64_t gpu_free_milli;                   /* of all usable GPUs */
    const int16_t *gpus;                      /* free thousandths by position; 0 when unusable */
    int64_t waste;                            /* mix_waste of it; INT64_MIN: not known yet */
    uint32_t live;                            /* nodes in it now */
    uint32_t alive_at;                        /* where in cluster.alive; SCHED_NONE when empty */
    uint32_t *heap; /* nodes, lowest number first; entries of nodes that left are skipped */
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
    uint32_t *class_of; /* by node */
    uint32_t *state_of; /* by node */
    struct cl_state *states;
    uint32_t state_count, state_cap;
    uint32_t *state_slots; /* hash table of states */
    uint32_t state_slot_count;
    uint32_t *alive; /* states with nodes */
    uint32_t alive_count, alive_cap;
    struct cl_domain *domains[SCHED_LEVELS]; /* [0] stays NULL: each node is its own host */
    uint32_t domain_count[SCHED_LEVELS];
    bool has_reserve;   /* head-room for GPU work plays a part at all */
    bool keeps_reserve; /* the head-room for GPU work was set, so it always holds */
    bool is_short;      /* memory ran out: the pass must end */
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
#define NEED_CHUNK  256

/* Distinct requests are kept once, with the score of each state as far as it was asked for. */
struct need {
    const struct sched_role *role;
    uint32_t pool, site;
    uint64_t hash;
    bool *class_fits; /* by class */
    int64_t **scores; /* chunks of NEED_CHUNK states; INT64_MIN: not known yet */
    uint32_t chunk_count;
    bool keeps_reserve; /* CPU-only work that may not touch the head-room of idle GPUs */
};

/* The usual demand: tasks that come and how often. */
#define MIX_TASKS  128
#define MIX_ROUNDS 4
#define MIX_DRAWS  128
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
    bool ignores_reserve; /* head-room for GPU work does not count */
    struct mix mix;
};
bool needs_init(struct needs *needs, struct arena *arena);
/* The need of a role; NULL when memory is short. */
struct need *needs_get(struct needs *needs, const struct cluster *c, const struct sched_role *role,
                       uint32_t pool, uint32_t site);

/* Counts a shape's tasks as usual demand; mix_draw when all are in. */
bool needs_add_demand(struct needs *needs, const struct cluster *c, const struct sched_shape *shape,
                      uint64_t weight);

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

#endif
