/*
 * control in virtual time: each way a workload can go, and thousands of random histories with
 * faults, in which nothing may run twice, be lost, or be left behind.
 */
#include <stdlib.h>
#include <unistd.h>
#include "base/log.h"
#include "world.h"

#define JOB(extra) "kind: job\nimage: test\ncommand: [run]\n" extra

static int setup(void **state)
{
    static struct world w;
    world_init(&w, test_seed());
    *state = &w;
    return 0;
}

static int teardown(void **state)
{
    world_done(*state);
    return 0;
}

/* Everything has ended: no engine knows anything any more, nothing is counted as used. */
static void expect_clean(struct world *w)
{
    world_run(w, 5000);
    assert_int_equal(fake_running(w->machines), 0);
    assert_int_equal(fake_known(w->machines), 0);
    struct control_node n;
    for (size_t i = 0; control_next_node(w->control, &i, &n);) {
        assert_int_equal(n.cpu_used_milli, 0);
        assert_int_equal(n.memory_used_bytes, 0);
        for (uint32_t g = 0; g < n.node->gpu_count; g++)
            assert_int_equal(n.gpu_used_milli[g], 0);
    }
}

static void test_succeeds(void **state)
{
    struct world *w = *state;
    uint64_t id = world_submit(w, JOB("name: ok\n"));
    assert_int_equal(w->last_rc, 0);
    assert_true(world_settle(w, 60000));
    world_expect(w, id, STATE_SUCCEEDED, END_COMPLETED);
    expect_clean(w);
}

static void test_exit_code(void **state)
{
    struct world *w = *state;
    uint64_t id = world_submit(w, JOB("env: {FAKE_EXIT: '3'}\n"));
    assert_true(world_settle(w, 60000));
    world_expect(w, id, STATE_FAILED, END_EXIT_CODE);
    assert_int_equal(world_find(w, id)->attempt->end_code, 3);
    assert_int_equal(world_find(w, id)->attempts, 1);
    expect_clean(w);
}

static void test_retry_on_exit(void **state)
{
    struct world *w = *state;
    uint64_t id = world_submit(
        w, JOB("retry: {max: 3, on: ['exit:75']}\nenv: {FAKE_EXIT_1: '75', FAKE_EXIT_2: '75'}\n"));
    assert_true(world_settle(w, 120000));
    world_expect(w, id, STATE_SUCCEEDED, END_COMPLETED);
    assert_int_equal(world_find(w, id)->attempts, 3);
    expect_clean(w);
}

static void test_signal_oom_told_apart(void **state)
{
    struct world *w = *state;
    uint64_t killed = world_submit(w, JOB("env: {FAKE_SIGNAL: '11'}\n"));
    uint64_t oom = world_submit(w, JOB("env: {FAKE_OOM: '1'}\n"));
    uint64_t disk = world_submit(w, JOB("env: {FAKE_DISK_FULL: '1'}\n"));
    assert_true(world_settle(w, 60000));
    world_expect(w, killed, STATE_FAILED, END_SIGNAL);
    world_expect(w, oom, STATE_FAILED, END_OUT_OF_MEMORY);
    world_expect(w, disk, STATE_FAILED, END_DISK_LIMIT);
    expect_clean(w);
}

static void test_time_limit(void **state)
{
    struct world *w = *state;
    uint64_t id = world_submit(w, JOB("time_limit: 5s\nenv: {FAKE_RUN_MS: forever}\n"));
    world_run(w, 4000);
    world_expect(w, id, STATE_RUNNING, END_NONE);
    assert_true(world_settle(w, 60000));
    world_expect(w, id, STATE_FAILED, END_TIME_LIMIT);
    expect_clean(w);
}

static void test_stop_with_grace(void **state)
{
    struct world *w = *state;
    uint64_t id = world_submit(w, JOB("env: {FAKE_RUN_MS: forever, FAKE_IGNORE_TERM: '1'}\n"));
    world_run(w, 2000);
    world_stop(w, id, 3000);
    assert_int_equal(w->last_rc, 0);
    world_run(w, 2000);
    world_expect(w, id, STATE_STOPPING, END_NONE);
    world_run(w, 2000);
    world_expect(w, id, STATE_STOPPED, END_STOPPED);
    world_stop(w, id, 0);
    assert_int_equal(w->last_err.code, BERR_CONFLICT);
    expect_clean(w);
}

static void test_stop_while_queued(void **state)
{
    struct world *w = *state;
    uint64_t big =
        world_submit(w, JOB("roles: {a: {cpu: 8, memory: 1G, gpu: 2}, b: {cpu: 8, memory: 1G}}\n"
                            "env: {FAKE_RUN_MS: forever}\n"));
    world_run(w, 1000);
    world_expect(w, big, STATE_RUNNING, END_NONE);
    uint64_t waits = world_submit(w, JOB(""));
    world_run(w, 1000);
    world_expect(w, waits, STATE_QUEUED, END_NONE);
    assert_string_equal(world_find(w, waits)->hold_code, "resources");
    world_stop(w, waits, -1);
    world_expect(w, waits, STATE_STOPPED, END_NONE);
    world_stop(w, big, 0);
    world_run(w, 1000);
    expect_clean(w);
}

static void test_parameter_servers_end(void **state)
{
    struct world *w = *state;
    uint64_t id = world_submit(
        w, JOB("roles: {ps: {replicas: 1, cpu: 1, memory: 1G, env: {FAKE_RUN_MS: forever}},"
               " worker: {replicas: 2, cpu: 1, memory: 1G}}\nstop_when: worker\n"));
    assert_int_equal(w->last_rc, 0);
    assert_true(world_settle(w, 120000));
    world_expect(w, id, STATE_SUCCEEDED, END_COMPLETED);
    expect_clean(w);
}

static void test_node_death_restarts(void **state)
{
    struct world *w = *state;
    uint64_t id = world_submit(w, JOB("env: {FAKE_RUN_MS: '20000'}\n"));
    world_run(w, 3000);
    char node[64];
    snprintf(node, sizeof(node), "%s", world_find(w, id)->attempt->tasks[0].node);
    fake_node_kill(w->machines, node);
    world_run(w, 5000);
    fake_node_return(w->machines, node);
    assert_true(world_settle(w, 120000));
    world_expect(w, id, STATE_SUCCEEDED, END_COMPLETED);
    assert_int_equal(world_find(w, id)->attempts, 2);
    expect_clean(w);
}

static void test_restart_keeps_running(void **state)
{
    struct world *w = *state;
    uint64_t id = world_submit(w, JOB("env: {FAKE_RUN_MS: '20000'}\n"));
    world_run(w, 3000);
    world_restart(w);
    world_run(w, 3000);
    world_expect(w, id, STATE_RUNNING, END_NONE);
    assert_true(world_settle(w, 120000));
    world_expect(w, id, STATE_SUCCEEDED, END_COMPLETED);
    assert_int_equal(world_find(w, id)->attempts, 1);
    expect_clean(w);
}

static void test_refusals_say_where(void **state)
{
    struct world *w = *state;
    world_submit(w, JOB("roles: {worker: {cpu: 100, memory: 1G}}\n"));
    assert_int_equal(w->last_err.code, BERR_INVALID);
    assert_string_equal(w->last_err.field, "roles.worker.cpu");
    assert_non_null(strstr(w->last_err.text, "largest node has 8"));
    world_submit(w, "kind: job\nimage: nosuch\ncommand: [x]\n");
    assert_string_equal(w->last_err.field, "image");
    world_submit(w, JOB("project: other\n"));
    assert_string_equal(w->last_err.field, "project");
    size_t i = 0;
    assert_null(control_next(w->control, &i));
}

/* ---- random histories ---- */

static void random_job(struct world *w)
{
    static const char *const scripts[] = {
        "",
        "env: {FAKE_EXIT: '1'}\n",
        "env: {FAKE_SIGNAL: '9'}\n",
        "env: {FAKE_OOM: '1'}\n",
        "env: {FAKE_RUN_MS: '30000'}\n",
        "env: {FAKE_RUN_MS: '100'}\n",
        "env: {FAKE_IMAGE_ERROR: 'no such layer'}\n",
        "env: {FAKE_ENGINE_ERROR_1: 'broken pipe'}\n",
        "env: {FAKE_HANG_1: start}\n",
        "time_limit: 3s\nenv: {FAKE_RUN_MS: forever}\n",
        "env: {FAKE_IGNORE_TERM: '1', FAKE_RUN_MS: '9000'}\ngrace: 2s\n",
    };
    char yaml[512];
    int replicas = 1 + (int)rnd_below(&w->rnd, 3);
    snprintf(yaml, sizeof(yaml),
             JOB("roles: {worker: {replicas: %d, cpu: %d, memory: %dG, gpu: %d}}\n") "%s", replicas,
             1 + (int)rnd_below(&w->rnd, 8 / (uint64_t)replicas), 1 + (int)rnd_below(&w->rnd, 8),
             replicas < 3 && rnd_below(&w->rnd, 6) == 0,
             scripts[rnd_below(&w->rnd, ARRAY_LEN(scripts))]);
    world_submit(w, yaml);
    assert_int_equal(w->last_rc, 0);
}

static void random_fault(struct world *w)
{
    const char *node = rnd_below(&w->rnd, 2) ? "n1" : "n2";
    size_t i = 0, skip = rnd_below(&w->rnd, 8);
    const struct workload *wl = NULL;
    switch (rnd_below(&w->rnd, 8)) {
    case 0:
        fake_node_kill(w->machines, node);
        break;
    case 1:
        fake_node_lose(w->machines, node);
        break;
    case 2:
        fake_disconnect(w->machines);
        break;
    case 3:
        fake_fail_order(w->machines, 1 + (uint32_t)rnd_below(&w->rnd, 3),
                        (enum fake_fault)rnd_below(&w->rnd, 3), BERR_UNAVAILABLE);
        break;
    case 4:
    case 5:
        world_restart(w);
        break;
    case 6:
        for (size_t n = 0; n <= skip; n++)
            wl = control_next(w->control, &i);
        if (wl)
            world_stop(w, wl->id.v, (int64_t)rnd_below(&w->rnd, 3000));
        break;
    default:
        break;
    }
}

static void heal(struct world *w)
{
    fake_chaos_set(w->machines, &(struct fake_chaos){0});
    fake_reconnect(w->machines);
    fake_node_return(w->machines, "n1");
    fake_node_return(w->machines, "n2");
}

static void random_history(uint64_t seed)
{
    struct world w;
    world_init(&w, seed);
    fake_chaos_set(w.machines, &(struct fake_chaos){.seed = seed,
                                                    .repeat_per_mille = 100,
                                                    .late_per_mille = 200,
                                                    .late_max_ms = 500});
    for (int step = 0; step < 60; step++) {
        if (rnd_below(&w.rnd, 3) == 0)
            random_job(&w);
        if (rnd_below(&w.rnd, 6) == 0)
            random_fault(&w);
        if (rnd_below(&w.rnd, 10) == 0)
            heal(&w);
        world_run(&w, 1 + (int64_t)rnd_below(&w.rnd, 4000));
    }
    /* Faults that are still to come may break the connection again; a real driver reconnects. */
    bool settled = false;
    for (int hour = 0; hour < 24 && !settled; hour++) {
        heal(&w);
        settled = world_settle(&w, 3600 * 1000ll);
    }
    if (!settled) {
        world_print(&w);
        fail_msg("seed %llu: not everything ended", (unsigned long long)seed);
    }
    heal(&w);
    expect_clean(&w);
    world_done(&w);
}

static void test_random_histories(void **state)
{
    (void)state;
    const char *count_text = getenv("BERTH_SIM_SEEDS");
    uint64_t count = count_text ? strtoull(count_text, NULL, 10) : 300;
    uint64_t base = getenv("BERTH_TEST_SEED") ? test_seed() : 1000;
    for (uint64_t i = 0; i < count; i++) {
        if (getenv("BERTH_SIM_TRACE"))
            fprintf(stderr, "seed %llu\n", (unsigned long long)(base + i));
        random_history(base + i);
    }
}

int main(void)
{
    log_open(STDERR_FILENO, "sim", getenv("BERTH_SIM_TRACE") ? LOG_DEBUG : LOG_ERROR, true);
#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_succeeds),
        CASE(test_exit_code),
        CASE(test_retry_on_exit),
        CASE(test_signal_oom_told_apart),
        CASE(test_time_limit),
        CASE(test_stop_with_grace),
        CASE(test_stop_while_queued),
        CASE(test_parameter_servers_end),
        CASE(test_node_death_restarts),
        CASE(test_restart_keeps_running),
        CASE(test_refusals_say_where),
        cmocka_unit_test(test_random_histories),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
