#include "world.h"

static const char *const model_names[] = {"A100", "T4", "H100", "V100"};
static const char *const site_names[] = {"local", "other"};

void world_init(struct world *w)
{
    memset(w, 0, sizeof(*w));
    w->arena = ARENA(256u << 20);
    w->text = BUF(16u << 20);
    sched_policy_default(&w->policy);
    w->in = (struct sched_input){.now_ms = 1000000,
                                 .policy = &w->policy,
                                 .nodes = w->nodes,
                                 .models = model_names,
                                 .model_count = 4,
                                 .sites = site_names,
                                 .site_count = 2,
                                 .queues = w->queues,
                                 .running = w->running,
                                 .waiting = w->waiting};
}

void world_done(struct world *w)
{
    arena_done(&w->arena);
    buf_done(&w->text);
}

struct sched_node *world_node(struct world *w, const char *name, int64_t cpu, uint64_t memory_gib,
                              uint32_t gpus, uint32_t model)
{
    check(w->in.node_count < WORLD_MAX);
    uint32_t n = w->in.node_count++;
    struct sched_gpu *list = arena_array(&w->arena, gpus, sizeof(*list));
    for (uint32_t i = 0; i < gpus; i++)
        list[i] = (struct sched_gpu){.index = (uint16_t)i, .numa = -1, .usable = true};
    w->nodes[n] = (struct sched_node){
        .id = n,
        .name = name,
        .model = gpus > 0 ? model : SCHED_NONE,
        .gpu_memory_bytes = 40 * GIB,
        .usable = true,
        .cpu_milli = cpu * 1000,
        .memory_bytes = memory_gib * GIB,
        .disk_bytes = 1000 * GIB,
        .level = {n, SCHED_NONE, SCHED_NONE, 0},
        .pool = SCHED_NONE,
        .gpu_count = gpus,
        .gpus = list,
    };
    return &w->nodes[n];
}

struct sched_gpu *world_gpus(struct world *w, uint32_t node)
{
    struct sched_gpu *copy =
        arena_copy(&w->arena, w->nodes[node].gpus, w->nodes[node].gpu_count * sizeof(*copy));
    w->nodes[node].gpus = copy;
    return copy;
}

struct sched_shape *world_shape(struct world *w, uint32_t count, int64_t cpu_milli,
                                uint64_t memory_gib, int64_t gpu_milli)
{
    struct sched_role *roles = arena_array(&w->arena, 4, sizeof(*roles));
    struct sched_shape *shape = arena_alloc(&w->arena, sizeof(*shape));
    roles[0] = (struct sched_role){.count = count,
                                   .count_max = count,
                                   .cpu_milli = cpu_milli,
                                   .memory_bytes = memory_gib * GIB,
                                   .gpu_milli = gpu_milli};
    *shape = (struct sched_shape){.roles = roles,
                                  .role_count = 1,
                                  .together = -1,
                                  .node = SCHED_NONE,
                                  .pool = SCHED_NONE,
                                  .site = SCHED_NONE};
    return shape;
}

/* Roles of world_shape lie in the arena and may be written. */
struct sched_role *world_role(struct sched_shape *shape, uint32_t index)
{
    union {
        const struct sched_role *in;
        struct sched_role *out;
    } roles = {.in = shape->roles};
    return &roles.out[index];
}

struct sched_waiting *world_wait(struct world *w, const struct sched_shape *shape)
{
    check(w->in.waiting_count < WORLD_MAX);
    uint32_t i = w->in.waiting_count++;
    w->waiting[i] = (struct sched_waiting){.id = i + 1,
                                           .shape = shape,
                                           .submitted_ms = w->in.now_ms - 60000 + 100 * (int64_t)i,
                                           .array_count = 1};
    return &w->waiting[i];
}

struct sched_running *world_run(struct world *w, uint32_t node, int64_t cpu_milli,
                                uint64_t memory_gib, uint32_t gpus, int64_t gpu_milli)
{
    check(w->in.running_count < WORLD_MAX);
    uint32_t i = w->in.running_count++, got = 0;
    struct sched_slot *slot = arena_alloc(&w->arena, sizeof(*slot));
    uint16_t *indexes = arena_array(&w->arena, gpus, sizeof(*indexes));
    struct sched_gpu *list = world_gpus(w, node);
    for (uint32_t g = 0; g < w->nodes[node].gpu_count && got < gpus; g++) {
        if (list[g].used_milli + gpu_milli > 1000)
            continue;
        list[g].used_milli += gpu_milli;
        indexes[got++] = list[g].index;
    }
    check(got == gpus);
    w->nodes[node].cpu_used_milli += cpu_milli;
    w->nodes[node].memory_used_bytes += memory_gib * GIB;
    *slot = (struct sched_slot){
        .node = node, .gpu_count = gpus, .gpus = indexes, .gpu_milli = gpu_milli};
    int64_t per_task = gpu_milli < 1000 ? gpu_milli : 1000 * (int64_t)gpus;
    w->running[i] = (struct sched_running){
        .id = 1001 + i,
        .shape = world_shape(w, 1, cpu_milli, memory_gib, gpus == 0 ? 0 : per_task),
        .slots = slot,
        .slot_count = 1,
        .started_ms = 1,
    };
    return &w->running[i];
}

const char *world_plan(struct world *w)
{
    struct err err = {0};
    int rc = sched_run(&w->in, &w->arena, &w->plan, &err);
    if (rc != 0)
        fail_msg("sched_run: %s", err.text);
    buf_clear(&w->text);
    sched_plan_print(&w->in, &w->plan, &w->text);
    world_check(w);
    return buf_str(&w->text);
}

void world_expect(struct world *w, const char *plan)
{
    assert_string_equal(world_plan(w), plan);
}

void world_expect_part(struct world *w, const char *part)
{
    const char *plan = world_plan(w);
    if (strstr(plan, part) == NULL)
        fail_msg("not in the plan: %s\n%s", part, plan);
}

void world_refuses(struct world *w, const char *part)
{
    struct err err = {0};
    assert_int_equal(sched_run(&w->in, &w->arena, &w->plan, &err), -BERR_INVALID);
    test_expect_err(&err, BERR_INVALID, part);
}

/* ---- promises ---- */

struct books {
    int64_t cpu[WORLD_MAX], memory[WORLD_MAX], gpu[WORLD_MAX][64];
};

static uint32_t position(const struct sched_node *node, uint16_t index)
{
    for (uint32_t i = 0; i < node->gpu_count; i++) {
        if (node->gpus[i].index == index)
            return i;
    }
    fail_msg("GPU %u is not on node %s", index, node->name);
    return 0;
}

static void book(struct world *w, struct books *b, const struct sched_shape *shape,
                 const struct sched_slot *slot, int sign)
{
    const struct sched_role *role = &shape->roles[slot->role];
    b->cpu[slot->node] += sign * role->cpu_milli;
    b->memory[slot->node] += sign * (int64_t)role->memory_bytes;
    for (uint32_t g = 0; g < slot->gpu_count; g++)
        b->gpu[slot->node][position(&w->nodes[slot->node], slot->gpus[g])] +=
            sign * slot->gpu_milli;
}

static void check_start(struct world *w, const struct sched_action *action)
{
    const struct sched_shape *shape = w->waiting[action->index].shape;
    for (uint32_t r = 0; r < shape->role_count; r++) {
        uint32_t count = 0;
        for (uint32_t i = 0; i < action->slot_count; i++)
            count += action->slots[i].role == r;
        assert_in_range(count, shape->roles[r].count,
                        shape->roles[r].count_max > shape->roles[r].count
                            ? shape->roles[r].count_max
                            : shape->roles[r].count);
    }
    for (uint32_t i = 0; i < action->slot_count; i++) {
        const struct sched_slot *slot = &action->slots[i];
        const struct sched_role *role = &shape->roles[slot->role];
        int64_t milli = slot->gpu_milli * slot->gpu_count;
        assert_true(w->nodes[slot->node].usable);
        assert_int_equal(milli, role->gpu_milli);
        for (uint32_t k = 0; k < i && role->apart; k++)
            assert_false(action->slots[k].role == slot->role &&
                         action->slots[k].node == slot->node);
    }
}

void world_check(struct world *w)
{
    struct books *b = arena_alloc(&w->arena, sizeof(*b));
    uint8_t *fate = arena_array(&w->arena, w->in.waiting_count, 1);
    for (uint32_t i = 0; i < w->plan.action_count; i++) {
        const struct sched_action *action = &w->plan.actions[i];
        if (action->kind == SCHED_PREEMPT || action->kind == SCHED_SUSPEND) {
            const struct sched_running *r = &w->running[action->index];
            for (uint32_t k = 0; k < r->slot_count; k++)
                book(w, b, r->shape, &r->slots[k], -1);
        } else if (action->kind == SCHED_START) {
            check_start(w, action);
            fate[action->index]++;
            for (uint32_t k = 0; k < action->slot_count; k++)
                book(w, b, w->waiting[action->index].shape, &action->slots[k], 1);
        }
    }
    for (uint32_t i = 0; i < w->plan.hold_count; i++)
        fate[w->plan.holds[i].index]++;
    for (uint32_t i = 0; i < w->in.waiting_count; i++)
        assert_int_equal(fate[i], 1);
    for (uint32_t n = 0; n < w->in.node_count; n++) {
        const struct sched_node *node = &w->nodes[n];
        if (b->cpu[n] > 0)
            assert_true(node->cpu_used_milli + b->cpu[n] <= node->cpu_milli);
        if (b->memory[n] > 0)
            assert_true((int64_t)node->memory_used_bytes + b->memory[n] <=
                        (int64_t)node->memory_bytes);
        for (uint32_t g = 0; g < node->gpu_count; g++) {
            if (b->gpu[n][g] > 0) {
                assert_true(node->gpus[g].usable);
                assert_true(node->gpus[g].used_milli + b->gpu[n][g] <= 1000);
            }
        }
    }
}
