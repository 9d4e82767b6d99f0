/* Bump allocation out of doubling blocks, so that a request costs a handful of mallocs. */
#include "base/arena.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include "base/alloc.h"

#define BLOCK_MIN_BYTES 4096u
#define BLOCK_MAX_BYTES (256u * 1024u)
#define ALIGN           16u

struct arena_block {
    struct arena_block *next;
    size_t cap, used;
    _Alignas(ALIGN) unsigned char data[];
};

static struct arena_block *add_block(struct arena *a, size_t least)
{
    size_t cap = a->head == NULL ? BLOCK_MIN_BYTES : a->head->cap * 2;
    if (cap > BLOCK_MAX_BYTES)
        cap = BLOCK_MAX_BYTES;
    if (cap < least)
        cap = least;
    struct arena_block *block = mem_alloc(sizeof(*block) + cap);
    if (block == NULL)
        return NULL;
    block->next = a->head;
    block->cap = cap;
    block->used = 0;
    a->head = block;
    return block;
}

/* size rounded up so that the next allocation stays aligned; false on overflow or past the maximum */
static bool round_size(const struct arena *a, size_t size, size_t *ret)
{
    if (size == 0)
        size = 1;
    if (size > SIZE_MAX / 2)
        return false;
    size = (size + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    if (a->used_bytes > a->max_bytes || size > a->max_bytes - a->used_bytes)
        return false;
    *ret = size;
    return true;
}

static void *alloc_dirty(struct arena *a, size_t size)
{
    if (!round_size(a, size, &size))
        return NULL;
    struct arena_block *block = a->head;
    if (block == NULL || block->cap - block->used < size)
        block = add_block(a, size);
    if (block == NULL)
        return NULL;
    void *ptr = block->data + block->used;
    block->used += size;
    a->used_bytes += size;
    return ptr;
}

void arena_init(struct arena *a, size_t max_bytes)
{
    *a = ARENA(max_bytes);
}

void arena_done(struct arena *a)
{
    while (a->head != NULL) {
        struct arena_block *next = a->head->next;
        mem_free(a->head);
        a->head = next;
    }
    a->used_bytes = 0;
}

void arena_reset(struct arena *a)
{
    struct arena_block *kept = a->head;
    if (kept == NULL)
        return;
    a->head = kept->next;
    arena_done(a);
    kept->next = NULL;
    kept->used = 0;
    a->head = kept;
}

void *arena_alloc(struct arena *a, size_t size)
{
    void *ptr = alloc_dirty(a, size);
    if (ptr != NULL)
        memset(ptr, 0, size);
    return ptr;
}

void *arena_array(struct arena *a, size_t count, size_t size)
{
    size_t total;
    if (__builtin_mul_overflow(count, size, &total))
        return NULL;
    return arena_alloc(a, total);
}

void *arena_copy(struct arena *a, const void *src, size_t size)
{
    void *ptr = alloc_dirty(a, size);
    if (ptr != NULL && size > 0)
        memcpy(ptr, src, size);
    return ptr;
}

char *arena_strdup(struct arena *a, const char *s)
{
    return s == NULL ? NULL : arena_copy(a, s, strlen(s) + 1);
}

char *arena_strndup(struct arena *a, const char *s, size_t len)
{
    if (s == NULL)
        return NULL;
    len = strnlen(s, len);
    char *copy = alloc_dirty(a, len + 1);
    if (copy == NULL)
        return NULL;
    memcpy(copy, s, len);
    copy[len] = '\0';
    return copy;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    char *text = arena_vprintf(a, fmt, ap);
    va_end(ap);
    return text;
}

char *arena_vprintf(struct arena *a, const char *fmt, va_list ap)
{
    va_list measure;
    va_copy(measure, ap);
    int len = vsnprintf(NULL, 0, fmt, measure);
    va_end(measure);
    if (len < 0)
        return NULL;
    char *text = alloc_dirty(a, (size_t)len + 1);
    if (text != NULL)
        vsnprintf(text, (size_t)len + 1, fmt, ap);
    return text;
}
