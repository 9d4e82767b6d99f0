#include "runner/files.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/alloc.h"

#define DEPTH_MAX 256

int file_read(int dir_fd, const char *name, struct buf *out, struct err *err)
{
    cleanup(fd_closep) int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return err_errno(err, errno, "cannot open %s", name);
    for (;;) {
        char chunk[8192];
        ssize_t n = read(fd, chunk, sizeof(chunk));
        if (n < 0)
            return err_errno(err, errno, "cannot read %s", name);
        if (n == 0)
            return 0;
        buf_append(out, chunk, (size_t)n);
        if (buf_is_failed(out))
            return err_set(err, BERR_TOO_LARGE, "%s is too long", name);
    }
}

static int write_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, data, len);
        if (n < 0)
            return -errno;
        data += n;
        len -= (size_t)n;
    }
    return 0;
}

static int file_fill(int fd, const void *data, size_t len, mode_t mode, bool sync)
{
    int rc = write_all(fd, data, len);
    /* Only what is too long is cut: a file cut to nothing is written out at once by ext4. */
    if (rc == 0 && (ftruncate(fd, (off_t)len) != 0 || fchmod(fd, mode) != 0))
        rc = -errno;
    if (rc == 0 && sync && fdatasync(fd) != 0)
        rc = -errno;
    return rc;
}

int file_write(int dir_fd, const char *name, const void *data, size_t len, mode_t mode, bool sync,
               struct err *err)
{
    char temp[300];
    /* Two workers never write the same name, but a dead one may have left its file behind. */
    snprintf(temp, sizeof(temp), ".%s.%d", name, (int)getpid());
    cleanup(fd_closep) int fd =
        openat(dir_fd, temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);
    if (fd < 0)
        return err_errno(err, errno, "cannot write %s", name);
    int rc = file_fill(fd, data, len, mode, sync);
    if (rc == 0 && renameat(dir_fd, temp, dir_fd, name) != 0)
        rc = -errno;
    if (rc == 0 && sync && fsync(dir_fd) != 0)
        rc = -errno;
    if (rc == 0)
        return 0;
    unlinkat(dir_fd, temp, 0);
    return err_errno(err, -rc, "cannot write %s", name);
}

int file_rewrite(int dir_fd, const char *name, const void *data, size_t len, mode_t mode, bool sync,
                 struct err *err)
{
    char spare[300];
    snprintf(spare, sizeof(spare), ".%s", name);
    cleanup(fd_closep) int fd =
        openat(dir_fd, spare, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, mode);
    if (fd < 0)
        return err_errno(err, errno, "cannot write %s", name);
    int rc = file_fill(fd, data, len, mode, sync);
    /* The first time there is nothing to change places with; some file systems never do it. */
    if (rc == 0 && renameat2(dir_fd, spare, dir_fd, name, RENAME_EXCHANGE) != 0 &&
        renameat(dir_fd, spare, dir_fd, name) != 0)
        rc = -errno;
    if (rc == 0 && sync && fsync(dir_fd) != 0)
        rc = -errno;
    return rc == 0 ? 0 : err_errno(err, -rc, "cannot write %s", name);
}

int dir_open(int dir_fd, const char *name, int *ret_fd, struct err *err)
{
    int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return err_errno(err, errno, "cannot open the directory %s", name);
    *ret_fd = fd;
    return 0;
}

int dir_make(int dir_fd, const char *name, mode_t mode, uid_t uid, gid_t gid, int *ret_fd,
             struct err *err)
{
    if (mkdirat(dir_fd, name, mode) != 0 && errno != EEXIST)
        return err_errno(err, errno, "cannot make the directory %s", name);
    cleanup(fd_closep) int fd = -1;
    int rc = dir_open(dir_fd, name, &fd, err);
    if (rc != 0)
        return rc;
    struct stat st;
    if (fstat(fd, &st) != 0 ||
        ((st.st_uid != uid || st.st_gid != gid) && fchown(fd, uid, gid) != 0))
        return err_errno(err, errno, "cannot give away the directory %s", name);
    if ((st.st_mode & 07777) != mode && fchmod(fd, mode) != 0)
        return err_errno(err, errno, "cannot set the mode of the directory %s", name);
    if (ret_fd != NULL)
        *ret_fd = TAKE_FD(fd);
    return 0;
}

bool file_exists(int dir_fd, const char *name)
{
    struct stat st;
    return fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* ---- trees ---- */

struct walk {
    dev_t device;
    bool is_removal;
    unsigned long long bytes;
};

static int walk_at(struct walk *w, int dir_fd, const char *name, int depth)
{
    struct stat st;
    if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return errno == ENOENT ? 0 : -errno;
    if (depth == 0)
        w->device = st.st_dev;
    if (st.st_dev != w->device)
        return -EXDEV;
    if (depth > DEPTH_MAX)
        return -ELOOP;
    w->bytes += (unsigned long long)st.st_blocks * 512;
    int rc = 0;
    if (S_ISDIR(st.st_mode)) {
        int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
        if (dir == NULL) {
            rc = -errno;
            if (fd >= 0)
                close(fd);
            return rc;
        }
        struct dirent *ent;
        while (rc == 0 && (ent = readdir(dir)) != NULL) {
            if (strcmp(ent->d_name, ".") != 0 && strcmp(ent->d_name, "..") != 0)
                rc = walk_at(w, dirfd(dir), ent->d_name, depth + 1);
        }
        closedir(dir);
    }
    if (rc == 0 && w->is_removal &&
        unlinkat(dir_fd, name, S_ISDIR(st.st_mode) ? AT_REMOVEDIR : 0) != 0 && errno != ENOENT)
        rc = -errno;
    return rc;
}

int tree_remove(int dir_fd, const char *name, struct err *err)
{
    struct walk w = {.is_removal = true};
    int rc = walk_at(&w, dir_fd, name, 0);
    return rc == 0 ? 0 : err_errno(err, -rc, "cannot remove %s", name);
}

unsigned long long tree_bytes(int dir_fd, const char *name)
{
    struct walk w = {.is_removal = false};
    (void)walk_at(&w, dir_fd, name, 0);
    return w.bytes;
}
