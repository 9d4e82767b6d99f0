/* What a connection promises: nodes, the full list, work that goes on while
 * nobody looks. */
#include "suite.h"

#include "base/str.h"
#include <string.h>

static const struct attempt_key any = {0};

static size_t position(struct fixture *f, enum engine_event_kind kind)
{
    for (size_t i = 0; i < f->seen.len; i++)
        if (f->seen.items[i]->kind == kind)
            return i;
    fail_msg("no %s was seen", engine_event_names[kind]);
    return 0;
}

static void test_first_events_in_order(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(position(f, ENGINE_EV_CONNECTED), 0);
    assert_true(position(f, ENGINE_EV_NODE) < position(f, ENGINE_EV_LIST_BEGIN));
    assert_true(position(f, ENGINE_EV_LIST_BEGIN) < position(f, ENGINE_EV_LIST_END));
    assert_int_equal(fx_count(f, any, ENGINE_EV_LIST_END), 1);
}

static void test_node_tells_what_it_has(void **state)
{
    struct fixture *f = *state;
    const struct node *node = fx_find(f, any, ENGINE_EV_NODE)->node;
    assert_true(str_is_label(node->name));
    assert_string_equal(node->site, f->config.site);
    assert_true(node->ready);
    assert_true(node->cpu_milli >= 1000);
    assert_true(node->memory_bytes >= 1u << 30);
    assert_true(node->disk_bytes > 0);
    assert_true(node->gpu_count <= LIMIT_GPUS_PER_NODE);
    for (uint32_t i = 0; i < node->gpu_count; i++) {
        assert_int_equal(node->gpus[i].index, i);
        assert_true(node->gpus[i].uuid[0] != '\0' && node->gpus[i].model[0] != '\0');
        assert_true(node->gpus[i].memory_bytes > 0);
    }
}

static void test_no_order_before_the_list(void **state)
{
    struct fixture *f = *state;
    struct job job = JOB_QUICK;
    struct attempt_key key = fx_key(f);
    struct err err;
    fx_close(f);
    assert_int_equal(f->open(f, &err), 0);
    assert_int_equal(fx_start(f, key, &job, 1, &err), -BERR_UNAVAILABLE);
    assert_true(err.text[0] != '\0');
    assert_int_equal(fx_stop(f, key, 0, &err), -BERR_UNAVAILABLE);
    fx_wait(f, any, ENGINE_EV_LIST_END);
    assert_int_equal(fx_start(f, key, &job, 1, &err), 0);
    fx_end(f, key);
    fx_forget(f, key);
}

static void test_list_shows_a_running_attempt(void **state)
{
    struct fixture *f = *state;
    struct job job = JOB_FOREVER;
    struct attempt_key key = fx_running(f, &job);
    char address[48];
    struct err err;
    str_copy(address, sizeof(address), fx_find(f, key, ENGINE_EV_TASK_STARTED)->tasks[0].address);
    fx_reopen(f);
    const struct seen *s = fx_find(f, key, ENGINE_EV_ATTEMPT_SEEN);
    assert_non_null(s);
    assert_true(s->prepared);
    assert_false(s->gone);
    assert_false(s->suspended);
    assert_int_equal(s->task_count, 1);
    assert_true(s->tasks[0].started);
    assert_false(s->tasks[0].ended);
    assert_true(s->tasks[0].started_ms > 0);
    assert_string_equal(s->tasks[0].address, address);
    assert_int_equal(fx_count(f, key, ENGINE_EV_ATTEMPT_SEEN), 1);
    assert_int_equal(fx_stop(f, key, 0, &err), 0);
    fx_end(f, key);
    fx_forget(f, key);
}

static void test_list_shows_what_ended_meanwhile(void **state)
{
    struct fixture *f = *state;
    struct job job = {.sh = "sleep 0.3; exit 4", .fake = "FAKE_RUN_MS=300 FAKE_EXIT=4"};
    struct attempt_key key = fx_running(f, &job);
    fx_reopen(f);
    const struct seen *s = fx_find(f, key, ENGINE_EV_ATTEMPT_SEEN);
    assert_non_null(s);
    if (!s->gone) { /* it was not over yet: the events tell it */
        fx_end(f, key);
        fx_reopen(f);
        s = fx_find(f, key, ENGINE_EV_ATTEMPT_SEEN);
        assert_non_null(s);
    }
    assert_true(s->gone);
    assert_int_equal(s->reason, END_NONE);
    assert_int_equal(s->task_count, 1);
    assert_true(s->tasks[0].started && s->tasks[0].ended);
    assert_int_equal(s->tasks[0].exit_code, 4);
    assert_int_equal(s->tasks[0].signal, 0);
    assert_true(s->tasks[0].ended_ms >= s->tasks[0].started_ms);
    fx_forget(f, key);
}

static void test_list_keeps_a_failed_start(void **state)
{
    struct fixture *f = *state;
    struct job job = {.sh = "x", .fake = "FAKE_START_ERROR=no-such-command"};
    struct attempt_key key = fx_key(f);
    struct err err;
    struct engine_start *order = fx_order(f, key, &job, 1);
    const char *command[] = {"/no/such/command"};
    struct engine_task task = order->tasks[0];
    task.command = (struct js_strs){.items = command, .len = 1};
    order->tasks = &task;
    assert_int_equal(fx_give(f, order, &err), 0);
    fx_end(f, key);
    fx_reopen(f);
    const struct seen *s = fx_find(f, key, ENGINE_EV_ATTEMPT_SEEN);
    assert_non_null(s);
    assert_true(s->gone);
    assert_int_equal(s->reason, END_START_ERROR);
    assert_true(s->text[0] != '\0');
    fx_forget(f, key);
}

static void test_list_forgets_what_is_forgotten(void **state)
{
    struct fixture *f = *state;
    struct job job = JOB_QUICK;
    struct attempt_key key = fx_running(f, &job);
    fx_end(f, key);
    fx_forget(f, key);
    fx_forget(f, key); /* safe to repeat */
    fx_barrier(f);
    fx_reopen(f);
    assert_null(fx_find(f, key, ENGINE_EV_ATTEMPT_SEEN));
}

static void test_gang_is_listed_whole(void **state)
{
    struct fixture *f = *state;
    struct job jobs[] = {JOB_FOREVER, JOB_FOREVER, JOB_FOREVER};
    struct attempt_key key = fx_key(f);
    struct err err;
    fx_need(f, ENGINE_BIT_GANG);
    assert_int_equal(fx_start(f, key, jobs, 3, &err), 0);
    for (int i = 0; i < 3; i++)
        fx_wait(f, key, ENGINE_EV_TASK_STARTED);
    fx_reopen(f);
    const struct seen *s = fx_find(f, key, ENGINE_EV_ATTEMPT_SEEN);
    assert_non_null(s);
    assert_int_equal(s->task_count, 3);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(s->tasks[i].index, i);
        assert_true(s->tasks[i].started);
    }
    assert_int_equal(fx_stop(f, key, 0, &err), 0);
    fx_wait(f, key, ENGINE_EV_GONE);
    fx_forget(f, key);
}

static void test_broken_connection(void **state)
{
    struct fixture *f = *state;
    struct job job = JOB_FOREVER;
    struct attempt_key key = fx_running(f, &job);
    struct err err;
    f->break_connection(f);
    fx_wait(f, any, ENGINE_EV_DISCONNECTED);
    assert_int_equal(fx_stop(f, key, 0, &err), -BERR_UNAVAILABLE);
    f->mend_connection(f);
    fx_wait(f, any, ENGINE_EV_CONNECTED);
    fx_wait(f, any, ENGINE_EV_LIST_BEGIN);
    const struct seen *s = fx_wait(f, key, ENGINE_EV_ATTEMPT_SEEN);
    assert_true(s->tasks[0].started);
    assert_false(s->tasks[0].ended);
    fx_wait(f, any, ENGINE_EV_LIST_END);
    assert_int_equal(fx_count(f, key, ENGINE_EV_GONE), 0);
    assert_int_equal(fx_stop(f, key, 0, &err), 0);
    assert_int_equal(fx_end(f, key).signal, 9);
    fx_forget(f, key);
}

static void test_end_while_disconnected(void **state)
{
    struct fixture *f = *state;
    struct job job = {.sh = "sleep 0.2; exit 6", .fake = "FAKE_RUN_MS=200 FAKE_EXIT=6"};
    struct attempt_key key = fx_running(f, &job);
    f->break_connection(f);
    fx_wait(f, any, ENGINE_EV_DISCONNECTED);
    int64_t until_ms = f->now_ms(f) + 600;
    while (f->now_ms(f) < until_ms)
        f->turn(f);
    f->mend_connection(f);
    const struct seen *s = fx_wait(f, key, ENGINE_EV_ATTEMPT_SEEN);
    if (!s->gone) {
        fx_end(f, key);
        fx_reopen(f);
        s = fx_find(f, key, ENGINE_EV_ATTEMPT_SEEN);
    }
    assert_true(s->gone);
    assert_int_equal(s->tasks[0].exit_code, 6);
    fx_reopen(f);
    fx_forget(f, key);
}

const struct CMUnitTest suite_lists[] = {
    cmocka_unit_test(test_first_events_in_order),
    cmocka_unit_test(test_node_tells_what_it_has),
    cmocka_unit_test(test_no_order_before_the_list),
    cmocka_unit_test(test_list_shows_a_running_attempt),
    cmocka_unit_test(test_list_shows_what_ended_meanwhile),
    cmocka_unit_test(test_list_keeps_a_failed_start),
    cmocka_unit_test(test_list_forgets_what_is_forgotten),
    cmocka_unit_test(test_gang_is_listed_whole),
    cmocka_unit_test(test_broken_connection),
    cmocka_unit_test(test_end_while_disconnected),
};
const size_t suite_lists_count = ARRAY_LEN(suite_lists);
