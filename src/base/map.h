/*
 * map: hash tables from a string or a 64-bit number to a pointer.
 *
 * The map owns copies of string keys and nothing else. Iteration order is the order of insertion
 * (removals keep it), so that output made from a map is the same on every run. Pointers returned
 * stay what was put in. Not to be changed while iterating, except for removing the current entry.
 * One thread at a time. SipHash keyed per process for strings: users choose keys.
 */
#ifndef BERTH_BASE_MAP_H
#define BERTH_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct map_entry;
struct map {
    struct map_entry *entries; /* insertion order, holes after removals */
    uint32_t *slots;           /* open addressing into entries */
    size_t len;                /* live entries */
    size_t used, cap, slot_count;
    bool is_u64;
};

#define MAP_STR ((struct map){.is_u64 = false})
#define MAP_U64 ((struct map){.is_u64 = true})

void map_done(struct map *m);
void map_clear(struct map *m);

/* Puts or replaces; returns 0 or -BERR_NOMEM (map unchanged). value must not be NULL. */
int map_put(struct map *m, const char *key, void *value);
int map_put_u64(struct map *m, uint64_t key, void *value);
void *map_get(const struct map *m, const char *key); /* NULL when absent */
void *map_get_u64(const struct map *m, uint64_t key);
void *map_remove(struct map *m, const char *key); /* the value, or NULL */
void *map_remove_u64(struct map *m, uint64_t key);

/* for (size_t i = 0; map_next(&m, &i, &key, &value);) — key_u64 for numbers. Outputs may be NULL. */
bool map_next(const struct map *m, size_t *i, const char **ret_key, void **ret_value);
bool map_next_u64(const struct map *m, size_t *i, uint64_t *ret_key, void **ret_value);

#endif
