#include "testlib.h"

#include <fcntl.h>
#include <unistd.h>
#include "base/log.h"
#include "base/str.h"

static int pipe_fds[2];
static char got[8192];

static long long fixed_ms(void)
{
    return 1764034080123; /* 2025-11-25T01:28:00.123Z */
}

static int setup(void **state)
{
    return pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK);
}

static int teardown(void **state)
{
    close(pipe_fds[0]);
    close(pipe_fds[1]);
    return 0;
}

static void open_sink(enum log_level least, bool pretty)
{
    log_open(pipe_fds[1], "berthd", least, pretty);
    log_set_clock(fixed_ms);
}

static const char *read_lines(void)
{
    ssize_t n = read(pipe_fds[0], got, sizeof(got) - 1);
    got[n < 0 ? 0 : n] = '\0';
    return got;
}

static void test_json_line(void **state)
{
    open_sink(LOG_INFO, false);
    log_info("hello \"you\"", "request", "r\n1", "none", NULL, NULL);
    assert_string_equal(read_lines(),
                        "{\"t\":\"2025-11-25T01:28:00.123Z\",\"l\":\"info\",\"p\":\"berthd\","
                        "\"m\":\"hello \\\"you\\\"\",\"request\":\"r\\n1\"}\n");
}

static void test_null_value_is_left_out_but_later_pairs_stay(void **state)
{
    open_sink(LOG_INFO, false);
    log_warn("x", "a", NULL, "b", "2", NULL);
    assert_non_null(strstr(read_lines(), "\"m\":\"x\",\"b\":\"2\"}\n"));
}

static void test_levels(void **state)
{
    open_sink(LOG_WARN, false);
    log_debug("no", NULL);
    log_info("no", NULL);
    assert_string_equal(read_lines(), "");
    log_error("yes", NULL);
    assert_non_null(strstr(read_lines(), "\"l\":\"error\""));
    enum log_level level = LOG_INFO;
    assert_true(log_level_parse("debug", &level));
    assert_int_equal(level, LOG_DEBUG);
    assert_false(log_level_parse("loud", &level));
}

static void test_pretty_line(void **state)
{
    open_sink(LOG_INFO, true);
    log_info("started", "node", "n1", "why", "two words", "esc", "\x1b[31m", NULL);
    assert_string_equal(read_lines(),
                        "01:28:00 info started node=n1 why=\"two words\" esc=\"\\u001b[31m\"\n");
}

static void test_err(void **state)
{
    open_sink(LOG_INFO, false);
    struct err err;
    err_set(&err, BERR_NOT_FOUND, "no such job");
    err_at(&err, "name", 0, 0);
    log_err(LOG_WARN, &err, "request failed", "request", "r1", NULL);
    assert_non_null(strstr(read_lines(), "\"m\":\"request failed\",\"error\":\"no such job\","
                                         "\"code\":\"not-found\",\"field\":\"name\","
                                         "\"request\":\"r1\"}\n"));
}

static void test_long_and_broken_text_stays_one_good_line(void **state)
{
    static char longest[9000];
    for (int pretty = 0; pretty <= 1; pretty++) {
        for (size_t len = 3800; len < 4200; len++) { /* all the ways to run out of room */
            open_sink(LOG_INFO, pretty);
            memset(longest, len % 2 == 0 ? '"' : 'x', len);
            longest[len] = '\0';
            log_info("m", "long", longest, "after", "y", "and", longest, NULL);
            const char *line = read_lines();
            size_t got_len = strlen(line);
            assert_true(got_len <= 4096);
            assert_ptr_equal(strchr(line, '\n'), line + got_len - 1);
            if (!pretty)
                assert_true(str_has_suffix(line, "\"}\n"));
        }
    }
    open_sink(LOG_INFO, false);
    log_info("bad \xff byte", NULL);
    assert_non_null(strstr(read_lines(), "bad \\ufffd byte"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_json_line, setup, teardown),
        cmocka_unit_test_setup_teardown(test_null_value_is_left_out_but_later_pairs_stay, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_levels, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pretty_line, setup, teardown),
        cmocka_unit_test_setup_teardown(test_err, setup, teardown),
        cmocka_unit_test_setup_teardown(test_long_and_broken_text_stays_one_good_line, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
