#include "runner/disk.h"
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/mount.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/alloc.h"
#include "base/id.h"
#include "os/mount.h"
#include "runner/files.h"
#include "runner/rootfs.h"

#define BLOCK              4096u
#define TEMPLATE_VERSION   2 /* in the file's name: a change of form makes new ones */
#define FREE_BLOCKS_FULL   16u
#define EXT4_IOC_RESIZE_FS _IOW('f', 16, uint64_t)

static int mke2fs(const struct work *w, const char *path, bool is_volume, struct err *err)
{
    /* A task's disk is copied for each task: nothing of what only growing and mending need. */
    const char *features = is_volume
                               ? "has_journal,^huge_file,uninit_bg"
                               : "^has_journal,^huge_file,uninit_bg,^resize_inode,sparse_super2";
    char extended[160];
    snprintf(extended, sizeof(extended),
             "lazy_itable_init=1,lazy_journal_init=1,nodiscard,root_owner=%u:%u%s",
             w->in->storage_id, w->in->storage_id, is_volume ? "" : ",packed_meta_blocks=1");
    const char *const argv[] = {"/sbin/mke2fs", "-q", "-F",     "-t", "ext4", "-b",
                                "4096",         "-m", "0",      "-I", "256",  "-O",
                                features,       "-E", extended, path, NULL};
    return work_run(argv, -1, -1, err);
}

/* Opens an empty file of that length under a temporary name. */
static int image_new(int dir_fd, const char *name, uint64_t bytes, int *ret_fd, struct err *err)
{
    int fd = openat(dir_fd, name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return err_errno(err, errno, "cannot make %s", name);
    if (ftruncate(fd, (off_t)(bytes / BLOCK * BLOCK)) != 0) {
        int errnum = errno;
        close(fd);
        return err_errno(err, errnum, "cannot make %s", name);
    }
    *ret_fd = fd;
    return 0;
}

/* Makes directories in a fresh file system, in a mount namespace that only this process has. */
static int fill(const struct work *w, int file_fd, bool is_volume, struct err *err)
{
    cleanup(fd_closep) int mount_fd = -1;
    cleanup(fd_closep) int root = -1;
    struct os_loop loop;
    int rc = os_loop_attach(file_fd, &loop, err);
    if (rc != 0)
        return rc;
    rc = os_mount_device("ext4", loop.path, 0, &mount_fd, err);
    close(loop.fd);
    if (rc == 0)
        rc = dir_open(mount_fd, ".", &root, err);
    if (rc != 0)
        return rc;
    uid_t user = w->in->storage_id + 1000;
    unlinkat(root, "lost+found", AT_REMOVEDIR); /* e2fsck makes it again when it needs it */
    if (is_volume) {
        bool is_given = fchown(root, user, user) == 0 && fchmod(root, 0700) == 0;
        return is_given ? 0 : err_errno(err, errno, "cannot give a volume to its user");
    }
    static const struct {
        const char *name;
        mode_t mode;
    } dirs[] = {{"upper", 0755},
                {"work", 0755},
                {"scratch", 0700},
                {"code-upper", 0755},
                {"code-work", 0755}};
    for (size_t i = 0; rc == 0 && i < ARRAY_LEN(dirs); i++)
        rc = dir_make(root, dirs[i].name, dirs[i].mode, 0, 0, NULL, err);
    return rc;
}

static int image_make(const struct work *w, int dir_fd, const char *dir, const char *name,
                      uint64_t bytes, bool is_volume, struct err *err)
{
    char temp[96], path[700];
    cleanup(fd_closep) int fd = -1;
    snprintf(temp, sizeof(temp), ".%s.%d", name, (int)getpid());
    snprintf(path, sizeof(path), "%s/%s/%s", w->in->data, dir, temp);
    int rc = image_new(dir_fd, temp, bytes, &fd, err);
    if (rc == 0)
        rc = mke2fs(w, path, is_volume, err);
    if (rc == 0)
        rc = fill(w, fd, is_volume, err);
    if (rc == 0 && is_volume && fsync(fd) != 0)
        rc = err_errno(err, errno, "cannot write %s", name);
    if (rc == 0 && renameat(dir_fd, temp, dir_fd, name) != 0)
        rc = err_errno(err, errno, "cannot make %s", name);
    if (rc != 0)
        unlinkat(dir_fd, temp, 0);
    return rc;
}

/* ---- task disks ---- */

/* Copies the pieces that hold data; the rest stays holes. */
static int copy_sparse(int from, int to, off_t size)
{
    off_t at = 0;
    for (;;) {
        off_t start = lseek(from, at, SEEK_DATA);
        if (start < 0)
            return errno == ENXIO ? 0 : -errno;
        off_t end = lseek(from, start, SEEK_HOLE);
        if (end < 0)
            end = size;
        off_t in = start, out = start;
        while (in < end) {
            ssize_t n = copy_file_range(from, &in, to, &out, (size_t)(end - in), 0);
            if (n < 0)
                return -errno;
            if (n == 0)
                return -EIO;
        }
        at = end;
    }
}

static int template_open(const struct work *w, uint64_t bytes, int *ret_fd, struct err *err)
{
    const struct instance *in = w->in;
    char name[64];
    cleanup(fd_closep) int dir = -1;
    snprintf(name, sizeof(name), "disk-%d-%" PRIu64, TEMPLATE_VERSION, bytes / BLOCK * BLOCK);
    int rc = dir_make(in->data_fd, "templates", 0700, 0, 0, &dir, err);
    if (rc != 0)
        return rc;
    int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 && errno == ENOENT) {
        rc = image_make(w, dir, "templates", name, bytes, false, err);
        if (rc != 0)
            return rc;
        fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    }
    if (fd < 0)
        return err_errno(err, errno, "cannot open a disk template");
    *ret_fd = fd;
    return 0;
}

int disk_make(const struct work *w, const char *path, uint64_t bytes, int *ret_fd, struct err *err)
{
    cleanup(fd_closep) int from = -1;
    cleanup(fd_closep) int to = -1;
    int rc = template_open(w, bytes, &from, err);
    if (rc == 0)
        rc = image_new(w->in->tasks_fd, path, bytes, &to, err);
    if (rc != 0)
        return rc;
    rc = copy_sparse(from, to, (off_t)(bytes / BLOCK * BLOCK));
    if (rc != 0)
        return err_errno(err, -rc, "cannot copy a disk template");
    *ret_fd = TAKE_FD(to);
    return 0;
}

/* Fields of ext4's superblock, at byte 1024 (Documentation/filesystems/ext4/super.rst). */
bool disk_is_full(const struct instance *in, const char *path)
{
    unsigned char sb[1024];
    uint32_t total, left;
    uint16_t magic;
    cleanup(fd_closep) int fd = openat(in->tasks_fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 || pread(fd, sb, sizeof(sb), 1024) != (ssize_t)sizeof(sb))
        return false;
    memcpy(&magic, sb + 0x38, sizeof(magic));
    memcpy(&total, sb + 0x04, sizeof(total));
    memcpy(&left, sb + 0x0c, sizeof(left));
    /* The kernel keeps 2 %, at most 4096 blocks, for its own needs (ext4_calculate_resv_clusters). */
    uint32_t kept = le32toh(total) / 50 < 4096 ? le32toh(total) / 50 : 4096;
    return le16toh(magic) == 0xef53 && le32toh(left) < kept + FREE_BLOCKS_FULL;
}

/* ---- volumes ---- */

int volume_open(const struct instance *in, uint64_t id, int *ret_fd, struct err *err)
{
    char name[ID_TEXT_SIZE + 8], text[ID_TEXT_SIZE];
    snprintf(name, sizeof(name), "%s.img", id_format(text, id));
    cleanup(fd_closep) int fd = openat(in->volumes_fd, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 && errno == ENOENT)
        return err_set(err, BERR_NOT_FOUND, "volume %s is not on this machine", text);
    if (fd < 0)
        return err_errno(err, errno, "cannot open volume %s", text);
    while (flock(fd, LOCK_EX) != 0) {
        if (errno != EINTR)
            return err_errno(err, errno, "cannot lock volume %s", text);
    }
    *ret_fd = TAKE_FD(fd);
    return 0;
}

int volume_loop(int file_fd, struct os_loop *ret, struct err *err)
{
    char path[32];
    int rc = os_loop_find(file_fd, ret, err);
    if (rc != -BERR_NOT_FOUND)
        return rc;
    /* The device keeps what it is given open, and with it the lock: give it another opening. */
    snprintf(path, sizeof(path), "/proc/self/fd/%d", file_fd);
    cleanup(fd_closep) int again = open(path, O_RDWR | O_CLOEXEC);
    if (again < 0)
        return err_errno(err, errno, "cannot open a volume");
    return os_loop_attach(again, ret, err);
}

int work_volume_make(const struct work *w, const void *args, void *reply, struct err *err)
{
    const struct wire_volume *v = args;
    char name[ID_TEXT_SIZE + 8], text[ID_TEXT_SIZE];
    (void)reply;
    snprintf(name, sizeof(name), "%s.img", id_format(text, v->id));
    if (file_exists(w->in->volumes_fd, name))
        return 0;
    int rc = image_make(w, w->in->volumes_fd, "volumes", name, v->size_bytes, true, err);
    if (rc == 0 && fsync(w->in->volumes_fd) != 0)
        rc = err_errno(err, errno, "cannot write volume %s", text);
    return rc;
}

/* While it is mounted somewhere: the kernel does it. */
static int grow_online(struct os_loop *loop, uint64_t blocks, struct err *err)
{
    cleanup(fd_closep) int mount_fd = -1;
    cleanup(fd_closep) int root = -1;
    int rc = os_loop_resized(loop->fd, err);
    if (rc == 0)
        rc = os_mount_device("ext4", loop->path, 0, &mount_fd, err);
    if (rc == 0)
        rc = dir_open(mount_fd, ".", &root, err);
    if (rc == 0 && ioctl(root, EXT4_IOC_RESIZE_FS, &blocks) != 0) {
        rc = err_errno(err, errno, "cannot grow a volume that is in use");
        if (rc == -BERR_FORBIDDEN)
            err_hint(err,
                     "this host lacks CAP_SYS_RESOURCE; try again when no task uses the volume");
    }
    return rc;
}

static int grow_offline(const char *path, struct err *err)
{
    const char *const check[] = {"/sbin/e2fsck", "-f", "-p", path, NULL};
    const char *const resize[] = {"/sbin/resize2fs", path, NULL};
    (void)work_run(check, -1, -1, NULL); /* 1 means that it has mended something */
    return work_run(resize, -1, -1, err);
}

int work_volume_grow(const struct work *w, const void *args, void *reply, struct err *err)
{
    const struct wire_volume *v = args;
    cleanup(fd_closep) int file = -1;
    struct os_loop loop = {.fd = -1};
    struct stat st;
    char path[700], text[ID_TEXT_SIZE];
    (void)reply;
    int rc = volume_open(w->in, v->id, &file, err);
    if (rc != 0)
        return rc;
    uint64_t blocks = v->size_bytes / BLOCK;
    if (fstat(file, &st) != 0)
        return err_errno(err, errno, "cannot look at a volume");
    if ((uint64_t)st.st_size > blocks * BLOCK)
        return err_set(err, BERR_CONFLICT, "a volume cannot shrink");
    if (ftruncate(file, (off_t)(blocks * BLOCK)) != 0)
        return err_errno(err, errno, "cannot grow a volume");
    rc = os_loop_find(file, &loop, err);
    if (rc == 0)
        rc = grow_online(&loop, blocks, err);
    else if (rc == -BERR_NOT_FOUND) {
        snprintf(path, sizeof(path), "%s/volumes/%s.img", w->in->data, id_format(text, v->id));
        rc = grow_offline(path, err);
    }
    fd_closep(&loop.fd);
    return rc;
}
