/* Inputs that contradict themselves are refused. */
#include "world.h"

static struct world w;

static int set_up(void **state)
{
    world_init(&w);
    world_node(&w, "n1", 8, 32, 2, 0);
    return 0;
}

static int tear_down(void **state)
{
    world_done(&w);
    return 0;
}

static void test_gpu_held_twice(void **state)
{
    world_run(&w, 0, 1000, 1, 1, 1000);
    world_run(&w, 0, 1000, 1, 1, 1000);
    w.running[1].slots = w.running[0].slots;
    world_refuses(&w, "GPU 0 of node 0 is held twice");
}

static void test_node_numbers(void **state)
{
    world_run(&w, 0, 1000, 1, 1, 1000);
    w.in.node_count = 0;
    world_refuses(&w, "has a task nowhere");
    w.in.node_count = 1;
    world_gpus(&w, 0)[1].index = 0;
    world_refuses(&w, "has GPU 0 twice");
    world_gpus(&w, 0)[1].index = 1;
    world_gpus(&w, 0)[1].used_milli = 1001;
    world_refuses(&w, "used to 1001");
}

static void test_unknown_gpu(void **state)
{
    world_run(&w, 0, 1000, 1, 1, 1000);
    world_gpus(&w, 0)[0].index = 9;
    world_refuses(&w, "holds GPU 0 of node 0, which is not there");
}

static void test_queue_circle(void **state)
{
    w.in.queue_count = 3;
    w.queues[0] = (struct sched_queue){.name = "a", .parent = 2};
    w.queues[1] = (struct sched_queue){.name = "b", .parent = 0};
    w.queues[2] = (struct sched_queue){.name = "c", .parent = 1};
    world_refuses(&w, "form a circle");
    w.queues[0].parent = 7;
    world_refuses(&w, "parent that is not there");
}

static void test_queue_numbers(void **state)
{
    w.in.queue_count = 1;
    w.queues[0] = (struct sched_queue){.name = "a", .parent = SCHED_NONE};
    world_wait(&w, world_shape(&w, 1, 1000, 1, 0))->queue = 1;
    world_refuses(&w, "names queue 1 of 1");
}

static void test_no_policy(void **state)
{
    w.in.policy = NULL;
    world_refuses(&w, "no policy");
}

static void test_held_gpus_count_even_if_the_node_forgot(void **state)
{
    world_run(&w, 0, 1000, 1, 1, 1000);
    world_gpus(&w, 0)[0].used_milli = 0;
    world_wait(&w, world_shape(&w, 1, 1000, 1, 1000));
    assert_string_equal(world_plan(&w), "start 1 0@n1:1\n");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_gpu_held_twice),
        TEST(test_node_numbers),
        TEST(test_unknown_gpu),
        TEST(test_queue_circle),
        TEST(test_queue_numbers),
        TEST(test_no_policy),
        TEST(test_held_gpus_count_even_if_the_node_forgot),
    };
    return cmocka_run_group_tests_name("sched/input", tests, NULL, NULL);
}
