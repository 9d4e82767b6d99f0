/*
 * proc: fork, then only calls that are safe between fork and exec. A close-on-exec pipe carries the
 * errno of whatever failed there; its end means that the program runs.
 */
#include "os/proc.h"
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/alloc.h"
#include "base/str.h"
#include "os/file.h"
#include "os/pidfd.h"

#define FD_ABOVE 256 /* where sources wait while targets are filled */

extern char **environ;

enum step { STEP_SETUP, STEP_DIR, STEP_USER, STEP_EXEC };
struct failure {
    int step, errnum;
};

/* ---- in the child ---- */

static void reset_signals(void)
{
    sigset_t none;
    struct sigaction normal = {.sa_handler = SIG_DFL};
    for (int sig = 1; sig < NSIG; sig++)
        sigaction(sig, &normal, NULL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static bool place_fds(const struct os_spawn *s)
{
    int waiting[OS_SPAWN_FDS_MAX];
    bool has_stdin = false;
    /* From 3 on everything closes at exec but what dup2 places below. */
    syscall(SYS_close_range, 3u, ~0u, CLOSE_RANGE_CLOEXEC);
    for (size_t i = 0; i < s->fd_count; i++) {
        waiting[i] = fcntl(s->fds[i].from, F_DUPFD_CLOEXEC, FD_ABOVE);
        if (waiting[i] < 0)
            return false;
        has_stdin = has_stdin || s->fds[i].to == 0;
    }
    int nothing = has_stdin ? 0 : open("/dev/null", O_RDWR | O_CLOEXEC);
    if (nothing < 0 || (!has_stdin && nothing != 0 && dup2(nothing, 0) < 0))
        return false;
    for (size_t i = 0; i < s->fd_count; i++)
        if (dup2(waiting[i], s->fds[i].to) < 0)
            return false;
    return true;
}

/* The system calls themselves: the C library's would wait for threads that are not in the child. */
static bool become(const struct os_spawn *s)
{
    return syscall(SYS_setgroups, s->group_count, s->groups) == 0 &&
           syscall(SYS_setresgid, s->gid, s->gid, s->gid) == 0 &&
           syscall(SYS_setresuid, s->uid, s->uid, s->uid) == 0;
}

__attribute__((noreturn)) static void child_fail(int fd, enum step step)
{
    struct failure f = {.step = (int)step, .errnum = errno};
    ssize_t n = write(fd, &f, sizeof(f));
    _exit(n == (ssize_t)sizeof(f) ? 127 : 126);
}

__attribute__((noreturn)) static void child(const struct os_spawn *s, const char *path,
                                            pid_t parent, int report)
{
    reset_signals();
    int above = fcntl(report, F_DUPFD_CLOEXEC, FD_ABOVE);
    if (above < 0 || (s->session && setsid() < 0) || !place_fds(s))
        child_fail(above < 0 ? report : above, STEP_SETUP);
    if (s->dir && chdir(s->dir) < 0)
        child_fail(above, STEP_DIR);
    if (s->drop && !become(s))
        child_fail(above, STEP_USER);
    /* After the change of user, which clears it. */
    if (s->death_signal) {
        prctl(PR_SET_PDEATHSIG, s->death_signal);
        if (getppid() != parent)
            _exit(127);
    }
    execve(path, (char *const *)(uintptr_t)s->argv,
           s->env ? (char *const *)(uintptr_t)s->env : environ);
    child_fail(above, STEP_EXEC);
}

/* ---- starting ---- */

static int find_program(const char *name, char **ret, struct err *err)
{
    char path[4096];
    if (strchr(name, '/')) {
        *ret = mem_strdup(name);
        return *ret ? 0 : err_set(err, BERR_NOMEM, "out of memory");
    }
    const char *dirs = getenv("PATH");
    for (const char *at = dirs ? dirs : "/usr/sbin:/usr/bin:/sbin:/bin"; *at;) {
        size_t len = strcspn(at, ":");
        int n = snprintf(path, sizeof(path), "%.*s/%s", (int)len, at, name);
        if (len && n > 0 && (size_t)n < sizeof(path) && access(path, X_OK) == 0) {
            *ret = mem_strdup(path);
            return *ret ? 0 : err_set(err, BERR_NOMEM, "out of memory");
        }
        at += len + (at[len] == ':');
    }
    return err_set(err, BERR_NOT_FOUND, "there is no program %s", name);
}

static int tell_failure(const struct os_spawn *s, const struct failure *f, struct err *err)
{
    switch ((enum step)f->step) {
    case STEP_SETUP:
        return err_errno(err, f->errnum, "preparing %s", s->argv[0]);
    case STEP_DIR:
        return err_errno(err, f->errnum, "directory %s for %s", s->dir, s->argv[0]);
    case STEP_USER:
        return err_errno(err, f->errnum, "becoming user %u for %s", s->uid, s->argv[0]);
    case STEP_EXEC:
        return err_errno(err, f->errnum, "%s", s->argv[0]);
    }
    return err_set(err, BERR_INTERNAL, "starting %s", s->argv[0]);
}

static pid_t fork_child(const struct os_spawn *s, const char *path, int report)
{
    sigset_t all, before;
    pid_t parent = getpid();
    /* No handler of ours may run in the child. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t pid = fork();
    if (pid == 0)
        child(s, path, parent, report);
    int why = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = why;
    return pid;
}

int os_spawn(const struct os_spawn *s, pid_t *ret_pid, int *ret_pidfd, struct err *err)
{
    int ends[2];
    struct failure f;
    cleanup(mem_freep) char *path = NULL;
    check(s->fd_count <= OS_SPAWN_FDS_MAX);
    int rc = find_program(s->argv[0], &path, err);
    if (rc < 0)
        return rc;
    if (pipe2(ends, O_CLOEXEC) < 0)
        return err_errno(err, errno, "pipe");
    cleanup(fd_closep) int reads = ends[0];
    pid_t pid = fork_child(s, path, ends[1]);
    int why = errno;
    close(ends[1]);
    if (pid < 0)
        return err_errno(err, why, "starting %s", s->argv[0]);
    ssize_t n;
    do {
        n = read(reads, &f, sizeof(f));
    } while (n < 0 && errno == EINTR);
    if (n == (ssize_t)sizeof(f)) {
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
            ;
        return tell_failure(s, &f, err);
    }
    if (ret_pidfd)
        *ret_pidfd = os_pidfd_open(pid, 0); /* it is ours: its number stays until we wait */
    *ret_pid = pid;
    return 0;
}

int os_wait(pid_t pid, int timeout_ms, struct os_exit *ret, struct err *err)
{
    int status;
    pid_t got;
    if (timeout_ms >= 0) {
        cleanup(fd_closep) int pidfd = os_pidfd_open(pid, 0);
        if (pidfd >= 0 && !os_pidfd_wait(pidfd, timeout_ms))
            return err_set(err, BERR_TIMEOUT, "process %d has not ended", (int)pid);
    }
    do {
        got = waitpid(pid, &status, 0);
    } while (got < 0 && errno == EINTR);
    if (got < 0)
        return err_errno(err, errno, "waiting for process %d", (int)pid);
    ret->code = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
    ret->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    return 0;
}

int os_boot_id(char ret[OS_BOOT_ID_SIZE], struct err *err)
{
    cleanup(mem_freep) char *text = NULL;
    int rc = os_file_read(AT_FDCWD, "/proc/sys/kernel/random/boot_id", 64, &text, NULL, err);
    if (rc < 0)
        return rc;
    text[strcspn(text, "\n")] = '\0';
    str_copy(ret, OS_BOOT_ID_SIZE, text);
    return 0;
}
