/* Answers that are problems become errors, and errors become lines. Calls are tested against a
 * server in test/integration/cli. */
#include "cli/cli.h"
#include "testlib.h"

static void problems_become_errors(void **state)
{
    static const char body[] =
        "{\"type\":\"about:blank\",\"title\":\"Bad Request\",\"status\":400,\"code\":\"invalid\","
        "\"detail\":\"expected a size\",\"field\":\"roles.worker.memory\",\"line\":3,\"column\":9,"
        "\"hint\":\"like 4G\"}";
    struct err err = {0};
    struct buf out = BUF(4096);
    (void)state;
    assert_int_equal(cli_problem(400, body, sizeof(body) - 1, &err), -(int)BERR_INVALID);
    cli_put_error(&out, &err);
    assert_string_equal(buf_str(&out),
                        "berth: roles.worker.memory: expected a size (line 3, column 9)\n"
                        "hint: like 4G\n");
    buf_done(&out);
}

static void the_code_counts_more_than_the_status(void **state)
{
    static const char body[] = "{\"code\":\"quota\",\"detail\":\"too much\"}";
    struct err err = {0};
    (void)state;
    assert_int_equal(cli_problem(429, body, sizeof(body) - 1, &err), -(int)BERR_QUOTA);
    assert_int_equal(cli_problem(404, "{\"detail\":\"x\"}", 14, &err), -(int)BERR_NOT_FOUND);
}

static void other_bodies_give_the_status(void **state)
{
    struct err err = {0};
    (void)state;
    assert_int_equal(cli_problem(503, "<html>", 6, &err), -(int)BERR_UNAVAILABLE);
    assert_non_null(strstr(err.text, "503"));
    assert_int_equal(cli_problem(302, "", 0, &err), -(int)BERR_PROTOCOL);
}

static void lines_are_safe_for_terminals(void **state)
{
    struct err err = {0};
    struct buf out = BUF(4096);
    (void)state;
    err_set(&err, BERR_CONFLICT, "there is a user \033[31mx already");
    cli_put_error(&out, &err);
    assert_null(strchr(buf_str(&out), 033));
    buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(problems_become_errors),
        cmocka_unit_test(the_code_counts_more_than_the_status),
        cmocka_unit_test(other_bodies_give_the_status),
        cmocka_unit_test(lines_are_safe_for_terminals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
