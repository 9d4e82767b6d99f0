/* What is missing between what is wanted of an attempt and what is known of it. */
#include "engine/local/state.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include "base/check.h"
#include "base/str.h"

#define BUSY_TRIES 60 /* of a runner that has too much to do, a second apart */

static int64_t now_ms(const struct local_attempt *a)
{
    return ev_now_ms(a->engine->loop);
}

/* ---- requests ---- */

static struct wire_key wire_key_of(const struct local_attempt *a, uint32_t task)
{
    return (struct wire_key){.workload = a->key.workload.v,
                             .number = a->key.number,
                             .fence = a->key.fence,
                             .index = task};
}

static void on_answer(void *arg, int rc, const void *reply, const struct err *err);

static void on_progress(void *arg, const char *text)
{
    struct local_call *call = arg;
    facts_tell(call->attempt, ENGINE_EV_PROGRESS, text);
}

/* False when it could not be sent: tried again later. */
static bool send_request(struct local_call *call, enum wire_verb verb, const void *args)
{
    struct local_attempt *a = call->attempt;
    struct err err;
    if (call->busy || call->not_before_ms > now_ms(a))
        return false;
    int rc = local_link_ask(a->engine->link, verb, args, on_answer, on_progress, call, &err);
    if (rc == 0) {
        call->busy = true;
        call->verb = verb;
        return true;
    }
    if (rc == -BERR_UNAVAILABLE)
        return false; /* the next list wakes it */
    if (rc == -BERR_NOMEM)
        call->not_before_ms = now_ms(a) + LOCAL_RETRY_MS;
    else
        attempt_fail(a, END_START_ERROR, err.text);
    return false;
}

static void send_ref(struct local_attempt *a, struct local_task *t, enum wire_verb verb)
{
    struct wire_task_ref ref = {.key = wire_key_of(a, t->facts.index)};
    send_request(&t->call, verb, &ref);
}

static void send_signal(struct local_attempt *a, struct local_task *t, int signal)
{
    struct wire_task_signal order = {.key = wire_key_of(a, t->facts.index),
                                     .signal = (uint64_t)signal};
    if (send_request(&t->call, WIRE_TASK_SIGNAL, &order))
        t->call.signal = (uint64_t)signal;
}

/* ---- answers ---- */

/* Which reason an error of the runner's is. */
static enum end_reason reason_of(enum wire_verb verb, const struct err *err)
{
    if (str_has_prefix(err->field, "layers"))
        return END_IMAGE_ERROR;
    if (verb == WIRE_TASK_CREATE && (err->code == BERR_INVALID || err->code == BERR_TOO_LARGE))
        return END_START_ERROR;
    return END_ENGINE_ERROR;
}

static void take_failure(struct local_call *call, const struct err *err)
{
    struct local_attempt *a = call->attempt;
    call->failures++;
    call->not_before_ms = now_ms(a) + LOCAL_RETRY_MS;
    switch (call->verb) {
    case WIRE_NET_PROJECT:
    case WIRE_VOLUME_MAKE:
    case WIRE_TASK_CREATE:
    case WIRE_TASK_START:
        if (err->code == BERR_UNAVAILABLE)
            return; /* the list after the next connection tells how far it came */
        if (call->failures < BUSY_TRIES && (err->code == BERR_BUSY || err->code == BERR_NOMEM)) {
            facts_tell(a, ENGINE_EV_PROGRESS, err->text);
            return;
        }
        attempt_fail(a, reason_of(call->verb, err), err->text);
        return;
    case WIRE_TASK_SIGNAL: /* it ended meanwhile, or is tried again */
    case WIRE_TASK_FREEZE:
    case WIRE_TASK_THAW:
    case WIRE_TASK_DELETE:
        return;
    case WIRE_HELLO:
    case WIRE_LIST:
    case WIRE_INVENTORY:
    case WIRE_IMAGE_ADD:
    case WIRE_IMAGE_BUILD:
    case WIRE_IMAGE_REMOVE:
    case WIRE_VOLUME_GROW:
    case WIRE_EXEC:
    case WIRE_STAT:
    case WIRE_LOG_REMOVE:
        check(false); /* not sent from here */
        return;
    }
}

static void take_signal(struct local_task *t, int64_t now)
{
    if (t->call.signal == SIGKILL) {
        t->killed_ms = now;
        t->is_frozen = false; /* the runner thaws what it kills */
    } else {
        t->term_sent = true;
    }
}

static void take_net(struct local_attempt *a, const struct local_net *net)
{
    struct err err;
    if (order_address(a, net, &err) != 0)
        attempt_fail(a, END_ENGINE_ERROR, err.text);
    else
        a->phase = LOCAL_VOLUMES;
}

static void take_reply(struct local_call *call, const void *reply)
{
    struct local_attempt *a = call->attempt;
    struct local_task *t = a->task_count == 0 ? NULL : &a->tasks[call->task];
    const struct local_net *net = NULL;
    struct err err;
    call->failures = 0;
    call->not_before_ms = 0;
    switch (call->verb) {
    case WIRE_NET_PROJECT:
        if (a->phase == LOCAL_NET && known_net_put(a, reply, &net, &err) != 0)
            attempt_fail(a, END_ENGINE_ERROR, err.text);
        else if (a->phase == LOCAL_NET)
            take_net(a, net);
        return;
    case WIRE_VOLUME_MAKE:
        if (a->phase == LOCAL_VOLUMES)
            known_volume_put(a->engine, a->volumes[a->volumes_made].id);
        return;
    case WIRE_TASK_CREATE:
    case WIRE_TASK_START:
        facts_take(a, reply);
        return;
    case WIRE_TASK_SIGNAL:
        take_signal(t, now_ms(a));
        return;
    case WIRE_TASK_FREEZE:
        t->is_frozen = true;
        return;
    case WIRE_TASK_THAW:
        t->is_frozen = false;
        return;
    case WIRE_TASK_DELETE:
        t->is_deleted = true;
        t->is_known = false;
        return;
    case WIRE_HELLO:
    case WIRE_LIST:
    case WIRE_INVENTORY:
    case WIRE_IMAGE_ADD:
    case WIRE_IMAGE_BUILD:
    case WIRE_IMAGE_REMOVE:
    case WIRE_VOLUME_GROW:
    case WIRE_EXEC:
    case WIRE_STAT:
    case WIRE_LOG_REMOVE:
        check(false);
        return;
    }
}

static void on_answer(void *arg, int rc, const void *reply, const struct err *err)
{
    struct local_call *call = arg;
    struct local_attempt *a = call->attempt;
    call->busy = false;
    if (rc == 0)
        take_reply(call, reply);
    else
        take_failure(call, err);
    attempt_step(a);
}

/* ---- before it runs ---- */

static void step_net(struct local_attempt *a)
{
    const struct local_net *net = a->call.busy ? NULL : known_net(a);
    if (net != NULL) {
        take_net(a, net);
        return;
    }
    struct wire_net_project order = {
        .project = a->project.v, .want = a->subnet % WIRE_SLOTS, .internet = a->internet};
    send_request(&a->call, WIRE_NET_PROJECT, &order);
}

static void step_volumes(struct local_attempt *a)
{
    while (a->volumes_made < a->volume_count &&
           known_volume(a->engine, a->volumes[a->volumes_made].id))
        a->volumes_made++;
    if (a->volumes_made < a->volume_count)
        send_request(&a->call, WIRE_VOLUME_MAKE, &a->volumes[a->volumes_made]);
    else
        a->phase = LOCAL_CREATE;
}

static void fail_by_task(struct local_attempt *a)
{
    for (uint32_t i = 0; i < a->task_count; i++)
        if (a->tasks[i].failure != WIRE_FAILURE_NONE)
            attempt_fail(a, facts_reason(a->tasks[i].failure), a->tasks[i].text);
}

static void step_create(struct local_attempt *a)
{
    bool all = true;
    for (uint32_t i = 0; i < a->task_count && a->phase == LOCAL_CREATE; i++) {
        struct local_task *t = &a->tasks[i];
        if (t->is_known)
            continue;
        all = false;
        t->asked |= send_request(&t->call, WIRE_TASK_CREATE, &a->creates[i]);
    }
    if (a->phase != LOCAL_CREATE || !all)
        return;
    order_drop(a);
    a->prepared = true;
    a->phase = LOCAL_START;
}

static void step_start(struct local_attempt *a)
{
    bool all = true;
    if (!a->told_prepared) {
        a->told_prepared = true;
        facts_tell(a, ENGINE_EV_PREPARED, NULL);
    }
    for (uint32_t i = 0; i < a->task_count && a->phase == LOCAL_START; i++) {
        struct local_task *t = &a->tasks[i];
        if (t->is_known && t->state != WIRE_TASK_CREATED)
            continue;
        all = false;
        send_ref(a, t, WIRE_TASK_START);
    }
    if (a->phase == LOCAL_START)
        fail_by_task(a); /* one that can't start undoes all, before any is told */
    if (a->phase == LOCAL_START && all)
        a->phase = LOCAL_RUN;
}

/* ---- while it runs ---- */

/* SIGTERM, a thaw so that it is heard, SIGKILL when the grace is over. True: it is seen to. */
static void step_task_stop(struct local_attempt *a, struct local_task *t)
{
    int64_t now = now_ms(a);
    if (a->kill_at_ms <= now) {
        if (t->killed_ms == 0 || now - t->killed_ms >= LOCAL_KILL_AGAIN_MS)
            send_signal(a, t, SIGKILL);
    } else if (!t->term_sent) {
        send_signal(a, t, SIGTERM);
    } else if (t->is_frozen) {
        send_ref(a, t, WIRE_TASK_THAW);
    }
}

static void step_suspend(struct local_attempt *a)
{
    bool all = true, any = false;
    for (uint32_t i = 0; i < a->task_count; i++) {
        struct local_task *t = &a->tasks[i];
        if (t->state == WIRE_TASK_ENDED)
            continue;
        any = true;
        if (t->is_frozen == a->wants_suspend)
            continue;
        all = false;
        send_ref(a, t, a->wants_suspend ? WIRE_TASK_FREEZE : WIRE_TASK_THAW);
    }
    if (!any || !all || a->is_suspended == a->wants_suspend)
        return;
    a->is_suspended = a->wants_suspend;
    facts_tell(a, a->is_suspended ? ENGINE_EV_SUSPENDED : ENGINE_EV_RESUMED, NULL);
}

static void end(struct local_attempt *a)
{
    a->phase = LOCAL_GONE;
    a->kill_at_ms = LOCAL_NEVER;
    a->is_suspended = false;
    fence_close(a->engine, a->key);
    order_drop(a);
    facts_tell_gone(a);
}

static void step_run(struct local_attempt *a)
{
    bool all_ended = true;
    facts_tell_started(a);
    facts_tell_ended(a);
    for (uint32_t i = 0; i < a->task_count; i++)
        all_ended &= a->tasks[i].state == WIRE_TASK_ENDED;
    fail_by_task(a);
    if (a->phase != LOCAL_RUN)
        return;
    if (all_ended) {
        end(a);
    } else if (a->stops) {
        for (uint32_t i = 0; i < a->task_count && a->phase == LOCAL_RUN; i++)
            if (a->tasks[i].state != WIRE_TASK_ENDED)
                step_task_stop(a, &a->tasks[i]);
    } else {
        step_suspend(a);
    }
}

/* ---- the end ---- */

/* One that ran keeps its record, for its facts; one that failed too, for the reason. */
static bool keeps_record(const struct local_task *t)
{
    return t->is_known && t->state == WIRE_TASK_ENDED &&
           (t->told_started || t->failure != WIRE_FAILURE_NONE);
}

static void step_undo(struct local_attempt *a)
{
    bool all = !a->call.busy;
    facts_tell_ended(a);
    for (uint32_t i = 0; i < a->task_count; i++) {
        struct local_task *t = &a->tasks[i];
        if (!t->call.busy && (!t->asked || t->is_deleted || keeps_record(t)))
            continue;
        all = false;
        if (t->is_known && t->told_started && t->state == WIRE_TASK_RUNNING) {
            a->kill_at_ms = 0;
            step_task_stop(a, t);
        } else {
            send_ref(a, t, WIRE_TASK_DELETE);
        }
    }
    if (all && a->phase == LOCAL_UNDO)
        end(a);
}

static void on_log_removed(void *arg, int rc, const void *reply, const struct err *err)
{
    (void)arg, (void)rc, (void)reply, (void)err; /* what stays is found by the runner's sweep */
}

/* True when the attempt is no more. */
static bool step_forget(struct local_attempt *a)
{
    bool all = !a->call.busy;
    for (uint32_t i = 0; i < a->task_count; i++) {
        struct local_task *t = &a->tasks[i];
        if (!t->call.busy && (!t->is_known || t->is_deleted))
            continue;
        all = false;
        send_ref(a, t, WIRE_TASK_DELETE);
    }
    if (!all)
        return false;
    if (a->log_goes) {
        struct wire_log_remove order = {.workload = a->key.workload.v, .number = a->key.number};
        struct err err;
        (void)local_link_ask(a->engine->link, WIRE_LOG_REMOVE, &order, on_log_removed, NULL, NULL,
                             &err);
    }
    attempt_free(a);
    return true;
}

/* ---- stepping ---- */

/* When to look again without an answer or event. */
static void set_timer(struct local_attempt *a)
{
    int64_t at_ms = a->kill_at_ms < a->embryo_until_ms ? a->kill_at_ms : a->embryo_until_ms;
    int64_t now = now_ms(a);
    if (at_ms <= now && a->phase != LOCAL_EMBRYO) /* killed: again after a while */
        at_ms = now + LOCAL_KILL_AGAIN_MS;
    if (!a->call.busy && a->call.not_before_ms > now && a->call.not_before_ms < at_ms)
        at_ms = a->call.not_before_ms;
    for (uint32_t i = 0; i < a->task_count; i++) {
        const struct local_call *call = &a->tasks[i].call;
        if (!call->busy && call->not_before_ms > now && call->not_before_ms < at_ms)
            at_ms = call->not_before_ms;
    }
    if (at_ms == LOCAL_NEVER)
        ev_timer_stop(a->timer);
    else
        attempt_wake(a, at_ms - now);
}

static void step_embryo(struct local_attempt *a)
{
    if (a->embryo_until_ms <= now_ms(a))
        attempt_fail(a, END_ENGINE_ERROR, "it was only half made when berth was restarted");
}

void attempt_step(struct local_attempt *a)
{
    enum local_phase before;
    if (!a->engine->listed)
        return; /* the list steps all */
    do {
        before = a->phase;
        switch (a->phase) {
        case LOCAL_EMBRYO:
            step_embryo(a);
            break;
        case LOCAL_NET:
            step_net(a);
            break;
        case LOCAL_VOLUMES:
            step_volumes(a);
            break;
        case LOCAL_CREATE:
            step_create(a);
            break;
        case LOCAL_START:
            step_start(a);
            break;
        case LOCAL_RUN:
            step_run(a);
            break;
        case LOCAL_UNDO:
            step_undo(a);
            break;
        case LOCAL_GONE:
            if (a->tells_gone)
                facts_tell_gone(a);
            a->tells_gone = false;
            break;
        case LOCAL_FORGET:
            if (step_forget(a))
                return;
            break;
        }
    } while (a->phase != before);
    set_timer(a);
}
