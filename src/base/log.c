/* Lines are built on the stack (no allocation can fail on the way) and cut at PIPE_BUF, so that
 * one write(2) stays one line even when several processes share the descriptor. */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "base/err.h"
#include "base/str.h"
#include "base/units.h"

#define LINE_MAX_BYTES 4096
#define CLOSING_BYTES  4 /* kept free for `"}` and the newline */

struct line {
    char data[LINE_MAX_BYTES];
    size_t len;
};

static struct {
    int fd;
    enum log_level least;
    bool pretty;
    char program[32];
    long long (*now_ms)(void);
} sink = {.fd = STDERR_FILENO, .least = LOG_INFO, .program = "berth"};

static const char *const level_names[] = {
    [LOG_DEBUG] = "debug", [LOG_INFO] = "info", [LOG_WARN] = "warn", [LOG_ERROR] = "error"};

static long long wall_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    return (long long)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Appends all of the text or, when it does not fit, nothing. */
static bool put(struct line *line, const char *text, size_t len)
{
    if (len > sizeof(line->data) - CLOSING_BYTES - line->len)
        return false;
    memcpy(line->data + line->len, text, len);
    line->len += len;
    return true;
}

static bool put_str(struct line *line, const char *text)
{
    return put(line, text, strlen(text));
}

/* Appends text with quotes, backslashes, control characters and bytes that are no UTF-8 escaped. */
static void put_escaped(struct line *line, const char *text)
{
    size_t left = strlen(text);
    while (left > 0) {
        size_t step = str_utf8_len(text, left);
        unsigned char first = (unsigned char)*text;
        char escape[8];
        bool fits;
        if (step == 0) {
            fits = put_str(line, "\\ufffd");
            step = 1;
        } else if (first == '"' || first == '\\') {
            snprintf(escape, sizeof(escape), "\\%c", first);
            fits = put_str(line, escape);
        } else if (first < 0x20 || first == 0x7f) {
            snprintf(escape, sizeof(escape), first == '\n' ? "\\n" : "\\u%04x", first);
            fits = put_str(line, escape);
        } else {
            fits = put(line, text, step);
        }
        if (!fits)
            return;
        text += step;
        left -= step;
    }
}

static void put_json_pair(struct line *line, const char *key, const char *value)
{
    size_t before = line->len;
    put_str(line, line->len == 0 ? "{\"" : ",\"");
    put_escaped(line, key);
    if (!put_str(line, "\":\"")) {
        line->len = before; /* no room for a key: leave the pair out */
        return;
    }
    put_escaped(line, value);
    line->data[line->len++] = '"';
}

static bool is_plain(const char *value)
{
    if (*value == '\0' || !str_is_utf8(value, strlen(value)))
        return false;
    for (; *value != '\0'; value++) {
        if ((unsigned char)*value <= ' ' || *value == '"' || *value == '\\' || *value == 0x7f)
            return false;
    }
    return true;
}

static void put_pretty_pair(struct line *line, const char *key, const char *value)
{
    size_t before = line->len;
    put_str(line, " ");
    put_escaped(line, key);
    if (is_plain(value)) {
        if (!put_str(line, "=") || !put_str(line, value))
            line->len = before;
        return;
    }
    if (!put_str(line, "=\"")) {
        line->len = before;
        return;
    }
    put_escaped(line, value);
    line->data[line->len++] = '"';
}

static void put_pair(struct line *line, const char *key, const char *value)
{
    if (value == NULL)
        return;
    if (line->len > sizeof(line->data) - 2 * CLOSING_BYTES)
        return;
    if (sink.pretty)
        put_pretty_pair(line, key, value);
    else
        put_json_pair(line, key, value);
}

static void start(struct line *line, enum log_level level, const char *text)
{
    line->len = 0;
    char time[UNITS_TEXT_MAX];
    long long now_ms = sink.now_ms == NULL ? wall_ms() : sink.now_ms();
    units_format_time(time, now_ms);
    if (sink.pretty) {
        char *clock = strchr(time, 'T');
        check(clock != NULL);
        put(line, clock + 1, strlen("00:00:00"));
        put_str(line, " ");
        put_str(line, level_names[level]);
        put_str(line, " ");
        put_escaped(line, text);
        return;
    }
    put_json_pair(line, "t", time);
    put_json_pair(line, "l", level_names[level]);
    put_json_pair(line, "p", sink.program);
    put_json_pair(line, "m", text);
}

static void put_pairs(struct line *line, va_list ap)
{
    const char *key;
    while ((key = va_arg(ap, const char *)) != NULL)
        put_pair(line, key, va_arg(ap, const char *));
}

static void finish(struct line *line)
{
    if (!sink.pretty)
        line->data[line->len++] = '}';
    line->data[line->len++] = '\n';
    int saved = errno;
    ssize_t written;
    do {
        written = write(sink.fd, line->data, line->len);
    } while (written < 0 && errno == EINTR);
    errno = saved; /* a log that cannot be written has nobody to tell */
}

void log_open(int fd, const char *program, enum log_level least, bool pretty)
{
    sink.fd = fd;
    sink.least = least;
    sink.pretty = pretty;
    str_copy(sink.program, sizeof(sink.program), program);
}

void log_set_clock(long long (*now_ms)(void))
{
    sink.now_ms = now_ms;
}

void log_write(enum log_level level, const char *text, ...)
{
    if (level < sink.least)
        return;
    struct line line;
    start(&line, level, text);
    va_list ap;
    va_start(ap, text);
    put_pairs(&line, ap);
    va_end(ap);
    finish(&line);
}

void log_err(enum log_level level, const struct err *err, const char *text, ...)
{
    if (level < sink.least)
        return;
    struct line line;
    start(&line, level, text);
    put_pair(&line, "error", err->text);
    put_pair(&line, "code", berr_name(err->code));
    if (err->field[0] != '\0')
        put_pair(&line, "field", err->field);
    va_list ap;
    va_start(ap, text);
    put_pairs(&line, ap);
    va_end(ap);
    finish(&line);
}

bool log_level_parse(const char *s, enum log_level *ret)
{
    for (size_t i = 0; i < ARRAY_LEN(level_names); i++) {
        if (str_is_equal(s, level_names[i])) {
            *ret = (enum log_level)i;
            return true;
        }
    }
    return false;
}
