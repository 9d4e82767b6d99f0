/*
 * gateway: lines there and back, and what is refused.
 */
#include "wire/gateway.h"
#include "base/id.h"
#include "testlib.h"

static int parse(const char *line, struct arena *arena, struct gw_message *ret, struct err *err)
{
    return gw_parse(line, strlen(line), arena, ret, err);
}

static void test_round_trip(void **state)
{
    struct gw_message in = {
        .kind = GW_ROUTE,
        .route = id_from_random(7),
        .target = "10.1.0.5:8888",
        .inject = "Authorization: token \"x\"",
        .title = "my notebook",
    };
    struct gw_message out;
    struct err err = {0};
    struct arena arena = ARENA(1 << 16);
    struct buf line = BUF(GW_LINE_MAX);
    (void)state;
    gw_put(&line, &in);
    assert_int_equal(line.data[line.len - 1], '\n');
    assert_int_equal(gw_parse(line.data, line.len - 1, &arena, &out, &err), 0);
    assert_int_equal(out.kind, GW_ROUTE);
    assert_true(out.route == in.route);
    assert_string_equal(out.target, in.target);
    assert_string_equal(out.inject, in.inject);
    buf_done(&line);
    arena_done(&arena);
}

static void test_refusals(void **state)
{
    static const struct {
        const char *line, *field;
    } cases[] = {
        {"{\"t\":\"hello\"}", "version"},
        {"{\"t\":\"route\",\"target\":\"a:1\"}", "route"},
        {"{\"t\":\"ask\",\"question\":1}", "route"},
        {"{\"t\":\"revoke\",\"digest\":\"abc\"}", "digest"},
        {"{\"t\":\"nonsense\"}", "t"},
        {"{\"t\":\"full\",\"extra\":1}", "extra"},
        {"{\"version\":1}", "t"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct gw_message m;
        struct err err = {0};
        struct arena arena = ARENA(1 << 16);
        assert_true(parse(cases[i].line, &arena, &m, &err) < 0);
        assert_string_equal(err.field, cases[i].field);
        arena_done(&arena);
    }
}

static int put_and_parse(void *ctx)
{
    struct gw_message m = {.kind = GW_VERDICT, .question = 3, .allow = true, .user = "ada"};
    struct gw_message out;
    struct err err = {0};
    struct arena arena = ARENA(1 << 16);
    struct buf line = BUF(GW_LINE_MAX);
    (void)ctx;
    gw_put(&line, &m);
    int rc = buf_is_failed(&line) ? -(int)BERR_NOMEM
                                  : gw_parse(line.data, line.len - 1, &arena, &out, &err);
    buf_done(&line);
    arena_done(&arena);
    return rc;
}

static void test_short_memory(void **state)
{
    (void)state;
    test_torture(put_and_parse, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_short_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
