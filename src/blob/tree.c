/* Trees of links. Entries come sorted, so that a directory's entries follow it closely. */
#include "blob/tree.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/alloc.h"
#include "base/limits.h"
#include "base/map.h"
#include "base/str.h"

struct tree_set {
    int dir_fd, tmp_fd, exec_fd;
    struct blob_store *blobs;
    unsigned long long serial;
    pthread_mutex_t lock; /* making and collecting */
};

static void dir_closep(DIR **dir)
{
    if (*dir != NULL)
        closedir(*dir);
}

/* ---- what is missing ---- */

int tree_missing(const struct ship_manifest *m, struct blob_store *blobs, int64_t now_ms,
                 struct buf *out, struct err *err)
{
    struct map seen = MAP_STR;
    int rc = 0;
    bool is_first = true;
    buf_putc(out, '[');
    for (size_t i = 0; rc == 0 && i < m->count; i++) {
        char hex[DIGEST_HEX_SIZE];
        const struct ship_entry *e = &m->entries[i];
        if (e->target != NULL || map_get(&seen, digest_hex(hex, &e->digest)) != NULL)
            continue;
        if (map_put(&seen, hex, &seen) != 0)
            rc = err_set(err, BERR_NOMEM, "out of memory");
        else if (blob_touch(blobs, &e->digest, now_ms, NULL) != 0) {
            buf_printf(out, "%s\"%s\"", is_first ? "" : ",", hex);
            is_first = false;
        }
    }
    buf_putc(out, ']');
    map_done(&seen);
    if (rc == 0 && buf_is_failed(out))
        rc = err_set(err, BERR_NOMEM, "out of memory");
    return rc;
}

/* ---- removing ---- */

/* A tree of ours: at most LIMIT_CODE_DEPTH deep. */
static int tree_unlink(int dir_fd, const char *name, int depth, struct err *err)
{
    if (unlinkat(dir_fd, name, 0) == 0 || errno == ENOENT)
        return 0;
    int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    cleanup(dir_closep) DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (dir == NULL || depth > LIMIT_CODE_DEPTH + 1)
        return err_errno(err, errno, "cannot remove %.100s of a tree", name);
    for (struct dirent *d; (d = readdir(dir)) != NULL;) {
        if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
            continue;
        int rc = tree_unlink(fd, d->d_name, depth + 1, err);
        if (rc != 0)
            return rc;
    }
    if (unlinkat(dir_fd, name, AT_REMOVEDIR) != 0)
        return err_errno(err, errno, "cannot remove %.100s of a tree", name);
    return 0;
}

/* Renamed away first, so that a half-removed tree is never seen under its name. */
static int tree_drop(struct tree_set *s, const char *hex, struct err *err)
{
    char name[32];
    snprintf(name, sizeof(name), "%llu", s->serial++);
    if (renameat(s->dir_fd, hex, s->tmp_fd, name) != 0)
        return err_errno(err, errno, "cannot remove tree %.12s", hex);
    return tree_unlink(s->tmp_fd, name, 0, err);
}

static int tmp_empty(struct tree_set *s, struct err *err)
{
    cleanup(dir_closep) DIR *dir = fdopendir(fcntl(s->tmp_fd, F_DUPFD_CLOEXEC, 0));
    if (dir == NULL)
        return err_errno(err, errno, "cannot list unfinished trees");
    for (struct dirent *d; (d = readdir(dir)) != NULL;) {
        int rc = d->d_name[0] == '.' ? 0 : tree_unlink(s->tmp_fd, d->d_name, 0, err);
        if (rc != 0)
            return rc;
    }
    return 0;
}

/* ---- making ---- */

/* A new file with the blob's content: for executable ones, and when a blob has all the links that
 * its file system allows. */
static int blob_copy(struct tree_set *s, const char *blob, int to_dir, const char *to, mode_t mode,
                     struct err *err)
{
    cleanup(fd_closep) int in =
        openat(blob_fs_dir(s->blobs), blob, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (in < 0)
        return err_errno(err, errno, "cannot read blob %.12s", blob + 3);
    cleanup(fd_closep) int out =
        openat(to_dir, to, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (out < 0)
        return err_errno(err, errno, "cannot make a file of a tree");
    for (;;) {
        ssize_t n = copy_file_range(in, NULL, out, NULL, 1 << 30, 0);
        if (n == 0)
            break;
        if (n < 0 && errno != EINTR)
            return err_errno(err, errno, "cannot make a file of a tree");
    }
    if (fchmod(out, mode) != 0 || fdatasync(out) != 0)
        return err_errno(err, errno, "cannot make a file of a tree");
    return 0;
}

static int exec_make(struct tree_set *s, const char *blob, const char *hex, struct err *err)
{
    char name[32];
    struct stat st;
    if (fstatat(s->exec_fd, hex, &st, AT_SYMLINK_NOFOLLOW) == 0)
        return 0;
    snprintf(name, sizeof(name), "%llu", s->serial++);
    int rc = blob_copy(s, blob, s->tmp_fd, name, 0755, err);
    if (rc == 0 && renameat(s->tmp_fd, name, s->exec_fd, hex) != 0)
        rc = err_errno(err, errno, "cannot make a file of a tree");
    if (rc != 0)
        unlinkat(s->tmp_fd, name, 0);
    return rc;
}

static int file_make(struct tree_set *s, const struct ship_entry *e, int dir_fd, const char *name,
                     struct err *err)
{
    char hex[DIGEST_HEX_SIZE], blob[BLOB_FS_NAME_SIZE];
    struct blob_info info;
    digest_hex(hex, &e->digest);
    blob_fs_name(blob, &e->digest);
    if (blob_stat(s->blobs, &e->digest, &info, NULL) != 0)
        return err_set(err, BERR_CONFLICT, "the content of %.200s has not been sent", e->path);
    if (info.size_bytes != e->size_bytes)
        return err_set(err, BERR_INVALID, "%.200s has %llu bytes, not %llu", e->path,
                       (unsigned long long)info.size_bytes, (unsigned long long)e->size_bytes);
    if (e->is_executable) {
        int rc = exec_make(s, blob, hex, err);
        if (rc != 0)
            return rc;
    }
    int from = e->is_executable ? s->exec_fd : blob_fs_dir(s->blobs);
    if (linkat(from, e->is_executable ? hex : blob, dir_fd, name, 0) == 0)
        return 0;
    if (errno != EMLINK)
        return err_errno(err, errno, "cannot make %.200s", e->path);
    return blob_copy(s, blob, dir_fd, name, e->is_executable ? 0755 : 0644, err);
}

/* Opens the directory of a path below the tree, making what is missing. */
static int parent_open(int root_fd, const char *path, int *ret_fd, struct err *err)
{
    cleanup(fd_closep) int fd = fcntl(root_fd, F_DUPFD_CLOEXEC, 0);
    for (const char *slash; fd >= 0 && (slash = strchr(path, '/')) != NULL; path = slash + 1) {
        char part[256];
        snprintf(part, sizeof(part), "%.*s", (int)(slash - path), path);
        if (mkdirat(fd, part, 0755) != 0 && errno != EEXIST)
            return err_errno(err, errno, "cannot make a directory of a tree");
        int next = openat(fd, part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        fd_closep(&fd);
        fd = next;
    }
    if (fd < 0)
        return err_errno(err, errno, "cannot make a directory of a tree");
    *ret_fd = TAKE_FD(fd);
    return 0;
}

static size_t parent_len(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? (size_t)(slash - path) : 0;
}

static int entries_make(struct tree_set *s, const struct ship_manifest *m, int root_fd,
                        struct err *err)
{
    cleanup(fd_closep) int dir_fd = fcntl(root_fd, F_DUPFD_CLOEXEC, 0);
    const char *dir_of = ""; /* an entry in the directory that dir_fd is */
    if (dir_fd < 0)
        return err_errno(err, errno, "cannot make a tree");
    for (size_t i = 0; i < m->count; i++) {
        const struct ship_entry *e = &m->entries[i];
        size_t len = parent_len(e->path);
        int rc = 0;
        if (len != parent_len(dir_of) || strncmp(e->path, dir_of, len) != 0) {
            fd_closep(&dir_fd);
            rc = parent_open(root_fd, e->path, &dir_fd, err);
        }
        dir_of = e->path;
        const char *name = e->path + (len > 0 ? len + 1 : 0);
        if (rc == 0 && e->target == NULL)
            rc = file_make(s, e, dir_fd, name, err);
        else if (rc == 0 && symlinkat(e->target, dir_fd, name) != 0)
            rc = err_errno(err, errno, "cannot make the link %.200s", e->path);
        if (rc != 0)
            return rc;
    }
    return 0;
}

static int tree_touch(struct tree_set *s, const char *hex, int64_t now_ms)
{
    struct timespec times[2] = {
        {.tv_sec = now_ms / 1000, .tv_nsec = now_ms % 1000 * 1000000},
        {.tv_nsec = UTIME_OMIT},
    };
    return utimensat(s->dir_fd, hex, times, AT_SYMLINK_NOFOLLOW);
}

/* In tmp, then under its name. Links need no fsync each: the directory's file system is synced as
 * a whole before the rename, since a tree may have tens of thousands of them. */
static int tree_build(struct tree_set *s, const struct ship_manifest *m, const char *hex,
                      const char *name, struct err *err)
{
    if (mkdirat(s->tmp_fd, name, 0755) != 0)
        return err_errno(err, errno, "cannot make a tree");
    cleanup(fd_closep) int root_fd =
        openat(s->tmp_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (root_fd < 0 || fchmod(root_fd, 0755) != 0)
        return err_errno(err, errno, "cannot make a tree");
    int rc = entries_make(s, m, root_fd, err);
    if (rc == 0 && (syncfs(root_fd) != 0 || renameat(s->tmp_fd, name, s->dir_fd, hex) != 0 ||
                    fsync(s->dir_fd) != 0))
        rc = err_errno(err, errno, "cannot save a tree");
    return rc;
}

int tree_set_make(struct tree_set *s, const struct ship_manifest *m, int64_t now_ms,
                  struct err *err)
{
    char hex[DIGEST_HEX_SIZE], name[32];
    int rc = 0;
    digest_hex(hex, &m->digest);
    pthread_mutex_lock(&s->lock);
    if (!tree_set_has(s, &m->digest)) {
        snprintf(name, sizeof(name), "%llu", s->serial++);
        rc = tree_build(s, m, hex, name, err);
        if (rc != 0)
            tree_unlink(s->tmp_fd, name, 0, NULL);
    }
    if (rc == 0 && tree_touch(s, hex, now_ms) != 0)
        rc = err_errno(err, errno, "cannot use tree %.12s", hex);
    pthread_mutex_unlock(&s->lock);
    return rc;
}

bool tree_set_has(struct tree_set *s, const struct digest *d)
{
    char hex[DIGEST_HEX_SIZE];
    struct stat st;
    return fstatat(s->dir_fd, digest_hex(hex, d), &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* ---- collecting ---- */

static int64_t used_ms(const struct stat *st)
{
    return (int64_t)st->st_atim.tv_sec * 1000 + st->st_atim.tv_nsec / 1000000;
}

static int trees_collect(struct tree_set *s, int64_t before_ms, tree_used_fn *is_used, void *arg,
                         struct err *err)
{
    cleanup(dir_closep) DIR *dir =
        fdopendir(openat(s->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (dir == NULL)
        return err_errno(err, errno, "cannot list trees");
    for (struct dirent *d; (d = readdir(dir)) != NULL;) {
        struct digest digest;
        struct stat st;
        if (!digest_parse(d->d_name, &digest) ||
            fstatat(s->dir_fd, d->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
            used_ms(&st) >= before_ms || (is_used != NULL && is_used(arg, &digest)))
            continue;
        int rc = tree_drop(s, d->d_name, err);
        if (rc != 0)
            return rc;
    }
    return 0;
}

static int exec_collect(struct tree_set *s, uint64_t *freed, struct err *err)
{
    cleanup(dir_closep) DIR *dir =
        fdopendir(openat(s->exec_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (dir == NULL)
        return err_errno(err, errno, "cannot list trees");
    for (struct dirent *d; (d = readdir(dir)) != NULL;) {
        struct stat st;
        if (d->d_name[0] == '.' || fstatat(s->exec_fd, d->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
            st.st_nlink > 1)
            continue;
        if (unlinkat(s->exec_fd, d->d_name, 0) == 0)
            *freed += (uint64_t)st.st_size;
    }
    return 0;
}

struct blob_sweep {
    struct tree_set *set;
    int64_t before_ms;
    uint64_t *freed;
};

static int blob_sweep(void *arg, const struct blob_info *info)
{
    struct blob_sweep *w = arg;
    char name[BLOB_FS_NAME_SIZE];
    struct stat st;
    if (info->used_ms >= w->before_ms ||
        fstatat(blob_fs_dir(w->set->blobs), blob_fs_name(name, &info->digest), &st,
                AT_SYMLINK_NOFOLLOW) != 0 ||
        st.st_nlink > 1)
        return 0;
    int rc = blob_remove(w->set->blobs, &info->digest, NULL);
    if (rc == 0)
        *w->freed += info->size_bytes;
    return rc;
}

int tree_set_collect(struct tree_set *s, int64_t before_ms, tree_used_fn *is_used, void *arg,
                     uint64_t *ret_freed_bytes, struct err *err)
{
    uint64_t freed = 0;
    struct blob_sweep sweep = {.set = s, .before_ms = before_ms, .freed = &freed};
    pthread_mutex_lock(&s->lock);
    int rc = trees_collect(s, before_ms, is_used, arg, err);
    if (rc == 0)
        rc = exec_collect(s, &freed, err);
    if (rc == 0)
        rc = blob_list(s->blobs, blob_sweep, &sweep, err);
    pthread_mutex_unlock(&s->lock);
    if (ret_freed_bytes != NULL && rc == 0)
        *ret_freed_bytes = freed;
    return rc;
}

/* ---- opening ---- */

static int sub_open(int dir_fd, const char *name)
{
    (void)mkdirat(dir_fd, name, 0700);
    return openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

int tree_set_open(const char *dir_path, struct blob_store *blobs, struct tree_set **ret,
                  struct err *err)
{
    struct tree_set *s = mem_calloc(1, sizeof(*s));
    if (s == NULL)
        return err_set(err, BERR_NOMEM, "out of memory");
    s->blobs = blobs;
    s->tmp_fd = s->exec_fd = -1;
    pthread_mutex_init(&s->lock, NULL);
    (void)mkdir(dir_path, 0700); /* the open tells what is wrong */
    s->dir_fd = open(dir_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (s->dir_fd >= 0)
        s->tmp_fd = sub_open(s->dir_fd, "tmp");
    if (s->tmp_fd >= 0)
        s->exec_fd = sub_open(s->dir_fd, "exec");
    int rc = s->exec_fd < 0 ? err_errno(err, errno, "cannot open %s", dir_path) : tmp_empty(s, err);
    if (rc != 0) {
        tree_set_free(s);
        return rc;
    }
    *ret = s;
    return 0;
}

struct tree_set *tree_set_free(struct tree_set *s)
{
    if (s == NULL)
        return NULL;
    fd_closep(&s->exec_fd);
    fd_closep(&s->tmp_fd);
    fd_closep(&s->dir_fd);
    pthread_mutex_destroy(&s->lock);
    mem_free(s);
    return NULL;
}

void tree_set_freep(struct tree_set **s)
{
    *s = tree_set_free(*s);
}
