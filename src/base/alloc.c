/* The allocator door: counts what lives and lets tests fail the n-th allocation. */
#include "base/alloc.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static _Atomic int64_t live_count;
static _Atomic uint64_t fail_countdown; /* 0: off; 1: the next allocation fails */
static _Atomic int fail_persistent;
static _Atomic int fail_was_hit;

static bool must_fail(void)
{
    uint64_t left = atomic_load_explicit(&fail_countdown, memory_order_relaxed);
    if (__builtin_expect(left == 0, 1))
        return false;
    if (left > 1) {
        atomic_store(&fail_countdown, left - 1);
        return false;
    }
    if (!atomic_load(&fail_persistent))
        atomic_store(&fail_countdown, 0);
    atomic_store(&fail_was_hit, 1);
    return true;
}

static void *count_new(void *ptr)
{
    if (ptr != NULL)
        atomic_fetch_add_explicit(&live_count, 1, memory_order_relaxed);
    return ptr;
}

void *mem_alloc(size_t size)
{
    if (must_fail())
        return NULL;
    return count_new(malloc(size == 0 ? 1 : size));
}

void *mem_calloc(size_t count, size_t size)
{
    size_t total;
    if (must_fail() || __builtin_mul_overflow(count, size, &total))
        return NULL;
    if (total == 0)
        count = size = 1;
    return count_new(calloc(count, size));
}

void *mem_realloc(void *ptr, size_t size)
{
    if (ptr == NULL)
        return mem_alloc(size);
    if (must_fail())
        return NULL;
    return realloc(ptr, size == 0 ? 1 : size);
}

void mem_free(void *ptr)
{
    if (ptr == NULL)
        return;
    atomic_fetch_sub_explicit(&live_count, 1, memory_order_relaxed);
    free(ptr);
}

char *mem_strdup(const char *s)
{
    return mem_strndup(s, strlen(s));
}

char *mem_strndup(const char *s, size_t len)
{
    len = strnlen(s, len);
    char *copy = mem_alloc(len + 1);
    if (copy == NULL)
        return NULL;
    memcpy(copy, s, len);
    copy[len] = '\0';
    return copy;
}

void mem_fail_at(uint64_t n, int persistent)
{
    atomic_store(&fail_persistent, persistent);
    atomic_store(&fail_was_hit, 0);
    atomic_store(&fail_countdown, n);
}

int mem_fail_hit(void)
{
    return atomic_load(&fail_was_hit);
}

int64_t mem_live(void)
{
    return atomic_load(&live_count);
}

void mem_freep(void *ptr_to_ptr)
{
    void *ptr;
    memcpy(&ptr, ptr_to_ptr, sizeof(ptr));
    mem_free(ptr);
    ptr = NULL;
    memcpy(ptr_to_ptr, &ptr, sizeof(ptr));
}

void fd_closep(int *fd)
{
    if (*fd < 0)
        return;
    int saved = errno;
    close(*fd);
    errno = saved;
    *fd = -1;
}
