/* What happens to an attempt, step by step. Every step changes the world first and tells after. */
#include "engine/fake/world.h"

#include <stdio.h>
#include <string.h>
#include "base/alloc.h"
#include "base/check.h"
#include "base/str.h"

/* ---- what it holds ---- */

static void hold_task(struct fake_world *w, const struct fake_attempt *a, const struct fake_task *t)
{
    struct fake_node *n = fake_node_of(w, t->node);
    if (n == NULL) {
        fake_rule_broken(w, "task %u was placed on node %s, which does not exist", t->facts.index,
                         t->node);
        return;
    }
    n->cpu_used_milli += t->cpu_milli;
    n->memory_used_bytes += t->memory_bytes;
    if (n->cpu_used_milli > n->node.cpu_milli)
        fake_rule_broken(w, "node %s is given more CPU than it has", t->node);
    if (n->memory_used_bytes > n->node.memory_bytes)
        fake_rule_broken(w, "node %s is given more memory than it has", t->node);
    for (uint32_t i = 0; i < t->gpu_count; i++) {
        uint16_t gpu = t->gpus[i];
        if (gpu >= n->node.gpu_count)
            fake_rule_broken(w, "node %s has no GPU %u", t->node, gpu);
        else if (n->gpu_owner[gpu] != 0)
            fake_rule_broken(w, "GPU %u of node %s is given out twice", gpu, t->node);
        else
            n->gpu_owner[gpu] = a->serial;
    }
}

static void release_task(struct fake_world *w, const struct fake_attempt *a,
                         const struct fake_task *t)
{
    struct fake_node *n = fake_node_of(w, t->node);
    if (n == NULL)
        return;
    n->cpu_used_milli -= t->cpu_milli;
    n->memory_used_bytes -= t->memory_bytes;
    for (uint32_t i = 0; i < t->gpu_count; i++)
        if (t->gpus[i] < LIMIT_GPUS_PER_NODE && n->gpu_owner[t->gpus[i]] == a->serial)
            n->gpu_owner[t->gpus[i]] = 0;
}

/* ---- start ---- */

static int task_init(struct fake_world *w, const struct engine_start *order,
                     const struct engine_task *from, struct fake_task *t, struct err *err)
{
    int rc = fake_script_read(order, from, &t->script, err);
    if (rc != 0)
        return rc;
    if (from->gpu_count > LIMIT_GPUS_PER_NODE)
        return err_set(err, BERR_INVALID, "task %u asks for %u GPUs", from->index, from->gpu_count);
    t->facts.index = from->index;
    t->facts.exit_code = -1;
    str_copy(t->node, sizeof(t->node), from->node == NULL ? "" : from->node);
    t->gpu_count = from->gpu_count;
    for (uint32_t i = 0; i < from->gpu_count; i++)
        t->gpus[i] = from->gpus[i];
    t->cpu_milli = from->cpu_milli;
    t->memory_bytes = from->memory_bytes;
    t->log_max_bytes = order->log_max_bytes;
    t->run_left_ms = t->script.run_ms;
    if (t->script.address[0] != '\0') {
        str_copy(t->facts.address, sizeof(t->facts.address), t->script.address);
    } else {
        uint32_t n = ++w->next_address;
        snprintf(t->facts.address, sizeof(t->facts.address), "10.99.%u.%u", n / 250 % 250,
                 n % 250 + 2);
    }
    return 0;
}

static int attempt_make(struct fake_world *w, const struct engine_start *order,
                        struct fake_attempt **ret, struct err *err)
{
    char key[ATTEMPT_KEY_TEXT_SIZE];
    struct fake_attempt *a =
        mem_calloc(1, sizeof(*a) + order->task_count * sizeof(struct fake_task));
    if (a == NULL)
        return err_set(err, BERR_NOMEM, "no memory for the attempt");
    a->serial = w->next_serial++;
    a->key = order->key;
    a->starts = 1;
    a->task_count = order->task_count;
    for (uint32_t i = 0; i < a->task_count; i++) {
        int rc = task_init(w, order, &order->tasks[i], &a->tasks[i], err);
        if (rc != 0) {
            mem_free(a);
            return rc;
        }
    }
    if (map_put(&w->by_key, attempt_key_format(key, a->key), a) != 0) {
        mem_free(a);
        return err_set(err, BERR_NOMEM, "no memory for the attempt");
    }
    if (map_put_u64(&w->by_serial, a->serial, a) != 0) {
        map_remove(&w->by_key, key);
        mem_free(a);
        return err_set(err, BERR_NOMEM, "no memory for the attempt");
    }
    *ret = a;
    return 0;
}

static void check_single(struct fake_world *w, const struct fake_attempt *a)
{
    void *value;
    for (size_t i = 0; map_next_u64(&w->by_serial, &i, NULL, &value);) {
        const struct fake_attempt *other = value;
        if (other != a && other->phase != PHASE_GONE && other->key.workload.v == a->key.workload.v)
            fake_rule_broken(w, "attempts %u and %u of one workload run at once", other->key.number,
                             a->key.number);
    }
}

int fake_life_start(struct fake_world *w, const struct engine_start *order, struct err *err)
{
    struct fake_attempt *a = NULL;
    if (order->task_count == 0)
        return err_set(err, BERR_INVALID, "an attempt needs at least one task");
    int rc = attempt_make(w, order, &a, err);
    if (rc != 0)
        return rc;
    int64_t prepare_ms = a->tasks[0].script.prepare_ms;
    struct fake_entry *progress = fake_plan(w, 0, STEP_PROGRESS, a->serial, 0);
    struct fake_entry *prepared =
        progress == NULL ? NULL : fake_plan(w, prepare_ms, STEP_PREPARED, a->serial, 0);
    if (prepared == NULL) { /* a lone progress step finds no attempt and does nothing */
        fake_attempt_drop(w, a);
        return err_set(err, BERR_NOMEM, "no memory for the attempt");
    }
    check_single(w, a);
    for (uint32_t i = 0; i < a->task_count; i++)
        hold_task(w, a, &a->tasks[i]);
    return 0;
}

/* ---- steps ---- */

static void step_prepared(struct fake_world *w, struct fake_attempt *a)
{
    const struct fake_script *s = &a->tasks[0].script;
    if (a->phase != PHASE_PREPARING || s->hang == HANG_PREPARE)
        return;
    if (s->image_error[0] != '\0') {
        fake_life_end(w, a, END_IMAGE_ERROR, s->image_error);
        return;
    }
    a->phase = PHASE_STARTING;
    a->prepared = true;
    fake_tell(w, a, ENGINE_EV_PREPARED, NULL, END_NONE, NULL);
    fake_plan(w, s->start_ms, STEP_START, a->serial, 0);
}

/* All tasks at once or none: one that fails undoes the others before any is told. */
static void step_start(struct fake_world *w, struct fake_attempt *a)
{
    if (a->phase != PHASE_STARTING)
        return;
    for (uint32_t i = 0; i < a->task_count; i++) {
        const struct fake_script *s = &a->tasks[i].script;
        if (s->hang == HANG_START)
            return;
        if (s->start_error[0] != '\0') {
            fake_life_end(w, a, END_START_ERROR, s->start_error);
            return;
        }
        if (s->engine_error[0] != '\0') {
            fake_life_end(w, a, END_ENGINE_ERROR, s->engine_error);
            return;
        }
    }
    a->phase = PHASE_RUNNING;
    for (uint32_t i = 0; i < a->task_count; i++) {
        struct fake_task *t = &a->tasks[i];
        t->facts.started = true;
        t->facts.started_ms = w->wall_ms;
        t->run_since_ms = w->now_ms;
        fake_tell(w, a, ENGINE_EV_TASK_STARTED, &t->facts, END_NONE, NULL);
        if (t->run_left_ms != FAKE_FOREVER)
            fake_plan(w, t->run_left_ms, STEP_TASK_END, a->serial, i);
    }
}

static void task_end(struct fake_world *w, struct fake_attempt *a, struct fake_task *t,
                     int exit_code, int signal)
{
    t->ran_before_ms = fake_task_ran_ms(w, a, t);
    t->facts.ended = true;
    t->facts.ended_ms = w->wall_ms;
    t->facts.exit_code = signal != 0 ? -1 : exit_code;
    t->facts.signal = signal;
    t->facts.log_bytes = fake_log_bytes(w, a, t);
    t->unseen_end = a->lost;
    fake_tell(w, a, ENGINE_EV_TASK_ENDED, &t->facts, END_NONE, NULL);
    for (uint32_t i = 0; i < a->task_count; i++)
        if (!a->tasks[i].facts.ended)
            return;
    fake_plan(w, 1, STEP_GONE, a->serial, 0);
}

static void step_task_end(struct fake_world *w, struct fake_attempt *a, struct fake_task *t)
{
    if (a->phase != PHASE_RUNNING || t->facts.ended)
        return;
    t->facts.out_of_memory = t->script.out_of_memory;
    t->facts.disk_full = t->script.disk_full;
    task_end(w, a, t, t->script.exit_code, t->script.signal);
}

static void step_kill(struct fake_world *w, struct fake_attempt *a)
{
    if (a->phase == PHASE_PREPARING || a->phase == PHASE_STARTING)
        fake_life_end(w, a, END_NONE, NULL);
    for (uint32_t i = 0; a->phase == PHASE_RUNNING && i < a->task_count; i++)
        if (!a->tasks[i].facts.ended)
            task_end(w, a, &a->tasks[i], 0, 9);
}

static void step_suspend(struct fake_world *w, struct fake_attempt *a, bool suspend)
{
    if (a->phase != PHASE_RUNNING || (suspend && a->stopping))
        return;
    for (uint32_t i = 0; a->suspended != suspend && i < a->task_count; i++) {
        struct fake_task *t = &a->tasks[i];
        if (t->facts.ended)
            continue;
        if (suspend) {
            int64_t ran_ms = w->now_ms - t->run_since_ms;
            t->ran_before_ms += ran_ms;
            if (t->run_left_ms != FAKE_FOREVER)
                t->run_left_ms -= ran_ms;
            t->gen++;
            continue;
        }
        t->run_since_ms = w->now_ms;
        if (t->run_left_ms != FAKE_FOREVER) {
            struct fake_entry *end = fake_plan(w, t->run_left_ms, STEP_TASK_END, a->serial, i);
            if (end != NULL)
                end->gen = t->gen;
        }
    }
    a->suspended = suspend;
    fake_tell(w, a, suspend ? ENGINE_EV_SUSPENDED : ENGINE_EV_RESUMED, NULL, END_NONE, NULL);
}

void fake_life_stop(struct fake_world *w, struct fake_attempt *a, int64_t grace_ms)
{
    if (a->lost) { /* the order reaches it when it is in sight again */
        a->stop_grace_ms =
            a->stop_waits && a->stop_grace_ms < grace_ms ? a->stop_grace_ms : grace_ms;
        a->stop_waits = true;
        return;
    }
    if (a->suspended)
        fake_plan(w, 0, STEP_RESUME, a->serial, 0);
    if (grace_ms == 0 || a->phase != PHASE_RUNNING) {
        a->stopping = true;
        fake_plan(w, 0, STEP_KILL, a->serial, 0);
        return;
    }
    for (uint32_t i = 0; !a->stopping && i < a->task_count; i++) {
        const struct fake_task *t = &a->tasks[i];
        if (!t->facts.ended && !t->script.ignore_term)
            fake_plan(w, t->script.term_ms, STEP_TERM, a->serial, i);
    }
    a->stopping = true;
    fake_plan(w, grace_ms, STEP_KILL, a->serial, 0);
}

void fake_life_end(struct fake_world *w, struct fake_attempt *a, enum end_reason reason,
                   const char *text)
{
    struct fake_fence *fence = fake_fence_of(w, a->key.workload, false);
    if (a->phase != PHASE_GONE)
        for (uint32_t i = 0; i < a->task_count; i++)
            release_task(w, a, &a->tasks[i]);
    a->phase = PHASE_GONE;
    a->reason = reason;
    a->unseen_gone = a->lost;
    if (text != NULL)
        str_copy(a->text, sizeof(a->text), text);
    if (fence != NULL && fence->closed < a->key.fence)
        fence->closed = a->key.fence;
    fake_tell(w, a, ENGINE_EV_GONE, NULL, reason, a->text);
}

int64_t fake_task_ran_ms(const struct fake_world *w, const struct fake_attempt *a,
                         const struct fake_task *t)
{
    bool runs = t->facts.started && !t->facts.ended && !a->suspended && a->phase == PHASE_RUNNING;
    return t->ran_before_ms + (runs ? w->now_ms - t->run_since_ms : 0);
}

static void step_term(struct fake_world *w, struct fake_attempt *a, struct fake_task *t)
{
    if (a->phase != PHASE_RUNNING || t->facts.ended)
        return;
    bool exits = t->script.term_exit >= 0;
    task_end(w, a, t, exits ? t->script.term_exit : 0, exits ? 0 : 15);
}

void fake_life_step(struct fake_world *w, const struct fake_entry *entry)
{
    struct fake_attempt *a = map_get_u64(&w->by_serial, entry->serial);
    if (a == NULL)
        return;
    check(entry->task < a->task_count);
    struct fake_task *t = &a->tasks[entry->task];
    switch (entry->step) {
    case STEP_PROGRESS:
        if (a->phase == PHASE_PREPARING)
            fake_tell(w, a, ENGINE_EV_PROGRESS, NULL, END_NONE, "pretending to prepare");
        return;
    case STEP_PREPARED:
        step_prepared(w, a);
        return;
    case STEP_START:
        step_start(w, a);
        return;
    case STEP_TASK_END:
        if (entry->gen == t->gen)
            step_task_end(w, a, t);
        return;
    case STEP_TERM:
        step_term(w, a, t);
        return;
    case STEP_KILL:
        step_kill(w, a);
        return;
    case STEP_GONE:
        if (a->phase == PHASE_RUNNING)
            fake_life_end(w, a, END_NONE, NULL);
        return;
    case STEP_SUSPEND:
        step_suspend(w, a, true);
        return;
    case STEP_RESUME:
        step_suspend(w, a, false);
        return;
    case STEP_DELIVER:
    case STEP_ANSWER:
        check(false); /* world.c sees to these */
        return;
    }
}
