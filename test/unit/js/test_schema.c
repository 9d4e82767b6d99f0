#include "testlib.h"

#include <stdlib.h>
#include "sample.h"

static struct buf out;
static struct js_doc *doc;

static int setup(void **state)
{
    buf_init(&out, 1 << 20);
    const struct js_table *const tables[] = {&sample_table, &item_table};
    buf_putc(&out, '{');
    js_schema_components(tables, ARRAY_LEN(tables), &out);
    buf_putc(&out, '}');
    return js_parse_json(out.data, out.len, &doc, NULL);
}

static int teardown(void **state)
{
    js_doc_freep(&doc);
    buf_done(&out);
    return 0;
}

static yyjson_val *at(const char *pointer)
{
    yyjson_val *val = yyjson_ptr_get(js_root(doc), pointer);
    if (val == NULL)
        fail_msg("no %s in %s", pointer, buf_str(&out));
    return val;
}

static void expect(const char *pointer, const char *json)
{
    char *text = yyjson_val_write(at(pointer), 0, NULL);
    assert_string_equal(text, json);
    free(text);
}

static void test_each_table_once(void **state)
{
    assert_int_equal(yyjson_obj_size(js_root(doc)), 2);
    expect("/Sample/type", "\"object\"");
    expect("/Sample/additionalProperties", "false");
    expect("/Item/required", "[\"label\"]");
    assert_null(yyjson_ptr_get(js_root(doc), "/Sample/required"));
    assert_int_equal(yyjson_obj_size(at("/Sample/properties")), ARRAY_LEN(sample_fields));
}

static void test_fields(void **state)
{
    expect("/Item/properties/number", "{\"type\":\"integer\",\"minimum\":-10,\"maximum\":10,"
                                      "\"format\":\"int64\",\"description\":\"a number\"}");
    expect("/Item/properties/label/examples", "[\"one\"]");
    expect("/Item/properties/label/type", "\"string\""); /* required: never null */
    expect("/Sample/properties/i64/minimum", "2");
    assert_null(yyjson_ptr_get(js_root(doc), "/Sample/properties/i64/maximum"));
    expect("/Sample/properties/str", "{\"type\":[\"string\",\"null\"],\"minLength\":1,"
                                     "\"maxLength\":20,\"description\":\"a \\\"text\\\"\"}");
    expect("/Sample/properties/kind",
           "{\"type\":\"string\",\"enum\":[\"job\",\"notebook\",\"service\"]}");
    expect("/Sample/properties/bytes/type", "[\"string\",\"integer\"]");
    expect("/Sample/properties/inner", "{\"$ref\":\"#/components/schemas/Item\"}");
    expect("/Sample/properties/ptr",
           "{\"anyOf\":[{\"$ref\":\"#/components/schemas/Item\"},{\"type\":\"null\"}]}");
    expect("/Sample/properties/list/items/$ref", "\"#/components/schemas/Item\"");
    expect("/Sample/properties/list/maxItems", "3");
    expect("/Sample/properties/pairs/maxProperties", "4");
    expect("/Sample/properties/raw", "{}");
    expect("/Sample/properties/custom", "{\"type\":\"string\",\"description\":\"a count\"}");
    expect("/Sample/properties/secret/writeOnly", "true");
    expect("/Sample/properties/readonly/readOnly", "true");
    expect("/Sample/properties/omitted/type", "\"string\"");
}

static void test_one_table_alone(void **state)
{
    buf_clear(&out);
    js_schema(&item_table, &out);
    js_doc_free(doc);
    doc = NULL;
    assert_int_equal(js_parse_json(out.data, out.len, &doc, NULL), 0);
    assert_non_null(yyjson_ptr_get(js_root(doc), "/properties/number"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_each_table_once),
        TEST(test_fields),
        TEST(test_one_table_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
