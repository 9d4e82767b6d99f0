/* After connecting: the machine, then all tasks page by page, then belief is replaced. */
#include "engine/local/state.h"

#include <string.h>
#include "base/str.h"

static void ask_page(struct engine *e);

static struct attempt_key key_of(const struct wire_key *k)
{
    return (struct attempt_key){
        .workload = {k->workload}, .number = (uint32_t)k->number, .fence = k->fence};
}

/* ---- reading ---- */

static int take_task(struct engine *e, const struct wire_task *w)
{
    if (w->key.index >= LIMIT_TASKS_PER_ATTEMPT || w->gang > LIMIT_TASKS_PER_ATTEMPT)
        return 0; /* nothing of ours */
    uint32_t count = (uint32_t)(w->gang > w->key.index ? w->gang : w->key.index + 1);
    struct local_attempt *a = attempt_find(e, key_of(&w->key));
    if (a == NULL) {
        a = attempt_new(e, key_of(&w->key), count);
        if (a == NULL)
            return -BERR_NOMEM;
        a->project.v = w->project;
    }
    if (a->phase == LOCAL_EMBRYO && attempt_grow(a, count) != 0)
        return -BERR_NOMEM;
    if (w->key.index < a->task_count) {
        a->tasks[w->key.index].is_listed = true;
        if (w->state == WIRE_TASK_DELETING && a->phase == LOCAL_EMBRYO)
            attempt_fail(a, END_ENGINE_ERROR, "its tasks are being taken away");
    }
    facts_take(a, w);
    return 0;
}

/* ---- what a list means for an attempt ---- */

/* Found in the list, with no order at hand: how far had it come? */
static void place_found(struct local_attempt *a)
{
    bool any_started = false, all_started = true, all_known = true, all_frozen = true;
    for (uint32_t i = 0; i < a->task_count; i++) {
        const struct local_task *t = &a->tasks[i];
        bool started = t->is_known && t->state != WIRE_TASK_CREATED;
        any_started |= started;
        all_started &= started;
        all_known &= t->is_known;
        all_frozen &= t->is_frozen || t->state == WIRE_TASK_ENDED;
        if (t->failure != WIRE_FAILURE_NONE)
            attempt_fail(a, facts_reason(t->failure), t->text);
    }
    a->prepared = any_started || all_known;
    if (a->phase != LOCAL_EMBRYO)
        return;
    if (any_started && !all_known) {
        attempt_fail(a, END_ENGINE_ERROR, "a task of it is missing");
    } else if (all_started) {
        a->phase = LOCAL_RUN;
        a->is_suspended = a->wants_suspend = all_frozen;
    } else if (all_known) {
        a->phase = LOCAL_START;
    } else {
        a->embryo_until_ms = ev_now_ms(a->engine->loop) + LOCAL_EMBRYO_MS;
    }
}

/* A task that is not in the list although the runner had it. */
static void task_missing(struct local_attempt *a, struct local_task *t)
{
    bool was_known = t->is_known;
    t->is_known = false;
    switch (a->phase) {
    case LOCAL_UNDO:
    case LOCAL_GONE:
    case LOCAL_FORGET:
        t->is_deleted = true;
        return;
    case LOCAL_START:
    case LOCAL_RUN:
        if (was_known)
            attempt_fail(a, END_ENGINE_ERROR, "the runner no longer knows a task of it");
        return;
    case LOCAL_EMBRYO:
    case LOCAL_NET:
    case LOCAL_VOLUMES:
    case LOCAL_CREATE:
        return; /* made anew */
    }
}

static void reconcile(struct engine *e)
{
    void *value;
    for (size_t i = 0; map_next(&e->attempts, &i, NULL, &value);) {
        struct local_attempt *a = value;
        for (uint32_t t = 0; t < a->task_count; t++)
            if (!a->tasks[t].is_listed)
                task_missing(a, &a->tasks[t]);
        if (a->phase == LOCAL_EMBRYO)
            place_found(a);
    }
}

static bool settles(const struct local_attempt *a)
{
    for (uint32_t i = 0; i < a->task_count; i++)
        if (a->tasks[i].state != WIRE_TASK_ENDED || !a->tasks[i].is_known)
            return false;
    return a->task_count > 0;
}

/* What has ended altogether is told as gone at once. */
static void settle(struct engine *e)
{
    void *value;
    for (size_t i = 0; map_next(&e->attempts, &i, NULL, &value);) {
        struct local_attempt *a = value;
        if ((a->phase != LOCAL_RUN && a->phase != LOCAL_UNDO) || !settles(a))
            continue;
        a->phase = LOCAL_GONE;
        a->is_suspended = false;
        fence_close(e, a->key);
    }
}

static void tell(struct engine *e)
{
    struct engine_event event = {.kind = ENGINE_EV_CONNECTED};
    uint64_t round = e->round;
    void *value;
    e->listener(e->arg, &event);
    node_tell(e);
    event.kind = ENGINE_EV_LIST_BEGIN;
    e->listener(e->arg, &event);
    e->lists = true;
    for (size_t i = 0; map_next(&e->attempts, &i, NULL, &value);) {
        struct local_attempt *a = value;
        if (a->phase != LOCAL_EMBRYO && a->phase != LOCAL_FORGET)
            facts_tell_seen(a);
        attempt_wake(a, 0);
    }
    e->lists = false;
    if (e->round != round || !local_link_is_up(e->link))
        return; /* broken by a failure: the next list makes up for it */
    e->listed = true;
    event.kind = ENGINE_EV_LIST_END;
    e->listener(e->arg, &event);
}

static void on_page(void *arg, int rc, const void *reply, const struct err *err)
{
    struct engine *e = arg;
    const struct wire_page *page = reply;
    if (rc == -BERR_UNAVAILABLE)
        return; /* broken: begins anew by itself */
    if (rc != 0) {
        local_link_reset(e->link, err->text);
        return;
    }
    const struct wire_task *tasks = page->tasks.items;
    for (size_t i = 0; i < page->tasks.len; i++)
        if (take_task(e, &tasks[i]) != 0)
            local_link_reset(e->link, "no memory for the list of tasks");
    if (!local_link_is_up(e->link))
        return;
    if (page->more && page->tasks.len > 0) {
        wire_key_format(e->list_after, &tasks[page->tasks.len - 1].key);
        ask_page(e);
        return;
    }
    reconcile(e);
    settle(e);
    tell(e);
}

static void ask_page(struct engine *e)
{
    struct wire_list order = {.after = e->list_after[0] == '\0' ? NULL : e->list_after};
    struct err err;
    int rc = local_link_ask(e->link, WIRE_LIST, &order, on_page, NULL, e, &err);
    if (rc != 0 && rc != -BERR_UNAVAILABLE)
        local_link_reset(e->link, err.text);
}

/* ---- the beginning ---- */

static void on_inventory(void *arg, int rc, const void *reply, const struct err *err)
{
    struct engine *e = arg;
    e->inventory_sent_ms = 0;
    if (rc == -BERR_UNAVAILABLE)
        return;
    if (rc != 0) {
        local_link_reset(e->link, err->text);
        return;
    }
    node_take(e, reply);
    ask_page(e);
}

void list_up(void *engine, const struct wire_welcome *welcome)
{
    struct engine *e = engine;
    void *value;
    (void)welcome;
    e->round++;
    e->listed = false;
    e->list_after[0] = '\0';
    known_forget(e);
    for (size_t i = 0; map_next(&e->attempts, &i, NULL, &value);) {
        struct local_attempt *a = value;
        for (uint32_t t = 0; t < a->task_count; t++)
            a->tasks[t].is_listed = false;
    }
    node_ask(e, on_inventory);
}

void list_event(void *engine, const struct wire_event *event)
{
    struct engine *e = engine;
    if (event->task == NULL)
        return;
    struct local_attempt *a = attempt_find(e, key_of(&event->task->key));
    if (a == NULL)
        return; /* another client's, or in a page to come */
    facts_take(a, event->task);
    attempt_step(a);
}
