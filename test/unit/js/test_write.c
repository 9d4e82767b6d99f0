#include "testlib.h"

#include <math.h>
#include <stdlib.h>
#include "base/limits.h"
#include "base/rand.h"
#include "sample.h"

static void test_every_kind(void **state)
{
    cleanup(buf_done) struct buf out = BUF(10000);
    struct js_writer w;
    const struct item item = {.number = 1, .label = "x"};
    js_w_init(&w, &out);
    js_w_object(&w, NULL);
    js_w_str(&w, "s", "a\"b");
    js_w_str(&w, "n", NULL);
    js_w_i64(&w, "i", INT64_MIN);
    js_w_u64(&w, "u", UINT64_MAX);
    js_w_f64(&w, "f", 0.1);
    js_w_bool(&w, "t", true);
    js_w_bool(&w, "f2", false);
    js_w_null(&w, "z");
    js_w_array(&w, "a");
    js_w_i64(&w, NULL, 1);
    js_w_object(&w, NULL);
    js_w_end_object(&w);
    js_w_array(&w, NULL);
    js_w_end_array(&w);
    js_w_i64(&w, NULL, 2);
    js_w_end_array(&w);
    js_w_id(&w, "id", 0);
    js_w_id(&w, "id2", 0x1555555555555ull);
    js_w_time(&w, "time", 0);
    js_w_time(&w, "time2", 1764034080000);
    js_w_raw(&w, "raw", "[0]");
    js_w_table(&w, "item", &item_table, &item);
    js_w_table(&w, "none", &item_table, NULL);
    js_w_end_object(&w);
    assert_int_equal(w.depth, 0);
    assert_string_equal(
        buf_str(&out),
        "{\"s\":\"a\\\"b\",\"n\":null,\"i\":-9223372036854775808,\"u\":18446744073709551615,"
        "\"f\":0.1,\"t\":true,\"f2\":false,\"z\":null,\"a\":[1,{},[],2],\"id\":null,"
        "\"id2\":\"ananananan\",\"time\":null,\"time2\":\"2025-11-25T01:28:00Z\",\"raw\":[0],"
        "\"item\":{\"number\":1,\"label\":\"x\"},\"none\":null}");
}

static void test_escapes(void **state)
{
    static const struct {
        const char *text, *json;
    } cases[] = {
        {"", "\"\""},
        {"plain", "\"plain\""},
        {"\"\\/", "\"\\\"\\\\/\""},
        {"\n\r\t\x01\x1f", "\"\\n\\r\\t\\u0001\\u001f\""},
        {"\xc3\xa4\xf0\x9f\x9a\xa2", "\"\xc3\xa4\xf0\x9f\x9a\xa2\""},
        {"a\xff"
         "b\xc3",
         "\"a\xef\xbf\xbd"
         "b\xef\xbf\xbd\""},
        {"\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
        {NULL, "null"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        cleanup(buf_done) struct buf out = BUF(1000);
        js_put_string(&out, cases[i].text);
        assert_string_equal(buf_str(&out), cases[i].json);
    }
}

static void test_random_bytes_make_good_json(void **state)
{
    struct rnd rnd;
    rnd_seed(&rnd, test_seed());
    cleanup(buf_done) struct buf out = BUF(10000);
    for (int round = 0; round < 3000; round++) {
        char text[64];
        size_t len = (size_t)rnd_below(&rnd, sizeof(text));
        for (size_t i = 0; i < len; i++)
            text[i] = (char)(1 + rnd_below(&rnd, 255));
        text[len] = '\0';
        buf_clear(&out);
        js_put_string(&out, text);
        struct js_doc *doc = NULL;
        struct err err;
        if (js_parse_json(out.data, out.len, &doc, &err) != 0)
            fail_msg("%s: %s", out.data, err.text);
        js_doc_free(doc);
    }
}

static void test_doubles_read_back(void **state)
{
    struct rnd rnd;
    rnd_seed(&rnd, test_seed());
    cleanup(buf_done) struct buf out = BUF(1000);
    for (int i = 0; i < 20000; i++) {
        union {
            uint64_t bits;
            double value;
        } u = {.bits = rnd_u64(&rnd)};
        buf_clear(&out);
        js_put_f64(&out, u.value);
        if (isfinite(u.value))
            assert_true(strtod(buf_str(&out), NULL) == u.value);
        else
            assert_string_equal(buf_str(&out), "null");
    }
    buf_clear(&out);
    js_put_f64(&out, NAN);
    js_put_f64(&out, INFINITY);
    js_put_f64(&out, 1.5);
    assert_string_equal(buf_str(&out), "nullnull1.5");
}

static void test_depth_of_a_whole_document(void **state)
{
    cleanup(buf_done) struct buf out = BUF(1000);
    struct js_writer w;
    struct js_doc *doc = NULL;
    js_w_init(&w, &out);
    for (int i = 0; i < LIMIT_DOC_DEPTH; i++)
        js_w_array(&w, NULL);
    for (int i = 0; i < LIMIT_DOC_DEPTH; i++)
        js_w_end_array(&w);
    assert_int_equal(js_parse_json(out.data, out.len, &doc, NULL), 0);
    js_doc_free(doc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_kind),
        cmocka_unit_test(test_escapes),
        cmocka_unit_test(test_random_bytes_make_good_json),
        cmocka_unit_test(test_doubles_read_back),
        cmocka_unit_test(test_depth_of_a_whole_document),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
