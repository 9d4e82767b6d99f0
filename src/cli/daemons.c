/*
 * daemons: pid files and starting. A pid file counts only when root wrote it, because DATA/run
 * belongs to the user berth and we kill what it names.
 */
#include "cli/daemons.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/alloc.h"
#include "base/check.h"
#include "base/str.h"
#include "js/js.h"
#include "os/file.h"
#include "os/pidfd.h"
#include "os/proc.h"

#define STOP_MS         10000
#define KILL_MS         10000
#define LOG_SHOWN_BYTES 4096
#define LOG_KEPT_BYTES  (16 << 20)
#define ENV_MAX         512

static const char *const names[CLI_DAEMONS] = {"berth-runner", "berthd", "berth-gateway"};

const char *cli_daemon_name(enum cli_daemon d)
{
    return names[d];
}

bool cli_daemon_is_wanted(const struct cli_instance *in, enum cli_daemon d)
{
    return d != CLI_RUNNER || !str_is_equal(in->engine, "fake");
}

int cli_find_program(const char *name, char dst[CLI_PATH_MAX], struct err *err)
{
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    if (n > 0) {
        self[n] = '\0';
        char *slash = strrchr(self, '/');
        snprintf(dst, CLI_PATH_MAX, "%.*s/%s", (int)(slash - self), self, name);
        if (access(dst, X_OK) == 0)
            return 0;
    }
    for (const char *at = getenv("PATH"); at && *at;) {
        size_t len = strcspn(at, ":");
        snprintf(dst, CLI_PATH_MAX, "%.*s/%s", (int)len, at, name);
        if (len && access(dst, X_OK) == 0)
            return 0;
        at += len + (at[len] == ':');
    }
    err_set(err, BERR_NOT_FOUND, "the program %s is not installed", name);
    return err_hint(err, "it belongs beside berth itself, or into PATH");
}

/* ---- pid files ---- */

static void pid_path(const char *data, enum cli_daemon d, char dst[PATH_MAX])
{
    snprintf(dst, PATH_MAX, "%s/run/%s.pid", data, names[d]);
}

/* The text of a file that root wrote, and nobody else. */
static bool read_roots_file(const char *path, char *dst, size_t size)
{
    struct stat st;
    cleanup(fd_closep) int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_uid != 0 || st.st_nlink != 1)
        return false;
    ssize_t n = read(fd, dst, size - 1);
    if (n <= 0)
        return false;
    dst[n] = '\0';
    return true;
}

/* Opens exactly the recorded process; -1 when it is gone. A zombie is gone. */
static int open_recorded(const char *data, enum cli_daemon d, pid_t *ret_pid)
{
    char path[PATH_MAX], text[128];
    long long pid;
    unsigned long long start;
    pid_path(data, d, path);
    if (!read_roots_file(path, text, sizeof(text)) ||
        sscanf(text, "{\"pid\":%lld,\"start\":%llu}", &pid, &start) != 2 || pid <= 1 ||
        pid > INT_MAX || !start)
        return -1;
    int fd = os_pidfd_open((pid_t)pid, start);
    if (fd >= 0 && os_pidfd_wait(fd, 0)) {
        close(fd);
        return -1;
    }
    *ret_pid = (pid_t)pid;
    return fd;
}

pid_t cli_daemon_pid(const char *data, enum cli_daemon d)
{
    pid_t pid = 0;
    cleanup(fd_closep) int fd = open_recorded(data, d, &pid);
    return fd >= 0 ? pid : 0;
}

static int record(const char *data, enum cli_daemon d, pid_t pid, struct err *err)
{
    char path[PATH_MAX], text[128];
    uint64_t start = os_pid_start(pid);
    if (!start)
        return err_set(err, BERR_UNAVAILABLE, "%s ended at once", names[d]);
    pid_path(data, d, path);
    int n = snprintf(text, sizeof(text), "{\"pid\":%d,\"start\":%llu}\n", (int)pid,
                     (unsigned long long)start);
    return os_file_write(AT_FDCWD, path, text, (size_t)n, 0644, err);
}

/* ---- logs ---- */

static void log_path(const char *data, enum cli_daemon d, char dst[PATH_MAX])
{
    const char *name = str_has_prefix(names[d], "berth-") ? names[d] + 6 : names[d];
    snprintf(dst, PATH_MAX, "%s/log/%s.log", data, name);
}

static int open_log(const char *data, enum cli_daemon d, struct err *err)
{
    char path[PATH_MAX], old[PATH_MAX + 8];
    struct stat st;
    log_path(data, d, path);
    if (lstat(path, &st) == 0 && st.st_size > LOG_KEPT_BYTES) {
        snprintf(old, sizeof(old), "%s.old", path);
        rename(path, old); /* a log that stays is no reason not to start */
    }
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0640);
    return fd >= 0 ? fd : err_errno(err, errno, "cannot open %s", path);
}

void cli_daemon_put_log(const char *data, enum cli_daemon d, struct buf *out)
{
    char path[PATH_MAX], tail[LOG_SHOWN_BYTES + 1];
    log_path(data, d, path);
    cleanup(fd_closep) int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return;
    off_t end = lseek(fd, 0, SEEK_END);
    off_t begin = end > LOG_SHOWN_BYTES ? end - LOG_SHOWN_BYTES : 0;
    ssize_t n = pread(fd, tail, LOG_SHOWN_BYTES, begin);
    if (n <= 0)
        return;
    tail[n] = '\0';
    const char *text = tail;
    if (begin > 0 && strchr(tail, '\n'))
        text = strchr(tail, '\n') + 1;
    buf_printf(out, "the end of %s:\n%s", path, text);
}

/* ---- starting ---- */

/* Ours without what is meant for the command line only. */
static void copy_env(const char **dst)
{
    extern char **environ;
    size_t n = 0;
    for (char **at = environ; *at && n < ENV_MAX - 1; at++)
        if (!str_has_prefix(*at, "BERTH_TOKEN=") && !str_has_prefix(*at, "BERTH_URL="))
            dst[n++] = *at;
    dst[n] = NULL;
}

static void raise_file_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max < 262144 ? limit.rlim_max : 262144;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

int cli_daemon_start(const struct cli_instance *in, enum cli_daemon d, const char *bin_dir,
                     const struct cli_users *users, const char *log_level, struct err *err)
{
    char program[CLI_PATH_MAX], uid[16];
    const char *env[ENV_MAX], *argv[12] = {program, "--data", in->data};
    size_t n = 3;
    pid_t pid;
    snprintf(program, sizeof(program), "%s/%s", bin_dir, names[d]);
    cleanup(fd_closep) int log = open_log(in->data, d, err);
    if (log < 0)
        return log;
    snprintf(uid, sizeof(uid), "%u", (unsigned)users->berth);
    if (d == CLI_RUNNER) {
        argv[n++] = "--uid";
        argv[n++] = uid;
    } else if (d == CLI_BERTHD) {
        argv[n++] = "--engine";
        argv[n++] = in->engine;
    }
    if (d != CLI_RUNNER && log_level) {
        argv[n++] = d == CLI_GATEWAY ? "--log" : "--log-level";
        argv[n++] = log_level;
    }
    copy_env(env);
    raise_file_limit();
    gid_t groups[] = {users->berth_group, users->gateway_group};
    const struct os_spawn_fd fds[] = {{log, 1}, {log, 2}};
    struct os_spawn spawn = {
        .argv = argv,
        .env = env,
        .dir = "/",
        .fds = fds,
        .fd_count = ARRAY_LEN(fds),
        .session = true,
    };
    if (d == CLI_BERTHD) { /* the gateway reads its key first and drops by itself */
        spawn.drop = true;
        spawn.uid = users->berth;
        spawn.gid = users->berth_group;
        spawn.groups = groups;
        spawn.group_count = ARRAY_LEN(groups);
    }
    int rc = os_spawn(&spawn, &pid, NULL, err);
    if (rc < 0)
        return err_wrap(err, rc, "cannot start %s", program);
    return record(in->data, d, pid, err);
}

int cli_daemon_stop(const char *data, enum cli_daemon d, struct err *err)
{
    char path[PATH_MAX];
    pid_t pid = 0;
    cleanup(fd_closep) int fd = open_recorded(data, d, &pid);
    if (fd >= 0) {
        os_pidfd_kill(fd, SIGTERM);
        if (!os_pidfd_wait(fd, STOP_MS)) {
            os_pidfd_kill(fd, SIGKILL);
            if (!os_pidfd_wait(fd, KILL_MS))
                return err_set(err, BERR_TIMEOUT, "%s (process %d) does not end", names[d],
                               (int)pid);
        }
    }
    pid_path(data, d, path);
    return os_file_remove(AT_FDCWD, path, err);
}
