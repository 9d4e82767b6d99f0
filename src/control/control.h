/*
 * control: where store, scheduler and engines meet. The only owner of live workloads.
 *
 * A call changes memory through the lifecycle table, writes the changed rows in one batch and
 * calls `done` when that batch is durable; orders to engines go out only after that commit and are
 * derived from the durable state (control/sync.c), so that a restart repeats exactly what was not
 * yet carried out. Reads see memory; control_barrier makes what they show durable first.
 *
 * Thread: the loop thread, for everything. Nothing here blocks. Pointers to workloads are good
 * until the next call into control. With a store without a loop and a fake engine without a loop,
 * control runs in virtual time: the simulation tests drive control_tick by hand.
 */
#ifndef BERTH_CONTROL_CONTROL_H
#define BERTH_CONTROL_CONTROL_H

#include "auth/auth.h"
#include "engine/engine.h"
#include "os/clock.h"
#include "sched/sched.h"
#include "store/store.h"

struct control;

/* What control asks of features that stand above it. All on the loop thread, answered at once. */
struct control_hooks {
    void *arg;
    /* The image of a reference "name[:tag]" in any state, or NULL with NOT_FOUND in err. */
    const struct image *(*image_find)(void *arg, const char *ref, struct err *err);
    /* An attempt of w uses the image now, or does no longer. */
    void (*image_use)(void *arg, struct image_id id, struct workload_id w, bool in_use);
    /* Whether the code tree is complete here. */
    bool (*code_exists)(void *arg, const char *digest);
    /* Fills what a kind needs on top of its spec (a notebook's command and secret). */
    int (*prepare)(void *arg, struct workload *w, struct workload_spec *spec, struct arena *arena,
                   struct err *err);
    /* A workload's state, tasks or addresses changed and are durable. */
    void (*changed)(void *arg, const struct workload *w);
    /* Something is to be done: call control_tick soon. May be called at any time. */
    void (*wake)(void *arg);
    /* Durable state can no longer be written: the process must end. */
    void (*fatal)(void *arg, const struct err *err);
};

struct control_config {
    const struct os_clock *clock;
    struct store *store;
    struct auth *auth;
    struct control_hooks hooks;
    uint64_t (*random)(void *arg); /* 64 random bits, for ids */
    void *random_arg;
    struct sched_policy policy;
    uint64_t log_max_bytes; /* per task */
    uint64_t home_bytes;    /* size of a new home volume */
    uint32_t finished_kept; /* ended workloads kept in memory */
};

int control_new(const struct control_config *cfg, struct control **ret, struct err *err);
struct control *control_free(struct control *c); /* running work is left alone */
/* Reads everything from the store; images and users are handed to their owners by `visitor`
 * members for rows that are not control's (user, token, image …). Call once, before sites. */
int control_load(struct control *c, const struct store_visitor *others, struct err *err);
int control_add_site(struct control *c, const char *driver, const struct engine_config *cfg,
                     struct ev_loop *loop, struct err *err);
/* Deadlines, retries of orders, scheduling. Returns milliseconds until the next call is wanted
 * without news, at most 1000. */
int64_t control_tick(struct control *c);

/* Something above control changed (an image is ready): look again soon. */
void control_news(struct control *c);

/* ---- workloads ---- */

typedef void control_done_fn(void *arg, int rc, uint64_t id, const struct err *err);

struct control_submit {
    const struct who *who;
    const struct workload_spec *spec; /* decoded, defaults filled; copied */
    const struct js_doc *doc;         /* for positions in errors; may be NULL */
    const char *idempotency_key;      /* NULL: none */
};
/* Validates, checks rights, makes the workload and answers through done (id) once it is durable. A
 * refusal answers through done at once. A known idempotency key answers the id it made before. */
void control_submit(struct control *c, const struct control_submit *req, control_done_fn *done,
                    void *arg);
/* Where and when it would start: nothing changes. Writes one JSON object to out. */
int control_dry_run(struct control *c, const struct control_submit *req, struct buf *out,
                    struct err *err);
/* desired = stop. grace_ms -1: the spec's. Ended ones: CONFLICT. */
void control_stop(struct control *c, struct workload_id id, enum end_reason why, int64_t grace_ms,
                  struct user_id actor, control_done_fn *done, void *arg);
void control_suspend(struct control *c, struct workload_id id, bool suspend, struct user_id actor,
                     control_done_fn *done, void *arg);

/* In memory: every live one and the latest ended ones; NULL otherwise (ask the store). */
const struct workload *control_find(const struct control *c, struct workload_id id);
/* The newest in the project with that name, live ones first; or by id text. */
const struct workload *control_find_name(const struct control *c, struct project_id project,
                                         const char *name_or_id);
/* for (i = 0; (w = control_next(c, &i));) visits what is in memory, oldest first. */
const struct workload *control_next(const struct control *c, size_t *i);
struct control_counts {
    uint64_t by_state[STATE_MAX];
    uint64_t submitted, started, ended, retried; /* since this process began */
};
void control_get_counts(const struct control *c, struct control_counts *ret);

/* Logs of a task of the current or an earlier attempt (number 0: the latest); see engine.h. */
int control_log_read(struct control *c, const struct workload *w, uint32_t number, uint32_t task,
                     uint64_t offset, size_t max, engine_log_fn *fn, void *arg, struct err *err);
int control_stats(struct control *c, const struct workload *w, engine_stats_fn *fn, void *arg,
                  struct err *err);

/* Calls back when everything changed so far is durable (at once when it is). */
void control_barrier(struct control *c, store_done_fn *fn, void *arg);

/* ---- nodes ---- */
struct control_node {
    const struct node *node;
    uint32_t abilities; /* of its site's engine */
    bool connected, drained;
    int64_t cpu_used_milli;
    uint64_t memory_used_bytes, disk_used_bytes;
    int64_t gpu_used_milli[LIMIT_GPUS_PER_NODE];
    uint64_t gpu_holder[LIMIT_GPUS_PER_NODE]; /* workload id, 0: free; of a shared one the last */
};
bool control_next_node(const struct control *c, size_t *i, struct control_node *ret);
/* A drained node takes no new work; what runs there stays. */
void control_drain(struct control *c, const char *node, bool drain, struct user_id actor,
                   control_done_fn *done, void *arg);

/* ---- users and projects (auth holds them, control makes the changes durable) ---- */
void control_put_user(struct control *c, const struct user *user, struct user_id actor,
                      control_done_fn *done, void *arg); /* new (version 0) or changed */
void control_put_token(struct control *c, const struct token *token, struct user_id actor,
                       control_done_fn *done, void *arg);
void control_remove_token(struct control *c, struct token_id id, struct user_id actor,
                          control_done_fn *done, void *arg);
/* A new project with its first admin. */
void control_put_project(struct control *c, const struct project *project, struct user_id admin,
                         struct user_id actor, control_done_fn *done, void *arg);
void control_put_member(struct control *c, const struct member *m, struct user_id actor,
                        control_done_fn *done, void *arg);
void control_put_setting(struct control *c, const char *name, const char *value,
                         control_done_fn *done, void *arg);
const char *control_setting(const struct control *c, const char *name); /* NULL: not set */
/* A batch of a feature (image rows …) with one event, committed in order with everything else. */
void control_commit_batch(struct control *c, struct store_batch *b, const struct event *event,
                          control_done_fn *done, void *arg);
struct store_batch *control_batch(struct control *c);
/* A user's home, made on first use; or a volume by name. */
const struct volume_row *control_next_volume(const struct control *c, size_t *i);

/* ---- events ---- */
uint64_t control_last_event(const struct control *c); /* durable */
/* Called after each commit that made events durable; at most LIMIT_WATCHERS. */
typedef void control_events_fn(void *arg, uint64_t last_seq);
int control_watch(struct control *c, control_events_fn *fn, void *arg, struct err *err);
void control_unwatch(struct control *c, control_events_fn *fn, void *arg);
/* One durable event from memory; false when it is not kept (any more): ask the store. Good until
 * the next call into control. */
bool control_recent_event(const struct control *c, uint64_t seq, const struct event **ret);

#endif
