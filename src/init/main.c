/*
 * berth-init: PID 1 of every task. Makes the container a home for its user, starts the command as
 * that user in a session of its own, passes signals on, reaps, and writes down how the command
 * ended, so that an exit code and a signal can be told apart. When it ends the kernel kills
 * whatever is left in the task.
 *
 * The report goes to a descriptor that nobody else in the task can reach: it is not passed on, and
 * PID 1 is not dumpable, so that container root cannot open it through /proc either.
 *     exit N | signal N | start-error TEXT      and " full" after the number when / has no room
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>
#include "init/conf.h"
#include "init/etc.h"

#define FULL_BLOCKS      16
#define EXIT_START_ERROR 127
#define PATH_DEFAULT     "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static char conf_text[CONF_BYTES_MAX];
static struct conf conf;

static void report(const char *text)
{
    char line[400];
    int n = snprintf(line, sizeof(line), "%.380s\n", text);
    (void)!write(CONF_REPORT_FD, line, (size_t)n);
}

static void start_error(const char *text)
{
    char line[400];
    snprintf(line, sizeof(line), "start-error %.360s", text);
    report(line);
    _exit(EXIT_START_ERROR);
}

static void conf_read(void)
{
    size_t len = 0;
    ssize_t n;
    while (len < sizeof(conf_text) - 1 &&
           (n = read(CONF_FD, conf_text + len, sizeof(conf_text) - 1 - len)) > 0)
        len += (size_t)n;
    close(CONF_FD);
    conf_text[len] = '\0';
    if (conf_parse(conf_text, &conf) != 0)
        start_error("the task's instructions cannot be read");
}

/* ---- the command ---- */

struct failure {
    int errnum;
    int is_workdir;
};

static void env_default(const char *name, const char *value)
{
    setenv(name, value, 0);
}

static void child_fail(int fd, int errnum, int is_workdir)
{
    struct failure f = {errnum, is_workdir};
    (void)!write(fd, &f, sizeof(f));
    _exit(EXIT_START_ERROR);
}

static void child_main(char **command, int fail_fd)
{
    sigset_t none;
    gid_t gid = CONF_UID;
    close(CONF_REPORT_FD);
    setsid();
    if (setgroups(1, &gid) != 0 || setresgid(gid, gid, gid) != 0 ||
        setresuid(CONF_UID, CONF_UID, CONF_UID) != 0)
        child_fail(fail_fd, errno, 0);
    if (chdir(conf.workdir) != 0)
        child_fail(fail_fd, errno, 1);
    env_default("HOME", conf.home);
    env_default("USER", conf.user);
    env_default("LOGNAME", conf.user);
    env_default("HOSTNAME", conf.hostname);
    env_default("PATH", PATH_DEFAULT);
    setenv("PWD", conf.workdir, 1);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execvp(command[0], command);
    child_fail(fail_fd, errno, 0);
}

static void failure_tell(const struct failure *f, const char *program)
{
    char text[360];
    if (f->is_workdir)
        snprintf(text, sizeof(text), "cannot change to %.200s: %s", conf.workdir,
                 strerror(f->errnum));
    else if (f->errnum == ENOENT && strchr(program, '/') == NULL)
        snprintf(text, sizeof(text), "%.200s: command not found", program);
    else if (f->errnum == ENOENT)
        snprintf(text, sizeof(text), "%.200s: no such file, or its interpreter is missing",
                 program);
    else if (f->errnum == EACCES)
        snprintf(text, sizeof(text), "%.200s: not executable for the user", program);
    else
        snprintf(text, sizeof(text), "%.200s: %s", program, strerror(f->errnum));
    start_error(text);
}

static pid_t command_start(char **command)
{
    int fds[2];
    struct failure failure;
    if (pipe2(fds, O_CLOEXEC) != 0)
        start_error("cannot make a pipe");
    pid_t pid = fork();
    if (pid == 0)
        child_main(command, fds[1]);
    close(fds[1]);
    if (pid < 0)
        start_error("cannot start a process");
    ssize_t n = read(fds[0], &failure, sizeof(failure)); /* closed by a successful exec */
    close(fds[0]);
    if (n == (ssize_t)sizeof(failure))
        failure_tell(&failure, command[0]);
    return pid;
}

/* ---- the end ---- */

static int is_disk_full(void)
{
    struct statvfs fs;
    return statvfs("/", &fs) == 0 && fs.f_bavail < FULL_BLOCKS;
}

__attribute__((noreturn)) static void finish(int status)
{
    char text[64];
    const char *full = is_disk_full() ? " full" : "";
    if (WIFSIGNALED(status)) {
        snprintf(text, sizeof(text), "signal %d%s", WTERMSIG(status), full);
        report(text);
        _exit(128 + WTERMSIG(status));
    }
    snprintf(text, sizeof(text), "exit %d%s", WEXITSTATUS(status), full);
    report(text);
    _exit(WEXITSTATUS(status));
}

static void reap(pid_t command)
{
    for (;;) {
        int status;
        pid_t pid = waitpid(-1, &status, WNOHANG);
        if (pid <= 0)
            return;
        if (pid == command)
            finish(status);
    }
}

int main(int argc, char **argv)
{
    sigset_t set;
    prctl(PR_SET_DUMPABLE, 0);
    fcntl(CONF_REPORT_FD, F_SETFD, FD_CLOEXEC);
    sigfillset(&set);
    sigprocmask(SIG_SETMASK, &set, NULL);
    if (argc < 2)
        start_error("there is no command");
    conf_read();
    umask(022);
    int root_fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    etc_write(root_fd, &conf);
    etc_make_dirs(root_fd, &conf);
    close(root_fd);
    pid_t command = command_start(argv + 1);
    for (;;) {
        siginfo_t info;
        int sig = sigwaitinfo(&set, &info);
        if (sig == SIGCHLD)
            reap(command);
        else if (sig > 0) /* to the command and its children, as a terminal would */
            kill(-command, sig);
    }
}
