#include "unpack/layer.h"
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>
#include "base/alloc.h"
#include "base/limits.h"
#include "base/str.h"

#define READ_BYTES (128 * 1024)
#define PATH_BYTES 4096
#define WHITEOUT   ".wh."
#define OPAQUE     ".wh..wh..opq"

struct unpack {
    struct archive *in, *out;
    uint64_t entries, bytes;
};

static void unpack_done(struct unpack *u)
{
    archive_read_free(u->in);
    archive_write_free(u->out);
}

/* What libarchive says, with the code that its errno means. */
static int failed(struct archive *a, const char *path, struct err *err)
{
    int errnum = archive_errno(a);
    const char *words = archive_error_string(a);
    enum berr code = errnum == ENOSPC || errnum == EDQUOT ? BERR_NO_SPACE : BERR_INVALID;
    return err_set(err, code, "%.200s%s%.200s", path, path[0] != '\0' ? ": " : "",
                   words != NULL ? words : "not a layer's archive");
}

static int refused(const char *path, const char *why, struct err *err)
{
    return err_set(err, BERR_INVALID, "%.200s: %s", path, why);
}

/* ---- names ---- */

/* Relative, without "..": libarchive is told to refuse these too, but its rules have changed over
 * time, and ours say it in our words. */
static const char *path_fault(const char *path)
{
    if (path == NULL || path[0] == '\0')
        return "has no name";
    if (strlen(path) >= PATH_BYTES)
        return "the name is too long";
    if (path[0] == '/')
        return "an absolute path";
    for (const char *part = path; part != NULL; part = strchr(part, '/'), part += part != NULL) {
        if (part[0] == '.' && part[1] == '.' && (part[2] == '/' || part[2] == '\0'))
            return "a path with ..";
    }
    return NULL;
}

static const char *base_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

static int open_beneath(const char *path, int flags)
{
    struct open_how how = {.flags = (uint64_t)(flags | O_CLOEXEC),
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};
    return (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));
}

/* libarchive would put a directory in the link's place: nothing gets out, but the layer is not what
 * whoever made it saw. */
static bool leads_through_link(const char *path, const char *base)
{
    char dir[PATH_BYTES];
    if (base == path)
        return false;
    snprintf(dir, sizeof(dir), "%.*s", (int)(base - path - 1), path);
    cleanup(fd_closep) int fd = open_beneath(dir, O_PATH);
    return fd < 0 && errno == ELOOP;
}

/* ---- whiteouts ---- */

/* Nothing else of the entry counts. */
static int put_header(struct unpack *u, const char *path, mode_t type, mode_t mode, struct err *err)
{
    struct archive_entry *e = archive_entry_new();
    if (e == NULL)
        return err_set(err, BERR_NOMEM, "out of memory");
    archive_entry_set_pathname(e, path);
    archive_entry_set_filetype(e, type);
    archive_entry_set_perm(e, mode);
    archive_entry_set_rdev(e, 0);
    int rc = archive_write_header(u->out, e) < ARCHIVE_OK ||
                     archive_write_finish_entry(u->out) < ARCHIVE_OK
                 ? failed(u->out, path, err)
                 : 0;
    archive_entry_free(e);
    return rc;
}

static int opaque_make(struct unpack *u, const char *path, const char *base, struct err *err)
{
    char dir[PATH_BYTES];
    snprintf(dir, sizeof(dir), "%.*s", (int)(base - path), path);
    const char *at = dir[0] != '\0' ? dir : ".";
    cleanup(fd_closep) int fd = open_beneath(at, O_RDONLY | O_DIRECTORY);
    if (fd < 0 && errno == ENOENT) {
        int rc = put_header(u, at, AE_IFDIR, 0755, err);
        if (rc != 0)
            return rc;
        fd = open_beneath(at, O_RDONLY | O_DIRECTORY);
    }
    if (fd < 0 || fsetxattr(fd, "user.overlay.opaque", "y", 1, 0) != 0)
        return err_errno(err, errno, "%.200s", path);
    return 0;
}

static int whiteout_make(struct unpack *u, const char *path, const char *base, struct err *err)
{
    char target[PATH_BYTES];
    const char *name = base + strlen(WHITEOUT);
    if (strcmp(base, OPAQUE) == 0)
        return opaque_make(u, path, base, err);
    if (str_has_prefix(name, WHITEOUT))
        return 0; /* bookkeeping of aufs */
    if (name[0] == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return refused(path, "hides nothing that could exist", err);
    snprintf(target, sizeof(target), "%.*s%s", (int)(base - path), path, name);
    struct stat st;
    if (fstatat(AT_FDCWD, target, &st, AT_SYMLINK_NOFOLLOW) == 0)
        return 0; /* whiteouts are about layers below: this one has the name itself */
    return put_header(u, target, AE_IFCHR, 0, err);
}

/* ---- entries ---- */

/* A layer must not bring what overlayfs takes for its own, nor what the kernel trusts. */
static void xattrs_filter(struct archive_entry *e)
{
    const char *name;
    const void *value;
    size_t size;
    struct archive_entry *kept = archive_entry_new();
    if (kept == NULL || archive_entry_xattr_reset(e) == 0) {
        archive_entry_free(kept);
        return;
    }
    while (archive_entry_xattr_next(e, &name, &value, &size) == ARCHIVE_OK) {
        bool is_ours = strcmp(name, "security.capability") == 0 ||
                       (str_has_prefix(name, "user.") && !str_has_prefix(name, "user.overlay."));
        if (is_ours)
            archive_entry_xattr_add_entry(kept, name, value, size);
    }
    archive_entry_xattr_clear(e);
    archive_entry_xattr_reset(kept);
    while (archive_entry_xattr_next(kept, &name, &value, &size) == ARCHIVE_OK)
        archive_entry_xattr_add_entry(e, name, value, size);
    archive_entry_free(kept);
}

static bool is_in_dev(const char *path)
{
    if (str_has_prefix(path, "./"))
        path += 2;
    return str_has_prefix(path, "dev/");
}

static int entry_check(struct unpack *u, struct archive_entry *e, const char *path, bool *ret_skip,
                       struct err *err)
{
    mode_t type = archive_entry_filetype(e);
    const char *link = archive_entry_hardlink(e);
    int64_t size = archive_entry_size_is_set(e) ? archive_entry_size(e) : 0;
    if (++u->entries > LIMIT_LAYER_ENTRIES)
        return err_set(err, BERR_TOO_LARGE, "the layer has more than %d files",
                       LIMIT_LAYER_ENTRIES);
    if (size < 0 || (uint64_t)size > LIMIT_LAYER_BYTES - u->bytes ||
        (uint64_t)archive_filter_bytes(u->in, 0) > LIMIT_LAYER_BYTES)
        return err_set(err, BERR_TOO_LARGE, "the layer has more than %lluG",
                       LIMIT_LAYER_BYTES >> 30);
    if (link == NULL && type == AE_IFREG)
        u->bytes += (uint64_t)size;
    if (link != NULL && path_fault(link) != NULL)
        return refused(path, "a link to an absolute path or to one with ..", err);
    if (link == NULL && (type == AE_IFCHR || type == AE_IFBLK)) {
        *ret_skip = is_in_dev(path);
        return *ret_skip ? 0 : refused(path, "a device", err);
    }
    *ret_skip = link == NULL && type == AE_IFSOCK;
    if (archive_entry_uid(e) > 65535 || archive_entry_gid(e) > 65535 || archive_entry_uid(e) < 0 ||
        archive_entry_gid(e) < 0)
        return refused(path, "an owner above 65535", err);
    return 0;
}

static int data_copy(struct unpack *u, const char *path, struct err *err)
{
    const void *data;
    size_t len;
    int64_t offset;
    for (;;) {
        int rc = archive_read_data_block(u->in, &data, &len, &offset);
        if (rc == ARCHIVE_EOF)
            return 0;
        if (rc < ARCHIVE_OK)
            return failed(u->in, path, err);
        if (archive_write_data_block(u->out, data, len, offset) < ARCHIVE_OK)
            return failed(u->out, path, err);
    }
}

static int entry_put(struct unpack *u, struct archive_entry *e, struct err *err)
{
    char path[PATH_BYTES];
    bool skip = false;
    const char *fault = path_fault(archive_entry_pathname(e));
    if (fault != NULL) {
        const char *name = archive_entry_pathname(e);
        return refused(name != NULL ? name : "", fault, err);
    }
    str_copy(path, sizeof(path), archive_entry_pathname(e));
    size_t len = strlen(path);
    while (len > 1 && path[len - 1] == '/')
        path[--len] = '\0';
    int rc = entry_check(u, e, path, &skip, err);
    if (rc != 0 || skip)
        return rc;
    const char *base = base_of(path);
    if (leads_through_link(path, base))
        return refused(path, "leads through a link", err);
    if (str_has_prefix(base, WHITEOUT))
        return whiteout_make(u, path, base, err);
    xattrs_filter(e);
    if (archive_write_header(u->out, e) < ARCHIVE_OK)
        return failed(u->out, path, err);
    if (archive_entry_size(e) > 0)
        rc = data_copy(u, path, err);
    if (rc == 0 && archive_write_finish_entry(u->out) < ARCHIVE_OK)
        rc = failed(u->out, path, err);
    return rc;
}

int layer_unpack(int archive_fd, uint64_t *ret_bytes, struct err *err)
{
    const int flags = ARCHIVE_EXTRACT_OWNER | ARCHIVE_EXTRACT_PERM | ARCHIVE_EXTRACT_TIME |
                      ARCHIVE_EXTRACT_XATTR | ARCHIVE_EXTRACT_UNLINK |
                      ARCHIVE_EXTRACT_SECURE_NODOTDOT | ARCHIVE_EXTRACT_SECURE_SYMLINKS |
                      ARCHIVE_EXTRACT_SECURE_NOABSOLUTEPATHS;
    cleanup(unpack_done) struct unpack u = {.in = archive_read_new(),
                                            .out = archive_write_disk_new()};
    if (u.in == NULL || u.out == NULL)
        return err_set(err, BERR_NOMEM, "out of memory");
    archive_read_support_filter_gzip(u.in);
    archive_read_support_filter_xz(u.in);
    archive_read_support_filter_zstd(u.in);
    archive_read_support_format_tar(u.in);
    archive_read_support_format_empty(u.in); /* tar's end alone: a layer without files */
    archive_write_disk_set_options(u.out, flags);
    if (archive_read_open_fd(u.in, archive_fd, READ_BYTES) != ARCHIVE_OK)
        return failed(u.in, "", err);
    for (;;) {
        struct archive_entry *e;
        int rc = archive_read_next_header(u.in, &e);
        if (rc == ARCHIVE_EOF)
            break;
        if (rc < ARCHIVE_WARN)
            return failed(u.in, "", err);
        rc = entry_put(&u, e, err);
        if (rc != 0)
            return rc;
    }
    /* Sets what had to wait: times and modes of directories. */
    if (archive_write_close(u.out) < ARCHIVE_OK)
        return failed(u.out, "", err);
    *ret_bytes = u.bytes;
    return 0;
}
