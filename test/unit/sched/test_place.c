/* Where work goes: best fit, GPUs, levels, sites. */
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

static void test_whole_gpus_fill_used_nodes_first(void **state)
{
    world_node(&w, "n1", 16, 64, 4, 0);
    world_node(&w, "n2", 16, 64, 4, 0);
    world_run(&w, 1, 1000, 1, 2, 1000);
    world_wait(&w, world_shape(&w, 1, 1000, 1, 2000));
    world_expect(&w, "start 1 0@n2:2,3\n");
}

static void test_shares_fill_used_gpus_first(void **state)
{
    world_node(&w, "n1", 16, 64, 4, 0);
    world_run(&w, 0, 1000, 1, 1, 500);
    world_wait(&w, world_shape(&w, 1, 1000, 1, 500));
    world_wait(&w, world_shape(&w, 1, 1000, 1, 500));
    world_expect(&w, "start 1 0@n1:0/500\nstart 2 0@n1:1/500\n");
}

static void test_share_leaves_room_for_larger_shares(void **state)
{
    world_node(&w, "n1", 16, 64, 3, 0);
    struct sched_gpu *gpus = world_gpus(&w, 0);
    gpus[0].used_milli = 200;
    gpus[1].used_milli = 600;
    gpus[2].used_milli = 1000;
    world_wait(&w, world_shape(&w, 1, 1000, 1, 300));
    world_wait(&w, world_shape(&w, 1, 1000, 1, 800));
    world_expect(&w, "start 1 0@n1:1/300\nstart 2 0@n1:0/800\n");
}

static void test_model_and_gpu_memory(void **state)
{
    static const uint32_t t4[] = {1};
    world_node(&w, "n1", 16, 64, 4, 0);
    world_node(&w, "n2", 16, 64, 4, 1)->gpu_memory_bytes = 16 * GIB;
    struct sched_shape *wants_t4 = world_shape(&w, 1, 1000, 1, 1000);
    world_role(wants_t4, 0)->models = t4;
    world_role(wants_t4, 0)->model_count = 1;
    struct sched_shape *wants_40g = world_shape(&w, 1, 1000, 1, 1000);
    world_role(wants_40g, 0)->gpu_memory_min_bytes = 40 * GIB;
    world_wait(&w, wants_t4);
    world_wait(&w, wants_40g);
    world_expect(&w, "start 1 0@n2:0\nstart 2 0@n1:0\n");
}

static void test_cpu_work_stays_off_gpu_nodes(void **state)
{
    world_node(&w, "g1", 32, 128, 4, 0);
    world_node(&w, "c1", 4, 16, 0, 0);
    world_wait(&w, world_shape(&w, 1, 4000, 1, 0));
    world_wait(&w, world_shape(&w, 1, 4000, 1, 0));
    world_expect(&w, "start 1 0@c1\n"
                     "hold 2 1 reserved: nodes with GPUs have room, but keep it for GPU work (a "
                     "node without GPUs would take it)\n");
}

static void test_cpu_work_takes_what_busy_gpus_leave(void **state)
{
    world_node(&w, "g1", 32, 128, 4, 0);
    world_node(&w, "c1", 4, 16, 0, 0);
    world_run(&w, 0, 4000, 16, 4, 1000); /* all GPUs busy: nothing to keep free for */
    world_run(&w, 1, 4000, 1, 0, 0);
    world_wait(&w, world_shape(&w, 1, 4000, 1, 0));
    world_expect(&w, "start 1 0@g1\n");
}

static void test_cpu_work_where_only_gpu_nodes_exist(void **state)
{
    world_node(&w, "g1", 8, 32, 1, 0);
    world_wait(&w, world_shape(&w, 1, 6000, 1, 0));
    world_expect(&w, "start 1 0@g1\n");
}

static void test_set_headroom_always_holds(void **state)
{
    w.policy.gpu_cpu_reserve_milli = 4000;
    w.policy.gpu_memory_reserve_bytes = 0;
    world_node(&w, "g1", 8, 32, 1, 0);
    world_wait(&w, world_shape(&w, 1, 6000, 1, 0));
    world_wait(&w, world_shape(&w, 1, 4000, 1, 0));
    world_expect_part(&w, "start 2 0@g1\nhold 1 1 reserved");
}

static void test_apart(void **state)
{
    world_node(&w, "n1", 16, 64, 0, 0);
    world_node(&w, "n2", 16, 64, 0, 0);
    struct sched_shape *shape = world_shape(&w, 2, 1000, 1, 0);
    world_role(shape, 0)->apart = true;
    world_wait(&w, shape);
    world_expect(&w, "start 1 0@n1 0@n2\n");
}

static void test_together_on_a_host(void **state)
{
    world_node(&w, "n1", 16, 64, 2, 0);
    world_node(&w, "n2", 16, 64, 4, 0);
    struct sched_shape *shape = world_shape(&w, 4, 1000, 1, 1000);
    shape->together = 0;
    shape->together_hard = true;
    world_wait(&w, shape);
    world_expect(&w, "start 1 0@n2:0 0@n2:1 0@n2:2 0@n2:3\n");
}

static void test_together_in_a_rack_hard_and_soft(void **state)
{
    for (uint32_t i = 0; i < 4; i++)
        world_node(&w, i < 2 ? "a" : "b", 16, 64, 2, 0)->level[1] = i / 2;
    world_run(&w, 0, 1000, 1, 1, 1000);
    world_run(&w, 2, 1000, 1, 1, 1000);
    struct sched_shape *hard = world_shape(&w, 4, 1000, 1, 1000);
    hard->together = 1;
    hard->together_hard = true;
    struct sched_shape *soft = world_shape(&w, 4, 1000, 1, 1000);
    soft->together = 1;
    world_wait(&w, hard);
    world_expect(&w, "hold 1 1 topology: there is room now, but not where its tasks want to be "
                     "(without its rules about together and apart it could start now)\n");
    w.in.waiting_count = 0;
    world_wait(&w, soft);
    world_expect_part(&w, "start 1 ");
    w.in.waiting_count = 0;
    world_role(hard, 0)->count = 3;
    world_wait(&w, hard);
    world_expect(&w, "start 1 0@a:1 0@a:0 0@a:1\n");
}

static void test_gpus_of_one_island(void **state)
{
    world_node(&w, "n1", 16, 64, 4, 0);
    struct sched_gpu *gpus = world_gpus(&w, 0);
    for (uint32_t i = 0; i < 4; i++)
        gpus[i].link_group = (uint16_t)(1 + i / 2);
    gpus[0].used_milli = 1000;
    world_wait(&w, world_shape(&w, 1, 1000, 1, 2000));
    world_expect(&w, "start 1 0@n1:2,3\n");
}

static void test_gpus_of_one_numa_side(void **state)
{
    world_node(&w, "n1", 16, 64, 4, 0);
    struct sched_gpu *gpus = world_gpus(&w, 0);
    for (uint32_t i = 0; i < 4; i++)
        gpus[i].numa = (int16_t)(i / 2);
    world_wait(&w, world_shape(&w, 1, 1000, 1, 1000));
    world_wait(&w, world_shape(&w, 1, 1000, 1, 2000));
    world_expect(&w, "start 1 0@n1:0\nstart 2 0@n1:2,3\n");
}

static void test_only_the_named_node(void **state)
{
    world_node(&w, "n1", 16, 64, 0, 0);
    world_node(&w, "n2", 16, 64, 0, 0);
    struct sched_shape *shape = world_shape(&w, 1, 1000, 1, 0);
    shape->node = 1;
    world_wait(&w, shape);
    world_expect(&w, "start 1 0@n2\n");
}

static void test_a_gang_stays_at_one_site(void **state)
{
    world_node(&w, "n1", 4, 64, 0, 0);
    world_node(&w, "n2", 4, 64, 0, 0)->level[3] = 1;
    world_wait(&w, world_shape(&w, 2, 4000, 1, 0));
    world_expect_part(&w, "hold 1 1 impossible");
}

static void test_the_site_with_the_data(void **state)
{
    static const uint64_t bytes[] = {10, 20};
    world_node(&w, "n1", 4, 64, 0, 0);
    world_node(&w, "n2", 4, 64, 0, 0)->level[3] = 1;
    world_wait(&w, world_shape(&w, 1, 1000, 1, 0))->site_bytes = bytes;
    world_expect(&w, "start 1 0@n2\n");
}

static void test_unusable_gpus_are_left(void **state)
{
    world_node(&w, "n1", 4, 64, 2, 0);
    world_gpus(&w, 0)[0].usable = false;
    world_wait(&w, world_shape(&w, 1, 1000, 1, 1000));
    world_expect(&w, "start 1 0@n1:1\n");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_whole_gpus_fill_used_nodes_first),
        TEST(test_shares_fill_used_gpus_first),
        TEST(test_share_leaves_room_for_larger_shares),
        TEST(test_model_and_gpu_memory),
        TEST(test_cpu_work_stays_off_gpu_nodes),
        TEST(test_cpu_work_takes_what_busy_gpus_leave),
        TEST(test_cpu_work_where_only_gpu_nodes_exist),
        TEST(test_set_headroom_always_holds),
        TEST(test_apart),
        TEST(test_together_on_a_host),
        TEST(test_together_in_a_rack_hard_and_soft),
        TEST(test_gpus_of_one_island),
        TEST(test_gpus_of_one_numa_side),
        TEST(test_only_the_named_node),
        TEST(test_a_gang_stays_at_one_site),
        TEST(test_the_site_with_the_data),
        TEST(test_unusable_gpus_are_left),
    };
    return cmocka_run_group_tests_name("sched/place", tests, NULL, NULL);
}
