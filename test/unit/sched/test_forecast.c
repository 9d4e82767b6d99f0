/* Expected starts, and room kept for who has waited a while. */
#include "world.h"
#include "sched/learn.h"

static struct world w;

static int set_up(void **state)
{
    world_init(&w);
    w.in.now_ms = 100000000;
    return 0;
}

static int tear_down(void **state)
{
    world_done(&w);
    return 0;
}

static void test_unknown_stays_unknown(void **state)
{
    world_node(&w, "n1", 8, 32, 0, 0);
    world_run(&w, 0, 8000, 1, 0, 0);
    world_wait(&w, world_shape(&w, 1, 8000, 1, 0));
    world_plan(&w);
    assert_int_equal(w.plan.holds[0].eta_ms, 0);
}

static void test_one_after_the_other(void **state)
{
    world_node(&w, "n1", 8, 32, 0, 0);
    struct sched_running *r = world_run(&w, 0, 8000, 1, 0, 0);
    r->started_ms = 99000000;
    r->expect_ms = 1500000;
    world_wait(&w, world_shape(&w, 1, 8000, 1, 0))->expect_ms = 200000;
    world_wait(&w, world_shape(&w, 1, 8000, 1, 0))->limit_ms = 300000;
    world_wait(&w, world_shape(&w, 1, 8000, 1, 0));
    world_plan(&w);
    assert_int_equal(w.plan.holds[0].eta_ms, 100500000);
    assert_int_equal(w.plan.holds[0].eta_low_ms, 100250000);
    assert_int_equal(w.plan.holds[0].eta_high_ms, 101000000);
    assert_int_equal(w.plan.holds[1].eta_ms, 100700000);
    assert_int_equal(w.plan.holds[2].eta_ms, 101000000);
}

static void test_a_limit_ends_what_was_expected_to_run_longer(void **state)
{
    world_node(&w, "n1", 8, 32, 0, 0);
    struct sched_running *r = world_run(&w, 0, 8000, 1, 0, 0);
    r->started_ms = 99000000;
    r->expect_ms = 15000000;
    r->ends_by_ms = 100100000;
    world_wait(&w, world_shape(&w, 1, 8000, 1, 0));
    world_plan(&w);
    assert_int_equal(w.plan.holds[0].eta_ms, 100100000);
}

/* A large job is not passed for ever by small ones that always fit. */
static void test_room_is_kept_for_the_head(void **state)
{
    world_node(&w, "n1", 8, 32, 4, 0);
    world_node(&w, "n2", 8, 32, 4, 0);
    world_run(&w, 0, 1000, 1, 1, 1000);
    world_run(&w, 1, 1000, 1, 3, 1000);
    world_wait(&w, world_shape(&w, 1, 1000, 1, 4000))->submitted_ms = 99000000;
    for (int i = 0; i < 2; i++)
        world_wait(&w, world_shape(&w, 1, 1000, 1, 1000))->submitted_ms = 99900000;
    world_expect(&w, "start 2 0@n2:3\n"
                     "hold 1 1 resources: no node has 4 free GPUs: the largest free block is 3 on "
                     "n1 (with 3 GPUs it could start now)\n"
                     "hold 3 2 reserved: free room is kept for work that has waited longer\n");
}

static void test_nothing_is_kept_at_first_or_when_switched_off(void **state)
{
    world_node(&w, "n1", 8, 32, 4, 0);
    world_run(&w, 0, 1000, 1, 1, 1000);
    world_wait(&w, world_shape(&w, 1, 1000, 1, 4000))->submitted_ms = 99999000;
    world_wait(&w, world_shape(&w, 1, 1000, 1, 1000));
    world_expect_part(&w, "start 2 0@n1:1\n");
    w.waiting[0].submitted_ms = 1;
    w.policy.backfill_depth = 0;
    world_expect_part(&w, "start 2 0@n1:1\n");
}

static void test_run_times_are_learned(void **state)
{
    struct sched_history h = {0};
    int64_t expect = 7, spread = 7;
    for (int i = 0; i < 2; i++)
        sched_history_add(&h, 60000);
    assert_false(sched_history_expect(&h, 0, &expect, &spread));
    assert_int_equal(expect, 7);
    sched_history_add(&h, 60000);
    assert_true(sched_history_expect(&h, 0, &expect, &spread));
    assert_in_range(expect, 50000, 72000);
    assert_int_equal(spread, 0);
    /* who has run longer than most will run longer still */
    for (int i = 0; i < 3; i++)
        sched_history_add(&h, 36000000);
    assert_true(sched_history_expect(&h, 120000, &expect, &spread));
    assert_in_range(expect, 30000000, 43000000);
    sched_history_add(&h, -5);
    sched_history_add(&h, INT64_MAX);
    assert_int_equal(h.count, 7);
    assert_false(sched_history_expect(&h, INT64_MAX, &expect, &spread));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_unknown_stays_unknown),
        TEST(test_one_after_the_other),
        TEST(test_a_limit_ends_what_was_expected_to_run_longer),
        TEST(test_room_is_kept_for_the_head),
        TEST(test_nothing_is_kept_at_first_or_when_switched_off),
        TEST(test_run_times_are_learned),
    };
    return cmocka_run_group_tests_name("sched/forecast", tests, NULL, NULL);
}
