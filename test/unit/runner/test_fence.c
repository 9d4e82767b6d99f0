#include "testlib.h"

#include <fcntl.h>
#include <unistd.h>
#include "runner/server.h"

static void test_only_grows(void **state)
{
    char top[TEST_PATH_MAX];
    struct err err = {0};
    struct wire_key key = {.workload = 0x1555555555555ull, .number = 1, .fence = 5};
    struct wire_key other = {.workload = 0x1555555555556ull, .number = 1, .fence = 1};
    test_tmpdir_make(top);
    struct instance in = {.fences_fd = open(top, O_RDONLY | O_DIRECTORY)};
    assert_int_equal(fence_check(&in, &key, &err), 0);
    assert_int_equal(fence_check(&in, &key, &err), 0);   /* the same again */
    assert_int_equal(fence_check(&in, &other, &err), 0); /* each workload has its own */
    key.fence = 9;
    assert_int_equal(fence_check(&in, &key, &err), 0);
    key.fence = 8;
    assert_int_equal(fence_check(&in, &key, &err), -BERR_CONFLICT);
    assert_string_equal(err.field, "key.fence");
    test_expect_err(&err, BERR_CONFLICT, "older than 9");
    close(in.fences_fd);
    test_tmpdir_remove(top);
}

static void test_deleted_attempts_stay_dead(void **state)
{
    char top[TEST_PATH_MAX];
    struct err err = {0};
    struct wire_key key = {.workload = 0x1555555555555ull, .number = 1, .fence = 5};
    test_tmpdir_make(top);
    struct instance in = {.fences_fd = open(top, O_RDONLY | O_DIRECTORY)};
    assert_int_equal(fence_check(&in, &key, &err), 0);
    assert_int_equal(fence_close(&in, &key, &err), 0);
    assert_int_equal(fence_check(&in, &key, &err), -BERR_CONFLICT);
    key.fence = 6;
    assert_int_equal(fence_check(&in, &key, &err), 0);
    close(in.fences_fd);
    test_tmpdir_remove(top);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_grows),
        cmocka_unit_test(test_deleted_attempts_stay_dead),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
