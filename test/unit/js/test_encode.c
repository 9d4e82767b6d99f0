#include "testlib.h"

#include "sample.h"

static struct js_doc *parse(const char *text)
{
    struct js_doc *doc = NULL;
    struct err err;
    if (js_parse_json(text, strlen(text), &doc, &err) != 0)
        fail_msg("%d:%d: %s in %s", err.line, err.col, err.text, text);
    return doc;
}

static void test_comes_out_as_it_went_in(void **state)
{
    struct js_doc *doc = parse(SAMPLE_FULL ",\"secret\":\"hush\"}");
    struct arena arena = ARENA(1 << 20);
    struct sample s = {.readonly = 3};
    struct err err;
    if (js_decode(doc, js_root(doc), &sample_table, &arena, &s, &err) != 0)
        fail_msg("%s: %s", err.field, err.text);
    cleanup(buf_done) struct buf out = BUF(1 << 20);
    js_encode(&sample_table, &s, &out);
    /* the secret never, what berth sets always, empty omitted not */
    assert_string_equal(buf_str(&out), SAMPLE_FULL ",\"readonly\":3}");
    js_doc_free(doc);
    arena_done(&arena);
}

static void test_an_empty_struct(void **state)
{
    struct sample s = {0};
    cleanup(buf_done) struct buf out = BUF(1 << 20);
    js_encode(&sample_table, &s, &out);
    assert_string_equal(
        buf_str(&out),
        "{\"flag\":false,\"i64\":0,\"u64\":0,\"f64\":0,\"str\":null,\"label\":null,\"tag\":null,"
        "\"kind\":\"job\",\"bytes\":\"0\",\"cpu\":0,\"gpu\":0,\"duration\":\"0s\",\"time\":null,"
        "\"id\":null,\"inner\":{\"number\":0,\"label\":null},\"ptr\":null,\"list\":[],\"strs\":[],"
        "\"pairs\":{},\"objects\":{},\"raw\":null,\"readonly\":0}");
    js_doc_free(parse(buf_str(&out)));
}

static void test_omit_empty_of_every_type(void **state)
{
    struct js_field fields[ARRAY_LEN(sample_fields)];
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        memcpy(&fields[i], &sample_fields[i], sizeof(fields[i]));
        fields[i].flags |= JS_OMIT_EMPTY;
    }
    const struct js_table table = JS_TABLE("Lean", struct sample, fields);
    struct sample s = {0};
    cleanup(buf_done) struct buf out = BUF(1 << 20);
    js_encode(&table, &s, &out);
    assert_string_equal(buf_str(&out), "{\"inner\":{\"number\":0,\"label\":null}}");
    buf_clear(&out);
    s.flag = true;
    s.omitted = "x";
    js_encode(&table, &s, &out);
    assert_string_equal(
        buf_str(&out), "{\"flag\":true,\"inner\":{\"number\":0,\"label\":null},\"omitted\":\"x\"}");
}

static void test_a_silent_first_custom_leaves_no_comma(void **state)
{
    static const struct js_field fields[] = {
        {"custom", JS_CUSTOM, offsetof(struct sample, custom), .encode = encode_custom},
        {"input", JS_CUSTOM, offsetof(struct sample, i64), .decode = decode_custom},
        {"u64", JS_U64, offsetof(struct sample, u64)},
    };
    static const struct js_table table = JS_TABLE("Custom", struct sample, fields);
    struct sample s = {.u64 = 1};
    cleanup(buf_done) struct buf out = BUF(1 << 20);
    js_encode(&table, &s, &out);
    assert_string_equal(buf_str(&out), "{\"u64\":1}");
}

static int torture_body(void *ctx)
{
    cleanup(buf_done) struct buf out = BUF(1 << 20);
    js_encode(&sample_table, ctx, &out);
    return buf_is_failed(&out) ? -BERR_NOMEM : 0;
}

static void test_survives_lack_of_memory(void **state)
{
    struct js_doc *doc = parse(SAMPLE_FULL "}");
    struct arena arena = ARENA(1 << 20);
    struct sample s = {0};
    assert_int_equal(js_decode(doc, js_root(doc), &sample_table, &arena, &s, NULL), 0);
    test_torture(torture_body, &s);
    arena_done(&arena);
    js_doc_free(doc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_comes_out_as_it_went_in),
        cmocka_unit_test(test_an_empty_struct),
        cmocka_unit_test(test_omit_empty_of_every_type),
        cmocka_unit_test(test_a_silent_first_custom_leaves_no_comma),
        cmocka_unit_test(test_survives_lack_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
