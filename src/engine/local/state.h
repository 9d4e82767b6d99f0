/*
 * state: the inside of the local engine, shared by its files only.
 *
 * Level-triggered: an order only changes what is wanted of an attempt; attempt_step compares that
 * with what is known of its tasks and sends the requests that are missing, at most one at a time
 * for each task. Answers, events and lists change what is known and call attempt_step again. So a
 * broken connection, a failed request and a restart need no code of their own.
 *
 *   local.c    orders, open and close            step.c   attempt_step and its requests
 *   attempt.c  attempts: look-up, birth, end     facts.c  what the runner says → facts → events
 *   order.c    engine_start → task-create        list.c   after connecting: node, full list
 *   node.c     inventory → node                  ask.c    questions: logs and statistics
 *   known.c    networks and volumes said before
 */
#ifndef BERTH_ENGINE_LOCAL_STATE_H
#define BERTH_ENGINE_LOCAL_STATE_H

#include "base/arena.h"
#include "base/map.h"
#include "base/vec.h"
#include "engine/local/link.h"
#include "engine/local/local.h"
#include "ev/timer.h"

#define LOCAL_TEXT          256
#define LOCAL_RETRY_MS      1000
#define LOCAL_KILL_AGAIN_MS 5000
#define LOCAL_EMBRYO_MS     60000 /* made but never started, and nobody asks for it */
#define LOCAL_INVENTORY_MS  30000
#define LOCAL_HANG_MS       60000 /* no answer to inventory for so long: connect anew */
#define LOCAL_ORDER_BYTES   (64u << 20)
#define LOCAL_FENCES        8192 /* remembered; the runner keeps all of them */
#define LOCAL_NEVER         INT64_MAX

/* How far an attempt is. */
enum local_phase {
    LOCAL_EMBRYO, /* found in a list half made; waits for its order */
    LOCAL_NET,    /* asks for the project's network */
    LOCAL_VOLUMES,
    LOCAL_CREATE,
    LOCAL_START,  /* every task is made; they are being started */
    LOCAL_RUN,    /* every task was started */
    LOCAL_UNDO,   /* being ended: what never ran is deleted, what ran is killed */
    LOCAL_GONE,   /* no process is left; facts are kept until forget */
    LOCAL_FORGET, /* records are being deleted */
};

struct local_attempt;

/* A request under way on behalf of an attempt (task) or of one of its tasks. */
struct local_call {
    struct local_attempt *attempt;
    uint32_t task;
    bool busy;
    enum wire_verb verb;
    uint64_t signal;       /* of TASK_SIGNAL */
    int64_t not_before_ms; /* after a failure; loop time */
    uint32_t failures;     /* in a row */
};

struct local_task {
    struct local_call call;
    struct engine_task_facts facts;
    bool asked;      /* a task-create was sent, or a list had it: the runner may know it */
    bool is_known;   /* the runner has a record */
    bool is_deleted; /* it said there is none any more */
    bool is_listed;  /* in the list being read */
    int state;       /* enum wire_task_state, when known */
    bool is_frozen, term_sent;
    int64_t killed_ms; /* when SIGKILL was sent last; 0: never */
    bool told_started, told_ended;
    int failure; /* enum wire_failure */
    char text[LOCAL_TEXT];
    uint32_t address; /* host order; 0: none */
};

struct local_attempt {
    struct engine *engine;
    struct attempt_key key;
    enum local_phase phase;
    struct local_call call;           /* network and volumes */
    struct arena arena;               /* of the order; emptied when every task is made */
    struct wire_task_create *creates; /* one a task; NULL: no order at hand */
    struct wire_volume *volumes;
    uint32_t volume_count, volumes_made;
    struct project_id project;
    uint32_t subnet;
    bool internet;
    bool prepared, told_prepared;
    bool wants_suspend, is_suspended, stops;
    bool tells_gone;    /* GONE is to be told again */
    int64_t kill_at_ms; /* loop time; LOCAL_NEVER */
    int64_t embryo_until_ms;
    enum end_reason reason;
    char text[LOCAL_TEXT];
    bool log_goes;          /* log_remove came before the records were deleted */
    struct ev_timer *timer; /* steps it again */
    uint32_t task_count;
    struct local_task *tasks;
};

struct local_fence {
    uint64_t seen, closed;
};

/* What the runner has said in this connection, so that it need not be asked before each attempt. */
struct local_net {
    struct project_id project;
    bool internet;
    uint32_t base, count; /* its network, host order */
};

struct local_question;

struct engine {
    struct ev_loop *loop;
    const struct os_clock *clock;
    engine_listener_fn *listener;
    void *arg;
    char site[64];
    char *data_dir;
    struct local_link *link;
    bool listed;         /* orders are taken */
    bool lists;          /* inside a list: stop and forget are taken */
    uint64_t round;      /* grows with every connection */
    struct map attempts; /* key text → struct local_attempt, in order of birth */
    struct map fences;   /* by workload, of struct local_fence */
    VEC(struct local_net) nets;
    struct map volumes;    /* ids of those that are there */
    uint32_t next_address; /* where the search for a free one begins */
    struct node node;
    struct ev_timer *inventory_timer;
    int64_t inventory_sent_ms;           /* 0: none under way */
    struct local_question *questions;    /* list of those not answered */
    char list_after[WIRE_KEY_TEXT_SIZE]; /* last key of the page before */
};

/* attempt.c */
struct local_attempt *attempt_find(struct engine *e, struct attempt_key key);
/* NULL: no memory. Registered in the engine. */
struct local_attempt *attempt_new(struct engine *e, struct attempt_key key, uint32_t task_count);
int attempt_grow(struct local_attempt *a, uint32_t task_count);
void attempt_free(struct local_attempt *a); /* no request of it may be under way */
void attempt_wake(struct local_attempt *a, int64_t after_ms);
/* Ends it for this reason (the first one counts): everything is undone, then GONE. */
void attempt_fail(struct local_attempt *a, enum end_reason reason, const char *text);
struct local_fence *fence_of(struct engine *e, struct workload_id id, bool make);
void fence_close(struct engine *e, struct attempt_key key);

/* order.c */
int order_take(struct local_attempt *a, const struct engine_start *order, struct err *err);
/* Gives every task an address in the network; CONFLICT when there are not enough. */
int order_address(struct local_attempt *a, const struct local_net *net, struct err *err);
void order_drop(struct local_attempt *a);
void order_move(struct local_attempt *to, struct local_attempt *from);

/* known.c: what need not be asked again. A project keeps its network as long as it has a task. */
int known_net_put(struct local_attempt *a, const struct wire_net *said,
                  const struct local_net **ret, struct err *err);
const struct local_net *known_net(const struct local_attempt *a); /* NULL: ask */
bool known_volume(const struct engine *e, uint64_t id);
void known_volume_put(struct engine *e, uint64_t id);
void known_forget(struct engine *e); /* with each connection anew */

/* step.c */
void attempt_step(struct local_attempt *a);

/* facts.c */
void facts_take(struct local_attempt *a, const struct wire_task *w);
void facts_tell_started(struct local_attempt *a);
void facts_tell_ended(struct local_attempt *a);
void facts_tell(struct local_attempt *a, enum engine_event_kind kind, const char *text);
void facts_tell_gone(struct local_attempt *a);
void facts_tell_seen(struct local_attempt *a);
enum end_reason facts_reason(int wire_failure);

/* list.c */
void list_up(void *engine, const struct wire_welcome *welcome);
void list_event(void *engine, const struct wire_event *event);

/* node.c */
void node_take(struct engine *e, const struct wire_inventory *inv);
void node_tell(struct engine *e);
void node_ask(struct engine *e, local_reply_fn *fn);
void node_timer(void *engine);

/* ask.c */
int ask_log(struct engine *e, struct attempt_key key, uint32_t task, uint64_t offset, size_t max,
            engine_log_fn *fn, void *arg, struct err *err);
int ask_stats(struct engine *e, struct attempt_key key, engine_stats_fn *fn, void *arg,
              struct err *err);
void ask_close(struct engine *e); /* answers all with CANCELED */

#endif
