/* The local engine against a runner that goes wrong: half-made attempts, lost connections, refused
 * orders. What works when all is well is tested by test/conform/engine. */
#include "mock_runner.h"

#include <signal.h>
#include "base/str.h"
#include "engine/local/local.h"
#include "ev/timer.h"
#include "os/clock.h"

struct seen {
    enum engine_event_kind kind;
    struct attempt_key key;
    enum end_reason reason;
    bool prepared, gone;
    struct engine_task_facts facts; /* of the first task told */
    char text[256];
};

struct ctx {
    struct ev_loop *loop;
    struct ev_timer *timer;
    struct mock mock;
    struct engine *e;
    struct node node;
    struct image image;
    VEC(struct seen) seen;
};

static void listen(void *arg, const struct engine_event *event)
{
    struct ctx *c = arg;
    struct seen *s = vec_push(&c->seen);
    assert_non_null(s);
    *s = (struct seen){.kind = event->kind,
                       .key = event->key,
                       .reason = event->reason,
                       .prepared = event->prepared,
                       .gone = event->gone};
    if (event->text != NULL)
        str_copy(s->text, sizeof(s->text), event->text);
    if (event->task_count > 0)
        s->facts = event->tasks[0];
    if (event->node != NULL)
        c->node = *event->node;
}

static const struct seen *find(struct ctx *c, enum engine_event_kind kind)
{
    for (size_t i = 0; i < c->seen.len; i++)
        if (c->seen.items[i].kind == kind)
            return &c->seen.items[i];
    return NULL;
}

static uint32_t count(struct ctx *c, enum engine_event_kind kind)
{
    uint32_t n = 0;
    for (size_t i = 0; i < c->seen.len; i++)
        n += c->seen.items[i].kind == kind;
    return n;
}

static void stop_loop(void *arg)
{
    ev_loop_stop(arg);
}

static void turn(struct ctx *c)
{
    ev_timer_start(c->timer, 2, 0);
    ev_loop_run(c->loop);
}

#define WAIT(cond)                                                 \
    do {                                                           \
        int64_t until_ms = os_clock_real()->mono_ms(NULL) + 20000; \
        while (!(cond)) {                                          \
            if (os_clock_real()->mono_ms(NULL) > until_ms)         \
                fail_msg("waited in vain for " #cond);             \
            turn(c);                                               \
        }                                                          \
    } while (0)

static void open_engine(struct ctx *c)
{
    struct err err;
    struct engine_config cfg = {.site = "here",
                                .data_dir = c->mock.dir,
                                .socket = c->mock.socket,
                                .clock = os_clock_real()};
    if (engine_local.open(&cfg, c->loop, listen, c, &c->e, &err) != 0)
        fail_msg("open: %s", err.text);
    WAIT(find(c, ENGINE_EV_LIST_END) != NULL);
}

/* Not opened yet, so that a test may say first what the runner knows. */
static int setup(void **state)
{
    struct ctx *c = mem_calloc(1, sizeof(*c));
    struct err err;
    assert_non_null(c);
    assert_int_equal(ev_loop_new(&c->loop, &err), 0);
    c->timer = ev_timer_new(c->loop, stop_loop, c->loop);
    assert_non_null(c->timer);
    mock_open(&c->mock, c->loop);
    c->image.layer_count = 1;
    memset(c->image.layers[0], 'a', 64);
    *state = c;
    return 0;
}

static int teardown(void **state)
{
    struct ctx *c = *state;
    if (c->e != NULL)
        engine_local.close(c->e);
    mock_close(&c->mock);
    ev_timer_free(c->timer);
    ev_loop_free(c->loop);
    vec_done(&c->seen);
    mem_free(c);
    return 0;
}

/* ---- orders ---- */

static struct attempt_key key_of(uint64_t n)
{
    return (struct attempt_key){.workload = {id_from_random(n)}, .number = 1, .fence = 10};
}

static struct wire_key wire_key_of(uint64_t n, uint64_t index)
{
    return (struct wire_key){
        .workload = id_from_random(n), .number = 1, .fence = 10, .index = index};
}

static int start_on(struct ctx *c, uint64_t n, uint32_t tasks, const char *node, int gpu,
                    struct err *err)
{
    static const char *command[] = {"/bin/true"};
    uint16_t gpus[] = {(uint16_t)gpu};
    struct engine_task items[16];
    char names[16][16];
    struct engine_volume volume = {
        .id = {id_from_random(3)}, .size_bytes = 1 << 30, .path = "/home/anna"};
    for (uint32_t i = 0; i < tasks; i++) {
        snprintf(names[i], sizeof(names[i]), "worker-%u", i);
        items[i] = (struct engine_task){.index = i,
                                        .rank = i,
                                        .role = "worker",
                                        .node = node,
                                        .gpu_count = gpu >= 0,
                                        .gpus = gpus,
                                        .cpu_milli = 1000,
                                        .memory_bytes = 64 << 20,
                                        .disk_bytes = 64 << 20,
                                        .command = {.items = command, .len = 1},
                                        .hostname = names[i]};
    }
    struct engine_start order = {.key = key_of(n),
                                 .project = {id_from_random(5)},
                                 .project_name = "p",
                                 .subnet = 3,
                                 .user_name = "anna",
                                 .image = &c->image,
                                 .volumes = &volume,
                                 .volume_count = 1,
                                 .tasks = items,
                                 .task_count = tasks,
                                 .log_max_bytes = 1 << 20};
    return engine_local.start(c->e, &order, err);
}

static void start(struct ctx *c, uint64_t n, uint32_t tasks)
{
    struct err err = {0};
    if (start_on(c, n, tasks, c->node.name, -1, &err) != 0)
        fail_msg("start: %s", err.text);
}

/* ---- half-made attempts ---- */

static void test_half_made_waits_for_its_order(void **state)
{
    struct ctx *c = *state;
    mock_add(&c->mock, wire_key_of(1, 0), WIRE_TASK_CREATED, 2);
    open_engine(c);
    assert_null(find(c, ENGINE_EV_ATTEMPT_SEEN));
    start(c, 1, 2);
    WAIT(count(c, ENGINE_EV_TASK_STARTED) == 2);
    assert_non_null(find(c, ENGINE_EV_PREPARED));
}

static void test_half_made_may_be_stopped(void **state)
{
    struct ctx *c = *state;
    struct err err;
    mock_add(&c->mock, wire_key_of(1, 1), WIRE_TASK_CREATED, 2);
    open_engine(c);
    assert_int_equal(engine_local.stop(c->e, key_of(1), 1000, &err), 0);
    WAIT(find(c, ENGINE_EV_GONE) != NULL);
    assert_int_equal(c->mock.tasks.len, 0);
}

static void test_half_made_with_another_shape_is_refused(void **state)
{
    struct ctx *c = *state;
    struct err err;
    mock_add(&c->mock, wire_key_of(1, 0), WIRE_TASK_CREATED, 2);
    open_engine(c);
    assert_int_equal(start_on(c, 1, 3, c->node.name, -1, &err), -BERR_CONFLICT);
}

static void test_whole_but_not_started_goes_on(void **state)
{
    struct ctx *c = *state;
    mock_add(&c->mock, wire_key_of(1, 0), WIRE_TASK_CREATED, 2);
    mock_add(&c->mock, wire_key_of(1, 1), WIRE_TASK_RUNNING, 2);
    open_engine(c);
    assert_true(find(c, ENGINE_EV_ATTEMPT_SEEN)->prepared);
    WAIT(mock_find(&c->mock,
                   &(struct wire_key){.workload = id_from_random(1), .number = 1, .fence = 10})
             ->facts.state == WIRE_TASK_RUNNING);
    WAIT(count(c, ENGINE_EV_TASK_STARTED) == 1); /* the other was in the list */
}

static void test_failed_and_rebooted_are_gone_with_the_reason(void **state)
{
    struct ctx *c = *state;
    struct mock_task *t = mock_add(&c->mock, wire_key_of(1, 0), WIRE_TASK_ENDED, 1);
    t->facts.failure = WIRE_FAILURE_NODE;
    t->facts.text = "the machine was restarted";
    open_engine(c);
    const struct seen *s = find(c, ENGINE_EV_ATTEMPT_SEEN);
    assert_true(s->gone);
    assert_int_equal(s->reason, END_NODE_LOST);
    assert_string_equal(s->text, "the machine was restarted");
}

static void test_missing_task_ends_the_attempt(void **state)
{
    struct ctx *c = *state;
    mock_add(&c->mock, wire_key_of(1, 0), WIRE_TASK_RUNNING, 2);
    open_engine(c);
    WAIT(find(c, ENGINE_EV_GONE) != NULL);
    assert_int_equal(find(c, ENGINE_EV_GONE)->reason, END_ENGINE_ERROR);
    assert_int_equal(find(c, ENGINE_EV_TASK_ENDED)->facts.signal, SIGKILL);
}

static void test_deleting_goes_on(void **state)
{
    struct ctx *c = *state;
    mock_add(&c->mock, wire_key_of(1, 0), WIRE_TASK_DELETING, 1);
    open_engine(c);
    WAIT(find(c, ENGINE_EV_GONE) != NULL);
    assert_int_equal(c->mock.tasks.len, 0);
}

/* ---- refusals ---- */

static void test_busy_is_tried_again(void **state)
{
    struct ctx *c = *state;
    open_engine(c);
    c->mock.fail_verb = WIRE_TASK_CREATE;
    c->mock.fail_code = BERR_BUSY;
    c->mock.fail_times = 1;
    start(c, 1, 1);
    WAIT(find(c, ENGINE_EV_TASK_STARTED) != NULL);
    assert_int_equal(mock_count(&c->mock, WIRE_TASK_CREATE), 2);
    assert_non_null(find(c, ENGINE_EV_PROGRESS)); /* it says why it waits */
}

static void refused_create(struct ctx *c, enum berr code, const char *field, enum end_reason reason)
{
    open_engine(c);
    c->mock.fail_verb = WIRE_TASK_CREATE;
    c->mock.fail_code = code;
    c->mock.fail_field = field;
    c->mock.fail_times = 1;
    start(c, 1, 3);
    WAIT(find(c, ENGINE_EV_GONE) != NULL);
    assert_int_equal(find(c, ENGINE_EV_GONE)->reason, reason);
    assert_string_equal(find(c, ENGINE_EV_GONE)->text, "the mock was told to fail");
    assert_int_equal(c->mock.tasks.len, 0); /* the two others were taken away */
    assert_int_equal(mock_count(&c->mock, WIRE_TASK_START), 0);
    assert_null(find(c, ENGINE_EV_TASK_STARTED));
}

static void test_bad_order_is_a_start_error(void **state)
{
    refused_create(*state, BERR_INVALID, "command", END_START_ERROR);
}

static void test_missing_layer_is_an_image_error(void **state)
{
    refused_create(*state, BERR_NOT_FOUND, "layers", END_IMAGE_ERROR);
}

static void test_full_disk_is_an_engine_error(void **state)
{
    refused_create(*state, BERR_NO_SPACE, NULL, END_ENGINE_ERROR);
}

static void test_delete_is_tried_until_it_works(void **state)
{
    struct ctx *c = *state;
    struct err err;
    mock_add(&c->mock, wire_key_of(1, 0), WIRE_TASK_CREATED, 2);
    c->mock.fail_verb = WIRE_TASK_DELETE;
    c->mock.fail_code = BERR_TIMEOUT;
    c->mock.fail_times = 1;
    open_engine(c);
    assert_int_equal(engine_local.stop(c->e, key_of(1), 0, &err), 0);
    WAIT(mock_count(&c->mock, WIRE_TASK_DELETE) == 1);
    turn(c);
    assert_null(find(c, ENGINE_EV_GONE)); /* not before there is proof */
    WAIT(find(c, ENGINE_EV_GONE) != NULL);
    assert_int_equal(mock_count(&c->mock, WIRE_TASK_DELETE), 2);
}

static void test_start_that_fails_undoes_the_gang(void **state)
{
    struct ctx *c = *state;
    open_engine(c);
    c->mock.fail_verb = WIRE_TASK_START;
    c->mock.fail_code = BERR_IO;
    c->mock.fail_times = 1;
    start(c, 1, 3);
    WAIT(find(c, ENGINE_EV_GONE) != NULL);
    assert_int_equal(find(c, ENGINE_EV_GONE)->reason, END_ENGINE_ERROR);
    assert_null(find(c, ENGINE_EV_TASK_STARTED));
    assert_int_equal(c->mock.tasks.len, 0);
}

/* One of three has no command: none is told as started, and the reason is kept until forget. */
static void test_command_not_found_undoes_the_gang(void **state)
{
    struct ctx *c = *state;
    struct err err;
    open_engine(c);
    c->mock.dies_at_start = true;
    start(c, 1, 3);
    WAIT(find(c, ENGINE_EV_GONE) != NULL);
    assert_int_equal(find(c, ENGINE_EV_GONE)->reason, END_START_ERROR);
    assert_string_equal(find(c, ENGINE_EV_GONE)->text, "no-such-command: not found");
    assert_null(find(c, ENGINE_EV_TASK_STARTED));
    assert_int_equal(c->mock.tasks.len, 1);
    assert_int_equal(engine_local.forget(c->e, key_of(1), &err), 0);
    WAIT(c->mock.tasks.len == 0);
}

/* Neither the network nor a volume is asked for again while the project has tasks. */
static void test_what_is_known_is_not_asked_again(void **state)
{
    struct ctx *c = *state;
    open_engine(c);
    for (uint64_t n = 1; n <= 3; n++) {
        start(c, n, 1);
        WAIT(count(c, ENGINE_EV_TASK_STARTED) == n);
    }
    assert_int_equal(mock_count(&c->mock, WIRE_NET_PROJECT), 1);
    assert_int_equal(mock_count(&c->mock, WIRE_VOLUME_MAKE), 1);
    mock_break(&c->mock);
    WAIT(count(c, ENGINE_EV_LIST_END) == 2);
    start(c, 4, 1);
    WAIT(count(c, ENGINE_EV_TASK_STARTED) == 4);
    assert_int_equal(mock_count(&c->mock, WIRE_NET_PROJECT), 2);
    assert_int_equal(mock_count(&c->mock, WIRE_VOLUME_MAKE), 2);
}

/* A network whose project has no task left may have gone to another. */
static void test_network_is_asked_again_without_tasks(void **state)
{
    struct ctx *c = *state;
    struct err err;
    open_engine(c);
    start(c, 1, 1);
    WAIT(count(c, ENGINE_EV_TASK_STARTED) == 1);
    assert_int_equal(engine_local.stop(c->e, key_of(1), 0, &err), 0);
    WAIT(find(c, ENGINE_EV_GONE) != NULL);
    assert_int_equal(engine_local.forget(c->e, key_of(1), &err), 0);
    WAIT(c->mock.tasks.len == 0);
    start(c, 2, 1);
    WAIT(count(c, ENGINE_EV_TASK_STARTED) == 2);
    assert_int_equal(mock_count(&c->mock, WIRE_NET_PROJECT), 2);
}

/* ---- lost connections ---- */

static void test_connection_lost_while_creating(void **state)
{
    struct ctx *c = *state;
    open_engine(c);
    c->mock.holds = true;
    c->mock.hold_verb = WIRE_TASK_CREATE;
    start(c, 1, 1);
    WAIT(mock_count(&c->mock, WIRE_TASK_CREATE) == 1);
    c->mock.holds = false;
    mock_break(&c->mock);
    WAIT(find(c, ENGINE_EV_TASK_STARTED) != NULL);
    assert_int_equal(mock_count(&c->mock, WIRE_TASK_CREATE), 2);
    assert_int_equal(count(c, ENGINE_EV_DISCONNECTED), 1);
    assert_int_equal(count(c, ENGINE_EV_LIST_END), 2);
    assert_int_equal(count(c, ENGINE_EV_PREPARED), 1);
}

static void test_connection_lost_while_starting(void **state)
{
    struct ctx *c = *state;
    open_engine(c);
    c->mock.holds = true;
    c->mock.hold_verb = WIRE_TASK_START;
    start(c, 1, 2);
    WAIT(mock_count(&c->mock, WIRE_TASK_START) == 2);
    c->mock.holds = false;
    c->mock.tasks.items[0].facts.state = WIRE_TASK_RUNNING; /* one was carried out */
    c->mock.tasks.items[0].facts.started_ms = 2000;
    mock_break(&c->mock);
    WAIT(mock_count(&c->mock, WIRE_TASK_START) == 3);
    WAIT(count(c, ENGINE_EV_TASK_STARTED) == 1 && c->seen.items[c->seen.len - 1].facts.index == 1);
}

static void test_task_lost_by_the_runner(void **state)
{
    struct ctx *c = *state;
    open_engine(c);
    start(c, 1, 1);
    WAIT(find(c, ENGINE_EV_TASK_STARTED) != NULL);
    vec_clear(&c->mock.tasks);
    mock_break(&c->mock);
    WAIT(find(c, ENGINE_EV_GONE) != NULL);
    assert_int_equal(find(c, ENGINE_EV_GONE)->reason, END_ENGINE_ERROR);
}

static void test_nonsense_breaks_and_heals(void **state)
{
    struct ctx *c = *state;
    open_engine(c);
    mock_say(&c->mock, "\xff\xff\xff\xffjunk", 8);
    WAIT(find(c, ENGINE_EV_DISCONNECTED) != NULL);
    WAIT(count(c, ENGINE_EV_LIST_END) == 2);
}

static void test_other_version_is_told(void **state)
{
    struct ctx *c = *state;
    struct err err;
    struct engine_config cfg = {
        .data_dir = c->mock.dir, .socket = c->mock.socket, .clock = os_clock_real()};
    c->mock.fail_verb = WIRE_HELLO;
    c->mock.fail_code = BERR_UNSUPPORTED;
    c->mock.fail_times = 2;
    assert_int_equal(engine_local.open(&cfg, c->loop, listen, c, &c->e, &err), 0);
    WAIT(find(c, ENGINE_EV_LIST_END) != NULL);
    assert_int_equal(count(c, ENGINE_EV_DISCONNECTED), 1); /* once, not for each try */
    assert_string_equal(find(c, ENGINE_EV_DISCONNECTED)->text, "the mock was told to fail");
}

/* ---- details ---- */

static void test_addresses_and_names(void **state)
{
    struct ctx *c = *state;
    char expected[256] = "";
    open_engine(c);
    start(c, 1, 3);
    WAIT(count(c, ENGINE_EV_TASK_STARTED) == 3);
    for (size_t i = 0; i < 3; i++) {
        assert_true(str_has_prefix(c->mock.tasks.items[i].address, "10.9.4."));
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(c->mock.tasks.items[i].address, c->mock.tasks.items[k].address);
        size_t len = strlen(expected);
        snprintf(expected + len, sizeof(expected) - len, "worker-%zu=%s ", i,
                 c->mock.tasks.items[i].address);
    }
    assert_string_equal(c->mock.hosts, expected);
}

static void test_no_address_left(void **state)
{
    struct ctx *c = *state;
    open_engine(c);
    c->mock.network = "10.9.4.0/29"; /* .2 to .6 */
    start(c, 1, 6);
    WAIT(find(c, ENGINE_EV_GONE) != NULL);
    assert_non_null(strstr(find(c, ENGINE_EV_GONE)->text, "addresses"));
    start(c, 2, 5);
    WAIT(count(c, ENGINE_EV_TASK_STARTED) == 5);
}

static void test_gpus_by_uuid_and_wrong_places(void **state)
{
    struct ctx *c = *state;
    struct err err;
    open_engine(c);
    assert_string_equal(c->node.name, "host-1");
    assert_string_equal(c->node.gpus[0].quarantine, "");
    assert_non_null(strstr(c->node.gpus[1].quarantine, "not berth's"));
    assert_int_equal(start_on(c, 1, 1, "elsewhere", -1, &err), -BERR_INVALID);
    assert_non_null(strstr(err.text, "elsewhere"));
    assert_int_equal(start_on(c, 1, 1, c->node.name, 2, &err), -BERR_INVALID);
    assert_non_null(strstr(err.text, "GPU 2"));
    assert_int_equal(start_on(c, 1, 1, c->node.name, 1, &err), 0);
    WAIT(find(c, ENGINE_EV_TASK_STARTED) != NULL);
    assert_string_equal(c->mock.gpus, "GPU-bb");
}

static void test_stop_of_a_frozen_task(void **state)
{
    struct ctx *c = *state;
    struct err err;
    open_engine(c);
    start(c, 1, 1);
    WAIT(find(c, ENGINE_EV_TASK_STARTED) != NULL);
    assert_int_equal(engine_local.suspend(c->e, key_of(1), &err), 0);
    WAIT(find(c, ENGINE_EV_SUSPENDED) != NULL);
    size_t from = c->mock.requests.len;
    assert_int_equal(engine_local.stop(c->e, key_of(1), 10000, &err), 0);
    WAIT(c->mock.requests.len >= from + 2);
    assert_int_equal(c->mock.requests.items[from].verb, WIRE_TASK_SIGNAL);
    assert_int_equal(c->mock.requests.items[from].signal, SIGTERM);
    assert_int_equal(c->mock.requests.items[from + 1].verb, WIRE_TASK_THAW);
}

static void stats_came(void *arg, int rc, const struct engine_stats *stats, const struct err *err)
{
    (void)stats, (void)err;
    *(int *)arg = rc;
}

static void log_came(void *arg, int rc, const struct engine_log_chunk *chunk, const struct err *err)
{
    (void)chunk, (void)err;
    *(int *)arg = rc;
}

static void test_closing_answers_open_questions(void **state)
{
    struct ctx *c = *state;
    struct err err;
    int stats_rc = 1, log_rc = 1;
    open_engine(c);
    start(c, 1, 1);
    WAIT(find(c, ENGINE_EV_TASK_STARTED) != NULL);
    c->mock.holds = true;
    c->mock.hold_verb = WIRE_STAT;
    assert_int_equal(engine_local.stats(c->e, key_of(1), stats_came, &stats_rc, &err), 0);
    assert_int_equal(engine_local.log_read(c->e, key_of(1), 0, 0, 10, log_came, &log_rc, &err), 0);
    engine_local.close(c->e);
    c->e = NULL;
    assert_int_equal(stats_rc, -BERR_CANCELED);
    assert_int_equal(log_rc, -BERR_CANCELED);
    for (int i = 0; i < 10; i++)
        turn(c); /* the worker's answer comes into the void */
    assert_int_equal(log_rc, -BERR_CANCELED);
}

static void test_stats_when_the_connection_breaks(void **state)
{
    struct ctx *c = *state;
    struct err err;
    int rc = 1;
    open_engine(c);
    start(c, 1, 1);
    WAIT(find(c, ENGINE_EV_TASK_STARTED) != NULL);
    c->mock.holds = true;
    c->mock.hold_verb = WIRE_STAT;
    assert_int_equal(engine_local.stats(c->e, key_of(1), stats_came, &rc, &err), 0);
    WAIT(mock_count(&c->mock, WIRE_STAT) == 1);
    mock_break(&c->mock);
    WAIT(rc != 1);
    assert_int_equal(rc, -BERR_UNAVAILABLE);
}

/* Whichever allocation of a start fails: refused and nothing done, or taken and done. */
static void test_no_memory_for_a_start(void **state)
{
    struct ctx *c = *state;
    open_engine(c);
    for (uint64_t n = 1;; n++) {
        struct err err;
        mem_fail_at(n, 0);
        int rc = start_on(c, 1, 2, c->node.name, -1, &err);
        bool hit = mem_fail_hit() != 0;
        mem_fail_at(0, 0);
        assert_true(rc == 0 || rc == -BERR_NOMEM);
        if (!hit || rc == 0)
            break;
    }
    WAIT(count(c, ENGINE_EV_TASK_STARTED) == 2);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_half_made_waits_for_its_order),
        T(test_half_made_may_be_stopped),
        T(test_half_made_with_another_shape_is_refused),
        T(test_whole_but_not_started_goes_on),
        T(test_failed_and_rebooted_are_gone_with_the_reason),
        T(test_missing_task_ends_the_attempt),
        T(test_deleting_goes_on),
        T(test_busy_is_tried_again),
        T(test_bad_order_is_a_start_error),
        T(test_missing_layer_is_an_image_error),
        T(test_full_disk_is_an_engine_error),
        T(test_delete_is_tried_until_it_works),
        T(test_start_that_fails_undoes_the_gang),
        T(test_command_not_found_undoes_the_gang),
        T(test_what_is_known_is_not_asked_again),
        T(test_network_is_asked_again_without_tasks),
        T(test_connection_lost_while_creating),
        T(test_connection_lost_while_starting),
        T(test_task_lost_by_the_runner),
        T(test_nonsense_breaks_and_heals),
        T(test_other_version_is_told),
        T(test_addresses_and_names),
        T(test_no_address_left),
        T(test_gpus_by_uuid_and_wrong_places),
        T(test_stop_of_a_frozen_task),
        T(test_closing_answers_open_questions),
        T(test_stats_when_the_connection_breaks),
        T(test_no_memory_for_a_start),
    };
#undef T
    return cmocka_run_group_tests(tests, NULL, NULL);
}
