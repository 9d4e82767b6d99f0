/*
 * table: rows by key in memory, with transactions that can always be undone: undoing allocates
 * nothing. Inside memory only; callers lock.
 */
#ifndef BERTH_STORE_MEMORY_TABLE_H
#define BERTH_STORE_MEMORY_TABLE_H

#include "base/map.h"
#include "base/vec.h"

/* A place for a row. Stays in its table while a transaction may still need it, row or not. */
struct cell {
    struct cell *next_dead;
    struct map *map;
    uint64_t number; /* key of a table of numbers */
    char *text;      /* key of a table of texts, owned */
    void *row;       /* one allocation, owned; NULL: removed */
    bool is_dead;
};

struct undo {
    struct cell *cell;
    void *row; /* what was there */
};

struct tables_txn {
    VEC(struct undo) undos;
    VEC(struct cell *) touched;
};

/* The row, or NULL. */
void *table_get(const struct map *m, const char *key);
void *table_get_u64(const struct map *m, uint64_t key);
/* Puts a row (one allocation of mem_alloc, taken over also on failure), or removes with NULL.
 * 0 or -BERR_NOMEM. */
int table_set(struct tables_txn *t, struct map *m, const char *key, void *row);
int table_set_u64(struct tables_txn *t, struct map *m, uint64_t key, void *row);
/* for (size_t i = 0; (row = table_next(m, &i));) in the order of first put. */
void *table_next(const struct map *m, size_t *i);
void table_done(struct map *m);

/* Undoes all since `mark`, a former undos.len. */
void txn_undo_to(struct tables_txn *t, size_t mark);
/* Makes what is left final. */
void txn_keep(struct tables_txn *t);
void txn_done(struct tables_txn *t);

#endif
