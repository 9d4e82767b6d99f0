/*
 * vec: a growing array of any element type, in three words.
 *
 *     VEC(struct task) tasks = {0};
 *     struct task *t = vec_push(&tasks);      // zeroed, NULL when memory is short
 *     for (size_t i = 0; i < tasks.len; i++) use(&tasks.items[i]);
 *     vec_done(&tasks);
 *
 * Pointers into a vec die with the next push. One thread at a time.
 */
#ifndef BERTH_BASE_VEC_H
#define BERTH_BASE_VEC_H

#include <stddef.h>

#define VEC(type)        \
    struct {             \
        type *items;     \
        size_t len, cap; \
    }

#define vec_push(v)                                                                   \
    ((__typeof__((v)->items))vec_push_raw((void **)&(v)->items, &(v)->len, &(v)->cap, \
                                          sizeof(*(v)->items)))
/* Removes element i by moving the last one into its place (order changes). */
#define vec_swap_remove(v, i)                    \
    do {                                         \
        size_t _i = (i);                         \
        (v)->items[_i] = (v)->items[--(v)->len]; \
    } while (0)
/* Removes element i and keeps the order. */
#define vec_remove(v, i) vec_remove_raw((v)->items, &(v)->len, sizeof(*(v)->items), (i))
#define vec_clear(v)     ((void)((v)->len = 0))
#define vec_done(v)      vec_done_raw((void **)&(v)->items, &(v)->len, &(v)->cap)

void *vec_push_raw(void **items, size_t *len, size_t *cap, size_t elem_size);
void vec_remove_raw(void *items, size_t *len, size_t elem_size, size_t index);
void vec_done_raw(void **items, size_t *len, size_t *cap);

#endif
