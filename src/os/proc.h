/*
 * proc: other programs, started without a shell. os/pidfd.h tells one process from another.
 *
 * A child gets exactly the descriptors it is given, default signal dispositions, an empty signal
 * mask and, when wanted, another user, a session of its own and a directory. Whether the program
 * could be executed is known when os_spawn returns. Whoever spawns waits (os_wait): a child is a
 * zombie until then. Any thread.
 */
#ifndef BERTH_OS_PROC_H
#define BERTH_OS_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/buf.h"
#include "base/err.h"

#define OS_SPAWN_FDS_MAX 16

struct os_spawn_fd {
    int from, to; /* ours -> the child's */
};

struct os_spawn {
    const char *const *argv; /* NULL-terminated; argv[0] without a '/' is looked up in our PATH */
    const char *const *env;  /* NULL-terminated KEY=VALUE; NULL: ours */
    const char *dir;         /* NULL: ours */
    const struct os_spawn_fd *fds; /* of 0, 1, 2 the ones not given: /dev/null, and ours for 1, 2 */
    size_t fd_count;
    bool session; /* setsid */
    bool drop;    /* become uid and gid, with exactly these further groups */
    uid_t uid;
    gid_t gid;
    const gid_t *groups;
    size_t group_count;
    int death_signal; /* sent when the starting thread ends; 0: none */
};

/* ret_pidfd may be NULL. NOT_FOUND: no such program; FORBIDDEN: it may not be executed. */
int os_spawn(const struct os_spawn *s, pid_t *ret_pid, int *ret_pidfd, struct err *err);

struct os_exit {
    int code;   /* of exit, when signal is 0 */
    int signal; /* that ended it */
};
/* Waits for our child. timeout_ms -1: for ever. TIMEOUT leaves it running. */
int os_wait(pid_t pid, int timeout_ms, struct os_exit *ret, struct err *err);

/* Runs to the end: input goes to its stdin, stdout and stderr are appended to buffers (NULL: thrown
 * away), whose maximum, when reached, ends it with TOO_LARGE. TIMEOUT ends it with SIGKILL too, and
 * all of its session. Exit code or signal are facts, not errors. */
int os_run(const struct os_spawn *s, const void *input, size_t input_len, struct buf *out,
           struct buf *errors, int timeout_ms, struct os_exit *ret, struct err *err);
/* os_run for which anything but exit 0 is an error: INTERNAL with the program's name, how it ended
 * and the last line it wrote to stderr. */
int os_run_ok(const struct os_spawn *s, struct buf *out, int timeout_ms, struct err *err);

/* Text that differs after each boot of the machine (36 characters). */
#define OS_BOOT_ID_SIZE 37
int os_boot_id(char ret[OS_BOOT_ID_SIZE], struct err *err);

#endif
