/* Ends told apart, gangs, and nothing left behind. */
#include "suite.h"

#include "base/alloc.h"
#include <string.h>

static struct engine_task_facts run(struct fixture *f, const struct job *job,
                                    struct attempt_key *ret_key)
{
    struct attempt_key key = fx_running(f, job);
    struct engine_task_facts facts = fx_end(f, key);
    assert_int_equal(fx_find(f, key, ENGINE_EV_GONE)->reason, END_NONE);
    if (f->leftovers != NULL && f->leftovers(f, key) != NULL)
        fail_msg("left behind: %s", f->leftovers(f, key));
    fx_forget(f, key);
    if (ret_key != NULL)
        *ret_key = key;
    return facts;
}

static void test_exit_codes(void **state)
{
    struct fixture *f = *state;
    static const struct job jobs[] = {
        {.sh = "exit 1", .fake = "FAKE_RUN_MS=1 FAKE_EXIT=1"},
        {.sh = "exit 137", .fake = "FAKE_RUN_MS=1 FAKE_EXIT=137"}, /* not a signal */
        {.sh = "exit 255", .fake = "FAKE_RUN_MS=1 FAKE_EXIT=255"},
    };
    static const int codes[] = {1, 137, 255};
    for (size_t i = 0; i < ARRAY_LEN(jobs); i++) {
        struct engine_task_facts facts = run(f, &jobs[i], NULL);
        assert_int_equal(facts.exit_code, codes[i]);
        assert_int_equal(facts.signal, 0);
        assert_false(facts.out_of_memory);
        assert_false(facts.disk_full);
    }
}

static void test_signal(void **state)
{
    struct fixture *f = *state;
    struct job job = {.sh = "kill -SEGV $$", .fake = "FAKE_RUN_MS=1 FAKE_SIGNAL=11"};
    struct engine_task_facts facts = run(f, &job, NULL);
    assert_int_equal(facts.signal, 11);
    assert_false(facts.out_of_memory);
}

static void test_own_kill_is_not_out_of_memory(void **state)
{
    struct fixture *f = *state;
    struct job job = {.sh = "kill -KILL $$", .fake = "FAKE_RUN_MS=1 FAKE_SIGNAL=9"};
    struct engine_task_facts facts = run(f, &job, NULL);
    assert_int_equal(facts.signal, 9);
    assert_false(facts.out_of_memory);
}

static void test_out_of_memory(void **state)
{
    struct fixture *f = *state;
    struct job job = {
        .sh = "exec tail /dev/zero", .fake = "FAKE_RUN_MS=1 FAKE_OOM=1", .memory_bytes = 32 << 20};
    struct engine_task_facts facts = run(f, &job, NULL);
    assert_true(facts.out_of_memory);
    assert_int_equal(facts.signal, 9);
}

static void test_disk_full(void **state)
{
    struct fixture *f = *state;
    struct job job = {.sh = "cat /dev/zero > ~/filler || exit 1",
                      .fake = "FAKE_RUN_MS=1 FAKE_DISK_FULL=1",
                      .disk_bytes = 64 << 20};
    fx_need(f, ENGINE_BIT_DISK_LIMIT);
    struct engine_task_facts facts = run(f, &job, NULL);
    assert_true(facts.disk_full);
    assert_int_equal(facts.exit_code, 1);
}

static void failed_start(struct fixture *f, const struct engine_start *order,
                         enum end_reason reason, const char *words)
{
    struct err err;
    struct attempt_key key = order->key;
    assert_int_equal(fx_give(f, order, &err), 0);
    const struct seen *gone = fx_wait(f, key, ENGINE_EV_GONE);
    assert_int_equal(gone->reason, reason);
    if (strstr(gone->text, words) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", gone->text, words);
    if (f->leftovers != NULL && f->leftovers(f, key) != NULL)
        fail_msg("left behind: %s", f->leftovers(f, key));
    fx_forget(f, key);
}

static void test_command_not_found(void **state)
{
    struct fixture *f = *state;
    struct job job = {.sh = "", .fake = "FAKE_START_ERROR=no-such-command:not-found"};
    const char *command[] = {"no-such-command"};
    struct engine_start *order = fx_order(f, fx_key(f), &job, 1);
    struct engine_task task = order->tasks[0];
    task.command = (struct js_strs){.items = command, .len = 1};
    order->tasks = &task;
    failed_start(f, order, END_START_ERROR, "no-such-command");
}

static void test_missing_image(void **state)
{
    struct fixture *f = *state;
    struct job job = {.sh = "true", .fake = "FAKE_IMAGE_ERROR=layer-0000-is-missing"};
    struct engine_start *order = fx_order(f, fx_key(f), &job, 1);
    struct image *image = mem_alloc(sizeof(*image));
    assert_non_null(image);
    *image = f->image;
    memset(image->layers[0], '0', 64);
    image->layers[0][64] = '\0';
    image->layer_count = 1;
    order->image = image;
    failed_start(f, order, END_IMAGE_ERROR, "layer");
    mem_free(image);
}

/* One of three can't start: none runs, and nothing of the others stays. */
static void test_gang_all_or_none(void **state)
{
    struct fixture *f = *state;
    struct job jobs[] = {
        JOB_FOREVER, JOB_FOREVER, {.sh = "", .fake = "FAKE_START_ERROR=no-such-command"}};
    const char *command[] = {"no-such-command"};
    struct engine_task tasks[3];
    fx_need(f, ENGINE_BIT_GANG);
    struct engine_start *order = fx_order(f, fx_key(f), jobs, 3);
    memcpy(tasks, order->tasks, sizeof(tasks));
    tasks[2].command = (struct js_strs){.items = command, .len = 1};
    order->tasks = tasks;
    struct err err;
    struct attempt_key key = order->key;
    assert_int_equal(fx_give(f, order, &err), 0);
    const struct seen *gone = fx_wait(f, key, ENGINE_EV_GONE);
    assert_int_equal(gone->reason, END_START_ERROR);
    assert_true(strstr(gone->text, "no-such-command") != NULL);
    if (f->leftovers != NULL && f->leftovers(f, key) != NULL)
        fail_msg("left behind: %s", f->leftovers(f, key));
    fx_forget(f, key);
}

static void test_gang_of_two(void **state)
{
    struct fixture *f = *state;
    struct job jobs[] = {
        {.sh = "sleep 0.1; exit 3", .fake = "FAKE_RUN_MS=100 FAKE_EXIT=3"},
        {.sh = "sleep 0.4; exit 0", .fake = "FAKE_RUN_MS=400"},
    };
    struct attempt_key key = fx_key(f);
    struct err err;
    fx_need(f, ENGINE_BIT_GANG);
    assert_int_equal(fx_start(f, key, jobs, 2, &err), 0);
    const struct seen *first = fx_wait(f, key, ENGINE_EV_TASK_ENDED);
    assert_int_equal(first->tasks[0].index, 0);
    assert_int_equal(first->tasks[0].exit_code, 3);
    assert_int_equal(fx_count(f, key, ENGINE_EV_TASK_STARTED), 2);
    assert_null(fx_find(f, key, ENGINE_EV_GONE)); /* one task's end is not the attempt's */
    const struct seen *second = fx_wait(f, key, ENGINE_EV_TASK_ENDED);
    assert_int_equal(second->tasks[0].index, 1);
    assert_int_equal(second->tasks[0].exit_code, 0);
    fx_wait(f, key, ENGINE_EV_GONE);
    fx_forget(f, key);
}

/* What a command leaves running is killed with it, before GONE. */
static void test_daemon_dies_with_its_task(void **state)
{
    struct fixture *f = *state;
    struct job job = {.sh = "setsid sleep 1000 >/dev/null 2>&1 & sleep 0.05; exit 0",
                      .fake = "FAKE_RUN_MS=50"};
    struct engine_task_facts facts = run(f, &job, NULL);
    assert_int_equal(facts.exit_code, 0);
}

static void test_environment_is_complete(void **state)
{
    struct fixture *f = *state;
    struct job job = {.sh = "[ \"$SUITE_WORD\" = 'a b\"c' ] && [ \"$HOME\" = /home/anna ] && "
                            "[ \"$(id -un)\" = anna ] && [ \"$(id -u)\" = 1000 ] && "
                            "[ \"$(hostname)\" = worker-0 ]",
                      .fake = "FAKE_RUN_MS=1"};
    assert_int_equal(run(f, &job, NULL).exit_code, 0);
}

static void test_gang_finds_each_other_by_name(void **state)
{
    struct fixture *f = *state;
    struct job jobs[] = {
        {.sh = "grep -w ps-0 /etc/hosts && grep -w worker-0 /etc/hosts",
         .fake = "FAKE_RUN_MS=1",
         .role = "ps",
         .rank = 0},
        {.sh = "grep -w ps-0 /etc/hosts && grep -w worker-0 /etc/hosts",
         .fake = "FAKE_RUN_MS=1",
         .role = "worker",
         .rank = 0},
    };
    struct attempt_key key = fx_key(f);
    struct err err;
    fx_need(f, ENGINE_BIT_GANG);
    assert_int_equal(fx_start(f, key, jobs, 2, &err), 0);
    const struct seen *a = fx_wait(f, key, ENGINE_EV_TASK_STARTED);
    const struct seen *b = fx_wait(f, key, ENGINE_EV_TASK_STARTED);
    assert_string_not_equal(a->tasks[0].address, b->tasks[0].address);
    for (int i = 0; i < 2; i++)
        assert_int_equal(fx_wait(f, key, ENGINE_EV_TASK_ENDED)->tasks[0].exit_code, 0);
    fx_wait(f, key, ENGINE_EV_GONE);
    fx_forget(f, key);
}

static void test_volume_outlives_its_task(void **state)
{
    struct fixture *f = *state;
    struct engine_volume volume = {
        .id = {id_from_random(4711)}, .size_bytes = 64 << 20, .path = "/home/anna"};
    static const struct job jobs[] = {
        {.sh = "echo kept > ~/mark", .fake = "FAKE_RUN_MS=1"},
        {.sh = "grep kept ~/mark", .fake = "FAKE_RUN_MS=1"},
        {.sh = "! touch ~/other", .fake = "FAKE_RUN_MS=1"}, /* read-only */
    };
    if (!f->has_volumes)
        skip();
    for (size_t i = 0; i < ARRAY_LEN(jobs); i++) {
        struct attempt_key key = fx_key(f);
        struct engine_start *order = fx_order(f, key, &jobs[i], 1);
        struct err err;
        volume.read_only = i == 2;
        order->volumes = &volume;
        order->volume_count = 1;
        assert_int_equal(fx_give(f, order, &err), 0);
        assert_int_equal(fx_end(f, key).exit_code, 0);
        fx_forget(f, key);
    }
}

const struct CMUnitTest suite_ends[] = {
    cmocka_unit_test(test_exit_codes),
    cmocka_unit_test(test_signal),
    cmocka_unit_test(test_own_kill_is_not_out_of_memory),
    cmocka_unit_test(test_out_of_memory),
    cmocka_unit_test(test_disk_full),
    cmocka_unit_test(test_command_not_found),
    cmocka_unit_test(test_missing_image),
    cmocka_unit_test(test_gang_all_or_none),
    cmocka_unit_test(test_gang_of_two),
    cmocka_unit_test(test_daemon_dies_with_its_task),
    cmocka_unit_test(test_environment_is_complete),
    cmocka_unit_test(test_gang_finds_each_other_by_name),
    cmocka_unit_test(test_volume_outlives_its_task),
};
const size_t suite_ends_count = ARRAY_LEN(suite_ends);
