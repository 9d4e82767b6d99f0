#include "testlib.h"

#include "base/rand.h"
#include "base/str.h"

static void test_equality(void **state)
{
    assert_true(str_is_equal("a", "a"));
    assert_false(str_is_equal("a", "A"));
    assert_true(str_is_equal(NULL, NULL));
    assert_false(str_is_equal("", NULL));
    assert_true(str_is_equal_ci("Host", "hOST"));
    assert_false(str_is_equal_ci("host", "hosts"));
    assert_false(str_is_equal_ci("[", "{")); /* not letters: differ by the same bit */
    assert_false(str_is_equal_ci(NULL, "a"));
    assert_true(str_has_prefix("abc", "ab"));
    assert_true(str_has_prefix("abc", ""));
    assert_false(str_has_prefix("ab", "abc"));
    assert_true(str_has_suffix("abc", "bc"));
    assert_true(str_has_suffix("abc", ""));
    assert_false(str_has_suffix("bc", "abc"));
}

static void test_copy(void **state)
{
    char dst[4] = "zzz";
    assert_true(str_copy(dst, sizeof(dst), "abc"));
    assert_string_equal(dst, "abc");
    assert_false(str_copy(dst, sizeof(dst), "abcd"));
    assert_string_equal(dst, "abc");
    assert_false(str_copy(dst, 1, "x"));
    assert_string_equal(dst, "");
}

static void test_parse_numbers(void **state)
{
    uint64_t u = 7;
    int64_t i = 7;
    assert_true(str_parse_u64("18446744073709551615", &u) && u == UINT64_MAX);
    assert_true(str_parse_u64("007", &u) && u == 7);
    assert_true(str_parse_i64("9223372036854775807", &i) && i == INT64_MAX);
    assert_true(str_parse_i64("-9223372036854775808", &i) && i == INT64_MIN);
    assert_true(str_parse_i64("-0", &i) && i == 0);
    const char *const bad_u64[] = {
        "", "-1", "+1", " 1", "1 ", "1x", "18446744073709551616", "99999999999999999999999", "0x1"};
    u = 7;
    for (size_t k = 0; k < ARRAY_LEN(bad_u64); k++)
        assert_false(str_parse_u64(bad_u64[k], &u));
    assert_int_equal(u, 7);
    i = 7;
    const char *const bad_i64[] = {
        "", "-", "--1", "+1", "9223372036854775808", "-9223372036854775809"};
    for (size_t k = 0; k < ARRAY_LEN(bad_i64); k++)
        assert_false(str_parse_i64(bad_i64[k], &i));
    assert_int_equal(i, 7);
    assert_false(str_parse_u64(NULL, &u));
    assert_false(str_parse_i64(NULL, &i));
}

static void test_distance(void **state)
{
    assert_int_equal(str_distance("", "", 5), 0);
    assert_int_equal(str_distance("kitten", "sitting", 5), 3);
    assert_int_equal(str_distance("abc", "", 5), 3);
    assert_int_equal(str_distance("kitten", "sitting", 2), 3); /* capped */
    char long_text[80];
    memset(long_text, 'a', sizeof(long_text));
    long_text[79] = '\0';
    assert_int_equal(str_distance(long_text, long_text, 9), 10);
    assert_int_equal(str_distance(long_text + 15, long_text + 15, 9), 0); /* 64 bytes */
}

static void test_nearest(void **state)
{
    const char *const names[] = {"replicas", "command", "cpu", "gpu", "env"};
    assert_string_equal(str_nearest("replica", names, 5), "replicas");
    assert_string_equal(str_nearest("comand", names, 5), "command");
    assert_string_equal(str_nearest("gpus", names, 5), "gpu");
    assert_null(str_nearest("elephant", names, 5));
    assert_null(str_nearest("xy", names, 0));
}

static void test_labels_and_tags(void **state)
{
    char label[80];
    memset(label, 'a', sizeof(label));
    label[63] = '\0';
    assert_true(str_is_label(label));
    label[63] = 'a';
    label[64] = '\0';
    assert_false(str_is_label(label));
    assert_true(str_is_label("a"));
    assert_true(str_is_label("0-a"));
    const char *const bad[] = {"", "-a", "a-", "A", "a_b", "a.b", "a b", "\xc3\xa4"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(str_is_label(bad[i]));
    assert_false(str_is_label(NULL));
    assert_true(str_is_tag("v1.0_RC-2"));
    assert_true(str_is_tag("_"));
    assert_false(str_is_tag(".x"));
    assert_false(str_is_tag("-x"));
    assert_false(str_is_tag(""));
    assert_false(str_is_tag("a/b"));
    assert_false(str_is_tag("a:b"));
}

static void test_hex(void **state)
{
    char hex[9];
    str_to_hex(hex, "\x00\x7f\xab\xff", 4);
    assert_string_equal(hex, "007fabff");
    unsigned char back[4];
    assert_true(str_from_hex(back, 4, "007FabFF"));
    assert_memory_equal(back, "\x00\x7f\xab\xff", 4);
    assert_false(str_from_hex(back, 4, "007fabf"));
    assert_false(str_from_hex(back, 4, "007fabff0"));
    assert_false(str_from_hex(back, 4, "007fabgg"));
    assert_memory_equal(back, "\x00\x7f\xab\xff", 4); /* untouched on failure */
    assert_false(str_from_hex(back, 4, NULL));
}

static void test_base64url(void **state)
{
    static const struct {
        const char *plain, *text;
    } cases[] = {
        /* RFC 4648, section 10, without padding */
        {"", ""},           {"f", "Zg"},          {"fo", "Zm8"},          {"foo", "Zm9v"},
        {"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"}, {"\xfb\xff", "-_8"}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char text[20];
        str_to_base64url(text, cases[i].plain, strlen(cases[i].plain));
        assert_string_equal(text, cases[i].text);
    }
}

static void test_utf8(void **state)
{
    const char *const good[] = {"",
                                "abc",
                                "\xc3\xa4",
                                "\xe2\x82\xac",
                                "\xf0\x9f\x9a\xa2",
                                "\xed\x9f\xbf",
                                "\xee\x80\x80",
                                "\xf4\x8f\xbf\xbf",
                                "\x7f"};
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        assert_true(str_is_utf8(good[i], strlen(good[i])));
    const char *const bad[] = {
        "\x80",             /* continuation alone */
        "\xc0\x80",         /* overlong NUL */
        "\xc1\xbf",         /* overlong */
        "\xe0\x9f\xbf",     /* overlong */
        "\xf0\x8f\xbf\xbf", /* overlong */
        "\xed\xa0\x80",     /* surrogate */
        "\xf4\x90\x80\x80", /* past U+10FFFF */
        "\xf5\x80\x80\x80",
        "\xff",
        "\xc3",
        "\xe2\x82",
        "\xe2\x82z",
        "\xf0\x9f\x9a",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(str_is_utf8(bad[i], strlen(bad[i])));
    assert_false(str_is_utf8("a\0b", 3));
    assert_int_equal(str_utf8_len("\xc3\xa4z", 3), 2);
    assert_int_equal(str_utf8_len("\xc3\xa4", 1), 0); /* never reads past len */
    assert_int_equal(str_utf8_len("", 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equality),      cmocka_unit_test(test_copy),
        cmocka_unit_test(test_parse_numbers), cmocka_unit_test(test_distance),
        cmocka_unit_test(test_nearest),       cmocka_unit_test(test_labels_and_tags),
        cmocka_unit_test(test_hex),           cmocka_unit_test(test_base64url),
        cmocka_unit_test(test_utf8),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
