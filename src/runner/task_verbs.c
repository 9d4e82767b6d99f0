/* The smaller verbs on a running task: signal, freeze, thaw, stat, exec; and log-remove. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/alloc.h"
#include "base/id.h"
#include "base/limits.h"
#include "os/cgroup.h"
#include "os/clock.h"
#include "os/pidfd.h"
#include "runner/files.h"
#include "runner/task.h"
#include "runner/tasks_on_disk.h"

static int running(const struct work *w, const struct wire_key *key, struct record *ret,
                   struct err *err)
{
    char text[WIRE_KEY_TEXT_SIZE];
    int rc = record_load(w->in, key, w->arena, ret, err);
    if (rc == 0 && ret->facts.state != WIRE_TASK_RUNNING)
        rc = err_set(err, BERR_CONFLICT, "task %s is %s", wire_key_format(text, key),
                     wire_task_state_names[ret->facts.state]);
    return rc;
}

int work_task_signal(const struct work *w, const void *args, void *reply, struct err *err)
{
    const struct wire_task_signal *order = args;
    struct record rec;
    char group[GROUP_SIZE];
    (void)reply;
    int rc = record_load(w->in, &order->key, w->arena, &rec, err);
    if (rc != 0)
        return rc;
    if (rec.facts.state == WIRE_TASK_ENDED)
        return 0;
    cleanup(fd_closep) int pidfd = os_pidfd_open((pid_t)rec.pid, rec.pid_start);
    if (pidfd < 0)
        return 0; /* dead already; its end is on the way */
    rc = os_pidfd_kill(pidfd, (int)order->signal);
    if (rc != 0 && rc != -ESRCH)
        return err_errno(err, -rc, "cannot signal the task");
    if (order->signal == SIGKILL && rec.facts.frozen) /* the dead of a frozen group do not die */
        return os_cgroup_freeze(group_of_task(group, w->in, &order->key), false, err);
    return 0;
}

static int set_frozen(const struct work *w, const struct wire_key *key, bool frozen,
                      struct err *err)
{
    struct record rec;
    char group[GROUP_SIZE];
    int rc = running(w, key, &rec, err);
    if (rc == 0)
        rc = os_cgroup_freeze(group_of_task(group, w->in, key), frozen, err);
    if (rc != 0)
        return rc;
    rec.facts.frozen = frozen;
    return record_save(w->in, &rec, false, err);
}

int work_task_freeze(const struct work *w, const void *args, void *reply, struct err *err)
{
    (void)reply;
    return set_frozen(w, &((const struct wire_task_ref *)args)->key, true, err);
}

int work_task_thaw(const struct work *w, const void *args, void *reply, struct err *err)
{
    (void)reply;
    return set_frozen(w, &((const struct wire_task_ref *)args)->key, false, err);
}

int work_stat(const struct work *w, const void *args, void *reply, struct err *err)
{
    const struct wire_task_ref *ref = args;
    struct wire_stat *ret = reply;
    struct os_cgroup_stat stat;
    struct record rec;
    char group[GROUP_SIZE], path[WIRE_KEY_TEXT_SIZE + 16], text[WIRE_KEY_TEXT_SIZE];
    int rc = record_load(w->in, &ref->key, w->arena, &rec, err);
    if (rc != 0)
        return rc;
    os_cgroup_stat(group_of_task(group, w->in, &ref->key), &stat);
    snprintf(path, sizeof(path), "%s/disk.img", wire_key_format(text, &ref->key));
    *ret = (struct wire_stat){.cpu_ms = stat.cpu_ms,
                              .memory_bytes = stat.memory_bytes,
                              .memory_peak_bytes = stat.memory_peak_bytes,
                              .processes = stat.processes,
                              .disk_bytes = tree_bytes(w->in->tasks_fd, path)};
    return 0;
}

/* ---- exec ---- */

#define EXEC_ARGS_MAX (LIMIT_COMMAND_ARGS + 2 * LIMIT_ENV_VARS + 16)

static int exec_argv(const struct work *w, const struct wire_exec *order, const char **argv,
                     struct err *err)
{
    char text[WIRE_KEY_TEXT_SIZE];
    size_t n = 0;
    argv[n++] = w->in->runtime;
    argv[n++] = arena_printf(w->arena, "--root=%s/crun", w->in->run);
    argv[n++] = "exec";
    argv[n++] = order->as_root ? "--user=0:0" : "--user=1000:1000";
    argv[n++] = arena_printf(w->arena, "--cwd=%s", order->workdir != NULL ? order->workdir : "/");
    for (size_t i = 0; i < order->env.len; i++)
        argv[n++] = arena_printf(w->arena, "--env=%s=%s", order->env.items[i].key,
                                 order->env.items[i].value);
    argv[n++] = arena_strdup(w->arena, wire_key_format(text, &order->key));
    for (size_t i = 0; i < order->command.len; i++)
        argv[n++] = order->command.items[i];
    argv[n] = NULL;
    for (size_t i = 0; i < n; i++) {
        if (argv[i] == NULL)
            return err_set(err, BERR_NOMEM, "no memory for a command");
    }
    return 0;
}

/* runc goes to the container's root by the path that only the monitor's mounts have. */
static int mounts_enter(const struct record *rec, struct err *err)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/ns/mnt", (int)rec->monitor_pid);
    cleanup(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || setns(fd, CLONE_NEWNS) != 0)
        return err_errno(err, errno, "cannot enter the task's mounts");
    return 0;
}

static pid_t exec_start(const char *const argv[], int out_fd)
{
    static const char *const env[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL};
    pid_t parent = getpid(), pid = fork();
    if (pid != 0)
        return pid;
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(127);
    dup2(null, 0);
    dup2(out_fd, 1);
    dup2(out_fd, 2);
    union {
        const char *const *read_only;
        char *const *args;
    } a = {argv}, e = {env};
    execve(argv[0], a.args, e.args);
    _exit(127);
}

/* Reads until the end, keeping the first bytes; false when the time ran out. */
static bool exec_read(int fd, int64_t timeout_ms, struct buf *out, bool *ret_cut)
{
    int64_t end = os_clock_real()->mono_ms(NULL) + timeout_ms;
    for (;;) {
        char chunk[8192];
        struct pollfd p = {.fd = fd, .events = POLLIN};
        int64_t left = end - os_clock_real()->mono_ms(NULL);
        if (left <= 0)
            return false;
        if (poll(&p, 1, (int)left) <= 0)
            continue;
        ssize_t n = read(fd, chunk, sizeof(chunk));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return true;
        size_t room = WIRE_EXEC_OUTPUT_BYTES - out->len;
        *ret_cut = *ret_cut || (size_t)n > room;
        buf_append(out, chunk, (size_t)n < room ? (size_t)n : room);
    }
}

int work_exec(const struct work *w, const void *args, void *reply, struct err *err)
{
    const struct wire_exec *order = args;
    struct wire_exec_result *ret = reply;
    struct record rec;
    cleanup(buf_done) struct buf out = BUF(WIRE_EXEC_OUTPUT_BYTES + 1);
    char group[GROUP_SIZE];
    int fds[2], status;
    int rc = running(w, &order->key, &rec, err);
    if (rc == 0)
        rc = os_cgroup_join(group_of_monitor(group, w->in, &order->key), err);
    const char **argv = arena_array(w->arena, EXEC_ARGS_MAX, sizeof(*argv));
    if (rc == 0 && argv == NULL)
        rc = err_set(err, BERR_NOMEM, "no memory for a command");
    if (rc == 0)
        rc = exec_argv(w, order, argv, err);
    if (rc == 0)
        rc = mounts_enter(&rec, err);
    if (rc != 0)
        return rc;
    if (pipe2(fds, O_CLOEXEC) != 0)
        return err_errno(err, errno, "cannot make a pipe");
    pid_t pid = exec_start(argv, fds[1]);
    close(fds[1]);
    if (pid < 0)
        return err_errno(err, errno, "cannot start the command");
    bool in_time = exec_read(fds[0], order->timeout_ms, &out, &ret->output_cut);
    if (!in_time)
        kill(pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    close(fds[0]);
    if (!in_time)
        return err_set(err, BERR_TIMEOUT, "the command did not end in time");
    ret->exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    ret->output = arena_strdup(w->arena, buf_str(&out));
    return ret->output != NULL ? 0 : err_set(err, BERR_NOMEM, "no memory for the output");
}

/* ---- logs ---- */

struct log_question {
    const struct wire_log_remove *order;
    bool is_used, has_others;
};

static bool log_user(const struct record *rec, void *arg)
{
    struct log_question *q = arg;
    if (rec->facts.key.workload == q->order->workload) {
        q->has_others = true;
        q->is_used = q->is_used || rec->facts.key.number == q->order->number;
    }
    return true;
}

int work_log_remove(const struct work *w, const void *args, void *reply, struct err *err)
{
    struct log_question q = {.order = args};
    char id[ID_TEXT_SIZE], path[64];
    (void)reply;
    int rc = tasks_each(w->in, log_user, &q, err);
    if (rc == 0 && q.is_used)
        rc = err_set(err, BERR_BUSY, "a task still writes that log");
    if (rc != 0)
        return rc;
    snprintf(path, sizeof(path), "%s/%llu", id_format(id, q.order->workload),
             (unsigned long long)q.order->number);
    rc = tree_remove(w->in->logs_fd, path, err);
    /* The last log of a workload: nothing is known of it here any more, its fence included. */
    if (rc == 0 && unlinkat(w->in->logs_fd, id, AT_REMOVEDIR) == 0 && !q.has_others)
        rc = tree_remove(w->in->fences_fd, id, err);
    return rc;
}
