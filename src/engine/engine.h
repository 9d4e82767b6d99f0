/*
 * engine: what runs workloads — one contract, several drivers (fake, local, later kubernetes and
 * slurm). A driver is one const struct engine_ops in its own folder; engine/registry.c lists them.
 *
 * Orders carry an attempt key and are safe to repeat: an order for a key that is already being
 * carried out is accepted again and changes nothing (its facts may be told again); a start whose
 * key is already gone starts nothing and GONE is told again. An order for a key that the engine
 * does not know (any more) is refused with CONFLICT when the fence is older than it has seen for
 * that workload, and so is a start whose fence was reported GONE: an attempt never starts twice.
 * Return 0 means *accepted*; facts come later as events through the listener, always from the loop
 * thread, never from inside an order call. UNAVAILABLE means the engine could not be reached:
 * repeat later. Calling what a driver does not announce is UNSUPPORTED and names the ability.
 *
 * After opening, and after every reconnection, the driver sends LIST_BEGIN, one ATTEMPT_SEEN per
 * attempt that it knows anything of (also ended ones not yet forgotten), LIST_END: a full list
 * that replaces belief. While disconnected and until LIST_END no order is accepted (UNAVAILABLE),
 * but for stop and forget of an attempt that was just seen. An attempt that was only half made
 * when we lost sight of it may be missing in the list: its start is then to be repeated, which
 * takes up what is there. Nodes are told by NODE before their first list.
 *
 * `lost` means "we can't see it"; only GONE (proof that no process is left) frees what it held.
 *
 * Memory: orders are only read during the call. Event structs live only during the callback.
 * Thread: the loop thread. The driver knows no store and no scheduler.
 */
#ifndef BERTH_ENGINE_ENGINE_H
#define BERTH_ENGINE_ENGINE_H

#include "types/image.h"
#include "types/node.h"
#include "types/workload.h"

struct ev_loop;
struct os_clock;
struct fake_world;
struct engine; /* opaque, the driver's */

#define ENGINE_ABILITY_LIST(X)                                         \
    X(GANG, "gang")       /* all tasks of an attempt start or none */  \
    X(PLACE, "place")     /* starts tasks where it is told */          \
    X(SUSPEND, "suspend") /* freezes and thaws */                      \
    X(GPU_HOTPLUG, "gpu-hotplug")                                      \
    X(FREEZE, "freeze") /* makes an image layer of a task's changes */ \
    X(EXEC, "exec")                                                    \
    X(LOGS, "logs")                                                    \
    X(RESIZE, "resize")                                                \
    X(OWN_QUEUE, "own-queue")                                          \
    X(NET_ISOLATION, "net-isolation")                                  \
    X(DISK_LIMIT, "disk-limit")
enum engine_ability_bit {
#define X(sym, name) ENGINE_BIT_##sym,
    ENGINE_ABILITY_LIST(X)
#undef X
};
#define ENGINE_CAN_GANG          (1u << ENGINE_BIT_GANG)
#define ENGINE_CAN_PLACE         (1u << ENGINE_BIT_PLACE)
#define ENGINE_CAN_SUSPEND       (1u << ENGINE_BIT_SUSPEND)
#define ENGINE_CAN_GPU_HOTPLUG   (1u << ENGINE_BIT_GPU_HOTPLUG)
#define ENGINE_CAN_FREEZE        (1u << ENGINE_BIT_FREEZE)
#define ENGINE_CAN_EXEC          (1u << ENGINE_BIT_EXEC)
#define ENGINE_CAN_LOGS          (1u << ENGINE_BIT_LOGS)
#define ENGINE_CAN_RESIZE        (1u << ENGINE_BIT_RESIZE)
#define ENGINE_CAN_NET_ISOLATION (1u << ENGINE_BIT_NET_ISOLATION)
#define ENGINE_CAN_DISK_LIMIT    (1u << ENGINE_BIT_DISK_LIMIT)

/* One mount of a volume in every task. */
struct engine_volume {
    struct volume_id id;
    uint64_t size_bytes; /* made on first use with this quota */
    const char *path;    /* inside the task, absolute */
    bool read_only;
};

/* One container to start. */
struct engine_task {
    uint32_t index, rank; /* in the attempt, in the role */
    const char *role;
    const char *node; /* with PLACE: where */
    uint32_t gpu_count;
    const uint16_t *gpus; /* node's GPU indexes */
    int64_t cpu_milli;
    uint64_t memory_bytes, disk_bytes, shm_bytes;
    struct js_strs command;
    struct js_pairs env;  /* complete: berth's own, the workload's, the role's */
    const char *hostname; /* ROLE-RANK: the name others of the attempt find it by */
};

struct engine_start {
    struct attempt_key key;
    int kind; /* enum workload_kind */
    struct project_id project;
    const char *project_name;
    uint32_t subnet; /* project's network number */
    bool internet;
    const char *user_name;     /* account inside, uid 1000, home /home/<user> */
    const struct image *image; /* ready */
    const char *code_digest;   /* tree mounted at /code (copied: writable); NULL: none */
    const char *workdir;
    const struct engine_volume *volumes;
    uint32_t volume_count;
    const struct engine_task *tasks;
    uint32_t task_count;
    uint64_t log_max_bytes; /* per task */
};

/* ---- events ---- */

/* CONNECTED, DISCONNECTED  the engine can be reached, or not: text says why
 * NODE           node: new or changed
 * LIST_BEGIN, ATTEMPT_SEEN, LIST_END  the full list
 * PROGRESS       text: a step of preparing, in words
 * PREPARED       image, code and volumes are in place
 * TASK_STARTED   task: its command was started; address known. One that can't be executed may be
 *                found out only after that: GONE then says start-error
 * TASK_ENDED     task: exit facts and log length, both durable
 * SUSPENDED, RESUMED
 * LOST           out of sight; text why
 * GONE           proof: nothing of the attempt runs or holds anything; reason and text when it
 *                ended by a failure of image, start or engine rather than by its tasks */
#define ENGINE_EVENT_LIST(X) \
    X(CONNECTED)             \
    X(DISCONNECTED)          \
    X(NODE)                  \
    X(LIST_BEGIN)            \
    X(ATTEMPT_SEEN)          \
    X(LIST_END)              \
    X(PROGRESS)              \
    X(PREPARED)              \
    X(TASK_STARTED)          \
    X(TASK_ENDED)            \
    X(SUSPENDED)             \
    X(RESUMED)               \
    X(LOST)                  \
    X(GONE)
enum engine_event_kind {
#define X(sym) ENGINE_EV_##sym,
    ENGINE_EVENT_LIST(X)
#undef X
};

/* What the engine knows of one task. */
struct engine_task_facts {
    uint32_t index;
    bool started, ended;
    char address[48];
    int exit_code, signal; /* when ended; signal 0: none */
    bool out_of_memory, disk_full;
    int64_t started_ms, ended_ms;
    uint64_t log_bytes;
};

struct engine_event {
    enum engine_event_kind kind;
    struct attempt_key key;
    const struct node *node;               /* NODE */
    const struct engine_task_facts *tasks; /* TASK_*: one; ATTEMPT_SEEN: all */
    uint32_t task_count;
    bool prepared, suspended, gone; /* ATTEMPT_SEEN */
    enum end_reason reason;         /* GONE: END_NONE when the tasks' facts decide */
    const char *text;
};

typedef void engine_listener_fn(void *arg, const struct engine_event *event);

/* A piece of a task's log. next_offset addresses the byte after it; at_end: nothing more for now. */
struct engine_log_chunk {
    const char *data;
    size_t len;
    uint64_t next_offset;
    bool at_end;
};
typedef void engine_log_fn(void *arg, int rc, const struct engine_log_chunk *chunk,
                           const struct err *err);

/* Use of one attempt now. */
struct engine_stats {
    int64_t cpu_ms; /* CPU time so far, all tasks */
    uint64_t memory_bytes, memory_peak_bytes, disk_bytes;
    uint32_t processes;
};
typedef void engine_stats_fn(void *arg, int rc, const struct engine_stats *stats,
                             const struct err *err);

struct engine_config {
    const char *site;     /* name of the site */
    const char *data_dir; /* the installation's data directory */
    const char *socket;   /* local: the runner's */
    const struct os_clock *clock;
    struct fake_world *fake_world; /* fake: the world to connect to; NULL: one of its own */
};

struct engine_ops {
    const char *name;
    uint32_t abilities;
    int (*open)(const struct engine_config *cfg, struct ev_loop *loop, engine_listener_fn *listener,
                void *arg, struct engine **ret, struct err *err);
    void (*close)(struct engine *e); /* running work is left alone */
    int (*start)(struct engine *e, const struct engine_start *order, struct err *err);
    /* SIGTERM to every task, SIGKILL after grace_ms; 0: SIGKILL at once. A smaller grace later
     * shortens the first. Suspended tasks are thawed for it. Unknown key: accepted, and GONE
     * follows (there is nothing left); the key can't be started from then on. */
    int (*stop)(struct engine *e, struct attempt_key key, int64_t grace_ms, struct err *err);
    /* Both only while tasks run: NOT_FOUND for an unknown key, CONFLICT before the start and after
     * a stop. */
    int (*suspend)(struct engine *e, struct attempt_key key, struct err *err);
    int (*resume)(struct engine *e, struct attempt_key key, struct err *err);
    /* The attempt's end is durable elsewhere: drop what is kept of it, but for its logs. CONFLICT
     * before GONE; unknown key: accepted. */
    int (*forget)(struct engine *e, struct attempt_key key, struct err *err);
    /* Reads from a byte offset, at most max bytes; calls back once: NOT_FOUND when there is no such
     * log. Works before, during and after the run, until log_remove. Offsets are the engine's own:
     * start at 0 and go on from next_offset; the last one is the task's log_bytes. */
    int (*log_read)(struct engine *e, struct attempt_key key, uint32_t task, uint64_t offset,
                    size_t max, engine_log_fn *fn, void *arg, struct err *err);
    int (*log_remove)(struct engine *e, struct attempt_key key, struct err *err);
    int (*stats)(struct engine *e, struct attempt_key key, engine_stats_fn *fn, void *arg,
                 struct err *err);
};

const struct engine_ops *engine_find(const char *name); /* NULL when there is no such driver */
extern const struct engine_ops *const engine_list[];    /* NULL-terminated */
extern const char *const engine_ability_names[];        /* by bit, NULL-terminated */
extern const char *const engine_event_names[];
/* UNSUPPORTED naming the ability and the driver: for the slots of what a driver can't do. */
int engine_unsupported(const char *driver, enum engine_ability_bit bit, struct err *err);

#endif
