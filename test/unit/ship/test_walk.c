#include "ship/walk.h"
#include <sys/stat.h>
#include <unistd.h>
#include "testlib.h"

struct fixture {
    char dir[TEST_PATH_MAX];
    struct arena arena;
    struct ship_manifest m;
    struct err err;
};

static const char *at(const struct fixture *f, const char *name)
{
    static char path[2 * TEST_PATH_MAX];
    snprintf(path, sizeof(path), "%s/%s", f->dir, name);
    return path;
}

static void file(const struct fixture *f, const char *name, const char *text)
{
    test_write_file(at(f, name), text);
}

static void dir(const struct fixture *f, const char *name)
{
    assert_int_equal(mkdir(at(f, name), 0755), 0);
}

static int walk(struct fixture *f)
{
    return ship_walk(f->dir, NULL, &f->arena, &f->m, &f->err);
}

static int setup(void **state)
{
    struct fixture *f = test_calloc(1, sizeof(*f));
    test_tmpdir_make(f->dir);
    arena_init(&f->arena, 1 << 20);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    test_tmpdir_remove(f->dir);
    arena_done(&f->arena);
    test_free(f);
    return 0;
}

static void finds_what_counts(void **state)
{
    struct fixture *f = *state;
    char hex[DIGEST_HEX_SIZE];
    dir(f, ".git");
    file(f, ".git/config", "x");
    dir(f, "src");
    dir(f, "src/__pycache__");
    file(f, "src/__pycache__/m.pyc", "x");
    file(f, "src/run.sh", "abc");
    assert_int_equal(chmod(at(f, "src/run.sh"), 0700), 0);
    file(f, "a.log", "x");
    file(f, "src/b.log", "x");
    file(f, ".gitignore", "*.log\n");
    file(f, "src/.berthignore", "!b.log\n");
    assert_int_equal(symlink("src/run.sh", at(f, "latest")), 0);
    assert_int_equal(mkfifo(at(f, "pipe"), 0600), 0);
    assert_int_equal(walk(f), 0);
    static const char *const paths[] = {".gitignore", "latest", "src/.berthignore", "src/b.log",
                                        "src/run.sh"};
    assert_int_equal(f->m.count, ARRAY_LEN(paths));
    for (size_t i = 0; i < ARRAY_LEN(paths); i++)
        assert_string_equal(f->m.entries[i].path, paths[i]);
    assert_string_equal(f->m.entries[1].target, "src/run.sh");
    const struct ship_entry *run = &f->m.entries[4];
    assert_true(run->is_executable);
    assert_int_equal(run->size_bytes, 3);
    assert_string_equal(digest_hex(hex, &run->digest), /* FIPS 180-2, "abc" */
                        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_false(f->m.entries[3].is_executable);
}

static void ignored_directories_stay_closed(void **state)
{
    struct fixture *f = *state;
    dir(f, "big");
    file(f, "big/keep", "x");
    file(f, ".berthignore", "big/\n!big/keep\n");
    assert_int_equal(walk(f), 0);
    assert_int_equal(f->m.count, 1);
}

static void limits_say_what_to_do(void **state)
{
    struct fixture *f = *state;
    struct ship_limits few = {.max_files = 1}, small = {.max_bytes = 4};
    file(f, "a", "12");
    file(f, "b", "123");
    assert_int_equal(ship_walk(f->dir, &few, &f->arena, &f->m, &f->err), -BERR_TOO_LARGE);
    assert_non_null(strstr(f->err.hint, ".berthignore"));
    assert_int_equal(ship_walk(f->dir, &small, &f->arena, &f->m, &f->err), -BERR_TOO_LARGE);
    test_expect_err(&f->err, BERR_TOO_LARGE, "b is large");
}

static void links_must_stay_inside(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(symlink("/etc", at(f, "etc")), 0);
    assert_int_equal(walk(f), -BERR_INVALID);
    test_expect_err(&f->err, BERR_INVALID, "etc");
}

static void opens_only_what_it_saw(void **state)
{
    struct fixture *f = *state;
    int fd = -1;
    file(f, "a", "12");
    assert_int_equal(walk(f), 0);
    struct ship_entry *e = &f->m.entries[0];
    assert_int_equal(ship_open(f->dir, e, &fd, &f->err), 0);
    close(fd);
    file(f, "a", "123");
    assert_int_equal(ship_open(f->dir, e, &fd, &f->err), -BERR_CONFLICT);
    assert_int_equal(unlink(at(f, "a")), 0);
    assert_int_equal(symlink("/etc/passwd", at(f, "a")), 0);
    assert_true(ship_open(f->dir, e, &fd, &f->err) < 0);
}

static void says_what_is_no_directory(void **state)
{
    struct fixture *f = *state;
    file(f, "a", "12");
    assert_int_equal(ship_walk(at(f, "a"), NULL, &f->arena, &f->m, &f->err), -BERR_INVALID);
    assert_int_equal(ship_walk(at(f, "none"), NULL, &f->arena, &f->m, &f->err), -BERR_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(finds_what_counts, setup, teardown),
        cmocka_unit_test_setup_teardown(ignored_directories_stay_closed, setup, teardown),
        cmocka_unit_test_setup_teardown(limits_say_what_to_do, setup, teardown),
        cmocka_unit_test_setup_teardown(links_must_stay_inside, setup, teardown),
        cmocka_unit_test_setup_teardown(opens_only_what_it_saw, setup, teardown),
        cmocka_unit_test_setup_teardown(says_what_is_no_directory, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
