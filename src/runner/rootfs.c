#include "runner/rootfs.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <linux/mount.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/alloc.h"
#include "os/loop.h"
#include "os/mount.h"
#include "runner/disk.h"
#include "runner/files.h"

#define MNT_PATH 160

struct build {
    const struct work *w;
    const struct wire_task_create *order;
    char mnt[MNT_PATH];
    int mnt_fd;
    int idmap_fd; /* of layers, disk and volumes */
    uint32_t range;
};

static int below(struct build *b, const char *name, struct err *err)
{
    if (mkdirat(b->mnt_fd, name, 0755) != 0 && errno != EEXIST)
        return err_errno(err, errno, "cannot make %s/%s", b->mnt, name);
    return 0;
}

static int attach(struct build *b, int mount_fd, const char *name, struct err *err)
{
    int rc = below(b, name, err);
    return rc != 0 ? rc : os_mount_attach(mount_fd, b->mnt_fd, name, err);
}

static int stage(struct build *b, struct err *err)
{
    const struct instance *in = b->w->in;
    snprintf(b->mnt, sizeof(b->mnt), "%s/mnt", in->run);
    int rc = os_mount_private(err);
    if (rc == 0)
        rc = os_mount_tmpfs(b->mnt, "mode=0755,size=1m", err);
    if (rc == 0)
        rc = dir_open(AT_FDCWD, b->mnt, &b->mnt_fd, err);
    if (rc == 0)
        rc = os_idmap_open(in->storage_id, b->range, INSTANCE_IDS, &b->idmap_fd, err);
    return rc;
}

/* No id map here: overlay works on its upper directory as host root, whom no map knows. The disk is
 * this task's alone, so the project's own ids can stand on it. */
static int disk_give(int mount_fd, uint32_t range, struct err *err)
{
    static const struct {
        const char *name;
        uint32_t id;
    } dirs[] = {{"upper", 0}, {"scratch", 1000}, {"code-upper", 1000}};
    for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
        uid_t id = range + dirs[i].id;
        if (fchownat(mount_fd, dirs[i].name, id, id, AT_SYMLINK_NOFOLLOW) != 0)
            return err_errno(err, errno, "cannot give a disk to its task");
    }
    return 0;
}

static int disk_mount(struct build *b, struct err *err)
{
    char path[WIRE_KEY_TEXT_SIZE + 16], key[WIRE_KEY_TEXT_SIZE];
    cleanup(fd_closep) int file = -1;
    cleanup(fd_closep) int mount_fd = -1;
    snprintf(path, sizeof(path), "%s/disk.img", wire_key_format(key, &b->order->key));
    int rc = disk_make(b->w, path, b->order->disk_bytes, &file, err);
    if (rc != 0)
        return rc;
    struct os_loop loop;
    rc = os_loop_attach(file, &loop, err);
    if (rc != 0)
        return rc;
    rc = os_mount_device("ext4", loop.path, MOUNT_ATTR_NODEV | MOUNT_ATTR_NOATIME, &mount_fd, err);
    close(loop.fd);
    if (rc == 0)
        rc = disk_give(mount_fd, b->range, err);
    return rc != 0 ? rc : attach(b, mount_fd, "disk", err);
}

/* The field tells the client whose fault a failure is. */
__attribute__((format(printf, 3, 4))) static int missing(struct err *err, const char *field,
                                                         const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int rc = err_setv(err, BERR_NOT_FOUND, fmt, ap);
    va_end(ap);
    err_at(err, field, 0, 0);
    return rc;
}

static int layer_mount(struct build *b, const char *digest, const char *name, struct err *err)
{
    cleanup(fd_closep) int fd = -1;
    char path[700];
    /* By its whole path: descriptors from before belong to the runner's namespace, not to this. */
    snprintf(path, sizeof(path), "%s/layers/%s", b->w->in->data, digest);
    int rc = os_mount_clone(AT_FDCWD, path, false, &fd, err);
    if (rc == -BERR_NOT_FOUND) {
        rc =
            err_set(err, BERR_NOT_FOUND, "layer %.12s of the image is not on this machine", digest);
        err_at(err, "layers", 0, 0); /* the client tells image errors from others by it */
        return rc;
    }
    if (rc == 0)
        rc = os_mount_idmap(fd, b->idmap_fd, err);
    return rc != 0 ? rc : attach(b, fd, name, err);
}

static int root_mount(struct build *b, struct err *err)
{
    const struct js_strs *layers = &b->order->layers;
    char lower[4096], upper[MNT_PATH + 16], work[MNT_PATH + 16], root[MNT_PATH + 16];
    size_t len = 0;
    for (size_t i = 0; i < layers->len; i++) {
        char name[8];
        snprintf(name, sizeof(name), "%zu", i);
        int rc = layer_mount(b, layers->items[layers->len - 1 - i], name, err);
        if (rc != 0)
            return rc;
        int n =
            snprintf(lower + len, sizeof(lower) - len, "%s%s/%s", i > 0 ? ":" : "", b->mnt, name);
        if (n < 0 || (size_t)n >= sizeof(lower) - len)
            return err_set(err, BERR_TOO_LARGE, "the image has too many layers");
        len += (size_t)n;
    }
    snprintf(upper, sizeof(upper), "%s/disk/upper", b->mnt);
    snprintf(work, sizeof(work), "%s/disk/work", b->mnt);
    snprintf(root, sizeof(root), "%s/root", b->mnt);
    int rc = below(b, "root", err);
    return rc != 0 ? rc : os_mount_overlay(lower, upper, work, root, err);
}

/* The tree belongs to berthd's user on disk; inside it belongs to the task's. */
static int code_mount(struct build *b, struct err *err)
{
    const struct instance *in = b->w->in;
    cleanup(fd_closep) int map = -1;
    cleanup(fd_closep) int fd = -1;
    char lower[MNT_PATH + 16], upper[MNT_PATH + 32], work[MNT_PATH + 32], code[MNT_PATH + 16];
    char path[700];
    snprintf(path, sizeof(path), "%s/trees/%s", in->data, b->order->code);
    int rc = os_idmap_open(in->berth_uid, b->range + 1000, 1, &map, err);
    if (rc == 0)
        rc = os_mount_clone(AT_FDCWD, path, false, &fd, err);
    if (rc == -BERR_NOT_FOUND)
        return missing(err, "code", "the code %.12s is not on this machine", b->order->code);
    if (rc == 0)
        rc = os_mount_idmap(fd, map, err);
    if (rc == 0)
        rc = attach(b, fd, "tree", err);
    if (rc == 0)
        rc = below(b, "code", err);
    snprintf(lower, sizeof(lower), "%s/tree", b->mnt);
    snprintf(upper, sizeof(upper), "%s/disk/code-upper", b->mnt);
    snprintf(work, sizeof(work), "%s/disk/code-work", b->mnt);
    snprintf(code, sizeof(code), "%s/code", b->mnt);
    return rc != 0 ? rc : os_mount_overlay(lower, upper, work, code, err);
}

static int volumes_mount(struct build *b, struct err *err)
{
    const struct wire_mount *m = b->order->volumes.items;
    for (size_t i = 0; i < b->order->volumes.len; i++) {
        cleanup(fd_closep) int fd = -1;
        char name[16];
        snprintf(name, sizeof(name), "v%zu", i);
        int rc = volume_mount(b->w->in, m[i].volume, b->idmap_fd, m[i].read_only, &fd, err);
        if (rc == -BERR_NOT_FOUND)
            err_at(err, "volumes", 0, 0);
        if (rc == 0)
            rc = attach(b, fd, name, err);
        if (rc != 0)
            return rc;
    }
    return 0;
}

/* berth-init, whatever directories lie above it: container root may not pass through them. */
static int init_mount(struct build *b, struct err *err)
{
    cleanup(fd_closep) int fd = -1;
    int rc = file_write(b->mnt_fd, "init", "", 0, 0755, false, err);
    if (rc == 0)
        rc = os_mount_clone(AT_FDCWD, b->w->in->init, false, &fd, err);
    return rc != 0 ? rc : os_mount_attach(fd, b->mnt_fd, "init", err);
}

int rootfs_make(const struct work *w, const struct wire_task_create *order, unsigned slot,
                struct err *err)
{
    struct build b = {
        .w = w, .order = order, .mnt_fd = -1, .idmap_fd = -1, .range = instance_range(w->in, slot)};
    int rc = stage(&b, err);
    if (rc == 0)
        rc = init_mount(&b, err);
    if (rc == 0)
        rc = disk_mount(&b, err);
    if (rc == 0)
        rc = root_mount(&b, err);
    if (rc == 0 && order->code != NULL)
        rc = code_mount(&b, err);
    if (rc == 0)
        rc = volumes_mount(&b, err);
    fd_closep(&b.mnt_fd);
    fd_closep(&b.idmap_fd);
    return rc;
}

bool rootfs_is_full(const struct instance *in, const struct wire_key *key)
{
    char path[WIRE_KEY_TEXT_SIZE + 16], text[WIRE_KEY_TEXT_SIZE];
    snprintf(path, sizeof(path), "%s/disk.img", wire_key_format(text, key));
    return disk_is_full(in, path);
}

int volume_mount(const struct instance *in, uint64_t id, int idmap_fd, bool read_only, int *ret_fd,
                 struct err *err)
{
    cleanup(fd_closep) int file = -1;
    cleanup(fd_closep) int mount_fd = -1;
    struct os_loop loop;
    int rc = volume_open(in, id, &file, err);
    if (rc == 0)
        rc = volume_loop(file, &loop, err);
    if (rc != 0)
        return rc;
    rc = os_mount_device("ext4", loop.path, MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID, &mount_fd, err);
    close(loop.fd);
    if (rc == 0 && idmap_fd >= 0)
        rc = os_mount_idmap(mount_fd, idmap_fd, err);
    if (rc == 0 && read_only)
        rc = os_mount_attrs(mount_fd, MOUNT_ATTR_RDONLY, err);
    if (rc == 0)
        *ret_fd = TAKE_FD(mount_fd);
    return rc;
}
