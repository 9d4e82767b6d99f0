/*
 * spec: what a user asks for — the job file, the same fields as JSON over REST, one struct for
 * all kinds of workload. spec_table drives decoding, encoding and the published schema.
 *
 * A decoded spec lives in the caller's arena. Decode, then spec_validate; both say field, line and
 * column of the first mistake. Defaults are filled by spec_defaults before decoding, so that a
 * stored spec is complete and explains itself. Pure, any thread.
 */
#ifndef BERTH_TYPES_SPEC_H
#define BERTH_TYPES_SPEC_H

#include "js/js.h"
#include "types/ids.h"

#define WORKLOAD_KIND_LIST(X) X(JOB, "job") X(NOTEBOOK, "notebook")
enum workload_kind {
#define X(sym, name) KIND_##sym,
    WORKLOAD_KIND_LIST(X)
#undef X
};
#define KIND_MAX 2
extern const char *const workload_kind_names[KIND_MAX + 1]; /* NULL-terminated */

struct gpu_request {
    int64_t milli;             /* thousandths per task: 2000 = two whole GPUs, 500 = half of one */
    const char *model;         /* NULL: any */
    uint64_t memory_min_bytes; /* per GPU; 0: any */
};

/* One role: `replicas` tasks alike. */
struct role_spec {
    int64_t replicas;     /* the minimum, at least 1 */
    int64_t replicas_max; /* = replicas unless written as 2..8 */
    int64_t cpu_milli;
    uint64_t memory_bytes;
    struct gpu_request gpu; /* `1`, `0.5`, `A100:1` or {model, count, memory: 40G..} */
    uint64_t disk_bytes;    /* writable layer and /scratch */
    uint64_t shm_bytes;     /* /dev/shm */
    struct js_strs command; /* empty: the workload's */
    struct js_pairs env;    /* on top of the workload's */
};

struct retry_spec {
    int64_t max;       /* attempts after the first */
    struct js_strs on; /* node preempted image engine start failed exit:N signal:N oom */
};

struct placement_spec {
    int together; /* enum place_level; LEVEL_NONE: don't care */
    bool together_hard;
    struct js_strs apart; /* roles whose tasks go to different nodes */
    const char *node;     /* NULL, or only there */
    const char *pool;
    const char *site;
};

#define PLACE_LEVEL_LIST(X) \
    X(NONE, "none") X(HOST, "host") X(RACK, "rack") X(ROOM, "room") X(SITE, "site")
enum place_level {
#define X(sym, name) LEVEL_##sym,
    PLACE_LEVEL_LIST(X)
#undef X
};
extern const char *const place_level_names[];

#define APP_LIST(X) X(LAB, "lab") X(CLASSIC, "classic")
enum notebook_app {
#define X(sym, name) APP_##sym,
    APP_LIST(X)
#undef X
};
extern const char *const notebook_app_names[];

/* A volume as written: "home", "corpus:/data:ro". */
struct workload_spec {
    int kind;            /* enum workload_kind */
    const char *name;    /* label; made from kind and id when absent */
    const char *project; /* name; NULL: the user's default project */
    const char *queue;
    const char *framework;
    const char *image;       /* name or name:tag */
    struct js_objects roles; /* of struct role_spec; absent: one `worker` */
    struct js_strs command;
    const char *code;    /* sha256 manifest digest, once shipped */
    const char *workdir; /* NULL: /code for jobs with code, else home */
    struct js_strs volumes;
    struct js_pairs inputs, outputs;
    struct js_pairs env;
    int64_t time_limit_ms; /* 0: the project's default, none */
    int64_t grace_ms;      /* between SIGTERM and SIGKILL; default 30 s */
    int64_t priority;      /* low -100, normal 0, high 100, or a number -1000..1000 */
    struct retry_spec retry;
    struct placement_spec placement;
    const char
        *stop_when; /* role: the attempt ends when every task of it has ended; NULL: all roles */
    bool preemptible;
    int app; /* notebook: enum notebook_app */
};

extern const struct js_table spec_table; /* "Workload": what goes in and out over REST */
extern const struct js_table role_table; /* "Role" */

void spec_defaults(struct workload_spec *spec);
/* Checks what a table cannot: roles known to stop_when and apart, volumes' syntax, retry words,
 * command present for jobs, limits of tasks and bytes. doc (may be NULL) gives positions. */
int spec_validate(const struct workload_spec *spec, const struct js_doc *doc, struct err *err);
/* Deep copy into another arena; NULL when memory is short. */
struct workload_spec *spec_copy(const struct workload_spec *spec, struct arena *arena);

int64_t spec_task_count(const struct workload_spec *spec); /* at minimum replicas */
const struct role_spec *spec_role(const struct workload_spec *spec, size_t index,
                                  const char **ret_name);

/* A volume as written, taken apart. */
struct volume_ref {
    char name[64];
    char path[256]; /* where it is mounted; "" for home: /home/<user> */
    bool read_only;
};
int volume_ref_parse(const char *s, struct volume_ref *ret, struct err *err);

#endif
