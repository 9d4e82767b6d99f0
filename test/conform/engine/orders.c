/* Orders: accepted, repeated, refused; start, stop, suspend, resume, forget. */
#include "suite.h"

#include "base/alloc.h"
#include <string.h>

static void test_start_runs_and_ends(void **state)
{
    struct fixture *f = *state;
    struct job job = JOB_QUICK;
    struct attempt_key key = fx_key(f);
    struct err err;
    assert_int_equal(fx_start(f, key, &job, 1, &err), 0);
    fx_wait(f, key, ENGINE_EV_PREPARED);
    const struct seen *started = fx_wait(f, key, ENGINE_EV_TASK_STARTED);
    assert_int_equal(started->task_count, 1);
    assert_true(started->tasks[0].started);
    assert_false(started->tasks[0].ended);
    assert_true(started->tasks[0].address[0] != '\0');
    const struct seen *ended = fx_wait(f, key, ENGINE_EV_TASK_ENDED);
    assert_true(ended->tasks[0].ended);
    assert_int_equal(ended->tasks[0].exit_code, 0);
    assert_int_equal(ended->tasks[0].signal, 0);
    assert_true(ended->tasks[0].ended_ms >= ended->tasks[0].started_ms);
    const struct seen *gone = fx_wait(f, key, ENGINE_EV_GONE);
    assert_int_equal(gone->reason, END_NONE);
    fx_forget(f, key);
}

static void test_started_order_may_be_repeated(void **state)
{
    struct fixture *f = *state;
    struct job job = {.sh = "echo once; sleep 0.3", .fake = "FAKE_RUN_MS=300 FAKE_LOG=once"};
    struct attempt_key key = fx_key(f);
    struct err err;
    assert_int_equal(fx_start(f, key, &job, 1, &err), 0);
    assert_int_equal(fx_start(f, key, &job, 1, &err), 0);
    fx_wait(f, key, ENGINE_EV_TASK_STARTED);
    assert_int_equal(fx_start(f, key, &job, 1, &err), 0);
    fx_end(f, key);
    char *log = fx_log(f, key, 0, 4096, NULL);
    assert_string_equal(log, "once\n");
    mem_free(log);
    assert_int_equal(fx_count(f, key, ENGINE_EV_TASK_STARTED), 1);
    fx_forget(f, key);
}

static void test_start_of_a_gone_key_starts_nothing(void **state)
{
    struct fixture *f = *state;
    struct job job = JOB_QUICK;
    struct attempt_key key = fx_running(f, &job);
    struct err err;
    fx_end(f, key);
    assert_int_equal(fx_start(f, key, &job, 1, &err), 0);
    fx_wait(f, key, ENGINE_EV_GONE);
    fx_barrier(f);
    assert_int_equal(fx_count(f, key, ENGINE_EV_TASK_STARTED), 1);
    fx_forget(f, key);
    assert_int_equal(fx_start(f, key, &job, 1, &err), -BERR_CONFLICT);
    assert_true(err.text[0] != '\0');
}

/* Not even a new connection, which remembers nothing itself, brings it to life. */
static void test_gone_key_stays_gone(void **state)
{
    struct fixture *f = *state;
    struct job job = JOB_QUICK;
    struct attempt_key key = fx_running(f, &job);
    struct err err;
    fx_end(f, key);
    fx_forget(f, key);
    fx_barrier(f);
    assert_int_equal(fx_start(f, key, &job, 1, &err), -BERR_CONFLICT);
    fx_reopen(f);
    int rc = fx_start(f, key, &job, 1, &err);
    if (rc == 0)
        fx_wait(f, key, ENGINE_EV_GONE);
    else
        assert_int_equal(rc, -BERR_CONFLICT);
    fx_barrier(f);
    assert_null(fx_find(f, key, ENGINE_EV_TASK_STARTED));
    fx_forget(f, key);
}

static void test_older_fence_is_refused(void **state)
{
    struct fixture *f = *state;
    struct job job = JOB_QUICK, forever = JOB_FOREVER;
    struct attempt_key old = fx_key(f), new = fx_next_attempt(f, old);
    struct err err;
    assert_int_equal(fx_start(f, new, &forever, 1, &err), 0);
    fx_wait(f, new, ENGINE_EV_TASK_STARTED);
    assert_int_equal(fx_start(f, old, &job, 1, &err), -BERR_CONFLICT);
    assert_true(err.text[0] != '\0');
    assert_int_equal(fx_stop(f, old, 0, &err), -BERR_CONFLICT);
    fx_barrier(f);
    assert_null(fx_find(f, old, ENGINE_EV_TASK_STARTED));
    assert_null(fx_find(f, new, ENGINE_EV_TASK_ENDED)); /* the stop of the old one spared it */
    assert_int_equal(fx_stop(f, new, 0, &err), 0);
    fx_end(f, new);
    fx_forget(f, new);
    assert_int_equal(fx_start(f, old, &job, 1, &err), -BERR_CONFLICT); /* also when forgotten */
}

static void test_next_attempt_of_a_workload(void **state)
{
    struct fixture *f = *state;
    struct job job = JOB_QUICK;
    struct attempt_key first = fx_running(f, &job);
    struct err err;
    fx_end(f, first);
    struct attempt_key second = fx_next_attempt(f, first);
    assert_int_equal(fx_start(f, second, &job, 1, &err), 0);
    fx_end(f, second);
    fx_forget(f, first); /* an older one may still be forgotten, and its log read */
    assert_int_equal(fx_log_rc(f, first, 0, 0), 0);
    fx_forget(f, second);
}

static void test_stop_of_an_unknown_key(void **state)
{
    struct fixture *f = *state;
    struct job job = JOB_QUICK;
    struct attempt_key key = fx_key(f);
    struct err err;
    assert_int_equal(fx_stop(f, key, SUITE_GRACE_MS, &err), 0);
    fx_wait(f, key, ENGINE_EV_GONE);
    /* That was said to be gone: it must not come to life by an order that was
   * under way. */
    int rc = fx_start(f, key, &job, 1, &err);
    if (rc == 0)
        fx_wait(f, key, ENGINE_EV_GONE);
    else
        assert_int_equal(rc, -BERR_CONFLICT);
    fx_barrier(f);
    assert_null(fx_find(f, key, ENGINE_EV_TASK_STARTED));
    fx_forget(f, key);
    assert_int_equal(fx_start(f, key, &job, 1, &err), -BERR_CONFLICT);
    struct attempt_key next = fx_next_attempt(f, key);
    assert_int_equal(fx_start(f, next, &job, 1, &err), 0);
    fx_end(f, next);
    fx_forget(f, next);
}

static void test_stop_lets_it_end_well(void **state)
{
    struct fixture *f = *state;
    struct job job = {.sh = "trap 'exit 7' TERM; echo ready; while :; do sleep 0.05; done",
                      .fake = "FAKE_RUN_MS=forever FAKE_TERM_EXIT=7 FAKE_LOG=ready"};
    struct attempt_key key = fx_running(f, &job);
    struct err err;
    fx_wait_log(f, key, "ready");
    int64_t from_ms = f->now_ms(f);
    assert_int_equal(fx_stop(f, key, SUITE_GRACE_MS, &err), 0);
    assert_int_equal(fx_stop(f, key, SUITE_GRACE_MS, &err), 0);
    struct engine_task_facts facts = fx_end(f, key);
    assert_int_equal(facts.exit_code, 7);
    assert_int_equal(facts.signal, 0);
    assert_true(f->now_ms(f) - from_ms < SUITE_GRACE_MS); /* the grace was not waited out */
    fx_forget(f, key);
}

static void test_stop_by_signal_shows_the_signal(void **state)
{
    struct fixture *f = *state;
    struct job job = {.sh = "echo ready; exec sleep 1000",
                      .fake = "FAKE_RUN_MS=forever FAKE_LOG=ready"};
    struct attempt_key key = fx_running(f, &job);
    struct err err;
    fx_wait_log(f, key, "ready");
    assert_int_equal(fx_stop(f, key, SUITE_GRACE_MS, &err), 0);
    assert_int_equal(fx_end(f, key).signal, 15);
    fx_forget(f, key);
}

static const struct job job_deaf = {.sh = "trap '' TERM; echo ready; while :; do sleep 0.05; done",
                                    .fake =
                                        "FAKE_RUN_MS=forever FAKE_IGNORE_TERM=1 FAKE_LOG=ready"};

static void test_stop_kills_after_the_grace(void **state)
{
    struct fixture *f = *state;
    struct attempt_key key = fx_running(f, &job_deaf);
    struct err err;
    fx_wait_log(f, key, "ready");
    assert_int_equal(fx_stop(f, key, 300, &err), 0);
    assert_int_equal(fx_end(f, key).signal, 9);
    fx_forget(f, key);
}

static void test_smaller_grace_shortens(void **state)
{
    struct fixture *f = *state;
    struct attempt_key key = fx_running(f, &job_deaf);
    struct err err;
    fx_wait_log(f, key, "ready");
    assert_int_equal(fx_stop(f, key, 10 * SUITE_DEADLINE_MS, &err), 0);
    assert_int_equal(fx_stop(f, key, 100, &err), 0);
    assert_int_equal(fx_end(f, key).signal, 9);
    fx_forget(f, key);
}

static void test_larger_grace_does_not_lengthen(void **state)
{
    struct fixture *f = *state;
    struct attempt_key key = fx_running(f, &job_deaf);
    struct err err;
    fx_wait_log(f, key, "ready");
    assert_int_equal(fx_stop(f, key, 300, &err), 0);
    assert_int_equal(fx_stop(f, key, 10 * SUITE_DEADLINE_MS, &err), 0);
    assert_int_equal(fx_end(f, key).signal, 9);
    fx_forget(f, key);
}

static void test_stop_without_grace(void **state)
{
    struct fixture *f = *state;
    struct attempt_key key = fx_running(f, &job_deaf);
    struct err err;
    assert_int_equal(fx_stop(f, key, 0, &err), 0);
    assert_int_equal(fx_end(f, key).signal, 9);
    fx_forget(f, key);
}

static void test_negative_grace_is_refused(void **state)
{
    struct fixture *f = *state;
    struct err err;
    assert_int_equal(fx_stop(f, fx_key(f), -1, &err), -BERR_INVALID);
}

static void test_stop_before_it_runs(void **state)
{
    struct fixture *f = *state;
    struct job job = {.sh = "exec sleep 1000", .fake = "FAKE_PREPARE_MS=10000 FAKE_RUN_MS=forever"};
    struct attempt_key key = fx_key(f);
    struct err err;
    assert_int_equal(fx_start(f, key, &job, 1, &err), 0);
    assert_int_equal(fx_stop(f, key, SUITE_GRACE_MS, &err), 0);
    const struct seen *gone = fx_wait(f, key, ENGINE_EV_GONE);
    assert_int_equal(gone->reason, END_NONE);
    fx_barrier(f);
    assert_int_equal(fx_count(f, key, ENGINE_EV_TASK_STARTED),
                     fx_count(f, key, ENGINE_EV_TASK_ENDED));
    fx_forget(f, key);
}

static void test_forget_before_gone_is_refused(void **state)
{
    struct fixture *f = *state;
    struct job job = JOB_FOREVER;
    struct attempt_key key = fx_running(f, &job);
    struct err err;
    assert_int_equal(f->ops->forget(f->e, key, &err), -BERR_CONFLICT);
    assert_int_equal(fx_stop(f, key, 0, &err), 0);
    fx_end(f, key);
    fx_forget(f, key);
    fx_forget(f, fx_key(f)); /* unknown: accepted */
}

static void test_suspend_and_resume(void **state)
{
    struct fixture *f = *state;
    struct job job = {.sh = "i=0; while [ $i -lt 8 ]; do i=$((i+1)); sleep 0.1; done; exit 5",
                      .fake = "FAKE_RUN_MS=800 FAKE_EXIT=5"};
    struct err err;
    fx_need(f, ENGINE_BIT_SUSPEND);
    struct attempt_key key = fx_running(f, &job);
    assert_int_equal(f->ops->suspend(f->e, key, &err), 0);
    fx_wait(f, key, ENGINE_EV_SUSPENDED);
    assert_int_equal(f->ops->suspend(f->e, key, &err), 0);
    int64_t until_ms = f->now_ms(f) + 1500; /* would be over by then */
    while (f->now_ms(f) < until_ms)
        f->turn(f);
    assert_null(fx_find(f, key, ENGINE_EV_TASK_ENDED));
    fx_reopen(f);
    assert_true(fx_find(f, key, ENGINE_EV_ATTEMPT_SEEN)->suspended);
    assert_int_equal(f->ops->resume(f->e, key, &err), 0);
    fx_wait(f, key, ENGINE_EV_RESUMED);
    assert_int_equal(fx_end(f, key).exit_code, 5);
    fx_forget(f, key);
}

static void test_stop_while_suspended(void **state)
{
    struct fixture *f = *state;
    struct job job = {.sh = "trap 'exit 7' TERM; echo ready; while :; do sleep 0.05; done",
                      .fake = "FAKE_RUN_MS=forever FAKE_TERM_EXIT=7 FAKE_LOG=ready"};
    struct err err;
    fx_need(f, ENGINE_BIT_SUSPEND);
    struct attempt_key key = fx_running(f, &job);
    fx_wait_log(f, key, "ready");
    assert_int_equal(f->ops->suspend(f->e, key, &err), 0);
    fx_wait(f, key, ENGINE_EV_SUSPENDED);
    assert_int_equal(fx_stop(f, key, SUITE_GRACE_MS, &err), 0);
    assert_int_equal(fx_end(f, key).exit_code, 7);
    fx_forget(f, key);
}

static void test_suspend_at_the_wrong_time(void **state)
{
    struct fixture *f = *state;
    struct job job = JOB_QUICK;
    struct err err;
    fx_need(f, ENGINE_BIT_SUSPEND);
    assert_int_equal(f->ops->suspend(f->e, fx_key(f), &err), -BERR_NOT_FOUND);
    assert_int_equal(f->ops->resume(f->e, fx_key(f), &err), -BERR_NOT_FOUND);
    struct attempt_key key = fx_running(f, &job);
    fx_end(f, key);
    assert_int_equal(f->ops->suspend(f->e, key, &err), -BERR_CONFLICT);
    fx_forget(f, key);
}

static void test_missing_abilities_are_named(void **state)
{
    struct fixture *f = *state;
    struct err err;
    const struct engine_ops *ops = f->ops;
    assert_true(ops->open && ops->close && ops->start && ops->stop && ops->suspend && ops->resume &&
                ops->forget && ops->log_read && ops->log_remove && ops->stats);
    assert_ptr_equal(engine_find(ops->name), ops);
    if (!fx_can(f, ENGINE_BIT_SUSPEND)) {
        assert_int_equal(ops->suspend(f->e, fx_key(f), &err), -BERR_UNSUPPORTED);
        assert_non_null(strstr(err.text, "suspend"));
    }
    if (!fx_can(f, ENGINE_BIT_LOGS)) {
        assert_int_equal(ops->log_read(f->e, fx_key(f), 0, 0, 1, NULL, NULL, &err),
                         -BERR_UNSUPPORTED);
        assert_non_null(strstr(err.text, "logs"));
    }
    assert_int_equal(engine_unsupported(ops->name, ENGINE_BIT_EXEC, &err), -BERR_UNSUPPORTED);
    assert_non_null(strstr(err.text, ops->name));
    assert_non_null(strstr(err.text, "exec"));
}

static void test_stats(void **state)
{
    struct fixture *f = *state;
    struct job job = {.sh = "echo ready; exec sleep 1000",
                      .fake = "FAKE_RUN_MS=forever FAKE_LOG=ready"};
    struct attempt_key key = fx_running(f, &job);
    struct engine_stats stats = {0};
    struct err err;
    fx_wait_log(f, key, "ready");
    assert_int_equal(fx_stats(f, key, &stats), 0);
    assert_true(stats.processes >= 1);
    assert_true(stats.memory_bytes > 0);
    assert_true(stats.memory_peak_bytes >= stats.memory_bytes);
    assert_int_equal(fx_stop(f, key, 0, &err), 0);
    fx_end(f, key);
    fx_forget(f, key);
    assert_int_equal(fx_stats(f, key, &stats), -BERR_NOT_FOUND);
    assert_int_equal(fx_stats(f, fx_key(f), &stats), -BERR_NOT_FOUND);
}

const struct CMUnitTest suite_orders[] = {
    cmocka_unit_test(test_start_runs_and_ends),
    cmocka_unit_test(test_started_order_may_be_repeated),
    cmocka_unit_test(test_start_of_a_gone_key_starts_nothing),
    cmocka_unit_test(test_gone_key_stays_gone),
    cmocka_unit_test(test_older_fence_is_refused),
    cmocka_unit_test(test_next_attempt_of_a_workload),
    cmocka_unit_test(test_stop_of_an_unknown_key),
    cmocka_unit_test(test_stop_lets_it_end_well),
    cmocka_unit_test(test_stop_by_signal_shows_the_signal),
    cmocka_unit_test(test_stop_kills_after_the_grace),
    cmocka_unit_test(test_smaller_grace_shortens),
    cmocka_unit_test(test_larger_grace_does_not_lengthen),
    cmocka_unit_test(test_stop_without_grace),
    cmocka_unit_test(test_negative_grace_is_refused),
    cmocka_unit_test(test_stop_before_it_runs),
    cmocka_unit_test(test_forget_before_gone_is_refused),
    cmocka_unit_test(test_suspend_and_resume),
    cmocka_unit_test(test_stop_while_suspended),
    cmocka_unit_test(test_suspend_at_the_wrong_time),
    cmocka_unit_test(test_missing_abilities_are_named),
    cmocka_unit_test(test_stats),
};
const size_t suite_orders_count = ARRAY_LEN(suite_orders);
