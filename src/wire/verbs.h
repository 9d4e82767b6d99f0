/*
 * wire/verbs: the closed list of the runner's verbs, one struct and field table for each request
 * and reply. How they travel: wire/runner.h. Values only; strings belong to the holder's arena.
 */
#ifndef BERTH_WIRE_VERBS_H
#define BERTH_WIRE_VERBS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "js/js.h"
#include "wire/key.h"

#define WIRE_VERSION 1
#define WIRE_SLOTS   64 /* project networks (and id ranges) a machine has at once */
#define WIRE_SLOT_ADDRESSES \
    1024 /* a /22 of the instance's /16: .0 net, .1 the bridge, last broadcast */
#define WIRE_LIST_PAGE         200
#define WIRE_EXEC_OUTPUT_BYTES (64 * 1024)

/* X(symbol, name, request struct, reply struct, table prefix): the whole list */
#define WIRE_VERB_LIST(X)                                                                         \
    X(HELLO, "hello", wire_hello, wire_welcome)                                                   \
    X(LIST, "list", wire_list, wire_page)                                                         \
    X(INVENTORY, "inventory", wire_none, wire_inventory)                                          \
    X(IMAGE_ADD, "image-add", wire_image_add, wire_layer)                                         \
    X(IMAGE_BUILD, "image-build", wire_image_build, wire_layer)                                   \
    X(IMAGE_REMOVE, "image-remove", wire_image_remove, wire_none)                                 \
    X(VOLUME_MAKE, "volume-make", wire_volume, wire_none) /* exists already: left as it is */     \
    X(VOLUME_GROW, "volume-grow", wire_volume, wire_none) /* to a larger size, also while used */ \
    X(NET_PROJECT, "net-project", wire_net_project, wire_net)                                     \
    X(TASK_CREATE, "task-create", wire_task_create, wire_task) /* all made, nothing started */    \
    X(TASK_START, "task-start", wire_task_ref, wire_task)                                         \
    X(TASK_SIGNAL, "task-signal", wire_task_signal, wire_none)                                    \
    X(TASK_FREEZE, "task-freeze", wire_task_ref, wire_none)                                       \
    X(TASK_THAW, "task-thaw", wire_task_ref, wire_none)                                           \
    X(TASK_DELETE, "task-delete", wire_task_ref, wire_none)                                       \
    X(EXEC, "exec", wire_exec, wire_exec_result)                                                  \
    X(STAT, "stat", wire_task_ref, wire_stat)                                                     \
    X(LOG_REMOVE, "log-remove", wire_log_remove, wire_none)
enum wire_verb {
#define X(sym, name, request, reply) WIRE_##sym,
    WIRE_VERB_LIST(X)
#undef X
};
#define WIRE_VERB_COUNT 18

struct wire_verb_info {
    const char *name;
    const struct js_table *request, *reply;
};
extern const struct wire_verb_info wire_verbs[WIRE_VERB_COUNT];

/* ---- requests and replies ---- */

struct wire_none {
    bool unused;
};

struct wire_hello {
    uint64_t version;    /* WIRE_VERSION; another one is refused with UNSUPPORTED */
    const char *program; /* for the log */
};
struct wire_welcome {
    uint64_t version;
    const char *tag;     /* the instance's */
    const char *boot_id; /* changes with every boot of the machine */
    uint64_t seq;        /* of the last event so far */
};

struct wire_task_ref {
    struct wire_key key;
};

#define WIRE_TASK_STATE_LIST(X)                                           \
    X(PREPARING, "preparing")                                             \
    X(CREATED, "created") /* ready, nothing of the user's runs */         \
    X(RUNNING, "running")                                                 \
    X(ENDED, "ended") /* no process is left; facts and log are durable */ \
    X(DELETING, "deleting")
enum wire_task_state {
#define X(sym, name) WIRE_TASK_##sym,
    WIRE_TASK_STATE_LIST(X)
#undef X
};
extern const char *const wire_task_state_names[];

/* Why a task ended when it was not by its command's own end. */
#define WIRE_FAILURE_LIST(X)                                                                   \
    X(NONE, "none")                                                                            \
    X(START, "start")   /* the command could not be started: not found, not executable, … */ \
    X(IMAGE, "image")   /* a layer is missing or unusable */                                   \
    X(ENGINE, "engine") /* the machine or berth failed */                                      \
    X(NODE, "node")     /* the machine was restarted meanwhile */
enum wire_failure {
#define X(sym, name) WIRE_FAILURE_##sym,
    WIRE_FAILURE_LIST(X)
#undef X
};
extern const char *const wire_failure_names[];

struct wire_task {
    struct wire_key key;
    int state; /* enum wire_task_state */
    uint64_t project;
    uint64_t gang;       /* as task-create said it */
    const char *address; /* "" without network */
    bool frozen;
    int64_t created_ms, started_ms, ended_ms; /* 0: not yet */
    int64_t exit_code, signal;                /* ENDED; signal 0: none */
    bool out_of_memory;                       /* the kernel killed a process of it for memory */
    bool disk_full;                           /* its writable layer was full when it ended */
    int failure;                              /* enum wire_failure */
    const char *text;                         /* of the failure, in words */
    uint64_t log_bytes;                       /* ENDED: length of the log file */
    bool log_cut;                             /* the log reached its cap */
};

struct wire_list {
    const char *after; /* text of the last key seen; NULL: from the start */
};
struct wire_page {
    struct js_list tasks; /* of struct wire_task, in the order of their key texts */
    bool more;
};

struct wire_gpu {
    uint64_t index;
    const char *uuid, *model, *bus_id, *path;
    uint64_t memory_bytes;
    int64_t numa;        /* -1 unknown */
    uint64_t link_group; /* 0: none */
    uint64_t major, minor;
    bool healthy;
    const char *why;     /* not healthy: in words */
    const char *foreign; /* processes that use it and belong to no task, in words; NULL: none */
};
struct wire_inventory {
    const char *hostname, *kernel, *os, *driver;
    const char *cgroup;  /* v1, hybrid, v2 */
    const char *runtime; /* "crun 1.8.1" */
    int64_t cpu_milli;
    uint64_t memory_bytes;
    uint64_t disk_bytes, disk_free_bytes; /* of the file system below the data directory */
    struct js_list gpus;                  /* of struct wire_gpu */
};

/* Image layers: directories by 64 hex digits. Of a registry's layer these are the SHA-256 of its
 * archive, of a built one that of its recipe. One that is there already is answered at once. */
struct wire_image_add {
    const char *folder; /* of berthd's below DATA/tmp, a label; the archive in it is named */
    const char *layer;  /* by its digest: DATA/tmp/FOLDER/LAYER; tar, gzip, zstd or xz */
};
struct wire_image_build {
    const char *layer;       /* digest of the recipe */
    const char *suite;       /* bookworm, trixie */
    struct js_strs packages; /* Debian package names, sorted, each once */
    struct js_strs pip;      /* names or name==version */
};
/* The grammars of what a build installs. */
bool wire_is_deb_name(const char *s);
bool wire_is_pip_name(const char *s);
struct wire_layer {
    const char *digest;
    uint64_t size_bytes; /* of the files in it */
};
struct wire_image_remove {
    const char *layer; /* BUSY while a task uses it; not there: done */
};

struct wire_volume {
    uint64_t id;
    uint64_t size_bytes;
};

/* A project's network and id range on this machine. Asked for before each attempt: answers with
 * the project's slot, taking a free one (`want` if it is free) or one whose project has no task
 * left; BUSY when every slot is in use. remove: gives the slot back, BUSY while tasks are there. */
struct wire_net_project {
    uint64_t project;
    uint64_t want; /* the project's subnet number modulo WIRE_SLOTS */
    bool internet; /* reach the outside by NAT; a change applies at once */
    bool remove;
};
struct wire_net {
    uint64_t slot;
    const char *network; /* "10.7.4.0/22" */
    const char *gateway; /* "10.7.4.1"; tasks may have .2 up to the last but one */
};

struct wire_mount {
    uint64_t volume;
    const char *path; /* inside, absolute */
    bool read_only;
};
struct wire_task_create {
    struct wire_key key;
    uint64_t project;
    uint64_t gang;         /* how many tasks the attempt has; given back in lists */
    const char *user_name; /* uid and gid 1000 inside, home /home/NAME */
    const char *hostname;
    struct js_strs layers; /* digests, bottom first */
    struct js_strs command;
    struct js_pairs env;    /* complete */
    const char *workdir;    /* NULL: the home; made when absent */
    const char *code;       /* digest of a tree, at /code; NULL: none */
    struct js_list volumes; /* of struct wire_mount */
    struct js_strs gpus;    /* UUIDs, from inventory */
    int64_t cpu_milli;
    uint64_t memory_bytes, disk_bytes, shm_bytes, pids; /* shm and pids 0: the default */
    const char *address;   /* in the project's network; NULL: loopback only */
    struct js_pairs hosts; /* name → address of every task of the attempt, itself included */
    uint64_t log_max_bytes;
};

struct wire_task_signal {
    struct wire_key key;
    uint64_t
        signal; /* 1..64; KILL ends every process of the task, others go to the command's group */
};

/* Runs a command beside the task's own; ends with it. */
struct wire_exec {
    struct wire_key key;
    struct js_strs command;
    struct js_pairs env;
    const char *workdir;
    bool as_root;       /* container root */
    int64_t timeout_ms; /* at most 10 minutes; then TIMEOUT */
};
struct wire_exec_result {
    int64_t exit_code;  /* 128 + N when killed by signal N */
    const char *output; /* both streams, the first WIRE_EXEC_OUTPUT_BYTES */
    bool output_cut;
};

struct wire_stat {
    int64_t cpu_ms;
    uint64_t memory_bytes, memory_peak_bytes, disk_bytes, processes;
};

struct wire_log_remove {
    uint64_t workload, number; /* BUSY while a task of it is not deleted */
};

#endif
