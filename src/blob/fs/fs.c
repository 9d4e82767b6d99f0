/*
 * Blobs as files: DIR/HH/HEX, made in DIR/tmp. The inode's access time is when it was last used
 * (set by hand; reads by relatime only make it later), its modification time when it came.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "base/alloc.h"
#include "base/str.h"
#include "blob/blob.h"

struct fs_store {
    struct blob_store head;
    int dir_fd, tmp_fd;
    atomic_ullong serial; /* of names in tmp */
};
struct fs_put {
    struct blob_put head;
    struct fs_store *store;
    int fd;
    char name[32]; /* in tmp; "" once it is gone from there */
};
struct fs_read {
    struct blob_read head;
    int fd;
};

static const struct blob_ops fs_ops;

const char *blob_fs_name(char dst[BLOB_FS_NAME_SIZE], const struct digest *d)
{
    char hex[DIGEST_HEX_SIZE];
    digest_hex(hex, d);
    snprintf(dst, BLOB_FS_NAME_SIZE, "%.2s/%s", hex, hex);
    return dst;
}

int blob_fs_dir(const struct blob_store *s)
{
    check(s->ops == &fs_ops);
    return ((const struct fs_store *)s)->dir_fd;
}

/* ---- put ---- */

static int fs_put_begin(struct blob_store *s, const struct digest *d, uint64_t size_bytes,
                        struct blob_put **ret, struct err *err)
{
    struct fs_store *store = (struct fs_store *)s;
    struct fs_put *p = mem_calloc(1, sizeof(*p));
    if (p == NULL)
        return err_set(err, BERR_NOMEM, "out of memory");
    p->store = store;
    p->fd = -1;
    *ret = &p->head;
    p->head.is_there = blob_has(s, d);
    if (p->head.is_there)
        return 0;
    snprintf(p->name, sizeof(p->name), "%llu", atomic_fetch_add(&store->serial, 1));
    p->fd =
        openat(store->tmp_fd, p->name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    int rc = p->fd < 0 ? err_errno(err, errno, "cannot make a blob") : 0;
    /* asks for the room at once where the file system can, so that a full disk shows early */
    if (rc == 0 && size_bytes > 0 && fallocate(p->fd, 0, 0, (off_t)size_bytes) != 0 &&
        errno != EOPNOTSUPP && errno != ENOSYS && errno != EINTR)
        rc = err_errno(err, errno, "cannot make room for a blob");
    if (rc != 0) {
        *ret = NULL;
        fs_ops.put_free(&p->head);
    }
    return rc;
}

static int fs_put_write(struct blob_put *put, const void *data, size_t len, struct err *err)
{
    struct fs_put *p = (struct fs_put *)put;
    for (const char *at = data; len > 0;) {
        ssize_t n = write(p->fd, at, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(err, errno, "cannot write a blob");
        at += n;
        len -= (size_t)n;
    }
    return 0;
}

static int fs_put_end(struct blob_put *put, struct err *err)
{
    struct fs_put *p = (struct fs_put *)put;
    char name[BLOB_FS_NAME_SIZE], folder[3];
    blob_fs_name(name, &p->head.digest);
    snprintf(folder, sizeof(folder), "%.2s", name);
    if (fchmod(p->fd, 0644) != 0 || fsync(p->fd) != 0)
        return err_errno(err, errno, "cannot save a blob");
    bool is_new_folder = mkdirat(p->store->dir_fd, folder, 0700) == 0;
    if (!is_new_folder && errno != EEXIST)
        return err_errno(err, errno, "cannot save a blob");
    cleanup(fd_closep) int folder_fd =
        openat(p->store->dir_fd, folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (folder_fd < 0 || renameat(p->store->tmp_fd, p->name, folder_fd, name + 3) != 0)
        return err_errno(err, errno, "cannot save a blob");
    p->name[0] = '\0';
    if (fsync(folder_fd) != 0 || (is_new_folder && fsync(p->store->dir_fd) != 0))
        return err_errno(err, errno, "cannot save a blob");
    return 0;
}

static void fs_put_free(struct blob_put *put)
{
    struct fs_put *p = (struct fs_put *)put;
    if (p->name[0] != '\0')
        unlinkat(p->store->tmp_fd, p->name, 0);
    fd_closep(&p->fd);
    mem_free(p);
}

/* ---- read ---- */

static int fs_open(struct blob_store *s, const struct digest *d, struct blob_read **ret,
                   struct err *err)
{
    char name[BLOB_FS_NAME_SIZE];
    struct stat st;
    cleanup(fd_closep) int fd = openat(blob_fs_dir(s), blob_fs_name(name, d),
                                       O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st) != 0)
        return err_errno(err, errno, "cannot open blob %.12s", name + 3);
    struct fs_read *r = mem_calloc(1, sizeof(*r));
    if (r == NULL)
        return err_set(err, BERR_NOMEM, "out of memory");
    r->fd = TAKE_FD(fd);
    r->head.size_bytes = (uint64_t)st.st_size;
    *ret = &r->head;
    return 0;
}

static int fs_pread(struct blob_read *read, uint64_t offset, void *dst, size_t len, size_t *ret_len,
                    struct err *err)
{
    struct fs_read *r = (struct fs_read *)read;
    ssize_t n;
    do {
        n = pread(r->fd, dst, len, (off_t)offset);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return err_errno(err, errno, "cannot read a blob");
    *ret_len = (size_t)n;
    return 0;
}

static void fs_close(struct blob_read *read)
{
    struct fs_read *r = (struct fs_read *)read;
    fd_closep(&r->fd);
    mem_free(r);
}

/* ---- the rest ---- */

static void info_fill(const struct digest *d, const struct stat *st, struct blob_info *ret)
{
    ret->digest = *d;
    ret->size_bytes = (uint64_t)st->st_size;
    ret->used_ms = (int64_t)st->st_atim.tv_sec * 1000 + st->st_atim.tv_nsec / 1000000;
}

static int fs_stat(struct blob_store *s, const struct digest *d, struct blob_info *ret,
                   struct err *err)
{
    char name[BLOB_FS_NAME_SIZE];
    struct stat st;
    if (fstatat(blob_fs_dir(s), blob_fs_name(name, d), &st, AT_SYMLINK_NOFOLLOW) != 0)
        return err_errno(err, errno, "blob %.12s", name + 3);
    info_fill(d, &st, ret);
    return 0;
}

static int fs_touch(struct blob_store *s, const struct digest *d, int64_t now_ms, struct err *err)
{
    char name[BLOB_FS_NAME_SIZE];
    struct timespec times[2] = {
        {.tv_sec = now_ms / 1000, .tv_nsec = now_ms % 1000 * 1000000},
        {.tv_nsec = UTIME_OMIT},
    };
    if (utimensat(blob_fs_dir(s), blob_fs_name(name, d), times, AT_SYMLINK_NOFOLLOW) != 0)
        return err_errno(err, errno, "blob %.12s", name + 3);
    return 0;
}

static int fs_remove(struct blob_store *s, const struct digest *d, struct err *err)
{
    char name[BLOB_FS_NAME_SIZE];
    if (unlinkat(blob_fs_dir(s), blob_fs_name(name, d), 0) != 0 && errno != ENOENT)
        return err_errno(err, errno, "cannot remove blob %.12s", name + 3);
    return 0;
}

static void dir_closep(DIR **dir)
{
    if (*dir != NULL)
        closedir(*dir);
}

static int folder_list(int dir_fd, const char *folder, blob_visit_fn *visit, void *arg,
                       struct err *err)
{
    int fd = openat(dir_fd, folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? 0 : err_errno(err, errno, "cannot list blobs");
    cleanup(dir_closep) DIR *dir = fdopendir(fd);
    if (dir == NULL) {
        close(fd);
        return err_set(err, BERR_NOMEM, "out of memory");
    }
    for (struct dirent *d; (d = readdir(dir)) != NULL;) {
        struct blob_info info;
        struct digest digest;
        struct stat st;
        if (!digest_parse(d->d_name, &digest) ||
            fstatat(fd, d->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
            continue;
        info_fill(&digest, &st, &info);
        int rc = visit(arg, &info);
        if (rc != 0)
            return rc;
    }
    return 0;
}

static int fs_list(struct blob_store *s, blob_visit_fn *visit, void *arg, struct err *err)
{
    for (unsigned i = 0; i < 256; i++) {
        char folder[3];
        snprintf(folder, sizeof(folder), "%02x", i);
        int rc = folder_list(blob_fs_dir(s), folder, visit, arg, err);
        if (rc != 0)
            return rc;
    }
    return 0;
}

static void fs_free(struct blob_store *s)
{
    struct fs_store *store = (struct fs_store *)s;
    fd_closep(&store->tmp_fd);
    fd_closep(&store->dir_fd);
    mem_free(store);
}

static const struct blob_ops fs_ops = {
    .name = "fs",
    .put_begin = fs_put_begin,
    .put_write = fs_put_write,
    .put_end = fs_put_end,
    .put_free = fs_put_free,
    .open = fs_open,
    .read = fs_pread,
    .close = fs_close,
    .stat = fs_stat,
    .touch = fs_touch,
    .remove = fs_remove,
    .list = fs_list,
    .free = fs_free,
};

/* ---- opening ---- */

/* What a former process did not finish. */
static int tmp_empty(int tmp_fd, struct err *err)
{
    cleanup(dir_closep) DIR *dir = fdopendir(fcntl(tmp_fd, F_DUPFD_CLOEXEC, 0));
    if (dir == NULL)
        return err_errno(err, errno, "cannot list unfinished blobs");
    for (struct dirent *d; (d = readdir(dir)) != NULL;) {
        if (d->d_name[0] != '.' && unlinkat(tmp_fd, d->d_name, 0) != 0)
            return err_errno(err, errno, "cannot remove an unfinished blob");
    }
    return 0;
}

int blob_fs_open(const char *dir_path, struct blob_store **ret, struct err *err)
{
    struct fs_store *s = mem_calloc(1, sizeof(*s));
    if (s == NULL)
        return err_set(err, BERR_NOMEM, "out of memory");
    s->head.ops = &fs_ops;
    s->tmp_fd = -1;
    (void)mkdir(dir_path, 0700); /* the open tells what is wrong */
    s->dir_fd = open(dir_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (s->dir_fd >= 0) {
        (void)mkdirat(s->dir_fd, "tmp", 0700);
        s->tmp_fd = openat(s->dir_fd, "tmp", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    }
    int rc = s->tmp_fd < 0 ? err_errno(err, errno, "cannot open %s", dir_path)
                           : tmp_empty(s->tmp_fd, err);
    if (rc != 0) {
        fs_free(&s->head);
        return rc;
    }
    *ret = &s->head;
    return 0;
}
