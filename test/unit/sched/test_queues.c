/* The queue tree: limits, guarantees, turns. */
#include "world.h"

static struct world w;
static const struct sched_amount open_limit = {-1, -1, -1, NULL};

static int set_up(void **state)
{
    world_init(&w);
    w.policy.order = SCHED_ORDER_FAIR;
    return 0;
}

static int tear_down(void **state)
{
    world_done(&w);
    return 0;
}

static struct sched_queue *add_queue(const char *name, uint32_t parent, int64_t guarantee_gpus)
{
    struct sched_queue *q = &w.queues[w.in.queue_count++];
    *q = (struct sched_queue){.name = name,
                              .parent = parent,
                              .guarantee = {0, 0, 1000 * guarantee_gpus, NULL},
                              .limit = open_limit,
                              .weight_milli = 1000,
                              .user_limit_gpu_milli = -1};
    return q;
}

static struct sched_waiting *wait_in(uint32_t queue, int64_t gpus)
{
    struct sched_waiting *wait = world_wait(&w, world_shape(&w, 1, 1000, 1, 1000 * gpus));
    wait->queue = queue;
    return wait;
}

static void test_limit(void **state)
{
    world_node(&w, "n1", 64, 256, 8, 0);
    add_queue("research", SCHED_NONE, 0)->limit.gpu_milli = 2000;
    wait_in(0, 1);
    wait_in(0, 2);
    wait_in(0, 1);
    world_expect(&w, "start 1 0@n1:0\nstart 3 0@n1:1\n"
                     "hold 2 1 queue-limit: queue research uses 1 of its limit of 2 GPUs\n");
}

static void test_limit_of_a_model_and_of_the_parent(void **state)
{
    static const int64_t models[] = {1000, -1, -1, -1};
    static const uint32_t a100[] = {0};
    world_node(&w, "n1", 64, 256, 8, 0);
    add_queue("lab", SCHED_NONE, 0)->limit.gpu_model_milli = models;
    add_queue("lab-a", 0, 0);
    for (int i = 0; i < 2; i++) {
        struct sched_shape *shape = world_shape(&w, 1, 1000, 1, 1000);
        world_role(shape, 0)->models = a100;
        world_role(shape, 0)->model_count = 1;
        world_wait(&w, shape)->queue = 1;
    }
    world_expect(&w, "start 1 0@n1:0\n"
                     "hold 2 1 queue-limit: queue lab uses 1 of its limit of 1 GPUs of A100\n");
}

static void test_limit_per_user(void **state)
{
    world_node(&w, "n1", 64, 256, 8, 0);
    add_queue("lab", SCHED_NONE, 0)->user_limit_gpu_milli = 1000;
    wait_in(0, 1)->user = 7;
    wait_in(0, 1)->user = 7;
    wait_in(0, 1)->user = 8;
    world_expect(&w, "start 1 0@n1:0\nstart 3 0@n1:1\n"
                     "hold 2 1 user-limit: its user has 1 of at most 1 GPUs in queue lab\n");
}

static void test_who_is_owed_comes_first(void **state)
{
    world_node(&w, "n1", 64, 256, 2, 0);
    add_queue("rich", SCHED_NONE, 0);
    add_queue("owed", SCHED_NONE, 1);
    wait_in(0, 1);
    wait_in(0, 1);
    wait_in(1, 1);
    world_expect_part(&w, "start 3 0@n1:0\nstart 1 0@n1:1\nhold 2 ");
}

static void test_idle_guarantee_is_lent(void **state)
{
    world_node(&w, "n1", 64, 256, 2, 0);
    add_queue("rich", SCHED_NONE, 0);
    add_queue("owed", SCHED_NONE, 2);
    wait_in(0, 1);
    wait_in(0, 1);
    world_expect_part(&w, "start 1 0@n1:0\nstart 2 0@n1:1\n");
}

static void test_weights_share_what_is_over(void **state)
{
    world_node(&w, "n1", 64, 256, 6, 0);
    add_queue("light", SCHED_NONE, 0);
    add_queue("heavy", SCHED_NONE, 0)->weight_milli = 2000;
    for (int i = 0; i < 12; i++)
        wait_in((uint32_t)i / 6, 1);
    world_plan(&w);
    uint32_t heavy = 0;
    for (uint32_t i = 0; i < w.plan.action_count; i++)
        heavy += w.waiting[w.plan.actions[i].index].queue == 1;
    assert_int_equal(w.plan.action_count, 6);
    assert_int_equal(heavy, 4);
}

static void test_past_use_counts(void **state)
{
    world_node(&w, "n1", 64, 256, 1, 0);
    add_queue("used-much", SCHED_NONE, 0)->usage = 1e12;
    add_queue("used-little", SCHED_NONE, 0);
    wait_in(0, 1);
    wait_in(1, 1);
    world_expect_part(&w, "start 2 0@n1:0\nhold 1 ");
}

static void test_children_share_their_parents_turn(void **state)
{
    world_node(&w, "n1", 64, 256, 4, 0);
    add_queue("a", SCHED_NONE, 0);
    add_queue("b", SCHED_NONE, 0);
    add_queue("a1", 0, 0);
    add_queue("a2", 0, 0);
    for (uint32_t i = 0; i < 4; i++) {
        wait_in(1, 1);
        wait_in(2, 1);
        wait_in(3, 1);
    }
    world_plan(&w);
    uint32_t by_queue[4] = {0};
    for (uint32_t i = 0; i < w.plan.action_count; i++)
        by_queue[w.waiting[w.plan.actions[i].index].queue]++;
    assert_int_equal(by_queue[1], 2);
    assert_int_equal(by_queue[2], 1);
    assert_int_equal(by_queue[3], 1);
}

static void test_guarantee_is_reclaimed(void **state)
{
    w.policy.preempt = true;
    w.policy.min_run_ms = 0;
    world_node(&w, "n1", 64, 256, 2, 0);
    add_queue("rich", SCHED_NONE, 0);
    add_queue("owed", SCHED_NONE, 1);
    world_run(&w, 0, 1000, 1, 1, 1000)->started_ms = 500000;
    world_run(&w, 0, 1000, 1, 1, 1000)->started_ms = 400000; /* served more: goes */
    wait_in(1, 1);
    world_expect(&w, "preempt 1002: queue rich is over its guarantee, and queue owed is owed\n"
                     "start 1 0@n1:1\n");
}

static void test_what_is_guaranteed_is_not_taken(void **state)
{
    w.policy.preempt = true;
    w.policy.min_run_ms = 0;
    world_node(&w, "n1", 64, 256, 1, 0);
    add_queue("a", SCHED_NONE, 1);
    add_queue("b", SCHED_NONE, 1);
    world_run(&w, 0, 1000, 1, 1, 1000)->preemptible = true;
    wait_in(1, 1);
    world_expect_part(&w, "hold 1 1 resources: ");
    assert_int_equal(w.plan.action_count, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_limit),
        TEST(test_limit_of_a_model_and_of_the_parent),
        TEST(test_limit_per_user),
        TEST(test_who_is_owed_comes_first),
        TEST(test_idle_guarantee_is_lent),
        TEST(test_weights_share_what_is_over),
        TEST(test_past_use_counts),
        TEST(test_children_share_their_parents_turn),
        TEST(test_guarantee_is_reclaimed),
        TEST(test_what_is_guaranteed_is_not_taken),
    };
    return cmocka_run_group_tests_name("sched/queues", tests, NULL, NULL);
}
