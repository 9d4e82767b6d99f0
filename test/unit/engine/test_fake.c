/* The fake's own doors: nodes that go, orders that fail, events that stray, rules that break. The
 * engine's promises are tested by test/conform/engine. */
#include "testlib.h"

#include "base/str.h"
#include "engine/fake/fake.h"
#include "os/clock.h"

struct ctx {
    int64_t now_ms;
    struct os_clock clock;
    struct fake_world *world;
    struct engine *e;
    struct image image;
    uint32_t count[32];             /* of events by kind */
    enum end_reason reason;         /* of the last GONE */
    struct node node;               /* of the last NODE */
    struct engine_task_facts facts; /* of the last task event */
};

static int64_t clock_mono(void *arg)
{
    return ((struct ctx *)arg)->now_ms;
}

static int64_t clock_wall(void *arg)
{
    return ((struct ctx *)arg)->now_ms + 1000000;
}

static void listen(void *arg, const struct engine_event *event)
{
    struct ctx *c = arg;
    c->count[event->kind]++;
    if (event->kind == ENGINE_EV_GONE)
        c->reason = event->reason;
    if (event->kind == ENGINE_EV_NODE)
        c->node = *event->node;
    if (event->kind == ENGINE_EV_TASK_STARTED || event->kind == ENGINE_EV_TASK_ENDED)
        c->facts = event->tasks[0];
}

static int setup(void **state)
{
    struct ctx *c = mem_calloc(1, sizeof(*c));
    assert_non_null(c);
    c->now_ms = 5000;
    c->clock = (struct os_clock){.mono_ms = clock_mono, .wall_ms = clock_wall, .arg = c};
    c->world = fake_world_new(&c->clock);
    assert_non_null(c->world);
    assert_int_equal(fake_node_add(c->world, "n1", 4, 8, 2), 0);
    assert_int_equal(fake_node_add(c->world, "n2", 4, 8, 0), 0);
    struct engine_config cfg = {.site = "s", .clock = &c->clock, .fake_world = c->world};
    struct err err;
    assert_int_equal(engine_fake.open(&cfg, NULL, listen, c, &c->e, &err), 0);
    fake_advance(c->world);
    *state = c;
    return 0;
}

static int teardown(void **state)
{
    struct ctx *c = *state;
    engine_fake.close(c->e);
    fake_world_free(c->world);
    mem_free(c);
    return 0;
}

static void pass(struct ctx *c, int64_t ms)
{
    c->now_ms += ms;
    fake_advance(c->world);
}

static struct attempt_key key_of(uint64_t workload, uint64_t fence)
{
    return (struct attempt_key){.workload = {workload}, .number = 1, .fence = fence};
}

/* One task on a node with one GPU of this index (none: -1). */
static int start(struct ctx *c, struct attempt_key key, const char *node, int gpu,
                 struct js_pair env)
{
    uint16_t gpus[] = {(uint16_t)gpu};
    struct engine_task task = {.role = "worker",
                               .node = node,
                               .gpu_count = gpu >= 0,
                               .gpus = gpus,
                               .cpu_milli = 1000,
                               .memory_bytes = 1 << 20,
                               .env = {.items = &env, .len = 1}};
    struct engine_start order = {
        .key = key, .kind = KIND_JOB, .image = &c->image, .tasks = &task, .task_count = 1};
    struct err err;
    return engine_fake.start(c->e, &order, &err);
}

static const struct js_pair forever = {"FAKE_RUN_MS", "forever"};

static void test_lost_node_hides_and_return_shows(void **state)
{
    struct ctx *c = *state;
    struct js_pair run = {"FAKE_RUN_MS", "500"};
    assert_int_equal(start(c, key_of(1, 1), "n1", 0, run), 0);
    pass(c, 100);
    assert_int_equal(c->count[ENGINE_EV_TASK_STARTED], 1);
    fake_node_lose(c->world, "n1");
    pass(c, 0);
    assert_int_equal(c->count[ENGINE_EV_LOST], 1);
    assert_false(c->node.ready);
    pass(c, 1000); /* it ends, but nobody sees it */
    assert_int_equal(c->count[ENGINE_EV_TASK_ENDED], 0);
    assert_int_equal(c->count[ENGINE_EV_GONE], 0);
    assert_int_equal(start(c, key_of(2, 1), "n1", 0, run), -BERR_UNAVAILABLE);
    fake_node_return(c->world, "n1");
    uint32_t lists = c->count[ENGINE_EV_LIST_END];
    pass(c, 0);
    assert_int_equal(c->count[ENGINE_EV_LIST_END], lists + 1);
    assert_int_equal(c->count[ENGINE_EV_ATTEMPT_SEEN], 1);
    struct err err;
    assert_int_equal(engine_fake.forget(c->e, key_of(1, 1), &err), 0);
}

static void test_stop_reaches_a_lost_attempt_later(void **state)
{
    struct ctx *c = *state;
    struct err err;
    assert_int_equal(start(c, key_of(1, 1), "n1", 0, forever), 0);
    pass(c, 100);
    fake_node_lose(c->world, "n1");
    assert_int_equal(engine_fake.stop(c->e, key_of(1, 1), 0, &err), 0);
    pass(c, 1000);
    assert_int_equal(c->count[ENGINE_EV_GONE], 0);
    assert_int_equal(fake_running(c->world), 1);
    fake_node_return(c->world, "n1");
    pass(c, 10);
    assert_int_equal(fake_running(c->world), 0);
}

static void test_dead_node_is_proof(void **state)
{
    struct ctx *c = *state;
    assert_int_equal(start(c, key_of(1, 1), "n1", 0, forever), 0);
    assert_int_equal(start(c, key_of(2, 1), "n2", -1, forever), 0);
    pass(c, 100);
    fake_node_lose(c->world, "n1");
    fake_node_kill(c->world, "n1");
    pass(c, 0);
    assert_int_equal(c->count[ENGINE_EV_GONE], 1);
    assert_int_equal(c->reason, END_NODE_LOST);
    assert_int_equal(fake_running(c->world), 1); /* the other node lives */
}

static void test_orders_fail_as_told(void **state)
{
    struct ctx *c = *state;
    fake_fail_order(c->world, 2, FAKE_REFUSE, BERR_NOMEM);
    assert_int_equal(start(c, key_of(1, 1), "n1", 0, forever), 0);
    assert_int_equal(start(c, key_of(2, 1), "n1", 1, forever), -BERR_NOMEM);
    assert_int_equal(start(c, key_of(2, 1), "n1", 1, forever), 0);
    assert_int_equal(fake_running(c->world), 2);
    fake_fail_order(c->world, 1, FAKE_LOSE, 0);
    assert_int_equal(start(c, key_of(3, 1), "n2", -1, forever), 0);
    pass(c, 0);
    assert_int_equal(c->count[ENGINE_EV_DISCONNECTED], 1);
    assert_int_equal(fake_running(c->world), 2);
    fake_reconnect(c->world);
    pass(c, 0);
    assert_int_equal(c->count[ENGINE_EV_CONNECTED], 2);
    fake_fail_order(c->world, 1, FAKE_BREAK, 0);
    assert_int_equal(start(c, key_of(4, 1), "n2", -1, forever), 0);
    assert_int_equal(fake_running(c->world), 3);
    pass(c, 100);
    assert_int_equal(c->count[ENGINE_EV_DISCONNECTED], 2);
    assert_int_equal(c->count[ENGINE_EV_TASK_STARTED], 0);
    fake_reconnect(c->world);
    pass(c, 0);
    assert_int_equal(c->count[ENGINE_EV_ATTEMPT_SEEN], 2 + 3);
}

static void test_rules_are_watched(void **state)
{
    struct ctx *c = *state;
    assert_int_equal(start(c, key_of(1, 1), "n1", 0, forever), 0);
    assert_null(fake_broken_rule(c->world));
    assert_int_equal(start(c, key_of(2, 1), "n1", 0, forever), 0);
    assert_non_null(strstr(fake_broken_rule(c->world), "GPU 0 of node n1"));
    assert_null(fake_broken_rule(c->world));
    assert_int_equal(start(c, key_of(1, 2), "n2", -1, forever), 0);
    assert_non_null(strstr(fake_broken_rule(c->world), "one workload"));
    assert_int_equal(start(c, key_of(3, 1), "n9", -1, forever), 0);
    assert_non_null(strstr(fake_broken_rule(c->world), "n9"));
    assert_int_equal(start(c, key_of(4, 1), "n2", 5, forever), 0);
    assert_non_null(strstr(fake_broken_rule(c->world), "no GPU 5"));
    for (uint64_t i = 0; i < 4; i++)
        assert_int_equal(start(c, key_of(10 + i, 1), "n2", -1, forever), 0);
    assert_non_null(strstr(fake_broken_rule(c->world), "more CPU"));
}

static void test_what_was_held_is_given_back(void **state)
{
    struct ctx *c = *state;
    struct js_pair run = {"FAKE_RUN_MS", "10"};
    for (uint64_t i = 1; i <= 20; i++) {
        assert_int_equal(start(c, key_of(i, 1), "n1", 0, run), 0);
        pass(c, 1000);
    }
    assert_null(fake_broken_rule(c->world));
    assert_int_equal(c->count[ENGINE_EV_GONE], 20);
}

static void test_variable_of_one_attempt(void **state)
{
    struct ctx *c = *state;
    struct js_pair first = {"FAKE_EXIT_1", "3"}, second = {"FAKE_EXIT_2", "3"};
    assert_int_equal(start(c, key_of(1, 1), "n1", 0, first), 0);
    pass(c, 2000);
    assert_int_equal(c->facts.exit_code, 3);
    assert_int_equal(start(c, key_of(2, 1), "n1", 0, second), 0);
    pass(c, 2000);
    assert_int_equal(c->facts.exit_code, 0);
}

static void test_nonsense_is_refused(void **state)
{
    struct ctx *c = *state;
    static const struct js_pair wrong[] = {{"FAKE_EXIT", "x"},
                                           {"FAKE_EXIT", "256"},
                                           {"FAKE_RUN_MS", "-5"},
                                           {"FAKE_HANG", "later"},
                                           {"FAKE_SIGNAL", ""}};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        assert_int_equal(start(c, key_of(1, 1), "n1", 0, wrong[i]), -BERR_INVALID);
    assert_int_equal(fake_running(c->world), 0);
    assert_int_equal(start(c, key_of(1, 1), "n1", 0, forever), 0); /* nothing was remembered */
}

/* Same seed, same stray events; every fact still arrives at least once. */
static void test_chaos_repeats_and_is_the_same_again(void **state)
{
    struct ctx *c = *state;
    struct fake_chaos chaos = {
        .seed = 7, .repeat_per_mille = 500, .late_per_mille = 500, .late_max_ms = 50};
    uint32_t first[32];
    for (int round = 0; round < 2; round++) {
        memset(c->count, 0, sizeof(c->count));
        fake_chaos_set(c->world, &chaos);
        for (uint64_t i = 1; i <= 50; i++) {
            assert_int_equal(start(c, key_of((uint64_t)round * 100 + i, 1), "n1", 0,
                                   (struct js_pair){"FAKE_RUN_MS", "5"}),
                             0);
            for (int t = 0; t < 200; t++)
                pass(c, 1);
        }
        assert_true(c->count[ENGINE_EV_GONE] > 55);
        assert_true(c->count[ENGINE_EV_TASK_ENDED] > 55);
        if (round == 0)
            memcpy(first, c->count, sizeof(first));
    }
    assert_memory_equal(first, c->count, sizeof(first));
}

static void test_world_goes_on_without_an_engine(void **state)
{
    struct ctx *c = *state;
    struct js_pair run = {"FAKE_RUN_MS", "50"};
    struct err err;
    assert_int_equal(start(c, key_of(1, 1), "n1", 0, run), 0);
    engine_fake.close(c->e);
    pass(c, 1000);
    assert_int_equal(fake_running(c->world), 0);
    struct engine_config cfg = {.site = "s", .clock = &c->clock, .fake_world = c->world};
    assert_int_equal(engine_fake.open(&cfg, NULL, listen, c, &c->e, &err), 0);
    pass(c, 0);
    assert_int_equal(c->count[ENGINE_EV_ATTEMPT_SEEN], 1);
    assert_int_equal(c->count[ENGINE_EV_TASK_STARTED], 0);
}

struct asked {
    int answers, rc;
};

static void log_came(void *arg, int rc, const struct engine_log_chunk *chunk, const struct err *err)
{
    struct asked *a = arg;
    (void)chunk, (void)err;
    a->answers++;
    a->rc = rc;
}

static void test_closing_answers_open_questions(void **state)
{
    struct ctx *c = *state;
    struct asked a = {0};
    struct err err;
    assert_int_equal(engine_fake.log_read(c->e, key_of(1, 1), 0, 0, 10, log_came, &a, &err), 0);
    assert_int_equal(a.answers, 0);
    engine_fake.close(c->e);
    assert_int_equal(a.answers, 1);
    assert_int_equal(a.rc, -BERR_CANCELED);
    struct engine_config cfg = {.site = "s", .clock = &c->clock, .fake_world = c->world};
    assert_int_equal(engine_fake.open(&cfg, NULL, listen, c, &c->e, &err), 0);
    pass(c, 100);
    assert_int_equal(a.answers, 1);
}

static void test_next_is_when_something_is_due(void **state)
{
    struct ctx *c = *state;
    assert_int_equal(fake_next_ms(c->world), INT64_MAX);
    assert_int_equal(start(c, key_of(1, 1), "n1", 0, (struct js_pair){"FAKE_PREPARE_MS", "70"}), 0);
    fake_advance(c->world);
    assert_int_equal(fake_next_ms(c->world), c->now_ms + 70);
    assert_int_equal(fake_advance(c->world), 0);
}

static int torture_body(void *arg)
{
    struct ctx *c = arg;
    struct err err;
    struct engine *e = NULL;
    struct engine_config cfg = {.site = "s", .clock = &c->clock};
    struct fake_world *w = fake_world_new(&c->clock);
    if (w == NULL)
        return -BERR_NOMEM;
    int rc = fake_node_add(w, "n1", 4, 8, 2);
    cfg.fake_world = w;
    if (rc == 0)
        rc = engine_fake.open(&cfg, NULL, listen, c, &e, &err);
    if (rc == 0)
        engine_fake.close(e);
    fake_world_free(w);
    return rc;
}

static void test_no_memory_to_open(void **state)
{
    struct ctx *c = *state;
    test_torture(torture_body, c);
}

/* Whichever allocation of an order fails, the order is refused whole or done whole. */
static void test_no_memory_for_an_order(void **state)
{
    struct ctx *c = *state;
    for (uint64_t n = 1;; n++) {
        mem_fail_at(n, 0);
        int rc = start(c, key_of(100 + n, 1), "n1", 0, forever);
        bool hit = mem_fail_hit() != 0;
        mem_fail_at(0, 0);
        assert_true(rc == 0 || rc == -BERR_NOMEM);
        assert_int_equal(fake_running(c->world), rc == 0);
        if (rc == 0) {
            struct err err;
            assert_int_equal(engine_fake.stop(c->e, key_of(100 + n, 1), 0, &err), 0);
            pass(c, 10);
            assert_int_equal(fake_running(c->world), 0);
        }
        if (!hit)
            return;
    }
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_lost_node_hides_and_return_shows),
        T(test_stop_reaches_a_lost_attempt_later),
        T(test_dead_node_is_proof),
        T(test_orders_fail_as_told),
        T(test_rules_are_watched),
        T(test_what_was_held_is_given_back),
        T(test_variable_of_one_attempt),
        T(test_nonsense_is_refused),
        T(test_chaos_repeats_and_is_the_same_again),
        T(test_world_goes_on_without_an_engine),
        T(test_closing_answers_open_questions),
        T(test_next_is_when_something_is_due),
        T(test_no_memory_to_open),
        T(test_no_memory_for_an_order),
    };
#undef T
    return cmocka_run_group_tests(tests, NULL, NULL);
}
