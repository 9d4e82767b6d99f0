/* Tables, lists, JSON and YAML. */
#include "base/str.h"
#include "cli/out.h"
#include "js/js.h"
#include "testlib.h"

static const char answer[] =
    "[{\"name\":\"ada\",\"n\":3,\"when\":\"2026-11-25T01:00:00Z\",\"on\":true,"
    "\"share\":{\"used\":\"2\",\"total\":\"8\"},\"list\":[\"a\",\"b\"],\"size\":1610612736},"
    "{\"name\":\"j\\u00f6rg\\u001b[2J\\u009b\",\"n\":null,\"when\":null,\"on\":false,\"list\":[1,2]"
    "}]";
#define NOW_MS 1795570210000ll /* 2026-11-25T01:30:10Z */

static void put_double(struct buf *out, yyjson_val *item, int64_t now_ms)
{
    (void)now_ms;
    buf_printf(out, "%lld", (long long)cli_num(item, "n", 0) * 2);
}

static const struct cli_column columns[] = {
    {"NAME", "name", CLI_PLAIN, false, NULL},     {"N", "n", CLI_PLAIN, false, NULL},
    {"TWICE", NULL, CLI_PLAIN, true, put_double}, {"AGE", "when", CLI_AGE, false, NULL},
    {"ON", "on", CLI_YES, false, NULL},           {"SHARE", "share", CLI_SHARE, false, NULL},
    {"SIZE", "size", CLI_BYTES, false, NULL},     {"LIST", "list", CLI_PLAIN, false, NULL},
};

struct fixture {
    yyjson_doc *doc;
    struct buf out;
};

static int setup(void **state)
{
    static struct fixture f;
    f = (struct fixture){.doc = yyjson_read(answer, sizeof(answer) - 1, 0), .out = BUF(1 << 20)};
    *state = &f;
    return f.doc ? 0 : -1;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    yyjson_doc_free(f->doc);
    buf_done(&f->out);
    return 0;
}

static void a_table_is_aligned_and_safe(void **state)
{
    struct fixture *f = *state;
    cli_put_table(&f->out, yyjson_doc_get_root(f->doc), columns, ARRAY_LEN(columns), false, NOW_MS);
    assert_string_equal(buf_str(&f->out), "NAME       N  AGE      ON   SHARE  SIZE     LIST\n"
                                          "ada        3  30m 10s  yes  2/8    1.5 GiB  a, b\n"
                                          "j\u00f6rg?[2J?                                   1,2\n");
}

static void wide_shows_more(void **state)
{
    struct fixture *f = *state;
    cli_put_table(&f->out, yyjson_doc_get_root(f->doc), columns, 3, true, NOW_MS);
    assert_string_equal(buf_str(&f->out), "NAME       N  TWICE\n"
                                          "ada        3  6\n"
                                          "j\u00f6rg?[2J?     0\n");
}

static void one_thing_is_a_list_of_fields(void **state)
{
    struct fixture *f = *state;
    cli_put_fields(&f->out, yyjson_arr_get(yyjson_doc_get_root(f->doc), 1), columns,
                   ARRAY_LEN(columns), NOW_MS);
    assert_string_equal(buf_str(&f->out), "name   j\u00f6rg?[2J?\ntwice  0\nlist   1,2\n");
}

static void json_reads_back(void **state)
{
    struct fixture *f = *state;
    struct js_doc *doc;
    struct err err = {0};
    cli_put_json(&f->out, yyjson_doc_get_root(f->doc));
    assert_true(str_has_suffix(buf_str(&f->out), "\n"));
    assert_int_equal(js_parse_json(f->out.data, f->out.len, &doc, &err), 0);
    assert_true(yyjson_equals(js_root(doc), yyjson_doc_get_root(f->doc)));
    js_doc_free(doc);
}

/* Everything that YAML could take for something else. */
static void yaml_reads_back(void **state)
{
    static const char *const texts[] = {
        answer,
        "{}",
        "[]",
        "\"x\"",
        "[[],{},[[1]],[{\"a\":[]}]]",
        "{\"a\":{\"b\":{\"c\":[{\"d\":1,\"e\":[2,3]},{\"f\":null}]}},\"g\":1.5,\"h\":-7}",
        "[\"yes\",\"null\",\"~\",\"12\",\"0x1f\",\"1e3\",\"- a\",\"a: b\",\"#c\",\" lead\",\"trail "
        "\","
        "\"\",\"multi\\nline\",\"\\\"quoted\\\"\",\"@at\",\"*star\",\"true\",\".5\",\"a\\\\b\"]",
        "{\"key with space\":1,\"1\":2,\"null\":3,\"\":4}",
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct buf out = BUF(1 << 20);
        struct js_doc *doc;
        struct err err = {0};
        yyjson_doc *in = yyjson_read(texts[i], strlen(texts[i]), 0);
        assert_non_null(in);
        cli_put_yaml(&out, yyjson_doc_get_root(in));
        if (js_parse_yaml(out.data, out.len, &doc, &err) != 0)
            fail_msg("%s: %s", buf_str(&out), err.text);
        if (!yyjson_equals(js_root(doc), yyjson_doc_get_root(in)))
            fail_msg("%s became\n%s", texts[i], buf_str(&out));
        js_doc_free(doc);
        yyjson_doc_free(in);
        buf_done(&out);
    }
}

static void formats_have_names(void **state)
{
    enum cli_output output;
    struct err err = {0};
    (void)state;
    assert_int_equal(cli_output_parse("yaml", &output, &err), 0);
    assert_int_equal(output, CLI_OUTPUT_YAML);
    assert_int_equal(cli_output_parse("xml", &output, &err), -(int)BERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_table_is_aligned_and_safe, setup, teardown),
        cmocka_unit_test_setup_teardown(wide_shows_more, setup, teardown),
        cmocka_unit_test_setup_teardown(one_thing_is_a_list_of_fields, setup, teardown),
        cmocka_unit_test_setup_teardown(json_reads_back, setup, teardown),
        cmocka_unit_test(yaml_reads_back),
        cmocka_unit_test(formats_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
