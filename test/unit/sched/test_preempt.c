/* Who has to go, who is moved, and who is left alone. */
#include "world.h"

static struct world w;

static int set_up(void **state)
{
    world_init(&w);
    w.in.now_ms = 100000000;
    w.policy.order = SCHED_ORDER_FAIR;
    w.policy.preempt = true;
    return 0;
}

static int tear_down(void **state)
{
    world_done(&w);
    return 0;
}

static struct sched_running *runs(uint32_t node, uint32_t gpus, int64_t for_ms)
{
    struct sched_running *r = world_run(&w, node, 1000, 1, gpus, 1000);
    r->started_ms = w.in.now_ms - for_ms;
    r->preemptible = true;
    return r;
}

static void test_who_was_served_most_goes(void **state)
{
    world_node(&w, "n1", 64, 256, 2, 0);
    runs(0, 1, 3600000);
    runs(0, 1, 36000000);
    world_wait(&w, world_shape(&w, 1, 1000, 1, 1000));
    world_expect_part(&w, "preempt 1002: it makes room for work that was served less so far\n"
                          "start 1 0@n1:1\n");
}

static void test_priority_goes_before_service(void **state)
{
    world_node(&w, "n1", 64, 256, 2, 0);
    runs(0, 1, 3600000)->priority = -100;
    runs(0, 1, 36000000);
    world_wait(&w, world_shape(&w, 1, 1000, 1, 1000));
    world_expect_part(&w, "preempt 1001: it makes room for work of higher priority\n");
}

static void test_minimum_run_time(void **state)
{
    world_node(&w, "n1", 64, 256, 1, 0);
    runs(0, 1, w.policy.min_run_ms - 1);
    world_wait(&w, world_shape(&w, 1, 1000, 1, 1000))->priority = 100;
    world_expect_part(&w, "hold 1 1 resources: no node has 1 free GPU");
    assert_int_equal(w.plan.action_count, 0);
}

static void test_only_who_allows_it(void **state)
{
    world_node(&w, "n1", 64, 256, 1, 0);
    runs(0, 1, 36000000)->preemptible = false;
    world_wait(&w, world_shape(&w, 1, 1000, 1, 1000))->priority = 100;
    world_plan(&w);
    assert_int_equal(w.plan.action_count, 0);
}

static void test_not_when_switched_off(void **state)
{
    w.policy.preempt = false;
    world_node(&w, "n1", 64, 256, 1, 0);
    runs(0, 1, 36000000);
    world_wait(&w, world_shape(&w, 1, 1000, 1, 1000))->priority = 100;
    world_plan(&w);
    assert_int_equal(w.plan.action_count, 0);
}

static void test_as_few_as_possible(void **state)
{
    world_node(&w, "n1", 64, 256, 4, 0);
    world_node(&w, "n2", 64, 256, 4, 0);
    for (int i = 0; i < 4; i++)
        runs(0, 1, 72000000);
    runs(1, 4, 36000000);
    world_wait(&w, world_shape(&w, 1, 1000, 1, 4000));
    world_expect_part(&w, "preempt 1005: ");
    assert_int_equal(w.plan.action_count, 2);
}

static void test_leaving_work_is_waited_for(void **state)
{
    world_node(&w, "n1", 64, 256, 2, 0);
    runs(0, 1, 36000000);
    runs(0, 1, 3600000)->leaving = true;
    world_wait(&w, world_shape(&w, 1, 1000, 1, 1000));
    world_expect_part(&w, "hold 1 1 resources: room is being made for it");
    assert_int_equal(w.plan.action_count, 0);
}

static void test_no_swap_among_equals(void **state)
{
    world_node(&w, "n1", 64, 256, 1, 0);
    runs(0, 1, 3600000)->submitted_ms = 1;
    world_wait(&w, world_shape(&w, 1, 1000, 1, 1000))->served_ms = 3600000;
    world_plan(&w);
    assert_int_equal(w.plan.action_count, 0);
}

/* A large task's turn has come: what is small and comes before it moves, what comes after it goes. */
static void test_small_work_moves_for_a_large_task(void **state)
{
    world_node(&w, "n1", 64, 256, 4, 0);
    world_node(&w, "n2", 64, 256, 4, 0);
    runs(0, 1, 1200000);  /* served little: it comes before the large task */
    runs(1, 4, 72000000); /* served much */
    struct sched_waiting *large = world_wait(&w, world_shape(&w, 2, 1000, 1, 4000));
    large->served_ms = 3600000;
    world_plan(&w);
    assert_int_equal(w.plan.action_count, 0); /* two whole nodes, and no third for the small one */
    world_node(&w, "n3", 64, 256, 1, 0);
    world_expect_part(&w, "preempt 1002: ");
    world_expect_part(&w, "preempt 1001: ");
    world_expect_part(&w, "start 1 0@n1:0,1,2,3 0@n2:0,1,2,3\n");
}

static void test_who_waited_too_long_goes_first(void **state)
{
    world_node(&w, "n1", 64, 256, 2, 0);
    runs(0, 1, 1200000);
    runs(0, 1, 1200000);
    struct sched_waiting *late = world_wait(&w, world_shape(&w, 1, 1000, 1, 1000));
    late->served_ms = 72000000;
    world_plan(&w);
    assert_int_equal(w.plan.action_count, 0);
    late->waited_ms = w.policy.wait_bound_ms;
    world_plan(&w);
    assert_int_equal(w.plan.action_count, 2);
}

static int run_once(void *ctx)
{
    struct arena arena = ARENA(64u << 20);
    struct sched_plan plan;
    struct err err;
    int rc = sched_run(&w.in, &arena, &plan, &err);
    arena_done(&arena);
    return rc;
}

static void test_memory_short_anywhere(void **state)
{
    world_node(&w, "n1", 64, 256, 4, 0);
    world_node(&w, "n2", 64, 256, 4, 0);
    world_node(&w, "n3", 64, 256, 1, 0);
    runs(0, 1, 1200000);
    runs(1, 4, 72000000);
    world_wait(&w, world_shape(&w, 2, 1000, 1, 4000))->served_ms = 3600000;
    world_wait(&w, world_shape(&w, 1, 1000, 1, 1000));
    test_torture(run_once, NULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_who_was_served_most_goes),
        TEST(test_priority_goes_before_service),
        TEST(test_minimum_run_time),
        TEST(test_only_who_allows_it),
        TEST(test_not_when_switched_off),
        TEST(test_as_few_as_possible),
        TEST(test_leaving_work_is_waited_for),
        TEST(test_no_swap_among_equals),
        TEST(test_small_work_moves_for_a_large_task),
        TEST(test_who_waited_too_long_goes_first),
        TEST(test_memory_short_anywhere),
    };
    return cmocka_run_group_tests_name("sched/preempt", tests, NULL, NULL);
}
