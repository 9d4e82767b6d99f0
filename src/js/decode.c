/* JSON -> struct by a field table; stops at the first mistake. */
#include "js/internal.h"

#include <stdio.h>
#include <string.h>
#include "base/alloc.h"
#include "base/id.h"
#include "base/limits.h"
#include "base/str.h"

#define FIELDS_MAX 128 /* of one table: bits of struct seen */

static int decode_object(struct js_ctx *ctx, yyjson_val *val, const struct js_table *table,
                         void *dst);

/* ---- texts ---- */

static int check_text(struct js_ctx *ctx, const struct js_field *f, yyjson_val *val)
{
    size_t len = yyjson_get_len(val), max = f->max == 0 ? LIMIT_TEXT : (size_t)f->max;
    if (f->type == JS_LABEL && !str_is_label(yyjson_get_str(val)))
        return js_ctx_fail_type(ctx, f, val, "a name of a-z, 0-9 and - (at most 63 characters)");
    if (f->type == JS_TAG && !str_is_tag(yyjson_get_str(val)))
        return js_ctx_fail_type(ctx, f, val, "a tag of letters, digits, '.', '_' and '-'");
    if (len == 0 && f->min > 0)
        return js_ctx_fail(ctx, val, "must not be empty");
    if (len < (size_t)f->min)
        return js_ctx_fail(ctx, val, "must have at least %lld bytes, has %zu", (long long)f->min,
                           len);
    if (len > max)
        return js_ctx_fail(ctx, val, "may have at most %zu bytes, has %zu", max, len);
    return 0;
}

static int decode_str(struct js_ctx *ctx, const struct js_field *f, yyjson_val *val,
                      const char **dst)
{
    if (!yyjson_is_str(val)) {
        int rc = js_ctx_fail_type(ctx, f, val, "text");
        char found[80];
        if ((yyjson_is_num(val) || yyjson_is_bool(val)) && !(f->flags & JS_SECRET))
            err_hint(ctx->err, "put it in quotes: \"%s\"",
                     js_ctx_describe(ctx, f, val, found, sizeof(found)));
        return rc;
    }
    int rc = ctx->is_own ? 0 : check_text(ctx, f, val);
    if (rc != 0)
        return rc;
    const char *copy = arena_strndup(ctx->arena, yyjson_get_str(val), yyjson_get_len(val));
    if (copy == NULL)
        return js_ctx_nomem(ctx);
    *dst = copy;
    return 0;
}

static int decode_enum(struct js_ctx *ctx, const struct js_field *f, yyjson_val *val, int *dst)
{
    size_t count = 0;
    char expected[200] = "one of ";
    for (; f->names[count] != NULL; count++) {
        if (yyjson_is_str(val) && strcmp(f->names[count], yyjson_get_str(val)) == 0) {
            *dst = (int)count;
            return 0;
        }
        size_t len = strlen(expected);
        snprintf(expected + len, sizeof(expected) - len, "%s%s", count == 0 ? "" : ", ",
                 f->names[count]);
    }
    int rc = js_ctx_fail_type(ctx, f, val, expected);
    const char *nearest =
        yyjson_is_str(val) ? str_nearest(yyjson_get_str(val), f->names, count) : NULL;
    if (nearest != NULL)
        err_hint(ctx->err, "did you mean \"%s\"?", nearest);
    return rc;
}

static int decode_id(struct js_ctx *ctx, const struct js_field *f, yyjson_val *val, uint64_t *dst)
{
    if (!yyjson_is_str(val) || !id_parse(yyjson_get_str(val), dst))
        return js_ctx_fail_type(ctx, f, val, "an id of 10 letters and digits");
    return 0;
}

/* A number or bool in the very letters the user wrote (a version 1.10 stays "1.10"); without a
 * document as JSON would write it. */
static int decode_token(struct js_ctx *ctx, yyjson_val *val, const char **dst)
{
    size_t len;
    cleanup(mem_freep) char *written = NULL;
    const char *text;
    if (ctx->doc != NULL)
        text = js_token(ctx->doc, val, &len);
    else
        text = written = yyjson_val_write_opts(val, YYJSON_WRITE_NOFLAG, &js_alc, &len, NULL);
    if (text == NULL)
        return js_ctx_nomem(ctx);
    *dst = arena_strndup(ctx->arena, text, len);
    return *dst == NULL ? js_ctx_nomem(ctx) : 0;
}

static int decode_loose_text(struct js_ctx *ctx, const struct js_field *f, yyjson_val *val,
                             const char **dst)
{
    if (yyjson_is_num(val) || yyjson_is_bool(val))
        return decode_token(ctx, val, dst);
    if (!yyjson_is_str(val)) {
        int rc = js_ctx_fail_type(ctx, f, val, "text");
        if (yyjson_is_null(val))
            err_hint(ctx->err, "write \"\" for an empty text");
        return rc;
    }
    size_t len = yyjson_get_len(val);
    if (len > LIMIT_LONG_TEXT_BYTES)
        return js_ctx_fail(ctx, val, "may have at most %d bytes, has %zu", LIMIT_LONG_TEXT_BYTES,
                           len);
    *dst = arena_strndup(ctx->arena, yyjson_get_str(val), len);
    return *dst == NULL ? js_ctx_nomem(ctx) : 0;
}

/* ---- lists and objects ---- */

static int check_count(struct js_ctx *ctx, const struct js_field *f, yyjson_val *val, size_t count)
{
    if (ctx->is_own)
        return 0;
    if (f->min > 0 && count < (size_t)f->min)
        return js_ctx_fail(ctx, val, "needs at least %lld entries, has %zu", (long long)f->min,
                           count);
    if (f->max > 0 && count > (size_t)f->max)
        return js_ctx_fail(ctx, val, "may have at most %lld entries, has %zu", (long long)f->max,
                           count);
    return 0;
}

static void fill_defaults(const struct js_table *table, void *dst)
{
    if (table->defaults != NULL)
        table->defaults(dst);
}

static int decode_list(struct js_ctx *ctx, const struct js_field *f, yyjson_val *val,
                       struct js_list *dst)
{
    if (!yyjson_is_arr(val))
        return js_ctx_fail_type(ctx, f, val, "a list");
    size_t count = yyjson_arr_size(val), i = 0;
    int rc = check_count(ctx, f, val, count);
    if (rc != 0)
        return rc;
    char *items = arena_array(ctx->arena, count, f->sub->size);
    if (items == NULL)
        return js_ctx_nomem(ctx);
    yyjson_arr_iter iter = yyjson_arr_iter_with(val);
    for (yyjson_val *item; rc == 0 && (item = yyjson_arr_iter_next(&iter)) != NULL; i++) {
        size_t before = js_ctx_push_index(ctx, i);
        fill_defaults(f->sub, items + i * f->sub->size);
        rc = decode_object(ctx, item, f->sub, items + i * f->sub->size);
        js_ctx_pop(ctx, before);
    }
    if (rc == 0)
        *dst = (struct js_list){.items = items, .len = count};
    return rc;
}

static int decode_strs(struct js_ctx *ctx, const struct js_field *f, yyjson_val *val,
                       struct js_strs *dst)
{
    if (!yyjson_is_arr(val))
        return js_ctx_fail_type(ctx, f, val, "a list of texts");
    size_t count = yyjson_arr_size(val), i = 0;
    int rc = check_count(ctx, f, val, count);
    if (rc != 0)
        return rc;
    const char **items = arena_array(ctx->arena, count, sizeof(*items));
    if (items == NULL)
        return js_ctx_nomem(ctx);
    yyjson_arr_iter iter = yyjson_arr_iter_with(val);
    for (yyjson_val *item; rc == 0 && (item = yyjson_arr_iter_next(&iter)) != NULL; i++) {
        size_t before = js_ctx_push_index(ctx, i);
        rc = decode_loose_text(ctx, f, item, &items[i]);
        js_ctx_pop(ctx, before);
    }
    if (rc == 0)
        *dst = (struct js_strs){.items = items, .len = count};
    return rc;
}

static int decode_pairs(struct js_ctx *ctx, const struct js_field *f, yyjson_val *val,
                        struct js_pairs *dst)
{
    if (!yyjson_is_obj(val))
        return js_ctx_fail_type(ctx, f, val, "an object of texts");
    size_t count = yyjson_obj_size(val), i = 0;
    int rc = check_count(ctx, f, val, count);
    if (rc != 0)
        return rc;
    struct js_pair *items = arena_array(ctx->arena, count, sizeof(*items));
    if (items == NULL)
        return js_ctx_nomem(ctx);
    yyjson_obj_iter iter = yyjson_obj_iter_with(val);
    for (yyjson_val *key; rc == 0 && (key = yyjson_obj_iter_next(&iter)) != NULL; i++) {
        if (yyjson_get_len(key) == 0)
            return js_ctx_fail(ctx, key, "a key must not be empty");
        size_t before = js_ctx_push(ctx, yyjson_get_str(key));
        rc = decode_loose_text(ctx, f, key, &items[i].key);
        if (rc == 0)
            rc = decode_loose_text(ctx, f, yyjson_obj_iter_get_val(key), &items[i].value);
        js_ctx_pop(ctx, before);
    }
    if (rc == 0)
        *dst = (struct js_pairs){.items = items, .len = count};
    return rc;
}

static int decode_objects(struct js_ctx *ctx, const struct js_field *f, yyjson_val *val,
                          struct js_objects *dst)
{
    if (!yyjson_is_obj(val))
        return js_ctx_fail_type(ctx, f, val, "an object of objects");
    size_t count = yyjson_obj_size(val), i = 0;
    int rc = check_count(ctx, f, val, count);
    if (rc != 0)
        return rc;
    const char **keys = arena_array(ctx->arena, count, sizeof(*keys));
    char *items = arena_array(ctx->arena, count, f->sub->size);
    if (keys == NULL || items == NULL)
        return js_ctx_nomem(ctx);
    yyjson_obj_iter iter = yyjson_obj_iter_with(val);
    for (yyjson_val *key; rc == 0 && (key = yyjson_obj_iter_next(&iter)) != NULL; i++) {
        const struct js_field key_rule = {.type = JS_LABEL};
        size_t before = js_ctx_push(ctx, yyjson_get_str(key));
        rc = decode_str(ctx, &key_rule, key, &keys[i]);
        fill_defaults(f->sub, items + i * f->sub->size);
        if (rc == 0)
            rc = decode_object(ctx, yyjson_obj_iter_get_val(key), f->sub, items + i * f->sub->size);
        js_ctx_pop(ctx, before);
    }
    if (rc == 0)
        *dst = (struct js_objects){.keys = keys, .items = items, .len = count};
    return rc;
}

static int decode_ptr(struct js_ctx *ctx, const struct js_field *f, yyjson_val *val, void **dst)
{
    void *sub = arena_alloc(ctx->arena, f->sub->size);
    if (sub == NULL)
        return js_ctx_nomem(ctx);
    fill_defaults(f->sub, sub);
    int rc = decode_object(ctx, val, f->sub, sub);
    if (rc == 0)
        *dst = sub;
    return rc;
}

static int decode_field(struct js_ctx *ctx, const struct js_field *f, yyjson_val *val, void *dst)
{
    switch (f->type) {
    case JS_BOOL:
        if (!yyjson_is_bool(val))
            return js_ctx_fail_type(ctx, f, val, "true or false");
        *(bool *)dst = yyjson_get_bool(val);
        return 0;
    case JS_I64:
    case JS_U64:
    case JS_F64:
    case JS_BYTES:
    case JS_CPU:
    case JS_GPU_SHARE:
    case JS_DURATION:
    case JS_TIME:
        return js_decode_amount(ctx, f, val, dst);
    case JS_STR:
    case JS_LABEL:
    case JS_TAG:
        return decode_str(ctx, f, val, dst);
    case JS_ENUM:
        return decode_enum(ctx, f, val, dst);
    case JS_ID:
        return decode_id(ctx, f, val, dst);
    case JS_STRUCT:
        return decode_object(ctx, val, f->sub, dst);
    case JS_PTR:
        return decode_ptr(ctx, f, val, dst);
    case JS_LIST:
        return decode_list(ctx, f, val, dst);
    case JS_STRS:
        return decode_strs(ctx, f, val, dst);
    case JS_PAIRS:
        return decode_pairs(ctx, f, val, dst);
    case JS_OBJECTS:
        return decode_objects(ctx, f, val, dst);
    case JS_RAW:
        *(yyjson_val **)dst = val;
        return 0;
    case JS_CUSTOM:
        return f->decode(ctx, f, val, dst);
    }
    return 0;
}

/* ---- tables ---- */

struct seen {
    uint64_t bits[FIELDS_MAX / 64];
};

static int fail_unknown(struct js_ctx *ctx, yyjson_val *key, const struct js_table *table)
{
    int rc = js_ctx_fail(ctx, key, "unknown key \"%.80s\"", yyjson_get_str(key));
    const char *names[FIELDS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < table->count; i++) {
        if (!(table->fields[i].flags & JS_READONLY))
            names[count++] = table->fields[i].name;
    }
    const char *nearest = str_nearest(yyjson_get_str(key), names, count);
    if (nearest != NULL)
        err_hint(ctx->err, "did you mean \"%s\"?", nearest);
    return rc;
}

static int decode_pair(struct js_ctx *ctx, yyjson_val *key, const struct js_table *table,
                       struct seen *seen, void *dst)
{
    size_t i = 0;
    while (i < table->count && strcmp(table->fields[i].name, yyjson_get_str(key)) != 0)
        i++;
    if (i == table->count)
        return ctx->is_own ? 0 : fail_unknown(ctx, key, table);
    const struct js_field *f = &table->fields[i];
    yyjson_val *val = yyjson_obj_iter_get_val(key);
    if ((f->flags & JS_READONLY) && !ctx->is_own)
        return js_ctx_fail(ctx, key, "\"%s\" is set by berth and cannot be given", f->name);
    seen->bits[i / 64] |= 1ull << (i % 64);
    if (yyjson_is_null(val) && (ctx->is_own || js_field_is_nullable(f)))
        return 0;
    return f->type == JS_CUSTOM && f->decode == NULL
               ? 0
               : decode_field(ctx, f, val, (char *)dst + f->offset);
}

static int check_required(struct js_ctx *ctx, yyjson_val *obj, const struct js_table *table,
                          const struct seen *seen)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct js_field *f = &table->fields[i];
        bool is_needed = (f->flags & JS_REQUIRED) && (!(f->flags & JS_READONLY) || ctx->is_own);
        if (!is_needed || (seen->bits[i / 64] >> (i % 64) & 1) != 0)
            continue;
        size_t before = js_ctx_push(ctx, f->name);
        int rc = js_ctx_fail(ctx, obj, "\"%s\" is missing", f->name);
        if (f->example != NULL)
            err_hint(ctx->err, "for example: \"%s\": %s", f->name, f->example);
        else if (f->doc != NULL)
            err_hint(ctx->err, "it says: %s", f->doc);
        js_ctx_pop(ctx, before);
        return rc;
    }
    return 0;
}

static int decode_object(struct js_ctx *ctx, yyjson_val *val, const struct js_table *table,
                         void *dst)
{
    check(table->count <= FIELDS_MAX);
    if (!yyjson_is_obj(val)) {
        const struct js_field any = {.type = JS_STRUCT};
        return js_ctx_fail_type(ctx, &any, val, "an object");
    }
    struct seen seen = {0};
    yyjson_obj_iter iter = yyjson_obj_iter_with(val);
    for (yyjson_val *key; (key = yyjson_obj_iter_next(&iter)) != NULL;) {
        size_t before = js_ctx_push(ctx, yyjson_get_str(key));
        int rc = decode_pair(ctx, key, table, &seen, dst);
        js_ctx_pop(ctx, before);
        if (rc != 0)
            return rc;
    }
    return check_required(ctx, val, table, &seen);
}

int js_ctx_decode(struct js_ctx *ctx, yyjson_val *val, const struct js_table *table, void *dst)
{
    return decode_object(ctx, val, table, dst);
}

int js_decode(const struct js_doc *doc, yyjson_val *val, const struct js_table *table,
              struct arena *arena, void *dst, struct err *err)
{
    struct js_ctx ctx = {.doc = doc, .arena = arena, .err = err};
    return decode_object(&ctx, val, table, dst);
}

int js_decode_own(const struct js_doc *doc, yyjson_val *val, const struct js_table *table,
                  struct arena *arena, void *dst, struct err *err)
{
    struct js_ctx ctx = {.doc = doc, .arena = arena, .err = err, .is_own = true};
    return decode_object(&ctx, val, table, dst);
}
