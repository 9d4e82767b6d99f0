/*
 * idmap: on a tmpfs of its own first; where the kernel's tmpfs has no id mapping yet (before 6.3)
 * on a temporary directory of the disk.
 */
#include "cli/idmap.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/alloc.h"
#include "base/check.h"

int mount(const char *source, const char *target, const char *type, unsigned long flags,
          const void *data); /* sys/mount.h and linux/mount.h don't go together */
#define FLAG_REC     0x4000
#define FLAG_PRIVATE (1 << 18)

/* What the child tells by its exit code. */
enum step {
    WORKS,
    NO_NAMESPACE,
    NO_MOUNT,
    NO_DIRS,
    NO_USERNS,
    NO_TREE,
    NO_IDMAP,
    NO_PLACE,
    NO_OVERLAY
};
static const char *const step_words[] = {
    [WORKS] = "works",
    [NO_NAMESPACE] = "no private mount namespace",
    [NO_MOUNT] = "tmpfs can't be mounted",
    [NO_DIRS] = "no temporary directory",
    [NO_USERNS] = "no user namespace with an id map",
    [NO_TREE] = "open_tree is refused",
    [NO_IDMAP] = "mounts can't be id-mapped",
    [NO_PLACE] = "move_mount is refused",
    [NO_OVERLAY] = "overlay refuses an id-mapped layer",
};

static bool write_text(const char *path, const char *text)
{
    cleanup(fd_closep) int fd = open(path, O_WRONLY | O_CLOEXEC);
    return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

/* A user namespace 0 -> 100000, as a descriptor; its process is gone then. */
static int open_userns(void)
{
    char path[64];
    int ready[2], fd = -1;
    if (pipe(ready) != 0)
        return -1;
    pid_t pid = fork();
    if (pid == 0) {
        char c = unshare(CLONE_NEWUSER) == 0 ? 'y' : 'n';
        if (write(ready[1], &c, 1) == 1)
            pause();
        _exit(0);
    }
    char c = 0;
    if (pid > 0 && read(ready[0], &c, 1) == 1 && c == 'y') {
        snprintf(path, sizeof(path), "/proc/%d/uid_map", (int)pid);
        bool ok = write_text(path, "0 100000 65536");
        snprintf(path, sizeof(path), "/proc/%d/gid_map", (int)pid);
        ok = ok && write_text(path, "0 100000 65536");
        snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
        fd = ok ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    }
    if (pid > 0) {
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
    }
    close(ready[0]);
    close(ready[1]);
    return fd;
}

static enum step try_in(const char *base, int userns)
{
    char path[300], data[1200];
    static const char *const dirs[] = {"lower", "mapped", "upper", "work", "merged"};
    for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
        snprintf(path, sizeof(path), "%s/%s", base, dirs[i]);
        if (mkdir(path, 0755) != 0)
            return NO_DIRS;
    }
    snprintf(path, sizeof(path), "%s/lower", base);
    int tree = (int)syscall(SYS_open_tree, AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    if (tree < 0)
        return NO_TREE;
    struct mount_attr attr = {.attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (unsigned)userns};
    if (syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &attr, sizeof(attr)) != 0)
        return NO_IDMAP;
    snprintf(path, sizeof(path), "%s/mapped", base);
    if (syscall(SYS_move_mount, tree, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH) != 0)
        return NO_PLACE;
    snprintf(data, sizeof(data), "lowerdir=%s/mapped,upperdir=%s/upper,workdir=%s/work", base, base,
             base);
    snprintf(path, sizeof(path), "%s/merged", base);
    return mount("overlay", path, "overlay", 0, data) == 0 ? WORKS : NO_OVERLAY;
}

/* In a child: its mounts end with it. */
static enum step run_child(const char *base, bool on_tmpfs)
{
    pid_t pid = fork();
    if (pid == 0) {
        if (unshare(CLONE_NEWNS) != 0 ||
            mount("none", "/", NULL, FLAG_REC | FLAG_PRIVATE, NULL) != 0)
            _exit(NO_NAMESPACE);
        if (on_tmpfs && mount("tmpfs", base, "tmpfs", 0, "size=1m") != 0)
            _exit(NO_MOUNT);
        int userns = open_userns();
        _exit(userns < 0 ? NO_USERNS : try_in(base, userns));
    }
    int status = 0;
    if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
        return NO_NAMESPACE;
    return (enum step)WEXITSTATUS(status);
}

static void remove_dirs(const char *base)
{
    static const char *const dirs[] = {"lower", "mapped", "upper", "work/work",
                                       "work",  "merged", ""};
    char path[300];
    for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
        snprintf(path, sizeof(path), "%s/%s", base, dirs[i]);
        rmdir(path);
    }
}

bool cli_try_idmapped_overlay(char *why, size_t size)
{
    char base[] = "/var/tmp/berth-doctor-XXXXXX";
    if (!mkdtemp(base)) {
        snprintf(why, size, "%s: %s", step_words[NO_DIRS], strerror(errno));
        return false;
    }
    enum step step = run_child(base, false);
    if (step == NO_IDMAP || step == NO_OVERLAY) {
        remove_dirs(base);
        if (mkdir(base, 0700) == 0)
            step = run_child(base, true);
    }
    remove_dirs(base);
    snprintf(why, size, "%s", step_words[step]);
    return step == WORKS;
}
