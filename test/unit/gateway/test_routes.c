/* Routes: put, replaced, full lists, activity. */
#include "gateway/routes.h"
#include "testlib.h"

static struct routes r;

static int setup(void **state)
{
    routes_init(&r);
    return 0;
}

static int teardown(void **state)
{
    routes_done(&r);
    assert_int_equal(mem_live(), 0);
    return 0;
}

static int put(uint64_t id, const char *target, const char *inject, struct err *err)
{
    struct gw_message m = {.kind = GW_ROUTE, .route = id, .target = target, .inject = inject};
    return routes_put(&r, &m, err);
}

static void put_and_replaced(void **state)
{
    assert_int_equal(put(1, "10.1.0.5:8888", "Authorization: token x", NULL), 0);
    struct route *route = routes_get(&r, 1);
    assert_string_equal(route->host, "10.1.0.5");
    assert_int_equal(route->port, 8888);
    assert_string_equal(route->inject, "Authorization: token x\r\n");
    assert_string_equal(route->inject_name, "Authorization");
    route->open = 3;
    routes_touch(&r, route, 50);
    assert_int_equal(put(1, "[fd00::1]:99", NULL, NULL), 0);
    route = routes_get(&r, 1);
    assert_string_equal(route->host, "fd00::1");
    assert_null(route->inject);
    assert_int_equal(route->open, 3);
    assert_ptr_equal(routes_take_active(&r), route);
    assert_null(routes_take_active(&r));
    assert_int_equal(routes_count(&r), 1);
    assert_true(routes_remove(&r, 1));
    assert_false(routes_remove(&r, 1));
}

static void bad_ones(void **state)
{
    static const char *const targets[] = {"",           "nonsense", "10.1.0.5",
                                          "10.1.0.5:0", "a b:1",    "10.1.0.5:99999"};
    static const char *const injects[] = {"no colon", ": x", "A B: x", "A: x\r\nB: y", "A: \x7f"};
    struct err err = {0};
    for (size_t i = 0; i < ARRAY_LEN(targets); i++)
        assert_int_equal(put(1, targets[i], NULL, &err), -BERR_PROTOCOL);
    for (size_t i = 0; i < ARRAY_LEN(injects); i++)
        assert_int_equal(put(1, "10.1.0.5:1", injects[i], &err), -BERR_PROTOCOL);
    assert_int_equal(routes_count(&r), 0);
}

static void count_gone(void *arg, uint64_t id)
{
    *(uint64_t *)arg += id;
}

static void full_lists(void **state)
{
    uint64_t gone = 0;
    for (uint64_t id = 1; id <= 100; id++)
        assert_int_equal(put(id, "10.1.0.5:1", NULL, NULL), 0);
    routes_touch(&r, routes_get(&r, 50), 1);
    routes_touch(&r, routes_get(&r, 7), 2);
    routes_full_begin(&r);
    assert_int_equal(put(7, "10.1.0.5:1", NULL, NULL), 0);
    assert_int_equal(put(200, "10.1.0.5:1", NULL, NULL), 0);
    routes_full_end(&r, count_gone, &gone);
    assert_int_equal(gone, 5050 - 7);
    assert_int_equal(routes_count(&r), 2);
    assert_int_equal(routes_take_active(&r)->id, 7); /* 50 is off the list, and not freed memory */
    assert_null(routes_take_active(&r));
}

static void activity_is_told_once(void **state)
{
    for (uint64_t id = 1; id <= 3; id++)
        put(id, "10.1.0.5:1", NULL, NULL);
    for (int i = 0; i < 5; i++)
        routes_touch(&r, routes_get(&r, 2), 10 + i);
    struct route *route = routes_take_active(&r);
    assert_int_equal(route->id, 2);
    assert_int_equal(route->last_byte_ms, 14);
    assert_null(routes_take_active(&r));
    routes_touch(&r, route, 20);
    assert_ptr_equal(routes_take_active(&r), route);
}

static int body(void *ctx)
{
    struct routes own;
    int rc = 0;
    routes_init(&own);
    for (uint64_t id = 1; id <= 12 && rc == 0; id++) {
        struct gw_message m = {
            .route = id % 9 + 1, .target = "10.1.0.5:1", .inject = "A: b", .title = "t"};
        rc = routes_put(&own, &m, NULL);
    }
    routes_done(&own);
    return rc;
}

static void short_memory(void **state)
{
    test_torture(body, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(put_and_replaced, setup, teardown),
        cmocka_unit_test_setup_teardown(bad_ones, setup, teardown),
        cmocka_unit_test_setup_teardown(full_lists, setup, teardown),
        cmocka_unit_test_setup_teardown(activity_is_told_once, setup, teardown),
        cmocka_unit_test(short_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
