/*
 * world: the inside of the fake, shared by its files only. Tests use fake.h.
 *
 * world.c holds nodes, attempts and the timeline; life.c is what happens to an attempt step by
 * step; script.c reads the FAKE_ variables; log.c makes up log text; fake.c is the connection.
 */
#ifndef BERTH_ENGINE_FAKE_WORLD_H
#define BERTH_ENGINE_FAKE_WORLD_H

#include "base/heap.h"
#include "base/map.h"
#include "base/rand.h"
#include "base/vec.h"
#include "engine/fake/fake.h"

#define FAKE_FOREVER (-1)
#define FAKE_TEXT    256

/* ---- script.c ---- */

enum fake_hang { HANG_NO, HANG_PREPARE, HANG_START };

struct fake_script {
    int64_t prepare_ms, start_ms, run_ms, term_ms;
    int exit_code, signal, term_exit; /* term_exit -1: dies of SIGTERM */
    bool out_of_memory, disk_full, ignore_term;
    enum fake_hang hang;
    char image_error[FAKE_TEXT], start_error[FAKE_TEXT], engine_error[FAKE_TEXT];
    char log[FAKE_TEXT];
    int64_t log_lines;
    char address[48];
};

/* INVALID, naming the variable, when one has no sensible value. */
int fake_script_read(const struct engine_start *order, const struct engine_task *task,
                     struct fake_script *ret, struct err *err);

/* ---- attempts ---- */

struct fake_task {
    struct fake_script script;
    struct engine_task_facts facts;
    char node[64];
    uint32_t gpu_count;
    uint16_t gpus[LIMIT_GPUS_PER_NODE];
    int64_t cpu_milli;
    uint64_t memory_bytes, log_max_bytes;
    uint32_t gen;          /* steps of an older generation are void */
    int64_t run_since_ms;  /* monotonic, of the present stretch */
    int64_t ran_before_ms; /* in stretches before */
    int64_t run_left_ms;   /* FAKE_FOREVER: without end */
    bool unseen_end;       /* ended out of sight: not told yet */
};

enum fake_phase { PHASE_PREPARING, PHASE_STARTING, PHASE_RUNNING, PHASE_GONE };

struct fake_attempt {
    uint64_t serial;
    struct attempt_key key;
    enum fake_phase phase;
    bool prepared, suspended, stopping, lost, unseen_gone, forgotten, log_removed;
    bool stop_waits; /* ordered out of sight: done when it is seen again */
    int64_t stop_grace_ms;
    enum end_reason reason;
    char text[FAKE_TEXT];
    uint32_t starts;
    uint32_t task_count;
    struct fake_task tasks[];
};

/* What a workload's fences have been. */
struct fake_fence {
    uint64_t seen, closed; /* highest in an order; highest reported GONE */
};

struct fake_node {
    struct node node;
    bool away;
    int64_t cpu_used_milli;
    uint64_t memory_used_bytes;
    uint64_t gpu_owner[LIMIT_GPUS_PER_NODE]; /* serial; 0: free */
};

/* ---- the timeline ---- */

enum fake_step {
    STEP_PROGRESS,
    STEP_PREPARED,
    STEP_START,
    STEP_TASK_END,
    STEP_TERM,
    STEP_KILL,
    STEP_GONE,
    STEP_SUSPEND,
    STEP_RESUME,
    STEP_DELIVER, /* an event arrives */
    STEP_ANSWER,  /* a log or statistics arrive */
};

struct fake_question {
    engine_log_fn *log_fn;
    engine_stats_fn *stats_fn;
    void *arg;
    uint64_t offset;
    size_t max;
};

struct fake_entry {
    int64_t due_ms;
    uint64_t seq;
    enum fake_step step;
    uint64_t serial;
    uint32_t task, gen;
    /* STEP_DELIVER */
    struct engine_event event;
    struct engine_task_facts facts;
    char text[FAKE_TEXT];
    uint64_t connection; /* the one it travels on */
    struct attempt_key key;
    /* STEP_ANSWER */
    struct fake_question question;
};

struct fake_world {
    const struct os_clock *clock;
    struct heap timeline;
    uint64_t next_seq, next_serial;
    int64_t now_ms, wall_ms;      /* of the step being done */
    struct map by_serial, by_key; /* of struct fake_attempt */
    struct map fences;            /* by workload, of struct fake_fence */
    VEC(struct fake_node *) nodes;
    char broken_rule[FAKE_TEXT];
    bool rule_is_broken;
    struct fake_chaos chaos;
    struct rnd rnd;
    uint32_t order_number, fail_order;
    enum fake_fault fault;
    enum berr fault_code;
    bool advancing;
    uint32_t next_address;
    struct engine *engine;      /* connected to it; NULL: nobody */
    void (*changed)(void *arg); /* something is due at another time now */
    void *changed_arg;
};

/* world.c */
struct fake_attempt *fake_attempt_of(struct fake_world *w, struct attempt_key key);
struct fake_node *fake_node_of(struct fake_world *w, const char *name);
struct fake_fence *fake_fence_of(struct fake_world *w, struct workload_id id, bool make);
void fake_attempt_drop(struct fake_world *w, struct fake_attempt *a);
void fake_clock_read(struct fake_world *w);
/* Puts a step on the timeline; NULL when memory is short. The entry may be filled further. */
struct fake_entry *fake_plan(struct fake_world *w, int64_t delay_ms, enum fake_step step,
                             uint64_t serial, uint32_t task);
void fake_rule_broken(struct fake_world *w, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* life.c */
int fake_life_start(struct fake_world *w, const struct engine_start *order, struct err *err);
void fake_life_stop(struct fake_world *w, struct fake_attempt *a, int64_t grace_ms);
void fake_life_end(struct fake_world *w, struct fake_attempt *a, enum end_reason reason,
                   const char *text);
void fake_life_step(struct fake_world *w, const struct fake_entry *entry);
int64_t fake_task_ran_ms(const struct fake_world *w, const struct fake_attempt *a,
                         const struct fake_task *t);

/* log.c */
uint64_t fake_log_bytes(const struct fake_world *w, const struct fake_attempt *a,
                        const struct fake_task *t);
int fake_log_text(const struct fake_world *w, const struct fake_attempt *a,
                  const struct fake_task *t, struct buf *out);

/* fake.c: the connection */
void fake_tell(struct fake_world *w, const struct fake_attempt *a, enum engine_event_kind kind,
               const struct engine_task_facts *facts, enum end_reason reason, const char *text);
void fake_list_again(struct fake_world *w);
void fake_tell_node(struct fake_world *w, const struct fake_node *n);
size_t fake_connection_work(struct fake_world *w);
bool fake_connection_waits(const struct fake_world *w);
size_t fake_deliver(struct fake_world *w, struct fake_entry *entry);
size_t fake_answer(struct fake_world *w, struct fake_entry *entry);

#endif
