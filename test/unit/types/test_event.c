/* Events out and back in. */
#include <testlib.h>
#include "types/event.h"

static const struct event sample = {.seq = 12,
                                    .time_ms = 1764034080123,
                                    .type = "workload.state",
                                    .subject = 0,
                                    .subject_kind = "workload",
                                    .text = "job \"digits\": running",
                                    .data = "{\"from\":\"QUEUED\",\"attempt\":1}"};

static int round_trip(void *ctx)
{
    struct buf out = BUF(4096), again = BUF(4096);
    struct arena arena = ARENA(1 << 16);
    struct js_doc *doc = NULL;
    struct event back = {0};
    struct err err = {0};
    js_encode(&event_table, &sample, &out);
    int rc = buf_is_failed(&out) ? -BERR_NOMEM : js_parse_json(buf_str(&out), out.len, &doc, &err);
    if (rc == 0)
        rc = js_decode_own(doc, js_root(doc), &event_table, &arena, &back, &err);
    if (rc == 0) {
        js_encode(&event_table, &back, &again);
        rc = buf_is_failed(&again) ? -BERR_NOMEM : 0;
    }
    if (rc == 0) {
        assert_string_equal(buf_str(&out), buf_str(&again));
        assert_string_equal(back.data, sample.data);
    }
    js_doc_free(doc);
    arena_done(&arena);
    buf_done(&out);
    buf_done(&again);
    return rc;
}

static void test_round_trip(void **state)
{
    assert_int_equal(round_trip(NULL), 0);
}

static void test_round_trip_when_memory_is_short(void **state)
{
    test_torture(round_trip, NULL);
}

static void test_no_data_no_key(void **state)
{
    struct event plain = sample;
    struct buf out = BUF(4096);
    plain.data = NULL;
    js_encode(&event_table, &plain, &out);
    assert_null(strstr(buf_str(&out), "data"));
    buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_round_trip_when_memory_is_short),
        cmocka_unit_test(test_no_data_no_key),
    };
    return cmocka_run_group_tests_name("types/event", tests, NULL, NULL);
}
