/* Tables in memory: undoing to a mark, keeping, and nothing left over. */
#include "testlib.h"
#include "store/memory/table.h"

static int *number(int value)
{
    int *row = mem_alloc(sizeof(*row));
    if (row != NULL)
        *row = value;
    return row;
}

static int value_of(const struct map *m, const char *key)
{
    const int *row = table_get(m, key);
    return row == NULL ? -1 : *row;
}

static void put(struct tables_txn *t, struct map *m, const char *key, int value)
{
    assert_int_equal(table_set(t, m, key, value < 0 ? NULL : number(value)), 0);
}

static void undo_to_a_mark(void **state)
{
    struct tables_txn t = {0};
    struct map m = MAP_STR;
    int64_t live = mem_live();
    put(&t, &m, "a", 1);
    put(&t, &m, "b", 2);
    txn_keep(&t);
    put(&t, &m, "a", 10);
    size_t mark = t.undos.len;
    put(&t, &m, "a", -1);
    put(&t, &m, "b", -1);
    put(&t, &m, "b", 20);
    put(&t, &m, "c", 30);
    put(&t, &m, "a", 11);
    assert_int_equal(value_of(&m, "a"), 11);
    txn_undo_to(&t, mark);
    assert_int_equal(value_of(&m, "a"), 10);
    assert_int_equal(value_of(&m, "b"), 2);
    assert_int_equal(value_of(&m, "c"), -1);
    txn_undo_to(&t, 0);
    assert_int_equal(value_of(&m, "a"), 1);
    txn_keep(&t);
    assert_int_equal(m.len, 2); /* the place of c is gone */
    table_done(&m);
    txn_done(&t);
    assert_int_equal(mem_live(), live);
}

static void removed_places_go(void **state)
{
    struct tables_txn t = {0};
    struct map m = MAP_STR;
    put(&t, &m, "a", 1);
    put(&t, &m, "a", -1);
    put(&t, &m, "a", 2);
    put(&t, &m, "a", -1); /* touched often, freed once */
    put(&t, &m, "never there", -1);
    txn_keep(&t);
    assert_int_equal(m.len, 0);
    size_t i = 0;
    assert_null(table_next(&m, &i));
    table_done(&m);
    txn_done(&t);
}

static void walk_in_order(void **state)
{
    struct tables_txn t = {0};
    struct map m = MAP_U64;
    for (uint64_t id = 1; id <= 5; id++)
        assert_int_equal(table_set_u64(&t, &m, 10 - id, number((int)id)), 0);
    assert_int_equal(table_set_u64(&t, &m, 7, NULL), 0); /* the third */
    assert_int_equal(table_set_u64(&t, &m, 9, number(9)), 0);
    const int order[] = {9, 2, 4, 5};
    size_t i = 0;
    for (size_t k = 0; k < ARRAY_LEN(order); k++)
        assert_int_equal(*(int *)table_next(&m, &i), order[k]);
    assert_null(table_next(&m, &i));
    assert_null(table_get_u64(&m, 7));
    txn_keep(&t);
    table_done(&m);
    txn_done(&t);
}

static int torture(void *ctx)
{
    struct tables_txn t = {0};
    struct map m = MAP_STR;
    int rc = 0;
    char key[8];
    for (int i = 0; rc == 0 && i < 20; i++) {
        snprintf(key, sizeof(key), "k%d", i % 7);
        int *row = number(i);
        rc = row == NULL ? -BERR_NOMEM : table_set(&t, &m, key, row);
    }
    if (rc < 0) { /* undoing works without memory */
        txn_undo_to(&t, 0);
        txn_keep(&t);
        assert_int_equal(m.len, 0);
    }
    txn_keep(&t);
    table_done(&m);
    txn_done(&t);
    return rc;
}

static void short_memory(void **state)
{
    test_torture(torture, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(undo_to_a_mark),
        cmocka_unit_test(removed_places_go),
        cmocka_unit_test(walk_in_order),
        cmocka_unit_test(short_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
