/* From a directory to a manifest: one pass, depth first, every file read once for its digest. */
#include "ship/walk.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/alloc.h"
#include "base/limits.h"
#include "base/str.h"
#include "base/units.h"
#include "base/vec.h"
#include "ship/ignore.h"

#define IGNORE_FILE_BYTES (256 * 1024)
#define READ_BYTES        (256 * 1024)

struct walk {
    const char *top;
    uint64_t max_bytes, total_bytes;
    size_t max_files;
    struct arena *arena;
    struct ship_rules rules;
    VEC(struct ship_entry) found;
    char *chunk; /* READ_BYTES */
    const struct ship_entry *largest;
};

static void walk_done(struct walk *w)
{
    ship_rules_done(&w->rules);
    vec_done(&w->found);
    mem_free(w->chunk);
}

static void dir_closep(DIR **dir)
{
    if (*dir != NULL)
        closedir(*dir);
}

static int no_memory(struct err *err)
{
    return err_set(err, BERR_NOMEM, "out of memory for the list of files");
}

/* ---- one file ---- */

static int file_digest(struct walk *w, int fd, struct ship_entry *e, struct err *err)
{
    cleanup(digest_freep) struct digest_state *hash = digest_new();
    if (hash == NULL)
        return no_memory(err);
    for (;;) {
        ssize_t n = read(fd, w->chunk, READ_BYTES);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(err, errno, "cannot read %.200s", e->path);
        if (n == 0)
            break;
        e->size_bytes += (uint64_t)n;
        /* looked at while reading, so that a huge file is refused before it is read whole */
        if (w->total_bytes + e->size_bytes > w->max_bytes)
            break;
        digest_add(hash, w->chunk, (size_t)n);
    }
    digest_end(TAKE_PTR(hash), &e->digest);
    return 0;
}

static int too_large(const struct walk *w, const struct ship_entry *last, struct err *err)
{
    char limit[UNITS_TEXT_MAX];
    const struct ship_entry *e =
        w->found.len > 0 && w->largest != NULL && w->largest->size_bytes > last->size_bytes
            ? w->largest
            : last;
    int rc = err_set(err, BERR_TOO_LARGE, "%.120s has more than %s of files (%.200s is large)",
                     w->top, units_format_bytes(limit, w->max_bytes), e->path);
    err_hint(err,
             "name what the job does not need in a file .berthignore, and put data in a volume");
    return rc;
}

static int entry_add(struct walk *w, const struct ship_entry *e, struct err *err)
{
    if (w->found.len >= w->max_files) {
        int rc =
            err_set(err, BERR_TOO_LARGE, "%.200s has more than %zu files", w->top, w->max_files);
        err_hint(err, "name what the job does not need in a file .berthignore");
        return rc;
    }
    struct ship_entry *slot = vec_push(&w->found);
    if (slot == NULL)
        return no_memory(err);
    *slot = *e;
    return 0;
}

static int file_add(struct walk *w, int dir_fd, const char *name, const char *path, struct err *err)
{
    struct ship_entry e = {.path = path};
    struct stat st;
    cleanup(fd_closep) int fd =
        openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st) != 0)
        return err_errno(err, errno, "cannot read %.200s", path);
    if (!S_ISREG(st.st_mode))
        return err_set(err, BERR_CONFLICT, "%.200s changed while it was read", path);
    e.is_executable = (st.st_mode & 0111) != 0;
    int rc = file_digest(w, fd, &e, err);
    if (rc != 0)
        return rc;
    if (w->total_bytes + e.size_bytes > w->max_bytes)
        return too_large(w, &e, err);
    w->total_bytes += e.size_bytes;
    if (w->largest == NULL || e.size_bytes > w->largest->size_bytes) {
        w->largest = arena_copy(w->arena, &e, sizeof(e));
        if (w->largest == NULL)
            return no_memory(err);
    }
    return entry_add(w, &e, err);
}

static int link_add(struct walk *w, int dir_fd, const char *name, const char *path, struct err *err)
{
    char target[LIMIT_CODE_PATH_BYTES + 1];
    ssize_t n = readlinkat(dir_fd, name, target, sizeof(target));
    if (n < 0)
        return err_errno(err, errno, "cannot read the link %.200s", path);
    if ((size_t)n >= sizeof(target))
        return err_set(err, BERR_INVALID, "the target of link %.200s is too long", path);
    struct ship_entry e = {.path = path, .target = arena_strndup(w->arena, target, (size_t)n)};
    return e.target != NULL ? entry_add(w, &e, err) : no_memory(err);
}

/* ---- directories ---- */

static bool is_always_ignored(const char *name)
{
    static const char *const names[] = {".git", ".hg", ".svn", "__pycache__", ".ipynb_checkpoints"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (strcmp(name, names[i]) == 0)
            return true;
    }
    return false;
}

static int rules_read(struct walk *w, int dir_fd, const char *name, const char *base,
                      struct err *err)
{
    cleanup(buf_done) struct buf text = BUF(IGNORE_FILE_BYTES);
    cleanup(fd_closep) int fd =
        openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return 0; /* none, or a link to elsewhere: no rules */
    for (;;) {
        ssize_t n = read(fd, w->chunk, READ_BYTES);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        buf_append(&text, w->chunk, (size_t)n);
    }
    if (buf_is_failed(&text))
        return err_set(err, BERR_TOO_LARGE, "%.200s/%s is too large", base, name);
    int rc = ship_rules_add(&w->rules, base, buf_str(&text), text.len, err);
    return rc == 0 ? 0 : err_wrap(err, rc, "%.200s/%s", base, name);
}

static int name_compare(const void *a, const void *b)
{
    const char *const *x = a, *const *y = b;
    return strcmp(*x, *y);
}

/* Names in order, so that the same directory fails with the same words. */
static int names_read(struct walk *w, DIR *dir, const char *path, const char ***ret,
                      size_t *ret_count, struct err *err)
{
    VEC(const char *) names = {0};
    int rc = 0;
    errno = 0;
    for (struct dirent *d; rc == 0 && (d = readdir(dir)) != NULL; errno = 0) {
        if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
            continue;
        const char **slot = vec_push(&names);
        if (slot == NULL || (*slot = arena_strdup(w->arena, d->d_name)) == NULL)
            rc = no_memory(err);
    }
    if (rc == 0 && errno != 0)
        rc = err_errno(err, errno, "cannot list %.200s", path);
    if (rc == 0) {
        if (names.len > 0)
            qsort(names.items, names.len, sizeof(*names.items), name_compare);
        *ret = arena_copy(w->arena, names.items, names.len * sizeof(*names.items));
        *ret_count = names.len;
        if (*ret == NULL && names.len > 0)
            rc = no_memory(err);
    }
    vec_done(&names);
    return rc;
}

static int dir_walk(struct walk *w, int dir_fd, const char *base, int depth, struct err *err);

static int name_add(struct walk *w, int dir_fd, const char *base, const char *name, int depth,
                    struct err *err)
{
    struct stat st;
    const char *path = base[0] == '\0' ? name : arena_printf(w->arena, "%s/%s", base, name);
    if (path == NULL)
        return no_memory(err);
    if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return err_errno(err, errno, "cannot look at %.200s", path);
    if (is_always_ignored(name) || ship_is_ignored(&w->rules, path, S_ISDIR(st.st_mode)))
        return 0;
    if (S_ISLNK(st.st_mode))
        return link_add(w, dir_fd, name, path, err);
    if (S_ISREG(st.st_mode))
        return file_add(w, dir_fd, name, path, err);
    if (!S_ISDIR(st.st_mode))
        return 0;
    if (depth + 1 >= LIMIT_CODE_DEPTH)
        return err_set(err, BERR_TOO_LARGE, "%.200s is more than %d directories deep", path,
                       LIMIT_CODE_DEPTH);
    cleanup(fd_closep) int fd =
        openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return err_errno(err, errno, "cannot open %.200s", path);
    return dir_walk(w, fd, path, depth + 1, err);
}

static int dir_walk(struct walk *w, int dir_fd, const char *base, int depth, struct err *err)
{
    size_t rules_before = w->rules.rules.len, count = 0;
    const char **names = NULL;
    cleanup(dir_closep) DIR *dir = fdopendir(fcntl(dir_fd, F_DUPFD_CLOEXEC, 0));
    if (dir == NULL)
        return err_errno(err, errno, "cannot list %.200s", base);
    int rc = rules_read(w, dir_fd, ".gitignore", base, err);
    if (rc == 0)
        rc = rules_read(w, dir_fd, ".berthignore", base, err);
    if (rc == 0)
        rc = names_read(w, dir, base, &names, &count, err);
    for (size_t i = 0; rc == 0 && i < count; i++)
        rc = name_add(w, dir_fd, base, names[i], depth, err);
    ship_rules_truncate(&w->rules, rules_before);
    return rc;
}

static int top_open(const char *dir_path, int *ret_fd, struct err *err)
{
    int fd = open(dir_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 && errno == ENOTDIR)
        return err_set(err, BERR_INVALID, "%.200s is not a directory", dir_path);
    if (fd < 0 && errno == ENOENT)
        return err_set(err, BERR_NOT_FOUND, "there is no directory %.200s", dir_path);
    if (fd < 0)
        return err_errno(err, errno, "cannot open %.200s", dir_path);
    *ret_fd = fd;
    return 0;
}

int ship_walk(const char *dir_path, const struct ship_limits *limits, struct arena *arena,
              struct ship_manifest *ret, struct err *err)
{
    cleanup(fd_closep) int fd = -1;
    int rc = top_open(dir_path, &fd, err);
    if (rc != 0)
        return rc;
    cleanup(walk_done) struct walk w = {
        .top = dir_path,
        .max_bytes = limits != NULL && limits->max_bytes > 0 ? limits->max_bytes : LIMIT_CODE_BYTES,
        .max_files = limits != NULL && limits->max_files > 0 ? limits->max_files : LIMIT_CODE_FILES,
        .arena = arena,
        .chunk = mem_alloc(READ_BYTES),
    };
    if (w.chunk == NULL)
        return no_memory(err);
    rc = dir_walk(&w, fd, "", 0, err);
    if (rc != 0)
        return rc;
    struct ship_entry *entries = arena_array(arena, w.found.len + 1, sizeof(*entries));
    if (entries == NULL)
        return no_memory(err);
    if (w.found.len > 0)
        memcpy(entries, w.found.items, w.found.len * sizeof(*entries));
    return ship_manifest_make(entries, w.found.len, ret, err);
}

int ship_open(const char *dir_path, const struct ship_entry *entry, int *ret_fd, struct err *err)
{
    struct open_how how = {.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};
    struct stat st;
    cleanup(fd_closep) int top = -1, fd = -1;
    int rc = top_open(dir_path, &top, err);
    if (rc != 0)
        return rc;
    fd = (int)syscall(SYS_openat2, top, entry->path, &how, sizeof(how));
    if (fd < 0 || fstat(fd, &st) != 0)
        return err_errno(err, errno, "cannot read %.200s", entry->path);
    if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != entry->size_bytes)
        return err_set(err, BERR_CONFLICT, "%.200s changed while it was sent", entry->path);
    *ret_fd = TAKE_FD(fd);
    return 0;
}
