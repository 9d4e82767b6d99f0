/* Room for a whole gang or for nothing. */
#include "sched/cluster.h"

#include <stdlib.h>
#include <string.h>

enum { PLACE_SHORT = -1, PLACE_NO = 0, PLACE_YES = 1 };

struct placer {
    struct cluster *c;
    struct needs *needs;
    const struct sched_shape *shape;
    uint32_t site;
    const uint32_t *nodes; /* only these; NULL: all */
    uint32_t node_count;
    struct sched_slot *slots;
    uint32_t slot_count;
};

/* ---- one task ---- */

/* The best node of all: each state once. */
static uint32_t search_states(struct placer *p, struct need *need)
{
    int64_t best_score = NEED_NO_FIT;
    uint32_t best = SCHED_NONE;
    for (uint32_t i = 0; i < p->c->alive_count; i++) {
        uint32_t state = p->c->alive[i];
        int64_t score = need_score(p->needs, need, p->c, state);
        if (score == NEED_NO_FIT || score > best_score)
            continue;
        if (score == best_score && cluster_first(p->c, state) > best)
            continue;
        best_score = score;
        best = cluster_first(p->c, state);
    }
    return best;
}

static bool has_task_of_role(const struct placer *p, uint32_t node, uint32_t role)
{
    for (uint32_t i = p->slot_count; i-- > 0;) {
        if (p->slots[i].node == node && p->slots[i].role == role)
            return true;
    }
    return false;
}

/* The best of some nodes; those that already have a task of a role that wants to be apart are out. */
static uint32_t search_nodes(struct placer *p, struct need *need, uint32_t role)
{
    int64_t best_score = NEED_NO_FIT;
    uint32_t best = SCHED_NONE;
    uint32_t count = p->nodes == NULL ? p->c->node_count : p->node_count;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t node = p->nodes == NULL ? i : p->nodes[i];
        int64_t score = need_score(p->needs, need, p->c, p->c->state_of[node]);
        if (score >= best_score || (p->shape->roles[role].apart && has_task_of_role(p, node, role)))
            continue;
        best_score = score;
        best = node;
    }
    return best;
}

static int place_task(struct placer *p, struct need *need, uint32_t role)
{
    bool is_apart = p->shape->roles[role].apart && p->shape->roles[role].count > 1;
    uint32_t node =
        p->nodes != NULL || is_apart ? search_nodes(p, need, role) : search_states(p, need);
    if (node == SCHED_NONE)
        return PLACE_NO;
    uint32_t gpu_count = role_gpu_count(need->role);
    uint16_t *gpus = arena_array(p->c->arena, gpu_count, sizeof(*gpus));
    if (gpus == NULL)
        return PLACE_SHORT;
    need_pick_gpus(p->needs, need, p->c, node, gpus);
    struct sched_slot *slot = &p->slots[p->slot_count];
    *slot = (struct sched_slot){
        .role = role,
        .node = node,
        .gpu_count = gpu_count,
        .gpus = gpus,
        .gpu_milli = need->role->gpu_milli > 1000 ? 1000 : need->role->gpu_milli,
    };
    if (!cluster_take(p->c, need->role, slot))
        return PLACE_SHORT;
    p->slot_count++;
    return PLACE_YES;
}

/* ---- the gang within p->nodes ---- */

/* The hardest to place first: most GPUs, then most CPU. */
static uint32_t next_role(const struct sched_shape *shape, const bool *is_done)
{
    uint32_t best = SCHED_NONE;
    for (uint32_t r = 0; r < shape->role_count; r++) {
        if (is_done[r])
            continue;
        const struct sched_role *role = &shape->roles[r];
        const struct sched_role *lead = best == SCHED_NONE ? NULL : &shape->roles[best];
        if (lead == NULL || role->gpu_milli > lead->gpu_milli ||
            (role->gpu_milli == lead->gpu_milli && role->cpu_milli > lead->cpu_milli))
            best = r;
    }
    return best;
}

static void undo_slots(struct cluster *c, const struct sched_shape *shape,
                       const struct sched_slot *slots, uint32_t count)
{
    while (count-- > 0)
        cluster_give(c, &shape->roles[slots[count].role], &slots[count]);
}

static int place_all(struct placer *p)
{
    bool is_done[SHAPE_ROLES_MAX] = {false};
    const struct sched_shape *shape = p->shape;
    p->slot_count = 0;
    for (uint32_t r; (r = next_role(shape, is_done)) != SCHED_NONE;) {
        is_done[r] = true;
        struct need *need = needs_get(p->needs, p->c, &shape->roles[r], shape->pool, p->site);
        int result = need == NULL ? PLACE_SHORT : PLACE_YES;
        for (uint32_t i = 0; i < shape->roles[r].count && result == PLACE_YES; i++)
            result = place_task(p, need, r);
        if (result != PLACE_YES) {
            undo_slots(p->c, shape, p->slots, p->slot_count);
            p->slot_count = 0;
            return p->c->is_short ? PLACE_SHORT : result;
        }
    }
    return PLACE_YES;
}

/* ---- levels ---- */

struct candidate {
    int64_t gpu_free_milli, cpu_free;
    uint32_t number;
};

static int compare_candidates(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;
    if (x->gpu_free_milli != y->gpu_free_milli)
        return x->gpu_free_milli < y->gpu_free_milli ? -1 : 1;
    if (x->cpu_free != y->cpu_free)
        return x->cpu_free < y->cpu_free ? -1 : 1;
    return x->number < y->number ? -1 : x->number > y->number;
}

struct total {
    int64_t cpu_milli, memory_bytes, gpu_milli;
};

static struct total total_of(const struct sched_shape *shape)
{
    struct total t = {0};
    for (uint32_t r = 0; r < shape->role_count; r++) {
        const struct sched_role *role = &shape->roles[r];
        t.cpu_milli += role->cpu_milli * role->count;
        t.memory_bytes += (int64_t)role->memory_bytes * role->count;
        t.gpu_milli += role->gpu_milli * role->count;
    }
    return t;
}

static bool is_enough(const struct cl_state *s, const struct total *t)
{
    return s->cpu_free >= t->cpu_milli && s->memory_free >= t->memory_bytes &&
           s->gpu_free_milli >= t->gpu_milli;
}

/* Hosts: nodes in the same condition are alike, so one of each state is tried. */
static uint32_t collect_hosts(struct placer *p, const struct total *t, struct candidate *out)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < p->c->alive_count; i++) {
        const struct cl_state *s = &p->c->states[p->c->alive[i]];
        if (!p->c->classes[s->class_id].usable || !is_enough(s, t) ||
            (p->site != SCHED_NONE && p->c->classes[s->class_id].site != p->site))
            continue;
        out[count++] =
            (struct candidate){s->gpu_free_milli, s->cpu_free, cluster_first(p->c, p->c->alive[i])};
    }
    return count;
}

static uint32_t collect_domains(struct placer *p, int level, const struct total *t,
                                struct candidate *out)
{
    uint32_t count = 0;
    for (uint32_t d = 0; d < p->c->domain_count[level]; d++) {
        const struct cl_domain *domain = &p->c->domains[level][d];
        struct candidate sum = {.number = d};
        int64_t memory = 0;
        for (uint32_t i = 0; i < domain->node_count; i++) {
            const struct cl_state *s = cluster_state(p->c, domain->nodes[i]);
            const struct cl_class *k = &p->c->classes[s->class_id];
            if (!k->usable || (p->site != SCHED_NONE && k->site != p->site))
                continue;
            sum.gpu_free_milli += s->gpu_free_milli;
            sum.cpu_free += s->cpu_free;
            memory += s->memory_free;
        }
        if (sum.gpu_free_milli >= t->gpu_milli && sum.cpu_free >= t->cpu_milli &&
            memory >= t->memory_bytes)
            out[count++] = sum;
    }
    return count;
}

/* The tightest place of a level that holds the gang. */
static int place_within(struct placer *p, int level)
{
    uint32_t most = level == 0 ? p->c->alive_count : p->c->domain_count[level];
    struct candidate *list = arena_array(p->c->arena, most, sizeof(*list));
    struct total t = total_of(p->shape);
    if (list == NULL)
        return PLACE_SHORT;
    uint32_t count = level == 0 ? collect_hosts(p, &t, list) : collect_domains(p, level, &t, list);
    qsort(list, count, sizeof(*list), compare_candidates);
    int result = PLACE_NO;
    for (uint32_t i = 0; i < count && result == PLACE_NO; i++) {
        p->nodes = level == 0 ? &list[i].number : p->c->domains[level][list[i].number].nodes;
        p->node_count = level == 0 ? 1 : p->c->domains[level][list[i].number].node_count;
        result = place_all(p);
    }
    p->nodes = NULL;
    return result;
}

static int place_at_site(struct placer *p)
{
    const struct sched_shape *shape = p->shape;
    if (shape->node != SCHED_NONE) {
        p->nodes = &shape->node;
        p->node_count = shape->node < p->c->node_count ? 1 : 0;
        int result = place_all(p);
        p->nodes = NULL;
        return result;
    }
    int result = PLACE_NO;
    for (int level = shape->together; level >= 0 && level < 3 && result == PLACE_NO; level++) {
        result = place_within(p, level);
        if (shape->together_hard)
            return result;
    }
    return result == PLACE_NO ? place_all(p) : result;
}

/* ---- sites ---- */

/* All tasks of an attempt run at one site: most of its data first, then the most free. */
static uint32_t sort_sites(struct placer *p, const uint64_t *site_bytes, uint32_t *out)
{
    const struct cluster *c = p->c;
    uint32_t count = 0;
    int64_t *free_milli = arena_array(c->arena, c->domain_count[3], sizeof(*free_milli));
    if (free_milli == NULL)
        return SCHED_NONE;
    for (uint32_t d = 0; d < c->domain_count[3]; d++) {
        const struct cl_domain *site = &c->domains[3][d];
        for (uint32_t i = 0; i < site->node_count; i++)
            free_milli[d] += cluster_state(c, site->nodes[i])->gpu_free_milli;
        if (site->node_count == 0)
            continue;
        uint32_t at = count++;
        for (; at > 0; at--) {
            uint32_t before = out[at - 1];
            uint64_t here_bytes = site_bytes == NULL ? 0 : site_bytes[d];
            uint64_t before_bytes = site_bytes == NULL ? 0 : site_bytes[before];
            if (before_bytes > here_bytes ||
                (before_bytes == here_bytes && free_milli[before] >= free_milli[d]))
                break;
            out[at] = before;
        }
        out[at] = d;
    }
    return count;
}

static int place_anywhere(struct placer *p, const uint64_t *site_bytes)
{
    uint32_t *sites = arena_array(p->c->arena, p->c->domain_count[3], sizeof(*sites));
    uint32_t count = sites == NULL ? SCHED_NONE : sort_sites(p, site_bytes, sites);
    if (count == SCHED_NONE)
        return PLACE_SHORT;
    int result = PLACE_NO;
    for (uint32_t i = 0; i < count && result == PLACE_NO; i++) {
        p->site = sites[i];
        result = place_at_site(p);
    }
    return result;
}

static bool has_several_sites(const struct cluster *c)
{
    uint32_t count = 0;
    for (uint32_t d = 0; d < c->domain_count[3]; d++)
        count += c->domains[3][d].node_count > 0;
    return count > 1;
}

int place_gang(struct cluster *c, struct needs *needs, const struct sched_shape *shape,
               const uint64_t *site_bytes, struct placement *ret)
{
    uint64_t tasks = 0;
    for (uint32_t r = 0; r < shape->role_count; r++)
        tasks += shape->roles[r].count;
    check(shape->role_count <= SHAPE_ROLES_MAX && tasks <= LIMIT_TASKS_PER_ATTEMPT);
    struct placer p = {.c = c, .needs = needs, .shape = shape, .site = shape->site};
    p.slots = arena_array(c->arena, tasks, sizeof(*p.slots));
    if (p.slots == NULL)
        return PLACE_SHORT;
    int result = shape->site == SCHED_NONE && shape->node == SCHED_NONE && has_several_sites(c)
                     ? place_anywhere(&p, site_bytes)
                     : place_at_site(&p);
    if (result == PLACE_YES)
        *ret = (struct placement){p.slots, p.slot_count};
    return result;
}

void place_undo(struct cluster *c, const struct sched_shape *shape, const struct placement *p)
{
    undo_slots(c, shape, p->slots, p->slot_count);
}

/* Slots in the order of the roles, as callers number tasks. */
static int compare_slots(const void *a, const void *b)
{
    const struct sched_slot *x = a, *y = b;
    if (x->role != y->role)
        return x->role < y->role ? -1 : 1;
    if (x->node != y->node)
        return x->node < y->node ? -1 : 1;
    uint16_t first = x->gpu_count > 0 ? x->gpus[0] : 0, second = y->gpu_count > 0 ? y->gpus[0] : 0;
    return first < second ? -1 : first > second;
}

/* gpus of slots made here are ours to change until they go out. */
bool placement_name_gpus(const struct cluster *c, struct placement *p)
{
    for (uint32_t i = 0; i < p->slot_count; i++) {
        struct sched_slot *slot = &p->slots[i];
        uint16_t *names = arena_array(c->arena, slot->gpu_count, sizeof(*names));
        if (names == NULL)
            return false;
        for (uint32_t g = 0; g < slot->gpu_count; g++)
            names[g] = c->nodes[slot->node].gpus[slot->gpus[g]].index;
        slot->gpus = names;
    }
    qsort(p->slots, p->slot_count, sizeof(*p->slots), compare_slots);
    return true;
}
