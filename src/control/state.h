/*
 * state: the memory of control, shared by its .c files and by nobody else.
 *
 * An item is a workload with what control needs beside it. Items are owned by control.items and
 * sit in exactly one of two lists: live (not final) or ended (final, newest last, bounded).
 */
#ifndef BERTH_CONTROL_STATE_H
#define BERTH_CONTROL_STATE_H

#include "base/heap.h"
#include "base/map.h"
#include "base/rand.h"
#include "base/units.h"
#include "base/vec.h"
#include "control/control.h"

#define CONTROL_SITES_MAX   16
#define CONTROL_EVENTS_KEPT 4096
#define CONTROL_RECENT_MS   (24 * 3600 * 1000ll) /* ended later than this: loaded at start */
#define CONTROL_RETRY_MS    1000 /* orders that an engine could not take are repeated so often */

struct item {
    struct workload w;        /* first: a struct workload * of control is a struct item * */
    struct item *prev, *next; /* in live or ended */
    struct image_id image_id;
    const struct sched_shape *shape; /* in w.arena */
    int64_t mono_since_ms;           /* when the state began, on the monotonic clock */
    int64_t mono_started_ms;         /* when it began to run; 0: not yet */
    int64_t mono_progress_ms;        /* last sign of progress while preparing */
    int64_t kill_at_ms;              /* monotonic: grace of a stop runs out; 0: none */
    int64_t grace_ms;                /* of the stop in force */
    int64_t armed_ms;                /* the earliest hint in control.timers; 0: none */
    bool start_sent;                 /* order accepted by the engine since it was last (re)listed */
    bool start_seen;                 /* the engine has shown that it knows the attempt */
    bool stop_sent;
    bool forgotten;             /* the engine was told to drop the ended attempt */
    bool listed;                /* mark of the list being received */
    bool ending;                /* control itself stops the tasks that are left */
    uint64_t committed_version; /* what the store has */
};

/* What of a node is given out. */
struct slot_use {
    int64_t gpu_used_milli[LIMIT_GPUS_PER_NODE];
    uint64_t gpu_holder[LIMIT_GPUS_PER_NODE];
    int64_t cpu_milli;
    uint64_t memory_bytes, disk_bytes;
};

struct node_entry {
    struct node node;
    struct slot_use use;
    struct site *site;
    bool drained;
};

struct site {
    char name[64];
    const struct engine_ops *ops;
    struct engine *engine;
    struct control *control;
    bool connected, listed, listing;
};

struct watcher {
    control_events_fn *fn;
    void *arg;
};

struct timer_entry {
    int64_t at_ms;
    struct workload_id id;
};

struct kept_event {
    struct event event;
    char *memory; /* its strings */
};

struct control {
    struct control_config cfg;
    struct map items; /* id -> struct item */
    struct item *live_head, *live_tail, *ended_head, *ended_tail;
    size_t live_count, ended_count;
    struct map volumes;     /* id -> struct volume_row */
    struct map homes;       /* user id -> struct volume_row, the same rows */
    struct map settings;    /* name -> char * */
    struct map idempotency; /* "user/key" -> struct idempotency_row */
    struct map projects;    /* id -> struct project (auth holds rights, control networks) */
    struct site sites[CONTROL_SITES_MAX];
    size_t site_count;
    VEC(struct node_entry *) nodes;
    struct heap timers;                            /* of struct timer_entry */
    struct kept_event events[CONTROL_EVENTS_KEPT]; /* ring by seq */
    uint64_t event_seq;                            /* last given */
    uint64_t event_durable;                        /* last committed */
    uint64_t fence;
    uint64_t commits_pending;
    VEC(struct watcher) watchers;
    struct control_counts counts;
    bool pass_wanted;
    int64_t pass_wake_ms;    /* wall: the plan asked to be called again; 0: no */
    int64_t pass_rest_ms;    /* monotonic: no pass before */
    int64_t orders_retry_ms; /* monotonic; 0: none waiting */
    struct arena pass_arena;
};

/* ---- time ---- */
static inline int64_t control_wall(const struct control *c)
{
    return c->cfg.clock->wall_ms(c->cfg.clock->arg);
}
static inline int64_t control_mono(const struct control *c)
{
    return c->cfg.clock->mono_ms(c->cfg.clock->arg);
}

/* ---- items (items.c) ---- */
struct item *item_new(struct control *c, struct workload_id id); /* in live; NULL: no memory */
void item_remove(struct control *c, struct item *it);            /* frees */
void item_retire(struct control *c, struct item *it); /* live -> ended, drops the oldest */
struct item *item_find(const struct control *c, struct workload_id id);
struct attempt *item_new_attempt(struct item *it, uint32_t task_count);
int item_make_shape(struct control *c, struct item *it, struct err *err);
struct site *control_site(struct control *c, const char *name);
struct node_entry *control_node_entry(const struct control *c, const char *site, const char *name);

void items_done(struct control *c);

/* ---- transactions (txn.c) ---- */
struct txn;
/* NULL when memory is short. */
struct txn *txn_begin(struct control *c);
struct store_batch *txn_batch(struct txn *t);
struct control *control_of(struct txn *t);
/* The item's row (and its attempt's) goes into the batch at commit; once, however often said. */
void txn_touch(struct txn *t, struct item *it, bool with_attempt);
void txn_event(struct txn *t, const char *type, const struct item *it, struct user_id actor,
               const char *data, const char *fmt, ...) PRINTF_LIKE(6, 7);
void txn_event_about(struct txn *t, const char *type, const char *kind, uint64_t subject,
                     uint64_t project, struct user_id actor, const char *fmt, ...)
    PRINTF_LIKE(7, 8);
void txn_event_copy(struct txn *t, const struct event *event); /* seq and time are given here */
void txn_cancel(struct txn *t);                                /* nothing was changed after all */
/* After the commit: done(arg, rc, id), then sync of the touched items. done may be NULL. */
void txn_commit(struct txn *t, control_done_fn *done, void *arg, uint64_t id);

/* ---- the lifecycle (life.c): the only place that writes w.state ---- */
/* Applies an event; false (nothing changed) when the table has no such row. */
bool life_apply(struct txn *t, struct item *it, enum life_event ev, struct user_id actor,
                const char *why);
void life_finish(struct txn *t, struct item *it, enum end_reason engine_reason, const char *text);
void life_stop(struct txn *t, struct item *it, enum end_reason why, int64_t grace_ms,
               struct user_id actor, const char *words);

/* ---- ledger (ledger.c) ---- */
int ledger_take(struct txn *t, struct item *it, struct err *err); /* for its attempt's tasks */
void ledger_free(struct txn *t, struct item *it);
/* Counts what an attempt holds on a node that was not known before. */
void ledger_count_on(const struct item *it, struct node_entry *n, int sign);

/* ---- sync (sync.c): orders derived from durable state ---- */
void sync_item(struct control *c, struct item *it);
void sync_site(struct control *c, struct site *s);
int order_start(struct control *c, struct item *it, struct site *s, struct err *err);

/* ---- the rest ---- */
const char *idempotency_name(char dst[192], struct user_id user, const char *key);
void observe_event(void *arg,
                   const struct engine_event *ev); /* engine listener; arg: struct site */
void pass_run(struct control *c);
int pass_snapshot(struct control *c, struct arena *a, const struct item *extra,
                  struct sched_input *ret, struct item ***ret_waiting, struct item ***ret_running,
                  struct err *err);
void deadline_arm(struct control *c, struct item *it);
void dry_run_print(const struct sched_input *in, const struct sched_plan *plan, struct buf *out);
int64_t deadline_run(struct control *c); /* ms until the next, or -1 */
bool event_keep_copy(struct kept_event *dst, const struct event *src);
void events_keep(struct control *c, const struct event *ev);
void events_publish(struct control *c, uint64_t durable);
void events_done(struct control *c);
void control_wake(struct control *c);

#endif
