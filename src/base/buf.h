/*
 * buf: growing bytes with a maximum given at birth.
 *
 * Appending past the maximum, or when memory is short, fails once and for all: the buffer turns
 * `failed`, drops its content and ignores further appends, so that a caller may append many times
 * and look once at buf_is_failed. Content is always followed by a NUL that does not count.
 * One thread at a time. buf_done frees and leaves the buffer usable again.
 */
#ifndef BERTH_BASE_BUF_H
#define BERTH_BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/check.h"

struct buf {
    char *data; /* NUL-terminated when not NULL */
    size_t len, cap, max;
    bool failed;
};

#define BUF(max_bytes) ((struct buf){.max = (max_bytes)})

void buf_init(struct buf *b, size_t max_bytes);
void buf_done(struct buf *b);
void buf_clear(struct buf *b); /* length 0, not failed, memory kept */

void buf_append(struct buf *b, const void *data, size_t len);
void buf_puts(struct buf *b, const char *s);
void buf_putc(struct buf *b, char c);
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
void buf_vprintf(struct buf *b, const char *fmt, va_list ap) PRINTF_LIKE(2, 0);
void buf_put_u32le(struct buf *b, uint32_t v);
/* Makes room for len more bytes and returns where to write them; then buf_commit(n <= len). */
char *buf_reserve(struct buf *b, size_t len);
void buf_commit(struct buf *b, size_t len);
void buf_consume(struct buf *b, size_t len);  /* drops the first len bytes */
void buf_truncate(struct buf *b, size_t len); /* keeps the first len bytes */

void buf_fail(struct buf *b); /* for producers that fail themselves while they append */
bool buf_is_failed(const struct buf *b);
const char *buf_str(const struct buf *b); /* never NULL; "" when empty or failed */
char *buf_take(struct buf *b);            /* caller frees with mem_free; NULL when failed */

#endif
