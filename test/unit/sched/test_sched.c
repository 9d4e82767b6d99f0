/* Order, skipping, back-off, and the same answer every time. */
#include "world.h"

static struct world w;

static int set_up(void **state)
{
    world_init(&w);
    return 0;
}

static int tear_down(void **state)
{
    world_done(&w);
    return 0;
}

static void test_nothing_to_do(void **state)
{
    world_expect(&w, "");
}

static void test_first_come_first_served(void **state)
{
    world_node(&w, "n1", 4, 16, 0, 0);
    world_wait(&w, world_shape(&w, 1, 3000, 1, 0));
    world_wait(&w, world_shape(&w, 1, 3000, 1, 0));
    world_expect(&w, "start 1 0@n1\n"
                     "hold 2 1 resources: no node has 3 cores, 1G free: the most is 1 core, 15G on "
                     "n1 (with 1 core, 15G it could start now)\n");
}

static void test_priority_goes_first(void **state)
{
    world_node(&w, "n1", 4, 16, 0, 0);
    world_wait(&w, world_shape(&w, 1, 3000, 1, 0));
    world_wait(&w, world_shape(&w, 1, 3000, 1, 0))->priority = 100;
    world_expect_part(&w, "start 2 0@n1\nhold 1 1 resources");
}

static void test_what_fits_may_pass(void **state)
{
    world_node(&w, "n1", 4, 16, 0, 0);
    world_run(&w, 0, 2000, 1, 0, 0);
    world_wait(&w, world_shape(&w, 1, 3000, 1, 0));
    world_wait(&w, world_shape(&w, 1, 1000, 1, 0));
    world_expect_part(&w, "start 2 0@n1\nhold 1 1 resources");
}

static void test_nobody_passes_without_skip(void **state)
{
    w.policy.skip = false;
    world_node(&w, "n1", 4, 16, 0, 0);
    world_run(&w, 0, 2000, 1, 0, 0);
    world_wait(&w, world_shape(&w, 1, 9000, 1, 0)); /* impossible work blocks nobody */
    world_wait(&w, world_shape(&w, 1, 3000, 1, 0));
    world_wait(&w, world_shape(&w, 1, 1000, 1, 0));
    world_expect_part(&w, "hold 1 1 impossible: no node has 9 cores, 1G: the largest node has 4 "
                          "cores, 16G\nhold 2 2 resources");
    world_expect_part(&w, "hold 3 3 order: work before it in the queue starts first\n");
}

static void test_backoff_wakes(void **state)
{
    world_node(&w, "n1", 4, 16, 0, 0);
    world_wait(&w, world_shape(&w, 1, 1000, 1, 0))->not_before_ms = 1005000;
    world_wait(&w, world_shape(&w, 1, 1000, 1, 0))->not_before_ms = 1003000;
    world_wait(&w, world_shape(&w, 1, 1000, 1, 0))->not_before_ms = 1000000; /* over */
    world_expect(&w, "start 3 0@n1\n"
                     "hold 1 1 back-off: it failed and waits a little before the next try eta "
                     "1005000..1005000..1005000\n"
                     "hold 2 2 back-off: it failed and waits a little before the next try eta "
                     "1003000..1003000..1003000\n"
                     "wake 1003000\n");
}

static void test_gang_all_or_nothing(void **state)
{
    world_node(&w, "n1", 8, 64, 2, 0);
    world_node(&w, "n2", 8, 64, 2, 0);
    world_wait(&w, world_shape(&w, 5, 1000, 1, 1000));
    world_wait(&w, world_shape(&w, 4, 1000, 1, 1000));
    world_expect_part(&w, "start 2 0@n1:0 0@n1:1 0@n2:0 0@n2:1\nhold 1 1 impossible: all nodes "
                          "together have room for 4 of its 5 tasks");
}

static void test_same_input_same_bytes(void **state)
{
    for (int i = 0; i < 20; i++)
        world_node(&w, "n", 16, 64, (uint32_t)i % 5, (uint32_t)i % 2);
    for (int i = 0; i < 60; i++)
        world_wait(&w, world_shape(&w, 1 + (uint32_t)i % 3, 500 * (i % 7), 1 + (uint64_t)i % 9,
                                   i % 4 * 500 - i % 4 * 500 % 1000));
    char *first = mem_strdup(world_plan(&w));
    assert_string_equal(world_plan(&w), first);
    mem_free(first);
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
    world_node(&w, "n1", 4, 16, 2, 0);
    world_node(&w, "n2", 4, 16, 0, 0)->usable = false;
    world_run(&w, 0, 1000, 1, 1, 1000);
    world_wait(&w, world_shape(&w, 1, 1000, 1, 1000));
    world_wait(&w, world_shape(&w, 2, 1000, 1, 1000));
    world_wait(&w, world_shape(&w, 1, 1000, 1, 0));
    world_wait(&w, world_shape(&w, 1, 99000, 1, 0));
    test_torture(run_once, NULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_nothing_to_do),
        TEST(test_first_come_first_served),
        TEST(test_priority_goes_first),
        TEST(test_what_fits_may_pass),
        TEST(test_nobody_passes_without_skip),
        TEST(test_backoff_wakes),
        TEST(test_gang_all_or_nothing),
        TEST(test_same_input_same_bytes),
        TEST(test_memory_short_anywhere),
    };
    return cmocka_run_group_tests_name("sched/sched", tests, NULL, NULL);
}
