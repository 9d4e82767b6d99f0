/* Distinct requests, each once, with what was found out about them. */
#include "sched/cluster.h"

#include <string.h>

/* ---- which nodes come into question at all ---- */

static bool accepts_model(const struct sched_role *role, uint32_t model)
{
    for (uint32_t m = 0; m < role->model_count; m++) {
        if (role->models[m] == model)
            return true;
    }
    return role->model_count == 0;
}

static bool class_could_hold(const struct need *need, const struct cl_class *k)
{
    const struct sched_role *role = need->role;
    uint32_t gpus = role_gpu_count(role);
    if (!k->usable || (need->pool != SCHED_NONE && k->pool != need->pool) ||
        (need->site != SCHED_NONE && k->site != need->site))
        return false;
    if (role->cpu_milli > k->cpu_milli || role->memory_bytes > (uint64_t)k->memory_bytes ||
        role->disk_bytes > (uint64_t)k->disk_bytes)
        return false;
    return gpus == 0 || (gpus <= k->gpus_usable && accepts_model(role, k->model) &&
                         k->gpu_memory_bytes >= role->gpu_memory_min_bytes);
}

static bool fill_classes(struct needs *needs, struct need *need, const struct cluster *c)
{
    need->class_fits = arena_array(needs->arena, c->class_count, sizeof(*need->class_fits));
    if (need->class_fits == NULL)
        return false;
    need->keeps_reserve = c->keeps_reserve;
    for (uint32_t k = 0; k < c->class_count; k++) {
        need->class_fits[k] = class_could_hold(need, &c->classes[k]);
        /* Head-room on GPU nodes holds where nodes without GPUs could take the work instead. */
        if (need->class_fits[k] && c->classes[k].gpu_count == 0)
            need->keeps_reserve = true;
    }
    if (role_gpu_count(need->role) > 0 || !c->has_reserve || needs->ignores_reserve)
        need->keeps_reserve = false;
    return true;
}

/* ---- the table of needs ---- */

static uint64_t need_hash(const struct sched_role *role, uint32_t pool, uint32_t site)
{
    uint64_t hash = hash_mix((uint64_t)pool << 32 | site, (uint64_t)role->cpu_milli);
    hash = hash_mix(hash, role->memory_bytes);
    hash = hash_mix(hash, role->disk_bytes);
    hash = hash_mix(hash, (uint64_t)role->gpu_milli);
    hash = hash_mix(hash, role->gpu_memory_min_bytes);
    for (uint32_t m = 0; m < role->model_count; m++)
        hash = hash_mix(hash, role->models[m]);
    return hash ^ (hash >> 31);
}

static bool is_same_need(const struct need *need, uint64_t hash, const struct sched_role *role,
                         uint32_t pool, uint32_t site)
{
    const struct sched_role *have = need->role;
    return need->hash == hash && need->pool == pool && need->site == site &&
           have->cpu_milli == role->cpu_milli && have->memory_bytes == role->memory_bytes &&
           have->disk_bytes == role->disk_bytes && have->gpu_milli == role->gpu_milli &&
           have->gpu_memory_min_bytes == role->gpu_memory_min_bytes &&
           have->model_count == role->model_count &&
           (role->model_count == 0 ||
            memcmp(have->models, role->models, role->model_count * sizeof(*role->models)) == 0);
}

static bool grow_slots(struct needs *needs)
{
    uint32_t count = needs->slot_count == 0 ? 64 : needs->slot_count * 2;
    uint32_t *slots = arena_array(needs->arena, count, sizeof(*slots));
    if (slots == NULL)
        return false;
    for (uint32_t i = 0; i < needs->count; i++) {
        uint32_t at = (uint32_t)needs->items[i]->hash & (count - 1);
        while (slots[at] != 0)
            at = (at + 1) & (count - 1);
        slots[at] = i + 1;
    }
    needs->slots = slots;
    needs->slot_count = count;
    return true;
}

bool needs_init(struct needs *needs, struct arena *arena)
{
    *needs = (struct needs){.arena = arena};
    return grow_slots(needs);
}

static bool grow_items(struct needs *needs)
{
    if (needs->count < needs->cap)
        return true;
    uint32_t cap = needs->cap == 0 ? 32 : needs->cap * 2;
    struct need **items = arena_array(needs->arena, cap, sizeof(*items));
    if (items == NULL)
        return false;
    if (needs->count > 0)
        memcpy(items, needs->items, needs->count * sizeof(*items));
    needs->items = items;
    needs->cap = cap;
    return true;
}

struct need *needs_get(struct needs *needs, const struct cluster *c, const struct sched_role *role,
                       uint32_t pool, uint32_t site)
{
    uint64_t hash = need_hash(role, pool, site);
    if (2 * (needs->count + 1) > needs->slot_count && !grow_slots(needs))
        return NULL;
    uint32_t at = (uint32_t)hash & (needs->slot_count - 1);
    for (; needs->slots[at] != 0; at = (at + 1) & (needs->slot_count - 1)) {
        if (is_same_need(needs->items[needs->slots[at] - 1], hash, role, pool, site))
            return needs->items[needs->slots[at] - 1];
    }
    struct need *need = arena_alloc(needs->arena, sizeof(*need));
    if (need == NULL || !grow_items(needs))
        return NULL;
    *need = (struct need){.role = role, .pool = pool, .site = site, .hash = hash};
    if (!fill_classes(needs, need, c))
        return NULL;
    needs->items[needs->count++] = need;
    needs->slots[at] = needs->count;
    return need;
}

bool needs_add_demand(struct needs *needs, const struct cluster *c, const struct sched_shape *shape,
                      uint64_t weight)
{
    for (uint32_t r = 0; r < shape->role_count; r++) {
        const struct sched_role *role = &shape->roles[r];
        struct need *need = needs_get(needs, c, role, SCHED_NONE, SCHED_NONE);
        if (need == NULL)
            return false;
        mix_add(&needs->mix, need, weight * role->count);
    }
    return true;
}

/* ---- states ---- */

static bool has_gpus(const struct cl_state *s, uint32_t gpu_count, int64_t milli)
{
    if (milli >= 1000)
        return s->whole_free >= (uint32_t)(milli / 1000);
    if (s->whole_free > 0)
        return true;
    for (uint32_t i = 0; i < gpu_count; i++) {
        if (s->gpus[i] >= milli)
            return true;
    }
    return false;
}

bool need_keeps_reserve(const struct need *need, const struct cluster *c, const struct cl_state *s)
{
    const struct cl_class *k = &c->classes[s->class_id];
    int64_t cpu_left = s->cpu_free - need->role->cpu_milli;
    int64_t memory_left = s->memory_free - (int64_t)need->role->memory_bytes;
    return cpu_left >= k->reserve_cpu_milli * s->gpu_free_milli / 1000 &&
           memory_left >= k->reserve_memory_bytes / 1000 * s->gpu_free_milli;
}

bool need_fits(const struct need *need, const struct cluster *c, const struct cl_state *s)
{
    const struct sched_role *role = need->role;
    if (!need->class_fits[s->class_id] || s->cpu_free < role->cpu_milli ||
        s->memory_free < (int64_t)role->memory_bytes || s->disk_free < (int64_t)role->disk_bytes)
        return false;
    if (role->gpu_milli > 0)
        return has_gpus(s, c->classes[s->class_id].gpu_count, role->gpu_milli);
    return !need->keeps_reserve || c->classes[s->class_id].gpu_count == 0 ||
           need_keeps_reserve(need, c, s);
}

static int64_t *score_slot(struct needs *needs, struct need *need, uint32_t state)
{
    uint32_t chunk = state / NEED_CHUNK;
    if (chunk >= need->chunk_count) {
        uint32_t count = chunk + 1 > 2 * need->chunk_count ? chunk + 1 : 2 * need->chunk_count;
        int64_t **scores = arena_array(needs->arena, count, sizeof(*scores));
        if (scores == NULL)
            return NULL;
        if (need->chunk_count > 0)
            memcpy(scores, need->scores, need->chunk_count * sizeof(*scores));
        need->scores = scores;
        need->chunk_count = count;
    }
    if (need->scores[chunk] == NULL) {
        int64_t *items = arena_array(needs->arena, NEED_CHUNK, sizeof(*items));
        if (items == NULL)
            return NULL;
        for (uint32_t i = 0; i < NEED_CHUNK; i++)
            items[i] = INT64_MIN;
        need->scores[chunk] = items;
    }
    return &need->scores[chunk][state % NEED_CHUNK];
}

int64_t need_score(struct needs *needs, struct need *need, struct cluster *c, uint32_t state)
{
    int64_t *slot = score_slot(needs, need, state);
    if (slot != NULL && *slot != INT64_MIN)
        return *slot;
    struct cl_state *s = &c->states[state];
    int64_t score = need_fits(need, c, s) ? score_state(needs, need, c, s) : NEED_NO_FIT;
    if (slot != NULL)
        *slot = score;
    else
        c->is_short = true;
    return score;
}

/* ---- which GPUs ---- */

struct island { /* GPUs that reach each other well */
    uint16_t link;
    int16_t numa;
    bool is_any_link, is_any;
};

static bool is_on(const struct island *island, const struct sched_gpu *gpu)
{
    if (island->is_any)
        return true;
    if (island->is_any_link)
        return gpu->numa == island->numa;
    return gpu->link_group == island->link;
}

static uint32_t count_free(const struct sched_node *node, const int16_t *gpus,
                           const struct island *island)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < node->gpu_count; i++)
        count += gpus[i] == 1000 && is_on(island, &node->gpus[i]);
    return count;
}

/* The smallest island with enough free GPUs: NVLink first, then a NUMA side, then the whole node. */
static struct island find_island(const struct sched_node *node, const int16_t *gpus, uint32_t want)
{
    struct island best = {.is_any = true};
    uint32_t best_free = UINT32_MAX;
    for (int by_numa = 0; by_numa < 2 && best_free == UINT32_MAX; by_numa++) {
        for (uint32_t i = 0; i < node->gpu_count; i++) {
            const struct sched_gpu *gpu = &node->gpus[i];
            struct island island = {gpu->link_group, gpu->numa, by_numa != 0, false};
            if (by_numa ? gpu->numa < 0 : gpu->link_group == 0)
                continue;
            uint32_t count = count_free(node, gpus, &island);
            if (count >= want && count < best_free) {
                best = island;
                best_free = count;
            }
        }
    }
    return best;
}

void need_pick_gpus(struct needs *needs, const struct need *need, struct cluster *c, uint32_t node,
                    uint16_t *ret_positions)
{
    struct cl_state *s = &c->states[c->state_of[node]];
    int64_t score = 0;
    const struct cl_class *k = &c->classes[s->class_id];
    uint32_t want = role_gpu_count(need->role), got = 0;
    if (want == 0)
        return;
    if (need->role->gpu_milli < 1000) {
        ret_positions[0] = (uint16_t)score_share(needs, need, c, s, &score);
        return;
    }
    struct island island = {.is_any = true};
    if (k->has_links)
        island = find_island(&c->nodes[node], s->gpus, want);
    for (uint32_t i = 0; i < k->gpu_count && got < want; i++) {
        if (s->gpus[i] == 1000 && is_on(&island, &c->nodes[node].gpus[i]))
            ret_positions[got++] = (uint16_t)i;
    }
    check(got == want);
}
