/* Ends of workloads become exit codes and a sentence. */
#include "cli/workload.h"
#include "testlib.h"

static void ends_become_exit_codes(void **state)
{
    static const struct {
        const char *state, *attempt;
        int code;
    } cases[] = {
        {"SUCCEEDED", "{\"end\":\"completed\",\"end_code\":0}", 0},
        {"FAILED", "{\"end\":\"exit-code\",\"end_code\":7}", 7},
        {"FAILED", "{\"end\":\"exit-code\",\"end_code\":0}", 125}, /* never 0 for a failure */
        {"FAILED", "{\"end\":\"signal\",\"end_code\":9}", 137},
        {"FAILED", "{\"end\":\"signal\",\"end_code\":15}", 143},
        {"FAILED", "{\"end\":\"out-of-memory\",\"end_code\":9}", 137},
        {"FAILED", "{\"end\":\"time-limit\"}", 124},
        {"FAILED", "{\"end\":\"start-error\"}", 126},
        {"FAILED", "{\"end\":\"image-error\"}", 125},
        {"FAILED", "{\"end\":\"node-lost\"}", 125},
        {"STOPPED", "{\"end\":\"stopped\",\"end_code\":15}", 143},
        {"STOPPED", "null", 143},
        {"FAILED", "null", 125},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char text[256];
        int n = snprintf(text, sizeof(text), "{\"state\":\"%s\",\"attempt\":%s}", cases[i].state,
                         cases[i].attempt);
        yyjson_doc *doc = yyjson_read(text, (size_t)n, 0);
        int code = cli_exit_code(yyjson_doc_get_root(doc));
        if (code != cases[i].code)
            fail_msg("%s gives %d", text, code);
        yyjson_doc_free(doc);
    }
}

static void final_states(void **state)
{
    (void)state;
    assert_true(cli_is_final("SUCCEEDED"));
    assert_true(cli_is_final("STOPPED"));
    assert_false(cli_is_final("RUNNING"));
    assert_false(cli_is_final("PREEMPTED"));
    assert_false(cli_is_final("no such state"));
}

static void outcomes_are_sentences(void **state)
{
    static const char text[] =
        "{\"name\":\"digits\",\"state\":\"FAILED\",\"reason\":\"\",\"attempt\":"
        "{\"end_text\":\"task 0 ended with exit code 7\"}}";
    struct buf out = BUF(1024);
    (void)state;
    yyjson_doc *doc = yyjson_read(text, sizeof(text) - 1, 0);
    cli_put_outcome(&out, yyjson_doc_get_root(doc));
    assert_string_equal(buf_str(&out), "digits FAILED: task 0 ended with exit code 7");
    yyjson_doc_free(doc);
    buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ends_become_exit_codes),
        cmocka_unit_test(final_states),
        cmocka_unit_test(outcomes_are_sentences),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
