/* Writing JSON by hand, and the escaping that all writers share. */
#include "js/js.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/id.h"
#include "base/str.h"
#include "base/units.h"

/* Bytes at s that need no escape. */
static size_t plain_run(const char *s, size_t len)
{
    size_t i = 0;
    while (i < len) {
        unsigned char c = (unsigned char)s[i];
        if (c < 0x20 || c == '"' || c == '\\')
            break;
        size_t step = c < 0x80 ? 1 : str_utf8_len(s + i, len - i);
        if (step == 0)
            break;
        i += step;
    }
    return i;
}

static void put_escape(struct buf *out, unsigned char c)
{
    switch (c) {
    case '"':
        buf_puts(out, "\\\"");
        break;
    case '\\':
        buf_puts(out, "\\\\");
        break;
    case '\n':
        buf_puts(out, "\\n");
        break;
    case '\r':
        buf_puts(out, "\\r");
        break;
    case '\t':
        buf_puts(out, "\\t");
        break;
    default:
        if (c < 0x20)
            buf_printf(out, "\\u%04x", c);
        else
            buf_puts(out, "\xef\xbf\xbd"); /* not UTF-8: U+FFFD */
        break;
    }
}

void js_put_string(struct buf *out, const char *s)
{
    if (s == NULL) {
        buf_puts(out, "null");
        return;
    }
    size_t len = strlen(s);
    buf_putc(out, '"');
    while (len > 0) {
        size_t run = plain_run(s, len);
        buf_append(out, s, run);
        s += run;
        len -= run;
        if (len > 0) {
            put_escape(out, (unsigned char)*s);
            s++;
            len--;
        }
    }
    buf_putc(out, '"');
}

void js_w_init(struct js_writer *w, struct buf *out)
{
    *w = (struct js_writer){.out = out};
}

static void before_value(struct js_writer *w, const char *key)
{
    if (w->need_comma[w->depth])
        buf_putc(w->out, ',');
    w->need_comma[w->depth] = true;
    if (key != NULL) {
        js_put_string(w->out, key);
        buf_putc(w->out, ':');
    }
}

static void open_container(struct js_writer *w, const char *key, char bracket)
{
    before_value(w, key);
    check(w->depth + 1u < ARRAY_LEN(w->need_comma));
    w->need_comma[++w->depth] = false;
    buf_putc(w->out, bracket);
}

static void close_container(struct js_writer *w, char bracket)
{
    check(w->depth > 0);
    w->depth--;
    buf_putc(w->out, bracket);
}

void js_w_object(struct js_writer *w, const char *key)
{
    open_container(w, key, '{');
}

void js_w_array(struct js_writer *w, const char *key)
{
    open_container(w, key, '[');
}

void js_w_end_object(struct js_writer *w)
{
    close_container(w, '}');
}

void js_w_end_array(struct js_writer *w)
{
    close_container(w, ']');
}

void js_w_str(struct js_writer *w, const char *key, const char *value)
{
    before_value(w, key);
    js_put_string(w->out, value);
}

void js_w_i64(struct js_writer *w, const char *key, int64_t value)
{
    before_value(w, key);
    buf_printf(w->out, "%lld", (long long)value);
}

void js_w_u64(struct js_writer *w, const char *key, uint64_t value)
{
    before_value(w, key);
    buf_printf(w->out, "%llu", (unsigned long long)value);
}

void js_put_f64(struct buf *out, double value)
{
    if (!isfinite(value)) { /* JSON has no word for it */
        buf_puts(out, "null");
        return;
    }
    char text[40];
    for (int digits = 15; digits <= 17; digits++) { /* 17 always read back as the same double */
        snprintf(text, sizeof(text), "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    char *comma = strchr(text, ','); /* a locale's decimal point */
    if (comma != NULL)
        *comma = '.';
    buf_puts(out, text);
}

void js_w_f64(struct js_writer *w, const char *key, double value)
{
    before_value(w, key);
    js_put_f64(w->out, value);
}

void js_w_bool(struct js_writer *w, const char *key, bool value)
{
    before_value(w, key);
    buf_puts(w->out, value ? "true" : "false");
}

void js_w_null(struct js_writer *w, const char *key)
{
    before_value(w, key);
    buf_puts(w->out, "null");
}

void js_w_id(struct js_writer *w, const char *key, uint64_t id)
{
    char text[ID_TEXT_SIZE];
    js_w_str(w, key, id == 0 ? NULL : id_format(text, id));
}

void js_w_time(struct js_writer *w, const char *key, int64_t ms)
{
    char text[UNITS_TEXT_MAX];
    js_w_str(w, key, ms == 0 ? NULL : units_format_time(text, ms));
}

void js_w_raw(struct js_writer *w, const char *key, const char *json)
{
    before_value(w, key);
    buf_puts(w->out, json);
}

void js_w_table(struct js_writer *w, const char *key, const struct js_table *t, const void *src)
{
    before_value(w, key);
    if (src == NULL)
        buf_puts(w->out, "null");
    else
        js_encode(t, src, w->out);
}
