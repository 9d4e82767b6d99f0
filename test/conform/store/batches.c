/* Batches: all or nothing, whatever goes wrong in between. */
#include "suite.h"

static struct store_batch *batch(struct fix *f)
{
    struct store_batch *b = store_batch_new(f->store);
    assert_non_null(b);
    return b;
}

/* What is there now must still be there after `fn` made a batch fail. */
static void expect_unchanged(struct fix *f, const char *before)
{
    cleanup(buf_done) struct buf after = BUF(1 << 20);
    dump(f->store, &after);
    assert_string_equal(before, buf_str(&after));
}

/* A bit of everything, then something that is refused. */
static void fill(struct store_batch *b)
{
    struct user u = make_user(2, "bob");
    struct token t = make_token(5, 2);
    struct project p = make_project(2, "nlp");
    struct workload w = make_workload(30, 2, 2, 5);
    struct attempt a = make_attempt(30, 1, 500, 2);
    struct ledger_row l = make_ledger("local/7", a.key);
    struct event e = make_event(1, "one");
    struct idempotency_row r = {.user = {2}, .key = "k", .made = 30, .time_ms = 5};
    store_put_user(b, &u);
    store_put_token(b, &t);
    store_put_project(b, &p);
    store_put_workload(b, &w);
    store_put_attempt(b, &a);
    store_ledger_take(b, &l);
    store_append_event(b, &e);
    store_put_image(b, make_image(9));
    store_put_idempotency(b, &r);
    store_put_setting(b, "s", "v");
}

static void refused_batch_leaves_nothing(void **state)
{
    struct fix *f = *state;
    put_people(f->store);
    cleanup(buf_done) struct buf before = BUF(1 << 20);
    dump(f->store, &before);
    struct store_batch *b = batch(f);
    fill(b);
    struct user stale = make_user(1, "ada");
    stale.version = 9;
    store_put_user(b, &stale);
    commit_fails(f->store, b, BERR_PRECONDITION, "version");
    expect_unchanged(f, buf_str(&before));
    b = batch(f);
    fill(b);
    commit_ok(f->store, b);
    assert_int_equal(heads(f->store).event_seq, 1);
}

static void removals_are_undone_too(void **state)
{
    struct fix *f = *state;
    put_people(f->store);
    struct store_batch *b = batch(f);
    fill(b);
    commit_ok(f->store, b);
    cleanup(buf_done) struct buf before = BUF(1 << 20);
    dump(f->store, &before);
    b = batch(f);
    struct member m = {.project = {1}, .user = {1}, .role = ROLE_NONE};
    struct event bad = make_event(7, "gap");
    store_remove_token(b, (struct token_id){5});
    store_remove_image(b, (struct image_id){9});
    store_ledger_free(b, "gpu", "local/7");
    store_put_member(b, &m);
    store_put_image(b, make_image(9));
    store_append_event(b, &bad);
    commit_fails(f->store, b, BERR_PRECONDITION, "event 7 does not follow event 1");
    expect_unchanged(f, buf_str(&before));
}

static void events_have_no_gaps(void **state)
{
    struct fix *f = *state;
    static const struct {
        uint64_t seq;
        bool is_ok;
    } steps[] = {{2, false}, {0, false}, {1, true}, {1, false}, {3, false}, {2, true}, {3, true}};
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        struct store_batch *b = batch(f);
        struct event e = make_event(steps[i].seq, "x");
        store_append_event(b, &e);
        if (steps[i].is_ok)
            commit_ok(f->store, b);
        else
            commit_fails(f->store, b, BERR_PRECONDITION, "does not follow");
    }
    assert_int_equal(heads(f->store).event_seq, 3);
    if (suite_is_durable()) {
        fix_reopen(f);
        struct store_batch *b = batch(f);
        struct event e = make_event(5, "x");
        store_append_event(b, &e);
        commit_fails(f->store, b, BERR_PRECONDITION, "event 5 does not follow event 3");
    }
}

static void ledger_has_one_holder(void **state)
{
    struct fix *f = *state;
    const struct attempt_key ours = {{1}, 1, 10}, later = {{1}, 2, 11}, other = {{2}, 1, 10};
    enum { TAKE, SET, FREE };
    const struct {
        int what;
        struct attempt_key who;
        bool is_ok;
    } steps[] = {
        {SET, ours, false},   {TAKE, ours, true},  {TAKE, ours, true},  {TAKE, other, false},
        {TAKE, later, false}, {SET, other, false}, {SET, ours, true},   {FREE, other, true},
        {SET, ours, false},   {TAKE, other, true}, {TAKE, ours, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        struct store_batch *b = batch(f);
        struct ledger_row l = make_ledger("local/0", steps[i].who);
        if (steps[i].what == TAKE)
            store_ledger_take(b, &l);
        else if (steps[i].what == SET)
            store_ledger_set(b, &l);
        else
            store_ledger_free(b, l.kind, l.name);
        if (steps[i].is_ok)
            commit_ok(f->store, b);
        else
            commit_fails(f->store, b, BERR_CONFLICT, "gpu local/0 belongs to");
    }
}

static int see_key(void *arg, const struct idempotency_row *r)
{
    buf_printf(arg, "%s%llu ", r->key, (unsigned long long)r->user.v);
    return 0;
}

static void idempotency_keys_last_a_day(void **state)
{
    struct fix *f = *state;
    const int64_t day = 86400000, start = 1000;
    const struct {
        uint64_t user;
        const char *key;
        int64_t time_ms;
        const char *there; /* afterwards, in the order of putting */
    } steps[] = {
        {1, "a", start, "a1 "},
        {2, "a", start + 5, "a1 a2 "},
        {1, "b", start + day, "a1 a2 b1 "},
        {1, "c", start + day + 1, "a2 b1 c1 "},
        {1, "a", start + day + 6, "b1 c1 a1 "},
        {1, "d", start + 3 * day, "d1 "},
    };
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        struct store_batch *b = batch(f);
        struct idempotency_row r = {
            .user = {steps[i].user}, .made = i + 1, .time_ms = steps[i].time_ms};
        snprintf(r.key, sizeof(r.key), "%s", steps[i].key);
        store_put_idempotency(b, &r);
        commit_ok(f->store, b);
        cleanup(buf_done) struct buf there = BUF(1000);
        const struct store_visitor v = {.arg = &there, .idempotency = see_key};
        struct store_heads h;
        assert_int_equal(store_load(f->store, 0, &v, &h, NULL), 0);
        assert_string_equal(buf_str(&there), steps[i].there);
    }
}

static void empty_batch_is_answered(void **state)
{
    struct fix *f = *state;
    commit_ok(f->store, batch(f));
    store_commit(f->store, batch(f), NULL, NULL);
    struct store_batch *b = batch(f);
    fill(b);
    assert_null(store_batch_free(b)); /* never committed: nothing happens */
    assert_null(store_batch_free(NULL));
    assert_int_equal(heads(f->store).workloads_total, 0);
}

static void fault_at(struct fix *f, uint64_t n, enum berr code)
{
    f->cfg.fail_at = n;
    f->cfg.fail_code = code;
    fix_reopen(f);
    f->cfg.fail_at = 0;
}

static void on_events(void *arg, int rc, const struct event *events, size_t count, uint64_t oldest,
                      const struct err *err)
{
    *(int *)arg = rc;
}

/* The n-th of ten calls fails, for every n; the others do their work. */
static void each_call_can_fail(void **state)
{
    struct fix *f = *state;
    for (uint64_t n = 1; n <= 10; n++) {
        fault_at(f, n, n % 2 ? BERR_IO : BERR_NO_SPACE);
        uint64_t written = 0;
        for (uint64_t i = 1; i <= 9; i++) {
            struct store_batch *b = batch(f);
            char name[32];
            snprintf(name, sizeof(name), "s%llu-%llu", (unsigned long long)n,
                     (unsigned long long)i);
            store_put_setting(b, name, "x");
            int rc = commit(f->store, b, NULL);
            assert_int_equal(rc, i == n ? -(int)(n % 2 ? BERR_IO : BERR_NO_SPACE) : 0);
            written += rc == 0;
        }
        assert_int_equal(written, n == 10 ? 9 : 8);
        int rc = 1;
        store_read_events(f->store, 0, 10, on_events, &rc);
        assert_int_equal(rc, n == 10 ? -BERR_NO_SPACE : 0);
    }
}

/* ---- torture: the n-th allocation fails ---- */

struct torture {
    struct fix *f;
    uint64_t round, seq;
};

static int torture_commit(void *arg)
{
    struct torture *t = arg;
    uint64_t id = 1000 + ++t->round;
    struct store_batch *b = store_batch_new(t->f->store);
    if (b == NULL)
        return -BERR_NOMEM;
    struct workload w = make_workload(id, 1, 1, 5);
    struct attempt a = make_attempt(id, 1, id, 2);
    struct event e = make_event(t->seq + 1, "torture");
    struct ledger_row l = make_ledger("local/0", a.key);
    store_put_workload(b, &w);
    store_put_attempt(b, &a);
    store_ledger_take(b, &l);
    store_append_event(b, &e);
    store_ledger_free(b, l.kind, l.name);
    return commit(t->f->store, b, NULL);
}

static void short_memory_leaves_nothing_half(void **state)
{
    struct fix *f = *state;
    put_people(f->store);
    /* Memory lives as long as the store in the memory driver: count by content, not by mem_live. */
    struct torture t = {.f = f};
    uint64_t ok = 0;
    for (uint64_t n = 1;; n++) {
        struct store_heads before = heads(f->store);
        t.seq = before.event_seq;
        mem_fail_at(n, 0);
        int rc = torture_commit(&t);
        bool was_hit = mem_fail_hit() != 0;
        mem_fail_at(0, 0);
        struct store_heads after = heads(f->store);
        assert_true(rc == 0 || rc == -BERR_NOMEM);
        ok += rc == 0;
        assert_int_equal(after.event_seq - before.event_seq, rc == 0);
        assert_int_equal(after.workloads_total - before.workloads_total, rc == 0);
        if (!was_hit) {
            assert_int_equal(rc, 0);
            assert_true(n > 5);
            break;
        }
        assert_int_equal(rc, -BERR_NOMEM);
    }
    assert_int_equal(heads(f->store).event_seq, ok);
}

static int torture_open(void *arg)
{
    struct fix *f = arg;
    struct store *s;
    int rc = store_open(&f->cfg, NULL, &s, NULL);
    if (rc == 0)
        store_close(s);
    return rc;
}

static void short_memory_at_open(void **state)
{
    struct fix *f = *state;
    f->store = store_close(f->store);
    test_torture(torture_open, f);
}

const struct CMUnitTest batch_tests[] = {
    SUITE_TEST(refused_batch_leaves_nothing), SUITE_TEST(removals_are_undone_too),
    SUITE_TEST(events_have_no_gaps),          SUITE_TEST(ledger_has_one_holder),
    SUITE_TEST(idempotency_keys_last_a_day),  SUITE_TEST(empty_batch_is_answered),
    SUITE_TEST(each_call_can_fail),           SUITE_TEST(short_memory_leaves_nothing_half),
    SUITE_TEST(short_memory_at_open),
};
const size_t batch_test_count = ARRAY_LEN(batch_tests);
