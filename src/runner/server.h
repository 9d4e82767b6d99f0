/*
 * server: the main loop's parts and how they hang together. One process, one thread, epoll; it
 * never waits for a disk that may be stuck, a mount or a program: workers do (jobs.c).
 *
 *   server.c  sockets: clients, their buffers, the loop itself
 *   verbs.c   a request → an answer at once, or a job
 *   jobs.c    lanes (one job a key at a time), forks, deadlines, answers
 *   tasks.c   what is known of every task, watching monitors, events, recovery
 *   fence.c   the highest fence of each workload
 */
#ifndef BERTH_RUNNER_SERVER_H
#define BERTH_RUNNER_SERVER_H

#include <stdbool.h>
#include <stdint.h>
#include "base/buf.h"
#include "base/map.h"
#include "base/vec.h"
#include "runner/instance.h"
#include "runner/record.h"
#include "runner/work.h"
#include "wire/runner.h"

/* Something in the epoll set; embedded in what it belongs to. */
struct watch;
typedef void watch_fn(struct watch *w, uint32_t events);
struct watch {
    int fd; /* -1: not watched */
    watch_fn *fn;
    void *owner;
};

struct client;
struct lane;
struct job;

#define JOB_CLASS_LIST(X) X(QUICK) X(LONG) X(EXEC)
enum job_class {
#define X(sym) JOB_##sym,
    JOB_CLASS_LIST(X)
#undef X
};
#define JOB_CLASSES 3

struct runner {
    struct instance in;
    int epoll_fd;
    struct watch listener, signals;
    VEC(struct client *) clients;
    uint64_t next_client;
    uint64_t seq;                          /* of the last event */
    struct map lanes;                      /* serial text → struct lane */
    VEC(struct lane *) ready[JOB_CLASSES]; /* first in, first out */
    unsigned running[JOB_CLASSES], running_max[JOB_CLASSES];
    size_t job_count;
    struct map by_pid;   /* worker's pid → struct job */
    struct map tasks;    /* key text → struct task */
    struct map retries;  /* key text → struct retry */
    VEC(void *) garbage; /* freed after the round: events may still point to it */
    bool leaves;         /* a signal asked for the end */
};

/* ---- server.c ---- */
int runner_init(struct runner *r, const struct instance *in, struct err *err);
int runner_listen(struct runner *r, struct err *err);
int runner_loop(struct runner *r, struct err *err);
int64_t runner_mono_ms(void);
int watch_add(struct runner *r, struct watch *w, int fd, uint32_t events, watch_fn *fn, void *owner,
              struct err *err);
void watch_remove(struct runner *r, struct watch *w); /* also closes the descriptor */
void runner_discard(struct runner *r, void *memory);  /* mem_free, later */
/* Queues one message for a client by its number; gone clients are passed over. */
void client_send(struct runner *r, uint64_t client, const void *frame, size_t len);
void client_error(struct runner *r, uint64_t client, uint64_t request, const struct err *error);
void clients_event(struct runner *r, const struct wire_event *event); /* all that said hello */
void client_greeted(struct runner *r, uint64_t client);

/* ---- verbs.c ---- */
void verb_dispatch(struct runner *r, uint64_t client, const char *text, size_t len);

/* ---- jobs.c ---- */

/* What a worker is to do. The arena holds args and goes over to the job. */
struct job_order {
    work_fn *fn;
    enum wire_verb verb; /* says the form of the reply; internal jobs: see is_internal */
    bool is_internal;    /* no client waits */
    enum job_class class;
    const char *lane;
    int64_t deadline_ms; /* from its start */
    uint64_t client, request;
    bool has_key; /* it is about this task: */
    struct wire_key key;
    struct arena arena;
    void *args;
};
/* BUSY when too much is queued. Takes the arena in any case. */
int job_add(struct runner *r, struct job_order *order, struct err *err);
void jobs_start(struct runner *r);
void jobs_reap(struct runner *r);
void jobs_check_deadlines(struct runner *r);

/* ---- tasks.c ---- */
int tasks_recover(struct runner *r, struct err *err);
/* A worker has been at this task: look at its record again, tell of what changed. */
void task_refresh(struct runner *r, const struct wire_key *key);
void task_page(struct runner *r, const char *after, struct arena *arena, struct wire_page *ret);
/* An internal job on a task; a failed one is tried again until it succeeds. */
enum task_errand { TASK_END, TASK_UNDO, TASK_RESTART };
void task_errand(struct runner *r, const struct wire_key *key, enum task_errand what);
void task_errand_failed(struct runner *r, const struct wire_key *key, work_fn *fn);
void tasks_retry(struct runner *r);

/* ---- fence.c ---- */
/* CONFLICT when a higher fence was seen, or this one closed; else remembers it. */
int fence_check(const struct instance *in, const struct wire_key *key, struct err *err);
/* A task of this attempt is being deleted: no order may make or start one of it any more. */
int fence_close(const struct instance *in, const struct wire_key *key, struct err *err);

#endif
