/*
 * suite: the promises of engine/engine.h as tests, run against every driver.
 *
 * A driver's program (test_fake.c, test_local.c) fills a struct fixture and
 * calls suite_run. Tests look only at orders, events and answers; what a task
 * does is given twice, as a shell line and as FAKE_ variables, so that one test
 * serves both. Ability bits decide which tests run; the others are skipped by
 * name.
 *
 * Waiting is for events with a deadline in the driver's own time (virtual for
 * the fake).
 */
#ifndef BERTH_TEST_CONFORM_ENGINE_SUITE_H
#define BERTH_TEST_CONFORM_ENGINE_SUITE_H

#include "base/vec.h"
#include "engine/engine.h"
#include "testlib.h"

#define SUITE_DEADLINE_MS 30000
#define SUITE_GRACE_MS    20000 /* longer than any well-behaved end, shorter than the deadline */

/* A copy of an event. */
struct seen {
    enum engine_event_kind kind;
    struct attempt_key key;
    struct node *node;
    struct engine_task_facts *tasks;
    uint32_t task_count;
    bool prepared, suspended, gone;
    enum end_reason reason;
    char text[256];
};

struct fixture {
    const struct engine_ops *ops;
    struct engine_config config;
    struct image image;
    void *driver;
    /* Opens f->e; the world behind it stays as it was left by close. */
    int (*open)(struct fixture *f, struct err *err);
    void (*close)(struct fixture *f);
    void (*turn)(struct fixture *f); /* waits for something to happen, a short while */
    int64_t (*now_ms)(struct fixture *f);
    void (*break_connection)(struct fixture *f);
    void (*mend_connection)(struct fixture *f);
    void (*reset)(struct fixture *f); /* after each test; may be NULL */
    /* What is left of an attempt that is gone, in words; NULL: nothing. May be
   * NULL. */
    const char *(*leftovers)(struct fixture *f, struct attempt_key key);
    /* An empty, harmless volume may be asked for. */
    bool has_volumes;

    /* the suite's */
    struct engine *e;
    VEC(struct seen *) seen;
    size_t mark;   /* waiting looks at events from here on */
    bool in_order; /* inside an order call: no event may come */
    uint64_t next_workload, next_fence;
    char node[64];
};

/* What one task does. */
struct job {
    const char *sh;   /* for sh -c */
    const char *fake; /* "FAKE_EXIT=3 FAKE_RUN_MS=50" */
    const char *role; /* NULL: worker */
    uint32_t rank;
    uint64_t memory_bytes; /* 0: 128 MiB */
    uint64_t disk_bytes;   /* 0: 128 MiB */
};

#define JOB_FOREVER                                            \
    {                                                          \
        .sh = "exec sleep 1000", .fake = "FAKE_RUN_MS=forever" \
    }
#define JOB_QUICK                                                \
    {                                                            \
        .sh = "echo done", .fake = "FAKE_RUN_MS=5 FAKE_LOG=done" \
    }

int suite_run(struct fixture *f, const char *name);              /* number of failed tests */
void fx_listen(void *fixture, const struct engine_event *event); /* to give to ops->open */

/* ---- for tests ---- */

struct attempt_key fx_key(struct fixture *f); /* of a new workload */
struct attempt_key fx_next_attempt(struct fixture *f, struct attempt_key key);
/* The order for these tasks, valid until the next call. */
struct engine_start *fx_order(struct fixture *f, struct attempt_key key, const struct job *jobs,
                              uint32_t count);
int fx_start(struct fixture *f, struct attempt_key key, const struct job *jobs, uint32_t count,
             struct err *err);
int fx_give(struct fixture *f, const struct engine_start *order, struct err *err);
/* Starts a new attempt of one task; waits until it runs. */
struct attempt_key fx_running(struct fixture *f, const struct job *job);
int fx_stop(struct fixture *f, struct attempt_key key, int64_t grace_ms, struct err *err);
/* Waits for the next such event since the mark, fails the test when it does not
 * come; the mark moves behind it. fx_find looks among all seen so far, from the
 * start, and returns NULL. */
const struct seen *fx_wait(struct fixture *f, struct attempt_key key, enum engine_event_kind kind);
const struct seen *fx_find(struct fixture *f, struct attempt_key key, enum engine_event_kind kind);
size_t fx_count(struct fixture *f, struct attempt_key key, enum engine_event_kind kind);
/* Waits for GONE; returns the facts of its only task (all zero when it never
 * ended). */
struct engine_task_facts fx_end(struct fixture *f, struct attempt_key key);
void fx_forget(struct fixture *f, struct attempt_key key);
/* Runs another attempt from start to end: whatever was to come of earlier
 * orders has come. */
void fx_barrier(struct fixture *f);
void fx_open(struct fixture *f); /* and waits for the first list */
void fx_close(struct fixture *f);
void fx_reopen(struct fixture *f);
/* The whole log by pieces of at most max bytes; the caller frees it. */
char *fx_log(struct fixture *f, struct attempt_key key, uint32_t task, size_t max,
             uint64_t *ret_end);
int fx_log_rc(struct fixture *f, struct attempt_key key, uint32_t task, uint64_t offset);
int fx_stats(struct fixture *f, struct attempt_key key, struct engine_stats *ret);
/* Waits until the log of the only task has this text. */
void fx_wait_log(struct fixture *f, struct attempt_key key, const char *text);
bool fx_can(const struct fixture *f, enum engine_ability_bit bit);
void fx_need(const struct fixture *f, enum engine_ability_bit bit); /* skips the test without */

/* The groups. */
extern const struct CMUnitTest suite_lists[], suite_orders[], suite_ends[], suite_logs[];
extern const size_t suite_lists_count, suite_orders_count, suite_ends_count, suite_logs_count;

#endif
