/*
 * life: how a workload's state changes. life_apply is the only writer of w.state; everything else
 * asks it with an event of the table in types/workload.h.
 */
#include "control/state.h"
#include <stdio.h>
#include <string.h>
#include "base/str.h"

#define BACKOFF_FIRST_MS 1000
#define BACKOFF_MOST_MS  60000

/* Details of a state change for programs: {"from":…,"state":…,"attempt":…,"reason":…}. */
static const char *state_data(const struct item *it, enum workload_state from, struct buf *out)
{
    struct js_writer w;
    js_w_init(&w, out);
    js_w_object(&w, NULL);
    js_w_str(&w, "from", workload_state_names[from]);
    js_w_str(&w, "state", workload_state_names[it->w.state]);
    js_w_str(&w, "name", it->w.spec->name);
    js_w_i64(&w, "attempt", it->w.attempt ? it->w.attempt->key.number : 0);
    if (workload_state_is_final(it->w.state) && it->w.attempt)
        js_w_str(&w, "end", end_reason_names[it->w.attempt->end_reason]);
    js_w_end_object(&w);
    return buf_is_failed(out) ? NULL : buf_str(out);
}

bool life_apply(struct txn *t, struct item *it, enum life_event ev, struct user_id actor,
                const char *why)
{
    struct control *c = control_of(t);
    enum workload_state from = it->w.state, to;
    if (!lifecycle_next(from, ev, &to))
        return false;
    it->w.state = to;
    it->w.state_since_ms = control_wall(c);
    it->mono_since_ms = it->mono_progress_ms = control_mono(c);
    str_copy(it->w.reason, sizeof(it->w.reason), why);
    if (to == STATE_RUNNING && from != STATE_SUSPENDED) {
        it->mono_started_ms = it->mono_since_ms;
        it->w.started_ms = it->w.state_since_ms;
        if (it->w.attempt)
            it->w.attempt->started_ms = it->w.state_since_ms;
        c->counts.started++;
    }
    if (workload_state_is_final(to)) {
        it->w.ended_ms = it->w.state_since_ms;
        c->counts.ended++;
        item_retire(c, it);
    }
    txn_touch(t, it, true);
    struct buf data = BUF(4096);
    txn_event(t, "workload.state", it, actor, state_data(it, from, &data), "%s %s: %s",
              workload_kind_names[it->w.spec->kind], it->w.spec->name, why);
    buf_done(&data);
    deadline_arm(c, it);
    c->pass_wanted = true;
    control_wake(c);
    return true;
}

void life_stop(struct txn *t, struct item *it, enum end_reason why, int64_t grace_ms,
               struct user_id actor, const char *words)
{
    int64_t now = control_mono(control_of(t));
    if (grace_ms < 0)
        grace_ms = it->w.spec->grace_ms;
    if (it->w.state == STATE_STOPPING) { /* a second stop can only be more urgent */
        if (now + grace_ms < it->kill_at_ms) {
            it->kill_at_ms = now + grace_ms;
            it->grace_ms = grace_ms;
            it->stop_sent = false;
        }
        if (why != END_PREEMPTED && it->w.stop_reason == END_PREEMPTED) {
            it->w.stop_reason = why;
            it->w.desired = DESIRED_STOP;
        }
        txn_touch(t, it, false);
        return;
    }
    if (!life_apply(t, it, why == END_PREEMPTED ? LIFE_PREEMPT : LIFE_STOP, actor, words))
        return;
    it->w.stop_reason = why;
    if (why != END_PREEMPTED)
        it->w.desired = DESIRED_STOP;
    it->grace_ms = grace_ms;
    it->kill_at_ms = now + grace_ms;
    it->stop_sent = false;
    deadline_arm(control_of(t), it);
}

/* ---- the end of an attempt ---- */

static bool decides(const struct item *it, const struct task *task)
{
    const char *role = NULL;
    spec_role(it->w.spec, task->role, &role);
    return !it->w.spec->stop_when || str_is_equal(it->w.spec->stop_when, role);
}

/* When the last of the tasks that decide ended well; INT64_MAX while that has not happened. What
 * others end with from then on is our own stopping of them. */
static int64_t completed_at(const struct item *it)
{
    const struct attempt *a = it->w.attempt;
    int64_t last = 0;
    for (uint32_t i = 0; i < a->task_count; i++) {
        const struct task *task = &a->tasks[i];
        if (!decides(it, task))
            continue;
        if (!task->ended || task->exit_code != 0 || task->signal || task->out_of_memory)
            return INT64_MAX;
        last = task->ended_ms > last ? task->ended_ms : last;
    }
    return last;
}

/* The task that shows why: the first that failed by time, or none. */
static const struct task *failed_task(const struct item *it)
{
    const struct attempt *a = it->w.attempt;
    const struct task *first = NULL;
    int64_t completed = completed_at(it);
    for (uint32_t i = 0; i < a->task_count; i++) {
        const struct task *task = &a->tasks[i];
        bool failed = task->ended && (task->exit_code != 0 || task->signal || task->out_of_memory);
        if (!decides(it, task) && task->ended_ms >= completed)
            continue;
        if (failed && (!first || task->ended_ms < first->ended_ms))
            first = task;
    }
    return first;
}

static void explain(struct item *it, enum end_reason reason, const struct task *task)
{
    struct attempt *a = it->w.attempt;
    const char *role = NULL;
    a->end_reason = reason;
    a->end_task = task ? task->index : 0;
    a->end_code = 0;
    char where[96] = "";
    if (task) {
        spec_role(it->w.spec, task->role, &role);
        if (a->task_count > 1)
            snprintf(where, sizeof(where), "task %s-%u ", role, task->rank);
    }
    if (reason == END_EXIT_CODE && task) {
        a->end_code = task->exit_code;
        snprintf(a->end_text, sizeof(a->end_text), "%sended with exit code %d", where,
                 task->exit_code);
    } else if (reason == END_SIGNAL && task) {
        a->end_code = task->signal;
        snprintf(a->end_text, sizeof(a->end_text), "%swas killed by signal %d (%s)", where,
                 task->signal, strsignal(task->signal));
    } else if (reason == END_OUT_OF_MEMORY && task) {
        char text[UNITS_TEXT_MAX];
        const struct role_spec *r = spec_role(it->w.spec, task->role, NULL);
        snprintf(a->end_text, sizeof(a->end_text),
                 "%swent over its memory limit of %s: ask for more with memory, or use less", where,
                 units_format_bytes(text, r->memory_bytes));
    } else if (reason == END_DISK_LIMIT && task) {
        char text[UNITS_TEXT_MAX];
        const struct role_spec *r = spec_role(it->w.spec, task->role, NULL);
        snprintf(a->end_text, sizeof(a->end_text),
                 "%sfilled its disk limit of %s: ask for more with disk, or write to a volume",
                 where, units_format_bytes(text, r->disk_bytes));
    } else if (reason == END_TIME_LIMIT) {
        char text[UNITS_TEXT_MAX];
        snprintf(a->end_text, sizeof(a->end_text), "reached its time limit of %s",
                 units_format_duration(text, it->w.spec->time_limit_ms));
    } else {
        snprintf(a->end_text, sizeof(a->end_text), "%s%s", where, end_reason_words(reason));
    }
}

/* One reason, in this order: what control itself wanted, what the engine says, what tasks show. */
static enum end_reason decide_reason(struct item *it, enum end_reason engine_reason,
                                     const char *text)
{
    struct attempt *a = it->w.attempt;
    const struct task *task = failed_task(it);
    enum end_reason reason = engine_reason;
    if (it->w.stop_reason != END_NONE)
        reason = it->w.stop_reason;
    if (reason != END_NONE) {
        explain(it, reason, NULL);
        if (text && text[0] && it->w.stop_reason == END_NONE)
            str_copy(a->end_text, sizeof(a->end_text), text);
        return reason;
    }
    if (!task)
        reason = END_COMPLETED;
    else if (task->out_of_memory)
        reason = END_OUT_OF_MEMORY;
    else if (task->disk_full)
        reason = END_DISK_LIMIT;
    else if (task->signal)
        reason = END_SIGNAL;
    else
        reason = END_EXIT_CODE;
    explain(it, reason, task);
    return reason;
}

static bool word_matches(const char *word, enum end_reason reason, int code)
{
    char exact[32];
    switch (reason) {
    case END_EXIT_CODE:
        snprintf(exact, sizeof(exact), "exit:%d", code);
        return str_is_equal(word, exact) || str_is_equal(word, "failed");
    case END_SIGNAL:
        snprintf(exact, sizeof(exact), "signal:%d", code);
        return str_is_equal(word, exact) || str_is_equal(word, "failed");
    case END_OUT_OF_MEMORY:
        return str_is_equal(word, "oom") || str_is_equal(word, "failed");
    case END_DISK_LIMIT:
        return str_is_equal(word, "failed");
    case END_PREEMPTED:
        return str_is_equal(word, "preempted");
    case END_NODE_LOST:
        return str_is_equal(word, "node");
    case END_IMAGE_ERROR:
        return str_is_equal(word, "image");
    case END_START_ERROR:
        return str_is_equal(word, "start");
    case END_ENGINE_ERROR:
        return str_is_equal(word, "engine");
    case END_NONE:
    case END_COMPLETED:
    case END_TIME_LIMIT:
    case END_STOPPED:
    case END_LEASE_ENDED:
        return false;
    }
    return false;
}

static bool wants_retry(const struct item *it, enum end_reason reason)
{
    if (it->w.desired == DESIRED_STOP)
        return false;
    if (reason == END_PREEMPTED)
        return true;
    bool wanted = end_reason_is_retried(reason);
    for (size_t i = 0; i < it->w.spec->retry.on.len && !wanted; i++)
        wanted = word_matches(it->w.spec->retry.on.items[i], reason, it->w.attempt->end_code);
    return wanted && it->w.retries_used < it->w.spec->retry.max;
}

static enum life_event end_event(enum end_reason reason)
{
    switch (reason) {
    case END_COMPLETED:
        return LIFE_ENDED_OK;
    case END_STOPPED:
    case END_LEASE_ENDED:
        return LIFE_ENDED_STOPPED;
    case END_NONE:
    case END_EXIT_CODE:
    case END_SIGNAL:
    case END_OUT_OF_MEMORY:
    case END_TIME_LIMIT:
    case END_DISK_LIMIT:
    case END_PREEMPTED:
    case END_NODE_LOST:
    case END_IMAGE_ERROR:
    case END_START_ERROR:
    case END_ENGINE_ERROR:
        return LIFE_ENDED_FAILED;
    }
    return LIFE_ENDED_FAILED;
}

void life_finish(struct txn *t, struct item *it, enum end_reason engine_reason, const char *text)
{
    struct control *c = control_of(t);
    struct attempt *a = it->w.attempt;
    if (!a || a->gone)
        return;
    enum end_reason reason = decide_reason(it, engine_reason, text);
    a->gone = true;
    a->ended_ms = control_wall(c);
    ledger_free(t, it);
    if (it->image_id.v)
        c->cfg.hooks.image_use(c->cfg.hooks.arg, it->image_id, it->w.id, false);
    it->image_id.v = 0;
    it->ending = it->stop_sent = it->start_sent = it->start_seen = false;
    it->kill_at_ms = 0;
    struct user_id nobody = {0};
    if (!wants_retry(it, reason)) {
        life_apply(t, it, end_event(reason), nobody, a->end_text);
        return;
    }
    it->w.stop_reason = END_NONE;
    char why[256];
    if (reason == END_PREEMPTED) {
        snprintf(why, sizeof(why), "%s; it waits for its turn again", a->end_text);
    } else {
        int64_t wait = BACKOFF_FIRST_MS << (it->w.retries_used < 6 ? it->w.retries_used : 6);
        if (wait > BACKOFF_MOST_MS)
            wait = BACKOFF_MOST_MS;
        it->w.retries_used++;
        it->w.not_before_ms = control_wall(c) + wait;
        char span[UNITS_TEXT_MAX];
        snprintf(why, sizeof(why), "%.150s; try %u of %lld follows in %s", a->end_text,
                 it->w.attempts + 1, (long long)it->w.spec->retry.max + 1,
                 units_human_duration(span, wait));
        c->counts.retried++;
    }
    life_apply(t, it, LIFE_ENDED_RETRY, nobody, why);
    if (it->w.state == STATE_PREEMPTED)
        life_apply(t, it, LIFE_REQUEUE, nobody, why);
}
