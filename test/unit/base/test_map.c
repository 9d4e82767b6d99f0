#include "testlib.h"

#include "base/map.h"
#include "base/rand.h"

static int one = 1, two = 2, three = 3;

static void test_strings(void **state)
{
    struct map m = MAP_STR;
    assert_null(map_get(&m, "a"));
    assert_null(map_remove(&m, "a"));
    char key[] = "a";
    assert_int_equal(map_put(&m, key, &one), 0);
    key[0] = 'b'; /* the map has its own copy */
    assert_int_equal(map_put(&m, key, &two), 0);
    assert_int_equal(map_put(&m, "", &three), 0);
    assert_int_equal(m.len, 3);
    assert_ptr_equal(map_get(&m, "a"), &one);
    assert_ptr_equal(map_get(&m, "b"), &two);
    assert_ptr_equal(map_get(&m, ""), &three);
    assert_int_equal(map_put(&m, "a", &three), 0); /* replaces */
    assert_int_equal(m.len, 3);
    assert_ptr_equal(map_remove(&m, "a"), &three);
    assert_null(map_get(&m, "a"));
    assert_int_equal(m.len, 2);
    map_clear(&m);
    assert_int_equal(m.len, 0);
    assert_null(map_get(&m, "b"));
    assert_int_equal(map_put(&m, "b", &two), 0);
    assert_ptr_equal(map_get(&m, "b"), &two);
    map_done(&m);
    assert_null(map_get(&m, "b"));
}

static void test_insertion_order_survives_removal_and_growth(void **state)
{
    struct map m = MAP_U64;
    for (uint64_t i = 0; i < 1000; i++)
        assert_int_equal(map_put_u64(&m, 1000 - i, &one), 0);
    for (uint64_t i = 0; i < 1000; i += 3)
        assert_ptr_equal(map_remove_u64(&m, 1000 - i), &one);
    for (uint64_t i = 2000; i < 3000; i++)
        assert_int_equal(map_put_u64(&m, i, &two), 0);
    size_t i = 0;
    uint64_t expected = 0, key;
    void *value;
    while (map_next_u64(&m, &i, &key, &value)) {
        if (expected < 1000 && expected % 3 == 0)
            expected++;
        if (expected == 1000)
            expected = 2000;
        assert_int_equal(key, expected < 1000 ? 1000 - expected : expected);
        assert_ptr_equal(value, expected < 1000 ? &one : &two);
        expected++;
    }
    assert_int_equal(expected, 3000);
    map_done(&m);
}

static void test_remove_while_iterating(void **state)
{
    struct map m = MAP_STR;
    char key_text[20];
    for (int i = 0; i < 100; i++) {
        snprintf(key_text, sizeof(key_text), "key%d", i);
        assert_int_equal(map_put(&m, key_text, &one), 0);
    }
    size_t seen = 0;
    const char *key;
    for (size_t i = 0; map_next(&m, &i, &key, NULL); seen++)
        assert_ptr_equal(map_remove(&m, key), &one);
    assert_int_equal(seen, 100);
    assert_int_equal(m.len, 0);
    map_done(&m);
}

static void test_against_a_model(void **state)
{
    enum { KEYS = 300 };
    struct rnd rnd;
    rnd_seed(&rnd, test_seed());
    struct map m = MAP_STR;
    static int values[KEYS];
    bool is_inside[KEYS] = {false};
    size_t count = 0;
    for (int step = 0; step < 20000; step++) {
        size_t k = (size_t)rnd_below(&rnd, KEYS);
        char key[20];
        snprintf(key, sizeof(key), "%zu", k);
        if (rnd_below(&rnd, 2) == 0) {
            assert_int_equal(map_put(&m, key, &values[k]), 0);
            count += !is_inside[k];
            is_inside[k] = true;
        } else {
            assert_ptr_equal(map_remove(&m, key), is_inside[k] ? &values[k] : NULL);
            count -= is_inside[k];
            is_inside[k] = false;
        }
        assert_int_equal(m.len, count);
    }
    for (size_t k = 0; k < KEYS; k++) {
        char key[20];
        snprintf(key, sizeof(key), "%zu", k);
        assert_ptr_equal(map_get(&m, key), is_inside[k] ? &values[k] : NULL);
    }
    assert_true(m.cap < 4096); /* holes are reused, not piled up */
    map_done(&m);
}

static int torture_body(void *ctx)
{
    struct map m = MAP_STR;
    int rc = 0;
    for (int i = 0; rc == 0 && i < 40; i++) {
        char key[20];
        snprintf(key, sizeof(key), "%d", i);
        size_t before = m.len;
        rc = map_put(&m, key, &one);
        if (rc != 0 && (m.len != before || map_get(&m, key) != NULL))
            rc = -BERR_INTERNAL; /* a failed put changed the map */
    }
    map_done(&m);
    return rc;
}

static void test_survives_lack_of_memory(void **state)
{
    test_torture(torture_body, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_insertion_order_survives_removal_and_growth),
        cmocka_unit_test(test_remove_while_iterating),
        cmocka_unit_test(test_against_a_model),
        cmocka_unit_test(test_survives_lack_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
