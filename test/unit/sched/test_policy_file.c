/* The policy file, right and wrong. */
#include <stdlib.h>
#include "sched/policy_file.h"
#include "world.h"

static int parse(const char *yaml, struct arena *arena, struct sched_policy_file *ret,
                 struct err *err)
{
    err_clear(err);
    return sched_policy_parse(yaml, strlen(yaml), arena, ret, err);
}

static void test_what_is_left_out_is_default(void **state)
{
    struct arena arena = ARENA(1 << 20);
    struct sched_policy_file file;
    struct sched_policy policy;
    struct err err;
    sched_policy_default(&policy);
    assert_int_equal(parse("skip: true\n", &arena, &file, &err), 0);
    assert_int_equal(file.queue_count, 0);
    assert_int_equal(file.policy.order, policy.order);
    assert_int_equal(file.policy.min_run_ms, policy.min_run_ms);
    assert_int_equal(file.policy.wait_bound_ms, policy.wait_bound_ms);
    assert_int_equal(file.policy.gpu_cpu_reserve_milli, -1);
    assert_int_equal(file.policy.gpu_memory_reserve_bytes, -1);
    assert_int_equal(file.policy.backfill_depth, policy.backfill_depth);
    arena_done(&arena);
}

static void test_all_of_it(void **state)
{
    struct arena arena = ARENA(1 << 20);
    struct sched_policy_file file;
    struct err err;
    int rc = parse("order: fair\npreempt: true\nmin_run: 5m\nwait_bound: 0s\n"
                   "gpu_reserve: {cpu: 500m, memory: 4G}\n"
                   "queues:\n"
                   "  vision: {parent: lab, guarantee: {gpu: 8}, weight: 2, user_gpu: 0.5}\n"
                   "  lab: {limit: {gpu: 32, cpu: 64, memory: 256G}}\n",
                   &arena, &file, &err);
    if (rc != 0)
        fail_msg("%s", err.text);
    assert_int_equal(file.policy.order, SCHED_ORDER_FAIR);
    assert_int_equal(file.policy.min_run_ms, 300000);
    assert_int_equal(file.policy.wait_bound_ms, 0);
    assert_int_equal(file.policy.gpu_cpu_reserve_milli, 500);
    assert_int_equal(file.queue_count, 2);
    const struct sched_queue *vision = &file.queues[0], *lab = &file.queues[1];
    assert_string_equal(vision->name, "vision");
    assert_int_equal(vision->parent, 1);
    assert_int_equal(vision->guarantee.gpu_milli, 8000);
    assert_int_equal(vision->guarantee.cpu_milli, 0);
    assert_int_equal(vision->limit.gpu_milli, -1);
    assert_int_equal(vision->weight_milli, 2000);
    assert_int_equal(vision->user_limit_gpu_milli, 500);
    assert_int_equal(lab->parent, SCHED_NONE);
    assert_int_equal(lab->limit.cpu_milli, 64000);
    assert_true(lab->limit.memory_bytes == (int64_t)(256 * GIB));
    arena_done(&arena);
}

static void refuses(const char *yaml, const char *field, int line, const char *part)
{
    struct arena arena = ARENA(1 << 20);
    struct sched_policy_file file;
    struct err err;
    int rc = parse(yaml, &arena, &file, &err);
    if (rc != -BERR_INVALID || strcmp(err.field, field) != 0 || err.line != line ||
        strstr(err.text, part) == NULL)
        fail_msg("%s: %d %s:%d %s", yaml, rc, err.field, err.line, err.text);
    arena_done(&arena);
}

static void test_wrong_files_are_refused_with_their_place(void **state)
{
    refuses("order: fastest\n", "order", 1, "one of fifo, fair");
    refuses("skip: true\npremept: true\n", "premept", 2, "unknown key");
    refuses("min_run: 10\n", "min_run", 1, "duration");
    refuses("queues:\n  a: {parent: b}\n", "queues.a.parent", 2, "no such queue");
    refuses("queues:\n  a: {parent: b}\n  b: {parent: a}\n", "queues.a.parent", 2, "circle");
    refuses("queues:\n  a: {guarantee: {gpu: 4}, limit: {gpu: 2}}\n", "queues.a.guarantee", 2,
            "above the limit");
    refuses("queues:\n  a: {weight: -1}\n", "queues.a.weight", 2, "between");
}

/* The file that is shipped says what the code does when there is none. */
static void test_shipped_file_is_the_default(void **state)
{
    struct arena arena = ARENA(1 << 20);
    struct sched_policy_file file;
    struct sched_policy policy;
    struct err err;
    const char *path = getenv("BERTH_POLICY_FILE");
    if (path == NULL)
        skip();
    char *text = test_read_file(path, NULL);
    sched_policy_default(&policy);
    assert_int_equal(parse(text, &arena, &file, &err), 0);
    assert_int_equal(file.policy.order, policy.order);
    assert_int_equal(file.policy.skip, policy.skip);
    assert_int_equal(file.policy.preempt, policy.preempt);
    assert_int_equal(file.policy.min_run_ms, policy.min_run_ms);
    assert_int_equal(file.policy.preempt_cost_ms, policy.preempt_cost_ms);
    assert_int_equal(file.policy.half_life_ms, policy.half_life_ms);
    assert_int_equal(file.policy.wait_bound_ms, policy.wait_bound_ms);
    assert_int_equal(file.policy.backfill_depth, policy.backfill_depth);
    mem_free(text);
    arena_done(&arena);
}

static int parse_once(void *ctx)
{
    struct arena arena = ARENA(1 << 20);
    struct sched_policy_file file;
    struct err err;
    int rc = parse("queues: {a: {parent: b}, b: {weight: 2}}\n", &arena, &file, &err);
    arena_done(&arena);
    return rc;
}

static void test_memory_short_anywhere(void **state)
{
    test_torture(parse_once, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_left_out_is_default),
        cmocka_unit_test(test_all_of_it),
        cmocka_unit_test(test_wrong_files_are_refused_with_their_place),
        cmocka_unit_test(test_shipped_file_is_the_default),
        cmocka_unit_test(test_memory_short_anywhere),
    };
    return cmocka_run_group_tests_name("sched/policy_file", tests, NULL, NULL);
}
