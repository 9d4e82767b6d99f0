/*
 * workload: anything that runs, its attempts and tasks, and the one table that changes its state.
 *
 * Users set `desired`; engines report what they observe; lifecycle_next (the table) computes the
 * state. Nothing else writes `state`. Structs here are plain values; strings inside belong to
 * whoever owns the struct (control keeps an arena per workload). Pure, any thread.
 */
#ifndef BERTH_TYPES_WORKLOAD_H
#define BERTH_TYPES_WORKLOAD_H

#include "types/spec.h"

/* X(symbol, name, is final) */
#define WORKLOAD_STATE_LIST(X)                                                               \
    X(QUEUED, "QUEUED", false)       /* waits for resources */                               \
    X(PREPARING, "PREPARING", false) /* placed: image, code, volumes are being made ready */ \
    X(STARTING, "STARTING", false)   /* containers are being started */                      \
    X(RUNNING, "RUNNING", false)                                                             \
    X(SUSPENDED, "SUSPENDED", false)                                                         \
    X(STOPPING, "STOPPING", false)   /* SIGTERM sent, grace runs */                          \
    X(PREEMPTED, "PREEMPTED", false) /* had to go; returns to QUEUED */                      \
    X(SUCCEEDED, "SUCCEEDED", true)                                                          \
    X(FAILED, "FAILED", true)                                                                \
    X(STOPPED, "STOPPED", true)
enum workload_state {
#define X(sym, name, final) STATE_##sym,
    WORKLOAD_STATE_LIST(X)
#undef X
};
#define STATE_MAX 10
extern const char *const workload_state_names[STATE_MAX + 1];
bool workload_state_is_final(enum workload_state state);

#define DESIRED_LIST(X) X(RUN, "run") X(SUSPEND, "suspend") X(STOP, "stop")
enum desired {
#define X(sym, name) DESIRED_##sym,
    DESIRED_LIST(X)
#undef X
};
extern const char *const desired_names[];

/* Why an attempt ended: exactly one. X(symbol, name, retried by default, words). */
#define END_REASON_LIST(X)                                                   \
    X(NONE, "none", false, "not ended")                                      \
    X(COMPLETED, "completed", false, "completed")                            \
    X(EXIT_CODE, "exit-code", false, "ended with an exit code")              \
    X(SIGNAL, "signal", false, "was killed by a signal")                     \
    X(OUT_OF_MEMORY, "out-of-memory", false, "went over its memory limit")   \
    X(TIME_LIMIT, "time-limit", false, "reached its time limit")             \
    X(DISK_LIMIT, "disk-limit", false, "filled its disk limit")              \
    X(PREEMPTED, "preempted", true, "made room for other work")              \
    X(NODE_LOST, "node-lost", true, "lost its node")                         \
    X(IMAGE_ERROR, "image-error", false, "its image could not be used")      \
    X(START_ERROR, "start-error", false, "its command could not be started") \
    X(STOPPED, "stopped", false, "was stopped")                              \
    X(LEASE_ENDED, "lease-ended", false, "its lease ended")                  \
    X(ENGINE_ERROR, "engine-error", true, "the engine failed")
enum end_reason {
#define X(sym, name, retry, words) END_##sym,
    END_REASON_LIST(X)
#undef X
};
#define END_MAX 14
extern const char *const end_reason_names[END_MAX + 1];
const char *end_reason_words(enum end_reason reason);
bool end_reason_is_retried(enum end_reason reason);

/* ---- the lifecycle ---- */

#define LIFE_EVENT_LIST(X)                                                              \
    X(PLACE, "place")         /* the scheduler's proposal was accepted by the ledger */ \
    X(PREPARED, "prepared")   /* engine: image, code and volumes are ready */           \
    X(RUNNING, "running")     /* engine: every task of the gang runs */                 \
    X(SUSPENDED, "suspended") /* engine: frozen */                                      \
    X(RESUMED, "resumed")                                                               \
    X(STOP, "stop")                   /* user, time limit, lease: desired = stop */     \
    X(PREEMPT, "preempt")             /* scheduler */                                   \
    X(ENDED_OK, "ended-ok")           /* engine: attempt gone, completed */             \
    X(ENDED_FAILED, "ended-failed")   /* attempt gone, no retry left or none wanted */  \
    X(ENDED_RETRY, "ended-retry")     /* attempt gone, will be tried again */           \
    X(ENDED_STOPPED, "ended-stopped") /* attempt gone because it was stopped */         \
    X(REQUEUE, "requeue")             /* PREEMPTED returns to the queue */
enum life_event {
#define X(sym, name) LIFE_##sym,
    LIFE_EVENT_LIST(X)
#undef X
};
#define LIFE_MAX 12
extern const char *const life_event_names[LIFE_MAX + 1];

struct life_row {
    enum workload_state from;
    enum life_event event;
    enum workload_state to;
    const char *why; /* one line for the docs */
};
extern const struct life_row lifecycle_rows[];
extern const size_t lifecycle_row_count;

/* True and *ret_to when the table has the pair; false means the event is not allowed there (the
 * caller reports CONFLICT for users, ignores a repeat from engines). */
bool lifecycle_next(enum workload_state from, enum life_event event, enum workload_state *ret_to);
/* Milliseconds a workload may stay in a state without progress; 0: no limit. STOPPING adds the
 * spec's grace. */
int64_t lifecycle_deadline_ms(enum workload_state state);
/* The table as a Mermaid diagram, for the docs and the page. */
void lifecycle_diagram(struct buf *out);

/* ---- live values ---- */

/* One container of an attempt. */
struct task {
    uint32_t index; /* within the attempt, roles in spec order then replicas */
    uint32_t role;  /* index into spec.roles */
    uint32_t rank;  /* within the role */
    char node[64];
    char address[48]; /* inside the project's network; "" before start */
    uint32_t gpu_count;
    uint16_t gpus[8]; /* indexes of GPUs on the node (first 8) */
    int exit_code;    /* -1: not ended */
    int signal;       /* 0: none */
    bool running, ended, out_of_memory, disk_full;
    int64_t started_ms, ended_ms;
    uint64_t log_bytes; /* known at the end */
};

struct attempt {
    struct attempt_key key;
    char site[64];
    int64_t placed_ms, started_ms, ended_ms;
    enum end_reason end_reason;
    uint32_t end_task;  /* index of the task that shows the reason */
    int end_code;       /* exit code or signal */
    char end_text[256]; /* words a user understands */
    struct task *tasks; /* task_count, owned by the workload */
    uint32_t task_count;
    bool gone; /* proof that nothing of it runs any more */
};

struct workload {
    struct workload_id id;
    struct project_id project;
    struct user_id owner;
    enum workload_state state;
    enum desired desired;
    enum end_reason stop_reason; /* why desired became stop: STOPPED, TIME_LIMIT, LEASE_ENDED */
    const struct workload_spec *spec;
    struct arena arena; /* spec and strings */
    uint64_t version;   /* grows with every change: ETag */
    int64_t submitted_ms, started_ms, ended_ms, state_since_ms;
    int64_t not_before_ms; /* back-off of a retry */
    uint32_t attempts;     /* tries so far */
    uint32_t retries_used;
    struct attempt *attempt; /* the current or last one; NULL before the first */
    char reason[256];        /* why it waits, or how it ended, in words */
    char hold_code[32];      /* machine-readable: resources, quota, image, ... */
    char secret[33];         /* notebook: the server's own token, given to the gateway only */
};

#endif
