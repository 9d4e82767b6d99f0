/* With an event loop: order of answers, groups, closing, a full disk. */
#include "suite.h"
#include "base/limits.h"
#include "ev/loop.h"

static struct ev_loop *loop_new(void)
{
    struct ev_loop *loop;
    assert_int_equal(ev_loop_new(&loop, NULL), 0);
    return loop;
}

static void open_on(struct fix *f, struct ev_loop *loop)
{
    struct err err;
    f->store = store_close(f->store);
    if (store_open(&f->cfg, loop, &f->store, &err) < 0)
        fail_msg("open: %s", err.text);
}

static void close_on(struct fix *f, struct ev_loop *loop)
{
    f->store = store_close(f->store);
    ev_loop_free(loop);
}

struct log {
    int *order, count;
    bool is_inside;
};
struct slot {
    struct log *log;
    int number, rc;
};

static void on_done(void *arg, int rc, const struct err *err)
{
    struct slot *slot = arg;
    assert_true(slot->log->is_inside); /* never from inside store_commit */
    slot->rc = rc;
    slot->log->order[slot->log->count++] = slot->number;
}

static void commit_setting(struct fix *f, struct slot *slot, int number, struct log *log)
{
    *slot = (struct slot){.log = log, .number = number, .rc = 1};
    struct store_batch *b = store_batch_new(f->store);
    char name[32];
    snprintf(name, sizeof(name), "s%d", number);
    store_put_setting(b, name, "x");
    store_commit(f->store, b, on_done, slot);
}

static void run(struct ev_loop *loop, struct log *log)
{
    log->is_inside = true;
    ev_loop_run(loop); /* ends when nothing is outstanding */
    log->is_inside = false;
}

#define MANY 500

static void answers_come_in_order(void **state)
{
    struct fix *f = *state;
    struct ev_loop *loop = loop_new();
    open_on(f, loop);
    static struct slot slots[MANY];
    static int order[MANY];
    struct log log = {.order = order};
    for (int i = 0; i < MANY; i++)
        commit_setting(f, &slots[i], i, &log);
    assert_int_equal(log.count, 0);
    run(loop, &log);
    assert_int_equal(log.count, MANY);
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(order[i], i);
        assert_int_equal(slots[i].rc, 0);
    }
    struct store_metrics m;
    store_get_metrics(f->store, &m);
    assert_int_equal(m.batches, MANY);
    assert_int_equal(m.rows, MANY);
    assert_true(m.transactions <= m.batches && m.transactions > 0);
    assert_true(m.bytes > 0);
    close_on(f, loop);
}

static void refused_one_takes_no_other_along(void **state)
{
    struct fix *f = *state;
    struct ev_loop *loop = loop_new();
    open_on(f, loop);
    static struct slot slots[90];
    static int order[90];
    struct log log = {.order = order};
    uint64_t seq = 0;
    for (int i = 0; i < 90; i++) {
        slots[i] = (struct slot){.log = &log, .number = i};
        struct store_batch *b = store_batch_new(f->store);
        struct workload w = make_workload(i % 3 == 2 ? 1 : 100 + (uint64_t)i, 1, 1, i);
        struct event e = make_event(i % 3 == 2 ? seq + 1 : ++seq, "x");
        store_append_event(b, &e);
        store_put_workload(b, &w); /* id 1 in version 1: good once */
        if (i == 2)
            seq++;
        if (i % 3 == 1)
            store_ledger_take(
                b, &(struct ledger_row){
                       .kind = "gpu", .name = "0", .state = "held", .holder = {{1}, 1, 1}});
        store_commit(f->store, b, on_done, &slots[i]);
    }
    run(loop, &log);
    assert_int_equal(log.count, 90);
    for (int i = 0; i < 90; i++) {
        assert_int_equal(order[i], i);
        assert_int_equal(slots[i].rc, i % 3 == 2 && i != 2 ? -BERR_PRECONDITION : 0);
    }
    struct store_heads h = heads(f->store);
    assert_int_equal(h.event_seq, seq);
    assert_int_equal(h.workloads_total, 61);
    close_on(f, loop);
}

static void closing_waits_and_calls_back(void **state)
{
    struct fix *f = *state;
    struct ev_loop *loop = loop_new();
    open_on(f, loop);
    static struct slot slots[20];
    static int order[20];
    struct log log = {.order = order};
    for (int i = 0; i < 20; i++)
        commit_setting(f, &slots[i], i, &log);
    log.is_inside = true;
    close_on(f, loop);
    assert_int_equal(log.count, 20);
    for (int i = 0; i < 20; i++)
        assert_int_equal(slots[i].rc, 0);
}

/* ---- a callback that commits and reads again ---- */

struct chain {
    struct fix *f;
    int left, pages, events;
};

static void chain_page(void *arg, int rc, const struct store_workload_page *page,
                       const struct err *err)
{
    assert_int_equal(rc, 0);
    ((struct chain *)arg)->pages++;
}

static void chain_events(void *arg, int rc, const struct event *events, size_t count,
                         uint64_t oldest, const struct err *err)
{
    assert_int_equal(rc, 0);
    assert_true(count > 0); /* what was answered can be read */
    ((struct chain *)arg)->events++;
}

static void chain_next(void *arg, int rc, const struct err *err)
{
    struct chain *c = arg;
    assert_int_equal(rc, 0);
    if (c->left < 5) {
        store_get_workload(c->f->store, (struct workload_id){1}, chain_page, c);
        store_read_events(c->f->store, 0, 10, chain_events, c);
    }
    if (c->left-- == 0)
        return;
    struct store_batch *b = store_batch_new(c->f->store);
    struct event e = make_event(5 - (uint64_t)c->left, "x");
    store_append_event(b, &e);
    store_commit(c->f->store, b, chain_next, c);
}

static void callbacks_may_go_on(void **state)
{
    struct fix *f = *state;
    for (int is_closed = 0; is_closed <= 1; is_closed++) {
        struct ev_loop *loop = loop_new();
        test_tmpdir_remove(f->dir);
        test_tmpdir_make(f->dir);
        snprintf(f->path, sizeof(f->path), "%s/store.db", f->dir);
        open_on(f, loop);
        struct chain c = {.f = f, .left = 5};
        chain_next(&c, 0, NULL);
        if (!is_closed)
            ev_loop_run(loop);
        close_on(f, loop); /* or while all is still to come */
        assert_int_equal(c.left, -1);
        assert_int_equal(c.pages, 5);
        assert_int_equal(c.events, 5);
    }
}

/* ---- a full disk ---- */

static void full_disk_is_waited_out(void **state)
{
    struct fix *f = *state;
    struct ev_loop *loop = loop_new();
    f->cfg.fail_at = 2;
    f->cfg.fail_code = BERR_NO_SPACE;
    open_on(f, loop);
    static struct slot slots[4];
    static int order[4];
    struct log log = {.order = order};
    for (int i = 0; i < 4; i++)
        commit_setting(f, &slots[i], i, &log);
    run(loop, &log);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(order[i], i);
        assert_int_equal(slots[i].rc, 0);
    }
    assert_false(store_is_full(f->store));
    struct store_metrics m;
    store_get_metrics(f->store, &m);
    assert_int_equal(m.no_space, 1);
    close_on(f, loop);
}

static void injected_failure_keeps_its_place(void **state)
{
    struct fix *f = *state;
    struct ev_loop *loop = loop_new();
    f->cfg.fail_at = 2;
    f->cfg.fail_code = BERR_IO;
    open_on(f, loop);
    static struct slot slots[4];
    static int order[4];
    struct log log = {.order = order};
    for (int i = 0; i < 4; i++)
        commit_setting(f, &slots[i], i, &log);
    run(loop, &log);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(order[i], i);
        assert_int_equal(slots[i].rc, i == 1 ? -BERR_IO : 0);
    }
    close_on(f, loop);
}

static void too_many_are_refused_in_order(void **state)
{
    struct fix *f = *state;
    struct ev_loop *loop = loop_new();
    open_on(f, loop);
    size_t count = LIMIT_STORE_PENDING + 10;
    struct slot *slots = mem_calloc(count, sizeof(slots[0]));
    int *order = mem_calloc(count, sizeof(order[0]));
    struct log log = {.order = order};
    commit_setting(f, &slots[0], 0, &log);
    for (size_t i = 1; i < count; i++) {
        slots[i] = (struct slot){.log = &log, .number = (int)i};
        store_commit(f->store, store_batch_new(f->store), on_done, &slots[i]);
    }
    run(loop, &log);
    assert_int_equal(log.count, count);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(order[i], i);
        assert_int_equal(slots[i].rc, i < LIMIT_STORE_PENDING ? 0 : -BERR_BUSY);
    }
    mem_free(slots);
    mem_free(order);
    close_on(f, loop);
}

const struct CMUnitTest loop_tests[] = {
    SUITE_TEST(answers_come_in_order),         SUITE_TEST(refused_one_takes_no_other_along),
    SUITE_TEST(closing_waits_and_calls_back),  SUITE_TEST(callbacks_may_go_on),
    SUITE_TEST(full_disk_is_waited_out),       SUITE_TEST(injected_failure_keeps_its_place),
    SUITE_TEST(too_many_are_refused_in_order),
};
const size_t loop_test_count = ARRAY_LEN(loop_tests);
