/* Waiting work sorted into kinds of the same shape. */
#include "sched/pass.h"

struct table {
    uint32_t *slots; /* 0: empty, else kind + 1 */
    uint32_t count;  /* a power of two */
};

static uint32_t *find_slot(const struct pass *p, const struct table *t,
                           const struct sched_shape *shape, uint64_t hash)
{
    uint32_t at = (uint32_t)hash & (t->count - 1);
    while (t->slots[at] != 0) {
        const struct kind *kind = &p->kinds[t->slots[at] - 1];
        if (kind->hash == hash && shape_is_equal(kind->shape, shape))
            break;
        at = (at + 1) & (t->count - 1);
    }
    return &t->slots[at];
}

static uint32_t count_shapes(const struct sched_input *in)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < in->waiting_count; i++)
        count += i == 0 || in->waiting[i].shape != in->waiting[i - 1].shape;
    return count;
}

bool kinds_fill(struct pass *p)
{
    const struct sched_input *in = p->in;
    uint32_t most = count_shapes(in);
    struct table t = {.count = 16};
    while (t.count < 2 * most)
        t.count *= 2;
    t.slots = arena_array(p->arena, t.count, sizeof(*t.slots));
    p->kinds = arena_array(p->arena, most, sizeof(*p->kinds));
    p->kind_of = arena_array(p->arena, in->waiting_count, sizeof(*p->kind_of));
    if (t.slots == NULL || p->kinds == NULL || p->kind_of == NULL)
        return false;
    for (uint32_t i = 0; i < in->waiting_count; i++) {
        const struct sched_shape *shape = in->waiting[i].shape;
        if (i > 0 && shape == in->waiting[i - 1].shape) {
            p->kind_of[i] = p->kind_of[i - 1];
            continue;
        }
        uint64_t hash = shape_hash(shape);
        uint32_t *slot = find_slot(p, &t, shape, hash);
        if (*slot == 0) {
            p->kinds[p->kind_count] =
                (struct kind){.shape = shape, .hash = hash, .fault = shape_fault(shape, p->arena)};
            *slot = ++p->kind_count;
        }
        p->kind_of[i] = *slot - 1;
    }
    return true;
}
