/*
 * txn: one batch of changes with what is to happen once it is durable.
 *
 * Memory is changed first, by the caller; the commit writes every touched item once, numbers the
 * events, and after the store's answer calls done, publishes the events and lets sync derive the
 * orders. A commit that fails leaves memory ahead of the disk, which nothing here can mend: the
 * process ends and recovery starts from the disk (a full disk is waited out by the store).
 */
#include "control/state.h"
#include <string.h>
#include "base/alloc.h"
#include "base/log.h"
#include "base/str.h"

struct touched {
    struct item *item;
    struct workload_id id;
    uint64_t version;
    bool with_attempt;
};

struct txn {
    struct control *c;
    struct store_batch *batch;
    VEC(struct touched) touched;
    VEC(struct kept_event) events;
    control_done_fn *done;
    void *arg;
    uint64_t id;
    uint64_t last_seq;
    bool failed;
};

struct txn *txn_begin(struct control *c)
{
    struct txn *t = mem_calloc(1, sizeof(*t));
    if (!t)
        return NULL;
    t->c = c;
    t->batch = store_batch_new(c->cfg.store);
    if (!t->batch) {
        mem_free(t);
        return NULL;
    }
    return t;
}

struct control *control_of(struct txn *t)
{
    return t->c;
}

struct store_batch *txn_batch(struct txn *t)
{
    return t->batch;
}

void txn_touch(struct txn *t, struct item *it, bool with_attempt)
{
    for (size_t i = 0; i < t->touched.len; i++)
        if (t->touched.items[i].item == it) {
            t->touched.items[i].with_attempt |= with_attempt;
            return;
        }
    struct touched *slot = vec_push(&t->touched);
    if (!slot) {
        t->failed = true;
        return;
    }
    *slot = (struct touched){.item = it, .id = it->w.id, .with_attempt = with_attempt};
}

void txn_event_copy(struct txn *t, const struct event *event)
{
    struct event ev = *event;
    if (!ev.time_ms)
        ev.time_ms = control_wall(t->c);
    struct kept_event *slot = vec_push(&t->events);
    if (!slot || !event_keep_copy(slot, &ev))
        t->failed = true;
}

static void txn_event_v(struct txn *t, const struct event *base, const char *fmt, va_list ap)
    PRINTF_LIKE(3, 0);

static void txn_event_v(struct txn *t, const struct event *base, const char *fmt, va_list ap)
{
    char text[LIMIT_TEXT];
    vsnprintf(text, sizeof(text), fmt, ap);
    struct event ev = *base;
    ev.text = text;
    txn_event_copy(t, &ev);
}

void txn_event(struct txn *t, const char *type, const struct item *it, struct user_id actor,
               const char *data, const char *fmt, ...)
{
    struct event ev = {
        .type = type,
        .subject = it->w.id.v,
        .subject_kind = "workload",
        .project = it->w.project.v,
        .actor = actor.v,
        .data = data,
    };
    va_list ap;
    va_start(ap, fmt);
    txn_event_v(t, &ev, fmt, ap);
    va_end(ap);
}

void txn_event_about(struct txn *t, const char *type, const char *kind, uint64_t subject,
                     uint64_t project, struct user_id actor, const char *fmt, ...)
{
    struct event ev = {
        .type = type,
        .subject = subject,
        .subject_kind = kind,
        .project = project,
        .actor = actor.v,
    };
    va_list ap;
    va_start(ap, fmt);
    txn_event_v(t, &ev, fmt, ap);
    va_end(ap);
}

static void txn_free(struct txn *t)
{
    for (size_t i = 0; i < t->events.len; i++)
        mem_free(t->events.items[i].memory);
    vec_done(&t->events);
    vec_done(&t->touched);
    mem_free(t);
}

void txn_cancel(struct txn *t)
{
    store_batch_free(t->batch);
    txn_free(t);
}

static void committed(void *arg, int rc, const struct err *err)
{
    struct txn *t = arg;
    struct control *c = t->c;
    c->commits_pending--;
    if (rc < 0) {
        if (t->done)
            t->done(t->arg, rc, 0, err);
        txn_free(t);
        c->cfg.hooks.fatal(c->cfg.hooks.arg, err);
        return;
    }
    for (size_t i = 0; i < t->touched.len; i++) {
        struct item *it = item_find(c, t->touched.items[i].id);
        if (it && it->committed_version < t->touched.items[i].version)
            it->committed_version = t->touched.items[i].version;
    }
    if (t->done)
        t->done(t->arg, 0, t->id, NULL);
    for (size_t i = 0; i < t->touched.len; i++) {
        struct item *it = item_find(c, t->touched.items[i].id);
        if (!it)
            continue;
        if (it->w.state == STATE_QUEUED) { /* only what is durable is scheduled */
            c->pass_wanted = true;
            control_wake(c);
        }
        sync_item(c, it);
        c->cfg.hooks.changed(c->cfg.hooks.arg, &it->w);
    }
    if (t->last_seq)
        events_publish(c, t->last_seq);
    txn_free(t);
}

void txn_commit(struct txn *t, control_done_fn *done, void *arg, uint64_t id)
{
    struct control *c = t->c;
    t->done = done;
    t->arg = arg;
    t->id = id;
    for (size_t i = 0; i < t->touched.len; i++) {
        struct touched *p = &t->touched.items[i];
        p->version = ++p->item->w.version;
        store_put_workload(t->batch, &p->item->w);
        if (p->with_attempt && p->item->w.attempt)
            store_put_attempt(t->batch, p->item->w.attempt);
    }
    for (size_t i = 0; i < t->events.len; i++) {
        struct event *ev = &t->events.items[i].event;
        ev->seq = ++c->event_seq;
        store_append_event(t->batch, ev);
        events_keep(c, ev);
        t->last_seq = ev->seq;
    }
    c->commits_pending++;
    if (t->failed) {
        /* Memory ran short half-way: what was changed cannot be written whole. */
        struct err err;
        store_batch_free(t->batch);
        committed(t, err_set(&err, BERR_NOMEM, "out of memory while recording a change"), &err);
        return;
    }
    store_commit(c->cfg.store, t->batch, committed, t);
}

/* ---- a batch of somebody else's ---- */

struct store_batch *control_batch(struct control *c)
{
    return store_batch_new(c->cfg.store);
}

void control_commit_batch(struct control *c, struct store_batch *b, const struct event *event,
                          control_done_fn *done, void *arg)
{
    struct txn *t = mem_calloc(1, sizeof(*t));
    if (!t) {
        struct err err;
        store_batch_free(b);
        int rc = err_set(&err, BERR_NOMEM, "out of memory");
        if (done)
            done(arg, rc, 0, &err);
        return;
    }
    t->c = c;
    t->batch = b;
    if (event)
        txn_event_copy(t, event);
    txn_commit(t, done, arg, event ? event->subject : 0);
}

struct barrier {
    struct control *c;
    store_done_fn *fn;
    void *arg;
};

static void barrier_done(void *arg, int rc, const struct err *err)
{
    struct barrier *b = arg;
    b->c->commits_pending--;
    b->fn(b->arg, rc, err);
    mem_free(b);
}

void control_barrier(struct control *c, store_done_fn *fn, void *arg)
{
    if (c->commits_pending == 0) {
        fn(arg, 0, NULL);
        return;
    }
    struct barrier *b = mem_calloc(1, sizeof(*b));
    struct store_batch *batch = b ? store_batch_new(c->cfg.store) : NULL;
    if (!batch) {
        struct err err;
        mem_free(b);
        fn(arg, err_set(&err, BERR_NOMEM, "out of memory"), &err);
        return;
    }
    *b = (struct barrier){.c = c, .fn = fn, .arg = arg};
    c->commits_pending++;
    store_commit(c->cfg.store, batch, barrier_done, b);
}
