/*
 * tree: removal of what may be deep, hostile and half made. Works on a stack of open directories;
 * what lies deeper than DEPTH is moved up to the top of the tree first, so that no depth runs out
 * of descriptors. Directories without permissions are opened up (for callers who are not root).
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/alloc.h"
#include "base/str.h"
#include "base/vec.h"
#include "os/entropy.h"
#include "os/file.h"
#include "os/file_internal.h"

#define DEPTH   64
#define RESCANS 1000 /* of a directory in which somebody makes new files meanwhile */

struct level {
    DIR *dir;
    char *name; /* in the level above */
    int scans;
};

struct walk {
    VEC(struct level) levels;
    dev_t device;
};

static void walk_done(struct walk *w)
{
    for (size_t i = 0; i < w->levels.len; i++) {
        closedir(w->levels.items[i].dir);
        mem_free(w->levels.items[i].name);
    }
    vec_done(&w->levels);
}

/* Goes into the directory `name` of parent_fd. */
static int enter(struct walk *w, int parent_fd, const char *name, struct err *err)
{
    struct stat st;
    cleanup(fd_closep) int fd =
        openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno == EACCES && fchmodat(parent_fd, name, 0700, 0) == 0)
        fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0)
        return err_errno(err, errno, "%s", name);
    if (w->levels.len == 0)
        w->device = st.st_dev;
    if (st.st_dev != w->device)
        return err_set(err, BERR_CONFLICT, "%s is mounted on", name);
    if ((st.st_mode & 0700) != 0700)
        fchmod(fd, 0700); /* so that names can be removed from it; failing shows there */
    struct level level = {.name = mem_strdup(name), .dir = fdopendir(fd)};
    struct level *slot = level.name && level.dir ? vec_push(&w->levels) : NULL;
    if (level.dir)
        fd = -1; /* it is the stream's */
    if (!slot) {
        if (level.dir)
            closedir(level.dir);
        mem_free(level.name);
        return err_set(err, BERR_NOMEM, "out of memory");
    }
    *slot = level;
    return 0;
}

static int move_up(struct walk *w, int dir, const char *name, struct err *err)
{
    char free_name[40];
    snprintf(free_name, sizeof(free_name), ".deep.%016llx", (unsigned long long)os_random_u64());
    if (renameat(dir, name, dirfd(w->levels.items[0].dir), free_name) < 0)
        return err_errno(err, errno, "%s", name);
    return 0;
}

/* One entry of the deepest directory: removed, or gone into. *ret_more false: it is empty. */
static int step(struct walk *w, bool *ret_more, struct err *err)
{
    DIR *dir = w->levels.items[w->levels.len - 1].dir;
    errno = 0;
    struct dirent *entry = readdir(dir);
    if (!entry) {
        *ret_more = false;
        return errno ? err_errno(err, errno, "directory") : 0;
    }
    *ret_more = true;
    if (str_is_equal(entry->d_name, ".") || str_is_equal(entry->d_name, ".."))
        return 0;
    if (unlinkat(dirfd(dir), entry->d_name, 0) == 0 || errno == ENOENT)
        return 0;
    if (errno != EISDIR && errno != EPERM)
        return err_errno(err, errno, "%s", entry->d_name);
    if (unlinkat(dirfd(dir), entry->d_name, AT_REMOVEDIR) == 0)
        return 0;
    if (w->levels.len == DEPTH)
        return move_up(w, dirfd(dir), entry->d_name, err);
    return enter(w, dirfd(dir), entry->d_name, err);
}

/* Removes the deepest directory and leaves it; not empty (something was moved or made in it
 * meanwhile): reads it again. */
static int leave(struct walk *w, int root_fd, struct err *err)
{
    size_t top = w->levels.len - 1;
    struct level *level = &w->levels.items[top];
    int parent = top ? dirfd(w->levels.items[top - 1].dir) : root_fd;
    if (unlinkat(parent, level->name, AT_REMOVEDIR) < 0 && errno != ENOENT) {
        if (errno != ENOTEMPTY || ++level->scans > RESCANS)
            return err_errno(err, errno, "%s", level->name);
        rewinddir(level->dir);
        return 0;
    }
    closedir(level->dir);
    mem_free(level->name);
    w->levels.len--;
    return 0;
}

static int remove_directory(int parent_fd, const char *name, struct err *err)
{
    struct walk w = {0};
    int rc = enter(&w, parent_fd, name, err);
    while (rc == 0 && w.levels.len) {
        bool more = true;
        rc = step(&w, &more, err);
        if (rc == 0 && !more)
            rc = leave(&w, parent_fd, err);
    }
    walk_done(&w);
    return rc;
}

int os_tree_remove(int dir_fd, const char *path, struct err *err)
{
    struct err why = {0};
    struct stat st;
    const char *name;
    cleanup(fd_closep) int parent = -1;
    int rc = file_open_parent(dir_fd, path, &parent, &name, &why);
    if (rc == -(int)BERR_NOT_FOUND)
        return 0;
    if (rc < 0) {
        if (err)
            *err = why;
        return rc;
    }
    if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : err_errno(err, errno, "%s", path);
    if (S_ISDIR(st.st_mode))
        rc = remove_directory(parent, name, err);
    else if (unlinkat(parent, name, 0) < 0 && errno != ENOENT)
        rc = err_errno(err, errno, "%s", name);
    return rc < 0 ? err_wrap(err, rc, "removing %s", path) : 0;
}
