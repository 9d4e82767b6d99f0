#include "runner/monitor.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <inttypes.h>
#include "base/alloc.h"
#include "base/str.h"
#include "js/js.h"
#include "os/cgroup.h"
#include "os/pidfd.h"
#include "runner/files.h"

#define CONMON    "/usr/bin/conmon"
#define SYNC_FD   5
#define PATH_SIZE 800

/* ---- starting ---- */

struct paths {
    char key[WIRE_KEY_TEXT_SIZE], bundle[PATH_SIZE], pid[PATH_SIZE], monitor_pid[PATH_SIZE];
    char exits[PATH_SIZE], links[PATH_SIZE], root[PATH_SIZE], log[PATH_SIZE], cap[64];
};

static void paths_fill(struct paths *p, const struct instance *in, const struct record *rec)
{
    char log[LOG_PATH_SIZE];
    wire_key_format(p->key, &rec->facts.key);
    snprintf(p->bundle, PATH_SIZE, "%s/bundles/%s", in->run, p->key);
    snprintf(p->pid, PATH_SIZE, "%s/pid", p->bundle);
    snprintf(p->monitor_pid, PATH_SIZE, "%s/monitor.pid", p->bundle);
    snprintf(p->exits, PATH_SIZE, "%s/exits", in->run);
    snprintf(p->links, PATH_SIZE, "%s/links", in->run);
    snprintf(p->root, PATH_SIZE, "--root=%s/crun", in->run);
    snprintf(p->log, PATH_SIZE, "k8s-file:%s/logs/%s", in->data, log_of_task(log, &rec->facts.key));
    /* Not --log-size-max: that one throws the beginning away. */
    snprintf(p->cap, sizeof(p->cap), "--log-global-size-max=%" PRIu64, rec->log_max_bytes);
}

/* In the child: descriptors 3 and 4 go on to berth-init, SYNC_FD to conmon, nothing else. */
static void child_exec(const struct instance *in, struct paths *p, int report, int conf, int sync)
{
    char runtime[64], sync_env[32];
    snprintf(runtime, sizeof(runtime), "%s", in->runtime);
    snprintf(sync_env, sizeof(sync_env), "_OCI_SYNCPIPE=%d", SYNC_FD);
    char *argv[] = {(char[]){"conmon"},
                    (char[]){"--api-version"},
                    (char[]){"1"},
                    (char[]){"-c"},
                    p->key,
                    (char[]){"-u"},
                    p->key,
                    (char[]){"-r"},
                    runtime,
                    (char[]){"-b"},
                    p->bundle,
                    (char[]){"-p"},
                    p->pid,
                    (char[]){"-P"},
                    p->monitor_pid,
                    (char[]){"-l"},
                    p->log,
                    p->cap,
                    (char[]){"--exit-dir"},
                    p->exits,
                    (char[]){"--socket-dir-path"},
                    p->links,
                    (char[]){"--runtime-arg"},
                    p->root,
                    (char[]){"--runtime-opt"},
                    (char[]){"--preserve-fds=2"},
                    (char[]){"--no-sync-log"},
                    NULL};
    char *env[] = {(char[]){"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
                   sync_env, NULL};
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    int from[] = {null, null, null, report, conf, sync};
    for (int i = 0; i < (int)ARRAY_LEN(from); i++)
        from[i] = fcntl(from[i], F_DUPFD_CLOEXEC, 16); /* out of the way of the numbers wanted */
    for (int i = 0; i < (int)ARRAY_LEN(from); i++)
        dup2(from[i], i);
    if (chdir(p->bundle) == 0) /* conmon leaves a file "oom" where it is */
        execve(CONMON, argv, env);
    _exit(127);
}

/* One line of JSON from conmon: {"data":PID}, or {"data":-1,"message":"…"}. */
static int sync_read(int fd, int64_t *ret_pid, struct err *err)
{
    cleanup(buf_done) struct buf line = BUF(64 * 1024);
    cleanup(js_doc_freep) struct js_doc *doc = NULL;
    for (;;) {
        char chunk[1024];
        ssize_t n = read(fd, chunk, sizeof(chunk));
        if (n < 0 && errno == EINTR)
            continue;
        if (n > 0)
            buf_append(&line, chunk, (size_t)n);
        if (n <= 0 || memchr(chunk, '\n', (size_t)n) != NULL)
            break;
    }
    if (line.len == 0)
        return err_set(err, BERR_INTERNAL, "conmon ended without a word");
    if (js_parse_json(line.data, strcspn(line.data, "\n"), &doc, err) != 0)
        return err_set(err, BERR_INTERNAL, "conmon said %.200s", line.data);
    yyjson_val *root = js_root(doc);
    int64_t pid = js_get_i64(root, "data", js_get_i64(root, "pid", -1));
    if (pid > 0) {
        *ret_pid = pid;
        return 0;
    }
    const char *message = js_get_str(root, "message");
    bool is_full = message != NULL && strstr(message, "No space left") != NULL;
    return err_set(err, is_full ? BERR_NO_SPACE : BERR_INTERNAL,
                   "the container could not be made: %.400s",
                   message != NULL ? message : "no reason");
}

static int64_t pid_read(int dir_fd, const char *name)
{
    cleanup(buf_done) struct buf text = BUF(64);
    return file_read(dir_fd, name, &text, NULL) == 0 ? strtol(buf_str(&text), NULL, 10) : 0;
}

int monitor_start(const struct work *w, struct record *rec, int bundle_fd, struct err *err)
{
    struct paths p;
    int sync[2];
    paths_fill(&p, w->in, rec);
    cleanup(fd_closep) int report = openat(bundle_fd, "report", O_WRONLY | O_CLOEXEC);
    cleanup(fd_closep) int conf = openat(bundle_fd, "init.conf", O_RDONLY | O_CLOEXEC);
    if (report < 0 || conf < 0)
        return err_errno(err, errno, "cannot open a bundle");
    if (pipe2(sync, O_CLOEXEC) != 0)
        return err_errno(err, errno, "cannot make a pipe");
    pid_t pid = fork();
    if (pid == 0)
        child_exec(w->in, &p, report, conf, sync[1]);
    close(sync[1]);
    if (pid < 0) {
        close(sync[0]);
        return err_errno(err, errno, "cannot start conmon");
    }
    int rc = sync_read(sync[0], &rec->pid, err);
    close(sync[0]);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
    if (rc != 0)
        return rc;
    rec->monitor_pid = pid_read(bundle_fd, "monitor.pid");
    rec->monitor_start = os_pid_start((pid_t)rec->monitor_pid);
    rec->pid_start = os_pid_start((pid_t)rec->pid);
    if (rec->monitor_start == 0 || rec->pid_start == 0)
        return err_set(err, BERR_INTERNAL, "the container ended before it began");
    return 0;
}

/* ---- afterwards ---- */

/* What `crun start` does, without starting a program for it: one byte into the fifo that PID 1 reads
 * from. The name is removed last, so that who finds it after a crash does it again; nobody reads any
 * more then, which is as good. */
static bool fifo_release(const struct instance *in, const char *key)
{
    char path[160];
    snprintf(path, sizeof(path), "crun/%s/exec.fifo", key);
    cleanup(fd_closep) int fd =
        openat(in->run_fd, path, O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 && errno != ENXIO)
        return false;
    if (fd >= 0 && write(fd, "", 1) != 1)
        return false;
    return unlinkat(in->run_fd, path, 0) == 0;
}

int monitor_release(const struct instance *in, const struct wire_key *key, struct err *err)
{
    char root[96], text[WIRE_KEY_TEXT_SIZE], group[GROUP_SIZE];
    if (str_has_suffix(in->runtime, "/crun") && fifo_release(in, wire_key_format(text, key)))
        return 0;
    /* Only now: moving a process waits some ten milliseconds for every processor. */
    int rc = os_cgroup_join(group_of_monitor(group, in, key), err);
    if (rc != 0)
        return rc;
    snprintf(root, sizeof(root), "--root=%s/crun", in->run);
    const char *const argv[] = {in->runtime, root, "start", wire_key_format(text, key), NULL};
    return work_run(argv, -1, -1, err);
}

bool monitor_is_waiting(const struct instance *in, const struct wire_key *key)
{
    char path[160], text[WIRE_KEY_TEXT_SIZE];
    snprintf(path, sizeof(path), "crun/%s/exec.fifo", wire_key_format(text, key));
    return file_exists(in->run_fd, path);
}

int monitor_exit_code(const struct instance *in, const struct wire_key *key)
{
    char path[160], text[WIRE_KEY_TEXT_SIZE];
    cleanup(buf_done) struct buf code = BUF(64);
    snprintf(path, sizeof(path), "exits/%s", wire_key_format(text, key));
    if (file_read(in->run_fd, path, &code, NULL) != 0 || code.len == 0)
        return -1;
    return (int)strtol(code.data, NULL, 10);
}

void monitor_report(const struct instance *in, const struct wire_key *key, char text[REPORT_MAX])
{
    char path[160], name[WIRE_KEY_TEXT_SIZE];
    text[0] = '\0';
    snprintf(path, sizeof(path), "bundles/%s/report", wire_key_format(name, key));
    cleanup(fd_closep) int fd = openat(in->run_fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return;
    ssize_t n = read(fd, text, REPORT_MAX - 1);
    text[n > 0 ? n : 0] = '\0';
    text[strcspn(text, "\n")] = '\0';
}

int monitor_clean(const struct instance *in, const struct wire_key *key, struct err *err)
{
    static const char *const dirs[] = {"crun", "exits", "links", "bundles"};
    char path[160], text[WIRE_KEY_TEXT_SIZE];
    wire_key_format(text, key);
    for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
        snprintf(path, sizeof(path), "%s/%s", dirs[i], text);
        int rc = tree_remove(in->run_fd, path, err);
        if (rc != 0)
            return rc;
    }
    return 0;
}
