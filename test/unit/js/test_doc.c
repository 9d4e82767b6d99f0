#include "testlib.h"

#include "base/limits.h"
#include "js/js.h"

static struct js_doc *parse(const char *text)
{
    struct js_doc *doc = NULL;
    struct err err;
    if (js_parse_json(text, strlen(text), &doc, &err) != 0)
        fail_msg("%s: %s", text, err.text);
    return doc;
}

static void expect_where(const struct js_doc *doc, yyjson_val *val, int line, int col)
{
    int got_line, got_col;
    js_where(doc, val, &got_line, &got_col);
    assert_int_equal(got_line, line);
    assert_int_equal(got_col, col);
}

static void test_places_values_of_json(void **state)
{
    struct js_doc *doc = parse("{\n  \"a\\\"]{\": [1, -2.5e3,true ,\"x\"],\n"
                               "  \"\xc3\xa4\": {\"b\":{}}, \"c\" : null\n}");
    yyjson_val *root = js_root(doc), *list = yyjson_obj_get(root, "a\"]{");
    expect_where(doc, root, 1, 1);
    expect_where(doc, list, 2, 12);
    expect_where(doc, yyjson_arr_get(list, 0), 2, 13);
    expect_where(doc, yyjson_arr_get(list, 1), 2, 16);
    expect_where(doc, yyjson_arr_get(list, 2), 2, 23);
    expect_where(doc, yyjson_arr_get(list, 3), 2, 29);
    yyjson_val *obj = yyjson_obj_get(root, "\xc3\xa4");
    expect_where(doc, obj, 3, 8); /* columns count characters */
    expect_where(doc, yyjson_obj_get(obj, "b"), 3, 13);
    expect_where(doc, yyjson_obj_get(root, "c"), 3, 24);
    js_doc_free(doc);
}

static void test_places_values_of_yaml(void **state)
{
    const char *text =
        "# \xc3\xa4\n- a: 1\n  \"b\" :   [x, {y: 2}]\n- &q \xc3\xa4: \"1\"\n- |\n  t\n- z";
    struct js_doc *doc = NULL;
    assert_int_equal(js_parse_yaml(text, strlen(text), &doc, NULL), 0);
    yyjson_val *root = js_root(doc), *first = yyjson_arr_get(root, 0);
    yyjson_val *list = yyjson_obj_get(first, "b");
    expect_where(doc, root, 2, 1);
    expect_where(doc, first, 2, 3);
    expect_where(doc, yyjson_obj_get(first, "a"), 2, 6);
    expect_where(doc, list, 3, 11);
    expect_where(doc, yyjson_obj_get(yyjson_arr_get(list, 1), "y"), 3, 19);
    expect_where(doc, yyjson_obj_get(yyjson_arr_get(root, 1), "\xc3\xa4"), 4, 9);
    expect_where(doc, yyjson_arr_get(root, 3), 7, 3);
    js_doc_free(doc);
}

static void test_foreign_values_have_no_place(void **state)
{
    struct js_doc *doc = parse("[1]"), *other = parse("[1]");
    expect_where(doc, js_root(other), 0, 0);
    expect_where(doc, NULL, 0, 0);
    expect_where(NULL, js_root(doc), 0, 0);
    js_doc_freep(&other);
    assert_null(other);
    js_doc_free(doc);
    assert_null(js_doc_free(NULL));
}

static void test_fail_fills_all(void **state)
{
    struct js_doc *doc = parse("{\"a\":\n 7}");
    struct err err;
    yyjson_val *val = yyjson_obj_get(js_root(doc), "a");
    assert_int_equal(js_fail(doc, val, "x.a", &err, "no %d please", 7), -BERR_INVALID);
    test_expect_err(&err, BERR_INVALID, "no 7 please");
    assert_string_equal(err.field, "x.a");
    assert_int_equal(err.line, 2);
    assert_int_equal(err.col, 2);
    assert_int_equal(js_fail(NULL, NULL, "x", NULL, "y"), -BERR_INVALID);
    js_doc_free(doc);
}

static void test_reads_by_hand(void **state)
{
    struct js_doc *doc = parse("{\"s\":\"x\",\"i\":-3,\"u\":18446744073709551615,\"b\":true,"
                               "\"id\":\"abcdefghjk\",\"bad\":\"ABC\"}");
    yyjson_val *root = js_root(doc);
    assert_string_equal(js_get_str(root, "s"), "x");
    assert_null(js_get_str(root, "i"));
    assert_null(js_get_str(root, "none"));
    assert_int_equal(js_get_i64(root, "i", 7), -3);
    assert_int_equal(js_get_i64(root, "u", 7), 7);
    assert_int_equal(js_get_i64(root, "s", 7), 7);
    assert_true(js_get_bool(root, "b", false));
    assert_true(js_get_bool(root, "s", true));
    assert_true(js_get_id(root, "id") != 0);
    assert_true(js_get_id(root, "bad") == 0);
    assert_true(js_get_id(root, "b") == 0);
    assert_true(js_get_id(NULL, "b") == 0);
    js_doc_free(doc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_places_values_of_json),
        cmocka_unit_test(test_places_values_of_yaml),
        cmocka_unit_test(test_foreign_values_have_no_place),
        cmocka_unit_test(test_fail_fills_all),
        cmocka_unit_test(test_reads_by_hand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
