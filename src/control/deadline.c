/*
 * deadline: what has to happen at a time. Every non-final state has a limit (lifecycle table), a
 * running workload has its time limit, a stopping one its grace. All on the monotonic clock.
 *
 * The heap holds hints: when one comes up, the item's present facts decide, and a new hint is set.
 */
#include "control/state.h"
#include "base/alloc.h"
#include <stdio.h>

#define STOP_SLACK_MS 30000 /* after SIGKILL was due, before the engine is asked again */

static bool earlier(const void *a, const void *b)
{
    return ((const struct timer_entry *)a)->at_ms < ((const struct timer_entry *)b)->at_ms;
}

/* The next moment at which something is due for the item; 0: nothing. */
static int64_t next_due(const struct item *it)
{
    int64_t limit = lifecycle_deadline_ms(it->w.state), due = 0;
    switch (it->w.state) {
    case STATE_PREPARING:
        return it->mono_progress_ms + limit;
    case STATE_STARTING:
        return it->mono_since_ms + limit;
    case STATE_RUNNING:
    case STATE_SUSPENDED:
        if (it->w.spec->time_limit_ms)
            due = it->mono_started_ms + it->w.spec->time_limit_ms;
        if (it->ending && (!due || it->kill_at_ms + STOP_SLACK_MS < due))
            due = it->kill_at_ms + STOP_SLACK_MS;
        return due;
    case STATE_STOPPING:
        return it->kill_at_ms + STOP_SLACK_MS;
    case STATE_QUEUED:
    case STATE_PREEMPTED:
    case STATE_SUCCEEDED:
    case STATE_FAILED:
    case STATE_STOPPED:
        return 0;
    }
    return 0;
}

void deadline_arm(struct control *c, struct item *it)
{
    int64_t due = next_due(it);
    /* A hint that comes up earlier looks again and sets the right one. */
    if (!due || (it->armed_ms && it->armed_ms <= due))
        return;
    c->timers.less = earlier;
    struct timer_entry *entry = mem_alloc(sizeof(*entry));
    if (!entry)
        return; /* the scan of a later state change arms it again */
    *entry = (struct timer_entry){.at_ms = due, .id = it->w.id};
    if (heap_push(&c->timers, entry) < 0) {
        mem_free(entry);
        return;
    }
    it->armed_ms = due;
    control_wake(c);
}

static void time_is_up(struct control *c, struct item *it)
{
    struct user_id nobody = {0};
    char words[160];
    char span[UNITS_TEXT_MAX];
    struct txn *t = txn_begin(c);
    if (!t)
        return;
    switch (it->w.state) {
    case STATE_PREPARING:
    case STATE_STARTING:
        snprintf(words, sizeof(words), "no progress while %s for %s",
                 it->w.state == STATE_PREPARING ? "preparing" : "starting",
                 units_human_duration(span, lifecycle_deadline_ms(it->w.state)));
        life_stop(t, it, END_START_ERROR, 0, nobody, words);
        it->w.desired = DESIRED_RUN; /* a retry rule may still apply */
        break;
    case STATE_RUNNING:
    case STATE_SUSPENDED:
        if (it->ending) {
            it->stop_sent = false;
            it->kill_at_ms = control_mono(c);
            txn_touch(t, it, false);
            break;
        }
        snprintf(words, sizeof(words), "its time limit of %s is reached",
                 units_format_duration(span, it->w.spec->time_limit_ms));
        life_stop(t, it, END_TIME_LIMIT, -1, nobody, words);
        break;
    case STATE_STOPPING:
        /* SIGKILL should have ended it: say so and ask again. */
        it->stop_sent = false;
        it->kill_at_ms = control_mono(c);
        txn_event(t, "workload.slow-stop", it, nobody, NULL,
                  "%s does not end; its engine is asked again", it->w.spec->name);
        txn_touch(t, it, false);
        break;
    case STATE_QUEUED:
    case STATE_PREEMPTED:
    case STATE_SUCCEEDED:
    case STATE_FAILED:
    case STATE_STOPPED:
        break;
    }
    deadline_arm(c, it);
    txn_commit(t, NULL, NULL, 0);
}

int64_t deadline_run(struct control *c)
{
    int64_t now = control_mono(c);
    struct timer_entry *first;
    while ((first = heap_peek(&c->timers))) {
        if (first->at_ms > now)
            return first->at_ms - now;
        heap_pop(&c->timers);
        struct item *it = item_find(c, first->id);
        if (it && it->armed_ms == first->at_ms)
            it->armed_ms = 0;
        mem_free(first);
        int64_t due = it ? next_due(it) : 0;
        if (due && due <= now)
            time_is_up(c, it);
        else if (due)
            deadline_arm(c, it);
    }
    return -1;
}
