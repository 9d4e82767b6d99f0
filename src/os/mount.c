#include "os/mount.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/alloc.h"

/* <sys/mount.h> and <linux/mount.h> cannot both be included with glibc 2.36; these few are stable. */
int mount(const char *source, const char *target, const char *type, unsigned long flags,
          const void *data);
#define OLD_MS_REC   16384ul
#define OLD_MS_NODEV 4ul
#define OLD_MS_SLAVE (1ul << 19)
#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif

static int sys_open_tree(int dir_fd, const char *path, unsigned flags)
{
    return (int)syscall(SYS_open_tree, dir_fd, path, flags);
}

static int sys_move_mount(int from_fd, int to_fd, const char *to)
{
    return (int)syscall(SYS_move_mount, from_fd, "", to_fd, to, MOVE_MOUNT_F_EMPTY_PATH);
}

static int sys_mount_setattr(int fd, struct mount_attr *attr)
{
    return (int)syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH, attr, sizeof(*attr));
}

static int sys_fsconfig(int fd, unsigned cmd, const char *key, const void *value, int aux)
{
    return (int)syscall(SYS_fsconfig, fd, cmd, key, value, aux);
}

int os_mount_private(struct err *err)
{
    if (unshare(CLONE_NEWNS) != 0)
        return err_errno(err, errno, "cannot make a mount namespace");
    if (mount(NULL, "/", NULL, OLD_MS_REC | OLD_MS_SLAVE, NULL) != 0)
        return err_errno(err, errno, "cannot make the mounts private");
    return 0;
}

/* ---- id maps ---- */

static int map_write(pid_t pid, const char *name, const char *line)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    ssize_t n = write(fd, line, strlen(line));
    int rc = n < 0 ? -errno : 0;
    close(fd);
    return rc;
}

/* A process that only exists in a new user namespace, until it is killed. */
static pid_t holder_start(void)
{
    pid_t parent = getpid();
    pid_t pid = (pid_t)syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, NULL);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        while (getppid() == parent) /* it may have died before the line above */
            pause();
        _exit(0);
    }
    return pid;
}

int os_idmap_open(uint32_t disk, uint32_t seen, uint32_t count, int *ret_fd, struct err *err)
{
    char line[64], path[64];
    pid_t pid = holder_start();
    if (pid < 0)
        return err_errno(err, errno, "cannot make a user namespace");
    snprintf(line, sizeof(line), "%u %u %u\n", disk, seen, count);
    int rc = map_write(pid, "uid_map", line), fd = -1;
    if (rc == 0)
        rc = map_write(pid, "gid_map", line);
    if (rc == 0) {
        snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        rc = fd < 0 ? -errno : 0;
    }
    kill(pid, SIGKILL);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
    if (rc != 0)
        return err_errno(err, -rc, "cannot set up an id map");
    *ret_fd = fd;
    return 0;
}

int os_mount_idmap(int mount_fd, int idmap_fd, struct err *err)
{
    struct mount_attr attr = {.attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)idmap_fd};
    if (sys_mount_setattr(mount_fd, &attr) != 0)
        return err_errno(err, errno, "cannot map the ids of a mount");
    return 0;
}

int os_mount_attrs(int mount_fd, unsigned attrs, struct err *err)
{
    struct mount_attr attr = {.attr_set = attrs};
    if (sys_mount_setattr(mount_fd, &attr) != 0)
        return err_errno(err, errno, "cannot set the attributes of a mount");
    return 0;
}

/* ---- making ---- */

/* The kernel puts its own words for a failed mount into the context. */
static int fs_fail(int fs_fd, int errnum, struct err *err, const char *what)
{
    char text[256] = "";
    ssize_t n = read(fs_fd, text, sizeof(text) - 1);
    if (n > 2) {
        text[n] = '\0';
        text[strcspn(text, "\n")] = '\0';
        return err_errno(err, errnum, "cannot mount %s (%s)", what, text + 2);
    }
    return err_errno(err, errnum, "cannot mount %s", what);
}

int os_mount_device(const char *fstype, const char *device, unsigned attrs, int *ret_fd,
                    struct err *err)
{
    cleanup(fd_closep) int fs_fd = (int)syscall(SYS_fsopen, fstype, FSOPEN_CLOEXEC);
    if (fs_fd < 0)
        return err_errno(err, errno, "cannot use the file system %s", fstype);
    if (sys_fsconfig(fs_fd, FSCONFIG_SET_STRING, "source", device, 0) != 0 ||
        sys_fsconfig(fs_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) != 0)
        return fs_fail(fs_fd, errno, err, device);
    int fd = (int)syscall(SYS_fsmount, fs_fd, FSMOUNT_CLOEXEC, attrs);
    if (fd < 0)
        return fs_fail(fs_fd, errno, err, device);
    *ret_fd = fd;
    return 0;
}

int os_mount_clone(int dir_fd, const char *path, bool recursive, int *ret_fd, struct err *err)
{
    unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_SYMLINK_NOFOLLOW;
    int fd = sys_open_tree(dir_fd, path, flags | (recursive ? AT_RECURSIVE : 0u));
    if (fd < 0)
        return err_errno(err, errno, "cannot open %s for mounting", path);
    *ret_fd = fd;
    return 0;
}

int os_mount_attach(int mount_fd, int dir_fd, const char *path, struct err *err)
{
    if (sys_move_mount(mount_fd, dir_fd, path) != 0)
        return err_errno(err, errno, "cannot mount at %s", path);
    return 0;
}

int os_mount_overlay(const char *lower, const char *upper, const char *work, const char *path,
                     struct err *err)
{
    char options[4096];
    /* userxattr: opaque directories are marked by user.overlay.opaque, which layers are unpacked
     * with in a user namespace (src/unpack). */
    int n = snprintf(options, sizeof(options), "userxattr,lowerdir=%s,upperdir=%s,workdir=%s",
                     lower, upper, work);
    if (n < 0 || (size_t)n >= sizeof(options))
        return err_set(err, BERR_TOO_LARGE, "too many layers for one overlay");
    if (mount("overlay", path, "overlay", OLD_MS_NODEV, options) != 0)
        return err_errno(err, errno, "cannot mount the overlay at %s", path);
    return 0;
}

int os_mount_tmpfs(const char *path, const char *options, struct err *err)
{
    if (mount("tmpfs", path, "tmpfs", 0, options) != 0)
        return err_errno(err, errno, "cannot mount a tmpfs at %s", path);
    return 0;
}
