/*
 * record: what is kept on disk of a task, DIR/tasks/KEY/. record.json is written whole before the
 * step it describes; order.json once, when the task is created. Read by workers and by the main
 * loop; written by the task's worker only (one at a time a task).
 */
#ifndef BERTH_RUNNER_RECORD_H
#define BERTH_RUNNER_RECORD_H

#include "base/arena.h"
#include "runner/instance.h"
#include "wire/runner.h"

struct record {
    struct wire_task facts;
    uint64_t slot;       /* of its project */
    const char *boot_id; /* the boot it was made in */
    int64_t pid;         /* of the container's PID 1, seen from the host; 0 before CREATED */
    uint64_t pid_start;  /* see os/pidfd.h */
    int64_t monitor_pid; /* of conmon */
    uint64_t monitor_start;
    uint64_t log_max_bytes;
};

/* Strings go into the arena. NOT_FOUND when there is none. */
int record_load(const struct instance *in, const struct wire_key *key, struct arena *arena,
                struct record *ret, struct err *err);
/* sync: durable when it returns. */
int record_save(const struct instance *in, const struct record *rec, bool sync, struct err *err);
int record_save_order(const struct instance *in, const struct wire_task_create *order,
                      struct err *err);
int record_load_order(const struct instance *in, const struct wire_key *key, struct arena *arena,
                      struct wire_task_create *ret, struct err *err);

#define GROUP_SIZE 112
/* Cgroups of a task: its own, and that of its monitor and of workers busy with it. */
const char *group_of_task(char dst[GROUP_SIZE], const struct instance *in,
                          const struct wire_key *key);
const char *group_of_monitor(char dst[GROUP_SIZE], const struct instance *in,
                             const struct wire_key *key);
/* Its device on the host; named after the address, of which an instance has no two. */
const char *veth_of_task(char dst[16], const struct instance *in, const char *address);
/* Below DIR/logs. */
#define LOG_PATH_SIZE 48
const char *log_of_task(char dst[LOG_PATH_SIZE], const struct wire_key *key);

#endif
