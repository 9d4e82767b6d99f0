#include "testlib.h"

#include "base/buf.h"
#include "base/limits.h"
#include "js/js.h"

/* YAML text must mean the same as this JSON. */
static void expect_same(const char *yaml, const char *json)
{
    struct js_doc *y = NULL, *j = NULL;
    struct err err;
    if (js_parse_yaml(yaml, strlen(yaml), &y, &err) != 0)
        fail_msg("%s: %d:%d: %s", yaml, err.line, err.col, err.text);
    assert_int_equal(js_parse_json(json, strlen(json), &j, NULL), 0);
    if (!yyjson_equals(js_root(y), js_root(j)))
        fail_msg("not the same: %s and %s", yaml, json);
    js_doc_free(y);
    js_doc_free(j);
}

static void expect_bad_code(const char *text, size_t len, enum berr code, const char *part,
                            int line, int col)
{
    struct js_doc *doc = NULL;
    struct err err;
    int64_t live = mem_live();
    if (js_parse_yaml(text, len, &doc, &err) == 0)
        fail_msg("accepted: %s", text);
    test_expect_err(&err, code, part);
    if (line != err.line || col != err.col)
        fail_msg("%s: expected %d:%d, got %d:%d", text, line, col, err.line, err.col);
    assert_int_equal(mem_live(), live);
}

static void expect_bad(const char *text, const char *part, int line, int col)
{
    expect_bad_code(text, strlen(text), BERR_INVALID, part, line, col);
}

static void test_core_schema(void **state)
{
    expect_same("[~, null, Null, NULL, ]", "[null,null,null,null]");
    expect_same("a:\nb: ~", "{\"a\":null,\"b\":null}");
    expect_same("[true, True, TRUE, false, False, FALSE]", "[true,true,true,false,false,false]");
    expect_same("[yes, no, on, off, y, n, tRUE]",
                "[\"yes\",\"no\",\"on\",\"off\",\"y\",\"n\",\"tRUE\"]");
    expect_same("[0, 7, -7, +7, 007, 18446744073709551615]", "[0,7,-7,7,7,18446744073709551615]");
    expect_same("[0o17, 0x1F, 0xff, 0b11, 0o8, 0x, -0x1]",
                "[15,31,255,\"0b11\",\"0o8\",\"0x\",\"-0x1\"]");
    expect_same("[1.5, -1.5e3, .5, 1., +1e2, 1E-2]", "[1.5,-1500.0,0.5,1.0,100.0,0.01]");
    expect_same("[., e5, 1e, 1.5.2, 1_000, 1:30]",
                "[\".\",\"e5\",\"1e\",\"1.5.2\",\"1_000\",\"1:30\"]");
    expect_same("[.inf, -.inf, .nan, 1e999]", "[\".inf\",\"-.inf\",\".nan\",\"1e999\"]");
    expect_same("[4G, 2..8, A100:1, 2026-11-25]", "[\"4G\",\"2..8\",\"A100:1\",\"2026-11-25\"]");
}

static void test_quoted_is_text(void **state)
{
    expect_same("['1', \"true\", '~', \"\", '0x1']", "[\"1\",\"true\",\"~\",\"\",\"0x1\"]");
    expect_same("|\n  5\n", "\"5\\n\"");
    expect_same(">-\n  5\n", "\"5\"");
    expect_same("\"a\\tb\\u00e4\"", "\"a\\tb\\u00e4\"");
}

static void test_keys_are_text(void **state)
{
    expect_same("{1: a, true: b, ~: c, 1.50: d}",
                "{\"1\":\"a\",\"true\":\"b\",\"~\":\"c\",\"1.50\":\"d\"}");
    expect_bad("{[a]: 1}", "a key must be text", 1, 2);
    expect_bad("? {a: 1}\n: 2\n", "a key must be text", 1, 3);
}

static void test_a_job_file(void **state)
{
    expect_same(
        "%YAML 1.2\n---\n# a comment\nname: train\nroles:\n  worker: {replicas: 2, gpu: 1}\n"
        "command:\n- python\n- train.py # not this\n...\n",
        "{\"name\":\"train\",\"roles\":{\"worker\":{\"replicas\":2,\"gpu\":1}},"
        "\"command\":[\"python\",\"train.py\"]}");
    expect_same("{\"json\": [\"is\", \"yaml\", 1]}", "{\"json\":[\"is\",\"yaml\",1]}");
    expect_same("\xef\xbb\xbf"
                "a: 1\r\nb: 2\r\n",
                "{\"a\":1,\"b\":2}");
}

static void test_aliases(void **state)
{
    expect_same("a: &x {k: [1]}\nb: *x\nc: [*x]",
                "{\"a\":{\"k\":[1]},\"b\":{\"k\":[1]},\"c\":[{\"k\":[1]}]}");
    expect_same("- &a 1\n- &a 2\n- *a", "[1,2,2]"); /* the latest counts */
    expect_same("&k key: &v val\nother: *k\nthird: *v",
                "{\"key\":\"val\",\"other\":\"key\",\"third\":\"val\"}");
    expect_same("<<: 1", "{\"<<\":1}"); /* no merge keys */
    expect_bad("a: *x", "no anchor &x stands before", 1, 4);
    expect_bad("&x [*x]", "no anchor &x stands before", 1, 5);
    expect_bad("- &x a\n- *x : 1", "an alias cannot be a key", 2, 3);
}

static void test_error_in_alias_shows_its_origin(void **state)
{
    const char *text = "- &x {k: 1}\n- *x\n- 2";
    struct js_doc *doc = NULL;
    int line, col;
    assert_int_equal(js_parse_yaml(text, strlen(text), &doc, NULL), 0);
    js_where(doc, yyjson_obj_get(yyjson_arr_get(js_root(doc), 1), "k"), &line, &col);
    assert_int_equal(line, 1);
    assert_int_equal(col, 10);
    js_where(doc, yyjson_arr_get(js_root(doc), 2), &line, &col);
    assert_int_equal(line, 3);
    assert_int_equal(col, 3);
    js_doc_free(doc);
}

static void test_bad_text(void **state)
{
    expect_bad("", "empty", 1, 1);
    expect_bad("# nothing\n", "empty", 2, 1);
    expect_bad("a: 1\n---\nb: 2\n", "a second document", 2, 1);
    expect_bad("a: 1\na: 2\n", "\"a\" stands twice", 2, 1);
    expect_bad("a: [1, 2\nb: 3", "bad YAML", 2, 2);
    expect_bad("a: b: c", "bad YAML", 1, 5);
    expect_bad("a: !!int 3", "tags like tag:yaml.org,2002:int", 1, 4);
    expect_bad("a: !x [1]", "tags like !x", 1, 4);
    expect_bad("a: \"x\\0y\"", "NUL", 1, 4);
    expect_bad("a: \x01", "bad YAML: control characters", 1, 4);
    expect_bad("a: \xff", "not valid UTF-8", 1, 4);
    expect_bad_code("a: \0", 4, BERR_INVALID, "NUL", 1, 4);
}

static void test_tab_gets_a_hint(void **state)
{
    struct js_doc *doc = NULL;
    struct err err;
    const char *text = "a:\n\tb: 1\n";
    assert_int_equal(js_parse_yaml(text, strlen(text), &doc, &err), -BERR_INVALID);
    assert_string_equal(err.hint, "indent with blanks, not with tabs");
    assert_int_equal(err.line, 2);
}

static void append_times(struct buf *b, const char *text, int count)
{
    for (int i = 0; i < count; i++)
        buf_puts(b, text);
}

static void test_depth(void **state)
{
    cleanup(buf_done) struct buf b = BUF(LIMIT_DOC_BYTES);
    struct js_doc *doc = NULL;
    append_times(&b, "[", LIMIT_DOC_DEPTH);
    append_times(&b, "]", LIMIT_DOC_DEPTH);
    assert_int_equal(js_parse_yaml(b.data, b.len, &doc, NULL), 0);
    js_doc_free(doc);
    buf_clear(&b);
    append_times(&b, "[", LIMIT_DOC_DEPTH + 1);
    append_times(&b, "]", LIMIT_DOC_DEPTH + 1);
    expect_bad(b.data, "nested more than 32", 1, 33);
    buf_clear(&b); /* depth through an alias: 20 + 20 */
    buf_puts(&b, "- &a ");
    append_times(&b, "[", 20);
    append_times(&b, "]", 20);
    buf_puts(&b, "\n- ");
    append_times(&b, "[", 20);
    buf_puts(&b, "*a");
    append_times(&b, "]", 20);
    expect_bad(b.data, "nested more than 32", 2, 23);
}

static void test_bombs_are_refused(void **state)
{
    cleanup(buf_done) struct buf b = BUF(LIMIT_DOC_BYTES);
    buf_puts(&b, "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n"); /* a billion laughs */
    for (int i = 1; i < 9; i++) {
        buf_printf(&b, "a%d: &a%d [*a%d", i, i, i - 1);
        for (int k = 1; k < 10; k++)
            buf_printf(&b, ",*a%d", i - 1);
        buf_puts(&b, "]\n");
    }
    expect_bad_code(b.data, b.len, BERR_TOO_LARGE, "more than 100000 values", 0, 0);
    buf_clear(&b);
    buf_puts(&b, "- &x 1\n");
    append_times(&b, "- *x\n", LIMIT_YAML_ALIASES);
    struct js_doc *doc = NULL;
    assert_int_equal(js_parse_yaml(b.data, b.len, &doc, NULL), 0);
    js_doc_free(doc);
    buf_puts(&b, "- *x\n");
    expect_bad_code(b.data, b.len, BERR_TOO_LARGE, "more than 100 aliases", 0, 0);
    buf_clear(&b);
    for (int i = 0; i <= LIMIT_YAML_ALIASES; i++)
        buf_printf(&b, "- &x%d 1\n", i);
    expect_bad_code(b.data, b.len, BERR_TOO_LARGE, "more than 100 anchors", 0, 0);
    buf_clear(&b);
    append_times(&b, "- 1\n", LIMIT_DOC_NODES);
    expect_bad_code(b.data, b.len, BERR_TOO_LARGE, "more than 100000 values", 0, 0);
}

static int torture_body(void *ctx)
{
    const char *text = ctx;
    struct js_doc *doc = NULL;
    struct err err;
    int rc = js_parse_yaml(text, strlen(text), &doc, &err);
    assert_true(rc == 0 || err.code == BERR_NOMEM);
    js_doc_free(doc);
    return rc;
}

static void test_survives_lack_of_memory(void **state)
{
    char text[] = "a: &x [1, 2.5, {b: 'c', d: &y {e: f}}]\ng: *x\nh: [*y, *y, text, ~, true]\n"
                  "i: &z long text\nj: *z\n";
    test_torture(torture_body, text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_core_schema),
        cmocka_unit_test(test_quoted_is_text),
        cmocka_unit_test(test_keys_are_text),
        cmocka_unit_test(test_a_job_file),
        cmocka_unit_test(test_aliases),
        cmocka_unit_test(test_error_in_alias_shows_its_origin),
        cmocka_unit_test(test_bad_text),
        cmocka_unit_test(test_tab_gets_a_hint),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_bombs_are_refused),
        cmocka_unit_test(test_survives_lack_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
