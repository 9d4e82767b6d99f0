#include "testlib.h"

#include "base/arena.h"

static void test_zeroed_and_aligned(void **state)
{
    struct arena a = ARENA(1 << 20);
    for (size_t size = 0; size < 200; size++) {
        unsigned char *p = arena_alloc(&a, size);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % 16, 0);
        for (size_t i = 0; i < size; i++)
            assert_int_equal(p[i], 0);
        memset(p, 0xff, size);
    }
    arena_reset(&a);
    unsigned char *again = arena_alloc(&a, 100); /* memory of before the reset is zeroed again */
    for (size_t i = 0; i < 100; i++)
        assert_int_equal(again[i], 0);
    arena_done(&a);
}

static void test_pointers_stay_valid(void **state)
{
    struct arena a = ARENA(1 << 20);
    char *texts[500];
    for (int i = 0; i < 500; i++)
        texts[i] = arena_printf(&a, "text number %d", i);
    for (int i = 0; i < 500; i++) {
        char expected[40];
        snprintf(expected, sizeof(expected), "text number %d", i);
        assert_string_equal(texts[i], expected);
    }
    arena_done(&a);
}

static void test_maximum_holds(void **state)
{
    struct arena a = ARENA(100);
    assert_null(arena_alloc(&a, 101));
    assert_non_null(arena_alloc(&a, 64));
    assert_null(arena_alloc(&a, 64));
    assert_non_null(arena_alloc(&a, 16));
    assert_int_equal(a.used_bytes, 80);
    arena_done(&a);
    assert_int_equal(a.used_bytes, 0);
    assert_non_null(arena_alloc(&a, 64)); /* usable again */
    arena_done(&a);
}

static void test_array_refuses_overflow(void **state)
{
    struct arena a = ARENA(SIZE_MAX);
    assert_null(arena_array(&a, SIZE_MAX / 2, 3));
    assert_null(arena_alloc(&a, SIZE_MAX));
    int *items = arena_array(&a, 3, sizeof(*items));
    assert_int_equal(items[2], 0);
    arena_done(&a);
}

static void test_large_block(void **state)
{
    struct arena a = ARENA(8 << 20);
    char *big = arena_alloc(&a, 2 << 20);
    assert_non_null(big);
    big[(2 << 20) - 1] = 'x';
    assert_non_null(arena_alloc(&a, 10));
    arena_done(&a);
}

static void test_copies(void **state)
{
    struct arena a = ARENA(1 << 12);
    int numbers[] = {1, 2, 3};
    int *copy = arena_copy(&a, numbers, sizeof(numbers));
    assert_memory_equal(copy, numbers, sizeof(numbers));
    assert_non_null(arena_copy(&a, NULL, 0));
    assert_string_equal(arena_strdup(&a, "abc"), "abc");
    assert_null(arena_strdup(&a, NULL));
    assert_string_equal(arena_strndup(&a, "abcdef", 3), "abc");
    assert_string_equal(arena_strndup(&a, "ab", 30), "ab");
    assert_null(arena_strndup(&a, NULL, 3));
    arena_done(&a);
}

static void test_reset_keeps_one_block(void **state)
{
    int64_t before = mem_live();
    struct arena a = ARENA(1 << 20);
    arena_reset(&a); /* of an empty one */
    for (int i = 0; i < 100; i++)
        arena_alloc(&a, 1000);
    assert_true(mem_live() > before + 1);
    arena_reset(&a);
    assert_int_equal(mem_live(), before + 1);
    assert_int_equal(a.used_bytes, 0);
    arena_done(&a);
    assert_int_equal(mem_live(), before);
}

static int torture_body(void *ctx)
{
    struct arena a = ARENA(1 << 20);
    int rc = 0;
    for (int i = 0; rc == 0 && i < 20; i++) {
        if (arena_printf(&a, "%01000d", i) == NULL)
            rc = -BERR_NOMEM;
    }
    arena_done(&a);
    return rc;
}

static void test_survives_lack_of_memory(void **state)
{
    test_torture(torture_body, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_zeroed_and_aligned),
        cmocka_unit_test(test_pointers_stay_valid),
        cmocka_unit_test(test_maximum_holds),
        cmocka_unit_test(test_array_refuses_overflow),
        cmocka_unit_test(test_large_block),
        cmocka_unit_test(test_copies),
        cmocka_unit_test(test_reset_keeps_one_block),
        cmocka_unit_test(test_survives_lack_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
