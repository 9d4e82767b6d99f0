#include "testlib.h"

#include "base/buf.h"
#include "base/limits.h"
#include "js/js.h"

static void expect_bad(const char *text, size_t len, enum berr code, const char *part, int line,
                       int col)
{
    struct js_doc *doc = NULL;
    struct err err;
    int64_t live = mem_live();
    if (js_parse_json(text, len, &doc, &err) == 0)
        fail_msg("accepted: %s", text);
    test_expect_err(&err, code, part);
    assert_null(doc);
    if (line != err.line || col != err.col)
        fail_msg("%s: expected %d:%d, got %d:%d", text, line, col, err.line, err.col);
    assert_int_equal(mem_live(), live);
}

#define EXPECT_BAD(text, part, line, col) \
    expect_bad(text, sizeof(text) - 1, BERR_INVALID, part, line, col)

static void test_values(void **state)
{
    const char *text = " {\"a\":[1,-1,1.5,true,false,null,\"\\u00e4\\n\"],\"\":{}}\n";
    struct js_doc *doc = NULL;
    assert_int_equal(js_parse_json(text, strlen(text), &doc, NULL), 0);
    yyjson_val *list = yyjson_obj_get(js_root(doc), "a");
    assert_int_equal(yyjson_arr_size(list), 7);
    assert_string_equal(yyjson_get_str(yyjson_arr_get(list, 6)), "\xc3\xa4\n");
    js_doc_free(doc);
    assert_int_equal(js_parse_json("7", 1, &doc, NULL), 0);
    assert_int_equal(yyjson_get_int(js_root(doc)), 7);
    js_doc_free(doc);
}

static void test_bad_text(void **state)
{
    EXPECT_BAD("", "empty", 1, 1);
    EXPECT_BAD(" \n ", "empty", 1, 1);
    EXPECT_BAD("{\n\"a\" 1}", "bad JSON", 2, 5);
    EXPECT_BAD("[1,]", "bad JSON", 1, 3);
    EXPECT_BAD("{} {}", "bad JSON", 1, 4);
    EXPECT_BAD("[1] x", "bad JSON", 1, 5);
    EXPECT_BAD("// comment\n1", "bad JSON", 1, 1);
    EXPECT_BAD("[NaN]", "bad JSON", 1, 2);
    EXPECT_BAD("'a'", "bad JSON", 1, 1);
    EXPECT_BAD("[01]", "bad JSON", 1, 2);
    EXPECT_BAD("[\"\\ud800\"]", "bad JSON", 1, 9);
    EXPECT_BAD("\xef\xbb\xbf{}", "bad JSON", 1, 1);
}

static void test_bad_bytes(void **state)
{
    EXPECT_BAD("[\"\xff\"]", "not valid UTF-8", 1, 3);
    EXPECT_BAD("[1]\n\xc3", "not valid UTF-8", 2, 1);
    EXPECT_BAD("[1]\0", "NUL", 1, 4);
    EXPECT_BAD("[\"a\\u0000b\"]", "NUL", 1, 2);
    EXPECT_BAD("{\"a\\u0000b\":1}", "NUL", 1, 2);
}

static void test_duplicate_keys(void **state)
{
    EXPECT_BAD("{\"a\":1,\n\"a\":1}", "\"a\" stands twice", 2, 1);
    EXPECT_BAD("{\"a\":1,\"\\u0061\":1}", "\"a\" stands twice", 1, 8);
    EXPECT_BAD("[{\"x\":{\"b\":1,\"b\":2}}]", "\"b\" stands twice", 1, 14);
    cleanup(buf_done) struct buf b = BUF(LIMIT_DOC_BYTES); /* the way of many keys */
    for (int i = 0; i < 100; i++)
        buf_printf(&b, "%s\"k%d\":%d", i == 0 ? "{" : ",", i, i);
    struct js_doc *doc = NULL;
    buf_putc(&b, '}');
    assert_int_equal(js_parse_json(b.data, b.len, &doc, NULL), 0);
    js_doc_free(doc);
    b.data[b.len - 1] = ',';
    int col = (int)b.len + 1;
    buf_puts(&b, "\"k50\":0}");
    expect_bad(b.data, b.len, BERR_INVALID, "\"k50\" stands twice", 1, col);
}

static void nest(struct buf *b, int depth)
{
    buf_clear(b);
    for (int i = 0; i < depth; i++)
        buf_puts(b, i % 2 == 0 ? "[" : "{\"a\":");
    buf_putc(b, '1');
    for (int i = depth - 1; i >= 0; i--)
        buf_putc(b, i % 2 == 0 ? ']' : '}');
}

static void test_limits(void **state)
{
    cleanup(buf_done) struct buf b = BUF(4 * LIMIT_DOC_BYTES);
    struct js_doc *doc = NULL;
    nest(&b, LIMIT_DOC_DEPTH);
    assert_int_equal(js_parse_json(b.data, b.len, &doc, NULL), 0);
    js_doc_free(doc);
    nest(&b, LIMIT_DOC_DEPTH + 1);
    expect_bad(b.data, b.len, BERR_INVALID, "nested more than 32", 1, 97);
    nest(&b, 20000);
    struct err err;
    assert_int_equal(js_parse_json(b.data, b.len, &doc, &err), -BERR_INVALID);

    buf_clear(&b);
    buf_puts(&b, "[1"); /* the list itself counts */
    for (int i = 2; i < LIMIT_DOC_NODES; i++)
        buf_puts(&b, ",1");
    buf_puts(&b, "]");
    assert_int_equal(js_parse_json(b.data, b.len, &doc, NULL), 0);
    js_doc_free(doc);
    b.data[b.len - 1] = ',';
    buf_puts(&b, "1]");
    expect_bad(b.data, b.len, BERR_TOO_LARGE, "values", 0, 0);

    buf_clear(&b);
    while (b.len < LIMIT_DOC_BYTES - 2)
        buf_putc(&b, ' ');
    buf_puts(&b, "[]");
    assert_int_equal(js_parse_json(b.data, b.len, &doc, NULL), 0);
    js_doc_free(doc);
    buf_putc(&b, ' ');
    expect_bad(b.data, b.len, BERR_TOO_LARGE, "bytes", 0, 0);
}

static int torture_body(void *ctx)
{
    const char *text = ctx;
    struct js_doc *doc = NULL;
    struct err err;
    int rc = js_parse_json(text, strlen(text), &doc, &err);
    assert_true(rc == 0 || err.code == BERR_NOMEM);
    js_doc_free(doc);
    return rc;
}

static void test_survives_lack_of_memory(void **state)
{
    cleanup(buf_done) struct buf text = BUF(LIMIT_DOC_BYTES);
    buf_puts(&text, "{\"a\":[1,2,{\"b\":\"c\"}]");
    for (int i = 0; i < 40; i++)
        buf_printf(&text, ",\"k%d\":%d", i, i);
    buf_putc(&text, '}');
    test_torture(torture_body, text.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),    cmocka_unit_test(test_bad_text),
        cmocka_unit_test(test_bad_bytes), cmocka_unit_test(test_duplicate_keys),
        cmocka_unit_test(test_limits),    cmocka_unit_test(test_survives_lack_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
