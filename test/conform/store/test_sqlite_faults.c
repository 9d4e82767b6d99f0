/*
 * SQLite with a disk and a memory that fail at the n-th call, for every n: a batch is there as a
 * whole or not at all; after a full disk or short memory the same store goes on; after an error of
 * the disk it writes no more, and opening it again finds everything that was answered.
 */
#include "suite.h"
#include <stdlib.h>
#include <unistd.h>
#include "faultfs.h"

static uint64_t round_number;

/* Rows of most kinds and two events; ids follow from the number of the try, so that one that failed
 * can't collide. */
static int commit_round(struct fix *f, uint64_t seq, struct err *err)
{
    struct store_batch *b = store_batch_new(f->store);
    uint64_t id = ++round_number + 1000;
    struct workload w = make_workload(id, 1, 1, 5);
    struct attempt a = make_attempt(id, 1, id, 2);
    struct event e1 = make_event(seq + 1, "one"), e2 = make_event(seq + 2, "two");
    char name[32];
    snprintf(name, sizeof(name), "local/%d", (int)id);
    struct ledger_row l = make_ledger(name, a.key);
    store_put_workload(b, &w);
    store_append_event(b, &e1);
    store_put_attempt(b, &a);
    store_ledger_take(b, &l);
    store_put_image(b, make_image(id));
    store_append_event(b, &e2);
    return commit(f->store, b, err);
}

struct counts {
    uint64_t seq, workloads, images, ledger, attempts;
};

static int count_image(void *arg, const struct image *i)
{
    ((struct counts *)arg)->images++;
    return 0;
}
static int count_ledger(void *arg, const struct ledger_row *l)
{
    ((struct counts *)arg)->ledger++;
    return 0;
}
static int count_attempt(void *arg, const struct attempt *a)
{
    ((struct counts *)arg)->attempts++;
    return 0;
}

/* Every batch left one of each and two events, or nothing. */
static struct counts expect_whole(struct fix *f)
{
    struct counts c = {0};
    const struct store_visitor v = {
        .arg = &c, .image = count_image, .ledger = count_ledger, .attempt = count_attempt};
    struct store_heads h;
    struct err err;
    if (store_load(f->store, 0, &v, &h, &err) < 0)
        fail_msg("load: %s", err.text);
    c.seq = h.event_seq;
    c.workloads = h.workloads_total;
    assert_int_equal(c.seq, 2 * c.workloads);
    assert_int_equal(c.images, c.workloads);
    assert_int_equal(c.ledger, c.workloads);
    assert_int_equal(c.attempts, c.workloads);
    return c;
}

static int setup(void **state)
{
    /* Thousands of syncs: what they cost is not the point here. */
    if (access("/dev/shm", W_OK) == 0)
        setenv("TMPDIR", "/dev/shm", 1);
    suite_driver = "sqlite";
    int rc = suite_setup(state);
    put_people(((struct fix *)*state)->store);
    return rc;
}

static int teardown(void **state)
{
    faultfs_fail_at(FAULT_IO, 0, false);
    return suite_teardown(state);
}

static void full_disk(void **state)
{
    struct fix *f = *state;
    for (int is_persistent = 0; is_persistent <= 1; is_persistent++)
        for (uint64_t n = 1;; n++) {
            struct counts before = expect_whole(f);
            struct err err = {0};
            faultfs_fail_at(FAULT_FULL, n, is_persistent);
            int rc = commit_round(f, before.seq, &err);
            bool was_hit = faultfs_was_hit();
            faultfs_fail_at(FAULT_FULL, 0, false);
            if (rc != 0 && rc != -BERR_NO_SPACE)
                fail_msg("write %d: %s", (int)n, err.text);
            struct counts after = expect_whole(f);
            assert_int_equal(after.workloads, before.workloads + (rc == 0));
            /* There is room again: the same store goes on. */
            assert_int_equal(commit_round(f, after.seq, &err), 0);
            if (!was_hit) {
                assert_int_equal(rc, 0);
                assert_true(n > 5);
                break;
            }
        }
    struct counts before = expect_whole(f);
    fix_reopen(f);
    assert_int_equal(expect_whole(f).seq, before.seq);
}

static void broken_disk(void **state)
{
    struct fix *f = *state;
    for (uint64_t n = 1;; n++) {
        struct counts before = expect_whole(f);
        struct err err = {0};
        faultfs_fail_at(FAULT_IO, n, n % 2 == 0);
        int rc = commit_round(f, before.seq, &err);
        bool was_hit = faultfs_was_hit();
        faultfs_fail_at(FAULT_IO, 0, false);
        struct counts after = expect_whole(f); /* reading goes on */
        assert_int_equal(after.workloads, before.workloads + (rc == 0));
        if (rc < 0) {
            assert_int_equal(rc, -BERR_IO);
            /* In doubt what the disk holds: nothing more is written on top. */
            assert_int_equal(commit_round(f, after.seq, &err), -BERR_IO);
        }
        fix_reopen(f);
        /* What was answered is there; what failed may be, but whole. */
        struct counts now = expect_whole(f);
        assert_true(now.workloads == after.workloads ||
                    (rc < 0 && now.workloads == before.workloads + 1));
        assert_int_equal(commit_round(f, now.seq, &err), 0);
        if (!was_hit) {
            assert_true(n > 5);
            break;
        }
    }
}

static void short_memory(void **state)
{
    struct fix *f = *state;
    uint64_t failed = 0;
    for (uint64_t n = 1;; n++) {
        struct counts before = expect_whole(f);
        struct err err = {0};
        faultfs_fail_at(FAULT_MEMORY, n, n % 2 == 0);
        int rc = commit_round(f, before.seq, &err);
        bool was_hit = faultfs_was_hit();
        faultfs_fail_at(FAULT_MEMORY, 0, false);
        if (rc != 0 && rc != -BERR_NOMEM)
            fail_msg("allocation %d: %s", (int)n, err.text);
        failed += rc < 0;
        struct counts after = expect_whole(f);
        assert_int_equal(after.workloads, before.workloads + (rc == 0));
        if (!was_hit)
            break;
        if (n % 8 == 0)
            fix_reopen(f); /* statements are prepared anew: more allocations */
    }
    assert_true(failed > 0);
}

static void opening(void **state)
{
    struct fix *f = *state;
    static const enum fault faults[] = {FAULT_FULL, FAULT_IO, FAULT_MEMORY};
    f->store = store_close(f->store);
    for (size_t k = 0; k < ARRAY_LEN(faults); k++)
        for (uint64_t n = 1;; n++) {
            struct err err;
            test_tmpdir_remove(f->dir);
            test_tmpdir_make(f->dir);
            snprintf(f->path, sizeof(f->path), "%s/store.db", f->dir);
            faultfs_fail_at(faults[k], n, n % 2 == 0);
            int rc = store_open(&f->cfg, NULL, &f->store, &err);
            bool was_hit = faultfs_was_hit();
            faultfs_fail_at(faults[k], 0, false);
            if (rc == 0)
                store_close(f->store);
            else
                assert_true(rc == -BERR_NO_SPACE || rc == -BERR_IO || rc == -BERR_NOMEM);
            f->store = NULL;
            /* However far it came: it opens, and works. */
            assert_int_equal(store_open(&f->cfg, NULL, &f->store, &err), 0);
            put_people(f->store);
            f->store = store_close(f->store);
            if (!was_hit) {
                assert_int_equal(rc, 0);
                break;
            }
            n += faults[k] == FAULT_MEMORY ? 6 : 0; /* hundreds of them: a sample */
        }
    assert_int_equal(store_open(&f->cfg, NULL, &f->store, NULL), 0);
}

/* More than the page cache holds: the transaction is written before it is committed. */
static void big_transactions(void **state)
{
    struct fix *f = *state;
    static const uint64_t tries[] = {1, 2, 3, 10, 100, 700, 1500, 1000000};
    uint64_t id = 5000000;
    for (size_t k = 0; k < ARRAY_LEN(tries); k++) {
        struct store_batch *b = store_batch_new(f->store);
        struct image *i = make_image(1);
        memset(i->config, 'c', sizeof(i->config) - 1);
        for (int n = 0; n < 2000; n++) {
            i->id.v = ++id;
            store_put_image(b, i);
        }
        struct counts before = {0}, after = {0};
        const struct store_visitor v = {.arg = &before, .image = count_image},
                                   v2 = {.arg = &after, .image = count_image};
        struct store_heads h;
        assert_int_equal(store_load(f->store, 0, &v, &h, NULL), 0);
        faultfs_fail_at(FAULT_FULL, tries[k], false);
        int rc = commit(f->store, b, NULL);
        faultfs_fail_at(FAULT_FULL, 0, false);
        assert_true(rc == 0 || rc == -BERR_NO_SPACE);
        assert_true(k > 0 || rc < 0);
        assert_true(k + 1 < ARRAY_LEN(tries) || rc == 0);
        assert_int_equal(store_load(f->store, 0, &v2, &h, NULL), 0);
        assert_int_equal(after.images, before.images + (rc == 0 ? 2000 : 0));
    }
}

int main(void)
{
    faultfs_install();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(full_disk, setup, teardown),
        cmocka_unit_test_setup_teardown(broken_disk, setup, teardown),
        cmocka_unit_test_setup_teardown(short_memory, setup, teardown),
        cmocka_unit_test_setup_teardown(opening, setup, teardown),
        cmocka_unit_test_setup_teardown(big_transactions, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
