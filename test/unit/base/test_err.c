#include "testlib.h"

#include <errno.h>
#include "base/str.h"

static void test_set_empties_the_rest(void **state)
{
    struct err err;
    memset(&err, 'x', sizeof(err));
    assert_int_equal(err_set(&err, BERR_CONFLICT, "job %s exists", "a"), -BERR_CONFLICT);
    assert_int_equal(err.code, BERR_CONFLICT);
    assert_string_equal(err.text, "job a exists");
    assert_string_equal(err.hint, "");
    assert_string_equal(err.field, "");
    assert_int_equal(err.line, 0);
    assert_int_equal(err.col, 0);
    err_clear(&err);
    assert_int_equal(err.code, BERR_OK);
    assert_string_equal(err.text, "");
}

static void test_null_err_keeps_the_code(void **state)
{
    assert_int_equal(err_set(NULL, BERR_IO, "x"), -BERR_IO);
    assert_int_equal(err_errno(NULL, ENOSPC, "x"), -BERR_NO_SPACE);
    assert_int_equal(err_wrap(NULL, -BERR_GONE, "x"), -BERR_GONE);
    assert_true(err_at(NULL, "f", 1, 2) < 0);
    assert_true(err_hint(NULL, "x") < 0);
    err_clear(NULL);
}

static void test_wrap_adds_context(void **state)
{
    struct err err;
    int rc = err_set(&err, BERR_IO, "disk broken");
    err_at(&err, "a.b", 3, 4);
    err_hint(&err, "buy a %s", "disk");
    assert_int_equal(err_wrap(&err, rc, "open %s", "db"), -BERR_IO);
    assert_string_equal(err.text, "open db: disk broken");
    assert_string_equal(err.hint, "buy a disk");
    assert_string_equal(err.field, "a.b");
    assert_int_equal(err.line, 3);
    assert_int_equal(err.col, 4);
}

static void test_arguments_may_point_into_err(void **state)
{
    struct err err;
    err_set(&err, BERR_IO, "inner");
    err_hint(&err, "do");
    err_set(&err, BERR_INTERNAL, "outer of %s", err.text);
    assert_string_equal(err.text, "outer of inner");
    err_hint(&err, "first");
    err_hint(&err, "then %s", err.hint);
    assert_string_equal(err.hint, "then first");
}

static void test_errno_codes(void **state)
{
    static const struct {
        int errnum;
        enum berr code;
    } cases[] = {
        {ENOSPC, BERR_NO_SPACE},  {EDQUOT, BERR_NO_SPACE},   {ENOMEM, BERR_NOMEM},
        {ENOENT, BERR_NOT_FOUND}, {EEXIST, BERR_CONFLICT},   {EACCES, BERR_FORBIDDEN},
        {EPERM, BERR_FORBIDDEN},  {ETIMEDOUT, BERR_TIMEOUT}, {EIO, BERR_IO},
        {EBADF, BERR_IO},
    };
    struct err err;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_int_equal(err_errno(&err, cases[i].errnum, "x"), -(int)cases[i].code);
    err_errno(&err, ENOENT, "open %s", "/x");
    assert_string_equal(err.text, "open /x: No such file or directory");
}

static void test_one_line_of_valid_text(void **state)
{
    struct err err;
    err_set(&err, BERR_INVALID, "a\nb\tc\x01");
    assert_string_equal(err.text, "a b c ");
    char longest[2 * ERR_TEXT_MAX];
    memset(longest, 'a', sizeof(longest));
    /* the two bytes of an umlaut across the end: it goes away as a whole */
    memcpy(longest + ERR_TEXT_MAX - 2, "\xc3\xa4", 2);
    longest[sizeof(longest) - 1] = '\0';
    err_set(&err, BERR_INVALID, "%s", longest);
    assert_int_equal(strlen(err.text), ERR_TEXT_MAX - 2);
    assert_true(str_is_utf8(err.text, strlen(err.text)));
    err_wrap(&err, 0, "%s", longest);
    assert_true(str_is_utf8(err.text, strlen(err.text)));
    err_set(&err, BERR_INVALID, "\xc3\xa4"); /* a whole one at the end stays */
    assert_string_equal(err.text, "\xc3\xa4");
}

static void test_names_go_both_ways(void **state)
{
#define X(sym, name, http, exit, retry)                 \
    assert_string_equal(berr_name(BERR_##sym), name);   \
    assert_int_equal(berr_from_name(name), BERR_##sym); \
    assert_int_equal(berr_http(BERR_##sym), http);      \
    assert_int_equal(berr_exit(BERR_##sym), exit);      \
    assert_int_equal(berr_is_retryable(BERR_##sym), retry);
    BERR_LIST(X)
#undef X
    assert_string_equal(berr_name(BERR_OK), "ok");
    assert_int_equal(berr_http(BERR_OK), 200);
    assert_int_equal(berr_from_name("nonsense"), BERR_INTERNAL);
    assert_int_equal(berr_from_name(NULL), BERR_INTERNAL);
}

static void test_from_http(void **state)
{
    assert_int_equal(berr_from_http(200), BERR_OK);
    assert_int_equal(berr_from_http(304), BERR_OK);
    assert_int_equal(berr_from_http(404), BERR_NOT_FOUND);
    assert_int_equal(berr_from_http(418), BERR_INVALID);
    assert_int_equal(berr_from_http(429), BERR_BUSY);
    assert_int_equal(berr_from_http(500), BERR_INTERNAL);
    assert_int_equal(berr_from_http(503), BERR_UNAVAILABLE);
    assert_int_equal(berr_from_http(599), BERR_INTERNAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_set_empties_the_rest),
        cmocka_unit_test(test_null_err_keeps_the_code),
        cmocka_unit_test(test_wrap_adds_context),
        cmocka_unit_test(test_arguments_may_point_into_err),
        cmocka_unit_test(test_errno_codes),
        cmocka_unit_test(test_one_line_of_valid_text),
        cmocka_unit_test(test_names_go_both_ways),
        cmocka_unit_test(test_from_http),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
