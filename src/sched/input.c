/* Inputs that contradict themselves are errors of the caller; odd requests are users' and are held. */
#include "sched/pass.h"

#include <string.h>
#include "base/units.h"

#define MILLI_MAX  (1ll << 40)
#define AMOUNT_MAX (1ull << 50) /* bytes: sums over all tasks stay far from overflow */
#define TASKS_MAX  LIMIT_TASKS_PER_ATTEMPT

/* ---- nodes and what runs on them ---- */

uint32_t node_gpu_position(const struct sched_node *node, uint16_t index)
{
    if (index < node->gpu_count && node->gpus[index].index == index)
        return index;
    for (uint32_t i = 0; i < node->gpu_count; i++) {
        if (node->gpus[i].index == index)
            return i;
    }
    return SCHED_NONE;
}

static int check_node(const struct sched_input *in, uint32_t n, struct err *err)
{
    const struct sched_node *node = &in->nodes[n];
    if (node->gpu_count > LIMIT_GPUS_PER_NODE)
        return err_set(err, BERR_INVALID, "node %u has %u GPUs, at most %d are possible", n,
                       node->gpu_count, LIMIT_GPUS_PER_NODE);
    if (node->gpu_count > 0 && node->model >= in->model_count)
        return err_set(err, BERR_INVALID, "node %u has GPUs of an unknown model", n);
    if (node->cpu_milli < 0 || node->cpu_milli > MILLI_MAX || node->cpu_used_milli < 0 ||
        node->memory_bytes > INT64_MAX / 4 || node->memory_used_bytes > INT64_MAX / 4 ||
        node->disk_bytes > INT64_MAX / 4 || node->disk_used_bytes > INT64_MAX / 4)
        return err_set(err, BERR_INVALID, "node %u has impossible amounts", n);
    for (uint32_t i = 0; i < node->gpu_count; i++) {
        if (node->gpus[i].used_milli < 0 || node->gpus[i].used_milli > 1000)
            return err_set(err, BERR_INVALID, "GPU %u of node %u is used to %lld of 1000",
                           node->gpus[i].index, n, (long long)node->gpus[i].used_milli);
        if (node_gpu_position(node, node->gpus[i].index) != i)
            return err_set(err, BERR_INVALID, "node %u has GPU %u twice", n, node->gpus[i].index);
    }
    return 0;
}

static int check_shape(const struct sched_input *in, const struct sched_shape *shape,
                       const char *what, uint32_t index, struct err *err)
{
    if (shape == NULL || (shape->roles == NULL && shape->role_count > 0))
        return err_set(err, BERR_INVALID, "%s %u has no shape", what, index);
    if (shape->together < -1 || shape->together >= SCHED_LEVELS)
        return err_set(err, BERR_INVALID, "%s %u has an unknown level", what, index);
    return 0;
}

static int check_queue_index(const struct sched_input *in, uint32_t queue, const char *what,
                             uint32_t index, struct err *err)
{
    if (in->queue_count > 0 && queue >= in->queue_count)
        return err_set(err, BERR_INVALID, "%s %u names queue %u of %u", what, index, queue,
                       in->queue_count);
    return 0;
}

/* held: thousandths by GPU over all nodes, from at[node] on. */
static int check_running(const struct sched_input *in, uint32_t index, const uint32_t *at,
                         int32_t *held, struct err *err)
{
    const struct sched_running *r = &in->running[index];
    int rc = check_shape(in, r->shape, "running", index, err);
    if (rc == 0)
        rc = check_queue_index(in, r->queue, "running", index, err);
    for (uint32_t i = 0; rc == 0 && i < r->slot_count; i++) {
        const struct sched_slot *slot = &r->slots[i];
        if (slot->node >= in->node_count || slot->role >= r->shape->role_count)
            return err_set(err, BERR_INVALID, "running %u has a task nowhere", index);
        if (slot->gpu_count > 0 && (slot->gpu_milli < 0 || slot->gpu_milli > 1000))
            return err_set(err, BERR_INVALID, "running %u holds %lld of 1000 of a GPU", index,
                           (long long)slot->gpu_milli);
        for (uint32_t g = 0; g < slot->gpu_count; g++) {
            const struct sched_node *node = &in->nodes[slot->node];
            uint32_t position = node_gpu_position(node, slot->gpus[g]);
            if (position == SCHED_NONE)
                return err_set(err, BERR_INVALID,
                               "running %u holds GPU %u of node %u, which is "
                               "not there",
                               index, slot->gpus[g], slot->node);
            int32_t *milli = &held[at[slot->node] + position];
            *milli += (int32_t)slot->gpu_milli;
            if (*milli > 1000)
                return err_set(err, BERR_INVALID, "GPU %u of node %u is held twice", slot->gpus[g],
                               slot->node);
        }
    }
    return rc;
}

static int check_all_running(const struct sched_input *in, struct arena *arena,
                             struct held *ret_held, struct err *err)
{
    size_t gpus = 0;
    uint32_t *at = arena_array(arena, in->node_count, sizeof(*at));
    for (uint32_t n = 0; at != NULL && n < in->node_count; n++) {
        at[n] = (uint32_t)gpus;
        gpus += in->nodes[n].gpu_count;
    }
    int32_t *held = arena_array(arena, gpus, sizeof(*held));
    if (at == NULL || held == NULL)
        return err_set(err, BERR_NOMEM, "out of memory while checking the scheduler's input");
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < in->running_count; i++)
        rc = check_running(in, i, at, held, err);
    *ret_held = (struct held){at, held};
    return rc;
}

/* ---- queues ---- */

static int check_queues(const struct sched_input *in, struct err *err)
{
    for (uint32_t q = 0; q < in->queue_count; q++) {
        uint32_t steps = 0;
        for (uint32_t up = q; up != SCHED_NONE; up = in->queues[up].parent) {
            if (up >= in->queue_count)
                return err_set(err, BERR_INVALID, "queue %u has a parent that is not there", q);
            if (++steps > in->queue_count)
                return err_set(err, BERR_INVALID, "the queues above %s form a circle",
                               in->queues[q].name == NULL ? "one" : in->queues[q].name);
        }
    }
    return 0;
}

int input_check(const struct sched_input *in, struct arena *arena, struct held *ret_held,
                struct err *err)
{
    int rc = 0;
    if (in->policy == NULL)
        return err_set(err, BERR_INVALID, "there is no policy");
    if (in->policy->order < 0 || in->policy->order > SCHED_ORDER_FAIR)
        return err_set(err, BERR_INVALID, "unknown order %d", in->policy->order);
    for (uint32_t n = 0; rc == 0 && n < in->node_count; n++)
        rc = check_node(in, n, err);
    if (rc == 0)
        rc = check_queues(in, err);
    if (rc == 0)
        rc = check_all_running(in, arena, ret_held, err);
    for (uint32_t i = 0; rc == 0 && i < in->waiting_count; i++) {
        rc = check_shape(in, in->waiting[i].shape, "waiting", i, err);
        if (rc == 0)
            rc = check_queue_index(in, in->waiting[i].queue, "waiting", i, err);
    }
    for (uint32_t i = 0; rc == 0 && i < in->reservation_count; i++) {
        const struct sched_reservation *r = &in->reservations[i];
        rc = check_queue_index(in, r->queue, "reservation", i, err);
        if (rc == 0 && r->node != SCHED_NONE && r->node >= in->node_count)
            rc = err_set(err, BERR_INVALID, "reservation %u is for a node that is not there", i);
    }
    return rc;
}

/* ---- requests ---- */

static const char *role_fault(const struct sched_role *role, struct arena *arena)
{
    char text[UNITS_TEXT_MAX];
    if (role->cpu_milli < 0)
        return "it asks for less than no CPU";
    if (role->gpu_milli < 0)
        return "it asks for less than no GPU";
    if (role->cpu_milli > MILLI_MAX || role->gpu_milli > MILLI_MAX ||
        role->memory_bytes > AMOUNT_MAX || role->disk_bytes > AMOUNT_MAX)
        return "it asks for more than any machine can have";
    if (role->gpu_milli > 1000 && role->gpu_milli % 1000 != 0)
        return arena == NULL
                   ? ""
                   : arena_printf(arena, "more than one GPU must be a whole number, not %s",
                                  units_format_gpu(text, role->gpu_milli));
    return NULL;
}

const char *shape_fault(const struct sched_shape *shape, struct arena *arena)
{
    uint64_t tasks = 0;
    if (shape->role_count > SHAPE_ROLES_MAX)
        return arena == NULL ? ""
                             : arena_printf(arena, "it has %u roles, at most %d are possible",
                                            shape->role_count, SHAPE_ROLES_MAX);
    for (uint32_t r = 0; r < shape->role_count; r++) {
        const char *fault = role_fault(&shape->roles[r], arena);
        if (fault != NULL)
            return fault;
        tasks += shape->roles[r].count;
    }
    if (tasks == 0)
        return "it has no tasks";
    if (tasks > TASKS_MAX)
        return arena == NULL ? ""
                             : arena_printf(arena, "it has %llu tasks, at most %d are possible",
                                            (unsigned long long)tasks, TASKS_MAX);
    return NULL;
}

/* ---- shapes alike ---- */

uint64_t shape_hash(const struct sched_shape *shape)
{
    uint64_t hash = hash_mix(shape->role_count, (uint64_t)(shape->together + 1));
    hash = hash_mix(hash, shape->together_hard);
    hash = hash_mix(hash, (uint64_t)shape->node << 32 | shape->pool);
    hash = hash_mix(hash, shape->site);
    for (uint32_t r = 0; r < shape->role_count; r++) {
        const struct sched_role *role = &shape->roles[r];
        hash = hash_mix(hash, (uint64_t)role->count << 32 | role->count_max);
        hash = hash_mix(hash, (uint64_t)role->cpu_milli);
        hash = hash_mix(hash, role->memory_bytes);
        hash = hash_mix(hash, role->disk_bytes);
        hash = hash_mix(hash, (uint64_t)role->gpu_milli);
        hash = hash_mix(hash, role->gpu_memory_min_bytes << 1 | role->apart);
        for (uint32_t m = 0; m < role->model_count; m++)
            hash = hash_mix(hash, role->models[m]);
    }
    return hash ^ (hash >> 29);
}

static bool role_is_equal(const struct sched_role *a, const struct sched_role *b)
{
    return a->count == b->count && a->count_max == b->count_max && a->cpu_milli == b->cpu_milli &&
           a->memory_bytes == b->memory_bytes && a->disk_bytes == b->disk_bytes &&
           a->gpu_milli == b->gpu_milli && a->gpu_memory_min_bytes == b->gpu_memory_min_bytes &&
           a->apart == b->apart && a->model_count == b->model_count &&
           (a->models == b->models || a->model_count == 0 ||
            memcmp(a->models, b->models, a->model_count * sizeof(*a->models)) == 0);
}

bool shape_is_equal(const struct sched_shape *a, const struct sched_shape *b)
{
    if (a == b)
        return true;
    bool is_equal = a->role_count == b->role_count && a->together == b->together &&
                    a->together_hard == b->together_hard && a->node == b->node &&
                    a->pool == b->pool && a->site == b->site;
    for (uint32_t r = 0; is_equal && r < a->role_count; r++)
        is_equal = role_is_equal(&a->roles[r], &b->roles[r]);
    return is_equal;
}
