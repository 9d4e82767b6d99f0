/* The reason of every wait, in words. */
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

static void test_largest_block(void **state)
{
    static const uint32_t a100[] = {0};
    world_node(&w, "n1", 64, 256, 8, 0);
    world_node(&w, "n2", 64, 256, 8, 0);
    world_run(&w, 0, 1000, 1, 4, 1000);
    world_run(&w, 1, 1000, 1, 3, 1000);
    struct sched_shape *shape = world_shape(&w, 1, 1000, 1, 8000);
    world_role(shape, 0)->models = a100;
    world_role(shape, 0)->model_count = 1;
    world_wait(&w, shape);
    world_expect(&w, "hold 1 1 resources: no node has 8 free GPUs of A100: the largest free block "
                     "is 5 on n2 (with 5 GPUs it could start now)\n");
}

static void test_part_of_a_gang(void **state)
{
    world_node(&w, "n1", 64, 256, 8, 0);
    world_run(&w, 0, 1000, 1, 5, 1000);
    world_wait(&w, world_shape(&w, 4, 1000, 1, 2000));
    world_expect(&w, "hold 1 1 resources: all 4 tasks must start at once, and there is room for 1 "
                     "now of 2 GPUs (with 1 replicas it could start now)\n");
}

static void test_cpu_short_beside_free_gpus(void **state)
{
    world_node(&w, "n1", 8, 32, 2, 0);
    world_run(&w, 0, 7000, 1, 1, 1000);
    world_wait(&w, world_shape(&w, 1, 4000, 1, 1000));
    world_expect(&w, "hold 1 1 resources: no node with free GPUs has 4 cores, 1G free: the most is "
                     "1 core, 31G on n1 (with 1 core, 31G it could start now)\n");
}

static void test_never(void **state)
{
    static const uint32_t t4[] = {1}, nobody[] = {SCHED_NONE};
    world_node(&w, "n1", 8, 32, 4, 0);
    world_node(&w, "n2", 4, 16, 0, 0);
    world_wait(&w, world_shape(&w, 1, 16000, 64, 0));
    world_wait(&w, world_shape(&w, 1, 1000, 1, 8000));
    struct sched_shape *shape = world_shape(&w, 1, 1000, 1, 1000);
    world_role(shape, 0)->models = t4;
    world_role(shape, 0)->model_count = 1;
    world_wait(&w, shape);
    shape = world_shape(&w, 1, 1000, 1, 1000);
    world_role(shape, 0)->models = nobody;
    world_role(shape, 0)->model_count = 1;
    world_wait(&w, shape);
    shape = world_shape(&w, 1, 1000, 1, 1000);
    world_role(shape, 0)->gpu_memory_min_bytes = 80 * GIB;
    world_wait(&w, shape);
    shape = world_shape(&w, 1, 1000, 1, 0);
    world_role(shape, 0)->disk_bytes = 2000 * GIB;
    world_wait(&w, shape);
    world_expect(
        &w, "hold 1 1 impossible: no node has 16 cores, 64G: the largest node has 8 cores, 32G\n"
            "hold 2 2 impossible: no node has 8 GPUs: the largest has 4 (n1)\n"
            "hold 3 3 impossible: no node has a GPU of T4\n"
            "hold 4 4 impossible: no node has a GPU of a model that is not here\n"
            "hold 5 5 impossible: no GPU has 80G of memory: the largest has 40G\n"
            "hold 6 6 impossible: no node has 2.0 TiB of disk: the largest has 1000 GiB\n");
}

static void test_no_nodes(void **state)
{
    world_wait(&w, world_shape(&w, 1, 1000, 1, 0));
    world_expect(&w, "hold 1 1 impossible: there are no nodes\n");
}

static void test_nodes_away(void **state)
{
    world_node(&w, "n1", 8, 32, 4, 0)->usable = false;
    world_node(&w, "n2", 4, 16, 0, 0);
    world_wait(&w, world_shape(&w, 1, 1000, 1, 1000));
    world_expect(&w, "hold 1 1 nodes-away: only nodes that are drained or not ready could hold it "
                     "(it starts when they are back)\n");
}

static void test_named_node_gone(void **state)
{
    world_node(&w, "n1", 8, 32, 0, 0);
    struct sched_shape *shape = world_shape(&w, 1, 1000, 1, 0);
    shape->node = 7;
    world_wait(&w, shape);
    world_expect(&w, "hold 1 1 impossible: the node it names is not there\n");
}

static void test_nonsense_is_held(void **state)
{
    world_node(&w, "n1", 8, 32, 4, 0);
    world_wait(&w, world_shape(&w, 1, -1, 1, 0));
    world_wait(&w, world_shape(&w, 1, 1000, 1, -1000));
    world_wait(&w, world_shape(&w, 1, 1000, 1, 1500));
    world_wait(&w, world_shape(&w, 0, 1000, 1, 0));
    world_wait(&w, world_shape(&w, UINT32_MAX, 1000, 1, 0));
    world_wait(&w, world_shape(&w, 1, INT64_MAX, 1, 0));
    world_expect(&w, "hold 1 1 impossible: it asks for less than no CPU\n"
                     "hold 2 2 impossible: it asks for less than no GPU\n"
                     "hold 3 3 impossible: more than one GPU must be a whole number, not 1.5\n"
                     "hold 4 4 impossible: it has no tasks\n"
                     "hold 5 5 impossible: it has 4294967295 tasks, at most 4096 are possible\n"
                     "hold 6 6 impossible: it asks for more than any machine can have\n");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_largest_block),
        TEST(test_part_of_a_gang),
        TEST(test_cpu_short_beside_free_gpus),
        TEST(test_never),
        TEST(test_no_nodes),
        TEST(test_nodes_away),
        TEST(test_named_node_gone),
        TEST(test_nonsense_is_held),
    };
    return cmocka_run_group_tests_name("sched/explain", tests, NULL, NULL);
}
