/* Walks every pair of state and event. */
#include <testlib.h>
#include <stdlib.h>
#include "types/workload.h"

static void test_each_pair_stands_at_most_once(void **state)
{
    for (size_t i = 0; i < lifecycle_row_count; i++) {
        for (size_t k = 0; k < i; k++)
            assert_false(lifecycle_rows[i].from == lifecycle_rows[k].from &&
                         lifecycle_rows[i].event == lifecycle_rows[k].event);
    }
}

static void test_next_is_the_table(void **state)
{
    size_t allowed = 0;
    for (int s = 0; s < STATE_MAX; s++) {
        for (int e = 0; e < LIFE_MAX; e++) {
            enum workload_state to = STATE_MAX;
            if (lifecycle_next((enum workload_state)s, (enum life_event)e, &to)) {
                allowed++;
                assert_true((unsigned)to < STATE_MAX);
                assert_false(workload_state_is_final((enum workload_state)s));
                assert_int_not_equal(to, s);
            } else {
                assert_int_equal(to, STATE_MAX); /* untouched */
            }
        }
    }
    assert_int_equal(allowed, lifecycle_row_count);
}

/* States reachable from `from`, as bits. */
static unsigned reach(enum workload_state from)
{
    unsigned seen = 1u << from, before = 0;
    while (seen != before) {
        before = seen;
        for (size_t i = 0; i < lifecycle_row_count; i++) {
            if (seen >> lifecycle_rows[i].from & 1)
                seen |= 1u << lifecycle_rows[i].to;
        }
    }
    return seen;
}

static void test_every_state_is_reached_and_has_ways_out(void **state)
{
    const unsigned finals = 1u << STATE_SUCCEEDED | 1u << STATE_FAILED | 1u << STATE_STOPPED;
    assert_int_equal(reach(STATE_QUEUED), (1u << STATE_MAX) - 1);
    for (int s = 0; s < STATE_MAX; s++) {
        unsigned seen = reach((enum workload_state)s);
        if (workload_state_is_final((enum workload_state)s))
            assert_int_equal(seen, 1u << s);
        else
            assert_int_equal(seen & finals, finals);
    }
}

static void test_everything_alive_can_be_stopped(void **state)
{
    for (int s = 0; s < STATE_MAX; s++) {
        enum workload_state to;
        bool can_stop = lifecycle_next((enum workload_state)s, LIFE_STOP, &to);
        assert_int_equal(can_stop,
                         !workload_state_is_final((enum workload_state)s) && s != STATE_STOPPING);
    }
}

static void test_preempted_returns_to_the_queue(void **state)
{
    enum workload_state s = STATE_RUNNING;
    assert_true(lifecycle_next(s, LIFE_PREEMPT, &s));
    assert_int_equal(s, STATE_STOPPING);
    assert_true(lifecycle_next(s, LIFE_ENDED_RETRY, &s));
    assert_int_equal(s, STATE_PREEMPTED);
    assert_true(lifecycle_next(s, LIFE_REQUEUE, &s));
    assert_int_equal(s, STATE_QUEUED);
}

static void test_states_on_the_way_have_deadlines(void **state)
{
    for (int s = 0; s < STATE_MAX; s++) {
        bool is_passing = s == STATE_PREPARING || s == STATE_STARTING || s == STATE_STOPPING;
        assert_int_equal(lifecycle_deadline_ms((enum workload_state)s) > 0, is_passing);
    }
}

static void test_diagram_has_every_row(void **state)
{
    struct buf out = BUF(1 << 16);
    lifecycle_diagram(&out);
    assert_false(buf_is_failed(&out));
    for (size_t i = 0; i < lifecycle_row_count; i++) {
        char line[128];
        snprintf(
            line, sizeof(line), "    %s --> %s: %s\n", workload_state_names[lifecycle_rows[i].from],
            workload_state_names[lifecycle_rows[i].to], life_event_names[lifecycle_rows[i].event]);
        assert_non_null(strstr(buf_str(&out), line));
    }
    if (getenv("BERTH_PRINT_LIFECYCLE") != NULL)
        printf("%s", buf_str(&out));
    buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_pair_stands_at_most_once),
        cmocka_unit_test(test_next_is_the_table),
        cmocka_unit_test(test_every_state_is_reached_and_has_ways_out),
        cmocka_unit_test(test_everything_alive_can_be_stopped),
        cmocka_unit_test(test_preempted_returns_to_the_queue),
        cmocka_unit_test(test_states_on_the_way_have_deadlines),
        cmocka_unit_test(test_diagram_has_every_row),
    };
    return cmocka_run_group_tests_name("types/lifecycle", tests, NULL, NULL);
}
