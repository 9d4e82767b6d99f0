/* Verdicts in virtual time. */
#include "gateway/verdicts.h"
#include "base/limits.h"
#include "testlib.h"

#define NOW 1000000

static struct verdicts *v;
static char a[DIGEST_HEX_SIZE], b[DIGEST_HEX_SIZE];

static int setup(void **state)
{
    v = verdicts_new(4);
    memset(a, 'a', 64);
    memset(b, 'b', 64);
    return v ? 0 : -1;
}

static int teardown(void **state)
{
    verdicts_free(v);
    assert_int_equal(mem_live(), 0);
    return 0;
}

static void put(const char *digest, uint64_t route, bool allow, int64_t until_ms)
{
    struct verdict verdict = {.allow = allow,
                              .until_ms = until_ms,
                              .code = allow ? BERR_OK : BERR_FORBIDDEN,
                              .user = "ada"};
    verdicts_put(v, digest, route, &verdict, NOW);
}

static void kept_until_they_run_out(void **state)
{
    assert_null(verdicts_get(v, a, 1, NOW));
    put(a, 1, true, NOW + 5000);
    put(a, 2, false, NOW + 5000);
    assert_true(verdicts_get(v, a, 1, NOW)->allow);
    assert_string_equal(verdicts_get(v, a, 1, NOW)->user, "ada");
    assert_false(verdicts_get(v, a, 2, NOW)->allow);
    assert_null(verdicts_get(v, a, 3, NOW));
    assert_null(verdicts_get(v, b, 1, NOW));
    assert_non_null(verdicts_get(v, a, 1, NOW + 4999));
    assert_null(verdicts_get(v, a, 1, NOW + 5000));
    assert_int_equal(verdicts_count(v), 1);
}

static void never_longer_than_allowed(void **state)
{
    put(a, 1, true, INT64_MAX);
    put(a, 2, false, INT64_MAX);
    assert_non_null(verdicts_get(v, a, 1, NOW + LIMIT_VERDICT_MS - 1));
    assert_non_null(verdicts_get(v, a, 2, NOW + REFUSAL_MS - 1));
    assert_null(verdicts_get(v, a, 2, NOW + REFUSAL_MS));
    assert_null(verdicts_get(v, a, 1, NOW + LIMIT_VERDICT_MS));
    put(a, 3, true, NOW);
    put(a, 4, true, NOW - 1);
    assert_int_equal(verdicts_count(v), 0);
}

static void newer_replaces_older(void **state)
{
    put(a, 1, true, NOW + 5000);
    put(a, 1, false, NOW + 500);
    assert_int_equal(verdicts_count(v), 1);
    assert_false(verdicts_get(v, a, 1, NOW)->allow);
    put(a, 1, true, NOW - 1); /* one that has run out already takes the old one along */
    assert_null(verdicts_get(v, a, 1, NOW));
}

static void revoked_at_once(void **state)
{
    put(a, 1, true, NOW + 5000);
    put(a, 2, true, NOW + 5000);
    put(b, 1, true, NOW + 5000);
    verdicts_revoke(v, a);
    assert_null(verdicts_get(v, a, 1, NOW));
    assert_null(verdicts_get(v, a, 2, NOW));
    assert_non_null(verdicts_get(v, b, 1, NOW));
    verdicts_revoke(v, a);
    verdicts_revoke(v, NULL);
    assert_int_equal(verdicts_count(v), 0);
}

static void the_oldest_give_way(void **state)
{
    for (uint64_t route = 1; route <= 6; route++)
        put(route % 2 ? a : b, route, true, NOW + 5000);
    assert_int_equal(verdicts_count(v), 4);
    for (uint64_t route = 1; route <= 6; route++)
        assert_int_equal(verdicts_get(v, route % 2 ? a : b, route, NOW) != NULL, route > 2);
}

static int body(void *ctx)
{
    struct verdicts *own = verdicts_new(8);
    if (!own)
        return -BERR_NOMEM;
    struct verdict verdict = {.allow = true, .until_ms = NOW + 10};
    for (uint64_t route = 1; route < 6; route++)
        verdicts_put(own, route % 2 ? a : b, route, &verdict, NOW);
    /* what there was no memory for is not kept and asked again */
    int rc = verdicts_count(own) == 5 ? 0 : -BERR_NOMEM;
    verdicts_revoke(own, a);
    verdicts_free(own);
    return rc;
}

static void short_memory(void **state)
{
    memset(a, 'a', 64);
    memset(b, 'b', 64);
    test_torture(body, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(kept_until_they_run_out, setup, teardown),
        cmocka_unit_test_setup_teardown(never_longer_than_allowed, setup, teardown),
        cmocka_unit_test_setup_teardown(newer_replaces_older, setup, teardown),
        cmocka_unit_test_setup_teardown(revoked_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(the_oldest_give_way, setup, teardown),
        cmocka_unit_test(short_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
