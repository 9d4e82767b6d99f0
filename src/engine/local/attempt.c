/* Attempts: birth, look-up, end; and the fences this engine remembers. */
#include "engine/local/state.h"

#include <string.h>
#include "base/alloc.h"
#include "base/check.h"
#include "base/str.h"

struct local_attempt *attempt_find(struct engine *e, struct attempt_key key)
{
    char text[ATTEMPT_KEY_TEXT_SIZE];
    return map_get(&e->attempts, attempt_key_format(text, key));
}

static void on_timer(void *arg)
{
    attempt_step(arg);
}

int attempt_grow(struct local_attempt *a, uint32_t task_count)
{
    if (task_count <= a->task_count)
        return 0;
    struct local_task *tasks = mem_realloc(a->tasks, task_count * sizeof(*tasks));
    if (tasks == NULL)
        return -BERR_NOMEM;
    memset(tasks + a->task_count, 0, (task_count - a->task_count) * sizeof(*tasks));
    for (uint32_t i = a->task_count; i < task_count; i++) {
        tasks[i].call = (struct local_call){.attempt = a, .task = i};
        tasks[i].facts = (struct engine_task_facts){.index = i, .exit_code = -1};
    }
    a->tasks = tasks;
    a->task_count = task_count;
    return 0;
}

static int attempt_register(struct engine *e, struct local_attempt *a)
{
    char text[ATTEMPT_KEY_TEXT_SIZE];
    struct local_fence *fence = fence_of(e, a->key.workload, true);
    if (fence == NULL || map_put(&e->attempts, attempt_key_format(text, a->key), a) != 0)
        return -BERR_NOMEM;
    if (fence->seen < a->key.fence)
        fence->seen = a->key.fence;
    return 0;
}

struct local_attempt *attempt_new(struct engine *e, struct attempt_key key, uint32_t task_count)
{
    struct local_attempt *a = mem_calloc(1, sizeof(*a));
    if (a == NULL)
        return NULL;
    a->engine = e;
    a->key = key;
    a->kill_at_ms = a->embryo_until_ms = LOCAL_NEVER;
    a->call.attempt = a;
    arena_init(&a->arena, LOCAL_ORDER_BYTES);
    a->timer = ev_timer_new(e->loop, on_timer, a);
    if (a->timer == NULL || attempt_grow(a, task_count) != 0 || attempt_register(e, a) != 0) {
        ev_timer_free(a->timer);
        mem_free(a->tasks);
        mem_free(a);
        return NULL;
    }
    return a;
}

void attempt_free(struct local_attempt *a)
{
    char text[ATTEMPT_KEY_TEXT_SIZE];
    map_remove(&a->engine->attempts, attempt_key_format(text, a->key));
    ev_timer_free(a->timer);
    arena_done(&a->arena);
    mem_free(a->tasks);
    mem_free(a);
}

void attempt_wake(struct local_attempt *a, int64_t after_ms)
{
    ev_timer_start(a->timer, after_ms < 0 ? 0 : after_ms, 0);
}

void attempt_fail(struct local_attempt *a, enum end_reason reason, const char *text)
{
    if (a->phase >= LOCAL_UNDO)
        return;
    a->phase = LOCAL_UNDO;
    a->reason = reason;
    str_copy(a->text, sizeof(a->text), text == NULL ? "" : text);
    attempt_wake(a, 0);
}

/* ---- fences ---- */

/* The oldest memory goes when there is too much: the runner still knows it. */
static void fences_prune(struct engine *e)
{
    uint64_t id;
    void *value;
    size_t i = 0;
    if (e->fences.len < LOCAL_FENCES || !map_next_u64(&e->fences, &i, &id, &value))
        return;
    map_remove_u64(&e->fences, id);
    mem_free(value);
}

struct local_fence *fence_of(struct engine *e, struct workload_id id, bool make)
{
    struct local_fence *fence = map_get_u64(&e->fences, id.v);
    if (fence != NULL || !make)
        return fence;
    fences_prune(e);
    fence = mem_calloc(1, sizeof(*fence));
    if (fence != NULL && map_put_u64(&e->fences, id.v, fence) != 0) {
        mem_free(fence);
        fence = NULL;
    }
    return fence;
}

void fence_close(struct engine *e, struct attempt_key key)
{
    struct local_fence *fence = fence_of(e, key.workload, true);
    if (fence == NULL)
        return; /* the runner keeps it too */
    if (fence->closed < key.fence)
        fence->closed = key.fence;
    if (fence->seen < key.fence)
        fence->seen = key.fence;
}
