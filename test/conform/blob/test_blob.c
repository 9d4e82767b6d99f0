/* What blob.h promises, asked of every driver. */
#include "blob/blob.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "testlib.h"

#define BIG (300u * 1024)

struct fixture {
    char dir[TEST_PATH_MAX];
    bool is_fs;
    struct blob_store *s;
    struct err err;
};

static int open_store(struct fixture *f)
{
    return f->is_fs ? blob_fs_open(f->dir, &f->s, &f->err) : blob_mem_open(1 << 20, &f->s, &f->err);
}

static int setup(void **state, bool is_fs)
{
    struct fixture *f = test_calloc(1, sizeof(*f));
    f->is_fs = is_fs;
    test_tmpdir_make(f->dir);
    *state = f;
    return open_store(f);
}

static int setup_fs(void **state)
{
    return setup(state, true);
}

static int setup_mem(void **state)
{
    return setup(state, false);
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    blob_store_free(f->s);
    test_tmpdir_remove(f->dir);
    test_free(f);
    return 0;
}

static struct digest digest(const char *text)
{
    struct digest d;
    assert_int_equal(digest_of(text, strlen(text), &d, NULL), 0);
    return d;
}

static void expect(struct fixture *f, const struct digest *d, const char *text)
{
    struct blob_read *r = NULL;
    char got[64];
    size_t n = 0;
    assert_int_equal(blob_open(f->s, d, &r, &f->err), 0);
    assert_int_equal(blob_size(r), strlen(text));
    assert_int_equal(blob_read(r, 0, got, sizeof(got), &n, &f->err), 0);
    assert_int_equal(n, strlen(text));
    assert_memory_equal(got, text, n);
    blob_read_close(r);
}

static int count(void *arg, const struct blob_info *info)
{
    (void)info;
    ++*(int *)arg;
    return 0;
}

static int listed(struct fixture *f)
{
    int n = 0;
    assert_int_equal(blob_list(f->s, count, &n, &f->err), 0);
    return n;
}

static void puts_and_gets(void **state)
{
    struct fixture *f = *state;
    struct digest d = digest("hello"), empty = digest("");
    struct blob_info info;
    assert_false(blob_has(f->s, &d));
    assert_int_equal(blob_put(f->s, &d, "hello", 5, &f->err), 0);
    assert_true(blob_has(f->s, &d));
    expect(f, &d, "hello");
    assert_int_equal(blob_stat(f->s, &d, &info, &f->err), 0);
    assert_int_equal(info.size_bytes, 5);
    assert_int_equal(blob_put(f->s, &empty, "", 0, &f->err), 0);
    expect(f, &empty, "");
    assert_int_equal(listed(f), 2);
}

static void reads_ranges(void **state)
{
    struct fixture *f = *state;
    struct digest d = digest("0123456789");
    struct blob_read *r = NULL;
    char got[16];
    size_t n = 99;
    assert_int_equal(blob_put(f->s, &d, "0123456789", 10, &f->err), 0);
    assert_int_equal(blob_open(f->s, &d, &r, &f->err), 0);
    assert_int_equal(blob_read(r, 3, got, 4, &n, &f->err), 0);
    assert_int_equal(n, 4);
    assert_memory_equal(got, "3456", 4);
    assert_int_equal(blob_read(r, 8, got, sizeof(got), &n, &f->err), 0);
    assert_int_equal(n, 2);
    assert_int_equal(blob_read(r, 10, got, sizeof(got), &n, &f->err), 0);
    assert_int_equal(n, 0);
    assert_int_equal(blob_read(r, UINT64_MAX, got, sizeof(got), &n, &f->err), 0);
    assert_int_equal(n, 0);
    blob_read_close(r);
}

static void streams_in_pieces(void **state)
{
    struct fixture *f = *state;
    char *data = test_malloc(BIG), *got = test_malloc(BIG);
    struct digest d;
    struct blob_put *p = NULL;
    struct blob_read *r = NULL;
    for (size_t i = 0; i < BIG; i++)
        data[i] = (char)(i * 7 + i / 251);
    assert_int_equal(digest_of(data, BIG, &d, NULL), 0);
    assert_int_equal(blob_put_begin(f->s, &d, BIG, &p, &f->err), 0);
    for (size_t at = 0; at < BIG; at += 4096 * 3 / 2) {
        size_t len = BIG - at < 4096 * 3 / 2 ? BIG - at : 4096 * 3 / 2;
        assert_int_equal(blob_put_write(p, data + at, len, &f->err), 0);
        assert_false(blob_has(f->s, &d)); /* nothing to see before the end */
    }
    assert_int_equal(blob_put_end(p, &f->err), 0);
    blob_put_free(p);
    assert_int_equal(blob_open(f->s, &d, &r, &f->err), 0);
    for (size_t at = 0, n; at < BIG; at += n) {
        assert_int_equal(blob_read(r, at, got + at, BIG - at, &n, &f->err), 0);
        assert_true(n > 0);
    }
    assert_memory_equal(got, data, BIG);
    blob_read_close(r);
    test_free(data);
    test_free(got);
}

static void refuses_what_was_not_promised(void **state)
{
    struct fixture *f = *state;
    struct digest d = digest("hello");
    struct blob_put *p = NULL;
    assert_int_equal(blob_put(f->s, &d, "hellO", 5, &f->err), -BERR_INVALID);
    assert_false(blob_has(f->s, &d));
    assert_int_equal(blob_put_begin(f->s, &d, 5, &p, &f->err), 0);
    assert_int_equal(blob_put_write(p, "hel", 3, &f->err), 0);
    assert_int_equal(blob_put_write(p, "loo", 3, &f->err), -BERR_TOO_LARGE);
    assert_int_equal(blob_put_end(p, &f->err), -BERR_INVALID); /* too short */
    blob_put_free(p);
    assert_int_equal(blob_put_begin(f->s, &d, 5, &p, &f->err), 0);
    blob_put_free(p); /* given up */
    assert_int_equal(listed(f), 0);
    assert_int_equal(blob_open(f->s, &d, NULL, &f->err), -BERR_NOT_FOUND);
}

static void repeats_are_harmless(void **state)
{
    struct fixture *f = *state;
    struct digest d = digest("hello");
    struct blob_put *a = NULL, *b = NULL;
    assert_int_equal(blob_put_begin(f->s, &d, 5, &a, &f->err), 0);
    assert_int_equal(blob_put_begin(f->s, &d, 5, &b, &f->err), 0);
    assert_int_equal(blob_put_write(a, "hello", 5, &f->err), 0);
    assert_int_equal(blob_put_write(b, "hello", 5, &f->err), 0);
    assert_int_equal(blob_put_end(a, &f->err), 0);
    assert_int_equal(blob_put_end(b, &f->err), 0);
    blob_put_free(a);
    blob_put_free(b);
    assert_int_equal(blob_put(f->s, &d, "hello", 5, &f->err), 0);
    assert_int_equal(blob_put(f->s, &d, "hellO", 5, &f->err), -BERR_INVALID); /* still checked */
    expect(f, &d, "hello");
    assert_int_equal(listed(f), 1);
}

static void readers_keep_what_is_removed(void **state)
{
    struct fixture *f = *state;
    struct digest d = digest("hello");
    struct blob_read *r = NULL;
    char got[8];
    size_t n;
    assert_int_equal(blob_put(f->s, &d, "hello", 5, &f->err), 0);
    assert_int_equal(blob_open(f->s, &d, &r, &f->err), 0);
    assert_int_equal(blob_remove(f->s, &d, &f->err), 0);
    assert_int_equal(blob_remove(f->s, &d, &f->err), 0);
    assert_false(blob_has(f->s, &d));
    assert_int_equal(blob_read(r, 0, got, sizeof(got), &n, &f->err), 0);
    assert_int_equal(n, 5);
    blob_read_close(r);
    assert_int_equal(listed(f), 0);
}

static void remembers_use(void **state)
{
    struct fixture *f = *state;
    struct digest d = digest("hello");
    struct blob_info info;
    assert_int_equal(blob_touch(f->s, &d, 1700000000123, &f->err), -BERR_NOT_FOUND);
    assert_int_equal(blob_put(f->s, &d, "hello", 5, &f->err), 0);
    assert_int_equal(blob_touch(f->s, &d, 1700000000123, &f->err), 0);
    assert_int_equal(blob_stat(f->s, &d, &info, &f->err), 0);
    assert_int_equal(info.used_ms, 1700000000123);
}

static int stop(void *arg, const struct blob_info *info)
{
    (void)arg;
    (void)info;
    return -BERR_CANCELED;
}

static void lists_stop_when_told(void **state)
{
    struct fixture *f = *state;
    struct digest d = digest("hello");
    assert_int_equal(blob_put(f->s, &d, "hello", 5, &f->err), 0);
    assert_int_equal(blob_list(f->s, stop, NULL, &f->err), -BERR_CANCELED);
}

static int torture_body(void *ctx)
{
    struct fixture *f = ctx;
    struct digest d;
    struct blob_read *r = NULL;
    int n = 0;
    int rc = digest_of("x", 1, &d, NULL);
    if (rc == 0)
        rc = blob_put(f->s, &d, "x", 1, NULL);
    if (rc == 0)
        rc = blob_open(f->s, &d, &r, NULL);
    blob_read_close(r);
    if (rc == 0)
        rc = blob_list(f->s, count, &n, NULL);
    (void)blob_remove(f->s, &d, NULL);
    return rc;
}

static void memory_may_be_short(void **state)
{
    struct fixture *f = *state;
    struct digest d = digest("warm");
    assert_int_equal(blob_put(f->s, &d, "warm", 4, &f->err), 0);
    test_torture(torture_body, f);
}

/* ---- of single drivers ---- */

static void fs_starts_clean_and_keeps(void **state)
{
    struct fixture *f = *state;
    struct digest d = digest("hello");
    char left[TEST_PATH_MAX + 16];
    assert_int_equal(blob_put(f->s, &d, "hello", 5, &f->err), 0);
    f->s = blob_store_free(f->s);
    snprintf(left, sizeof(left), "%s/tmp/12", f->dir);
    test_write_file(left, "unfinished");
    assert_int_equal(open_store(f), 0);
    assert_int_not_equal(access(left, F_OK), 0);
    expect(f, &d, "hello");
    assert_int_equal(listed(f), 1);
}

static void mem_has_an_end(void **state)
{
    struct fixture *f = *state;
    struct digest d = digest("hello");
    struct blob_put *p = NULL;
    assert_int_equal(blob_put_begin(f->s, &d, 2 << 20, &p, &f->err), -BERR_NO_SPACE);
    assert_null(p);
}

#define BOTH(test)                                             \
    cmocka_unit_test_setup_teardown(test, setup_fs, teardown), \
        cmocka_unit_test_setup_teardown(test, setup_mem, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(puts_and_gets),
        BOTH(reads_ranges),
        BOTH(streams_in_pieces),
        BOTH(refuses_what_was_not_promised),
        BOTH(repeats_are_harmless),
        BOTH(readers_keep_what_is_removed),
        BOTH(remembers_use),
        BOTH(lists_stop_when_told),
        BOTH(memory_may_be_short),
        cmocka_unit_test_setup_teardown(fs_starts_clean_and_keeps, setup_fs, teardown),
        cmocka_unit_test_setup_teardown(mem_has_an_end, setup_mem, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
