/*
 * observe: what engines report becomes facts of attempts, and facts move the lifecycle.
 *
 * A full list replaces belief: attempts that we hold to be started and that the list does not know
 * have ended without a trace; attempts that only the engine knows are stopped and forgotten.
 */
#include "control/state.h"
#include "base/alloc.h"
#include <string.h>
#include "base/log.h"
#include "base/str.h"

static const struct user_id nobody = {0};

static struct item *find_attempt(struct control *c, struct attempt_key key)
{
    struct item *it = item_find(c, key.workload);
    if (!it || !it->w.attempt || it->w.attempt->gone ||
        !attempt_key_is_equal(it->w.attempt->key, key))
        return NULL;
    return it;
}

/* What runs without being wanted: an attempt that ended here, or one made before a restore. */
static void handle_stranger(struct site *s, const struct engine_event *ev, bool gone)
{
    struct err err = {0};
    char key[ATTEMPT_KEY_TEXT_SIZE];
    attempt_key_format(key, ev->key);
    int rc =
        gone ? s->ops->forget(s->engine, ev->key, &err) : s->ops->stop(s->engine, ev->key, 0, &err);
    if (rc < 0)
        log_err(LOG_WARN, &err, "could not end an unknown attempt", "attempt", key, NULL);
    else if (!gone)
        log_info("ending an attempt that nobody waits for", "attempt", key, NULL);
}

/* ---- tasks ---- */

/* True when something new was learnt. */
static bool take_facts(struct attempt *a, const struct engine_task_facts *f)
{
    if (f->index >= a->task_count)
        return false;
    struct task *task = &a->tasks[f->index];
    bool news = false;
    if (f->started && !task->running && !task->ended) {
        task->running = true;
        task->started_ms = f->started_ms;
        news = true;
    }
    if (f->address[0] && !str_is_equal(task->address, f->address)) {
        str_copy(task->address, sizeof(task->address), f->address);
        news = true;
    }
    if (f->ended && !task->ended) {
        task->running = false;
        task->ended = true;
        task->exit_code = f->exit_code;
        task->signal = f->signal;
        task->out_of_memory = f->out_of_memory;
        task->disk_full = f->disk_full;
        task->ended_ms = f->ended_ms;
        if (!task->started_ms)
            task->started_ms = f->started_ms;
        task->log_bytes = f->log_bytes;
        news = true;
    }
    return news;
}

static bool task_failed(const struct task *task)
{
    return task->ended && (task->exit_code != 0 || task->signal || task->out_of_memory);
}

/* Whether control has to end what is left of the attempt: a task failed, or the roles that decide
 * have all ended. */
static bool should_end(const struct item *it)
{
    const struct attempt *a = it->w.attempt;
    bool deciding_left = false, any_ended = false;
    for (uint32_t i = 0; i < a->task_count; i++) {
        const struct task *task = &a->tasks[i];
        const char *role = NULL;
        if (task_failed(task))
            return true;
        any_ended |= task->ended;
        spec_role(it->w.spec, task->role, &role);
        bool decides = !it->w.spec->stop_when || str_is_equal(it->w.spec->stop_when, role);
        if (decides && !task->ended)
            deciding_left = true;
    }
    return any_ended && !deciding_left;
}

static bool all_started(const struct attempt *a)
{
    for (uint32_t i = 0; i < a->task_count; i++)
        if (!a->tasks[i].running && !a->tasks[i].ended)
            return false;
    return true;
}

static void after_facts(struct control *c, struct txn *t, struct item *it, bool prepared)
{
    struct attempt *a = it->w.attempt;
    it->start_seen = true;
    it->mono_progress_ms = control_mono(c);
    if (it->w.state == STATE_PREPARING && prepared)
        life_apply(t, it, LIFE_PREPARED, nobody, "starting");
    if ((it->w.state == STATE_STARTING || it->w.state == STATE_PREPARING) && all_started(a)) {
        if (it->w.state == STATE_PREPARING)
            life_apply(t, it, LIFE_PREPARED, nobody, "starting");
        life_apply(t, it, LIFE_RUNNING, nobody, "running");
    }
    if (!it->ending && it->w.state != STATE_STOPPING && should_end(it)) {
        it->ending = true;
        it->grace_ms = it->w.spec->grace_ms;
        it->kill_at_ms = control_mono(c) + it->grace_ms;
        deadline_arm(c, it);
    }
    txn_touch(t, it, true);
}

static void on_task(struct site *s, const struct engine_event *ev)
{
    struct control *c = s->control;
    struct item *it = find_attempt(c, ev->key);
    bool news = false;
    for (uint32_t i = 0; it && i < ev->task_count; i++)
        news |= take_facts(it->w.attempt, &ev->tasks[i]);
    if (!news)
        return;
    struct txn *t = txn_begin(c);
    if (!t)
        return;
    after_facts(c, t, it, true);
    txn_commit(t, NULL, NULL, 0);
}

static void on_life(struct site *s, const struct engine_event *ev, enum life_event life,
                    const char *why)
{
    struct control *c = s->control;
    struct item *it = find_attempt(c, ev->key);
    struct txn *t = it ? txn_begin(c) : NULL;
    if (!t)
        return;
    it->start_seen = true;
    life_apply(t, it, life, nobody, why);
    txn_commit(t, NULL, NULL, 0);
}

static void on_gone(struct site *s, const struct engine_event *ev)
{
    struct control *c = s->control;
    struct item *it = find_attempt(c, ev->key);
    if (!it) {
        struct item *old = item_find(c, ev->key.workload);
        bool pending = old && old->w.attempt && attempt_key_is_equal(old->w.attempt->key, ev->key);
        if (!pending)
            handle_stranger(s, ev, true);
        return;
    }
    struct txn *t = txn_begin(c);
    if (!t)
        return;
    life_finish(t, it, ev->reason, ev->text);
    txn_commit(t, NULL, NULL, 0);
}

static void on_progress(struct site *s, const struct engine_event *ev)
{
    struct item *it = find_attempt(s->control, ev->key);
    if (!it || !ev->text)
        return;
    it->mono_progress_ms = control_mono(s->control);
    it->start_seen = true;
    str_copy(it->w.reason, sizeof(it->w.reason), ev->text);
}

/* ---- lists ---- */

static void on_seen(struct site *s, const struct engine_event *ev)
{
    struct control *c = s->control;
    struct item *it = find_attempt(c, ev->key);
    if (!it) {
        handle_stranger(s, ev, ev->gone);
        return;
    }
    it->listed = true;
    it->start_seen = true;
    struct txn *t = txn_begin(c);
    if (!t)
        return;
    for (uint32_t i = 0; i < ev->task_count; i++)
        take_facts(it->w.attempt, &ev->tasks[i]);
    after_facts(c, t, it, ev->prepared);
    if (ev->suspended)
        life_apply(t, it, LIFE_SUSPENDED, nobody, "suspended");
    if (ev->gone)
        life_finish(t, it, ev->reason, ev->text);
    txn_commit(t, NULL, NULL, 0);
}

static void on_list_begin(struct site *s)
{
    s->listing = true;
    s->listed = false;
    for (struct item *it = s->control->live_head; it; it = it->next)
        if (it->w.attempt && str_is_equal(it->w.attempt->site, s->name))
            it->listed = it->start_sent = it->stop_sent = it->start_seen = false;
    for (struct item *it = s->control->ended_head; it; it = it->next)
        it->forgotten = false;
}

static void on_list_end(struct site *s)
{
    struct control *c = s->control;
    s->listing = false;
    s->listed = true;
    struct txn *t = txn_begin(c);
    struct item *next;
    for (struct item *it = c->live_head; it && t; it = next) {
        next = it->next;
        struct attempt *a = it->w.attempt;
        /* PREPARING may be an order that never arrived: sync repeats it. */
        if (!a || a->gone || it->listed || it->w.state == STATE_PREPARING ||
            !str_is_equal(a->site, s->name))
            continue;
        life_finish(t, it, it->w.state == STATE_STOPPING ? END_STOPPED : END_NODE_LOST,
                    "its node no longer knows of it");
    }
    if (t)
        txn_commit(t, NULL, NULL, 0);
    sync_site(c, s);
    c->pass_wanted = true;
    control_wake(c);
}

static void on_node(struct site *s, const struct node *node)
{
    struct control *c = s->control;
    struct node_entry *n = control_node_entry(c, s->name, node->name);
    if (!n) {
        struct node_entry **slot = vec_push(&c->nodes);
        n = slot ? mem_calloc(1, sizeof(*n)) : NULL;
        if (!n) {
            if (slot)
                c->nodes.len--;
            return;
        }
        *slot = n;
        n->site = s;
        n->node = *node;
        char key[160];
        snprintf(key, sizeof(key), "drained.%s", node->name);
        n->drained = control_setting(c, key) != NULL;
        /* What earlier attempts hold there was loaded before the node was known. */
        for (struct item *it = c->live_head; it; it = it->next)
            if (it->w.attempt && !it->w.attempt->gone)
                ledger_count_on(it, n, +1);
    }
    n->node = *node;
    str_copy(n->node.site, sizeof(n->node.site), s->name);
    c->pass_wanted = true;
    control_wake(c);
}

void observe_event(void *arg, const struct engine_event *ev)
{
    struct site *s = arg;
    switch (ev->kind) {
    case ENGINE_EV_CONNECTED:
        s->connected = true;
        log_info("engine connected", "site", s->name, NULL);
        return;
    case ENGINE_EV_DISCONNECTED:
        s->connected = s->listed = s->listing = false;
        log_warn("engine out of reach", "site", s->name, "why", ev->text ? ev->text : "", NULL);
        return;
    case ENGINE_EV_NODE:
        on_node(s, ev->node);
        return;
    case ENGINE_EV_LIST_BEGIN:
        on_list_begin(s);
        return;
    case ENGINE_EV_ATTEMPT_SEEN:
        on_seen(s, ev);
        return;
    case ENGINE_EV_LIST_END:
        on_list_end(s);
        return;
    case ENGINE_EV_PROGRESS:
        on_progress(s, ev);
        return;
    case ENGINE_EV_PREPARED:
        on_life(s, ev, LIFE_PREPARED, "starting");
        return;
    case ENGINE_EV_TASK_STARTED:
    case ENGINE_EV_TASK_ENDED:
        on_task(s, ev);
        return;
    case ENGINE_EV_SUSPENDED:
        on_life(s, ev, LIFE_SUSPENDED, "suspended");
        return;
    case ENGINE_EV_RESUMED:
        on_life(s, ev, LIFE_RESUMED, "running");
        return;
    case ENGINE_EV_LOST:
        return; /* nothing is known: the deadline of the state decides */
    case ENGINE_EV_GONE:
        on_gone(s, ev);
        return;
    }
}
