/*
 * place: nodes and pods of an experiment in which pods come one by one and never leave, and the
 * published policies that ours is compared with. Values only; one thread.
 */
#ifndef BERTH_SIM_PLACE_H
#define BERTH_SIM_PLACE_H

#include <stdbool.h>
#include <stdint.h>
#include "base/rand.h"
#include "sched/sched.h"

#define PLACE_GPUS_MAX   64
#define PLACE_MODELS_MAX 32

struct place_node {
    int64_t cpu_milli, memory_mib;
    uint32_t gpus, model;
};

struct place_pod {
    int64_t cpu_milli, memory_mib;
    uint32_t gpus, milli; /* milli of each GPU: 1000 when there are several */
    uint32_t models;      /* bits of acceptable models; 0: any */
    uint32_t type;        /* index into types */
};

struct place_type { /* pods alike */
    struct place_pod pod;
    uint32_t count;
    struct sched_role role;
    struct sched_shape shape;
    uint32_t model_list[PLACE_MODELS_MAX];
};

struct place_world {
    struct place_node *nodes;
    uint32_t node_count;
    struct place_pod *pods; /* of the list; experiments shuffle copies */
    uint32_t pod_count;
    struct place_type *types;
    uint32_t type_count; /* most frequent first */
    const char *models[PLACE_MODELS_MAX];
    uint32_t model_count;
    int64_t capacity_milli;
};

/* What is free on a node, for the rivals. */
struct place_free {
    int64_t cpu_milli, memory_mib, gpu_milli;
    int16_t gpus[PLACE_GPUS_MAX];
    uint32_t gpu_count, model;
    int64_t fragment; /* of fgd */
    uint32_t version; /* grows with every change */
};

struct place_score { /* of a type of pods on a node, kept by fgd */
    uint32_t version;
    int8_t score; /* -1: no room */
    uint8_t gpu;
};

struct place_choice {
    uint32_t node; /* SCHED_NONE: no room */
    uint32_t gpu;  /* for a share of one */
};

struct place_rival {
    const struct place_world *world;
    struct place_free *free;
    struct place_score *scores; /* type_count * node_count */
    struct rnd rnd;
    uint32_t typical; /* types that fgd looks at */
    int64_t typical_count;
};
typedef struct place_choice place_choose_fn(struct place_rival *r, const struct place_pod *pod);

place_choose_fn *place_rival_find(const char *name); /* NULL: not one of ours */
bool place_rival_init(struct place_rival *r, const struct place_world *world, uint64_t seed,
                      struct arena *arena);
void place_rival_take(struct place_rival *r, const struct place_pod *pod,
                      struct place_choice choice);

#endif
