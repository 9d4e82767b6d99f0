/* Errors and the one table of their codes. */
#include "base/err.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "base/str.h"

static const struct code_info {
    const char *name;
    int http, exit_code;
    bool is_retryable;
} codes[] = {[BERR_OK] = {"ok", 200, 0, false},
#define X(sym, name, http, exit, retry) [BERR_##sym] = {name, http, exit, retry},
             BERR_LIST(X)
#undef X
};

static const struct code_info *info_of(enum berr code)
{
    check((size_t)code < ARRAY_LEN(codes));
    return &codes[code];
}

/* One line without control characters; a character cut in two by the size goes away. */
static void make_one_line(char *text)
{
    size_t len = strlen(text);
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            text[i] = ' ';
    }
    size_t tail = len;
    while (tail > 0 && ((unsigned char)text[tail - 1] & 0xc0) == 0x80)
        tail--;
    if (tail > 0 && (unsigned char)text[tail - 1] >= 0xc0 &&
        str_utf8_len(text + tail - 1, len - (tail - 1)) == 0)
        text[tail - 1] = '\0';
}

int err_set(struct err *err, enum berr code, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int rc = err_setv(err, code, fmt, ap);
    va_end(ap);
    return rc;
}

int err_setv(struct err *err, enum berr code, const char *fmt, va_list ap)
{
    check(code != BERR_OK);
    if (err == NULL)
        return -(int)code;
    char text[ERR_TEXT_MAX]; /* the arguments may point into *err */
    vsnprintf(text, sizeof(text), fmt, ap);
    make_one_line(text);
    err_clear(err);
    err->code = code;
    str_copy(err->text, sizeof(err->text), text);
    return -(int)code;
}

static enum berr code_of_errno(int errnum)
{
    switch (errnum) {
    case ENOSPC:
    case EDQUOT:
        return BERR_NO_SPACE;
    case ENOMEM:
        return BERR_NOMEM;
    case ENOENT:
        return BERR_NOT_FOUND;
    case EEXIST:
        return BERR_CONFLICT;
    case EACCES:
    case EPERM:
        return BERR_FORBIDDEN;
    case ETIMEDOUT:
        return BERR_TIMEOUT;
    default:
        return BERR_IO;
    }
}

int err_errno(struct err *err, int errnum, const char *fmt, ...)
{
    char text[ERR_TEXT_MAX];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    char reason[128];
    const char *reason_text = strerror_r(errnum, reason, sizeof(reason));
    return err_set(err, code_of_errno(errnum), "%s: %s", text, reason_text);
}

int err_wrap(struct err *err, int rc, const char *fmt, ...)
{
    if (err == NULL)
        return rc;
    char context[ERR_TEXT_MAX];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(context, sizeof(context), fmt, ap);
    va_end(ap);
    char text[2 * ERR_TEXT_MAX + 2];
    snprintf(text, sizeof(text), "%s: %s", context, err->text);
    str_copy(err->text, sizeof(err->text), text);
    make_one_line(err->text);
    return -(int)err->code;
}

int err_at(struct err *err, const char *field, int line, int col)
{
    if (err == NULL)
        return -(int)BERR_INVALID;
    str_copy(err->field, sizeof(err->field), field == NULL ? "" : field);
    make_one_line(err->field);
    err->line = line;
    err->col = col;
    return -(int)err->code;
}

int err_hint(struct err *err, const char *fmt, ...)
{
    if (err == NULL)
        return -(int)BERR_INVALID;
    char hint[ERR_TEXT_MAX];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(hint, sizeof(hint), fmt, ap);
    va_end(ap);
    make_one_line(hint);
    str_copy(err->hint, sizeof(err->hint), hint);
    return -(int)err->code;
}

void err_clear(struct err *err)
{
    if (err == NULL)
        return;
    err->code = BERR_OK;
    err->line = err->col = 0;
    err->field[0] = err->text[0] = err->hint[0] = '\0';
}

const char *berr_name(enum berr code)
{
    return info_of(code)->name;
}

int berr_http(enum berr code)
{
    return info_of(code)->http;
}

int berr_exit(enum berr code)
{
    return info_of(code)->exit_code;
}

bool berr_is_retryable(enum berr code)
{
    return info_of(code)->is_retryable;
}

enum berr berr_from_name(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
        if (str_is_equal(name, codes[i].name))
            return (enum berr)i;
    }
    return BERR_INTERNAL;
}

enum berr berr_from_http(int status)
{
    if (status < 400)
        return BERR_OK;
    if (status == 429) /* shared by two codes: the one that says least */
        return BERR_BUSY;
    if (status == 503)
        return BERR_UNAVAILABLE;
    for (size_t i = 1; i < ARRAY_LEN(codes); i++) {
        if (codes[i].http == status)
            return (enum berr)i;
    }
    return status < 500 ? BERR_INVALID : BERR_INTERNAL;
}
