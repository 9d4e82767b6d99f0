/*
 * file: whole files, and places resolved beneath a directory.
 */
#include "os/file.h"
#include <errno.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/alloc.h"
#include "base/buf.h"
#include "base/str.h"
#include "os/entropy.h"
#include "os/file_internal.h"

#define PATH_BYTES 4096

int os_file_open(int dir_fd, const char *path, int flags, mode_t mode, int *ret_fd, struct err *err)
{
    struct open_how how = {.flags = (unsigned)(flags | O_CLOEXEC)};
    if (flags & (O_CREAT | O_TMPFILE))
        how.mode = mode;
    if (dir_fd != AT_FDCWD)
        how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
    int fd = (int)syscall(SYS_openat2, dir_fd, path, &how, sizeof(how));
    if (fd >= 0) {
        *ret_fd = fd;
        return 0;
    }
    if (errno == ENOSYS)
        return err_set(err, BERR_UNSUPPORTED, "this kernel has no openat2 (Linux 5.6)");
    if (dir_fd != AT_FDCWD && (errno == EXDEV || errno == ELOOP))
        return err_set(err, BERR_INVALID, "%s leaves its directory or goes through a link", path);
    return err_errno(err, errno, "%s", path);
}

/* ---- names ---- */

int file_open_parent(int dir_fd, const char *path, int *ret_fd, const char **ret_name,
                     struct err *err)
{
    char parent[PATH_BYTES];
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    if (name[0] == '\0' || str_is_equal(name, ".") || str_is_equal(name, ".."))
        return err_set(err, BERR_INVALID, "%s does not end in a name", path);
    size_t len = slash ? (size_t)(slash - path) : 0;
    if (len >= sizeof(parent))
        return err_set(err, BERR_INVALID, "the path is too long");
    if (!slash)
        parent[len++] = '.';
    else if (len == 0)
        parent[len++] = '/';
    if (slash && slash != path)
        memcpy(parent, path, len);
    parent[len] = '\0';
    int rc = os_file_open(dir_fd, parent, O_PATH | O_DIRECTORY, 0, ret_fd, err);
    if (rc < 0)
        return rc;
    *ret_name = name;
    return 0;
}

bool os_file_exists(int dir_fd, const char *path)
{
    struct stat st;
    const char *name;
    cleanup(fd_closep) int parent = -1;
    if (file_open_parent(dir_fd, path, &parent, &name, NULL) < 0)
        return false;
    return fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

int os_file_remove(int dir_fd, const char *path, struct err *err)
{
    const char *name;
    struct err why = {0};
    cleanup(fd_closep) int parent = -1;
    int rc = file_open_parent(dir_fd, path, &parent, &name, &why);
    if (rc == -(int)BERR_NOT_FOUND)
        return 0;
    if (rc < 0) {
        if (err)
            *err = why;
        return rc;
    }
    if (unlinkat(parent, name, 0) < 0 && errno != ENOENT)
        return err_errno(err, errno, "%s", path);
    return 0;
}

/* ---- whole files ---- */

int os_file_read(int dir_fd, const char *path, size_t max, char **ret, size_t *ret_len,
                 struct err *err)
{
    struct stat st;
    cleanup(fd_closep) int fd = -1;
    int rc = os_file_open(dir_fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, &fd, err);
    if (rc < 0)
        return rc;
    if (fstat(fd, &st) < 0)
        return err_errno(err, errno, "%s", path);
    if (!S_ISREG(st.st_mode))
        return err_set(err, BERR_INVALID, "%s is not a file", path);
    /* Files of /proc say 0: grow until the end. */
    cleanup(buf_done) struct buf out = BUF(max + 1);
    for (;;) {
        size_t want = out.len == 0 && st.st_size > 0 && (uint64_t)st.st_size < max
                          ? (size_t)st.st_size + 1
                          : 16384;
        if (want > max + 1 - out.len)
            want = max + 1 - out.len;
        char *at = buf_reserve(&out, want);
        if (!at)
            return err_set(err, BERR_NOMEM, "out of memory");
        ssize_t n = read(fd, at, want);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(err, errno, "%s", path);
        if (n == 0)
            break;
        buf_commit(&out, (size_t)n);
        if (out.len > max)
            return err_set(err, BERR_TOO_LARGE, "%s is larger than %zu bytes", path, max);
    }
    size_t len = out.len;
    char *text = out.data ? buf_take(&out) : mem_strdup("");
    if (!text)
        return err_set(err, BERR_NOMEM, "out of memory");
    *ret = text;
    if (ret_len)
        *ret_len = len;
    return 0;
}

int os_file_write_fd(int fd, const void *data, size_t len, struct err *err)
{
    const char *at = data;
    while (len) {
        ssize_t n = write(fd, at, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(err, errno, "write");
        at += n;
        len -= (size_t)n;
    }
    return 0;
}

static int write_and_rename(int parent, const char *part, const char *name, const void *data,
                            size_t len, mode_t mode, struct err *err)
{
    cleanup(fd_closep) int fd = openat(parent, part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0)
        return err_errno(err, errno, "%s", part);
    int rc = os_file_write_fd(fd, data, len, err);
    if (rc == 0 && (fchmod(fd, mode) < 0 || fsync(fd) < 0))
        rc = err_errno(err, errno, "%s", part);
    if (rc == 0 && renameat(parent, part, parent, name) < 0)
        rc = err_errno(err, errno, "%s", name);
    if (rc < 0)
        unlinkat(parent, part, 0);
    return rc;
}

int os_file_write(int dir_fd, const char *path, const void *data, size_t len, mode_t mode,
                  struct err *err)
{
    const char *name;
    char part[300];
    cleanup(fd_closep) int parent = -1;
    int rc = file_open_parent(dir_fd, path, &parent, &name, err);
    if (rc < 0)
        return rc;
    int n = snprintf(part, sizeof(part), ".%s.%08x", name, (unsigned)os_random_u64());
    if (n > 255)
        return err_set(err, BERR_INVALID, "the name %s is too long", name);
    rc = write_and_rename(parent, part, name, data, len, mode, err);
    return rc < 0 ? err_wrap(err, rc, "writing %s", path) : os_dir_sync(parent, err);
}

/* ---- directories ---- */

int os_dir_sync(int dir_fd, struct err *err)
{
    cleanup(fd_closep) int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) < 0)
        return err_errno(err, errno, "directory");
    return 0;
}

/* Opens the directory `name` in `at`, made when it is not there. */
static int step_into(int at, const char *name, mode_t mode, int *ret_fd, struct err *err)
{
    if (mkdirat(at, name, mode) < 0 && errno != EEXIST)
        return err_errno(err, errno, "%s", name);
    return os_file_open(at, name, O_PATH | O_DIRECTORY, 0, ret_fd, err);
}

int os_dir_make(int dir_fd, const char *path, mode_t mode, int *ret_fd, struct err *err)
{
    char name[256];
    cleanup(fd_closep) int at = -1;
    const char *rest = path;
    bool anywhere = dir_fd == AT_FDCWD;
    int rc = os_file_open(dir_fd, anywhere && path[0] == '/' ? "/" : ".", O_PATH | O_DIRECTORY, 0,
                          &at, err);
    while (rc == 0) {
        rest += strspn(rest, anywhere || rest != path ? "/" : "");
        size_t len = strcspn(rest, "/");
        if (len == 0)
            break;
        if (len >= sizeof(name))
            return err_set(err, BERR_INVALID, "a name in %s is too long", path);
        memcpy(name, rest, len);
        name[len] = '\0';
        rest += len;
        int next = -1;
        if (anywhere) { /* our own configuration: links on the way are the administrator's */
            if (mkdirat(at, name, mode) < 0 && errno != EEXIST)
                return err_errno(err, errno, "making %s", path);
            next = openat(at, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
            if (next < 0)
                return err_errno(err, errno, "%s", path);
        } else {
            rc = step_into(at, name, mode, &next, err);
        }
        if (rc == 0) {
            close(at);
            at = next;
        }
    }
    if (rc == 0 && rest[0])
        return err_set(err, BERR_INVALID, "%s is not below its directory", path);
    if (rc == 0 && ret_fd) {
        rc = os_file_open(at, ".", O_RDONLY | O_DIRECTORY, 0, ret_fd, err);
    }
    return rc < 0 ? err_wrap(err, rc, "making %s", path) : 0;
}

/* ---- one at a time ---- */

int os_file_lock(int dir_fd, const char *path, int *ret_fd, struct err *err)
{
    cleanup(fd_closep) int fd = -1;
    char text[32];
    int rc = os_file_open(dir_fd, path, O_RDWR | O_CREAT, 0600, &fd, err);
    if (rc < 0)
        return rc;
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        if (errno != EWOULDBLOCK)
            return err_errno(err, errno, "%s", path);
        ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
        text[n > 0 ? n : 0] = '\0';
        text[strcspn(text, "\n")] = '\0';
        return err_set(err, BERR_CONFLICT, "%s is held by process %s", path, text[0] ? text : "?");
    }
    int len = snprintf(text, sizeof(text), "%d\n", (int)getpid());
    if (ftruncate(fd, 0) < 0 || pwrite(fd, text, (size_t)len, 0) != len)
        return err_errno(err, errno, "%s", path);
    *ret_fd = TAKE_FD(fd);
    return 0;
}
