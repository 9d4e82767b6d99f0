/*
 * items: workloads in memory, live and lately ended, and finding them.
 */
#include "control/state.h"
#include <string.h>
#include "base/alloc.h"
#include "base/str.h"

#define ITEM_ARENA_BYTES (4u << 20)

static void list_append(struct item **head, struct item **tail, struct item *it)
{
    it->next = NULL;
    it->prev = *tail;
    if (*tail)
        (*tail)->next = it;
    else
        *head = it;
    *tail = it;
}

static void list_remove(struct item **head, struct item **tail, struct item *it)
{
    if (it->prev)
        it->prev->next = it->next;
    else
        *head = it->next;
    if (it->next)
        it->next->prev = it->prev;
    else
        *tail = it->prev;
    it->prev = it->next = NULL;
}

struct item *item_new(struct control *c, struct workload_id id)
{
    struct item *it = mem_calloc(1, sizeof(*it));
    if (!it)
        return NULL;
    it->w.id = id;
    arena_init(&it->w.arena, ITEM_ARENA_BYTES);
    if (map_put_u64(&c->items, id.v, it) < 0) {
        mem_free(it);
        return NULL;
    }
    list_append(&c->live_head, &c->live_tail, it);
    c->live_count++;
    return it;
}

static void attempt_free(struct attempt *a)
{
    if (!a)
        return;
    mem_free(a->tasks);
    mem_free(a);
}

static void item_free(struct item *it)
{
    attempt_free(it->w.attempt);
    arena_done(&it->w.arena);
    mem_free(it);
}

void item_remove(struct control *c, struct item *it)
{
    map_remove_u64(&c->items, it->w.id.v);
    list_remove(&c->live_head, &c->live_tail, it);
    c->live_count--;
    item_free(it);
}

void items_done(struct control *c)
{
    struct item *const heads[] = {c->live_head, c->ended_head};
    for (size_t i = 0; i < ARRAY_LEN(heads); i++)
        for (struct item *it = heads[i], *next; it; it = next) {
            next = it->next;
            item_free(it);
        }
    map_done(&c->items);
}

void item_retire(struct control *c, struct item *it)
{
    list_remove(&c->live_head, &c->live_tail, it);
    c->live_count--;
    list_append(&c->ended_head, &c->ended_tail, it);
    c->ended_count++;
    /* The oldest leave memory, but never one whose last change is not durable or whose engine has
     * not been told to forget it. */
    while (c->ended_count > c->cfg.finished_kept) {
        struct item *old = c->ended_head;
        if (old == it || old->committed_version != old->w.version ||
            (old->w.attempt && !old->w.attempt->gone))
            break;
        map_remove_u64(&c->items, old->w.id.v);
        list_remove(&c->ended_head, &c->ended_tail, old);
        c->ended_count--;
        item_free(old);
    }
}

struct item *item_find(const struct control *c, struct workload_id id)
{
    return map_get_u64(&c->items, id.v);
}

struct attempt *item_new_attempt(struct item *it, uint32_t task_count)
{
    struct attempt *a = mem_calloc(1, sizeof(*a));
    struct task *tasks = mem_calloc(task_count ? task_count : 1, sizeof(*tasks));
    if (!a || !tasks) {
        mem_free(a);
        mem_free(tasks);
        return NULL;
    }
    for (uint32_t i = 0; i < task_count; i++) {
        tasks[i].index = i;
        tasks[i].exit_code = -1;
    }
    a->tasks = tasks;
    a->task_count = task_count;
    attempt_free(it->w.attempt);
    it->w.attempt = a;
    return a;
}

static int fill_role(const struct control *c, const struct workload_spec *spec, size_t index,
                     struct arena *a, struct sched_role *role)
{
    const char *name = NULL;
    const struct role_spec *r = spec_role(spec, index, &name);
    *role = (struct sched_role){
        .count = (uint32_t)r->replicas,
        .count_max = (uint32_t)r->replicas_max,
        .cpu_milli = r->cpu_milli,
        .memory_bytes = r->memory_bytes,
        .disk_bytes = r->disk_bytes,
        .gpu_milli = r->gpu.milli,
        .gpu_memory_min_bytes = r->gpu.memory_min_bytes,
    };
    for (size_t i = 0; i < spec->placement.apart.len; i++)
        if (str_is_equal(spec->placement.apart.items[i], name))
            role->apart = true;
    (void)c;
    (void)a;
    return 0;
}

/* The parts of a shape that do not depend on the nodes of the moment; models, node, pool and site
 * are resolved at each pass. */
int item_make_shape(struct control *c, struct item *it, struct err *err)
{
    const struct workload_spec *spec = it->w.spec;
    struct sched_shape *shape = arena_alloc(&it->w.arena, sizeof(*shape));
    struct sched_role *roles = arena_array(&it->w.arena, spec->roles.len, sizeof(*roles));
    if (!shape || !roles)
        return err_set(err, BERR_NOMEM, "out of memory");
    for (size_t i = 0; i < spec->roles.len; i++)
        fill_role(c, spec, i, &it->w.arena, &roles[i]);
    *shape = (struct sched_shape){
        .roles = roles,
        .role_count = (uint32_t)spec->roles.len,
        .together = (int8_t)(spec->placement.together - 1),
        .together_hard = spec->placement.together_hard,
        .node = SCHED_NONE,
        .pool = SCHED_NONE,
        .site = SCHED_NONE,
    };
    it->shape = shape;
    return 0;
}

struct site *control_site(struct control *c, const char *name)
{
    for (size_t i = 0; i < c->site_count; i++)
        if (str_is_equal(c->sites[i].name, name))
            return &c->sites[i];
    return NULL;
}

struct node_entry *control_node_entry(const struct control *c, const char *site, const char *name)
{
    for (size_t i = 0; i < c->nodes.len; i++)
        if (str_is_equal(c->nodes.items[i]->node.name, name) &&
            (!site || str_is_equal(c->nodes.items[i]->site->name, site)))
            return c->nodes.items[i];
    return NULL;
}

const struct workload *control_find(const struct control *c, struct workload_id id)
{
    struct item *it = item_find(c, id);
    return it ? &it->w : NULL;
}

const struct workload *control_find_name(const struct control *c, struct project_id project,
                                         const char *name_or_id)
{
    uint64_t v;
    if (id_parse(name_or_id, &v)) {
        struct item *it = map_get_u64(&c->items, v);
        if (it && (project.v == 0 || it->w.project.v == project.v))
            return &it->w;
    }
    struct item *const lists[] = {c->live_tail, c->ended_tail};
    for (size_t l = 0; l < ARRAY_LEN(lists); l++)
        for (struct item *it = lists[l]; it; it = it->prev)
            if (it->w.project.v == project.v && str_is_equal(it->w.spec->name, name_or_id))
                return &it->w;
    return NULL;
}

const struct workload *control_next(const struct control *c, size_t *i)
{
    void *value;
    uint64_t key;
    if (!map_next_u64(&c->items, i, &key, &value))
        return NULL;
    return &((struct item *)value)->w;
}

void control_get_counts(const struct control *c, struct control_counts *ret)
{
    *ret = c->counts;
    memset(ret->by_state, 0, sizeof(ret->by_state));
    for (struct item *it = c->live_head; it; it = it->next)
        ret->by_state[it->w.state]++;
    for (struct item *it = c->ended_head; it; it = it->next)
        ret->by_state[it->w.state]++;
}
