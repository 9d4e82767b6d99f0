/* Why work can't start now: one dominant reason, and what would let it start. */
#include "sched/pass.h"

#include <string.h>
#include "base/units.h"

/* ---- words ---- */

static const char *say(struct pass *p, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Never NULL: memory that is short is seen at the end of the pass. */
static const char *say(struct pass *p, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    const char *text = arena_vprintf(p->arena, fmt, ap);
    va_end(ap);
    if (text != NULL)
        return text;
    p->now.is_short = true;
    return "";
}

static const char *amounts(struct pass *p, int64_t cpu_milli, int64_t memory_bytes)
{
    char memory[UNITS_TEXT_MAX];
    int64_t cpu = cpu_milli < 0 ? 0 : cpu_milli / 100;
    uint64_t bytes = memory_bytes < 0 ? 0 : (uint64_t)memory_bytes;
    if (bytes >= 1ull << 30) /* people count in G */
        bytes &= ~((1ull << 30) - 1);
    units_format_bytes(memory, bytes);
    if (cpu % 10 == 0)
        return say(p, "%lld %s, %s", (long long)(cpu / 10), cpu == 10 ? "core" : "cores", memory);
    return say(p, "%lld.%lld cores, %s", (long long)(cpu / 10), (long long)(cpu % 10), memory);
}

static const char *model_name(const struct sched_input *in, uint32_t model)
{
    if (model >= in->model_count || in->models == NULL || in->models[model] == NULL)
        return "a model that is not here";
    return in->models[model];
}

/* " of A100 or H100", or "" when any will do. */
static const char *of_models(struct pass *p, const struct sched_role *role)
{
    struct buf text = BUF(256);
    for (uint32_t m = 0; m < role->model_count && m < 4; m++)
        buf_printf(&text, "%s%s", m == 0 ? " of " : " or ", model_name(p->in, role->models[m]));
    const char *copy = say(p, "%s", buf_str(&text));
    p->now.is_short = p->now.is_short || buf_is_failed(&text);
    buf_done(&text);
    return copy;
}

/* "2 GPUs of A100", "half": "0.5 GPU". */
static const char *gpus_asked(struct pass *p, const struct sched_role *role, const char *free_word)
{
    char count[UNITS_TEXT_MAX];
    units_format_gpu(count, role->gpu_milli);
    return say(p, "%s %sGPU%s%s", count, free_word, role->gpu_milli > 1000 ? "s" : "",
               of_models(p, role));
}

static const char *node_name(const struct pass *p, uint32_t node)
{
    const char *name = p->in->nodes[node].name;
    return name == NULL ? "a node" : name;
}

/* ---- looking for the lack ---- */

struct look {
    uint32_t fitting;   /* tasks that fit, each for itself */
    uint32_t best_gpus; /* largest block of free GPUs of the right kind, and where */
    int64_t best_share; /* largest free part of one */
    uint32_t best_gpu_node;
    int64_t best_disk;             /* most on any node that could hold it */
    int64_t best_cpu, best_memory; /* of the node with most room among those with the GPUs */
    uint32_t best_cpu_node;
    bool is_headroom; /* room there would be, but it is kept for GPUs */
};

static uint32_t tasks_in_state(const struct need *need, const struct cluster *c,
                               const struct cl_state *s)
{
    const struct sched_role *role = need->role;
    int64_t count = role->apart ? 1 : INT32_MAX;
    if (!need_fits(need, c, s))
        return 0;
    if (role->cpu_milli > 0 && s->cpu_free / role->cpu_milli < count)
        count = s->cpu_free / role->cpu_milli;
    if (role->memory_bytes > 0 && s->memory_free / (int64_t)role->memory_bytes < count)
        count = s->memory_free / (int64_t)role->memory_bytes;
    if (role->disk_bytes > 0 && s->disk_free / (int64_t)role->disk_bytes < count)
        count = s->disk_free / (int64_t)role->disk_bytes;
    if (role->gpu_milli >= 1000 && s->whole_free / (role->gpu_milli / 1000) < count)
        count = s->whole_free / (role->gpu_milli / 1000);
    if (role->gpu_milli > 0 && role->gpu_milli < 1000) {
        int64_t shares = 0;
        for (uint32_t i = 0; i < c->classes[s->class_id].gpu_count; i++)
            shares += s->gpus[i] / role->gpu_milli;
        count = shares < count ? shares : count;
    }
    return (uint32_t)count;
}

static void look_at_state(struct look *look, const struct need *need, struct cluster *c,
                          uint32_t state)
{
    const struct cl_state *s = &c->states[state];
    if (!need->class_fits[s->class_id])
        return;
    uint32_t node = cluster_first(c, state);
    uint64_t fitting = (uint64_t)look->fitting + (uint64_t)tasks_in_state(need, c, s) * s->live;
    look->fitting = fitting > INT32_MAX ? INT32_MAX : (uint32_t)fitting;
    int64_t share = 0;
    for (uint32_t i = 0; i < c->classes[s->class_id].gpu_count; i++)
        share = s->gpus[i] > share ? s->gpus[i] : share;
    if (look->best_gpu_node == SCHED_NONE || s->whole_free > look->best_gpus ||
        (s->whole_free == look->best_gpus && share > look->best_share)) {
        look->best_gpus = s->whole_free;
        look->best_share = share;
        look->best_gpu_node = node;
    }
    if (s->disk_free > look->best_disk)
        look->best_disk = s->disk_free;
    int64_t want = need->role->gpu_milli;
    bool has_gpus = want < 1000 ? share >= want : s->whole_free >= (uint32_t)(want / 1000);
    if (!has_gpus)
        return;
    if (look->best_cpu_node == SCHED_NONE || s->cpu_free > look->best_cpu) {
        look->best_cpu = s->cpu_free;
        look->best_memory = s->memory_free;
        look->best_cpu_node = node;
    }
    if (want == 0 && s->cpu_free >= need->role->cpu_milli &&
        s->memory_free >= (int64_t)need->role->memory_bytes && !need_fits(need, c, s))
        look->is_headroom = true;
}

static struct look look_around(const struct need *need, struct cluster *c)
{
    struct look look = {.best_gpu_node = SCHED_NONE, .best_cpu_node = SCHED_NONE};
    for (uint32_t i = 0; i < c->alive_count; i++)
        look_at_state(&look, need, c, c->alive[i]);
    return look;
}

/* ---- no room now ---- */

static void say_busy_gpus(struct pass *p, struct kind *kind, const struct sched_role *role,
                          const struct look *look)
{
    char share[UNITS_TEXT_MAX];
    if (role->gpu_milli >= 1000)
        kind->reason =
            say(p, "no node has %s: the largest free block is %u on %s",
                gpus_asked(p, role, "free "), look->best_gpus, node_name(p, look->best_gpu_node));
    else
        kind->reason =
            say(p, "no GPU%s has %lld/1000 free: the most is %s on %s", of_models(p, role),
                (long long)role->gpu_milli, units_format_gpu(share, look->best_share),
                node_name(p, look->best_gpu_node));
    if (role->gpu_milli >= 2000 && look->best_gpus > 0)
        kind->remedy = say(p, "with %u GPU%s it could start now", look->best_gpus,
                           look->best_gpus == 1 ? "" : "s");
}

static void say_no_room(struct pass *p, struct kind *kind, const struct sched_role *role,
                        const struct look *look)
{
    uint32_t gpus = role_gpu_count(role);
    bool has_gpus = look->best_cpu_node != SCHED_NONE;
    if (look->is_headroom) {
        kind->code = SCHED_HOLD_RESERVED;
        kind->reason = "nodes with GPUs have room, but keep it for GPU work";
        kind->remedy = "a node without GPUs would take it";
    } else if (role->count > 1 && look->fitting > 0) {
        kind->reason =
            say(p, "all %u tasks must start at once, and there is room for %u now%s%s", role->count,
                look->fitting, gpus > 0 ? " of " : "", gpus > 0 ? gpus_asked(p, role, "") : "");
        kind->remedy = say(p, "with %u replicas it could start now", look->fitting);
    } else if (gpus > 0 && !has_gpus && look->best_gpu_node != SCHED_NONE) {
        say_busy_gpus(p, kind, role, look);
    } else if (look->best_disk < (int64_t)role->disk_bytes) {
        char asked[UNITS_TEXT_MAX], there[UNITS_TEXT_MAX];
        kind->reason = say(p, "no node has %s of free disk: the most is %s",
                           units_human_bytes(asked, role->disk_bytes),
                           units_human_bytes(there, (uint64_t)look->best_disk));
    } else if (has_gpus) {
        kind->reason =
            say(p, "no node%s has %s free: the most is %s on %s", gpus > 0 ? " with free GPUs" : "",
                amounts(p, role->cpu_milli, (int64_t)role->memory_bytes),
                amounts(p, look->best_cpu, look->best_memory), node_name(p, look->best_cpu_node));
        if (look->best_cpu > 0 && look->best_memory > 0)
            kind->remedy =
                say(p, "with %s it could start now", amounts(p, look->best_cpu, look->best_memory));
    }
}

static bool say_resources(struct pass *p, struct kind *kind)
{
    const struct sched_shape *shape = kind->shape;
    kind->code = SCHED_HOLD_RESOURCES;
    kind->reason = "its tasks find no room together";
    for (uint32_t r = 0; r < shape->role_count; r++) {
        const struct sched_role *role = &shape->roles[r];
        struct need *need = needs_get(&p->needs, &p->now, role, shape->pool, shape->site);
        if (need == NULL)
            return false;
        struct look look = look_around(need, &p->now);
        if (role->count > 0 && look.fitting < role->count) {
            say_no_room(p, kind, role, &look);
            break;
        }
    }
    if (shape->node != SCHED_NONE && shape->node < p->in->node_count) {
        const struct cl_state *s = cluster_state(&p->now, shape->node);
        kind->reason =
            say(p, "%s has no room for it: %s and %u GPUs are free there",
                node_name(p, shape->node), amounts(p, s->cpu_free, s->memory_free), s->whole_free);
        kind->remedy = "it names a node; without that it could run elsewhere";
    }
    return kind->reason != NULL;
}

/* ---- never ---- */

struct largest {
    int64_t cpu_milli, memory_bytes;
    uint64_t disk_bytes;
    uint32_t gpus;
    uint64_t gpu_memory_bytes;
    uint32_t gpu_node;
    bool has_gpus;
};

static struct largest find_largest(const struct pass *p, const struct sched_role *role)
{
    struct largest most = {.gpu_node = SCHED_NONE};
    for (uint32_t n = 0; n < p->in->node_count; n++) {
        const struct sched_node *node = &p->in->nodes[n];
        bool is_right = role->model_count == 0;
        for (uint32_t m = 0; m < role->model_count; m++)
            is_right = is_right || (node->gpu_count > 0 && role->models[m] == node->model);
        most.has_gpus = most.has_gpus || node->gpu_count > 0;
        bool is_larger =
            node->cpu_milli > most.cpu_milli ||
            (node->cpu_milli == most.cpu_milli && (int64_t)node->memory_bytes > most.memory_bytes);
        if (is_larger && (role->gpu_milli <= 0 || (is_right && node->gpu_count > 0))) {
            most.cpu_milli = node->cpu_milli;
            most.memory_bytes = (int64_t)node->memory_bytes;
        }
        if (node->disk_bytes > most.disk_bytes)
            most.disk_bytes = node->disk_bytes;
        if (is_right && node->gpu_count > most.gpus) {
            most.gpus = node->gpu_count;
            most.gpu_node = n;
        }
        if (is_right && node->gpu_memory_bytes > most.gpu_memory_bytes)
            most.gpu_memory_bytes = node->gpu_memory_bytes;
    }
    return most;
}

static const char *never_words(struct pass *p, const struct sched_role *role)
{
    struct largest most = find_largest(p, role);
    uint32_t gpus = role_gpu_count(role);
    char asked[UNITS_TEXT_MAX], there[UNITS_TEXT_MAX];
    if (p->in->node_count == 0)
        return "there are no nodes";
    if (gpus > 0 && !most.has_gpus)
        return "no node has GPUs";
    if (gpus > 0 && most.gpus == 0)
        return say(p, "no node has a GPU%s", of_models(p, role));
    if (gpus > most.gpus)
        return say(p, "no node has %s: the largest has %u (%s)", gpus_asked(p, role, ""), most.gpus,
                   node_name(p, most.gpu_node));
    if (gpus > 0 && role->gpu_memory_min_bytes > most.gpu_memory_bytes)
        return say(p, "no GPU%s has %s of memory: the largest has %s", of_models(p, role),
                   units_format_bytes(asked, role->gpu_memory_min_bytes),
                   units_format_bytes(there, most.gpu_memory_bytes));
    if (role->cpu_milli > most.cpu_milli || (int64_t)role->memory_bytes > most.memory_bytes)
        return say(p, "no node%s has %s: the largest node has %s",
                   gpus > 0 ? " with such GPUs" : "",
                   amounts(p, role->cpu_milli, (int64_t)role->memory_bytes),
                   amounts(p, most.cpu_milli, most.memory_bytes));
    if (role->disk_bytes > most.disk_bytes)
        return say(p, "no node has %s of disk: the largest has %s",
                   units_human_bytes(asked, role->disk_bytes),
                   units_human_bytes(there, most.disk_bytes));
    return NULL;
}

static bool say_impossible(struct pass *p, struct kind *kind)
{
    const struct sched_shape *shape = kind->shape;
    kind->code = SCHED_HOLD_IMPOSSIBLE;
    if (shape->node != SCHED_NONE && shape->node >= p->in->node_count) {
        kind->reason = "the node it names is not there";
        return true;
    }
    for (uint32_t r = 0; r < shape->role_count && kind->reason == NULL; r++)
        kind->reason = never_words(p, &shape->roles[r]);
    if (kind->reason == NULL && shape->node != SCHED_NONE)
        kind->reason = say(p, "%s could never hold it", node_name(p, shape->node));
    if (kind->reason == NULL && shape->together_hard) {
        static const char *const levels[SCHED_LEVELS] = {"host", "rack", "room", "site"};
        kind->reason = say(p, "no %s could ever hold all its tasks",
                           levels[shape->together < 0 ? 0 : shape->together]);
    }
    for (uint32_t r = 0; r < shape->role_count && kind->reason == NULL; r++) {
        const struct sched_role *role = &shape->roles[r];
        struct need *need =
            needs_get(&p->empty_all_needs, &p->empty_all, role, shape->pool, shape->site);
        if (need == NULL)
            return false;
        struct look look = look_around(need, &p->empty_all);
        if (look.fitting < role->count)
            kind->reason = say(p, "all nodes together have room for %u of its %u tasks",
                               look.fitting, role->count);
    }
    if (kind->reason == NULL)
        kind->reason = "no set of nodes could hold all its tasks";
    return true;
}

/* ---- what if ---- */

static int would_fit(struct cluster *c, struct needs *needs, const struct sched_shape *shape)
{
    struct placement placement;
    int result = place_gang(c, needs, shape, NULL, &placement);
    if (result > 0)
        place_undo(c, shape, &placement);
    return c->is_short ? -1 : result;
}

/* Whether rules about together and apart are all that is in the way. */
static int is_topology(struct pass *p, const struct kind *kind)
{
    struct sched_shape free_shape = *kind->shape;
    bool has_rule = kind->shape->together_hard && kind->shape->together >= 0;
    struct sched_role *roles =
        arena_copy(p->arena, free_shape.roles, free_shape.role_count * sizeof(*roles));
    if (roles == NULL)
        return -1;
    for (uint32_t r = 0; r < free_shape.role_count; r++) {
        has_rule = has_rule || (roles[r].apart && roles[r].count > 1);
        roles[r].apart = false;
    }
    free_shape.roles = roles;
    free_shape.together = -1;
    free_shape.together_hard = false;
    return has_rule ? would_fit(&p->now, &p->needs, &free_shape) : 0;
}

static bool make_empty(struct pass *p)
{
    if (!p->has_empty)
        p->has_empty = cluster_init(&p->empty, p->in, NULL, CL_EMPTY, p->arena) &&
                       needs_init(&p->empty_needs, p->arena);
    return p->has_empty;
}

static bool make_empty_all(struct pass *p)
{
    if (!p->has_empty_all)
        p->has_empty_all = cluster_init(&p->empty_all, p->in, NULL, CL_EMPTY_ALL, p->arena) &&
                           needs_init(&p->empty_all_needs, p->arena);
    return p->has_empty_all;
}

static bool explain(struct pass *p, struct kind *kind)
{
    if (kind->fault != NULL) {
        kind->code = SCHED_HOLD_IMPOSSIBLE;
        kind->reason = kind->fault;
        return true;
    }
    if (!make_empty(p))
        return false;
    int could_run = would_fit(&p->empty, &p->empty_needs, kind->shape);
    if (could_run < 0)
        return false;
    if (could_run > 0) {
        int topology = is_topology(p, kind);
        if (topology == 0 && p->closed_count > 0) {
            kind->code = SCHED_HOLD_RESERVED;
            kind->reason = "free room is kept for work that has waited longer";
        }
        if (topology <= 0)
            return topology == 0 && (p->closed_count > 0 || say_resources(p, kind));
        kind->code = SCHED_HOLD_TOPOLOGY;
        kind->reason = "there is room now, but not where its tasks want to be";
        kind->remedy = "without its rules about together and apart it could start now";
        return true;
    }
    if (!make_empty_all(p))
        return false;
    int could_run_all = would_fit(&p->empty_all, &p->empty_all_needs, kind->shape);
    if (could_run_all < 0)
        return false;
    if (could_run_all == 0)
        return say_impossible(p, kind);
    kind->code = SCHED_HOLD_NODES_AWAY;
    kind->reason = "only nodes that are drained or not ready could hold it";
    kind->remedy = "it starts when they are back";
    return true;
}

bool explain_kind(struct pass *p, struct kind *kind)
{
    if (!kind->is_explained)
        kind->is_explained = explain(p, kind);
    return kind->is_explained;
}
