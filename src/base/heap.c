/* A textbook binary heap (Williams 1964). */
#include "base/heap.h"

#include <stdint.h>
#include "base/alloc.h"
#include "base/err.h"

static void sift_up(struct heap *h, size_t i)
{
    while (i > 0) {
        size_t parent = (i - 1) / 2;
        if (!h->less(h->items[i], h->items[parent]))
            return;
        void *item = h->items[i];
        h->items[i] = h->items[parent];
        h->items[parent] = item;
        i = parent;
    }
}

static void sift_down(struct heap *h, size_t i)
{
    for (;;) {
        size_t least = i, left = 2 * i + 1, right = left + 1;
        if (left < h->len && h->less(h->items[left], h->items[least]))
            least = left;
        if (right < h->len && h->less(h->items[right], h->items[least]))
            least = right;
        if (least == i)
            return;
        void *item = h->items[i];
        h->items[i] = h->items[least];
        h->items[least] = item;
        i = least;
    }
}

void heap_done(struct heap *h)
{
    mem_free(h->items);
    h->items = NULL;
    h->len = h->cap = 0;
}

int heap_push(struct heap *h, void *item)
{
    if (h->len == h->cap) {
        size_t cap = h->cap == 0 ? 16 : h->cap * 2, bytes;
        if (__builtin_mul_overflow(cap, sizeof(*h->items), &bytes))
            return -BERR_NOMEM;
        void **items = mem_realloc(h->items, bytes);
        if (items == NULL)
            return -BERR_NOMEM;
        h->items = items;
        h->cap = cap;
    }
    h->items[h->len++] = item;
    sift_up(h, h->len - 1);
    return 0;
}

void *heap_pop(struct heap *h)
{
    if (h->len == 0)
        return NULL;
    void *top = h->items[0];
    h->items[0] = h->items[--h->len];
    sift_down(h, 0);
    return top;
}

void *heap_peek(const struct heap *h)
{
    return h->len == 0 ? NULL : h->items[0];
}
