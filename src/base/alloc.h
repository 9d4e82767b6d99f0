/*
 * alloc: the one door to malloc, so that tests can make the n-th allocation fail.
 *
 * All of berth allocates through these (libraries keep their own). They return NULL when memory
 * is short; callers turn that into BERR_NOMEM. Sizes are bytes; mem_free accepts NULL. Any thread;
 * the failing counter is process-wide and for single-threaded tests only.
 */
#ifndef BERTH_BASE_ALLOC_H
#define BERTH_BASE_ALLOC_H

#include <stddef.h>
#include <stdint.h>

void *mem_alloc(size_t size) __attribute__((malloc));
void *mem_calloc(size_t count, size_t size) __attribute__((malloc)); /* zeroed; NULL on overflow */
void *mem_realloc(void *ptr, size_t size);                           /* ptr stays valid on NULL */
void mem_free(void *ptr);
char *mem_strdup(const char *s);
char *mem_strndup(const char *s, size_t len);

/* Torture: the n-th allocation from now on (1: the next) and, with `persistent`, all after it
 * return NULL. n = 0 switches it off. mem_fail_hit() tells whether it struck since. */
void mem_fail_at(uint64_t n, int persistent);
int mem_fail_hit(void);
/* Live allocations (count), to find leaks in tests. */
int64_t mem_live(void);

/* Scope clean-up: `cleanup(buf_done) struct buf b = BUF(max);`, `cleanup(mem_freep) char *s = NULL;`.
 * The function gets the address of the variable when its scope ends. */
#define cleanup(fn) __attribute__((cleanup(fn)))
void mem_freep(void *ptr_to_ptr);
void fd_closep(int *fd); /* closes when >= 0, keeps errno, sets -1 */
#define TAKE_PTR(p)                 \
    ({                              \
        __typeof__(p) _taken = (p); \
        (p) = NULL;                 \
        _taken;                     \
    })
#define TAKE_FD(fd)        \
    ({                     \
        int _taken = (fd); \
        (fd) = -1;         \
        _taken;            \
    })

#endif
