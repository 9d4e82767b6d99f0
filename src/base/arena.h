/*
 * arena: memory of one request, tick or parse, freed in one go.
 *
 * Grows by blocks up to the maximum given at birth; past it, or when malloc fails, functions return
 * NULL. Pointers stay valid until arena_done or arena_reset. One thread at a time.
 */
#ifndef BERTH_BASE_ARENA_H
#define BERTH_BASE_ARENA_H

#include <stdarg.h>
#include <stddef.h>
#include "base/check.h"

struct arena_block;
struct arena {
    struct arena_block *head;
    size_t used_bytes; /* in all blocks */
    size_t max_bytes;
};

#define ARENA(max) ((struct arena){.head = NULL, .used_bytes = 0, .max_bytes = (max)})

void arena_init(struct arena *a, size_t max_bytes);
void arena_done(struct arena *a);  /* frees all; usable again afterwards */
void arena_reset(struct arena *a); /* keeps one block for reuse */

void *arena_alloc(struct arena *a, size_t size);               /* zeroed, 16-byte aligned */
void *arena_array(struct arena *a, size_t count, size_t size); /* zeroed; NULL on overflow */
void *arena_copy(struct arena *a, const void *src, size_t size);
char *arena_strdup(struct arena *a, const char *s); /* NULL in, NULL out */
char *arena_strndup(struct arena *a, const char *s, size_t len);
char *arena_printf(struct arena *a, const char *fmt, ...) PRINTF_LIKE(2, 3);
char *arena_vprintf(struct arena *a, const char *fmt, va_list ap) PRINTF_LIKE(2, 0);

#endif
