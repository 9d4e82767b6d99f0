/* A byte buffer whose first failure sticks, so that callers check once at the end. */
#include "base/buf.h"

#include <stdio.h>
#include <string.h>
#include "base/alloc.h"

#define CAP_MIN_BYTES 64u

/* Makes cap >= len + more + 1 (for the NUL). */
static bool grow(struct buf *b, size_t more)
{
    if (b->failed)
        return false;
    if (more > b->max - b->len || b->max == SIZE_MAX) {
        buf_fail(b);
        return false;
    }
    size_t need = b->len + more + 1;
    if (need <= b->cap)
        return true;
    size_t cap = b->cap < CAP_MIN_BYTES ? CAP_MIN_BYTES : b->cap;
    while (cap < need)
        cap = cap > SIZE_MAX / 2 ? need : cap * 2;
    if (cap > b->max + 1)
        cap = b->max + 1;
    char *data = mem_realloc(b->data, cap);
    if (data == NULL) {
        buf_fail(b);
        return false;
    }
    b->data = data;
    b->cap = cap;
    return true;
}

void buf_init(struct buf *b, size_t max_bytes)
{
    *b = BUF(max_bytes);
}

void buf_done(struct buf *b)
{
    mem_free(b->data);
    *b = BUF(b->max);
}

void buf_clear(struct buf *b)
{
    b->len = 0;
    b->failed = false;
    if (b->data != NULL)
        b->data[0] = '\0';
}

void buf_append(struct buf *b, const void *data, size_t len)
{
    if (!grow(b, len))
        return;
    if (len > 0)
        memcpy(b->data + b->len, data, len);
    b->len += len;
    b->data[b->len] = '\0';
}

void buf_puts(struct buf *b, const char *s)
{
    buf_append(b, s, strlen(s));
}

void buf_putc(struct buf *b, char c)
{
    buf_append(b, &c, 1);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(b, fmt, ap);
    va_end(ap);
}

void buf_vprintf(struct buf *b, const char *fmt, va_list ap)
{
    if (b->failed)
        return;
    va_list first;
    size_t room = b->cap - b->len; /* most texts fit at once */
    va_copy(first, ap);
    int len = vsnprintf(room > 0 ? b->data + b->len : NULL, room, fmt, first);
    va_end(first);
    if (len < 0) {
        buf_fail(b);
        return;
    }
    if ((size_t)len >= room) {
        if (!grow(b, (size_t)len))
            return;
        vsnprintf(b->data + b->len, (size_t)len + 1, fmt, ap);
    }
    b->len += (size_t)len;
}

void buf_put_u32le(struct buf *b, uint32_t v)
{
    unsigned char bytes[4] = {(unsigned char)v, (unsigned char)(v >> 8), (unsigned char)(v >> 16),
                              (unsigned char)(v >> 24)};
    buf_append(b, bytes, sizeof(bytes));
}

char *buf_reserve(struct buf *b, size_t len)
{
    if (!grow(b, len))
        return NULL;
    b->data[b->len] = '\0';
    return b->data + b->len;
}

void buf_commit(struct buf *b, size_t len)
{
    if (b->failed)
        return;
    check(len < b->cap - b->len);
    b->len += len;
    b->data[b->len] = '\0';
}

void buf_consume(struct buf *b, size_t len)
{
    if (b->failed || len == 0)
        return;
    check(len <= b->len);
    memmove(b->data, b->data + len, b->len - len);
    b->len -= len;
    b->data[b->len] = '\0';
}

void buf_truncate(struct buf *b, size_t len)
{
    if (b->failed || len == b->len)
        return;
    check(len < b->len);
    b->len = len;
    b->data[len] = '\0';
}

void buf_fail(struct buf *b)
{
    mem_free(b->data);
    b->data = NULL;
    b->len = b->cap = 0;
    b->failed = true;
}

bool buf_is_failed(const struct buf *b)
{
    return b->failed;
}

const char *buf_str(const struct buf *b)
{
    return b->data == NULL ? "" : b->data;
}

char *buf_take(struct buf *b)
{
    if (!grow(b, 0))
        return NULL;
    b->data[b->len] = '\0';
    char *data = b->data;
    *b = BUF(b->max);
    return data;
}
