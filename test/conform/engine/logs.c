/* Logs: addressed by offset, whole after the end, capped, kept until removed.
 */
#include "suite.h"

#include "base/alloc.h"
#include <string.h>

static void test_log_is_whole_at_the_end(void **state)
{
    struct fixture *f = *state;
    struct job job = {.sh = "echo first; for i in 1 2 3; do echo line $i; done",
                      .fake = "FAKE_RUN_MS=30 FAKE_LOG=first FAKE_LOG_LINES=3"};
    uint64_t end = 0;
    fx_need(f, ENGINE_BIT_LOGS);
    struct attempt_key key = fx_running(f, &job);
    struct engine_task_facts facts = fx_end(f, key);
    char *log = fx_log(f, key, 0, 4096, &end);
    assert_string_equal(log, "first\nline 1\nline 2\nline 3\n");
    mem_free(log);
    assert_int_equal(end, facts.log_bytes);
    fx_forget(f, key);
}

static void test_log_by_small_pieces(void **state)
{
    struct fixture *f = *state;
    struct job job = {.sh = "echo first; for i in $(seq 1 40); do echo line $i; done",
                      .fake = "FAKE_RUN_MS=30 FAKE_LOG=first FAKE_LOG_LINES=40"};
    fx_need(f, ENGINE_BIT_LOGS);
    struct attempt_key key = fx_running(f, &job);
    fx_end(f, key);
    char *whole = fx_log(f, key, 0, 1 << 20, NULL), *pieces = fx_log(f, key, 0, 7, NULL);
    assert_string_equal(whole, pieces);
    assert_non_null(strstr(whole, "line 40\n"));
    mem_free(whole);
    mem_free(pieces);
    fx_forget(f, key);
}

static void test_log_while_it_runs(void **state)
{
    struct fixture *f = *state;
    struct job job = {.sh = "echo hello; exec sleep 1000",
                      .fake = "FAKE_RUN_MS=forever FAKE_LOG=hello"};
    struct err err;
    fx_need(f, ENGINE_BIT_LOGS);
    struct attempt_key key = fx_running(f, &job);
    fx_wait_log(f, key, "hello\n");
    uint64_t end = 0;
    char *log = fx_log(f, key, 0, 4096, &end);
    mem_free(log);
    assert_int_equal(fx_log_rc(f, key, 0, end), 0); /* nothing more, which is no error */
    assert_int_equal(fx_log_rc(f, key, 0, end + 1000000), 0);
    assert_int_equal(fx_stop(f, key, 0, &err), 0);
    fx_end(f, key);
    fx_forget(f, key);
}

static void test_log_outlives_forget(void **state)
{
    struct fixture *f = *state;
    struct job job = JOB_QUICK;
    struct err err;
    fx_need(f, ENGINE_BIT_LOGS);
    struct attempt_key key = fx_running(f, &job);
    fx_end(f, key);
    fx_forget(f, key);
    fx_barrier(f);
    fx_reopen(f);
    char *log = fx_log(f, key, 0, 4096, NULL);
    assert_string_equal(log, "done\n");
    mem_free(log);
    assert_int_equal(f->ops->log_remove(f->e, key, &err), 0);
    fx_barrier(f);
    assert_int_equal(fx_log_rc(f, key, 0, 0), -BERR_NOT_FOUND);
    assert_int_equal(f->ops->log_remove(f->e, key, &err), 0); /* safe to repeat */
}

static void test_no_such_log(void **state)
{
    struct fixture *f = *state;
    struct job job = JOB_QUICK;
    fx_need(f, ENGINE_BIT_LOGS);
    struct attempt_key key = fx_running(f, &job);
    fx_end(f, key);
    assert_int_equal(fx_log_rc(f, fx_key(f), 0, 0), -BERR_NOT_FOUND);
    assert_int_equal(fx_log_rc(f, key, 1, 0), -BERR_NOT_FOUND);
    fx_forget(f, key);
}

static void test_log_of_each_task(void **state)
{
    struct fixture *f = *state;
    struct job jobs[] = {{.sh = "echo zero", .fake = "FAKE_RUN_MS=1 FAKE_LOG=zero"},
                         {.sh = "echo one", .fake = "FAKE_RUN_MS=1 FAKE_LOG=one"}};
    struct attempt_key key = fx_key(f);
    struct err err;
    fx_need(f, ENGINE_BIT_LOGS);
    fx_need(f, ENGINE_BIT_GANG);
    assert_int_equal(fx_start(f, key, jobs, 2, &err), 0);
    fx_wait(f, key, ENGINE_EV_GONE);
    char *zero = fx_log(f, key, 0, 4096, NULL), *one = fx_log(f, key, 1, 4096, NULL);
    assert_string_equal(zero, "zero\n");
    assert_string_equal(one, "one\n");
    mem_free(zero);
    mem_free(one);
    fx_forget(f, key);
}

/* A flood meets the cap; the task goes on and ends as it would. */
static void test_log_has_a_cap(void **state)
{
    struct fixture *f = *state;
    struct job job = {.sh = "yes 'a line of the flood, which is long enough' | head -c 4000000; "
                            "exit 3",
                      .fake = "FAKE_RUN_MS=10 FAKE_EXIT=3 FAKE_LOG_LINES=100000"};
    uint64_t end = 0;
    fx_need(f, ENGINE_BIT_LOGS);
    struct attempt_key key = fx_key(f);
    struct engine_start *order = fx_order(f, key, &job, 1);
    struct err err;
    order->log_max_bytes = 100000;
    assert_int_equal(fx_give(f, order, &err), 0);
    assert_int_equal(fx_end(f, key).exit_code, 3);
    char *log = fx_log(f, key, 0, 65536, &end);
    assert_true(strlen(log) > 10000);
    assert_true(end < 200000);
    mem_free(log);
    fx_forget(f, key);
}

static void test_long_and_open_lines(void **state)
{
    struct fixture *f = *state;
    struct job job = {.sh = "head -c 50000 /dev/zero | tr '\\0' x; echo; printf open",
                      .fake = "FAKE_RUN_MS=1"};
    fx_need(f, ENGINE_BIT_LOGS);
    if (f->ops == engine_find("fake"))
        skip(); /* its logs are made up */
    struct attempt_key key = fx_running(f, &job);
    fx_end(f, key);
    char *log = fx_log(f, key, 0, 3000, NULL);
    assert_int_equal(strspn(log, "x"), 50000);
    assert_string_equal(log + 50000, "\nopen");
    mem_free(log);
    fx_forget(f, key);
}

const struct CMUnitTest suite_logs[] = {
    cmocka_unit_test(test_log_is_whole_at_the_end),
    cmocka_unit_test(test_log_by_small_pieces),
    cmocka_unit_test(test_log_while_it_runs),
    cmocka_unit_test(test_log_outlives_forget),
    cmocka_unit_test(test_no_such_log),
    cmocka_unit_test(test_log_of_each_task),
    cmocka_unit_test(test_log_has_a_cap),
    cmocka_unit_test(test_long_and_open_lines),
};
const size_t suite_logs_count = ARRAY_LEN(suite_logs);
