/* What JSON and YAML documents share: limits, positions, small questions. */
#include "js/internal.h"

#include <string.h>
#include "base/alloc.h"
#include "base/id.h"
#include "base/limits.h"
#include "base/map.h"
#include "base/str.h"

#define FEW_KEYS 16 /* up to here comparing all pairs is cheaper than hashing */

static void *alc_malloc(void *ctx, size_t size)
{
    return mem_alloc(size);
}

static void *alc_realloc(void *ctx, void *ptr, size_t old_size, size_t size)
{
    return mem_realloc(ptr, size);
}

static void alc_free(void *ctx, void *ptr)
{
    mem_free(ptr);
}

const yyjson_alc js_alc = {alc_malloc, alc_realloc, alc_free, NULL};

int js_nomem(struct err *err)
{
    return err_set(err, BERR_NOMEM, "out of memory while reading a document");
}

static int check_text(const struct js_doc *doc, struct err *err)
{
    size_t offset = 0;
    while (offset < doc->source_len) {
        size_t step = str_utf8_len(doc->source + offset, doc->source_len - offset);
        if (step == 0) {
            int line, col;
            js_line_col(doc, offset, &line, &col);
            if (doc->source[offset] == '\0')
                err_set(err, BERR_INVALID, "a NUL byte in the text");
            else
                err_set(err, BERR_INVALID, "the text is not valid UTF-8");
            err_at(err, "", line, col);
            return -BERR_INVALID;
        }
        offset += step;
    }
    return 0;
}

int js_doc_new(const char *text, size_t len, struct js_doc **ret, struct err *err)
{
    if (len > LIMIT_DOC_BYTES)
        return err_set(err, BERR_TOO_LARGE, "a document may have %d bytes, this one has %zu",
                       LIMIT_DOC_BYTES, len);
    struct js_doc *doc = mem_calloc(1, sizeof(*doc));
    if (doc == NULL)
        return js_nomem(err);
    doc->source = mem_alloc(len + 1);
    doc->offsets = mem_calloc(1, sizeof(*doc->offsets));
    if (doc->source == NULL || doc->offsets == NULL) {
        js_doc_free(doc);
        return js_nomem(err);
    }
    if (len > 0)
        memcpy(doc->source, text, len);
    doc->source[len] = '\0';
    doc->source_len = len;
    int rc = check_text(doc, err);
    if (rc != 0) {
        js_doc_free(doc);
        return rc;
    }
    *ret = doc;
    return 0;
}

struct js_doc *js_doc_free(struct js_doc *doc)
{
    if (doc == NULL)
        return NULL;
    yyjson_doc_free(doc->tree);
    mem_free(doc->source);
    if (doc->offsets != NULL)
        mem_free(doc->offsets->items);
    mem_free(doc->offsets);
    mem_free(doc);
    return NULL;
}

void js_doc_freep(struct js_doc **doc)
{
    *doc = js_doc_free(*doc);
}

yyjson_val *js_root(const struct js_doc *doc)
{
    return yyjson_doc_get_root(doc->tree);
}

/* ---- positions ---- */

size_t js_bom_bytes(const struct js_doc *doc)
{
    return strncmp(doc->source, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
}

void js_line_col(const struct js_doc *doc, size_t offset, int *ret_line, int *ret_col)
{
    int line = 1, col = 1;
    for (size_t i = js_bom_bytes(doc); i < offset && i < doc->source_len; i++) {
        unsigned char c = (unsigned char)doc->source[i];
        if (c == '\n') {
            line++;
            col = 1;
        } else if ((c & 0xc0) != 0x80) {
            col++; /* columns count characters, not bytes */
        }
    }
    *ret_line = line;
    *ret_col = col;
}

static bool is_between_tokens(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == ',' || c == ':' || c == ']' ||
           c == '}';
}

static size_t skip_json_token(const char *s, size_t i, size_t len)
{
    if (s[i] == '{' || s[i] == '[')
        return i + 1;
    if (s[i] != '"') {
        while (i < len && !is_between_tokens(s[i]))
            i++;
        return i;
    }
    for (i++; i < len && s[i] != '"'; i++) {
        if (s[i] == '\\')
            i++;
    }
    return i + 1;
}

/* The text parsed well, so a token is whatever stands between blanks and punctuation. */
static void find_json_offsets(const struct js_doc *doc)
{
    size_t count = yyjson_doc_get_val_count(doc->tree), n = 0;
    uint32_t *items = mem_calloc(count, sizeof(*items));
    if (items == NULL)
        return;
    for (size_t i = 0; i < doc->source_len && n < count;) {
        if (is_between_tokens(doc->source[i])) {
            i++;
            continue;
        }
        items[n++] = (uint32_t)i;
        i = skip_json_token(doc->source, i, doc->source_len);
    }
    doc->offsets->items = items;
    doc->offsets->len = n;
}

static bool find_offset(const struct js_doc *doc, yyjson_val *val, size_t *ret)
{
    if (doc == NULL || doc->tree == NULL || val == NULL)
        return false;
    yyjson_val *root = yyjson_doc_get_root(doc->tree);
    if (val < root || val >= root + yyjson_doc_get_val_count(doc->tree))
        return false;
    if (doc->offsets->items == NULL)
        find_json_offsets(doc);
    size_t index = (size_t)(val - root);
    if (index >= doc->offsets->len)
        return false;
    *ret = doc->offsets->items[index];
    return true;
}

void js_where(const struct js_doc *doc, yyjson_val *val, int *ret_line, int *ret_col)
{
    size_t offset;
    *ret_line = *ret_col = 0;
    if (find_offset(doc, val, &offset))
        js_line_col(doc, offset, ret_line, ret_col);
}

const char *js_token(const struct js_doc *doc, yyjson_val *val, size_t *ret_len)
{
    size_t start;
    if (!find_offset(doc, val, &start))
        return NULL;
    size_t end = start;
    while (end < doc->source_len && strchr("{}[],:#\"' \t\r\n", doc->source[end]) == NULL)
        end++;
    *ret_len = end - start;
    return doc->source + start;
}

int js_fail(const struct js_doc *doc, yyjson_val *val, const char *path, struct err *err,
            const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int rc = err_setv(err, BERR_INVALID, fmt, ap);
    va_end(ap);
    int line, col;
    js_where(doc, val, &line, &col);
    err_at(err, path, line, col);
    return rc;
}

/* ---- limits ---- */

static int fail_duplicate(const struct js_doc *doc, yyjson_val *key, struct err *err)
{
    return js_fail(doc, key, yyjson_get_str(key), err, "the key \"%.80s\" stands twice",
                   yyjson_get_str(key));
}

static int check_few_keys(const struct js_doc *doc, yyjson_val *obj, struct err *err)
{
    yyjson_val *seen[FEW_KEYS], *key;
    size_t count = 0;
    yyjson_obj_iter iter = yyjson_obj_iter_with(obj);
    while ((key = yyjson_obj_iter_next(&iter)) != NULL) {
        for (size_t i = 0; i < count; i++) {
            if (strcmp(yyjson_get_str(seen[i]), yyjson_get_str(key)) == 0)
                return fail_duplicate(doc, key, err);
        }
        seen[count++] = key;
    }
    return 0;
}

static int check_many_keys(const struct js_doc *doc, yyjson_val *obj, struct err *err)
{
    cleanup(map_done) struct map seen = MAP_STR;
    yyjson_val *key;
    yyjson_obj_iter iter = yyjson_obj_iter_with(obj);
    while ((key = yyjson_obj_iter_next(&iter)) != NULL) {
        if (map_get(&seen, yyjson_get_str(key)) != NULL)
            return fail_duplicate(doc, key, err);
        if (map_put(&seen, yyjson_get_str(key), key) != 0)
            return js_nomem(err);
    }
    return 0;
}

static int check_value(const struct js_doc *doc, yyjson_val *val, int depth, struct err *err);

static int check_object(const struct js_doc *doc, yyjson_val *obj, int depth, struct err *err)
{
    yyjson_val *key;
    yyjson_obj_iter iter = yyjson_obj_iter_with(obj);
    while ((key = yyjson_obj_iter_next(&iter)) != NULL) {
        int rc = check_value(doc, key, depth + 1, err);
        if (rc == 0)
            rc = check_value(doc, yyjson_obj_iter_get_val(key), depth + 1, err);
        if (rc != 0)
            return rc;
    }
    return yyjson_obj_size(obj) <= FEW_KEYS ? check_few_keys(doc, obj, err)
                                            : check_many_keys(doc, obj, err);
}

static int check_value(const struct js_doc *doc, yyjson_val *val, int depth, struct err *err)
{
    if (yyjson_is_str(val) && strlen(yyjson_get_str(val)) != yyjson_get_len(val))
        return js_fail(doc, val, "", err, "a NUL character in a text");
    if (!yyjson_is_ctn(val))
        return 0;
    if (depth > LIMIT_DOC_DEPTH)
        return js_fail(doc, val, "", err, "nested more than %d deep", LIMIT_DOC_DEPTH);
    if (yyjson_is_obj(val))
        return check_object(doc, val, depth, err);
    yyjson_val *item;
    yyjson_arr_iter iter = yyjson_arr_iter_with(val);
    while ((item = yyjson_arr_iter_next(&iter)) != NULL) {
        int rc = check_value(doc, item, depth + 1, err);
        if (rc != 0)
            return rc;
    }
    return 0;
}

int js_doc_check(const struct js_doc *doc, struct err *err)
{
    if (yyjson_doc_get_val_count(doc->tree) > LIMIT_DOC_NODES)
        return err_set(err, BERR_TOO_LARGE, "more than %d values in one document", LIMIT_DOC_NODES);
    return check_value(doc, js_root(doc), 1, err);
}

/* ---- reading by hand ---- */

const char *js_get_str(yyjson_val *obj, const char *key)
{
    return yyjson_get_str(yyjson_obj_get(obj, key));
}

int64_t js_get_i64(yyjson_val *obj, const char *key, int64_t otherwise)
{
    yyjson_val *val = yyjson_obj_get(obj, key);
    if (yyjson_is_sint(val) || (yyjson_is_uint(val) && yyjson_get_uint(val) <= INT64_MAX))
        return yyjson_get_sint(val);
    return otherwise;
}

bool js_get_bool(yyjson_val *obj, const char *key, bool otherwise)
{
    yyjson_val *val = yyjson_obj_get(obj, key);
    return yyjson_is_bool(val) ? yyjson_get_bool(val) : otherwise;
}

uint64_t js_get_id(yyjson_val *obj, const char *key)
{
    uint64_t id = 0;
    const char *text = js_get_str(obj, key);
    return text != NULL && id_parse(text, &id) ? id : 0;
}
