/*
 * heap: a binary min-heap of pointers with a caller's order. The comparison must be a strict weak
 * order; ties leave in any order, so add a number when order matters. One thread at a time.
 */
#ifndef BERTH_BASE_HEAP_H
#define BERTH_BASE_HEAP_H

#include <stdbool.h>
#include <stddef.h>

typedef bool heap_less_fn(const void *a, const void *b);

struct heap {
    void **items;
    size_t len, cap;
    heap_less_fn *less;
};

#define HEAP(less_fn) ((struct heap){.less = (less_fn)})

void heap_done(struct heap *h);
int heap_push(struct heap *h, void *item); /* 0 or -BERR_NOMEM */
void *heap_pop(struct heap *h);            /* NULL when empty */
void *heap_peek(const struct heap *h);

#endif
