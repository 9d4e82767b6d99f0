#include "runner/work.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/alloc.h"

#define STDERR_KEPT 4096

void work_progress(const struct work *w, const char *fmt, ...)
{
    cleanup(buf_done) struct buf frame = BUF(8192);
    char text[ERR_TEXT_MAX];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    struct wire_event event = {.kind = WIRE_EV_PROGRESS, .request = w->request, .text = text};
    if (w->progress_fd >= 0 && wire_put_event(&frame, &event, NULL) == 0)
        (void)!write(w->progress_fd, frame.data, frame.len);
}

/* ---- programs ---- */

static void child_exec(const char *const argv[], int in_fd, int out_fd, int err_fd, pid_t parent)
{
    static const char *const env[] = {
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8",
        "HOME=/root", NULL};
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(127);
    dup2(in_fd >= 0 ? in_fd : null, 0);
    dup2(out_fd >= 0 ? out_fd : null, 1);
    dup2(err_fd, 2);
    union {
        const char *const *read_only;
        char *const *args;
    } a = {argv}, e = {env};
    execve(argv[0], a.args, e.args);
    _exit(127);
}

/* The last line that is not empty. */
static const char *last_line(char *text)
{
    size_t len = strlen(text);
    while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == ' '))
        text[--len] = '\0';
    char *line = strrchr(text, '\n');
    return line != NULL ? line + 1 : text;
}

static void stderr_keep(int fd, char *text, size_t size)
{
    size_t len = 0;
    for (;;) {
        char chunk[1024];
        ssize_t n = read(fd, chunk, sizeof(chunk));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        size_t keep = (size_t)n;
        if (keep > size - 1 - len) { /* the end says more than the beginning */
            size_t drop = keep - (size - 1 - len);
            memmove(text, text + drop, len - drop);
            len -= drop;
        }
        memcpy(text + len, chunk, keep);
        len += keep;
    }
    text[len] = '\0';
}

int work_run(const char *const argv[], int in_fd, int out_fd, struct err *err)
{
    char text[STDERR_KEPT];
    int fds[2], status;
    if (pipe2(fds, O_CLOEXEC) != 0)
        return err_errno(err, errno, "cannot start %s", argv[0]);
    pid_t parent = getpid(), pid = fork();
    if (pid == 0)
        child_exec(argv, in_fd, out_fd, fds[1], parent);
    close(fds[1]);
    if (pid < 0) {
        close(fds[0]);
        return err_errno(err, errno, "cannot start %s", argv[0]);
    }
    stderr_keep(fds[0], text, sizeof(text));
    close(fds[0]);
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR)
            return err_errno(err, errno, "cannot wait for %s", argv[0]);
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    const char *name = strrchr(argv[0], '/') + 1;
    if (WIFSIGNALED(status))
        return err_set(err, BERR_INTERNAL, "%s was killed by signal %d", name, WTERMSIG(status));
    const char *words = last_line(text);
    bool is_full = strstr(text, "No space left on device") != NULL;
    return err_set(err, is_full ? BERR_NO_SPACE : BERR_INTERNAL, "%s failed: %.300s", name,
                   words[0] != '\0' ? words : "it said nothing");
}
