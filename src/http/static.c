/*
 * static: files in a map by path.
 */
#include "http/static.h"
#include <dirent.h>
#include <errno.h>
#include <openssl/evp.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/alloc.h"
#include "base/map.h"
#include "base/str.h"
#include "os/file.h"

#define PATH_BYTES 1024
#define DEPTH_MAX  16

struct file {
    struct static_asset asset;
    char etag[36]; /* quoted */
    const char *type;
    bool owned;
};

struct static_site {
    struct map files; /* path -> struct file */
};

const char *static_type(const char *path)
{
    static const struct {
        const char *ending, *type;
    } types[] = {
        {".html", "text/html; charset=utf-8"},
        {".js", "text/javascript; charset=utf-8"},
        {".mjs", "text/javascript; charset=utf-8"},
        {".css", "text/css; charset=utf-8"},
        {".json", "application/json"},
        {".map", "application/json"},
        {".txt", "text/plain; charset=utf-8"},
        {".md", "text/plain; charset=utf-8"},
        {".svg", "image/svg+xml"},
        {".png", "image/png"},
        {".jpg", "image/jpeg"},
        {".jpeg", "image/jpeg"},
        {".webp", "image/webp"},
        {".ico", "image/x-icon"},
        {".woff2", "font/woff2"},
        {".wasm", "application/wasm"},
        {".pdf", "application/pdf"},
        {".webmanifest", "application/manifest+json"},
    };
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        if (str_has_suffix(path, types[i].ending))
            return types[i].type;
    return "application/octet-stream";
}

/* ---- making a site ---- */

static void file_free(struct file *f)
{
    if (f->owned) {
        mem_free((void *)(uintptr_t)f->asset.path);
        mem_free((void *)(uintptr_t)f->asset.data);
        mem_free((void *)(uintptr_t)f->asset.gzip);
    }
    mem_free(f);
}

static int no_memory(struct err *err)
{
    return err_set(err, BERR_NOMEM, "out of memory");
}

static void make_etag(struct file *f)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    int ok = EVP_Digest(f->asset.data ? f->asset.data : "", f->asset.len, digest, &len,
                        EVP_sha256(), NULL);
    check(ok == 1 && len >= 16);
    f->etag[0] = '"';
    str_to_hex(f->etag + 1, digest, 16);
    f->etag[33] = '"';
    f->etag[34] = '\0';
}

static int add(struct static_site *s, const struct static_asset *asset, struct err *err)
{
    if (s->files.len == STATIC_FILES_MAX)
        return err_set(err, BERR_TOO_LARGE, "more than %d files", STATIC_FILES_MAX);
    struct file *f = mem_calloc(1, sizeof(*f));
    if (!f)
        return no_memory(err);
    f->asset = *asset;
    f->type = static_type(asset->path);
    make_etag(f);
    if (map_put(&s->files, asset->path, f) < 0) {
        mem_free(f);
        return no_memory(err);
    }
    return 0;
}

static int site_new(struct static_site **ret, struct err *err)
{
    struct static_site *s = mem_calloc(1, sizeof(*s));
    if (!s)
        return no_memory(err);
    s->files = MAP_STR;
    *ret = s;
    return 0;
}

struct static_site *static_site_free(struct static_site *s)
{
    void *value;
    if (!s)
        return NULL;
    for (size_t i = 0; map_next(&s->files, &i, NULL, &value);)
        file_free(value);
    map_done(&s->files);
    mem_free(s);
    return NULL;
}

int static_site_new(const struct static_asset *assets, size_t count, struct static_site **ret,
                    struct err *err)
{
    struct static_site *s = NULL;
    int rc = site_new(&s, err);
    for (size_t i = 0; rc == 0 && i < count; i++)
        rc = add(s, &assets[i], err);
    if (rc < 0) {
        static_site_free(s);
        return rc;
    }
    *ret = s;
    return 0;
}

/* ---- reading a directory ---- */

/* The compressed form of `name`, when it lies beside it. */
static int read_gzip(int dir_fd, const char *name, struct static_asset *a, struct err *err)
{
    char with[300], *data = NULL;
    struct err why = {0};
    int n = snprintf(with, sizeof(with), "%s.gz", name);
    if (n >= (int)sizeof(with))
        return 0;
    int rc = os_file_read(dir_fd, with, STATIC_FILE_BYTES, &data, &a->gzip_len, &why);
    if (rc == -(int)BERR_NOT_FOUND)
        return 0;
    if (rc < 0) {
        if (err)
            *err = why;
        return rc;
    }
    a->gzip = data;
    return 0;
}

static int read_file(struct static_site *s, int dir_fd, const char *name, const char *path,
                     struct err *err)
{
    char *data = NULL, *copy = mem_strdup(path);
    struct static_asset a = {.path = copy};
    if (!copy)
        return no_memory(err);
    int rc = os_file_read(dir_fd, name, STATIC_FILE_BYTES, &data, &a.len, err);
    a.data = data;
    if (rc == 0)
        rc = read_gzip(dir_fd, name, &a, err);
    if (rc == 0)
        rc = add(s, &a, err);
    if (rc < 0) {
        mem_free(copy);
        mem_free(data);
        mem_free((void *)(uintptr_t)a.gzip);
        return rc;
    }
    struct file *f = map_get(&s->files, path);
    f->owned = true;
    return 0;
}

static int read_dir(struct static_site *s, int dir_fd, const char *prefix, int depth,
                    struct err *err);

static int read_entry(struct static_site *s, DIR *dir, const char *name, const char *prefix,
                      int depth, struct err *err)
{
    char path[PATH_BYTES];
    struct stat st;
    int fd = -1;
    if (name[0] == '.' || fstatat(dirfd(dir), name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return 0;
    if (snprintf(path, sizeof(path), "%s/%s", prefix, name) >= (int)sizeof(path))
        return err_set(err, BERR_INVALID, "the path of %s is too long", name);
    if (S_ISREG(st.st_mode) && !str_has_suffix(name, ".gz"))
        return read_file(s, dirfd(dir), name, path, err);
    if (!S_ISDIR(st.st_mode))
        return 0;
    if (depth == DEPTH_MAX)
        return err_set(err, BERR_INVALID, "directories in %s are too deep", prefix);
    int rc = os_file_open(dirfd(dir), name, O_RDONLY | O_DIRECTORY, 0, &fd, err);
    return rc < 0 ? rc : read_dir(s, fd, path, depth + 1, err);
}

/* Takes dir_fd over. */
static int read_dir(struct static_site *s, int dir_fd, const char *prefix, int depth,
                    struct err *err)
{
    DIR *dir = fdopendir(dir_fd);
    int rc = 0;
    if (!dir) {
        rc = err_errno(err, errno, "%s", prefix);
        close(dir_fd);
        return rc;
    }
    for (struct dirent *e; rc == 0 && (e = readdir(dir)) != NULL;)
        rc = read_entry(s, dir, e->d_name, prefix, depth, err);
    closedir(dir);
    return rc;
}

int static_site_load(const char *dir, struct static_site **ret, struct err *err)
{
    struct static_site *s = NULL;
    int fd = -1;
    int rc = site_new(&s, err);
    if (rc == 0)
        rc = os_file_open(AT_FDCWD, dir, O_RDONLY | O_DIRECTORY, 0, &fd, err);
    if (rc == 0)
        rc = read_dir(s, fd, "", 0, err);
    if (rc < 0) {
        static_site_free(s);
        return err_wrap(err, rc, "reading the pages in %s", dir);
    }
    *ret = s;
    return 0;
}

/* ---- answering ---- */

/* If-None-Match (RFC 9110 13.1.2): a list of tags, weak ones count as equal. */
static bool has_tag(const char *list, const char *etag)
{
    if (!list)
        return false;
    if (str_is_equal(list, "*"))
        return true;
    size_t len = strlen(etag);
    for (const char *at = list; (at = strchr(at, '"')) != NULL;) {
        if (strncmp(at, etag, len) == 0)
            return true;
        const char *end = strchr(at + 1, '"');
        if (!end)
            return false;
        at = end + 1;
    }
    return false;
}

/* Accept-Encoding names gzip and does not refuse it with q=0 (RFC 9110 12.5.3). */
static bool accepts_gzip(const struct http_head *head)
{
    const char *value = http_head_get(head, "accept-encoding");
    if (!value || !http_head_has_token(head, "accept-encoding", "gzip"))
        return false;
    const char *q = strstr(value, "gzip");
    q = q ? q + strcspn(q, ";,") : "";
    if (*q != ';')
        return true;
    q += 1 + strspn(q + 1, " \t");
    if (strncmp(q, "q=0", 3) != 0)
        return true;
    return strspn(q + 3, ".0") < strcspn(q + 3, ", \t");
}

static const struct file *find(const struct static_site *s, const char *path)
{
    char with[PATH_BYTES];
    size_t len = strlen(path);
    if (len == 0 || path[len - 1] != '/')
        return map_get(&s->files, path);
    if (snprintf(with, sizeof(with), "%sindex.html", path) >= (int)sizeof(with))
        return NULL;
    return map_get(&s->files, with);
}

static void answer(const struct file *f, struct http_request *req)
{
    const struct static_asset *a = &f->asset;
    bool zipped = a->gzip && accepts_gzip(req->head);
    bool for_ever = str_has_prefix(a->path, "/assets/");
    http_reply_header(req, "ETag", f->etag);
    http_reply_header(req, "Cache-Control",
                      for_ever ? "public, max-age=31536000, immutable" : "no-cache");
    http_reply_header(req, "X-Content-Type-Options", "nosniff");
    if (a->gzip)
        http_reply_header(req, "Vary", "Accept-Encoding");
    if (has_tag(http_head_get(req->head, "if-none-match"), f->etag)) {
        http_reply(req, 304, NULL, NULL, 0);
        return;
    }
    if (zipped)
        http_reply_header(req, "Content-Encoding", "gzip");
    http_reply(req, 200, f->type, zipped ? a->gzip : a->data, zipped ? a->gzip_len : a->len);
}

bool static_serve_path(const struct static_site *s, const char *path, struct http_request *req)
{
    struct err err = {0};
    const struct file *f = find(s, path);
    if (!f)
        return false;
    if (!req->is_head && !str_is_equal(req->method, "GET")) {
        http_reply_header(req, "Allow", "GET, HEAD");
        err_set(&err, BERR_METHOD, "%s is not possible here, only GET", req->method);
        http_reply_err(req, &err);
        return true;
    }
    answer(f, req);
    return true;
}

bool static_serve(const struct static_site *s, struct http_request *req)
{
    return req->target.path && static_serve_path(s, req->target.path, req);
}
