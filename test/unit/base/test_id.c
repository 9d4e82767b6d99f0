#include "testlib.h"

#include "base/id.h"
#include "base/rand.h"
#include "base/str.h"

static void test_round_trip(void **state)
{
    struct rnd rnd;
    rnd_seed(&rnd, test_seed());
    for (int i = 0; i < 10000; i++) {
        uint64_t id = id_from_random(rnd_u64(&rnd)), back = 0;
        char text[ID_TEXT_SIZE];
        assert_ptr_equal(id_format(text, id), text);
        assert_int_equal(strlen(text), ID_TEXT_LEN);
        assert_true(text[0] >= 'a' && text[0] <= 'z');
        assert_true(str_is_label(text));
        assert_null(strpbrk(text, "ilou"));
        assert_true(id_parse(text, &back));
        assert_true(back == id);
    }
}

static void test_extremes_are_ids(void **state)
{
    const uint64_t randoms[] = {0, UINT64_MAX, 1ull << 63, (1ull << 45) - 1};
    for (size_t i = 0; i < ARRAY_LEN(randoms); i++) {
        char text[ID_TEXT_SIZE];
        uint64_t back;
        assert_true(id_from_random(randoms[i]) != 0);
        assert_true(id_parse(id_format(text, id_from_random(randoms[i])), &back));
    }
}

static void test_zero_is_none(void **state)
{
    char text[ID_TEXT_SIZE] = "x";
    assert_string_equal(id_format(text, 0), "");
}

static void test_refuses_other_texts(void **state)
{
    const char *const bad[] = {"",           "a",          "abcdefghj",     "abcdefghjkm",
                               "1bcdefghjk", "Abcdefghjk", "abcdefghil",    "abcdefghjo",
                               "abcdefghju", "abcdefgh k", "abcdefghj\xc3", "-bcdefghjk"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        uint64_t v = 42;
        assert_false(id_parse(bad[i], &v));
        assert_int_equal(v, 42);
    }
    uint64_t v;
    assert_false(id_parse(NULL, &v));
    assert_true(id_parse("abcdefghjk", &v));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_extremes_are_ids),
        cmocka_unit_test(test_zero_is_none),
        cmocka_unit_test(test_refuses_other_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
