/* The type-free half of vec.h. */
#include "base/vec.h"

#include <string.h>
#include "base/alloc.h"
#include "base/check.h"

#define CAP_MIN 8u

void *vec_push_raw(void **items, size_t *len, size_t *cap, size_t elem_size)
{
    if (*len == *cap) {
        size_t new_cap = *cap < CAP_MIN ? CAP_MIN : *cap * 2, bytes;
        if (new_cap < *cap || __builtin_mul_overflow(new_cap, elem_size, &bytes))
            return NULL;
        void *grown = mem_realloc(*items, bytes);
        if (grown == NULL)
            return NULL;
        *items = grown;
        *cap = new_cap;
    }
    void *elem = (char *)*items + *len * elem_size;
    memset(elem, 0, elem_size);
    (*len)++;
    return elem;
}

void vec_remove_raw(void *items, size_t *len, size_t elem_size, size_t index)
{
    check(index < *len);
    char *hole = (char *)items + index * elem_size;
    memmove(hole, hole + elem_size, (*len - index - 1) * elem_size);
    (*len)--;
}

void vec_done_raw(void **items, size_t *len, size_t *cap)
{
    mem_free(*items);
    *items = NULL;
    *len = *cap = 0;
}
