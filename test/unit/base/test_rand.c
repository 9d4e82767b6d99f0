#include "testlib.h"

#include "base/rand.h"

static void test_same_seed_same_numbers(void **state)
{
    struct rnd a, b, c;
    rnd_seed(&a, 1);
    rnd_seed(&b, 1);
    rnd_seed(&c, 2);
    int differing = 0;
    for (int i = 0; i < 100; i++) {
        uint64_t v = rnd_u64(&a);
        assert_true(v == rnd_u64(&b));
        differing += v != rnd_u64(&c);
    }
    assert_int_equal(differing, 100);
}

/* The state 1, 2, 3, 4 gives these by the reference implementation (as in Rust's rand_xoshiro). */
static void test_reference_numbers(void **state)
{
    struct rnd r = {.s = {1, 2, 3, 4}};
    static const uint64_t expected[] = {11520u, 0u, 1509978240u, 1215971899390074240u,
                                        1216172134540287360u};
    for (size_t i = 0; i < ARRAY_LEN(expected); i++)
        assert_true(rnd_u64(&r) == expected[i]);
    rnd_seed(&r, 0); /* splitmix64 from 0 starts so */
    assert_true(r.s[0] == 0xe220a8397b1dcdafull);
}

static void test_below_covers_all_and_stays_below(void **state)
{
    struct rnd r;
    rnd_seed(&r, test_seed());
    int counts[7] = {0};
    for (int i = 0; i < 7000; i++)
        counts[rnd_below(&r, 7)]++;
    for (int i = 0; i < 7; i++) /* 1000 each; ten standard deviations are about 290 */
        assert_in_range(counts[i], 700, 1300);
    assert_int_equal(rnd_below(&r, 1), 0);
    for (int i = 0; i < 100; i++) /* nearly half of all draws are rejected here */
        assert_true(rnd_below(&r, (1ull << 63) + 1) <= 1ull << 63);
}

static void test_double_is_in_unit_interval(void **state)
{
    struct rnd r;
    rnd_seed(&r, test_seed());
    double sum = 0;
    for (int i = 0; i < 10000; i++) {
        double v = rnd_double(&r);
        assert_true(v >= 0 && v < 1);
        sum += v;
    }
    assert_true(sum > 4500 && sum < 5500);
}

static void test_shuffle_is_a_permutation(void **state)
{
    struct rnd r;
    rnd_seed(&r, test_seed());
    struct {
        int value;
        char pad[3];
    } items[50];
    memset(items, 0, sizeof(items));
    for (int i = 0; i < 50; i++)
        items[i].value = i;
    rnd_shuffle(&r, items, 50, sizeof(items[0]));
    bool seen[50] = {false};
    int moved = 0;
    for (int i = 0; i < 50; i++) {
        assert_false(seen[items[i].value]);
        seen[items[i].value] = true;
        moved += items[i].value != i;
    }
    assert_true(moved > 25);
    rnd_shuffle(&r, items, 0, sizeof(items[0]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_seed_same_numbers),
        cmocka_unit_test(test_reference_numbers),
        cmocka_unit_test(test_below_covers_all_and_stays_below),
        cmocka_unit_test(test_double_is_in_unit_interval),
        cmocka_unit_test(test_shuffle_is_a_permutation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
