#include "os/loop.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include "base/alloc.h"
#include "base/str.h"

/* Between GET_FREE and CONFIGURE another process may take the number: try the next one. */
#define ATTACH_TRIES 1000

static int loop_open(const char *name, struct os_loop *ret)
{
    snprintf(ret->path, sizeof(ret->path), "/dev/%.12s", name);
    ret->fd = open(ret->path, O_RDWR | O_CLOEXEC);
    return ret->fd < 0 ? -errno : 0;
}

int os_loop_attach(int file_fd, struct os_loop *ret, struct err *err)
{
    struct loop_config config = {
        .fd = (uint32_t)file_fd, .block_size = 4096, .info = {.lo_flags = LO_FLAGS_AUTOCLEAR}};
    cleanup(fd_closep) int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
    if (control < 0)
        return err_errno(err, errno, "cannot open /dev/loop-control");
    for (int i = 0; i < ATTACH_TRIES; i++) {
        char name[16];
        struct os_loop loop;
        int number = ioctl(control, LOOP_CTL_GET_FREE);
        if (number < 0)
            return err_errno(err, errno, "no free loop device");
        snprintf(name, sizeof(name), "loop%d", number);
        int rc = loop_open(name, &loop);
        if (rc == 0 && ioctl(loop.fd, LOOP_CONFIGURE, &config) == 0) {
            *ret = loop;
            return 0;
        }
        if (rc == 0) {
            rc = -errno;
            close(loop.fd);
        }
        if (rc == -ENOENT || rc == -ENXIO)
            usleep(1000); /* devtmpfs has not made the node yet */
        else if (rc != -EBUSY)
            return err_errno(err, -rc, "cannot set up %s", loop.path);
    }
    return err_set(err, BERR_BUSY, "no loop device could be had");
}

static bool loop_has(int loop_fd, const struct stat *st)
{
    struct loop_info64 info;
    return ioctl(loop_fd, LOOP_GET_STATUS64, &info) == 0 && info.lo_inode == st->st_ino &&
           info.lo_device == st->st_dev;
}

/* sysfs names the file of a device in use: cheap, so that only likely ones are opened. */
static bool loop_is_used(const char *name)
{
    char path[300];
    snprintf(path, sizeof(path), "/sys/block/%s/loop/backing_file", name);
    return access(path, F_OK) == 0;
}

int os_loop_find(int file_fd, struct os_loop *ret, struct err *err)
{
    struct stat st;
    if (fstat(file_fd, &st) != 0)
        return err_errno(err, errno, "cannot look at a file");
    DIR *dir = opendir("/sys/block");
    if (dir == NULL)
        return err_errno(err, errno, "cannot list block devices");
    struct dirent *ent;
    bool found = false;
    while (!found && (ent = readdir(dir)) != NULL) {
        struct os_loop loop;
        if (!str_has_prefix(ent->d_name, "loop") || !loop_is_used(ent->d_name) ||
            loop_open(ent->d_name, &loop) != 0)
            continue;
        /* Asked while it is held open: from here on it does not clear itself. */
        found = loop_has(loop.fd, &st);
        if (found)
            *ret = loop;
        else
            close(loop.fd);
    }
    closedir(dir);
    return found ? 0 : err_set(err, BERR_NOT_FOUND, "the file is on no loop device");
}

int os_loop_resized(int loop_fd, struct err *err)
{
    if (ioctl(loop_fd, LOOP_SET_CAPACITY, 0) != 0)
        return err_errno(err, errno, "cannot grow a loop device");
    return 0;
}
