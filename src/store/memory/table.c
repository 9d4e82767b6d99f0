/* Every change remembers the row that was there; cells without a row go when the transaction ends. */
#include "store/memory/table.h"

#include "base/alloc.h"
#include "base/err.h"

static struct cell *cell_free(struct cell *cell)
{
    mem_free(cell->text);
    mem_free(cell->row);
    mem_free(cell);
    return NULL;
}

static void *row_of(struct cell *cell)
{
    return cell == NULL ? NULL : cell->row;
}

void *table_get(const struct map *m, const char *key)
{
    return row_of(map_get(m, key));
}

void *table_get_u64(const struct map *m, uint64_t key)
{
    return row_of(map_get_u64(m, key));
}

static struct cell *find_or_add(struct map *m, const char *text, uint64_t number)
{
    struct cell *cell = text != NULL ? map_get(m, text) : map_get_u64(m, number);
    if (cell != NULL)
        return cell;
    cell = mem_calloc(1, sizeof(*cell));
    if (cell == NULL)
        return NULL;
    cell->map = m;
    cell->number = number;
    cell->text = text == NULL ? NULL : mem_strdup(text);
    if (text != NULL && cell->text == NULL)
        return cell_free(cell);
    int rc = text != NULL ? map_put(m, text, cell) : map_put_u64(m, number, cell);
    return rc == 0 ? cell : cell_free(cell);
}

static int set(struct tables_txn *t, struct map *m, const char *text, uint64_t number, void *row)
{
    /* Room in both lists first: a cell that is in neither would never go away. */
    struct cell **touched = vec_push(&t->touched);
    struct undo *undo = touched == NULL ? NULL : vec_push(&t->undos);
    struct cell *cell = undo == NULL ? NULL : find_or_add(m, text, number);
    if (cell == NULL) {
        t->undos.len -= undo != NULL;
        mem_free(row);
        return -BERR_NOMEM;
    }
    *touched = cell;
    *undo = (struct undo){.cell = cell, .row = cell->row};
    cell->row = row;
    return 0;
}

int table_set(struct tables_txn *t, struct map *m, const char *key, void *row)
{
    return set(t, m, key, 0, row);
}

int table_set_u64(struct tables_txn *t, struct map *m, uint64_t key, void *row)
{
    return set(t, m, NULL, key, row);
}

void *table_next(const struct map *m, size_t *i)
{
    void *cell;
    while (m->is_u64 ? map_next_u64(m, i, NULL, &cell) : map_next(m, i, NULL, &cell)) {
        void *row = ((struct cell *)cell)->row;
        if (row != NULL)
            return row;
    }
    return NULL;
}

void table_done(struct map *m)
{
    void *cell;
    for (size_t i = 0; m->is_u64 ? map_next_u64(m, &i, NULL, &cell) : map_next(m, &i, NULL, &cell);)
        cell_free(cell);
    map_done(m);
}

void txn_undo_to(struct tables_txn *t, size_t mark)
{
    while (t->undos.len > mark) {
        struct undo *undo = &t->undos.items[--t->undos.len];
        mem_free(undo->cell->row);
        undo->cell->row = undo->row;
    }
}

void txn_keep(struct tables_txn *t)
{
    for (size_t i = 0; i < t->undos.len; i++)
        mem_free(t->undos.items[i].row);
    vec_clear(&t->undos);
    struct cell *dead = NULL;
    for (size_t i = 0; i < t->touched.len; i++) {
        struct cell *cell = t->touched.items[i];
        if (cell == NULL || cell->row != NULL || cell->is_dead)
            continue; /* NULL: memory was short for it */
        cell->is_dead = true;
        if (cell->text != NULL)
            map_remove(cell->map, cell->text);
        else
            map_remove_u64(cell->map, cell->number);
        cell->next_dead = dead;
        dead = cell;
    }
    vec_clear(&t->touched);
    while (dead != NULL) {
        struct cell *next = dead->next_dead;
        cell_free(dead);
        dead = next;
    }
}

void txn_done(struct tables_txn *t)
{
    vec_done(&t->undos);
    vec_done(&t->touched);
}
