#include "ship/manifest.h"
#include "base/limits.h"
#include "testlib.h"

#define D                     "0000000000000000000000000000000000000000000000000000000000000001"
#define FILE_OF(path)         "{\"path\":\"" path "\",\"mode\":\"0644\",\"size\":1,\"digest\":\"" D "\"}"
#define LINK_OF(path, target) "{\"path\":\"" path "\",\"target\":\"" target "\"}"

static int parse(const char *json, struct arena *a, struct ship_manifest *m, struct err *err)
{
    return ship_manifest_parse(json, strlen(json), a, m, err);
}

static void is_sorted_and_named(void **state)
{
    (void)state;
    cleanup(arena_done) struct arena a = ARENA(1 << 20);
    cleanup(buf_done) struct buf x = BUF(4096), y = BUF(4096);
    struct ship_manifest m, n;
    struct err err;
    assert_int_equal(
        parse("[" FILE_OF("b/c") "," FILE_OF("a") "," LINK_OF("b/l", "../a") "]", &a, &m, &err), 0);
    assert_int_equal(m.count, 3);
    assert_string_equal(m.entries[0].path, "a");
    assert_string_equal(m.entries[2].target, "../a");
    assert_int_equal(m.total_bytes, 2);
    assert_int_equal(
        parse(" [ " FILE_OF("a") "," LINK_OF("b/l", "../a") "," FILE_OF("b/c") "]", &a, &n, &err),
        0);
    assert_true(digest_is_equal(&m.digest, &n.digest));
    ship_manifest_write(&m, &x);
    ship_manifest_write(&n, &y);
    assert_string_equal(buf_str(&x), buf_str(&y));
    assert_string_equal(buf_str(&x),
                        "[" FILE_OF("a") "," FILE_OF("b/c") "," LINK_OF("b/l", "../a") "]");
    assert_int_equal(parse(buf_str(&x), &a, &n, &err), 0);
    assert_true(digest_is_equal(&m.digest, &n.digest));
    assert_int_equal(parse("[" FILE_OF("a") "]", &a, &n, &err), 0);
    assert_false(digest_is_equal(&m.digest, &n.digest));
}

struct bad_case {
    const char *json, *field, *words;
};
static const struct bad_case bads[] = {
    {"{}", "", "list"},
    {"[", "", "JSON"},
    {"[1]", "[0]", "object"},
    {"[{}]", "[0]", "path, mode"},
    {"[" FILE_OF("") "]", "[0].path", "1 to 1024"},
    {"[" FILE_OF("/etc/passwd") "]", "[0].path", "relative"},
    {"[" FILE_OF("a/") "]", "[0].path", "relative"},
    {"[" FILE_OF("a//b") "]", "[0].path", "relative"},
    {"[" FILE_OF(".") "]", "[0].path", "relative"},
    {"[" FILE_OF("a/../b") "]", "[0].path", "relative"},
    {"[" FILE_OF("..") "]", "[0].path", "relative"},
    {"[" FILE_OF("a\\u0000b") "]", "[0].path", "text"},
    {"[" FILE_OF("a\\nb") "]", "[0].path", "control"},
    {"[" FILE_OF("a") "," FILE_OF("a") "]", "[1].path", "twice"},
    {"[" FILE_OF("a") "," FILE_OF("a/b") "]", "[1].path", "below a file"},
    {"[" FILE_OF("a/b/c") "," FILE_OF("a") "]", "[0].path", "below a file"},
    {"[" LINK_OF("l", "d") "," FILE_OF("l/x") "]", "[1].path", "below a file or a link"},
    {"[" LINK_OF("l", "/etc/passwd") "]", "[0].target", "relative"},
    {"[" LINK_OF("l", "") "]", "[0].target", "relative"},
    {"[" LINK_OF("l", "../x") "]", "[0].target", "inside"},
    {"[" LINK_OF("a/l", "../../x") "]", "[0].target", "inside"},
    {"[" LINK_OF("a/l", "b/../../../x") "]", "[0].target", "inside"},
    {"[" LINK_OF("d/e/l", "../..") "," LINK_OF("m", "d/e/l/../../../x") "]", "[1].target",
     "another link"},
    {"[{\"path\":\"a\",\"mode\":\"4755\",\"size\":1,\"digest\":\"" D "\"}]", "[0].mode", "0755"},
    {"[{\"path\":\"a\",\"mode\":\"0644\",\"size\":-1,\"digest\":\"" D "\"}]", "[0].size", "bytes"},
    {"[{\"path\":\"a\",\"mode\":\"0644\",\"size\":1,\"digest\":\"../../x\"}]", "[0].digest", "hex"},
    {"[{\"path\":\"a\",\"path\":\"b\",\"mode\":\"0644\",\"size\":1,\"digest\":\"" D "\"}]",
     "[0].path", "twice"},
    {"[{\"path\":\"a\",\"target\":\"b\",\"mode\":\"0644\"}]", "[0]", "path, mode"},
    {"[{\"path\":\"a\",\"owner\":0}]", "[0]", "path, mode"},
};

static void refuses(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bads); i++) {
        cleanup(arena_done) struct arena a = ARENA(1 << 20);
        struct ship_manifest m;
        struct err err;
        if (parse(bads[i].json, &a, &m, &err) != -BERR_INVALID)
            fail_msg("accepted: %s", bads[i].json);
        if (strcmp(err.field, bads[i].field) != 0)
            fail_msg("%s: field is %s", bads[i].json, err.field);
        test_expect_err(&err, BERR_INVALID, bads[i].words);
    }
}

static void keeps_limits(void **state)
{
    (void)state;
    cleanup(arena_done) struct arena a = ARENA(1 << 20);
    struct ship_manifest m;
    struct err err;
    char json[4096], deep[2 * LIMIT_CODE_DEPTH + 4] = "";
    for (int i = 0; i <= LIMIT_CODE_DEPTH; i++)
        memcpy(deep + 2 * i, i < LIMIT_CODE_DEPTH ? "d/" : "f", 3 - (i == LIMIT_CODE_DEPTH));
    snprintf(json, sizeof(json),
             "[{\"path\":\"%s\",\"mode\":\"0644\",\"size\":1,\"digest\":\"" D "\"}]", deep);
    assert_int_equal(parse(json, &a, &m, &err), -BERR_INVALID);
    test_expect_err(&err, BERR_INVALID, "deep");
    snprintf(json, sizeof(json),
             "[{\"path\":\"a\",\"mode\":\"0644\",\"size\":%llu,\"digest\":\"" D "\"}]",
             LIMIT_CODE_BYTES + 1);
    assert_int_equal(parse(json, &a, &m, &err), -BERR_TOO_LARGE);
}

static int torture_body(void *ctx)
{
    (void)ctx;
    cleanup(arena_done) struct arena a = ARENA(1 << 20);
    struct ship_manifest m;
    return parse("[" FILE_OF("b/c") "," LINK_OF("l", "b/c") "]", &a, &m, NULL);
}

static void memory_may_be_short(void **state)
{
    (void)state;
    test_torture(torture_body, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_sorted_and_named),
        cmocka_unit_test(refuses),
        cmocka_unit_test(keeps_limits),
        cmocka_unit_test(memory_may_be_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
