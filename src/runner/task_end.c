/* How a task starts, ends and is taken away: the second half of its life. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/alloc.h"
#include "base/str.h"
#include "base/units.h"
#include "os/cgroup.h"
#include "os/clock.h"
#include "os/link.h"
#include "os/loop.h"
#include "os/pidfd.h"
#include "runner/files.h"
#include "runner/monitor.h"
#include "runner/net.h"
#include "runner/rootfs.h"
#include "runner/task.h"

#define KILL_TIMEOUT_MS 20000
#define LOOP_TIMEOUT_MS 5000

int64_t task_now_ms(void)
{
    return os_clock_real()->wall_ms(NULL);
}

/* ---- start ---- */

static int release(const struct work *w, struct record *rec, struct err *err)
{
    int rc = monitor_release(w->in, &rec->facts.key, err);
    if (rc == 0)
        return 0;
    /* It cannot be said how far it came: end it, and let its end tell why. */
    char group[GROUP_SIZE];
    struct err why = {0};
    rec->facts.failure = WIRE_FAILURE_ENGINE;
    rec->facts.text = err != NULL ? err->text : "the container could not be started";
    (void)record_save(w->in, rec, false, NULL);
    (void)os_cgroup_kill(group_of_task(group, w->in, &rec->facts.key), KILL_TIMEOUT_MS, &why);
    return rc;
}

int work_task_start(const struct work *w, const void *args, void *reply, struct err *err)
{
    const struct wire_task_ref *ref = args;
    struct record rec;
    char text[WIRE_KEY_TEXT_SIZE];
    int rc = record_load(w->in, &ref->key, w->arena, &rec, err);
    if (rc != 0)
        return rc;
    if (rec.facts.state != WIRE_TASK_CREATED) {
        *(struct wire_task *)reply = rec.facts;
        bool is_later = rec.facts.state == WIRE_TASK_RUNNING || rec.facts.state == WIRE_TASK_ENDED;
        return is_later
                   ? 0
                   : err_set(err, BERR_CONFLICT, "task %s is %s", wire_key_format(text, &ref->key),
                             wire_task_state_names[rec.facts.state]);
    }
    rec.facts.state = WIRE_TASK_RUNNING;
    rec.facts.started_ms = task_now_ms();
    rc = record_save(w->in, &rec, false, err);
    if (rc == 0)
        rc = release(w, &rec, err);
    if (rc == 0)
        *(struct wire_task *)reply = rec.facts;
    return rc;
}

int work_task_restart(const struct work *w, const void *args, void *reply, struct err *err)
{
    const struct wire_task_ref *ref = args;
    struct record rec;
    (void)reply;
    int rc = record_load(w->in, &ref->key, w->arena, &rec, err);
    if (rc != 0 || rec.facts.state != WIRE_TASK_RUNNING || !monitor_is_waiting(w->in, &ref->key))
        return rc;
    return release(w, &rec, err);
}

/* ---- end ---- */

/* "exit 3", "signal 9", "start-error TEXT": see init/report.h. */
static void facts_from_report(struct wire_task *facts, const char *report, struct arena *arena)
{
    if (str_has_prefix(report, "exit ")) {
        facts->exit_code = strtol(report + 5, NULL, 10);
    } else if (str_has_prefix(report, "signal ")) {
        facts->signal = strtol(report + 7, NULL, 10);
    } else if (str_has_prefix(report, "start-error ")) {
        facts->failure = WIRE_FAILURE_START;
        facts->text = arena_strdup(arena, report + 12);
        facts->exit_code = 127;
    }
}

static void facts_from_exit(struct wire_task *facts, int code)
{
    if (code < 0) {
        facts->failure = WIRE_FAILURE_ENGINE;
        facts->text = "the monitor of the task died";
        facts->signal = 9;
    } else if (code > 128) {
        facts->signal = code - 128; /* berth-init itself was killed */
    } else {
        facts->exit_code = code;
    }
}

/* The log as it will stay: its end says when something is missing. */
static int log_close(const struct instance *in, struct record *rec, struct err *err)
{
    char path[LOG_PATH_SIZE], when[UNITS_TEXT_MAX], cap[UNITS_TEXT_MAX], line[256];
    struct stat st;
    log_of_task(path, &rec->facts.key);
    cleanup(fd_closep) int fd = openat(in->logs_fd, path, O_WRONLY | O_APPEND | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return 0;
    if (fd < 0 || fstat(fd, &st) != 0)
        return err_errno(err, errno, "cannot open the log %s", path);
    /* conmon stops before the line that would cross the cap. */
    rec->facts.log_cut = (uint64_t)st.st_size >= rec->log_max_bytes;
    if (rec->facts.log_cut) {
        units_format_time(when, rec->facts.ended_ms);
        units_human_bytes(cap, rec->log_max_bytes);
        int n =
            snprintf(line, sizeof(line),
                     "%s stderr F berth: the log reached its limit of %s; later output is lost\n",
                     when, cap);
        if (write(fd, line, (size_t)n) != n)
            return err_errno(err, errno, "cannot write the log %s", path);
    }
    if (fdatasync(fd) != 0 || fstat(fd, &st) != 0)
        return err_errno(err, errno, "cannot write the log %s", path);
    rec->facts.log_bytes = (uint64_t)st.st_size;
    return 0;
}

/* The mounts of a dead task go when the kernel gets to it; then no device has its disk any more. */
static int disk_release(const struct instance *in, const char *key, struct err *err)
{
    char path[WIRE_KEY_TEXT_SIZE + 16];
    snprintf(path, sizeof(path), "%s/disk.img", key);
    cleanup(fd_closep) int fd = openat(in->tasks_fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return 0;
    for (int waited_ms = 0;; waited_ms += 5) {
        struct os_loop loop;
        if (os_loop_find(fd, &loop, NULL) != 0)
            return 0;
        close(loop.fd);
        if (waited_ms >= LOOP_TIMEOUT_MS)
            return err_set(err, BERR_TIMEOUT, "the disk of task %s is still in use", key);
        os_sleep_ms(5);
    }
}

/* PID 1 of a container is dead only when every other process of its namespace is, wherever their
 * cgroups may be: the proof that nothing runs or holds anything. */
static int container_kill(const struct instance *in, const struct record *rec, struct err *err)
{
    char group[GROUP_SIZE], name[WIRE_KEY_TEXT_SIZE];
    bool is_this_boot = rec->boot_id != NULL && strcmp(rec->boot_id, in->boot_id) == 0;
    cleanup(fd_closep) int pidfd =
        is_this_boot ? os_pidfd_open((pid_t)rec->pid, rec->pid_start) : -1;
    /* The makers first: as long as conmon and the runtime live they may put more into the other. */
    int rc = os_cgroup_kill(group_of_monitor(group, in, &rec->facts.key), KILL_TIMEOUT_MS, err);
    if (rc == 0)
        rc = os_cgroup_kill(group_of_task(group, in, &rec->facts.key), KILL_TIMEOUT_MS, err);
    if (rc == 0 && pidfd >= 0)
        (void)os_pidfd_kill(pidfd, SIGKILL);
    if (rc == 0 && pidfd >= 0 && !os_pidfd_wait(pidfd, KILL_TIMEOUT_MS))
        rc = err_set(err, BERR_TIMEOUT, "PID 1 of task %s does not die",
                     wire_key_format(name, &rec->facts.key));
    return rc;
}

/* Log first: a length that is told is there. */
static int facts_close(const struct instance *in, struct record *rec, struct err *err)
{
    rec->facts.state = WIRE_TASK_ENDED;
    rec->facts.frozen = false;
    rec->facts.ended_ms = task_now_ms();
    int rc = log_close(in, rec, err);
    return rc == 0 ? record_save(in, rec, true, err) : rc;
}

static void facts_gather(const struct work *w, struct record *rec)
{
    const struct instance *in = w->in;
    struct wire_task *facts = &rec->facts;
    struct os_cgroup_stat stat;
    char group[GROUP_SIZE], report[REPORT_MAX], name[WIRE_KEY_TEXT_SIZE];
    if (strcmp(rec->boot_id, in->boot_id) != 0) {
        facts->failure = WIRE_FAILURE_NODE;
        facts->text = "the machine was restarted";
        return;
    }
    os_cgroup_stat(group_of_task(group, in, &facts->key), &stat);
    facts->out_of_memory = stat.oom_kills > 0;
    monitor_report(in, &facts->key, report);
    if (report[0] != '\0') {
        facts_from_report(facts, report, w->arena);
        facts->disk_full = str_has_suffix(report, " full");
        return;
    }
    if (facts->failure == WIRE_FAILURE_NONE)
        facts_from_exit(facts, monitor_exit_code(in, &facts->key));
    /* berth-init could not look; the disk itself tells, once it is unmounted. */
    wire_key_format(name, &facts->key);
    facts->disk_full = disk_release(in, name, NULL) == 0 && rootfs_is_full(in, &facts->key);
}

int task_end_as_lost(const struct instance *in, struct record *rec, const char *text,
                     struct err *err)
{
    if (rec->facts.state != WIRE_TASK_RUNNING && rec->facts.state != WIRE_TASK_CREATED)
        return 0;
    rec->facts.failure = WIRE_FAILURE_NODE;
    rec->facts.text = text;
    return facts_close(in, rec, err);
}

int work_task_end(const struct work *w, const void *args, void *reply, struct err *err)
{
    const struct wire_task_ref *ref = args;
    const struct instance *in = w->in;
    struct record rec;
    int rc = record_load(in, &ref->key, w->arena, &rec, err);
    if (rc != 0)
        return rc;
    if (rec.facts.state != WIRE_TASK_RUNNING && rec.facts.state != WIRE_TASK_CREATED) {
        *(struct wire_task *)reply = rec.facts;
        return 0;
    }
    /* Most often all are dead already; not when it was conmon that was killed. */
    rc = container_kill(in, &rec, err);
    if (rc != 0)
        return rc;
    facts_gather(w, &rec);
    rc = facts_close(in, &rec, err);
    if (rc == 0)
        *(struct wire_task *)reply = rec.facts;
    return rc;
}

/* ---- delete ---- */

int task_release(const struct instance *in, const struct record *rec, struct err *err)
{
    const struct wire_key *key = &rec->facts.key;
    char group[GROUP_SIZE], text[WIRE_KEY_TEXT_SIZE], path[WIRE_KEY_TEXT_SIZE + 16], veth[16];
    int rc = container_kill(in, rec, err);
    if (rc == 0 && rec->facts.address != NULL && rec->facts.address[0] != '\0')
        rc = os_link_remove(veth_of_task(veth, in, rec->facts.address), err);
    if (rc == 0)
        rc = os_cgroup_remove(group_of_task(group, in, key), err);
    if (rc == 0)
        rc = os_cgroup_remove(group_of_monitor(group, in, key), err);
    if (rc == 0)
        rc = disk_release(in, wire_key_format(text, key), err);
    snprintf(path, sizeof(path), "%s/disk.img", wire_key_format(text, key));
    if (rc == 0)
        rc = tree_remove(in->tasks_fd, path, err);
    return rc == 0 ? monitor_clean(in, key, err) : rc;
}

int task_undo(const struct instance *in, const struct wire_key *key, struct err *err)
{
    struct arena arena = ARENA(64 * 1024);
    struct record rec = {0};
    char text[WIRE_KEY_TEXT_SIZE];
    if (record_load(in, key, &arena, &rec, NULL) != 0)
        rec = (struct record){.facts.key = *key};
    int rc = task_release(in, &rec, err);
    if (rc == 0)
        rc = tree_remove(in->tasks_fd, wire_key_format(text, key), err);
    arena_done(&arena);
    return rc;
}

int work_task_undo(const struct work *w, const void *args, void *reply, struct err *err)
{
    const struct wire_task_ref *ref = args;
    (void)reply;
    return task_undo(w->in, &ref->key, err);
}

int work_task_delete(const struct work *w, const void *args, void *reply, struct err *err)
{
    const struct wire_task_ref *ref = args;
    struct record rec;
    (void)reply;
    int rc = record_load(w->in, &ref->key, w->arena, &rec, NULL);
    if (rc == 0 && rec.facts.state != WIRE_TASK_DELETING) {
        rec.facts.state = WIRE_TASK_DELETING;
        rc = record_save(w->in, &rec, false, err);
        if (rc != 0 && rc != -BERR_NO_SPACE) /* a full disk must not keep what would free it */
            return rc;
    }
    return task_undo(w->in, &ref->key, err);
}
