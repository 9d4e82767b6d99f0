/* Delays after failures: how they grow, when they are forgotten, how many keys there can be. */
#include "testlib.h"
#include "auth/limiter.h"

static void delays_grow(void **state)
{
    struct limiter l;
    limiter_init(&l);
    int64_t now = 1000, last = 0;
    for (int i = 1; i < LIMITER_FREE_TRIES; i++) {
        limiter_fail(&l, "ada", now);
        assert_int_equal(limiter_wait_ms(&l, "ada", now), 0);
    }
    const int64_t expected[] = {1000,  2000,   4000,   8000,   16000, 32000,
                                64000, 128000, 256000, 300000, 300000};
    for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
        now += last;
        assert_int_equal(limiter_wait_ms(&l, "ada", now), 0); /* served */
        limiter_fail(&l, "ada", now);
        assert_int_equal(limiter_wait_ms(&l, "ada", now), expected[i]);
        assert_int_equal(limiter_wait_ms(&l, "ada", now + expected[i] - 1), 1);
        last = expected[i];
    }
    for (int i = 0; i < 100; i++) /* no overflow */
        limiter_fail(&l, "ada", now);
    assert_int_equal(limiter_wait_ms(&l, "ada", now), LIMITER_LONGEST_MS);
    assert_int_equal(limiter_wait_ms(&l, "bob", now), 0);
    limiter_done(&l);
}

static void fail_times(struct limiter *l, const char *key, int times, int64_t now_ms)
{
    for (int i = 0; i < times; i++)
        limiter_fail(l, key, now_ms);
}

static void success_and_time_forget(void **state)
{
    struct limiter l;
    limiter_init(&l);
    fail_times(&l, "ada", 6, 0);
    assert_int_equal(limiter_wait_ms(&l, "ada", 0), 2000);
    limiter_succeed(&l, "ada");
    limiter_succeed(&l, "unknown");
    assert_int_equal(limiter_wait_ms(&l, "ada", 0), 0);
    fail_times(&l, "ada", 6, 0);
    limiter_fail(&l, "ada", LIMITER_FORGET_MS + 1); /* counts as the first */
    assert_int_equal(limiter_wait_ms(&l, "ada", LIMITER_FORGET_MS + 1), 0);
    limiter_done(&l);
}

static void table_is_bounded(void **state)
{
    struct limiter l;
    limiter_init(&l);
    fail_times(&l, "first", 6, 0);
    fail_times(&l, "second", 6, 0);
    char key[32];
    for (int i = 0; i < LIMITER_KEYS_MAX - 2; i++) {
        snprintf(key, sizeof(key), "k%d", i);
        limiter_fail(&l, key, 0);
    }
    assert_int_equal(l.keys.len, LIMITER_KEYS_MAX);
    limiter_fail(&l, "first", 0); /* now the latest */
    limiter_fail(&l, "one more", 0);
    assert_int_equal(l.keys.len, LIMITER_KEYS_MAX);
    assert_true(limiter_wait_ms(&l, "first", 0) > 0);
    assert_int_equal(limiter_wait_ms(&l, "second", 0), 0); /* the oldest made room */
    limiter_fail(&l, "later", LIMITER_FORGET_MS + 1);
    assert_true(l.keys.len < LIMITER_KEYS_MAX); /* stale ones go as well */
    limiter_done(&l);
}

/* Without memory nothing is counted, and nothing breaks. */
static void short_memory(void **state)
{
    struct limiter l;
    limiter_init(&l);
    for (uint64_t n = 1; n <= 6; n++) {
        mem_fail_at(n, 1);
        limiter_fail(&l, "ada", 0);
        mem_fail_at(0, 0);
        assert_int_equal(limiter_wait_ms(&l, "ada", 0), 0);
    }
    limiter_done(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(delays_grow),
        cmocka_unit_test(success_and_time_forget),
        cmocka_unit_test(table_is_bounded),
        cmocka_unit_test(short_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
