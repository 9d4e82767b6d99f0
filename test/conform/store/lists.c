/* Reads of the past: pages, filters, single ones, events. */
#include "suite.h"

#define COUNT 60

struct seen {
    uint64_t ids[COUNT + 1];
    int64_t last_ms;
    uint64_t last_id;
    size_t count;
    bool more;
    int rc, calls;
};

/* Ids in order; checks that rows are complete. */
static void on_page(void *arg, int rc, const struct store_workload_page *page,
                    const struct err *err)
{
    struct seen *seen = arg;
    seen->rc = rc;
    seen->calls++;
    if (rc < 0)
        return;
    for (size_t i = 0; i < page->count; i++) {
        const struct workload *w = page->rows[i].w;
        assert_true(seen->count < COUNT);
        seen->ids[seen->count++] = w->id.v;
        seen->last_ms = w->submitted_ms;
        seen->last_id = w->id.v;
        assert_non_null(strstr(page->rows[i].spec_json, "digits"));
        const struct attempt *a = page->rows[i].a;
        assert_true((a == NULL) == (w->id.v % 3 != 0));
        if (a != NULL) {
            assert_int_equal(a->key.number, 2);
            assert_int_equal(a->task_count, 2);
            assert_string_equal(a->tasks[1].node, "n\"1");
        }
    }
    seen->more = page->more;
}

/* 60 workloads with ids 1..60: submitted two at a time, in three projects, of two owners, every
 * fourth a notebook, every fifth failed; those divisible by three have two attempts. */
static void put_many(struct fix *f)
{
    put_people(f->store);
    struct workload_spec notebook = suite_spec;
    notebook.kind = KIND_NOTEBOOK;
    struct store_batch *b = store_batch_new(f->store);
    for (uint64_t id = 1; id <= COUNT; id++) {
        struct workload w = make_workload(id, 1 + id % 3, 1 + id % 2, 1000 + (int64_t)id / 2);
        if (id % 4 == 0)
            w.spec = &notebook;
        w.state = id % 5 == 0 ? STATE_FAILED : STATE_QUEUED;
        store_put_workload(b, &w);
        for (uint32_t n = 1; n <= 2 && id % 3 == 0; n++) {
            struct attempt a = make_attempt(id, n, id * 10 + n, 2);
            store_put_attempt(b, &a);
        }
    }
    commit_ok(f->store, b);
}

static bool is_wanted(const struct store_workload_query *q, uint64_t id)
{
    bool is_visible = q->projects == NULL;
    for (size_t i = 0; i < q->project_count; i++)
        is_visible |= q->projects[i] == 1 + id % 3;
    if (q->project.v != 0)
        is_visible = q->project.v == 1 + id % 3;
    return is_visible && (q->owner.v == 0 || q->owner.v == 1 + id % 2) &&
           (q->kind < 0 || (q->kind == KIND_NOTEBOOK) == (id % 4 == 0)) &&
           (q->state < 0 || (q->state == STATE_FAILED) == (id % 5 == 0));
}

static size_t expected_ids(const struct store_workload_query *q, uint64_t ids[COUNT])
{
    size_t count = 0;
    /* Newest first; the two of one millisecond by id. */
    for (int64_t ms = 1000 + COUNT / 2; ms >= 1000; ms--)
        for (uint64_t id = (uint64_t)(ms - 1000) * 2; id <= (uint64_t)(ms - 1000) * 2 + 1; id++)
            if (id >= 1 && id <= COUNT && is_wanted(q, id))
                ids[count++] = id;
    return count;
}

static void walk_pages(struct fix *f, struct store_workload_query q, uint32_t limit)
{
    uint64_t expected[COUNT];
    size_t count = expected_ids(&q, expected);
    struct seen seen = {0};
    q.limit = limit;
    do {
        size_t before = seen.count;
        seen.calls = 0;
        store_list_workloads(f->store, &q, on_page, &seen);
        assert_int_equal(seen.calls, 1);
        assert_int_equal(seen.rc, 0);
        assert_true(seen.count - before <= limit);
        assert_true(!seen.more || seen.count - before == limit);
        q.before_ms = seen.last_ms;
        q.before_id = seen.last_id;
    } while (seen.more);
    assert_int_equal(seen.count, count);
    assert_memory_equal(seen.ids, expected, count * sizeof(expected[0]));
}

static void pages_follow_each_other(void **state)
{
    struct fix *f = *state;
    put_many(f);
    static const uint64_t both[] = {1, 3}, unknown[] = {77, 0}, all[] = {1, 2, 3};
    const struct {
        const uint64_t *ids;
        size_t count;
    } lists[] = {{NULL, 0}, {both, 2}, {unknown, 2}, {all, 3}, {both, 0}};
    const uint32_t limits[] = {1, 7, 1000};
    for (size_t l = 0; l < ARRAY_LEN(lists); l++)
        for (uint64_t project = 0; project <= 2; project += 2)
            for (uint64_t owner = 0; owner <= 1; owner++)
                for (int kind = -1; kind <= KIND_NOTEBOOK; kind++)
                    for (int what = -1; what <= 1; what++)
                        walk_pages(f,
                                   (struct store_workload_query){.projects = lists[l].ids,
                                                                 .project_count = lists[l].count,
                                                                 .project = {project},
                                                                 .owner = {owner},
                                                                 .kind = kind,
                                                                 .state = what < 0 ? -1
                                                                          : what   ? STATE_FAILED
                                                                                   : STATE_QUEUED},
                                   limits[(l + owner + project) % ARRAY_LEN(limits)]);
}

static void cursor_without_id_is_strictly_before(void **state)
{
    struct fix *f = *state;
    put_many(f);
    struct seen seen = {0};
    const struct store_workload_query q = {.kind = -1, .state = -1, .before_ms = 1001, .limit = 10};
    store_list_workloads(f->store, &q, on_page, &seen);
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.ids[0], 1);
}

static void one_by_id(void **state)
{
    struct fix *f = *state;
    put_many(f);
    struct seen seen = {0};
    store_get_workload(f->store, (struct workload_id){9}, on_page, &seen);
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.ids[0], 9);
    assert_false(seen.more);
    struct seen none = {0};
    store_get_workload(f->store, (struct workload_id){999}, on_page, &none);
    assert_int_equal(none.calls, 1);
    assert_int_equal(none.rc, 0);
    assert_int_equal(none.count, 0);
}

struct events_seen {
    uint64_t first, last, oldest;
    size_t count;
};

static void on_events(void *arg, int rc, const struct event *events, size_t count, uint64_t oldest,
                      const struct err *err)
{
    assert_int_equal(rc, 0);
    struct events_seen *seen = arg;
    *seen = (struct events_seen){.oldest = oldest, .count = count};
    for (size_t i = 0; i < count; i++) {
        assert_true(i == 0 || events[i].seq == events[i - 1].seq + 1);
        assert_string_equal(events[i].text, "text");
    }
    if (count > 0) {
        seen->first = events[0].seq;
        seen->last = events[count - 1].seq;
    }
}

static void events_in_order_and_limited(void **state)
{
    struct fix *f = *state;
    for (uint64_t seq = 1; seq <= 50;) {
        struct store_batch *b = store_batch_new(f->store);
        for (int k = 0; k < 7 && seq <= 50; k++, seq++) {
            struct event e = make_event(seq, "text");
            store_append_event(b, &e);
        }
        commit_ok(f->store, b);
    }
    const struct {
        uint64_t after;
        uint32_t limit;
        uint64_t first, last;
        size_t count;
    } cases[] = {{0, 10, 1, 10, 10}, {45, 10, 46, 50, 5},       {50, 10, 0, 0, 0},
                 {51, 10, 0, 0, 0},  {UINT64_MAX, 10, 0, 0, 0}, {49, 1, 50, 50, 1}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct events_seen seen;
        store_read_events(f->store, cases[i].after, cases[i].limit, on_events, &seen);
        assert_int_equal(seen.count, cases[i].count);
        assert_int_equal(seen.first, cases[i].first);
        assert_int_equal(seen.last, cases[i].last);
        assert_int_equal(seen.oldest, 1);
    }
}

/* ---- torture ---- */

static int torture_reads(void *arg)
{
    struct fix *f = arg;
    static const uint64_t projects[] = {1, 2};
    const struct store_workload_query by_projects = {
        .projects = projects, .project_count = 2, .kind = -1, .state = -1, .limit = 5};
    struct store_workload_query by_owner = by_projects;
    by_owner.owner.v = 1;
    struct seen seen = {0};
    store_list_workloads(f->store, &by_projects, on_page, &seen);
    if (seen.rc == 0)
        store_list_workloads(f->store, &by_owner, on_page, &seen);
    if (seen.rc == 0)
        store_get_workload(f->store, (struct workload_id){9}, on_page, &seen);
    return seen.rc;
}

static void reads_with_short_memory(void **state)
{
    struct fix *f = *state;
    put_many(f);
    assert_int_equal(torture_reads(f), 0);
    test_torture(torture_reads, f);
}

const struct CMUnitTest list_tests[] = {
    SUITE_TEST(pages_follow_each_other),
    SUITE_TEST(cursor_without_id_is_strictly_before),
    SUITE_TEST(one_by_id),
    SUITE_TEST(events_in_order_and_limited),
    SUITE_TEST(reads_with_short_memory),
};
const size_t list_test_count = ARRAY_LEN(list_tests);
