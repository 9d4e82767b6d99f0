/* JSON -> struct by a field table, with the path and position of the first mistake. */
#include "js/internal.h"

#include <math.h>
#include <string.h>
#include "base/alloc.h"
#include "base/id.h"
#include "base/limits.h"
#include "base/str.h"
#include "base/units.h"

#define FIELDS_MAX 128 /* of one table: bits of struct seen */

struct js_ctx {
    const struct js_doc *doc;
    struct arena *arena;
    struct err *err;
    bool is_own; /* text that berth wrote: read-only fields and unknown keys are fine */
    char path[ERR_FIELD_MAX];
    size_t path_len;
};

static int decode_object(struct js_ctx *ctx, yyjson_val *val, const struct js_table *table,
                         void *dst);

/* ---- path and errors ---- */

/* Adds ".name" (or "name" at the top) and returns the length to go back to. */
static size_t path_push(struct js_ctx *ctx, const char *name)
{
    size_t before = ctx->path_len, room = sizeof(ctx->path) - before;
    int len = snprintf(ctx->path + before, room, "%s%s", before == 0 ? "" : ".", name);
    ctx->path_len += (size_t)len < room ? (size_t)len : room - 1;
    return before;
}

static size_t path_push_index(struct js_ctx *ctx, size_t index)
{
    size_t before = ctx->path_len, room = sizeof(ctx->path) - before;
    int len = snprintf(ctx->path + before, room, "[%zu]", index);
    ctx->path_len += (size_t)len < room ? (size_t)len : room - 1;
    return before;
}

static void path_pop(struct js_ctx *ctx, size_t before)
{
    ctx->path_len = before;
    ctx->path[before] = '\0';
}

static int nomem(struct js_ctx *ctx)
{
    return err_set(ctx->err, BERR_NOMEM, "out of memory while reading a document");
}

int js_ctx_nomem(struct js_ctx *ctx)
{
    return nomem(ctx);
}

int js_ctx_fail(struct js_ctx *ctx, yyjson_val *val, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int rc = err_setv(ctx->err, BERR_INVALID, fmt, ap);
    va_end(ap);
    int line, col;
    js_where(ctx->doc, val, &line, &col);
    err_at(ctx->err, ctx->path, line, col);
    return rc;
}

int js_ctx_hint(struct js_ctx *ctx, const char *fmt, ...)
{
    char hint[ERR_TEXT_MAX];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(hint, sizeof(hint), fmt, ap);
    va_end(ap);
    err_hint(ctx->err, "%s", hint);
    return ctx->err == NULL ? -BERR_INVALID : -(int)ctx->err->code;
}

struct arena *js_ctx_arena(struct js_ctx *ctx)
{
    return ctx->arena;
}

int js_ctx_decode(struct js_ctx *ctx, yyjson_val *val, const struct js_table *table, void *dst)
{
    return decode_object(ctx, val, table, dst);
}

/* What a value looks like, for "found …"; secrets never show. */
static const char *describe(struct js_ctx *ctx, const struct js_field *f, yyjson_val *val,
                            char *dst, size_t dst_size)
{
    size_t token_len;
    const char *token;
    switch (yyjson_get_type(val)) {
    case YYJSON_TYPE_NULL:
        return "null";
    case YYJSON_TYPE_ARR:
        return "a list";
    case YYJSON_TYPE_OBJ:
        return "an object";
    case YYJSON_TYPE_BOOL:
        return yyjson_get_bool(val) ? "true" : "false";
    case YYJSON_TYPE_NUM:
        if (f->flags & JS_SECRET)
            return "a number";
        token = js_token(ctx->doc, val, &token_len);
        if (token == NULL)
            return "a number";
        snprintf(dst, dst_size, "%.*s", token_len > 40 ? 40 : (int)token_len, token);
        return dst;
    default:
        if (f->flags & JS_SECRET)
            return "text";
        snprintf(dst, dst_size, "\"%.60s\"", yyjson_get_str(val));
        return dst;
    }
}

static int fail_type(struct js_ctx *ctx, const struct js_field *f, yyjson_val *val,
                     const char *expected)
{
    char found[80];
    return js_ctx_fail(ctx, val, "expected %s, found %s", expected,
                       describe(ctx, f, val, found, sizeof(found)));
}

/* ---- numbers and units ---- */

/* An amount as its own type writes it, for messages about ranges. */
static const char *format_amount(const struct js_field *f, int64_t v, char dst[UNITS_TEXT_MAX])
{
    if (f->type == JS_BYTES)
        return units_format_bytes(dst, v < 0 ? 0 : (uint64_t)v);
    if (f->type == JS_DURATION)
        return units_format_duration(dst, v);
    if (f->type == JS_CPU || f->type == JS_GPU_SHARE)
        return units_format_gpu(dst, v);
    snprintf(dst, UNITS_TEXT_MAX, "%lld", (long long)v);
    return dst;
}

static int fail_range(struct js_ctx *ctx, const struct js_field *f, yyjson_val *val)
{
    char min[UNITS_TEXT_MAX], max[UNITS_TEXT_MAX], found_text[80];
    const char *found = describe(ctx, f, val, found_text, sizeof(found_text));
    format_amount(f, f->min, min);
    format_amount(f, f->max, max);
    if (f->min > f->max)
        return js_ctx_fail(ctx, val, "must be at least %s, found %s", min, found);
    return js_ctx_fail(ctx, val, "must be between %s and %s, found %s", min, max, found);
}

/* min > max means: no upper end. */
static bool is_in_range(const struct js_ctx *ctx, const struct js_field *f, int64_t v)
{
    if (ctx->is_own || (f->min == 0 && f->max == 0))
        return true;
    return v >= f->min && (f->min > f->max || v <= f->max);
}

static bool is_u64_in_range(const struct js_ctx *ctx, const struct js_field *f, uint64_t v)
{
    if (v <= INT64_MAX)
        return is_in_range(ctx, f, (int64_t)v);
    return ctx->is_own || (f->min == 0 && f->max == 0) || f->min > f->max;
}

static int decode_i64(struct js_ctx *ctx, const struct js_field *f, yyjson_val *val, int64_t *dst)
{
    bool fits = yyjson_is_sint(val) || (yyjson_is_uint(val) && yyjson_get_uint(val) <= INT64_MAX);
    if (!fits)
        return fail_type(ctx, f, val, "a whole number");
    if (!is_in_range(ctx, f, yyjson_get_sint(val)))
        return fail_range(ctx, f, val);
    *dst = yyjson_get_sint(val);
    return 0;
}

static int decode_u64(struct js_ctx *ctx, const struct js_field *f, yyjson_val *val, uint64_t *dst)
{
    if (!yyjson_is_uint(val))
        return fail_type(ctx, f, val, "a whole number from 0 up");
    if (!is_u64_in_range(ctx, f, yyjson_get_uint(val)))
        return fail_range(ctx, f, val);
    *dst = yyjson_get_uint(val);
    return 0;
}

static int decode_f64(struct js_ctx *ctx, const struct js_field *f, yyjson_val *val, double *dst)
{
    if (!yyjson_is_num(val))
        return fail_type(ctx, f, val, "a number");
    double v = yyjson_get_num(val);
    if (!isfinite(v))
        return fail_type(ctx, f, val, "a number");
    bool is_low = v < (double)f->min, is_high = f->min <= f->max && v > (double)f->max;
    if (!ctx->is_own && (f->min != 0 || f->max != 0) && (is_low || is_high))
        return fail_range(ctx, f, val);
    *dst = v;
    return 0;
}

/* The parsers of base/units.h say what they expected; here comes the place. */
static int place_unit_error(struct js_ctx *ctx, yyjson_val *val)
{
    int line, col;
    js_where(ctx->doc, val, &line, &col);
    err_at(ctx->err, ctx->path, line, col);
    return -BERR_INVALID;
}

static int decode_bytes(struct js_ctx *ctx, const struct js_field *f, yyjson_val *val,
                        uint64_t *dst)
{
    uint64_t bytes;
    if (yyjson_is_uint(val))
        bytes = yyjson_get_uint(val);
    else if (!yyjson_is_str(val))
        return fail_type(ctx, f, val, "a size like 4G");
    else if (units_parse_bytes(yyjson_get_str(val), &bytes, ctx->err) != 0)
        return place_unit_error(ctx, val);
    if (!is_u64_in_range(ctx, f, bytes))
        return fail_range(ctx, f, val);
    *dst = bytes;
    return 0;
}

/* A number with at most three decimals as thousandths. */
static bool number_to_milli(yyjson_val *val, int64_t *ret)
{
    double milli = yyjson_get_num(val) * 1000;
    if (!(milli >= 0 && milli < 0x1p53) ||
        fabs(milli - nearbyint(milli)) > 1e-6 * fmax(1, milli / 1e6))
        return false;
    *ret = (int64_t)nearbyint(milli);
    return true;
}

static int decode_milli(struct js_ctx *ctx, const struct js_field *f, yyjson_val *val, int64_t *dst)
{
    bool is_cpu = f->type == JS_CPU;
    const char *expected =
        is_cpu ? "a number of CPUs like 2, 0.5 or 500m" : "a number of GPUs like 1 or 0.5";
    int64_t milli;
    if (yyjson_is_str(val)) {
        int rc = is_cpu ? units_parse_cpu(yyjson_get_str(val), &milli, ctx->err)
                        : units_parse_gpu(yyjson_get_str(val), &milli, ctx->err);
        if (rc != 0)
            return place_unit_error(ctx, val);
    } else if (!yyjson_is_num(val) || !number_to_milli(val, &milli)) {
        return fail_type(ctx, f, val, expected);
    }
    if (!is_in_range(ctx, f, milli))
        return fail_range(ctx, f, val);
    *dst = milli;
    return 0;
}

static int decode_duration(struct js_ctx *ctx, const struct js_field *f, yyjson_val *val,
                           int64_t *dst)
{
    int64_t ms;
    if (!yyjson_is_str(val)) {
        int rc = fail_type(ctx, f, val, "a duration like 4h");
        if (yyjson_is_uint(val))
            err_hint(
                ctx->err, "add the unit: %llus, %llum, %lluh or %llud",
                (unsigned long long)yyjson_get_uint(val), (unsigned long long)yyjson_get_uint(val),
                (unsigned long long)yyjson_get_uint(val), (unsigned long long)yyjson_get_uint(val));
        return rc;
    }
    if (units_parse_duration(yyjson_get_str(val), &ms, ctx->err) != 0)
        return place_unit_error(ctx, val);
    if (!is_in_range(ctx, f, ms))
        return fail_range(ctx, f, val);
    *dst = ms;
    return 0;
}

static int decode_time(struct js_ctx *ctx, const struct js_field *f, yyjson_val *val, int64_t *dst)
{
    if (!yyjson_is_str(val))
        return fail_type(ctx, f, val, "a time like 2026-11-25T01:28:00Z");
    if (units_parse_time(yyjson_get_str(val), dst, ctx->err) != 0)
        return place_unit_error(ctx, val);
    return 0;
}

/* ---- texts ---- */

static int check_text(struct js_ctx *ctx, const struct js_field *f, yyjson_val *val)
{
    size_t len = yyjson_get_len(val), max = f->max == 0 ? LIMIT_TEXT : (size_t)f->max;
    if (f->type == JS_LABEL && !str_is_label(yyjson_get_str(val)))
        return fail_type(ctx, f, val, "a name of a-z, 0-9 and - (at most 63 characters)");
    if (f->type == JS_TAG && !str_is_tag(yyjson_get_str(val)))
        return fail_type(ctx, f, val, "a tag of letters, digits, '.', '_' and '-'");
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
        int rc = fail_type(ctx, f, val, "text");
        char found[80];
        if ((yyjson_is_num(val) || yyjson_is_bool(val)) && !(f->flags & JS_SECRET))
            err_hint(ctx->err, "put it in quotes: \"%s\"",
                     describe(ctx, f, val, found, sizeof(found)));
        return rc;
    }
    int rc = ctx->is_own ? 0 : check_text(ctx, f, val);
    if (rc != 0)
        return rc;
    const char *copy = arena_strndup(ctx->arena, yyjson_get_str(val), yyjson_get_len(val));
    if (copy == NULL)
        return nomem(ctx);
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
    int rc = fail_type(ctx, f, val, expected);
    const char *nearest =
        yyjson_is_str(val) ? str_nearest(yyjson_get_str(val), f->names, count) : NULL;
    if (nearest != NULL)
        err_hint(ctx->err, "did you mean \"%s\"?", nearest);
    return rc;
}

static int decode_id(struct js_ctx *ctx, const struct js_field *f, yyjson_val *val, uint64_t *dst)
{
    if (!yyjson_is_str(val) || !id_parse(yyjson_get_str(val), dst))
        return fail_type(ctx, f, val, "an id of 10 letters and digits");
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
        return nomem(ctx);
    *dst = arena_strndup(ctx->arena, text, len);
    return *dst == NULL ? nomem(ctx) : 0;
}

static int decode_loose_text(struct js_ctx *ctx, const struct js_field *f, yyjson_val *val,
                             const char **dst)
{
    if (yyjson_is_num(val) || yyjson_is_bool(val))
        return decode_token(ctx, val, dst);
    if (!yyjson_is_str(val)) {
        int rc = fail_type(ctx, f, val, "text");
        if (yyjson_is_null(val))
            err_hint(ctx->err, "write \"\" for an empty text");
        return rc;
    }
    size_t len = yyjson_get_len(val);
    if (len > LIMIT_LONG_TEXT_BYTES)
        return js_ctx_fail(ctx, val, "may have at most %d bytes, has %zu", LIMIT_LONG_TEXT_BYTES,
                           len);
    *dst = arena_strndup(ctx->arena, yyjson_get_str(val), len);
    return *dst == NULL ? nomem(ctx) : 0;
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
        return fail_type(ctx, f, val, "a list");
    size_t count = yyjson_arr_size(val), i = 0;
    int rc = check_count(ctx, f, val, count);
    if (rc != 0)
        return rc;
    char *items = arena_array(ctx->arena, count, f->sub->size);
    if (items == NULL)
        return nomem(ctx);
    yyjson_arr_iter iter = yyjson_arr_iter_with(val);
    for (yyjson_val *item; rc == 0 && (item = yyjson_arr_iter_next(&iter)) != NULL; i++) {
        size_t before = path_push_index(ctx, i);
        fill_defaults(f->sub, items + i * f->sub->size);
        rc = decode_object(ctx, item, f->sub, items + i * f->sub->size);
        path_pop(ctx, before);
    }
    if (rc == 0)
        *dst = (struct js_list){.items = items, .len = count};
    return rc;
}

static int decode_strs(struct js_ctx *ctx, const struct js_field *f, yyjson_val *val,
                       struct js_strs *dst)
{
    if (!yyjson_is_arr(val))
        return fail_type(ctx, f, val, "a list of texts");
    size_t count = yyjson_arr_size(val), i = 0;
    int rc = check_count(ctx, f, val, count);
    if (rc != 0)
        return rc;
    const char **items = arena_array(ctx->arena, count, sizeof(*items));
    if (items == NULL)
        return nomem(ctx);
    yyjson_arr_iter iter = yyjson_arr_iter_with(val);
    for (yyjson_val *item; rc == 0 && (item = yyjson_arr_iter_next(&iter)) != NULL; i++) {
        size_t before = path_push_index(ctx, i);
        rc = decode_loose_text(ctx, f, item, &items[i]);
        path_pop(ctx, before);
    }
    if (rc == 0)
        *dst = (struct js_strs){.items = items, .len = count};
    return rc;
}

static int decode_pairs(struct js_ctx *ctx, const struct js_field *f, yyjson_val *val,
                        struct js_pairs *dst)
{
    if (!yyjson_is_obj(val))
        return fail_type(ctx, f, val, "an object of texts");
    size_t count = yyjson_obj_size(val), i = 0;
    int rc = check_count(ctx, f, val, count);
    if (rc != 0)
        return rc;
    struct js_pair *items = arena_array(ctx->arena, count, sizeof(*items));
    if (items == NULL)
        return nomem(ctx);
    yyjson_obj_iter iter = yyjson_obj_iter_with(val);
    for (yyjson_val *key; rc == 0 && (key = yyjson_obj_iter_next(&iter)) != NULL; i++) {
        if (yyjson_get_len(key) == 0)
            return js_ctx_fail(ctx, key, "a key must not be empty");
        size_t before = path_push(ctx, yyjson_get_str(key));
        rc = decode_loose_text(ctx, f, key, &items[i].key);
        if (rc == 0)
            rc = decode_loose_text(ctx, f, yyjson_obj_iter_get_val(key), &items[i].value);
        path_pop(ctx, before);
    }
    if (rc == 0)
        *dst = (struct js_pairs){.items = items, .len = count};
    return rc;
}

static int decode_objects(struct js_ctx *ctx, const struct js_field *f, yyjson_val *val,
                          struct js_objects *dst)
{
    if (!yyjson_is_obj(val))
        return fail_type(ctx, f, val, "an object of objects");
    size_t count = yyjson_obj_size(val), i = 0;
    int rc = check_count(ctx, f, val, count);
    if (rc != 0)
        return rc;
    const char **keys = arena_array(ctx->arena, count, sizeof(*keys));
    char *items = arena_array(ctx->arena, count, f->sub->size);
    if (keys == NULL || items == NULL)
        return nomem(ctx);
    yyjson_obj_iter iter = yyjson_obj_iter_with(val);
    for (yyjson_val *key; rc == 0 && (key = yyjson_obj_iter_next(&iter)) != NULL; i++) {
        const struct js_field key_rule = {.type = JS_LABEL};
        size_t before = path_push(ctx, yyjson_get_str(key));
        rc = decode_str(ctx, &key_rule, key, &keys[i]);
        fill_defaults(f->sub, items + i * f->sub->size);
        if (rc == 0)
            rc = decode_object(ctx, yyjson_obj_iter_get_val(key), f->sub, items + i * f->sub->size);
        path_pop(ctx, before);
    }
    if (rc == 0)
        *dst = (struct js_objects){.keys = keys, .items = items, .len = count};
    return rc;
}

static int decode_ptr(struct js_ctx *ctx, const struct js_field *f, yyjson_val *val, void **dst)
{
    void *sub = arena_alloc(ctx->arena, f->sub->size);
    if (sub == NULL)
        return nomem(ctx);
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
            return fail_type(ctx, f, val, "true or false");
        *(bool *)dst = yyjson_get_bool(val);
        return 0;
    case JS_I64:
        return decode_i64(ctx, f, val, dst);
    case JS_U64:
        return decode_u64(ctx, f, val, dst);
    case JS_F64:
        return decode_f64(ctx, f, val, dst);
    case JS_STR:
    case JS_LABEL:
    case JS_TAG:
        return decode_str(ctx, f, val, dst);
    case JS_ENUM:
        return decode_enum(ctx, f, val, dst);
    case JS_BYTES:
        return decode_bytes(ctx, f, val, dst);
    case JS_CPU:
    case JS_GPU_SHARE:
        return decode_milli(ctx, f, val, dst);
    case JS_DURATION:
        return decode_duration(ctx, f, val, dst);
    case JS_TIME:
        return decode_time(ctx, f, val, dst);
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
        size_t before = path_push(ctx, f->name);
        int rc = js_ctx_fail(ctx, obj, "\"%s\" is missing", f->name);
        if (f->example != NULL)
            err_hint(ctx->err, "for example: \"%s\": %s", f->name, f->example);
        else if (f->doc != NULL)
            err_hint(ctx->err, "it says: %s", f->doc);
        path_pop(ctx, before);
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
        return fail_type(ctx, &any, val, "an object");
    }
    struct seen seen = {0};
    yyjson_obj_iter iter = yyjson_obj_iter_with(val);
    for (yyjson_val *key; (key = yyjson_obj_iter_next(&iter)) != NULL;) {
        size_t before = path_push(ctx, yyjson_get_str(key));
        int rc = decode_pair(ctx, key, table, &seen, dst);
        path_pop(ctx, before);
        if (rc != 0)
            return rc;
    }
    return check_required(ctx, val, table, &seen);
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
