/* Server-sent events, however the network cuts them. */
#include "cli/sse_in.h"
#include "testlib.h"

struct seen {
    char text[1024];
    int stop_after;
};

static int note(void *arg, const struct cli_event *e)
{
    struct seen *seen = arg;
    size_t len = strlen(seen->text);
    snprintf(seen->text + len, sizeof(seen->text) - len, "[%lld %s %s]", (long long)e->id, e->type,
             e->data);
    return seen->stop_after && --seen->stop_after == 0;
}

static const char stream[] = ":\n\n"
                             "id: 7\ndata: one\n\n"
                             ": a comment\r\n"
                             "id: 9\r\nevent: end\r\ndata: {\"a\":1}\r\ndata:second\r\n\r\n"
                             "event: nothing\n\n"
                             "data\n\n"
                             "id: no number\nretry: 5\ndata: last\n\n"
                             "data: unfinished";
static const char wanted[] = "[7 message one][9 end {\"a\":1}\nsecond][9 message last]";

static void every_cut_gives_the_same(void **state)
{
    (void)state;
    for (size_t step = 1; step < sizeof(stream); step++) {
        struct seen seen = {0};
        struct cli_events e;
        cli_events_init(&e, note, &seen);
        for (size_t at = 0; at < sizeof(stream) - 1; at += step) {
            size_t left = sizeof(stream) - 1 - at;
            assert_int_equal(cli_events_feed(&e, stream + at, left < step ? left : step), 0);
        }
        assert_string_equal(seen.text, wanted);
        assert_int_equal(e.id, 9);
        cli_events_done(&e);
    }
}

static void a_restart_keeps_the_position_only(void **state)
{
    struct seen seen = {0};
    struct cli_events e;
    (void)state;
    cli_events_init(&e, note, &seen);
    assert_int_equal(e.id, -1);
    cli_events_feed(&e, "id: 3\nevent: x\ndata: half", 26);
    cli_events_restart(&e);
    cli_events_feed(&e, "data: whole\n\n", 13);
    assert_string_equal(seen.text, "[3 message whole]");
    cli_events_done(&e);
}

static void the_reader_can_stop(void **state)
{
    struct seen seen = {.stop_after = 1};
    struct cli_events e;
    (void)state;
    cli_events_init(&e, note, &seen);
    assert_int_equal(cli_events_feed(&e, stream, sizeof(stream) - 1), 1);
    assert_string_equal(seen.text, "[7 message one]");
    cli_events_done(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_cut_gives_the_same),
        cmocka_unit_test(a_restart_keeps_the_position_only),
        cmocka_unit_test(the_reader_can_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
