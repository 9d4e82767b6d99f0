/* Which names users may have. */
#include "testlib.h"
#include "auth/auth.h"

static void names_of_users(void **state)
{
    static const char *const good[] = {"a",     "ada", "ada-l",
                                       "admin", "x1",  "abcdefghijklmnopqrstuvwxyz012345"};
    static const char *const bad[] = {"",
                                      "1a",
                                      "-a",
                                      "a-",
                                      "Ada",
                                      "a_b",
                                      "a.b",
                                      "d\xc3\xa4",
                                      "a b",
                                      "../x",
                                      "abcdefghijklmnopqrstuvwxyz0123456",
                                      "root",
                                      "daemon",
                                      "berth",
                                      "www-data",
                                      "nobody",
                                      "sudo",
                                      "docker",
                                      "systemd-network",
                                      "berth-runner"};
    struct err err;
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        if (auth_check_user_name(good[i], &err) != 0)
            fail_msg("%s: %s", good[i], err.text);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        if (auth_check_user_name(bad[i], &err) != -BERR_INVALID)
            fail_msg("%s is good", bad[i]);
        assert_true(err.hint[0] != '\0');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(names_of_users)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
