/* The examples of gitignore(5), and what git does at the edges. */
#include "ship/ignore.h"
#include "testlib.h"

struct glob_case {
    const char *pattern, *text;
    bool is_match;
};

static const struct glob_case globs[] = {
    {"foo", "foo", true},
    {"foo", "fo", false},
    {"fo", "foo", false},
    {"*.c", "a.c", true},
    {"*.c", "a.h", false},
    {"*.c", "d/a.c", false},
    {"*", ".hidden", true},
    {"?oo", "foo", true},
    {"?oo", "/oo", false},
    {"a[bc]d", "acd", true},
    {"a[!bc]d", "acd", false},
    {"a[!bc]d", "axd", true},
    {"a[^bc]d", "abd", false},
    {"[a-c]", "b", true},
    {"[a-c]", "d", false},
    {"[]]", "]", true},
    {"[", "[", true},
    {"[ab", "[ab", true},
    {"a[!x]b", "a/b", false},
    {"\\*", "*", true},
    {"\\*", "a", false},
    {"foo/*", "foo/a", true},
    {"foo/*", "foo/a/b", false},
    {"foo/**", "foo/a/b", true},
    {"foo/**", "foo", false},
    {"**/foo", "foo", true},
    {"**/foo", "a/b/foo", true},
    {"**/foo", "a/bfoo", false},
    {"a/**/b", "a/b", true},
    {"a/**/b", "a/x/y/b", true},
    {"a/**/b", "a/xb", false},
    {"a**b", "axxb", true},
    {"a**b", "a/b", false},
    {"**/a/*.txt", "x/a/b.txt", true},
};

static void globs_match(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(globs); i++) {
        if (ship_glob(globs[i].pattern, globs[i].text) != globs[i].is_match)
            fail_msg("%s against %s", globs[i].pattern, globs[i].text);
    }
}

/* Time must not explode: the steps of one match are bounded. */
static void hostile_pattern_ends(void **state)
{
    (void)state;
    char text[1001];
    memset(text, 'a', 1000);
    text[1000] = '\0';
    assert_false(ship_glob("*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b", text));
}

static void add(struct ship_rules *r, const char *base, const char *text)
{
    struct err err;
    assert_int_equal(ship_rules_add(r, base, text, strlen(text), &err), 0);
}

static void rules_decide(void **state)
{
    (void)state;
    cleanup(ship_rules_done) struct ship_rules r = SHIP_RULES;
    add(&r, "",
        "# comment\n\n*.log\n!keep.log\n/build\ndata/raw\nout/\n\\#file\ntrail  \nesc\\ \r\n");
    assert_true(ship_is_ignored(&r, "a.log", false));
    assert_true(ship_is_ignored(&r, "deep/down/a.log", false));
    assert_false(ship_is_ignored(&r, "keep.log", false));
    assert_true(ship_is_ignored(&r, "build", true));
    assert_false(ship_is_ignored(&r, "src/build", true));
    assert_true(ship_is_ignored(&r, "data/raw", true));
    assert_false(ship_is_ignored(&r, "x/data/raw", true));
    assert_true(ship_is_ignored(&r, "x/out", true));
    assert_false(ship_is_ignored(&r, "x/out", false));
    assert_true(ship_is_ignored(&r, "#file", false));
    assert_true(ship_is_ignored(&r, "trail", false));
    assert_true(ship_is_ignored(&r, "esc ", false));
    assert_false(ship_is_ignored(&r, "# comment", false));
}

static void rules_of_a_directory_bind_to_it(void **state)
{
    (void)state;
    cleanup(ship_rules_done) struct ship_rules r = SHIP_RULES;
    add(&r, "", "*.bin\n");
    size_t before = r.rules.len;
    add(&r, "sub", "!model.bin\n/local\n");
    assert_false(ship_is_ignored(&r, "sub/model.bin", false));
    assert_true(ship_is_ignored(&r, "model.bin", false));
    assert_true(ship_is_ignored(&r, "sub/local", false));
    assert_false(ship_is_ignored(&r, "local", false));
    assert_false(ship_is_ignored(&r, "subway/local", false));
    ship_rules_truncate(&r, before);
    assert_true(ship_is_ignored(&r, "sub/model.bin", false));
}

static int torture_body(void *ctx)
{
    (void)ctx;
    cleanup(ship_rules_done) struct ship_rules r = SHIP_RULES;
    return ship_rules_add(&r, "a", "x\ny\n!z\n", 7, NULL);
}

static void memory_may_be_short(void **state)
{
    (void)state;
    test_torture(torture_body, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(globs_match),         cmocka_unit_test(hostile_pattern_ends),
        cmocka_unit_test(rules_decide),        cmocka_unit_test(rules_of_a_directory_bind_to_it),
        cmocka_unit_test(memory_may_be_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
