/*
 * place: one gang after the other onto a cluster, with the same placement that sched_run uses.
 *
 * For tools and simulation: a placer starts from the nodes of an input, is told the demand that
 * usually comes, and then places gangs one by one; what was placed can be given back. Memory lives
 * in the arena given at birth. One thread.
 */
#ifndef BERTH_SCHED_PLACE_H
#define BERTH_SCHED_PLACE_H

#include "sched/sched.h"

struct sched_placer;

/* in: nodes, models and policy; nothing else of it is looked at. It must outlive the placer. */
int sched_placer_new(const struct sched_input *in, struct arena *arena, struct sched_placer **ret,
                     struct err *err);
/* Demand that usually comes: `weight` gangs of this shape, which must outlive the placer. All
 * before the first placement. */
int sched_placer_expect(struct sched_placer *p, const struct sched_shape *shape, uint64_t weight,
                        struct err *err);
/* Places and takes the room; *ret_slots stays NULL when there is none. INVALID for a shape that
 * makes no sense. The shape must outlive the placer. */
int sched_placer_place(struct sched_placer *p, const struct sched_shape *shape,
                       const struct sched_slot **ret_slots, uint32_t *ret_count, struct err *err);
/* Gives back what sched_placer_place took. */
int sched_placer_give(struct sched_placer *p, const struct sched_shape *shape,
                      const struct sched_slot *slots, uint32_t count, struct err *err);

#endif
