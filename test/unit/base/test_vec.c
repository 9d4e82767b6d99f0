#include "testlib.h"

#include "base/vec.h"

struct pair {
    int a;
    const char *b;
};

static void test_push_is_zeroed(void **state)
{
    VEC(struct pair) v = {0};
    for (int i = 0; i < 100; i++) {
        struct pair *p = vec_push(&v);
        assert_int_equal(p->a, 0);
        assert_null(p->b);
        *p = (struct pair){i, "x"};
    }
    vec_clear(&v);
    assert_int_equal(v.len, 0);
    assert_int_equal(vec_push(&v)->a, 0); /* also in memory used before */
    vec_done(&v);
    assert_null(v.items);
    assert_int_equal(v.cap, 0);
}

static void test_remove(void **state)
{
    VEC(int) v = {0};
    for (int i = 0; i < 5; i++)
        *vec_push(&v) = i;
    vec_remove(&v, 1);
    const int ordered[] = {0, 2, 3, 4};
    assert_int_equal(v.len, 4);
    assert_memory_equal(v.items, ordered, sizeof(ordered));
    vec_swap_remove(&v, 0);
    const int swapped[] = {4, 2, 3};
    assert_int_equal(v.len, 3);
    assert_memory_equal(v.items, swapped, sizeof(swapped));
    vec_remove(&v, 2);
    vec_swap_remove(&v, 1);
    assert_int_equal(v.items[0], 4);
    vec_done(&v);
}

static int torture_body(void *ctx)
{
    VEC(uint64_t) v = {0};
    int rc = 0;
    for (uint64_t i = 0; rc == 0 && i < 100; i++) {
        uint64_t *item = vec_push(&v);
        if (item == NULL)
            rc = v.len == i ? -BERR_NOMEM : -BERR_INTERNAL;
        else
            *item = i;
    }
    for (uint64_t i = 0; i < v.len; i++)
        if (v.items[i] != i)
            rc = -BERR_INTERNAL;
    vec_done(&v);
    return rc;
}

static void test_survives_lack_of_memory(void **state)
{
    test_torture(torture_body, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_push_is_zeroed),
        cmocka_unit_test(test_remove),
        cmocka_unit_test(test_survives_lack_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
