/*
 * sync: the orders an engine still has to get, derived from an item's durable state. Called after
 * each commit that touched the item, when a site has listed, and once a second for orders that an
 * engine could not take. Repeating an order is harmless: the key says which attempt is meant.
 */
#include "control/state.h"
#include "base/log.h"

static bool is_active(enum workload_state state)
{
    switch (state) {
    case STATE_PREPARING:
    case STATE_STARTING:
    case STATE_RUNNING:
    case STATE_SUSPENDED:
        return true;
    case STATE_QUEUED:
    case STATE_STOPPING:
    case STATE_PREEMPTED:
    case STATE_SUCCEEDED:
    case STATE_FAILED:
    case STATE_STOPPED:
        return false;
    }
    return false;
}

static void retry_later(struct control *c)
{
    int64_t at = control_mono(c) + CONTROL_RETRY_MS;
    if (!c->orders_retry_ms || at < c->orders_retry_ms)
        c->orders_retry_ms = at;
    control_wake(c);
}

/* The engine will never take this start: the attempt ends here. */
static void refuse_start(struct control *c, struct item *it, const struct err *err)
{
    struct txn *t = txn_begin(c);
    if (!t) {
        retry_later(c);
        return;
    }
    enum end_reason reason = err->code == BERR_INVALID || err->code == BERR_UNSUPPORTED
                                 ? END_START_ERROR
                                 : END_ENGINE_ERROR;
    life_finish(t, it, reason, err->text);
    txn_commit(t, NULL, NULL, 0);
}

static void send_start(struct control *c, struct site *s, struct item *it)
{
    struct err err = {0};
    int rc = order_start(c, it, s, &err);
    if (rc == 0) {
        it->start_sent = true;
        return;
    }
    if (berr_is_retryable(err.code)) {
        retry_later(c);
        return;
    }
    char id[ID_TEXT_SIZE];
    log_err(LOG_WARN, &err, "engine refused a start", "workload", id_format(id, it->w.id.v), "site",
            s->name, NULL);
    refuse_start(c, it, &err);
}

static void send_stop(struct control *c, struct site *s, struct item *it)
{
    struct err err = {0};
    int64_t grace = it->grace_ms;
    if (it->kill_at_ms) {
        grace = it->kill_at_ms - control_mono(c);
        if (grace < 0)
            grace = 0;
    }
    if (s->ops->stop(s->engine, it->w.attempt->key, grace, &err) == 0)
        it->stop_sent = true;
    else
        retry_later(c);
}

static void send_suspend(struct control *c, struct site *s, struct item *it)
{
    struct err err = {0};
    bool suspend = it->w.desired == DESIRED_SUSPEND;
    int rc = suspend ? s->ops->suspend(s->engine, it->w.attempt->key, &err)
                     : s->ops->resume(s->engine, it->w.attempt->key, &err);
    if (rc < 0 && berr_is_retryable(err.code))
        retry_later(c);
}

void sync_item(struct control *c, struct item *it)
{
    struct attempt *a = it->w.attempt;
    /* What is not durable yet has no effects; the commit in flight comes back here. */
    if (!a || it->committed_version != it->w.version)
        return;
    struct site *s = control_site(c, a->site);
    if (!s || !s->listed)
        return;
    if (a->gone) {
        struct err err = {0};
        if (!it->forgotten && s->ops->forget(s->engine, a->key, &err) == 0)
            it->forgotten = true;
        return;
    }
    if (is_active(it->w.state) && !it->start_sent && !it->start_seen && !it->ending) {
        send_start(c, s, it);
        return;
    }
    if ((it->w.state == STATE_STOPPING || it->ending) && !it->stop_sent) {
        send_stop(c, s, it);
        return;
    }
    if ((it->w.state == STATE_RUNNING && it->w.desired == DESIRED_SUSPEND) ||
        (it->w.state == STATE_SUSPENDED && it->w.desired == DESIRED_RUN))
        send_suspend(c, s, it);
}

void sync_site(struct control *c, struct site *s)
{
    struct item *next;
    for (struct item *it = c->live_head; it; it = next) {
        next = it->next; /* a refused start moves it to the ended list */
        if (it->w.attempt && (!s || control_site(c, it->w.attempt->site) == s))
            sync_item(c, it);
    }
    for (struct item *it = c->ended_head; it; it = it->next)
        if (it->w.attempt && !it->forgotten)
            sync_item(c, it);
}
