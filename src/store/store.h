/*
 * store: all durable state, as functions named by intent. One driver now (sqlite/), a memory
 * driver for tests, a fault driver that fails the n-th call.
 *
 * Writing: the loop thread fills a batch with changes and gives it to store_commit; a store thread
 * puts many batches in one transaction (group commit, fsync before the answer) and calls back on
 * the loop thread in the order of store_commit calls: rc 0 durable, PRECONDITION, CONFLICT, BUSY or
 * NOMEM (nothing of this batch was written), or IO (the process ends: recovery starts from disk;
 * nothing more is written until the store is opened again).
 * Replies and effects wait for that call. Batches own copies of everything put into them.
 * A full disk is not an answer: the store rolls back, keeps the batches in order and tries again
 * every LIMIT_STORE_FULL_RETRY_MS until there is room; meanwhile store_is_full() says so, and
 * callers refuse new changes from users with NO_SPACE while reads go on. (With a NULL loop there is
 * nobody to wait: NO_SPACE is called back, nothing was written.)
 *
 * Reading: store_load hands the live state over at start (before any commit); later reads of the
 * past run on a reader thread and call back on the loop thread.
 *
 * Versions: put of a row whose `version` is not exactly the stored one + 1 fails the whole batch
 * with PRECONDITION (two owners: a bug or a second process). The same for an event that does not
 * follow the last one and for a fence that is taken. CONFLICT: a name, a digest or a ledger's thing
 * that another has; a token, member or attempt whose user, project or workload is not there.
 */
#ifndef BERTH_STORE_STORE_H
#define BERTH_STORE_STORE_H

#include "types/event.h"
#include "types/identity.h"
#include "types/image.h"
#include "types/workload.h"

struct ev_loop;
struct store;
struct store_batch;

#define STORE_SCHEMA_VERSION 1

struct store_config {
    const char *driver; /* "sqlite" or "memory" */
    const char *path;   /* sqlite: the file */
    uint64_t fail_at;   /* tests: the n-th commit or read fails; 0: never */
    enum berr fail_code;
};

/* Opens and migrates. CONFLICT when the file belongs to a newer version (says both numbers). With a
 * NULL loop (tests, tools) commits and reads are carried out at once and call back before
 * returning. */
int store_open(const struct store_config *cfg, struct ev_loop *loop, struct store **ret,
               struct err *err);
/* Waits for what was committed, calls back, closes. */
struct store *store_close(struct store *s);

/* ---- writing ---- */

/* NULL when memory is short. A failed put (NOMEM) is remembered and fails the commit. */
struct store_batch *store_batch_new(struct store *s);
struct store_batch *store_batch_free(struct store_batch *b); /* for one that is not committed */
bool store_batch_is_empty(const struct store_batch *b);

void store_put_user(struct store_batch *b, const struct user *user);
void store_put_token(struct store_batch *b, const struct token *token);
void store_remove_token(struct store_batch *b, struct token_id id);
void store_put_project(struct store_batch *b, const struct project *project);
void store_put_member(struct store_batch *b, const struct member *m); /* ROLE_NONE removes */
void store_put_workload(struct store_batch *b,
                        const struct workload *w); /* with spec; without attempt */
void store_put_attempt(struct store_batch *b, const struct attempt *a); /* with its tasks */
void store_put_image(struct store_batch *b, const struct image *image);
void store_remove_image(struct store_batch *b, struct image_id id);
void store_append_event(struct store_batch *b, const struct event *event); /* seq given by caller */

/* Volumes: one row each; a user's home has kind "home". */
struct volume_row {
    struct volume_id id;
    struct project_id project; /* 0 for homes */
    struct user_id owner;
    char name[64];
    uint64_t size_bytes;
    int64_t created_ms;
    uint64_t version;
};
void store_put_volume(struct store_batch *b, const struct volume_row *v);

/* The ledger of things that can belong to one only: kind ("gpu", "address", "port"), name
 * ("local/0"), state (reserved held draining quarantined). Taking a thing that has a row of another
 * holder fails the batch with CONFLICT. */
struct ledger_row {
    char kind[16];
    char name[80];
    char state[16];
    struct attempt_key holder;
    char reason[96];
};
void store_ledger_take(struct store_batch *b, const struct ledger_row *row);
void store_ledger_set(struct store_batch *b, const struct ledger_row *row); /* holder must match */
void store_ledger_free(struct store_batch *b, const char *kind, const char *name);

/* Idempotency-Key of a request and the id it made; kept a day. The caller looks for an older one. */
struct idempotency_row {
    struct user_id user;
    char key[128];
    uint64_t made;
    int64_t time_ms;
};
void store_put_idempotency(struct store_batch *b, const struct idempotency_row *row);

/* Small settings of the installation by name. */
void store_put_setting(struct store_batch *b, const char *name, const char *value);

typedef void store_done_fn(void *arg, int rc, const struct err *err);
/* Takes the batch over. fn may be NULL. Always calls back on the loop thread, never from inside
 * unless the store has no loop. At most LIMIT_STORE_PENDING batches wait: past it BUSY comes back
 * through fn. */
void store_commit(struct store *s, struct store_batch *b, store_done_fn *fn, void *arg);

/* The disk is full and commits are being held. Loop thread. */
bool store_is_full(const struct store *s);

/* ---- reading ---- */

/* Called for each row in this order: settings, users, tokens, projects, members, volumes, images,
 * live workloads (not final) and final ones ended at or after recent_ms, each workload followed by
 * its latest attempt, ledger, idempotency. Structs live during the call. A NULL member is
 * skipped. A callback that returns nonzero ends the load with that code. */
struct store_visitor {
    void *arg;
    int (*setting)(void *arg, const char *name, const char *value);
    int (*user)(void *arg, const struct user *u);
    int (*token)(void *arg, const struct token *t);
    int (*project)(void *arg, const struct project *p);
    int (*member)(void *arg, const struct member *m);
    int (*volume)(void *arg, const struct volume_row *v);
    int (*image)(void *arg, const struct image *i);
    int (*workload)(void *arg, const struct workload *w, const char *spec_json);
    int (*attempt)(void *arg, const struct attempt *a);
    int (*ledger)(void *arg, const struct ledger_row *l);
    int (*idempotency)(void *arg, const struct idempotency_row *r);
};
struct store_heads {           /* highest numbers given so far; counts */
    uint64_t event_seq, fence; /* fence: of any attempt */
    uint64_t workloads_total;
};
int store_load(struct store *s, int64_t recent_ms, const struct store_visitor *v,
               struct store_heads *ret_heads, struct err *err);

/* Past workloads, newest first. Rows live during the callback. (When there is no memory for a
 * request itself, NOMEM is called back at once.) */
struct store_workload_query {
    struct project_id project; /* 0: all of `projects` */
    const uint64_t *projects;  /* those the asker may see; NULL: all */
    size_t project_count;
    struct user_id owner; /* 0: any */
    int kind;             /* -1: any */
    int state;            /* -1: any */
    int64_t before_ms;    /* submitted before (cursor: the last row's); 0: from the newest */
    uint64_t before_id;   /* tie-break of the cursor; 0: strictly before */
    uint32_t limit;       /* at most LIMIT_PAGE_ITEMS */
};
struct store_workload_page {
    struct {
        const struct workload *w;
        const char *spec_json;
        const struct attempt *a;
    } * rows;
    size_t count;
    bool more;
};
typedef void store_workloads_fn(void *arg, int rc, const struct store_workload_page *page,
                                const struct err *err);
void store_list_workloads(struct store *s, const struct store_workload_query *q,
                          store_workloads_fn *fn, void *arg);
/* By id: a page of one or none. */
void store_get_workload(struct store *s, struct workload_id id, store_workloads_fn *fn, void *arg);

/* Events after `after`, oldest first, at most limit. `oldest` is the first number still kept. */
typedef void store_events_fn(void *arg, int rc, const struct event *events, size_t count,
                             uint64_t oldest, const struct err *err);
void store_read_events(struct store *s, uint64_t after, uint32_t limit, store_events_fn *fn,
                       void *arg);

/* Numbers for metrics: transactions, batches, rows, bytes, last commit's microseconds. */
struct store_metrics {
    uint64_t transactions, batches, rows, bytes, commit_us_total, no_space;
};
void store_get_metrics(const struct store *s, struct store_metrics *ret);

#endif
