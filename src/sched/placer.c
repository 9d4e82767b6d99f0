/* The placement of sched_run, one gang at a time. */
#include "sched/place.h"

#include "sched/pass.h"

struct sched_placer {
    struct arena *arena;
    struct cluster cluster;
    struct needs needs;
    bool is_drawn;
};

static int nomem(struct err *err)
{
    return err_set(err, BERR_NOMEM, "out of memory while placing");
}

int sched_placer_new(const struct sched_input *in, struct arena *arena, struct sched_placer **ret,
                     struct err *err)
{
    struct held held;
    struct sched_input nodes_only = *in;
    nodes_only.running_count = nodes_only.waiting_count = nodes_only.queue_count = 0;
    nodes_only.reservation_count = 0;
    int rc = input_check(&nodes_only, arena, &held, err);
    if (rc != 0)
        return rc;
    struct sched_placer *p = arena_alloc(arena, sizeof(*p));
    if (p == NULL || !needs_init(&p->needs, arena) ||
        !cluster_init(&p->cluster, &nodes_only, NULL, CL_NOW, arena))
        return nomem(err);
    p->arena = arena;
    *ret = p;
    return 0;
}

int sched_placer_expect(struct sched_placer *p, const struct sched_shape *shape, uint64_t weight,
                        struct err *err)
{
    check(!p->is_drawn);
    if (shape_fault(shape, p->arena) != NULL)
        return 0;
    return needs_add_demand(&p->needs, &p->cluster, shape, weight) ? 0 : nomem(err);
}

int sched_placer_place(struct sched_placer *p, const struct sched_shape *shape,
                       const struct sched_slot **ret_slots, uint32_t *ret_count, struct err *err)
{
    struct placement placement;
    const char *fault = shape_fault(shape, p->arena);
    if (fault != NULL)
        return err_set(err, BERR_INVALID, "%s", fault);
    if (!p->is_drawn)
        mix_draw(&p->needs.mix);
    p->is_drawn = true;
    *ret_slots = NULL;
    int result = place_gang(&p->cluster, &p->needs, shape, NULL, &placement);
    if (result < 0 || (result > 0 && !placement_name_gpus(&p->cluster, &placement)))
        return nomem(err);
    if (result > 0) {
        *ret_slots = placement.slots;
        *ret_count = placement.slot_count;
    }
    return 0;
}

int sched_placer_give(struct sched_placer *p, const struct sched_shape *shape,
                      const struct sched_slot *slots, uint32_t count, struct err *err)
{
    uint16_t positions[LIMIT_GPUS_PER_NODE];
    for (uint32_t i = 0; i < count; i++) {
        struct sched_slot slot = slots[i];
        for (uint32_t g = 0; g < slot.gpu_count; g++)
            positions[g] = (uint16_t)node_gpu_position(&p->cluster.nodes[slot.node], slot.gpus[g]);
        slot.gpus = positions;
        if (!cluster_give(&p->cluster, &shape->roles[slot.role], &slot))
            return nomem(err);
    }
    return 0;
}
