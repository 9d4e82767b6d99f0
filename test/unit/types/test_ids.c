/* Keys of attempts as text and back. */
#include <testlib.h>
#include "types/ids.h"

static void test_format_and_parse_are_one_to_one(void **state)
{
    struct attempt_key key = {{id_from_random(0x123456789abcdefull)}, 3, UINT64_MAX}, back;
    char text[ATTEMPT_KEY_TEXT_SIZE];
    attempt_key_format(text, key);
    assert_true(attempt_key_parse(text, &back));
    assert_true(attempt_key_is_equal(key, back));
    back.fence--;
    assert_false(attempt_key_is_equal(key, back));
}

static void test_other_texts_are_refused(void **state)
{
    struct attempt_key ret = {{7}, 7, 7};
    char id[ID_TEXT_SIZE], text[128];
    id_format(id, id_from_random(99));
    const char *rests[] = {"",
                           "/",
                           "/1",
                           "/1/",
                           "/1/2/",
                           "/1/2/3",
                           "//2",
                           "/01/2",
                           "/1/02",
                           "/-1/2",
                           "/1/+2",
                           "/4294967296/1",
                           "/1/18446744073709551616",
                           "/1/2 ",
                           " /1/2"};
    for (size_t i = 0; i < ARRAY_LEN(rests); i++) {
        snprintf(text, sizeof(text), "%s%s", id, rests[i]);
        assert_false(attempt_key_parse(text, &ret));
    }
    assert_false(attempt_key_parse("/1/2", &ret));
    assert_false(attempt_key_parse("UPPERCASEX/1/2", &ret));
    assert_int_equal(ret.number, 7); /* untouched on failure */
    snprintf(text, sizeof(text), "%s/0/0", id);
    assert_true(attempt_key_parse(text, &ret));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_format_and_parse_are_one_to_one),
        cmocka_unit_test(test_other_texts_are_refused),
    };
    return cmocka_run_group_tests_name("types/ids", tests, NULL, NULL);
}
