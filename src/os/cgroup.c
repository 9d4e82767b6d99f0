#include "os/cgroup.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>
#include "base/str.h"
#include "os/pidfd.h"

#define ROOT          "/sys/fs/cgroup"
#define CGROUP2_MAGIC 0x63677270
#define BOOKKEEPING \
    "pids" /* the version 1 hierarchy for groups that only keep processes together */
#define DEPTH_MAX 8

enum os_cgroup_mode os_cgroup_mode(void)
{
    static int mode = -1;
    struct statfs fs;
    if (mode < 0) {
        if (statfs(ROOT, &fs) == 0 && fs.f_type == CGROUP2_MAGIC)
            mode = OS_CGROUP_V2;
        else if (statfs(ROOT "/unified", &fs) == 0 && fs.f_type == CGROUP2_MAGIC)
            mode = OS_CGROUP_HYBRID;
        else
            mode = OS_CGROUP_V1;
    }
    return (enum os_cgroup_mode)mode;
}

const char *os_cgroup_mode_name(enum os_cgroup_mode mode)
{
    static const char *const names[] = {"v1", "hybrid", "v2"};
    return names[mode];
}

static int64_t now_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* ---- walking ---- */

typedef int group_fn(const char *path, void *arg); /* path: a directory; nonzero ends the walk */

/* The group's directory below one hierarchy, children first. */
static int walk(const char *path, int depth, group_fn *fn, void *arg)
{
    DIR *dir = opendir(path);
    if (dir == NULL)
        return errno == ENOENT ? 0 : -errno;
    int rc = 0;
    struct dirent *ent;
    while (rc == 0 && depth < DEPTH_MAX && (ent = readdir(dir)) != NULL) {
        char child[PATH_MAX];
        if (ent->d_type != DT_DIR || ent->d_name[0] == '.')
            continue;
        snprintf(child, sizeof(child), "%s/%s", path, ent->d_name);
        rc = walk(child, depth + 1, fn, arg);
    }
    closedir(dir);
    return rc != 0 ? rc : fn(path, arg);
}

/* The group in every hierarchy. */
static int each(const char *group, group_fn *fn, void *arg)
{
    char path[PATH_MAX];
    if (os_cgroup_mode() == OS_CGROUP_V2) {
        snprintf(path, sizeof(path), ROOT "%s", group);
        return walk(path, 0, fn, arg);
    }
    DIR *dir = opendir(ROOT);
    if (dir == NULL)
        return -errno;
    int rc = 0;
    struct dirent *ent;
    while (rc == 0 && (ent = readdir(dir)) != NULL) {
        if (ent->d_type != DT_DIR || ent->d_name[0] == '.' || /* links are names of the same */
            strcmp(ent->d_name, "unified") == 0)
            continue;
        snprintf(path, sizeof(path), ROOT "/%s%s", ent->d_name, group);
        rc = walk(path, 0, fn, arg);
    }
    closedir(dir);
    return rc;
}

/* ---- files ---- */

static const char *file_path(char dst[PATH_MAX], const char *controller, const char *group,
                             const char *file)
{
    if (os_cgroup_mode() == OS_CGROUP_V2)
        snprintf(dst, PATH_MAX, ROOT "%s/%s", group, file);
    else
        snprintf(dst, PATH_MAX, ROOT "/%s%s/%s", controller, group, file);
    return dst;
}

static ssize_t file_read(const char *path, char *dst, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    ssize_t n = read(fd, dst, size - 1);
    if (n < 0)
        n = -errno;
    close(fd);
    dst[n > 0 ? n : 0] = '\0';
    return n;
}

static int file_write(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int rc = write(fd, text, strlen(text)) < 0 ? -errno : 0;
    close(fd);
    return rc;
}

static uint64_t read_u64(const char *controller, const char *group, const char *file)
{
    char path[PATH_MAX], text[64];
    if (file_read(file_path(path, controller, group, file), text, sizeof(text)) <= 0)
        return 0;
    return strtoull(text, NULL, 10);
}

/* The number behind "key " at the start of a line. */
static uint64_t read_key(const char *controller, const char *group, const char *file,
                         const char *key)
{
    char path[PATH_MAX], text[4096];
    if (file_read(file_path(path, controller, group, file), text, sizeof(text)) <= 0)
        return 0;
    size_t len = strlen(key);
    for (const char *line = text; line != NULL && *line != '\0';) {
        if (strncmp(line, key, len) == 0 && line[len] == ' ')
            return strtoull(line + len + 1, NULL, 10);
        line = strchr(line, '\n');
        if (line != NULL)
            line++;
    }
    return 0;
}

/* ---- processes ---- */

int os_cgroup_join(const char *group, struct err *err)
{
    char path[PATH_MAX], part[PATH_MAX];
    file_path(path, BOOKKEEPING, group, "cgroup.procs");
    /* The directories one after the other, from the first below the hierarchy's root. */
    for (char *p = strchr(path + sizeof(ROOT), '/'); p != NULL; p = strchr(p + 1, '/')) {
        snprintf(part, sizeof(part), "%.*s", (int)(p - path), path);
        if (mkdir(part, 0755) != 0 && errno != EEXIST)
            return err_errno(err, errno, "cannot make the cgroup %s", part);
    }
    int rc = file_write(path, "0");
    return rc == 0 ? 0 : err_errno(err, -rc, "cannot join the cgroup %s", group);
}

/* cgroup.procs leaves out a process as soon as it begins to die, while it still holds its files and
 * devices: what is killed is waited for by pidfd. A process number a descriptor; of a fork bomb the
 * first ones, among them PID 1 of its namespace, which is done only when all the others are. */
#define PIDFDS_MAX 128

struct kill_state {
    bool kills; /* false: only counts */
    size_t count;
    int pidfds[PIDFDS_MAX];
    size_t pidfd_count;
};

static void proc_kill(struct kill_state *state, pid_t pid)
{
    int fd = state->pidfd_count < PIDFDS_MAX ? os_pidfd_open(pid, 0) : -1;
    if (fd >= 0) {
        (void)os_pidfd_kill(fd, SIGKILL);
        state->pidfds[state->pidfd_count++] = fd;
    } else {
        kill(pid, SIGKILL);
    }
}

static int procs_kill(const char *dir, void *arg)
{
    struct kill_state *state = arg;
    char path[PATH_MAX], line[32];
    snprintf(path, sizeof(path), "%s/cgroup.procs", dir);
    FILE *f = fopen(path, "re");
    if (f == NULL)
        return errno == ENOENT || errno == ENODEV ? 0 : -errno;
    while (fgets(line, sizeof(line), f) != NULL) {
        pid_t pid = (pid_t)strtol(line, NULL, 10);
        state->count++;
        if (state->kills && pid > 0)
            proc_kill(state, pid);
    }
    fclose(f);
    return 0;
}

/* Closes them; false when one is not dead by then. */
static bool dead_await(struct kill_state *state, int64_t end_ms)
{
    bool are_dead = true;
    for (size_t i = 0; i < state->pidfd_count; i++) {
        int64_t left = end_ms - now_ms();
        are_dead = os_pidfd_wait(state->pidfds[i], left > 0 ? (int)left : 0) && are_dead;
        close(state->pidfds[i]);
    }
    state->pidfd_count = 0;
    return are_dead;
}

bool os_cgroup_is_empty(const char *group)
{
    struct kill_state state = {0};
    return each(group, procs_kill, &state) == 0 && state.count == 0;
}

int os_cgroup_freeze(const char *group, bool frozen, struct err *err)
{
    char path[PATH_MAX];
    int rc;
    if (os_cgroup_mode() == OS_CGROUP_V2)
        rc = file_write(file_path(path, "", group, "cgroup.freeze"), frozen ? "1" : "0");
    else
        rc = file_write(file_path(path, "freezer", group, "freezer.state"),
                        frozen ? "FROZEN" : "THAWED");
    return rc == 0 ? 0 : err_errno(err, -rc, "cannot %s the cgroup", frozen ? "freeze" : "thaw");
}

int os_cgroup_kill(const char *group, int timeout_ms, struct err *err)
{
    char path[PATH_MAX];
    int64_t end_ms = now_ms() + timeout_ms;
    /* A fork bomb races with the list: repeat until a look finds nobody. */
    for (;;) {
        struct kill_state state = {.kills = true};
        int rc = each(group, procs_kill, &state);
        if (rc == 0 && state.count == 0)
            return 0;
        if (os_cgroup_mode() == OS_CGROUP_V2)
            (void)file_write(file_path(path, "", group, "cgroup.kill"), "1");
        else
            (void)os_cgroup_freeze(group, false, NULL); /* frozen ones die when they thaw */
        bool are_dead = dead_await(&state, end_ms);
        if (rc != 0)
            return err_errno(err, -rc, "cannot list the processes of %s", group);
        if (!are_dead || now_ms() >= end_ms)
            return err_set(err, BERR_TIMEOUT, "%zu processes of %s do not die", state.count, group);
    }
}

static int dir_remove(const char *path, void *arg)
{
    (void)arg;
    /* The last process may not be reaped yet. */
    for (int i = 0; i < 500; i++) {
        if (rmdir(path) == 0 || errno == ENOENT)
            return 0;
        if (errno != EBUSY)
            return -errno;
        usleep(2000);
    }
    return -EBUSY;
}

/* Where the second version is hidden from crun it still makes the group there, as plain files. */
static void shadow_remove(const char *group)
{
    char path[PATH_MAX];
    snprintf(path, sizeof(path), ROOT "/unified%s/cgroup.procs", group);
    unlink(path);
    *strrchr(path, '/') = '\0';
    rmdir(path);
}

int os_cgroup_remove(const char *group, struct err *err)
{
    if (os_cgroup_mode() == OS_CGROUP_HYBRID)
        shadow_remove(group);
    int rc = each(group, dir_remove, NULL);
    return rc == 0 ? 0 : err_errno(err, -rc, "cannot remove the cgroup %s", group);
}

/* ---- figures ---- */

void os_cgroup_stat(const char *group, struct os_cgroup_stat *ret)
{
    *ret = (struct os_cgroup_stat){0};
    if (os_cgroup_mode() == OS_CGROUP_V2) {
        ret->cpu_ms = (int64_t)(read_key("", group, "cpu.stat", "usage_usec") / 1000);
        ret->memory_bytes = read_u64("", group, "memory.current");
        ret->memory_peak_bytes = read_u64("", group, "memory.peak");
        ret->oom_kills = read_key("", group, "memory.events", "oom_kill");
    } else {
        ret->cpu_ms = (int64_t)(read_u64("cpuacct", group, "cpuacct.usage") / 1000000);
        ret->memory_bytes = read_u64("memory", group, "memory.usage_in_bytes");
        ret->memory_peak_bytes = read_u64("memory", group, "memory.max_usage_in_bytes");
        ret->oom_kills = read_key("memory", group, "memory.oom_control", "oom_kill");
    }
    ret->processes = read_u64("pids", group, "pids.current");
}
