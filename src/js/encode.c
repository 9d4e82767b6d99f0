/* struct -> JSON by a field table. */
#include "js/internal.h"

#include <string.h>
#include "base/alloc.h"
#include "base/id.h"
#include "base/units.h"

/* Reads a member at its address; the table promises its type. */
#define MEMBER(type, src) (*(type const *)(src))

static bool is_bare_text(enum js_type type)
{
    return type == JS_STR || type == JS_LABEL || type == JS_TAG;
}

/* What is written as null when absent may be read as null too, so that an answer can be sent back. */
bool js_field_is_nullable(const struct js_field *f)
{
    if (f->flags & JS_REQUIRED)
        return false;
    if (f->flags & JS_NULLABLE)
        return true;
    return !(f->flags & JS_OMIT_EMPTY) &&
           (is_bare_text(f->type) || f->type == JS_PTR || f->type == JS_RAW || f->type == JS_ID ||
            f->type == JS_TIME);
}

static bool is_empty(const struct js_field *f, const void *src)
{
    switch (f->type) {
    case JS_BOOL:
        return !MEMBER(bool, src);
    case JS_I64:
    case JS_CPU:
    case JS_GPU_SHARE:
    case JS_DURATION:
    case JS_TIME:
        return MEMBER(int64_t, src) == 0;
    case JS_U64:
    case JS_BYTES:
    case JS_ID:
        return MEMBER(uint64_t, src) == 0;
    case JS_F64:
        return MEMBER(double, src) == 0;
    case JS_ENUM:
        return MEMBER(int, src) == 0;
    case JS_STR:
    case JS_LABEL:
    case JS_TAG:
    case JS_PTR:
    case JS_RAW:
        return MEMBER(void *, src) == NULL;
    case JS_LIST:
        return MEMBER(struct js_list, src).len == 0;
    case JS_STRS:
        return MEMBER(struct js_strs, src).len == 0;
    case JS_PAIRS:
        return MEMBER(struct js_pairs, src).len == 0;
    case JS_OBJECTS:
        return MEMBER(struct js_objects, src).len == 0;
    case JS_STRUCT:
    case JS_CUSTOM:
        return false;
    }
    return false;
}

static void put_quoted(struct buf *out, const char *text)
{
    buf_putc(out, '"');
    buf_puts(out, text);
    buf_putc(out, '"');
}

static void put_list(const struct js_field *f, const struct js_list *list, struct buf *out)
{
    buf_putc(out, '[');
    for (size_t i = 0; i < list->len; i++) {
        if (i > 0)
            buf_putc(out, ',');
        js_encode(f->sub, (const char *)list->items + i * f->sub->size, out);
    }
    buf_putc(out, ']');
}

static void put_strs(const struct js_strs *strs, struct buf *out)
{
    buf_putc(out, '[');
    for (size_t i = 0; i < strs->len; i++) {
        if (i > 0)
            buf_putc(out, ',');
        js_put_string(out, strs->items[i]);
    }
    buf_putc(out, ']');
}

static void put_pairs(const struct js_pairs *pairs, struct buf *out)
{
    buf_putc(out, '{');
    for (size_t i = 0; i < pairs->len; i++) {
        if (i > 0)
            buf_putc(out, ',');
        js_put_string(out, pairs->items[i].key);
        buf_putc(out, ':');
        js_put_string(out, pairs->items[i].value);
    }
    buf_putc(out, '}');
}

static void put_objects(const struct js_field *f, const struct js_objects *objects, struct buf *out)
{
    buf_putc(out, '{');
    for (size_t i = 0; i < objects->len; i++) {
        if (i > 0)
            buf_putc(out, ',');
        js_put_string(out, objects->keys[i]);
        buf_putc(out, ':');
        js_encode(f->sub, (const char *)objects->items + i * f->sub->size, out);
    }
    buf_putc(out, '}');
}

static void put_raw(yyjson_val *val, struct buf *out)
{
    if (val == NULL) {
        buf_puts(out, "null");
        return;
    }
    size_t len;
    char *text = yyjson_val_write_opts(val, YYJSON_WRITE_NOFLAG, &js_alc, &len, NULL);
    if (text == NULL) /* out of memory */
        buf_fail(out);
    else
        buf_append(out, text, len);
    mem_free(text);
}

static void put_enum(const struct js_field *f, int value, struct buf *out)
{
    for (int i = 0; i <= value; i++)
        check(value >= 0 && f->names[i] != NULL);
    put_quoted(out, f->names[value]);
}

static void put_value(const struct js_field *f, const void *src, struct buf *out)
{
    char text[UNITS_TEXT_MAX];
    switch (f->type) {
    case JS_BOOL:
        buf_puts(out, MEMBER(bool, src) ? "true" : "false");
        break;
    case JS_I64:
        buf_printf(out, "%lld", (long long)MEMBER(int64_t, src));
        break;
    case JS_U64:
        buf_printf(out, "%llu", (unsigned long long)MEMBER(uint64_t, src));
        break;
    case JS_F64:
        js_put_f64(out, MEMBER(double, src));
        break;
    case JS_STR:
    case JS_LABEL:
    case JS_TAG:
        js_put_string(out, MEMBER(char *, src));
        break;
    case JS_ENUM:
        put_enum(f, MEMBER(int, src), out);
        break;
    case JS_BYTES:
        put_quoted(out, units_format_bytes(text, MEMBER(uint64_t, src)));
        break;
    case JS_CPU:
    case JS_GPU_SHARE: /* a JSON number: 2, 0.5 */
        buf_puts(out, units_format_gpu(text, MEMBER(int64_t, src)));
        break;
    case JS_DURATION:
        put_quoted(out, units_format_duration(text, MEMBER(int64_t, src)));
        break;
    case JS_TIME:
        js_put_string(
            out, MEMBER(int64_t, src) == 0 ? NULL : units_format_time(text, MEMBER(int64_t, src)));
        break;
    case JS_ID:
        js_put_string(out,
                      MEMBER(uint64_t, src) == 0 ? NULL : id_format(text, MEMBER(uint64_t, src)));
        break;
    case JS_STRUCT:
        js_encode(f->sub, src, out);
        break;
    case JS_PTR:
        if (MEMBER(void *, src) == NULL)
            buf_puts(out, "null");
        else
            js_encode(f->sub, MEMBER(void *, src), out);
        break;
    case JS_LIST:
        put_list(f, src, out);
        break;
    case JS_STRS:
        put_strs(src, out);
        break;
    case JS_PAIRS:
        put_pairs(src, out);
        break;
    case JS_OBJECTS:
        put_objects(f, src, out);
        break;
    case JS_RAW:
        put_raw(MEMBER(yyjson_val *, src), out);
        break;
    case JS_CUSTOM:
        f->encode(f, src, out);
        break;
    }
}

void js_encode(const struct js_table *table, const void *src, struct buf *out)
{
    bool need_comma = false;
    buf_putc(out, '{');
    for (size_t i = 0; i < table->count; i++) {
        const struct js_field *f = &table->fields[i];
        const void *member = (const char *)src + f->offset;
        if ((f->flags & JS_SECRET) || (f->type == JS_CUSTOM && f->encode == NULL))
            continue;
        if ((f->flags & JS_OMIT_EMPTY) && is_empty(f, member))
            continue;
        size_t before_key = out->len;
        if (need_comma)
            buf_putc(out, ',');
        js_put_string(out, f->name);
        buf_putc(out, ':');
        size_t after_key = out->len;
        put_value(f, member, out);
        if (out->len == after_key &&
            !buf_is_failed(out)) { /* a custom encoder had nothing to say */
            buf_truncate(out, before_key);
            continue;
        }
        need_comma = true;
    }
    buf_putc(out, '}');
}
