/*
 * out: tables, lists, JSON and YAML.
 */
#include "cli/out.h"
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "base/alloc.h"
#include "base/check.h"
#include "base/str.h"
#include "base/units.h"
#include "js/js.h"

#define CELL_MAX    2048
#define COLUMNS_MAX 32
#define TEXT_MAX    (64u << 20)

int cli_output_parse(const char *s, enum cli_output *ret, struct err *err)
{
    static const char *const names[] = {"table", "wide", "json", "yaml"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (str_is_equal(s, names[i])) {
            *ret = (enum cli_output)i;
            return 0;
        }
    err_set(err, BERR_INVALID, "unknown output format \"%.50s\"", s);
    return err_hint(err, "one of: table wide json yaml");
}

/* ---- values ---- */

yyjson_val *cli_at(yyjson_val *obj, const char *path)
{
    while (obj && *path) {
        size_t len = strcspn(path, ".");
        obj = yyjson_obj_getn(obj, path, len);
        path += len + (path[len] == '.');
    }
    return obj;
}

const char *cli_str(yyjson_val *obj, const char *path)
{
    yyjson_val *val = cli_at(obj, path);
    return yyjson_is_str(val) ? yyjson_get_str(val) : "";
}

int64_t cli_num(yyjson_val *obj, const char *path, int64_t otherwise)
{
    yyjson_val *val = cli_at(obj, path);
    return yyjson_is_int(val) ? yyjson_get_sint(val) : otherwise;
}

void cli_put_safe(struct buf *out, const char *s)
{
    size_t left = strlen(s);
    while (left) {
        size_t len = str_utf8_len(s, left);
        unsigned char c = (unsigned char)*s;
        /* C1 controls are U+0080 to U+009F: C2 80 to C2 9F. */
        bool is_c1 = len == 2 && c == 0xc2 && (unsigned char)s[1] < 0xa0;
        if (len == 0 || (len == 1 && (c < 0x20 || c == 0x7f)) || is_c1)
            buf_putc(out, c == '\t' || c == '\n' ? ' ' : '?');
        else
            buf_append(out, s, len);
        len = len ? len : 1;
        s += len;
        left -= len;
    }
}

static void put_time(struct buf *out, int64_t ms)
{
    char text[32];
    struct tm tm;
    time_t seconds = (time_t)(ms / 1000);
    if (localtime_r(&seconds, &tm) && strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm))
        buf_puts(out, text);
}

static void put_plain(struct buf *out, yyjson_val *val)
{
    size_t i, max;
    yyjson_val *item;
    if (yyjson_is_str(val)) {
        cli_put_safe(out, yyjson_get_str(val));
    } else if (yyjson_is_arr(val)) {
        yyjson_arr_foreach(val, i, max, item)
        {
            if (i)
                buf_puts(out, yyjson_is_str(item) ? ", " : ",");
            put_plain(out, item);
        }
    } else if (yyjson_is_bool(val)) {
        buf_puts(out, yyjson_get_bool(val) ? "yes" : "no");
    } else if (yyjson_is_uint(val)) {
        buf_printf(out, "%llu", (unsigned long long)yyjson_get_uint(val));
    } else if (yyjson_is_sint(val)) {
        buf_printf(out, "%lld", (long long)yyjson_get_sint(val));
    } else if (yyjson_is_real(val)) {
        js_put_f64(out, yyjson_get_real(val));
    }
}

static void put_cell(struct buf *out, yyjson_val *item, const struct cli_column *col,
                     int64_t now_ms)
{
    char text[UNITS_TEXT_MAX];
    int64_t ms;
    if (col->fn) {
        col->fn(out, item, now_ms);
        return;
    }
    yyjson_val *val = cli_at(item, col->path);
    switch (col->format) {
    case CLI_PLAIN:
        put_plain(out, val);
        break;
    case CLI_TIME:
        if (yyjson_is_str(val) && units_parse_time(yyjson_get_str(val), &ms, NULL) == 0)
            put_time(out, ms);
        break;
    case CLI_AGE:
        if (yyjson_is_str(val) && units_parse_time(yyjson_get_str(val), &ms, NULL) == 0)
            buf_puts(out, units_human_duration(text, now_ms > ms ? now_ms - ms : 0));
        break;
    case CLI_YES:
        if (yyjson_get_bool(val))
            buf_puts(out, "yes");
        break;
    case CLI_BYTES:
        if (yyjson_is_uint(val))
            buf_puts(out, units_human_bytes(text, yyjson_get_uint(val)));
        break;
    case CLI_SHARE:
        if (yyjson_is_obj(val)) {
            put_plain(out, cli_at(val, "used"));
            buf_putc(out, '/');
            put_plain(out, cli_at(val, "total"));
        }
        break;
    }
}

/* ---- tables ---- */

/* Characters, not bytes; wide East Asian ones count as one. */
static size_t width_of(const char *s)
{
    size_t width = 0;
    for (; *s; s++)
        width += ((unsigned char)*s & 0xc0) != 0x80;
    return width;
}

static void put_padded(struct buf *out, const char *s, size_t width)
{
    buf_puts(out, s);
    for (size_t w = width_of(s); w < width; w++)
        buf_putc(out, ' ');
}

static void trim_line(struct buf *out)
{
    while (out->len && out->data[out->len - 1] == ' ')
        buf_truncate(out, out->len - 1);
    buf_putc(out, '\n');
}

void cli_put_table(struct buf *out, yyjson_val *items, const struct cli_column *columns,
                   size_t count, bool wide, int64_t now_ms)
{
    size_t widths[COLUMNS_MAX] = {0}, i, max, last = 0;
    struct buf cell = BUF(CELL_MAX);
    yyjson_val *item;
    check(count <= COLUMNS_MAX);
    for (size_t c = 0; c < count; c++) {
        if (columns[c].wide && !wide)
            continue;
        last = c;
        widths[c] = width_of(columns[c].title);
        yyjson_arr_foreach(items, i, max, item)
        {
            buf_clear(&cell);
            put_cell(&cell, item, &columns[c], now_ms);
            size_t width = width_of(buf_str(&cell));
            if (width > widths[c])
                widths[c] = width;
        }
    }
    for (size_t c = 0; c <= last && count; c++)
        if (widths[c]) {
            put_padded(out, columns[c].title, c == last ? 0 : widths[c] + 2);
        }
    trim_line(out);
    yyjson_arr_foreach(items, i, max, item)
    {
        for (size_t c = 0; c <= last; c++) {
            if (!widths[c])
                continue;
            buf_clear(&cell);
            put_cell(&cell, item, &columns[c], now_ms);
            put_padded(out, buf_str(&cell), c == last ? 0 : widths[c] + 2);
        }
        trim_line(out);
    }
    buf_done(&cell);
}

void cli_put_fields(struct buf *out, yyjson_val *item, const struct cli_column *columns,
                    size_t count, int64_t now_ms)
{
    size_t widest = 0;
    struct buf cell = BUF(TEXT_MAX);
    for (size_t c = 0; c < count; c++)
        if (width_of(columns[c].title) > widest)
            widest = width_of(columns[c].title);
    for (size_t c = 0; c < count; c++) {
        buf_clear(&cell);
        put_cell(&cell, item, &columns[c], now_ms);
        if (!cell.len)
            continue;
        size_t begin = out->len;
        put_padded(out, columns[c].title, widest + 2);
        for (size_t i = begin; i < out->len; i++)
            if (out->data[i] >= 'A' && out->data[i] <= 'Z')
                out->data[i] = (char)(out->data[i] | 0x20);
        buf_puts(out, buf_str(&cell));
        trim_line(out);
    }
    buf_done(&cell);
}

/* ---- for programs ---- */

static void *alc_malloc(void *ctx, size_t size)
{
    (void)ctx;
    return mem_alloc(size);
}

static void *alc_realloc(void *ctx, void *ptr, size_t old_size, size_t size)
{
    (void)ctx, (void)old_size;
    return mem_realloc(ptr, size);
}

static void alc_free(void *ctx, void *ptr)
{
    (void)ctx;
    mem_free(ptr);
}

static const yyjson_alc alc = {alc_malloc, alc_realloc, alc_free, NULL};

static void take_text(struct buf *out, char *text, size_t len)
{
    if (text)
        buf_append(out, text, len);
    else
        buf_fail(out);
    mem_free(text);
}

void cli_put_json(struct buf *out, yyjson_val *val)
{
    size_t len = 0;
    char *text = yyjson_val_write_opts(val, YYJSON_WRITE_PRETTY_TWO_SPACES, &alc, &len, NULL);
    take_text(out, text, len);
    buf_putc(out, '\n');
}

size_t cli_put_compact(struct buf *out, const yyjson_mut_doc *doc)
{
    size_t len = 0;
    char *text = yyjson_mut_write_opts(doc, 0, &alc, &len, NULL);
    take_text(out, text, len);
    return len;
}

/* As JSON, but YAML allows no control characters at all: those that JSON leaves are escaped. */
static void put_quoted(struct buf *out, const char *s)
{
    struct buf json = BUF(TEXT_MAX);
    js_put_string(&json, s);
    for (const unsigned char *at = (const unsigned char *)buf_str(&json); *at; at++) {
        if (*at == 0x7f)
            buf_puts(out, "\\u007f");
        else if (*at == 0xc2 && at[1] < 0xa0)
            buf_printf(out, "\\u00%02x", *++at);
        else
            buf_putc(out, (char)*at);
    }
    buf_done(&json);
}

/* Plain when it can't be taken for anything else (YAML 1.2.2, 7.3.3), else as JSON. */
static void put_yaml_text(struct buf *out, const char *s)
{
    static const char *const words[] = {"null", "true", "false", "yes", "no",
                                        "on",   "off",  "y",     "n"};
    bool plain = *s && strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                 "_-./ ") == strlen(s);
    if (plain)
        plain = !strchr("0123456789-. ", s[0]) && s[strlen(s) - 1] != ' ';
    for (size_t i = 0; plain && i < ARRAY_LEN(words); i++)
        plain = !str_is_equal_ci(s, words[i]);
    if (plain)
        buf_puts(out, s);
    else
        put_quoted(out, s);
}

static void put_indent(struct buf *out, int depth)
{
    for (int i = 0; i < depth; i++)
        buf_puts(out, "  ");
}

static bool is_empty(yyjson_val *val)
{
    return (yyjson_is_obj(val) && !yyjson_obj_size(val)) ||
           (yyjson_is_arr(val) && !yyjson_arr_size(val));
}

static void put_yaml(struct buf *out, yyjson_val *val, int depth, bool in_line);

static void put_yaml_object(struct buf *out, yyjson_val *val, int depth, bool in_line)
{
    size_t i, max;
    yyjson_val *key, *item;
    yyjson_obj_foreach(val, i, max, key, item)
    {
        if (i || !in_line)
            put_indent(out, depth);
        put_yaml_text(out, yyjson_get_str(key));
        buf_putc(out, ':');
        if (yyjson_is_ctn(item) && !is_empty(item)) {
            buf_putc(out, '\n');
            put_yaml(out, item, yyjson_is_arr(item) ? depth : depth + 1, false);
        } else {
            buf_putc(out, ' ');
            put_yaml(out, item, depth, true);
        }
    }
}

/* in_line: something stands on this line already ("- " or "key: "). */
static void put_yaml(struct buf *out, yyjson_val *val, int depth, bool in_line)
{
    size_t i, max;
    yyjson_val *item;
    if (is_empty(val)) {
        buf_puts(out, yyjson_is_obj(val) ? "{}\n" : "[]\n");
    } else if (yyjson_is_obj(val)) {
        put_yaml_object(out, val, depth, in_line);
    } else if (yyjson_is_arr(val)) {
        yyjson_arr_foreach(val, i, max, item)
        {
            if (i || !in_line)
                put_indent(out, depth);
            buf_puts(out, "- ");
            put_yaml(out, item, depth + 1, true);
        }
    } else if (yyjson_is_str(val)) {
        put_yaml_text(out, yyjson_get_str(val));
        buf_putc(out, '\n');
    } else if (yyjson_is_null(val) || yyjson_is_bool(val)) {
        buf_puts(out, yyjson_is_null(val) ? "null\n" : yyjson_get_bool(val) ? "true\n" : "false\n");
    } else {
        put_plain(out, val);
        buf_putc(out, '\n');
    }
}

void cli_put_yaml(struct buf *out, yyjson_val *val)
{
    put_yaml(out, val, 0, false);
}
