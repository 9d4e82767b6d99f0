/*
 * Whoever sends a manifest decides names in a directory tree, so that every rule here is a wall:
 * each entry is checked alone first, then against all others, then the list is sorted and named.
 */
#include "ship/manifest.h"
#include <stdlib.h>
#include <string.h>
#include <yyjson.h>
#include "base/alloc.h"
#include "base/limits.h"
#include "base/map.h"
#include "base/str.h"
#include "js/js.h"

static int bad(struct err *err, size_t index, const char *key, const char *fmt, ...)
    PRINTF_LIKE(4, 5);
static int bad(struct err *err, size_t index, const char *key, const char *fmt, ...)
{
    char field[ERR_FIELD_MAX];
    va_list ap;
    va_start(ap, fmt);
    int rc = err_setv(err, BERR_INVALID, fmt, ap);
    va_end(ap);
    snprintf(field, sizeof(field), "[%zu]%s%s", index, key[0] != '\0' ? "." : "", key);
    err_at(err, field, 0, 0);
    return rc;
}

/* ---- one entry ---- */

/* "." and ".." as a part of len bytes. */
static bool is_dots(const char *part, size_t len)
{
    return (len == 1 && part[0] == '.') || (len == 2 && part[0] == '.' && part[1] == '.');
}

/* NULL when the path is fine, else what it must be. */
static const char *path_fault(const char *path)
{
    size_t len = strlen(path), depth = 1;
    if (len == 0 || len > LIMIT_CODE_PATH_BYTES)
        return "must have 1 to 1024 bytes";
    if (!str_is_utf8(path, len))
        return "must be UTF-8";
    const char *part = path;
    for (const char *p = path;; p++) {
        if ((*p > 0 && *p < 0x20) || *p == 0x7f)
            return "must not have control characters";
        if (*p != '/' && *p != '\0')
            continue;
        size_t n = (size_t)(p - part);
        if (n == 0 || is_dots(part, n))
            return "must be relative, without empty, . and .. parts";
        if (n > 255)
            return "must not have parts of more than 255 bytes";
        if (*p == '\0')
            break;
        depth++;
        part = p + 1;
    }
    return depth > LIMIT_CODE_DEPTH ? "must not be more than 32 directories deep" : NULL;
}

/* ---- against all others ---- */

/* Goes where a link's target leads, part by part from the link's own directory; `links` has the
 * paths of all links. NULL when it stays inside. */
static const char *target_fault(const struct ship_entry *e, const struct map *links)
{
    char at[2 * LIMIT_CODE_PATH_BYTES + 2];
    size_t target_len = strlen(e->target);
    if (target_len == 0 || target_len > LIMIT_CODE_PATH_BYTES || e->target[0] == '/')
        return "must be a relative path";
    if (!str_is_utf8(e->target, target_len))
        return "must be UTF-8";
    const char *slash = strrchr(e->path, '/');
    size_t len = slash != NULL ? (size_t)(slash - e->path) : 0;
    memcpy(at, e->path, len);
    for (const char *part = e->target; *part != '\0';) {
        size_t n = strcspn(part, "/");
        at[len] = '\0';
        if (len > 0 && map_get(links, at) != NULL)
            return "must not lead through another link";
        if (n == 2 && part[0] == '.' && part[1] == '.') {
            if (len == 0)
                return "must stay inside the directory";
            while (len > 0 && at[--len] != '/')
                ;
        } else if (n > 0 && !(n == 1 && part[0] == '.')) {
            if (len > 0)
                at[len++] = '/';
            memcpy(at + len, part, n);
            len += n;
        }
        part += n + (part[n] == '/');
    }
    return NULL;
}

/* A path that has a file or link where it needs a directory. */
static const char *parent_fault(const char *path, const struct map *paths)
{
    char at[LIMIT_CODE_PATH_BYTES + 1];
    str_copy(at, sizeof(at), path);
    for (char *slash = strrchr(at, '/'); slash != NULL; slash = strrchr(at, '/')) {
        *slash = '\0';
        if (map_get(paths, at) != NULL)
            return "is below a file or a link";
    }
    return NULL;
}

struct maps {
    struct map paths, links;
};

static void maps_done(struct maps *m)
{
    map_done(&m->paths);
    map_done(&m->links);
}

static int entry_check(const struct ship_entry *e, size_t i, struct maps *m, struct err *err)
{
    /* The value only says that it is there. */
    static char present;
    const char *fault = path_fault(e->path);
    if (fault == NULL && map_get(&m->paths, e->path) != NULL)
        fault = "is there twice";
    if (fault != NULL)
        return bad(err, i, "path", "path %.80s %s",
                   str_is_utf8(e->path, strlen(e->path)) ? e->path : "", fault);
    int rc = map_put(&m->paths, e->path, &present);
    if (rc == 0 && e->target != NULL)
        rc = map_put(&m->links, e->path, &present);
    return rc == 0 ? 0 : err_set(err, BERR_NOMEM, "out of memory");
}

static int relations_check(const struct ship_entry *e, size_t i, const struct maps *m,
                           struct err *err)
{
    const char *fault = parent_fault(e->path, &m->paths);
    if (fault != NULL)
        return bad(err, i, "path", "path %.80s %s", e->path, fault);
    fault = e->target != NULL ? target_fault(e, &m->links) : NULL;
    if (fault != NULL)
        return bad(err, i, "target", "the target of link %.80s %s", e->path, fault);
    return 0;
}

static int entries_check(const struct ship_entry *entries, size_t count, uint64_t *ret_total,
                         struct err *err)
{
    cleanup(maps_done) struct maps m = {MAP_STR, MAP_STR};
    uint64_t total = 0;
    if (count > LIMIT_CODE_FILES)
        return err_set(err, BERR_TOO_LARGE, "more than %d files", LIMIT_CODE_FILES);
    for (size_t i = 0; i < count; i++) {
        int rc = entry_check(&entries[i], i, &m, err);
        if (rc != 0)
            return rc;
        if (entries[i].size_bytes > LIMIT_CODE_BYTES - total)
            return err_set(err, BERR_TOO_LARGE, "the files have more than %lluG in all",
                           LIMIT_CODE_BYTES >> 30);
        total += entries[i].size_bytes;
    }
    for (size_t i = 0; i < count; i++) {
        int rc = relations_check(&entries[i], i, &m, err);
        if (rc != 0)
            return rc;
    }
    *ret_total = total;
    return 0;
}

/* ---- naming ---- */

static int entry_compare(const void *a, const void *b)
{
    const struct ship_entry *x = a, *y = b;
    return strcmp(x->path, y->path);
}

static void entry_write(const struct ship_entry *e, struct buf *out)
{
    char hex[DIGEST_HEX_SIZE];
    buf_puts(out, "{\"path\":");
    js_put_string(out, e->path);
    if (e->target != NULL) {
        buf_puts(out, ",\"target\":");
        js_put_string(out, e->target);
        buf_putc(out, '}');
        return;
    }
    buf_printf(out, ",\"mode\":\"%s\",\"size\":%llu,\"digest\":\"%s\"}",
               e->is_executable ? "0755" : "0644", (unsigned long long)e->size_bytes,
               digest_hex(hex, &e->digest));
}

void ship_manifest_write(const struct ship_manifest *m, struct buf *out)
{
    buf_putc(out, '[');
    for (size_t i = 0; i < m->count; i++) {
        if (i > 0)
            buf_putc(out, ',');
        entry_write(&m->entries[i], out);
    }
    buf_putc(out, ']');
}

/* Never less than the text's length: quotes and backslashes take two bytes, the rest one. */
static size_t text_bound(const struct ship_entry *entries, size_t count)
{
    size_t bound = 2;
    for (size_t i = 0; i < count; i++)
        bound += 160 + 2 * strlen(entries[i].path) +
                 (entries[i].target != NULL ? 2 * strlen(entries[i].target) : 0);
    return bound;
}

int ship_manifest_make(struct ship_entry *entries, size_t count, struct ship_manifest *ret,
                       struct err *err)
{
    cleanup(buf_done) struct buf text = BUF(SHIP_MANIFEST_BYTES);
    struct ship_manifest m = {.entries = entries, .count = count};
    int rc = entries_check(entries, count, &m.total_bytes, err);
    if (rc != 0)
        return rc;
    if (text_bound(entries, count) > SHIP_MANIFEST_BYTES)
        return err_set(err, BERR_TOO_LARGE, "the list of files is too long");
    if (count > 0)
        qsort(entries, count, sizeof(*entries), entry_compare);
    ship_manifest_write(&m, &text);
    if (buf_is_failed(&text))
        return err_set(err, BERR_NOMEM, "out of memory");
    rc = digest_of(buf_str(&text), text.len, &m.digest, err);
    if (rc == 0)
        *ret = m;
    return rc;
}

/* ---- reading ---- */

/* A string of the entry in the arena; NULL when absent. A NUL inside would end it early. */
static int entry_text(yyjson_val *val, size_t i, const char *key, struct arena *arena,
                      const char **ret, struct err *err)
{
    const char *s = yyjson_get_str(val);
    if (s == NULL || strlen(s) != yyjson_get_len(val))
        return bad(err, i, key, "%s must be a text", key);
    *ret = arena_strndup(arena, s, yyjson_get_len(val));
    return *ret != NULL ? 0 : err_set(err, BERR_NOMEM, "out of memory");
}

enum { HAS_PATH = 1, HAS_MODE = 2, HAS_SIZE = 4, HAS_DIGEST = 8, HAS_TARGET = 16 };
#define KEYS_FILE (HAS_PATH | HAS_MODE | HAS_SIZE | HAS_DIGEST)
#define KEYS_LINK (HAS_PATH | HAS_TARGET)

static int key_read(yyjson_val *key, yyjson_val *val, size_t i, struct arena *arena,
                    struct ship_entry *e, int *ret_bit, struct err *err)
{
    if (yyjson_equals_str(key, "path")) {
        *ret_bit = HAS_PATH;
        return entry_text(val, i, "path", arena, &e->path, err);
    }
    if (yyjson_equals_str(key, "target")) {
        *ret_bit = HAS_TARGET;
        return entry_text(val, i, "target", arena, &e->target, err);
    }
    if (yyjson_equals_str(key, "mode")) {
        *ret_bit = HAS_MODE;
        e->is_executable = yyjson_equals_str(val, "0755");
        return e->is_executable || yyjson_equals_str(val, "0644")
                   ? 0
                   : bad(err, i, "mode", "mode must be \"0644\" or \"0755\"");
    }
    if (yyjson_equals_str(key, "size")) {
        *ret_bit = HAS_SIZE;
        e->size_bytes = yyjson_get_uint(val);
        return yyjson_is_uint(val) ? 0 : bad(err, i, "size", "size must be a number of bytes");
    }
    if (yyjson_equals_str(key, "digest")) {
        *ret_bit = HAS_DIGEST;
        const char *s = yyjson_get_str(val);
        return s != NULL && strlen(s) == yyjson_get_len(val) && digest_parse(s, &e->digest)
                   ? 0
                   : bad(err, i, "digest", "digest must be 64 lower-case hex digits");
    }
    return bad(err, i, "", "an entry has path, mode, size and digest, or path and target");
}

static int entry_read(yyjson_val *obj, size_t i, struct arena *arena, struct ship_entry *e,
                      struct err *err)
{
    size_t at, count;
    yyjson_val *key, *val;
    int seen = 0;
    if (!yyjson_is_obj(obj))
        return bad(err, i, "", "an entry must be an object");
    yyjson_obj_foreach(obj, at, count, key, val)
    {
        int bit = 0;
        int rc = key_read(key, val, i, arena, e, &bit, err);
        if (rc != 0)
            return rc;
        if (seen & bit)
            return bad(err, i, yyjson_get_str(key), "the key is there twice");
        seen |= bit;
    }
    if (seen != KEYS_FILE && seen != KEYS_LINK)
        return bad(err, i, "", "an entry has path, mode, size and digest, or path and target");
    return 0;
}

static int list_read(yyjson_val *list, struct arena *arena, struct ship_manifest *ret,
                     struct err *err)
{
    size_t i, count;
    yyjson_val *val;
    if (!yyjson_is_arr(list))
        return err_set(err, BERR_INVALID, "a manifest must be a list of files");
    if (yyjson_arr_size(list) > LIMIT_CODE_FILES)
        return err_set(err, BERR_TOO_LARGE, "more than %d files", LIMIT_CODE_FILES);
    struct ship_entry *entries = arena_array(arena, yyjson_arr_size(list) + 1, sizeof(*entries));
    if (entries == NULL)
        return err_set(err, BERR_NOMEM, "out of memory");
    yyjson_arr_foreach(list, i, count, val)
    {
        int rc = entry_read(val, i, arena, &entries[i], err);
        if (rc != 0)
            return rc;
    }
    return ship_manifest_make(entries, yyjson_arr_size(list), ret, err);
}

int ship_manifest_parse(const char *json, size_t len, struct arena *arena,
                        struct ship_manifest *ret, struct err *err)
{
    yyjson_read_err why;
    if (len > SHIP_MANIFEST_BYTES)
        return err_set(err, BERR_TOO_LARGE, "the list of files is too long");
    union {
        const char *read_only;
        char *text;
    } in = {json}; /* not written without YYJSON_READ_INSITU */
    yyjson_doc *doc = yyjson_read_opts(in.text, len, YYJSON_READ_NOFLAG, NULL, &why);
    if (doc == NULL && why.code == YYJSON_READ_ERROR_MEMORY_ALLOCATION)
        return err_set(err, BERR_NOMEM, "out of memory");
    if (doc == NULL)
        return err_set(err, BERR_INVALID, "a manifest must be JSON: %s at byte %zu", why.msg,
                       why.pos);
    int rc = list_read(yyjson_doc_get_root(doc), arena, ret, err);
    yyjson_doc_free(doc);
    return rc;
}
