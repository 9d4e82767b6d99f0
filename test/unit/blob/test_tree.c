#include "blob/tree.h"
#include <sys/stat.h>
#include <unistd.h>
#include "testlib.h"

#define NOW 1800000000000ll
#define DAY 86400000ll

struct fixture {
    char dir[TEST_PATH_MAX], blobs_dir[TEST_PATH_MAX + 8], trees_dir[TEST_PATH_MAX + 8];
    struct arena arena;
    struct blob_store *blobs;
    struct tree_set *trees;
    struct err err;
};

static int setup(void **state)
{
    struct fixture *f = test_calloc(1, sizeof(*f));
    test_tmpdir_make(f->dir);
    arena_init(&f->arena, 1 << 20);
    snprintf(f->blobs_dir, sizeof(f->blobs_dir), "%s/blobs", f->dir);
    snprintf(f->trees_dir, sizeof(f->trees_dir), "%s/trees", f->dir);
    assert_int_equal(blob_fs_open(f->blobs_dir, &f->blobs, &f->err), 0);
    assert_int_equal(tree_set_open(f->trees_dir, f->blobs, &f->trees, &f->err), 0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    tree_set_free(f->trees);
    blob_store_free(f->blobs);
    test_tmpdir_remove(f->dir);
    arena_done(&f->arena);
    test_free(f);
    return 0;
}

static struct ship_entry entry(const char *path, const char *text, bool is_executable)
{
    struct ship_entry e = {
        .path = path, .is_executable = is_executable, .size_bytes = strlen(text)};
    assert_int_equal(digest_of(text, strlen(text), &e.digest, NULL), 0);
    return e;
}

static void put(struct fixture *f, const char *text)
{
    struct digest d;
    assert_int_equal(digest_of(text, strlen(text), &d, NULL), 0);
    assert_int_equal(blob_put(f->blobs, &d, text, strlen(text), &f->err), 0);
    assert_int_equal(blob_touch(f->blobs, &d, NOW, &f->err), 0);
}

static const char *in_tree(struct fixture *f, const struct ship_manifest *m, const char *path)
{
    static char dst[1024];
    char hex[DIGEST_HEX_SIZE];
    snprintf(dst, sizeof(dst), "%s/%s/%s", f->trees_dir, digest_hex(hex, &m->digest), path);
    return dst;
}

static struct stat stat_of(const char *path)
{
    struct stat st;
    assert_int_equal(lstat(path, &st), 0);
    return st;
}

static void makes_trees_of_links(void **state)
{
    struct fixture *f = *state;
    struct ship_entry list[] = {
        entry("x/y/run", "same", true),        entry("x/a", "same", false),
        entry("x/b", "same", false),           entry("x.d/c", "other", false),
        {.path = "x/link", .target = "y/run"},
    };
    struct ship_manifest m;
    cleanup(buf_done) struct buf missing = BUF(4096);
    assert_int_equal(ship_manifest_make(list, ARRAY_LEN(list), &m, &f->err), 0);
    assert_int_equal(tree_missing(&m, f->blobs, NOW, &missing, &f->err), 0);
    assert_int_equal(missing.len, 2 * 66 + 3); /* two digests, each once */
    assert_int_equal(tree_set_make(f->trees, &m, NOW, &f->err), -BERR_CONFLICT);
    assert_false(tree_set_has(f->trees, &m.digest));
    put(f, "same");
    put(f, "other");
    buf_clear(&missing);
    assert_int_equal(tree_missing(&m, f->blobs, NOW, &missing, &f->err), 0);
    assert_string_equal(buf_str(&missing), "[]");
    assert_int_equal(tree_set_make(f->trees, &m, NOW, &f->err), 0);
    assert_int_equal(tree_set_make(f->trees, &m, NOW, &f->err), 0);
    assert_true(tree_set_has(f->trees, &m.digest));

    struct stat run = stat_of(in_tree(f, &m, "x/y/run")), a = stat_of(in_tree(f, &m, "x/a"));
    assert_int_equal(run.st_mode & 07777, 0755);
    assert_int_equal(a.st_mode & 07777, 0644);
    assert_int_equal(a.st_ino, stat_of(in_tree(f, &m, "x/b")).st_ino);
    assert_int_not_equal(a.st_ino, run.st_ino);
    assert_true(S_ISLNK(stat_of(in_tree(f, &m, "x/link")).st_mode));
    char *text = test_read_file(in_tree(f, &m, "x/y/run"), NULL);
    assert_string_equal(text, "same");
    mem_free(text);
    text = test_read_file(in_tree(f, &m, "x.d/c"), NULL);
    assert_string_equal(text, "other");
    mem_free(text);
}

static void sizes_must_be_true(void **state)
{
    struct fixture *f = *state;
    struct ship_entry e = entry("a", "text", false);
    struct ship_manifest m;
    put(f, "text");
    e.size_bytes = 5;
    assert_int_equal(ship_manifest_make(&e, 1, &m, &f->err), 0);
    assert_int_equal(tree_set_make(f->trees, &m, NOW, &f->err), -BERR_INVALID);
    assert_false(tree_set_has(f->trees, &m.digest));
}

static bool is_held(void *arg, const struct digest *d)
{
    return digest_is_equal(arg, d);
}

static void collects_what_nobody_uses(void **state)
{
    struct fixture *f = *state;
    struct ship_entry old = entry("a", "old", true), held = entry("a", "held", false),
                      fresh = entry("a", "fresh", false);
    struct ship_manifest mo, mh, mf;
    uint64_t freed = 0;
    put(f, "old");
    put(f, "held");
    put(f, "fresh");
    put(f, "loose");
    assert_int_equal(ship_manifest_make(&old, 1, &mo, &f->err), 0);
    assert_int_equal(ship_manifest_make(&held, 1, &mh, &f->err), 0);
    assert_int_equal(ship_manifest_make(&fresh, 1, &mf, &f->err), 0);
    assert_int_equal(tree_set_make(f->trees, &mo, NOW, &f->err), 0);
    assert_int_equal(tree_set_make(f->trees, &mh, NOW, &f->err), 0);
    assert_int_equal(tree_set_make(f->trees, &mf, NOW + 2 * DAY, &f->err), 0);
    assert_int_equal(tree_set_collect(f->trees, NOW + DAY, is_held, &mh.digest, &freed, &f->err),
                     0);
    assert_false(tree_set_has(f->trees, &mo.digest));
    assert_true(tree_set_has(f->trees, &mh.digest));
    assert_true(tree_set_has(f->trees, &mf.digest));
    assert_true(blob_has(f->blobs, &held.digest));
    assert_true(blob_has(f->blobs, &fresh.digest)); /* a tree links to it */
    assert_false(blob_has(f->blobs, &old.digest));
    assert_int_equal(freed, strlen("old") * 2 + strlen("loose"));
}

static void clears_unfinished_work(void **state)
{
    struct fixture *f = *state;
    char left[TEST_PATH_MAX + 32];
    tree_set_free(f->trees);
    f->trees = NULL;
    snprintf(left, sizeof(left), "%s/tmp/7", f->trees_dir);
    assert_int_equal(mkdir(left, 0755), 0);
    snprintf(left, sizeof(left), "%s/tmp/7/file", f->trees_dir);
    test_write_file(left, "x");
    assert_int_equal(tree_set_open(f->trees_dir, f->blobs, &f->trees, &f->err), 0);
    assert_int_not_equal(access(left, F_OK), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(makes_trees_of_links, setup, teardown),
        cmocka_unit_test_setup_teardown(sizes_must_be_true, setup, teardown),
        cmocka_unit_test_setup_teardown(collects_what_nobody_uses, setup, teardown),
        cmocka_unit_test_setup_teardown(clears_unfinished_work, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
