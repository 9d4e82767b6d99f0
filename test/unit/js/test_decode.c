#include "testlib.h"

#include "base/limits.h"
#include "sample.h"

static struct arena arena;

static int setup(void **state)
{
    arena_init(&arena, 1 << 20);
    return 0;
}

static int teardown(void **state)
{
    arena_done(&arena);
    return 0;
}

/* Decodes YAML (JSON included); the document is gone when it returns. */
static int decode(const char *text, struct sample *dst, struct err *err)
{
    struct js_doc *doc = NULL;
    memset(dst, 0, sizeof(*dst));
    if (js_parse_yaml(text, strlen(text), &doc, err) != 0)
        fail_msg("%s: %s", text, err->text);
    int rc = js_decode(doc, js_root(doc), &sample_table, &arena, dst, err);
    js_doc_free(doc);
    return rc;
}

static void expect_bad(const char *text, const char *field, int line, int col, const char *message,
                       const char *hint)
{
    struct sample s;
    struct err err;
    if (decode(text, &s, &err) == 0)
        fail_msg("accepted: %s", text);
    assert_string_equal(err.text, message);
    assert_int_equal(err.code, BERR_INVALID);
    assert_string_equal(err.hint, hint);
    assert_string_equal(err.field, field);
    if (err.line != line || err.col != col)
        fail_msg("%s: expected %d:%d, got %d:%d", text, line, col, err.line, err.col);
}

static void test_every_type(void **state)
{
    struct sample s;
    struct err err;
    if (decode(SAMPLE_FULL ",\"secret\":\"hush\",\"omitted\":\"o\"}", &s, &err) != 0)
        fail_msg("%s: %s", err.field, err.text);
    assert_true(s.flag);
    assert_int_equal(s.i64, 7);
    assert_true(s.u64 == UINT64_MAX);
    assert_true(s.f64 == 0.25);
    assert_string_equal(s.str, "t\xc3\xa4xt");
    assert_string_equal(s.label, "a-1");
    assert_string_equal(s.tag, "v1.0_x");
    assert_int_equal(s.kind, 2);
    assert_true(s.bytes == 4ull << 30);
    assert_int_equal(s.cpu_milli, 500);
    assert_int_equal(s.gpu_milli, 2000);
    assert_int_equal(s.duration_ms, 90000);
    assert_int_equal(s.time_ms, 1764034080000);
    assert_true(s.id != 0);
    assert_string_equal(s.inner.label, "in");
    assert_int_equal(s.ptr->number, 5);
    const struct item *items = s.list.items;
    assert_int_equal(s.list.len, 2);
    assert_string_equal(items[1].label, "l1");
    assert_int_equal(s.strs.len, 2);
    assert_string_equal(s.strs.items[1], "");
    assert_string_equal(s.pairs.items[0].key, "k");
    assert_string_equal(s.pairs.items[0].value, "v");
    assert_string_equal(s.objects.keys[0], "o-1");
    assert_int_equal(((const struct item *)s.objects.items)[0].number, 9);
    assert_int_equal(s.custom, 3);
    assert_string_equal(s.secret, "hush");
    assert_string_equal(s.omitted, "o");
}

static void test_absent_keys_keep_their_defaults(void **state)
{
    struct js_doc *doc = NULL;
    const char *text = "{\"ptr\":{\"label\":\"x\"},\"list\":[{\"label\":\"y\"}]}";
    struct sample s = {.i64 = 33, .str = "kept"};
    assert_int_equal(js_parse_json(text, strlen(text), &doc, NULL), 0);
    assert_int_equal(js_decode(doc, js_root(doc), &sample_table, &arena, &s, NULL), 0);
    js_doc_free(doc);
    assert_int_equal(s.i64, 33);
    assert_string_equal(s.str, "kept");
    assert_int_equal(s.ptr->number, 5); /* what decoding makes itself starts with its defaults */
    assert_int_equal(((const struct item *)s.list.items)[0].number, 5);
}

static void test_unknown_keys(void **state)
{
    expect_bad("flag: true\nfalg: false\n", "falg", 2, 1, "unknown key \"falg\"",
               "did you mean \"flag\"?");
    expect_bad("objects:\n  o:\n    label: x\n    numbr: 1\n", "objects.o.numbr", 4, 5,
               "unknown key \"numbr\"", "did you mean \"number\"?");
    expect_bad("list: [{label: x}, {labels: y}]", "list[1].labels", 1, 21, "unknown key \"labels\"",
               "did you mean \"label\"?");
    expect_bad("elephants: 1", "elephants", 1, 1, "unknown key \"elephants\"", "");
    expect_bad("readonl: 1", "readonl", 1, 1, "unknown key \"readonl\"", ""); /* not given out */
}

static void test_missing_and_readonly_and_null(void **state)
{
    expect_bad("inner: {number: 1}", "inner.label", 1, 8, "\"label\" is missing",
               "for example: \"label\": \"one\"");
    expect_bad("inner: {label: ~}", "inner.label", 1, 16, "expected text, found null", "");
    expect_bad("readonly: 1", "readonly", 1, 1, "\"readonly\" is set by berth and cannot be given",
               "");
    expect_bad("flag: ~", "flag", 1, 7, "expected true or false, found null", "");
    expect_bad("list:", "list", 1, 6, "expected a list, found null", "");
    struct sample s;
    struct err err; /* what is written as null may come back as null */
    assert_int_equal(decode("{str: ~, label: ~, id: ~, time: ~, ptr: ~, raw: ~}", &s, &err), 0);
    assert_null(s.str);
    assert_null(s.ptr);
    assert_null(s.raw);
}

static void test_wrong_types(void **state)
{
    expect_bad("bytes: true", "bytes", 1, 8, "expected a size like 4G, found true", "");
    expect_bad("bytes: 4gb", "bytes", 1, 8, "expected a size like 4G, found \"4gb\"",
               "did you mean \"4G\"?");
    expect_bad("bytes: 1.5", "bytes", 1, 8, "expected a size like 4G, found 1.5", "");
    expect_bad("flag: yes", "flag", 1, 7, "expected true or false, found \"yes\"", "");
    expect_bad("i64: 1.0", "i64", 1, 6, "expected a whole number, found 1.0", "");
    expect_bad("i64: 9223372036854775808", "i64", 1, 6,
               "expected a whole number, found 9223372036854775808", "");
    expect_bad("u64: -1", "u64", 1, 6, "expected a whole number from 0 up, found -1", "");
    expect_bad("f64: [1]", "f64", 1, 6, "expected a number, found a list", "");
    expect_bad("str: 1.10", "str", 1, 6, "expected text, found 1.10", "put it in quotes: \"1.10\"");
    expect_bad("str: {a: 1}", "str", 1, 6, "expected text, found an object", "");
    expect_bad("tag: a/b", "tag", 1, 6,
               "expected a tag of letters, digits, '.', '_' and '-', found \"a/b\"", "");
    expect_bad("kind: servce", "kind", 1, 7,
               "expected one of job, notebook, service, found \"servce\"",
               "did you mean \"service\"?");
    expect_bad("cpu: lots", "cpu", 1, 6,
               "expected a number of CPUs like 2, 0.5 or 500m, found \"lots\"", "");
    expect_bad("cpu: 0.0001", "cpu", 1, 6,
               "expected a number of CPUs like 2, 0.5 or 500m, found 0.0001", "");
    expect_bad("gpu: -1", "gpu", 1, 6, "expected a number of GPUs like 1 or 0.5, found -1", "");
    expect_bad("duration: 90", "duration", 1, 11, "expected a duration like 4h, found 90",
               "add the unit: 90s, 90m, 90h or 90d");
    expect_bad("time: now", "time", 1, 7,
               "expected a time like 2026-11-25T01:28:00Z, found \"now\"", "");
    expect_bad("id: x", "id", 1, 5, "expected an id of 10 letters and digits, found \"x\"", "");
    expect_bad("inner: 1", "inner", 1, 8, "expected an object, found 1", "");
    expect_bad("ptr: [1]", "ptr", 1, 6, "expected an object, found a list", "");
    expect_bad("list: {a: 1}", "list", 1, 7, "expected a list, found an object", "");
    expect_bad("list: [{label: x}, 3]", "list[1]", 1, 20, "expected an object, found 3", "");
    expect_bad("strs: a", "strs", 1, 7, "expected a list of texts, found \"a\"", "");
    expect_bad("strs: [a, [b]]", "strs[1]", 1, 11, "expected text, found a list", "");
    expect_bad("pairs: {a: ~}", "pairs.a", 1, 12, "expected text, found null",
               "write \"\" for an empty text");
    expect_bad("pairs: {'': x}", "pairs", 1, 9, "a key must not be empty", "");
    expect_bad("objects: {A_b: {label: x}}", "objects.A_b", 1, 11,
               "expected a name of a-z, 0-9 and - (at most 63 characters), found \"A_b\"", "");
    expect_bad("[1]", "", 1, 1, "expected an object, found a list", "");
    expect_bad("custom: 3", "custom", 1, 9, "expected a count like \"3 items\"", "add \" items\"");
    expect_bad("custom: x items", "custom", 1, 9, "x is no number", "");
}

static void test_ranges(void **state)
{
    expect_bad("i64: 1", "i64", 1, 6, "must be at least 2, found 1", "");
    expect_bad("f64: 1.5", "f64", 1, 6, "must be between -1 and 1, found 1.5", "");
    expect_bad("str: ''", "str", 1, 6, "must not be empty", "");
    expect_bad("str: aaaaaaaaaaaaaaaaaaaaa", "str", 1, 6, "may have at most 20 bytes, has 21", "");
    expect_bad("bytes: 1023", "bytes", 1, 8, "must be between 1K and 1T, found 1023", "");
    expect_bad("bytes: 2T", "bytes", 1, 8, "must be between 1K and 1T, found \"2T\"", "");
    expect_bad("bytes: 18446744073709551615", "bytes", 1, 8,
               "must be between 1K and 1T, found 18446744073709551615", "");
    expect_bad("cpu: 128001m", "cpu", 1, 6, "must be between 0 and 128, found \"128001m\"", "");
    expect_bad("duration: 61m", "duration", 1, 11, "must be between 0s and 1h, found \"61m\"", "");
    expect_bad("list: [{label: a},{label: a},{label: a},{label: a}]", "list", 1, 7,
               "may have at most 3 entries, has 4", "");
    expect_bad("pairs: {a: 1, b: 2, c: 3, d: 4, e: 5}", "pairs", 1, 8,
               "may have at most 4 entries, has 5", "");
    struct sample s;
    struct err err;
    assert_int_equal(decode("{i64: 9223372036854775807, bytes: 1T, cpu: 128, f64: -1}", &s, &err),
                     0);
    assert_true(s.i64 == INT64_MAX);
}

static void test_decimals_are_exact(void **state)
{
    struct sample s;
    struct err err;
    for (int milli = 0; milli < 3000; milli++) {
        char text[40];
        snprintf(text, sizeof(text), "{cpu: %d.%03d}", milli / 1000, milli % 1000);
        assert_int_equal(decode(text, &s, &err), 0);
        assert_int_equal(s.cpu_milli, milli);
    }
}

static void test_numbers_become_text_as_written(void **state)
{
    struct sample s;
    struct err err;
    assert_int_equal(
        decode("strs: [1.10, 007, True, 0x1F, 1e3]\npairs: {V: 1.10 , W: false}", &s, &err), 0);
    const char *const expected[] = {"1.10", "007", "True", "0x1F", "1e3"};
    for (size_t i = 0; i < ARRAY_LEN(expected); i++)
        assert_string_equal(s.strs.items[i], expected[i]);
    assert_string_equal(s.pairs.items[0].value, "1.10");
    assert_string_equal(s.pairs.items[1].value, "false");
    yyjson_doc *bare = yyjson_read("{\"strs\":[1.50,true]}", 20, 0); /* no js_doc around it */
    assert_int_equal(js_decode(NULL, yyjson_doc_get_root(bare), &sample_table, &arena, &s, NULL),
                     0);
    assert_string_equal(s.strs.items[0], "1.5");
    assert_string_equal(s.strs.items[1], "true");
    yyjson_doc_free(bare);
}

static void test_secrets_do_not_show(void **state)
{
    expect_bad("secret: 4711", "secret", 1, 9, "expected text, found a number", "");
    expect_bad("secret: [hush]", "secret", 1, 9, "expected text, found a list", "");
}

static void test_own_text_is_taken_as_it_is(void **state)
{
    const char *text = "{\"readonly\":4,\"flag\":null,\"of-the-future\":{\"x\":1},\"str\":\"s\"}";
    struct js_doc *doc = NULL;
    struct sample s = {0};
    struct err err;
    assert_int_equal(js_parse_json(text, strlen(text), &doc, NULL), 0);
    assert_int_equal(js_decode_own(doc, js_root(doc), &sample_table, &arena, &s, &err), 0);
    js_doc_free(doc);
    assert_int_equal(s.readonly, 4);
    assert_string_equal(s.str, "s");
    text = "{\"i64\":0,\"bytes\":\"1\",\"f64\":7,\"str\":\"\"}"; /* limits may have changed */
    assert_int_equal(js_parse_json(text, strlen(text), &doc, NULL), 0);
    assert_int_equal(js_decode_own(doc, js_root(doc), &sample_table, &arena, &s, &err), 0);
    js_doc_free(doc);
    assert_true(s.f64 == 7);
    text = "{\"i64\":true}"; /* but not when it is broken */
    assert_int_equal(js_parse_json(text, strlen(text), &doc, NULL), 0);
    assert_int_equal(js_decode_own(doc, js_root(doc), &sample_table, &arena, &s, &err),
                     -BERR_INVALID);
    js_doc_free(doc);
}

static void test_long_paths_are_cut(void **state)
{
    char text[400];
    snprintf(text, sizeof(text), "objects: {%0300d: 1}", 0);
    struct sample s;
    struct err err;
    assert_int_equal(decode(text, &s, &err), -BERR_INVALID);
    assert_int_equal(strlen(err.field), ERR_FIELD_MAX - 1);
}

static void test_no_err_no_crash(void **state)
{
    struct sample s;
    struct js_doc *doc = NULL;
    const char *const texts[] = {"{\"bytes\":\"x\"}", "{\"zzz\":1}", "{\"custom\":1}",
                                 "{\"inner\":{}}", "{\"kind\":\"x\"}"};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        assert_int_equal(js_parse_json(texts[i], strlen(texts[i]), &doc, NULL), 0);
        assert_int_equal(js_decode(doc, js_root(doc), &sample_table, &arena, &s, NULL),
                         -BERR_INVALID);
        js_doc_free(doc);
    }
}

static int torture_body(void *ctx)
{
    const struct js_doc *doc = ctx;
    struct arena a = ARENA(1 << 20);
    struct sample s = {0};
    struct err err;
    int rc = js_decode(doc, js_root(doc), &sample_table, &a, &s, &err);
    assert_true(rc == 0 || err.code == BERR_NOMEM);
    arena_done(&a);
    return rc;
}

static void test_survives_lack_of_memory(void **state)
{
    struct js_doc *doc = NULL;
    char text[20000] = SAMPLE_FULL "}";
    assert_int_equal(js_parse_json(text, strlen(text), &doc, NULL), 0);
    test_torture(torture_body, doc);
    js_doc_free(doc);
    snprintf(text, sizeof(text), "{\"strs\":[\"%05000d\",\"%06000d\",\"%07000d\"]}", 1, 2, 3);
    assert_int_equal(js_parse_json(text, strlen(text), &doc, NULL), 0);
    test_torture(torture_body, doc);
    js_doc_free(doc);
}

/* A number as text needs the table of positions, which may not fit in memory either. */
static int token_body(void *ctx)
{
    const char *text = "{\"strs\":[1,2.50,true]}";
    struct js_doc *doc = NULL;
    int rc = js_parse_json(text, strlen(text), &doc, NULL);
    if (rc == 0)
        rc = torture_body(doc);
    js_doc_free(doc);
    return rc;
}

static void test_tokens_survive_lack_of_memory(void **state)
{
    test_torture(token_body, NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_every_type),
        TEST(test_absent_keys_keep_their_defaults),
        TEST(test_unknown_keys),
        TEST(test_missing_and_readonly_and_null),
        TEST(test_wrong_types),
        TEST(test_ranges),
        TEST(test_decimals_are_exact),
        TEST(test_numbers_become_text_as_written),
        TEST(test_secrets_do_not_show),
        TEST(test_own_text_is_taken_as_it_is),
        TEST(test_long_paths_are_cut),
        TEST(test_no_err_no_crash),
        TEST(test_survives_lack_of_memory),
        TEST(test_tokens_survive_lack_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
