/* The machines, what runs on them, and the timeline of what will happen. */
#include "engine/fake/world.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "base/alloc.h"
#include "base/check.h"
#include "base/str.h"
#include "os/clock.h"

static bool entry_less(const void *a, const void *b)
{
    const struct fake_entry *x = a, *y = b;
    return x->due_ms != y->due_ms ? x->due_ms < y->due_ms : x->seq < y->seq;
}

void fake_clock_read(struct fake_world *w)
{
    w->now_ms = w->clock->mono_ms(w->clock->arg);
    w->wall_ms = w->clock->wall_ms(w->clock->arg);
}

struct fake_world *fake_world_new(const struct os_clock *clock)
{
    struct fake_world *w = mem_calloc(1, sizeof(*w));
    if (w == NULL)
        return NULL;
    w->clock = clock;
    w->timeline = HEAP(entry_less);
    w->by_serial = MAP_U64;
    w->fences = MAP_U64;
    w->by_key = MAP_STR;
    w->next_serial = 1;
    fake_clock_read(w);
    return w;
}

struct fake_world *fake_world_free(struct fake_world *w)
{
    if (w == NULL)
        return NULL;
    check(w->engine == NULL);
    void *value;
    for (void *entry; (entry = heap_pop(&w->timeline)) != NULL;)
        mem_free(entry);
    heap_done(&w->timeline);
    for (size_t i = 0; map_next_u64(&w->by_serial, &i, NULL, &value);)
        mem_free(value);
    for (size_t i = 0; map_next_u64(&w->fences, &i, NULL, &value);)
        mem_free(value);
    map_done(&w->by_serial);
    map_done(&w->by_key);
    map_done(&w->fences);
    for (size_t i = 0; i < w->nodes.len; i++)
        mem_free(w->nodes.items[i]);
    vec_done(&w->nodes);
    mem_free(w);
    return NULL;
}

/* ---- look-ups ---- */

struct fake_attempt *fake_attempt_of(struct fake_world *w, struct attempt_key key)
{
    char text[ATTEMPT_KEY_TEXT_SIZE];
    return map_get(&w->by_key, attempt_key_format(text, key));
}

void fake_attempt_drop(struct fake_world *w, struct fake_attempt *a)
{
    char text[ATTEMPT_KEY_TEXT_SIZE];
    map_remove(&w->by_key, attempt_key_format(text, a->key));
    map_remove_u64(&w->by_serial, a->serial);
    mem_free(a);
}

struct fake_node *fake_node_of(struct fake_world *w, const char *name)
{
    for (size_t i = 0; i < w->nodes.len; i++)
        if (str_is_equal(w->nodes.items[i]->node.name, name))
            return w->nodes.items[i];
    return NULL;
}

struct fake_fence *fake_fence_of(struct fake_world *w, struct workload_id id, bool make)
{
    struct fake_fence *fence = map_get_u64(&w->fences, id.v);
    if (fence != NULL || !make)
        return fence;
    fence = mem_calloc(1, sizeof(*fence));
    if (fence != NULL && map_put_u64(&w->fences, id.v, fence) != 0) {
        mem_free(fence);
        fence = NULL;
    }
    return fence;
}

void fake_rule_broken(struct fake_world *w, const char *fmt, ...)
{
    if (w->rule_is_broken) /* the first one explains the rest */
        return;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(w->broken_rule, sizeof(w->broken_rule), fmt, ap);
    va_end(ap);
    w->rule_is_broken = true;
}

const char *fake_broken_rule(struct fake_world *w)
{
    bool broken = w->rule_is_broken;
    w->rule_is_broken = false;
    return broken ? w->broken_rule : NULL;
}

size_t fake_running(const struct fake_world *w)
{
    size_t count = 0;
    void *value;
    for (size_t i = 0; map_next_u64(&w->by_serial, &i, NULL, &value);)
        count += ((const struct fake_attempt *)value)->phase != PHASE_GONE;
    return count;
}

size_t fake_known(const struct fake_world *w)
{
    size_t count = 0;
    void *value;
    for (size_t i = 0; map_next_u64(&w->by_serial, &i, NULL, &value);)
        count += !((const struct fake_attempt *)value)->forgotten;
    return count;
}

uint32_t fake_starts(const struct fake_world *w, struct attempt_key key)
{
    char text[ATTEMPT_KEY_TEXT_SIZE];
    const struct fake_attempt *a = map_get(&w->by_key, attempt_key_format(text, key));
    return a == NULL ? 0 : a->starts;
}

/* ---- nodes ---- */

int fake_node_put(struct fake_world *w, const struct node *node)
{
    struct fake_node *n = fake_node_of(w, node->name);
    if (n == NULL) {
        n = mem_calloc(1, sizeof(*n));
        struct fake_node **slot = n == NULL ? NULL : vec_push(&w->nodes);
        if (slot == NULL) {
            mem_free(n);
            return -BERR_NOMEM;
        }
        *slot = n;
    }
    n->node = *node;
    n->node.ready = !n->away;
    fake_clock_read(w);
    fake_tell_node(w, n);
    return 0;
}

int fake_node_add(struct fake_world *w, const char *name, uint32_t cores, uint32_t memory_gib,
                  uint32_t gpus)
{
    check(gpus <= LIMIT_GPUS_PER_NODE);
    struct node *node = mem_calloc(1, sizeof(*node));
    if (node == NULL)
        return -BERR_NOMEM;
    str_copy(node->name, sizeof(node->name), name);
    str_copy(node->os, sizeof(node->os), "fake");
    str_copy(node->kernel, sizeof(node->kernel), "fake");
    node->cpu_milli = (int64_t)cores * 1000;
    node->memory_bytes = (uint64_t)memory_gib << 30;
    node->disk_bytes = 1ull << 40;
    node->gpu_count = gpus;
    for (uint32_t i = 0; i < gpus; i++) {
        struct gpu *g = &node->gpus[i];
        g->index = (uint16_t)i;
        snprintf(g->uuid, sizeof(g->uuid), "GPU-%.32s-%u", name, i);
        str_copy(g->model, sizeof(g->model), "Fake A100 40GB");
        snprintf(g->bus_id, sizeof(g->bus_id), "0000:%02x:00.0", i + 1);
        snprintf(g->path, sizeof(g->path), "/dev/nvidia%u", i);
        g->memory_bytes = 40ull << 30;
        g->numa = (int16_t)(i / 2);
        g->link_group = (uint16_t)(i / 2 + 1);
        g->major = 195;
        g->minor = i;
        g->healthy = true;
    }
    int rc = fake_node_put(w, node);
    mem_free(node);
    return rc;
}

static bool attempt_is_on(const struct fake_attempt *a, const char *node)
{
    for (uint32_t i = 0; i < a->task_count; i++)
        if (str_is_equal(a->tasks[i].node, node))
            return true;
    return false;
}

void fake_node_lose(struct fake_world *w, const char *name)
{
    struct fake_node *n = fake_node_of(w, name);
    void *value;
    check(n != NULL);
    fake_clock_read(w);
    n->away = true;
    n->node.ready = false;
    fake_tell_node(w, n);
    for (size_t i = 0; map_next_u64(&w->by_serial, &i, NULL, &value);) {
        struct fake_attempt *a = value;
        if (a->phase == PHASE_GONE || a->lost || !attempt_is_on(a, name))
            continue;
        char text[FAKE_TEXT];
        snprintf(text, sizeof(text), "node %s does not answer", name);
        fake_tell(w, a, ENGINE_EV_LOST, NULL, END_NONE, text);
        a->lost = true;
    }
}

/* Are all nodes of it in sight? */
static bool attempt_is_visible(struct fake_world *w, const struct fake_attempt *a)
{
    for (uint32_t i = 0; i < a->task_count; i++) {
        const struct fake_node *n = fake_node_of(w, a->tasks[i].node);
        if (n != NULL && n->away)
            return false;
    }
    return true;
}

void fake_node_return(struct fake_world *w, const char *name)
{
    struct fake_node *n = fake_node_of(w, name);
    void *value;
    check(n != NULL);
    fake_clock_read(w);
    n->away = false;
    n->node.ready = true;
    for (size_t i = 0; map_next_u64(&w->by_serial, &i, NULL, &value);) {
        struct fake_attempt *a = value;
        if (!a->lost || !attempt_is_visible(w, a))
            continue;
        a->lost = a->unseen_gone = false;
        for (uint32_t t = 0; t < a->task_count; t++)
            a->tasks[t].unseen_end = false;
        if (a->stop_waits && a->phase != PHASE_GONE)
            fake_life_stop(w, a, a->stop_grace_ms);
        a->stop_waits = false;
    }
    fake_list_again(w);
}

void fake_node_kill(struct fake_world *w, const char *name)
{
    struct fake_node *n = fake_node_of(w, name);
    char text[FAKE_TEXT];
    void *value;
    check(n != NULL);
    fake_clock_read(w);
    n->away = true;
    n->node.ready = false;
    fake_tell_node(w, n);
    snprintf(text, sizeof(text), "node %s is dead", name);
    for (size_t i = 0; map_next_u64(&w->by_serial, &i, NULL, &value);) {
        struct fake_attempt *a = value;
        if ((a->phase == PHASE_GONE && !a->unseen_gone) || !attempt_is_on(a, name))
            continue;
        a->lost = a->unseen_gone = false;
        fake_life_end(w, a, END_NODE_LOST, text);
    }
}

/* ---- the timeline ---- */

struct fake_entry *fake_plan(struct fake_world *w, int64_t delay_ms, enum fake_step step,
                             uint64_t serial, uint32_t task)
{
    struct fake_entry *entry = mem_calloc(1, sizeof(*entry));
    if (entry == NULL)
        entry = mem_calloc(1, sizeof(*entry)); /* one failing allocation must not lose a step */
    if (entry == NULL)
        return NULL;
    entry->due_ms = w->now_ms + delay_ms;
    entry->seq = w->next_seq++;
    entry->step = step;
    entry->serial = serial;
    entry->task = task;
    if (heap_push(&w->timeline, entry) != 0 && heap_push(&w->timeline, entry) != 0) {
        mem_free(entry);
        return NULL;
    }
    if (w->changed != NULL && !w->advancing)
        w->changed(w->changed_arg);
    return entry;
}

int64_t fake_next_ms(const struct fake_world *w)
{
    if (fake_connection_waits(w))
        return w->clock->mono_ms(w->clock->arg);
    const struct fake_entry *entry = heap_peek(&w->timeline);
    return entry == NULL ? INT64_MAX : entry->due_ms;
}

size_t fake_advance(struct fake_world *w)
{
    size_t delivered = 0;
    check(!w->advancing); /* a listener must not advance */
    w->advancing = true;
    int64_t now_ms = w->clock->mono_ms(w->clock->arg), wall_ms = w->clock->wall_ms(w->clock->arg);
    for (;;) {
        w->now_ms = now_ms;
        w->wall_ms = wall_ms;
        if (fake_connection_waits(w)) {
            delivered += fake_connection_work(w);
            continue;
        }
        struct fake_entry *entry = heap_peek(&w->timeline);
        if (entry == NULL || entry->due_ms > now_ms)
            break;
        heap_pop(&w->timeline);
        w->now_ms = entry->due_ms;
        w->wall_ms = wall_ms - (now_ms - entry->due_ms);
        if (entry->step == STEP_DELIVER)
            delivered += fake_deliver(w, entry);
        else if (entry->step == STEP_ANSWER)
            delivered += fake_answer(w, entry);
        else
            fake_life_step(w, entry);
        mem_free(entry);
    }
    w->advancing = false;
    return delivered;
}

void fake_fail_order(struct fake_world *w, uint32_t n, enum fake_fault fault, enum berr code)
{
    w->fail_order = n;
    w->fault = fault;
    w->fault_code = code;
}

void fake_chaos_set(struct fake_world *w, const struct fake_chaos *chaos)
{
    w->chaos = *chaos;
    rnd_seed(&w->rnd, chaos->seed);
}
