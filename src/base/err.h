/*
 * err: what went wrong, where, and what to do about it.
 *
 * A fallible function returns int: 0, or the negative of an enum berr, and takes a struct err *
 * as its last parameter. On failure it has filled *err exactly once; callers on the way up may
 * add context in front of the text (err_wrap) and pass the return value on. `ret_` outputs are
 * untouched on failure. A NULL err is allowed: only the code is kept then.
 *
 * One table (BERR_LIST) gives every code its stable name (the `code` of a problem+json answer),
 * its HTTP status, the exit code of the command line, and whether trying again may help.
 *
 * struct err owns nothing and needs no clean-up. Any thread, one at a time.
 */
#ifndef BERTH_BASE_ERR_H
#define BERTH_BASE_ERR_H

#include <stdarg.h>
#include <stdbool.h>
#include "base/check.h"

/* clang-format off */
/*      symbol          name              http exit retry                                          */
#define BERR_LIST(X)                                                                               \
    X(INVALID,          "invalid",          400,  2, false) /* bad input: field, line, col say where */ \
    X(UNAUTHENTICATED,  "unauthenticated",  401,  4, false) /* no or wrong proof of identity       */ \
    X(FORBIDDEN,        "forbidden",        403,  4, false) /* known, but may not                  */ \
    X(NOT_FOUND,        "not-found",        404,  3, false)                                        \
    X(METHOD,           "method-not-allowed", 405, 2, false)                                       \
    X(CONFLICT,         "conflict",         409,  5, false) /* state does not allow it, or exists  */ \
    X(GONE,             "gone",             410,  3, false) /* a watch position too old            */ \
    X(PRECONDITION,     "precondition-failed", 412, 5, true) /* If-Match: somebody was faster      */ \
    X(TOO_LARGE,        "too-large",        413,  2, false)                                        \
    X(UNSUPPORTED,      "unsupported",      422,  2, false) /* the engine lacks this ability       */ \
    X(QUOTA,            "quota",            429,  6, true)  /* a limit of the tenant               */ \
    X(BUSY,             "busy",             429,  6, true)  /* too much at once, try again         */ \
    X(CANCELED,         "canceled",         499,  1, false)                                        \
    X(INTERNAL,         "internal",         500, 70, false)                                        \
    X(NOMEM,            "out-of-memory",    503,  6, true)                                         \
    X(NO_SPACE,         "no-space",         507,  6, true)  /* disk full; heals when space is back */ \
    X(UNAVAILABLE,      "unavailable",      503,  6, true)  /* a part of berth is away             */ \
    X(TIMEOUT,          "timeout",          504,  6, true)                                         \
    X(IO,               "io",               500, 74, false)                                        \
    X(PROTOCOL,         "protocol",         502, 76, false) /* the other side broke the rules      */
/* clang-format on */

enum berr {
    BERR_OK = 0,
#define X(sym, name, http, exit, retry) BERR_##sym,
    BERR_LIST(X)
#undef X
};

#define ERR_TEXT_MAX  512
#define ERR_FIELD_MAX 160

struct err {
    enum berr code;
    int line, col;             /* 1-based position in the input; 0: none */
    char field[ERR_FIELD_MAX]; /* path like roles.worker.gpu; "" when none */
    char text[ERR_TEXT_MAX];   /* one sentence, lower case, no full stop, no newline */
    char hint[ERR_TEXT_MAX];   /* what to do; "" when there is nothing to say */
};

/* Fills *err (field, line, col and hint emptied) and returns -code. */
int err_set(struct err *err, enum berr code, const char *fmt, ...) PRINTF_LIKE(3, 4);
int err_setv(struct err *err, enum berr code, const char *fmt, va_list ap) PRINTF_LIKE(3, 0);

/* Like err_set, with ": strerror(errnum)" added; the code follows the errno (ENOSPC and EDQUOT:
 * NO_SPACE, ENOMEM: NOMEM, ENOENT: NOT_FOUND, EEXIST: CONFLICT, EACCES and EPERM: FORBIDDEN,
 * ETIMEDOUT: TIMEOUT, else IO). */
int err_errno(struct err *err, int errnum, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Puts "context: " in front of the text; returns -err->code, so that `return err_wrap(...)`
 * passes the failure on. With a NULL err returns `rc` unchanged. */
int err_wrap(struct err *err, int rc, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Says where in the input, and what to do. Both leave code and text alone; return -err->code,
 * and with a NULL err a failure all the same. */
int err_at(struct err *err, const char *field, int line, int col);
int err_hint(struct err *err, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Empties *err. */
void err_clear(struct err *err);

const char *berr_name(enum berr code); /* "not-found"; "ok" for 0 */
int berr_http(enum berr code);         /* 404; 200 for 0 */
int berr_exit(enum berr code);         /* exit code of the command line; 0 for 0 */
bool berr_is_retryable(enum berr code);
enum berr berr_from_name(const char *name); /* BERR_INTERNAL when unknown */
enum berr berr_from_http(int status);       /* nearest code of a status; OK below 400 */

#endif
