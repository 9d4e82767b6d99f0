/* The queue tree: limits, guarantees, and whose turn it is. */
#include "sched/pass.h"

#include "base/units.h"

#define WEIGHT_DEFAULT_MILLI 1000

struct ask ask_of(const struct sched_shape *shape)
{
    struct ask ask = {.model = SCHED_NONE};
    for (uint32_t r = 0; r < shape->role_count; r++) {
        const struct sched_role *role = &shape->roles[r];
        ask.cpu_milli += role->cpu_milli * role->count;
        ask.memory_bytes += (int64_t)role->memory_bytes * role->count;
        ask.gpu_milli += role->gpu_milli * role->count;
        if (role->gpu_milli > 0 && role->model_count == 1)
            ask.model = role->models[0];
    }
    return ask;
}

/* ---- shares ---- */

static int64_t per_million(int64_t part, int64_t whole)
{
    if (whole <= 0 || part <= 0)
        return 0;
    if (part > INT64_MAX / 1000000)
        return part / (whole / 1000000 + 1);
    return part * 1000000 / whole;
}

/* What a queue has beyond its guarantee, now and in the past, for its weight. */
static int64_t over_share(const struct queues *q, uint32_t queue)
{
    const struct sched_queue *have = &q->in->queues[queue];
    const struct queue_use *use = &q->use[queue];
    int64_t gpu = use->gpu_milli - (have->guarantee.gpu_milli > 0 ? have->guarantee.gpu_milli : 0);
    int64_t cpu = use->cpu_milli - (have->guarantee.cpu_milli > 0 ? have->guarantee.cpu_milli : 0);
    int64_t share = per_million(gpu, q->total.gpu_milli);
    int64_t cpu_share = per_million(cpu, q->total.cpu_milli);
    if (q->total.gpu_milli == 0 || (use->gpu_milli == 0 && cpu_share > share))
        share = cpu_share;
    double past_milli = q->in->policy->half_life_ms > 0 && have->usage > 0
                            ? have->usage * 693.0 / (double)q->in->policy->half_life_ms
                            : 0; /* GPU thousandths in use on average lately: ln 2 of the sum */
    if (past_milli > 1e12)
        past_milli = 1e12;
    share += per_million((int64_t)past_milli, q->total.gpu_milli);
    int64_t weight = have->weight_milli > 0 ? have->weight_milli : WEIGHT_DEFAULT_MILLI;
    return share * 1000 / weight;
}

static uint32_t depth_of(const struct sched_input *in, uint32_t queue)
{
    uint32_t depth = 0;
    for (uint32_t up = queue; up != SCHED_NONE; up = in->queues[up].parent)
        depth++;
    return depth;
}

/* ---- per user ---- */

static struct user_use *find_user(struct queues *q, uint32_t queue, uint32_t user)
{
    uint64_t key = ((uint64_t)queue << 32 | user) + 1;
    uint32_t at = (uint32_t)(hash_mix(0, key) >> 32) & (q->user_slots - 1);
    while (q->users[at].key != 0 && q->users[at].key != key)
        at = (at + 1) & (q->user_slots - 1);
    q->users[at].key = key;
    return &q->users[at];
}

static uint32_t model_of_slots(const struct sched_input *in, const struct sched_running *r)
{
    for (uint32_t i = 0; i < r->slot_count; i++) {
        if (r->slots[i].gpu_count > 0)
            return in->nodes[r->slots[i].node].model;
    }
    return SCHED_NONE;
}

bool queues_init(struct queues *q, const struct sched_input *in, struct arena *arena)
{
    uint32_t people = in->running_count + in->waiting_count;
    *q = (struct queues){.in = in, .user_slots = 16};
    while (q->user_slots < 2 * people)
        q->user_slots *= 2;
    if (in->queue_count == 0)
        return true;
    q->use = arena_array(arena, in->queue_count, sizeof(*q->use));
    q->users = arena_array(arena, q->user_slots, sizeof(*q->users));
    int64_t *models =
        arena_array(arena, (size_t)in->queue_count * in->model_count, sizeof(*models));
    if (q->use == NULL || q->users == NULL || models == NULL)
        return false;
    for (uint32_t i = 0; i < in->queue_count; i++)
        q->use[i].models = models + (size_t)i * in->model_count;
    for (uint32_t n = 0; n < in->node_count; n++) {
        q->total.cpu_milli += in->nodes[n].cpu_milli;
        q->total.memory_bytes += (int64_t)in->nodes[n].memory_bytes;
        q->total.gpu_milli += 1000 * (int64_t)in->nodes[n].gpu_count;
    }
    for (uint32_t i = 0; i < in->queue_count; i++) {
        q->use[i].depth = depth_of(in, i);
        q->use[i].over_share = over_share(q, i);
    }
    for (uint32_t i = 0; i < in->running_count; i++) {
        const struct sched_running *r = &in->running[i];
        if (shape_fault(r->shape, NULL) != NULL)
            continue;
        struct ask ask = ask_of(r->shape);
        ask.model = model_of_slots(in, r);
        queues_take(q, r->queue, r->user, &ask, 1);
    }
    return true;
}

void queues_take(struct queues *q, uint32_t queue, uint32_t user, const struct ask *ask, int sign)
{
    if (q->in->queue_count == 0)
        return;
    find_user(q, queue, user)->gpu_milli += sign * ask->gpu_milli;
    for (uint32_t up = queue; up != SCHED_NONE; up = q->in->queues[up].parent) {
        struct queue_use *use = &q->use[up];
        use->cpu_milli += sign * ask->cpu_milli;
        use->memory_bytes += sign * ask->memory_bytes;
        use->gpu_milli += sign * ask->gpu_milli;
        if (ask->model < q->in->model_count)
            use->models[ask->model] += sign * ask->gpu_milli;
        use->over_share = over_share(q, up);
    }
}

/* ---- limits ---- */

static const char *over_limit(const struct queues *q, uint32_t queue, const struct ask *ask,
                              struct arena *arena)
{
    const struct sched_queue *have = &q->in->queues[queue];
    const struct sched_amount *limit = &have->limit;
    const struct queue_use *use = &q->use[queue];
    const char *name = have->name == NULL ? "its queue" : have->name;
    char used[UNITS_TEXT_MAX], most[UNITS_TEXT_MAX];
    if (limit->gpu_milli >= 0 && ask->gpu_milli > 0 &&
        use->gpu_milli + ask->gpu_milli > limit->gpu_milli)
        return arena_printf(arena, "queue %s uses %s of its limit of %s GPUs", name,
                            units_format_gpu(used, use->gpu_milli),
                            units_format_gpu(most, limit->gpu_milli));
    if (limit->cpu_milli >= 0 && use->cpu_milli + ask->cpu_milli > limit->cpu_milli)
        return arena_printf(arena, "queue %s uses %s of its limit of %s cores", name,
                            units_format_gpu(used, use->cpu_milli),
                            units_format_gpu(most, limit->cpu_milli));
    if (limit->memory_bytes >= 0 && use->memory_bytes + ask->memory_bytes > limit->memory_bytes)
        return arena_printf(arena, "queue %s uses %s of its limit of %s of memory", name,
                            units_human_bytes(used, (uint64_t)use->memory_bytes),
                            units_human_bytes(most, (uint64_t)limit->memory_bytes));
    if (ask->model < q->in->model_count && limit->gpu_model_milli != NULL &&
        limit->gpu_model_milli[ask->model] >= 0 &&
        use->models[ask->model] + ask->gpu_milli > limit->gpu_model_milli[ask->model])
        return arena_printf(arena, "queue %s uses %s of its limit of %s GPUs of %s", name,
                            units_format_gpu(used, use->models[ask->model]),
                            units_format_gpu(most, limit->gpu_model_milli[ask->model]),
                            q->in->models[ask->model]);
    return NULL;
}

bool queues_forbid(struct queues *q, uint32_t queue, uint32_t user, const struct ask *ask,
                   struct arena *arena, enum sched_hold_code *ret_code, const char **ret_reason)
{
    if (q->in->queue_count == 0)
        return false;
    int64_t user_limit = q->in->queues[queue].user_limit_gpu_milli;
    char used[UNITS_TEXT_MAX], most[UNITS_TEXT_MAX];
    for (uint32_t up = queue; up != SCHED_NONE; up = q->in->queues[up].parent) {
        const char *reason = over_limit(q, up, ask, arena);
        if (reason == NULL)
            continue;
        *ret_code = SCHED_HOLD_QUEUE_LIMIT;
        *ret_reason = reason;
        return true;
    }
    if (user_limit < 0 || ask->gpu_milli == 0)
        return false;
    int64_t user_milli = find_user(q, queue, user)->gpu_milli;
    if (user_milli + ask->gpu_milli <= user_limit)
        return false;
    *ret_code = SCHED_HOLD_USER_LIMIT;
    *ret_reason = arena_printf(arena, "its user has %s of at most %s GPUs in queue %s",
                               units_format_gpu(used, user_milli),
                               units_format_gpu(most, user_limit), q->in->queues[queue].name);
    return true;
}

/* ---- guarantees and turns ---- */

static bool is_within(const struct queue_use *use, const struct sched_amount *g,
                      const struct ask *ask)
{
    int64_t gpu = use->gpu_milli + ask->gpu_milli, cpu = use->cpu_milli + ask->cpu_milli;
    int64_t memory = use->memory_bytes + ask->memory_bytes;
    if (g->gpu_milli > 0) /* GPU work is counted in GPUs; its CPU and memory come with them */
        return gpu <= g->gpu_milli &&
               (ask->gpu_milli > 0 || cpu <= g->cpu_milli || g->cpu_milli <= 0);
    return g->cpu_milli > 0 && cpu <= g->cpu_milli && ask->gpu_milli == 0 &&
           (g->memory_bytes <= 0 || memory <= g->memory_bytes);
}

/* A guarantee is given by the parent out of its own: a queue without one shares its parent's. */
bool queues_is_owed(const struct queues *q, uint32_t queue, const struct ask *ask)
{
    bool has_any = false;
    if (q->in->queue_count == 0)
        return false;
    for (uint32_t up = queue; up != SCHED_NONE; up = q->in->queues[up].parent) {
        const struct sched_amount *g = &q->in->queues[up].guarantee;
        if (g->gpu_milli <= 0 && g->cpu_milli <= 0)
            continue;
        has_any = true;
        if (!is_within(&q->use[up], g, ask))
            return false;
    }
    return has_any;
}

static int compare_siblings(const struct queues *q, uint32_t a, uint32_t b)
{
    static const struct ask nothing = {.gpu_milli = 1, .model = SCHED_NONE};
    const struct sched_amount *ga = &q->in->queues[a].guarantee;
    const struct sched_amount *gb = &q->in->queues[b].guarantee;
    bool owed_a = is_within(&q->use[a], ga, &nothing), owed_b = is_within(&q->use[b], gb, &nothing);
    if (owed_a != owed_b)
        return owed_a ? -1 : 1;
    int64_t x, y;
    if (owed_a) {
        x = per_million(q->use[a].gpu_milli, ga->gpu_milli);
        y = per_million(q->use[b].gpu_milli, gb->gpu_milli);
    } else {
        x = q->use[a].over_share;
        y = q->use[b].over_share;
    }
    if (x != y)
        return x < y ? -1 : 1;
    return a < b ? -1 : a > b;
}

int queues_compare(const struct queues *q, uint32_t a, uint32_t b)
{
    uint32_t depth_a = q->use[a].depth, depth_b = q->use[b].depth;
    uint32_t up_a = a, up_b = b;
    while (depth_a > depth_b) {
        up_a = q->in->queues[up_a].parent;
        depth_a--;
    }
    while (depth_b > depth_a) {
        up_b = q->in->queues[up_b].parent;
        depth_b--;
    }
    if (up_a == up_b) /* one above the other: the upper one's own work first */
        return up_a == a ? (a == b ? 0 : -1) : 1;
    while (q->in->queues[up_a].parent != q->in->queues[up_b].parent) {
        up_a = q->in->queues[up_a].parent;
        up_b = q->in->queues[up_b].parent;
    }
    return compare_siblings(q, up_a, up_b);
}
