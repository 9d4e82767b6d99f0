/* What is free, node by node, and the groups of nodes in the same condition. */
#include "sched/cluster.h"

#include <string.h>

/* ---- states as keys ---- */

static uint64_t state_hash(const struct cl_state *s, uint32_t gpu_count)
{
    uint64_t hash = hash_mix(s->class_id, (uint64_t)s->cpu_free);
    hash = hash_mix(hash, (uint64_t)s->memory_free);
    hash = hash_mix(hash, (uint64_t)s->disk_free);
    for (uint32_t i = 0; i < gpu_count; i++)
        hash = hash_mix(hash, (uint64_t)s->gpus[i]);
    return hash ^ (hash >> 31);
}

static bool state_is_equal(const struct cl_state *a, const struct cl_state *b, uint32_t gpu_count)
{
    return a->hash == b->hash && a->class_id == b->class_id && a->cpu_free == b->cpu_free &&
           a->memory_free == b->memory_free && a->disk_free == b->disk_free &&
           memcmp(a->gpus, b->gpus, gpu_count * sizeof(*a->gpus)) == 0;
}

/* ---- growing arrays in the arena ---- */

static void *grow(struct cluster *c, void *items, uint32_t len, uint32_t *cap, size_t size)
{
    if (len < *cap)
        return items;
    uint32_t more = *cap == 0 ? 8 : *cap * 2;
    void *bigger = arena_array(c->arena, more, size);
    if (bigger == NULL) {
        c->is_short = true;
        return NULL;
    }
    if (len > 0)
        memcpy(bigger, items, len * size);
    *cap = more;
    return bigger;
}

/* ---- a state's nodes: a heap by number ---- */

static bool heap_push_node(struct cluster *c, struct cl_state *s, uint32_t node)
{
    uint32_t *heap = s->heap_len < s->heap_cap
                         ? s->heap
                         : grow(c, s->heap, s->heap_len, &s->heap_cap, sizeof(*s->heap));
    if (heap == NULL)
        return false;
    s->heap = heap;
    uint32_t at = s->heap_len++;
    while (at > 0 && heap[(at - 1) / 2] > node) {
        heap[at] = heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    heap[at] = node;
    return true;
}

static void heap_drop_first(struct cl_state *s)
{
    uint32_t last = s->heap[--s->heap_len], at = 0;
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child >= s->heap_len)
            break;
        if (child + 1 < s->heap_len && s->heap[child + 1] < s->heap[child])
            child++;
        if (s->heap[child] >= last)
            break;
        s->heap[at] = s->heap[child];
        at = child;
    }
    s->heap[at] = last;
}

uint32_t cluster_first(struct cluster *c, uint32_t state)
{
    struct cl_state *s = &c->states[state];
    check(s->live > 0);
    while (c->state_of[s->heap[0]] != state)
        heap_drop_first(s);
    return s->heap[0];
}

/* ---- finding and making states ---- */

static bool grow_slots(struct cluster *c)
{
    uint32_t count = c->state_slot_count == 0 ? 1024 : c->state_slot_count * 2;
    uint32_t *slots = arena_array(c->arena, count, sizeof(*slots));
    if (slots == NULL) {
        c->is_short = true;
        return false;
    }
    for (uint32_t i = 0; i < c->state_count; i++) {
        uint32_t at = (uint32_t)c->states[i].hash & (count - 1);
        while (slots[at] != 0)
            at = (at + 1) & (count - 1);
        slots[at] = i + 1;
    }
    c->state_slots = slots;
    c->state_slot_count = count;
    return true;
}

/* The number of the state that equals *want (whose gpus may be on the stack); SCHED_NONE when
 * memory is short. */
static uint32_t find_state(struct cluster *c, struct cl_state *want)
{
    uint32_t gpu_count = c->classes[want->class_id].gpu_count;
    want->hash = state_hash(want, gpu_count);
    if (2 * (c->state_count + 1) > c->state_slot_count && !grow_slots(c))
        return SCHED_NONE;
    uint32_t at = (uint32_t)want->hash & (c->state_slot_count - 1);
    for (; c->state_slots[at] != 0; at = (at + 1) & (c->state_slot_count - 1)) {
        if (state_is_equal(&c->states[c->state_slots[at] - 1], want, gpu_count))
            return c->state_slots[at] - 1;
    }
    struct cl_state *states = grow(c, c->states, c->state_count, &c->state_cap, sizeof(*states));
    if (states == NULL)
        return SCHED_NONE;
    c->states = states;
    struct cl_state *s = &states[c->state_count];
    *s = *want;
    s->waste = INT64_MIN;
    s->live = s->heap_len = s->heap_cap = 0;
    s->heap = NULL;
    s->alive_at = SCHED_NONE;
    s->gpus = arena_copy(c->arena, want->gpus, gpu_count * sizeof(*want->gpus));
    if (s->gpus == NULL) {
        c->is_short = true;
        return SCHED_NONE;
    }
    c->state_slots[at] = ++c->state_count;
    return c->state_count - 1;
}

static void leave_state(struct cluster *c, uint32_t node)
{
    struct cl_state *s = &c->states[c->state_of[node]];
    if (--s->live == 0) {
        uint32_t last = c->alive[--c->alive_count];
        c->alive[s->alive_at] = last;
        c->states[last].alive_at = s->alive_at;
        s->alive_at = SCHED_NONE;
        s->heap_len = 0;
    }
}

static bool enter_state(struct cluster *c, uint32_t node, uint32_t state)
{
    struct cl_state *s = &c->states[state];
    if (!heap_push_node(c, s, node))
        return false;
    if (s->live == 0) {
        uint32_t *alive = grow(c, c->alive, c->alive_count, &c->alive_cap, sizeof(*alive));
        if (alive == NULL)
            return false;
        c->alive = alive;
        s->alive_at = c->alive_count;
        c->alive[c->alive_count++] = state;
    }
    s->live++;
    c->state_of[node] = state;
    return true;
}

/* ---- taking and giving ---- */

static void count_gpus(struct cl_state *s, uint32_t gpu_count)
{
    s->whole_free = 0;
    s->gpu_free_milli = 0;
    for (uint32_t i = 0; i < gpu_count; i++) {
        s->whole_free += s->gpus[i] == 1000;
        s->gpu_free_milli += s->gpus[i];
    }
}

static bool change(struct cluster *c, const struct sched_role *role, const struct sched_slot *slot,
                   int sign)
{
    const struct cl_state *now = &c->states[c->state_of[slot->node]];
    uint32_t gpu_count = c->classes[now->class_id].gpu_count;
    int16_t gpus[LIMIT_GPUS_PER_NODE];
    struct cl_state want = *now;
    memcpy(gpus, now->gpus, gpu_count * sizeof(*gpus));
    want.gpus = gpus;
    want.cpu_free -= sign * role->cpu_milli;
    want.memory_free -= sign * (int64_t)role->memory_bytes;
    want.disk_free -= sign * (int64_t)role->disk_bytes;
    for (uint32_t i = 0; i < slot->gpu_count; i++) {
        check(slot->gpus[i] < gpu_count);
        gpus[slot->gpus[i]] = (int16_t)(gpus[slot->gpus[i]] - sign * (int16_t)slot->gpu_milli);
        check(gpus[slot->gpus[i]] >= 0 && gpus[slot->gpus[i]] <= 1000);
    }
    count_gpus(&want, gpu_count);
    uint32_t state = find_state(c, &want);
    if (state == SCHED_NONE)
        return false;
    leave_state(c, slot->node);
    return enter_state(c, slot->node, state);
}

bool cluster_take(struct cluster *c, const struct sched_role *role, const struct sched_slot *slot)
{
    return change(c, role, slot, 1);
}

bool cluster_give(struct cluster *c, const struct sched_role *role, const struct sched_slot *slot)
{
    return change(c, role, slot, -1);
}

/* ---- set-up ---- */

static bool has_links(const struct sched_node *node)
{
    for (uint32_t i = 1; i < node->gpu_count; i++) {
        if (node->gpus[i].link_group != node->gpus[0].link_group ||
            node->gpus[i].numa != node->gpus[0].numa)
            return true;
    }
    return false;
}

static bool is_same_topology(const struct sched_node *a, const struct sched_node *b)
{
    for (uint32_t i = 0; i < a->gpu_count; i++) {
        if (a->gpus[i].link_group != b->gpus[i].link_group || a->gpus[i].numa != b->gpus[i].numa)
            return false;
    }
    return true;
}

static bool is_same_class(const struct cluster *c, const struct cl_class *a,
                          const struct cl_class *b, uint32_t node)
{
    return a->model == b->model && a->pool == b->pool && a->site == b->site &&
           a->gpu_memory_bytes == b->gpu_memory_bytes && a->usable == b->usable &&
           a->gpu_count == b->gpu_count && a->gpus_usable == b->gpus_usable &&
           a->cpu_milli == b->cpu_milli && a->memory_bytes == b->memory_bytes &&
           a->disk_bytes == b->disk_bytes && a->has_links == b->has_links &&
           (!a->has_links || is_same_topology(&c->nodes[a->sample], &c->nodes[node]));
}

static int64_t reserve_of(int64_t asked, int64_t total, uint32_t gpus)
{
    return asked >= 0 ? asked : gpus == 0 ? 0 : total / gpus;
}

static uint32_t find_class(struct cluster *c, const struct sched_input *in, uint32_t n,
                           enum cl_view view)
{
    const struct sched_node *node = &in->nodes[n];
    struct cl_class want = {
        .model = node->gpu_count == 0 ? SCHED_NONE : node->model,
        .pool = node->pool,
        .site = node->level[3],
        .gpu_memory_bytes = node->gpu_memory_bytes,
        .usable = node->usable || view == CL_EMPTY_ALL,
        .gpu_count = node->gpu_count,
        .cpu_milli = node->cpu_milli,
        .memory_bytes = (int64_t)node->memory_bytes,
        .disk_bytes = (int64_t)node->disk_bytes,
        .has_links = has_links(node),
        .sample = n,
    };
    if (node->drain_at_ms != 0 && node->drain_at_ms <= in->now_ms && view != CL_EMPTY_ALL)
        want.usable = false;
    for (uint32_t i = 0; i < node->gpu_count; i++)
        want.gpus_usable += node->gpus[i].usable || view == CL_EMPTY_ALL;
    want.reserve_cpu_milli =
        reserve_of(in->policy->gpu_cpu_reserve_milli, want.cpu_milli, want.gpus_usable);
    want.reserve_memory_bytes =
        reserve_of(in->policy->gpu_memory_reserve_bytes, want.memory_bytes, want.gpus_usable);
    for (uint32_t i = c->class_count; i-- > 0;) {
        if (is_same_class(c, &c->classes[i], &want, n))
            return i;
    }
    struct cl_class *classes = grow(c, c->classes, c->class_count, &c->class_cap, sizeof(*classes));
    if (classes == NULL)
        return SCHED_NONE;
    c->classes = classes;
    c->classes[c->class_count] = want;
    return c->class_count++;
}

static int16_t gpu_free(const struct sched_node *node, uint32_t position, int32_t held,
                        enum cl_view view)
{
    const struct sched_gpu *gpu = &node->gpus[position];
    if (!gpu->usable && view != CL_EMPTY_ALL)
        return 0;
    if (view != CL_NOW)
        return 1000;
    return (int16_t)(1000 - (gpu->used_milli > held ? gpu->used_milli : held));
}

static bool add_node(struct cluster *c, const struct sched_input *in, const struct held *held,
                     uint32_t n, enum cl_view view)
{
    const struct sched_node *node = &in->nodes[n];
    int16_t gpus[LIMIT_GPUS_PER_NODE];
    bool is_empty = view != CL_NOW;
    struct cl_state s = {
        .class_id = find_class(c, in, n, view),
        .cpu_free = node->cpu_milli - (is_empty ? 0 : node->cpu_used_milli),
        .memory_free =
            (int64_t)node->memory_bytes - (is_empty ? 0 : (int64_t)node->memory_used_bytes),
        .disk_free = (int64_t)node->disk_bytes - (is_empty ? 0 : (int64_t)node->disk_used_bytes),
        .gpus = gpus,
    };
    if (s.class_id == SCHED_NONE)
        return false;
    c->class_of[n] = s.class_id;
    for (uint32_t i = 0; i < node->gpu_count; i++)
        gpus[i] = gpu_free(node, i, held == NULL ? 0 : held->milli[held->at[n] + i], view);
    count_gpus(&s, node->gpu_count);
    uint32_t state = find_state(c, &s);
    return state != SCHED_NONE && enter_state(c, n, state);
}

/* Numbers of racks, rooms and sites are the caller's and may be any: count them first. */
static bool add_domains(struct cluster *c, int level)
{
    uint32_t count = 0;
    for (uint32_t n = 0; n < c->node_count; n++) {
        uint32_t number = c->nodes[n].level[level];
        if (number != SCHED_NONE && number >= count)
            count = number + 1;
    }
    if (count > 4 * c->node_count + 1024) /* numbers out of proportion: not a level */
        count = 0;
    struct cl_domain *domains = arena_array(c->arena, count, sizeof(*domains));
    uint32_t *room = arena_array(c->arena, c->node_count, sizeof(*room));
    if (domains == NULL || room == NULL)
        return false;
    for (uint32_t n = 0; n < c->node_count; n++) {
        if (c->nodes[n].level[level] < count)
            domains[c->nodes[n].level[level]].node_count++;
    }
    for (uint32_t d = 0; d < count; d++) {
        domains[d].nodes = room;
        room += domains[d].node_count;
        domains[d].node_count = 0;
    }
    for (uint32_t n = 0; n < c->node_count; n++) {
        uint32_t number = c->nodes[n].level[level];
        if (number < count)
            domains[number].nodes[domains[number].node_count++] = n;
    }
    c->domains[level] = domains;
    c->domain_count[level] = count;
    return true;
}

bool cluster_init(struct cluster *c, const struct sched_input *in, const struct held *held,
                  enum cl_view view, struct arena *arena)
{
    *c = (struct cluster){.arena = arena, .nodes = in->nodes, .node_count = in->node_count};
    c->class_of = arena_array(arena, in->node_count, sizeof(*c->class_of));
    c->state_of = arena_array(arena, in->node_count, sizeof(*c->state_of));
    c->has_reserve = view == CL_NOW || view == CL_EMPTY_KEPT;
    c->keeps_reserve =
        in->policy->gpu_cpu_reserve_milli >= 0 || in->policy->gpu_memory_reserve_bytes >= 0;
    bool is_done = c->class_of != NULL && c->state_of != NULL;
    for (uint32_t n = 0; is_done && n < in->node_count; n++)
        is_done = add_node(c, in, held, n, view);
    for (int level = 1; is_done && level < SCHED_LEVELS; level++)
        is_done = add_domains(c, level);
    c->is_short = !is_done;
    return is_done;
}
