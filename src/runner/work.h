/*
 * work: an order being carried out, in a process of its own. The main loop forks one worker an
 * order; work_fn runs in it, may block, may change its own namespaces and leak whatever the end of
 * a process cleans up. It ends by returning: 0 with *reply filled (the verb's reply struct, zeroed
 * beforehand, strings in the arena), or an error, which the client gets.
 *
 * A worker dies with the runner (PDEATHSIG) at any system call, and is killed when its verb's
 * deadline passes: whatever it makes must be found and finished or undone by the next runner or
 * the next order of the same kind.
 */
#ifndef BERTH_RUNNER_WORK_H
#define BERTH_RUNNER_WORK_H

#include "base/arena.h"
#include "base/err.h"
#include "runner/instance.h"
#include "wire/runner.h"

struct work {
    const struct instance *in;
    struct arena *arena; /* of this order */
    uint64_t request;    /* the client's id */
    int progress_fd;     /* pipe to the main loop; work_progress writes it */
};

typedef int work_fn(const struct work *w, const void *args, void *reply, struct err *err);

/* Tells the client a step in words ("fetched 3 of 7 layers"). Never fails. */
void work_progress(const struct work *w, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Runs a program to its end: argv[0] absolute, environment PATH and LANG only, stdin /dev/null,
 * stdout and stderr to out_fd (-1: /dev/null). The last line it wrote to stderr goes into the
 * error when it fails. in_fd: its stdin, or -1. The child dies with the worker. */
int work_run(const char *const argv[], int in_fd, int out_fd, struct err *err);

/* The verbs. task_*.c, volume.c, image_*.c */
work_fn work_image_add, work_image_build, work_image_remove;
work_fn work_volume_make, work_volume_grow;
work_fn work_task_create, work_task_start, work_task_signal, work_task_freeze, work_task_thaw,
    work_task_delete;
work_fn work_exec, work_stat, work_inventory, work_log_remove, work_net_project;

#endif
