/* Passwords: what is accepted, hashed, found right. */
#include "testlib.h"
#include "auth/password.h"
#include "base/str.h"

static const struct password_cost cost = PASSWORD_COST_TESTS;

static void hash_and_check(void **state)
{
    char hash[PASSWORD_HASH_SIZE], again[PASSWORD_HASH_SIZE];
    struct err err;
    assert_int_equal(password_hash("correct horse", &cost, hash, &err), 0);
    assert_true(str_has_prefix(hash, "$argon2id$v=19$m=8,t=1,p=1$"));
    assert_null(strstr(hash, "horse"));
    assert_int_equal(password_hash("correct horse", &cost, again, &err), 0);
    assert_string_not_equal(hash, again); /* salted */
    assert_true(password_is_right("correct horse", hash, &cost));
    assert_true(password_is_right("correct horse", again, &cost));
    static const char *const wrong[] = {"correct hors", "correct horsf", "Correct horse", "",
                                        "correct horse "};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        assert_false(password_is_right(wrong[i], hash, &cost));
}

static void default_cost(void **state)
{
    char hash[PASSWORD_HASH_SIZE];
    assert_int_equal(password_hash("correct horse", &(struct password_cost){0}, hash, NULL), 0);
    assert_true(str_has_prefix(hash, "$argon2id$v=19$m=65536,t=2,p=1$"));
    assert_true(password_is_right("correct horse", hash, &cost));
}

static void no_hash_is_never_right(void **state)
{
    static const char *const hashes[] = {"", "x", "$argon2id$", "$argon2id$v=19$m=8,t=1,p=1$AAAA",
                                         "plain"};
    for (size_t i = 0; i < ARRAY_LEN(hashes); i++) {
        assert_false(password_is_right("", hashes[i], &cost));
        assert_false(password_is_right("plain", hashes[i], &cost));
        assert_false(password_is_right(hashes[i], hashes[i], &cost));
    }
}

static void what_is_a_password(void **state)
{
    char longest[PASSWORD_MAX_BYTES + 2], hash[PASSWORD_HASH_SIZE] = "untouched";
    memset(longest, 'x', sizeof(longest));
    longest[PASSWORD_MAX_BYTES + 1] = '\0';
    const char *const bad[] = {
        "", "1234567", longest, "with\ttab and more", "\xff\xfe in it all", "del\x7f in it all"};
    struct err err;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_int_equal(password_hash(bad[i], &cost, hash, &err), -BERR_INVALID);
        test_expect_err(&err, BERR_INVALID, "a password");
        assert_string_equal(hash, "untouched");
    }
    longest[PASSWORD_MAX_BYTES] = '\0';
    assert_int_equal(password_hash(longest, &cost, hash, &err), 0);
    assert_true(password_is_right(longest, hash, &cost));
    assert_int_equal(password_hash("12345678", &cost, hash, &err), 0);
    assert_int_equal(password_hash("p\xc3\xa4ssw\xc3\xb6rd", &cost, hash, &err), 0);
}

static void memory_that_is_not_there(void **state)
{
    char hash[PASSWORD_HASH_SIZE] = "";
    const struct password_cost huge = {.passes = 1, .memory_bytes = 1ull << 41};
    struct err err;
    assert_int_equal(password_hash("correct horse", &huge, hash, &err), -BERR_NOMEM);
    assert_string_equal(hash, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hash_and_check),           cmocka_unit_test(default_cost),
        cmocka_unit_test(no_hash_is_never_right),   cmocka_unit_test(what_is_a_password),
        cmocka_unit_test(memory_that_is_not_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
