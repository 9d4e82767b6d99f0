/* Files below a directory descriptor: nothing leads out, nothing is half written, trees go. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "testlib.h"
#include "os/entropy.h"
#include "os/file.h"

struct place {
    char path[TEST_PATH_MAX];
    int dir;
};

static int setup(void **state)
{
    struct place *p = mem_calloc(1, sizeof(*p));
    assert_non_null(p);
    test_tmpdir_make(p->path);
    p->dir = open(p->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(p->dir >= 0);
    *state = p;
    return 0;
}

static int teardown(void **state)
{
    struct place *p = *state;
    close(p->dir);
    test_tmpdir_remove(p->path);
    mem_free(p);
    return 0;
}

static size_t count_entries(int dir)
{
    struct stat st;
    assert_int_equal(fstat(dir, &st), 0);
    return st.st_nlink;
}

static void write_and_read(void **state)
{
    struct place *p = *state;
    struct err err = {0};
    struct stat st;
    char *text = NULL;
    size_t len = 0;
    assert_int_equal(os_file_write(p->dir, "a", "one", 3, 0640, &err), 0);
    assert_int_equal(os_file_write(p->dir, "a", "two\0!", 5, 0640, &err), 0);
    assert_int_equal(os_file_read(p->dir, "a", 5, &text, &len, &err), 0);
    assert_int_equal(len, 5);
    assert_memory_equal(text, "two\0!", 6);
    mem_free(text);
    assert_int_equal(fstatat(p->dir, "a", &st, 0), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    text = NULL;
    assert_int_equal(os_file_read(p->dir, "a", 4, &text, &len, &err), -BERR_TOO_LARGE);
    assert_null(text);
    assert_int_equal(os_file_read(p->dir, "b", 4, &text, &len, &err), -BERR_NOT_FOUND);
    assert_int_equal(os_file_read(p->dir, ".", 4, &text, &len, &err), -BERR_INVALID);
    assert_int_equal(mkfifoat(p->dir, "pipe", 0600), 0);
    assert_int_equal(os_file_read(p->dir, "pipe", 4, &text, &len, &err), -BERR_INVALID);
    assert_int_equal(os_file_write(p->dir, "empty", "", 0, 0600, &err), 0);
    assert_int_equal(os_file_read(p->dir, "empty", 0, &text, &len, &err), 0);
    assert_int_equal(len, 0);
    assert_string_equal(text, "");
    mem_free(text);
}

static void reads_proc(void **state)
{
    (void)state;
    char *text = NULL;
    size_t len = 0;
    assert_int_equal(os_file_read(AT_FDCWD, "/proc/self/status", 65536, &text, &len, NULL), 0);
    assert_non_null(strstr(text, "Name:"));
    mem_free(text);
}

/* A write that cannot be finished leaves the old content and nothing beside it. */
static void failed_write(void **state)
{
    struct place *p = *state;
    struct err err = {0};
    char *text = NULL;
    assert_int_equal(mkdirat(p->dir, "d", 0700), 0);
    size_t before = count_entries(p->dir);
    assert_true(os_file_write(p->dir, "d", "x", 1, 0600, &err) < 0); /* a directory is in the way */
    test_expect_err(&err, BERR_IO, "d");
    assert_int_equal(count_entries(p->dir), before);
    assert_int_equal(os_file_remove(p->dir, "nothing", &err), 0);
    assert_int_equal(os_file_remove(p->dir, "no/thing", &err), 0);
    assert_true(os_file_remove(p->dir, "d", &err) < 0);
    assert_int_equal(os_file_write(p->dir, "f", "x", 1, 0600, &err), 0);
    assert_true(os_file_exists(p->dir, "f"));
    assert_int_equal(os_file_remove(p->dir, "f", &err), 0);
    assert_false(os_file_exists(p->dir, "f"));
    assert_int_equal(os_file_read(p->dir, "f", 9, &text, NULL, &err), -BERR_NOT_FOUND);
}

static void nothing_leads_out(void **state)
{
    struct place *p = *state;
    struct err err = {0};
    char *text = NULL;
    int fd = -1;
    static const char *const out[] = {"../x",   "/etc/passwd", "up/etc/passwd",
                                      "passwd", "d/../../x",   "proc/self/root/etc/passwd"};
    assert_int_equal(mkdirat(p->dir, "d", 0700), 0);
    assert_int_equal(symlinkat("/", p->dir, "up"), 0);
    assert_int_equal(symlinkat("/proc", p->dir, "proc"), 0);
    assert_int_equal(symlinkat("/etc/passwd", p->dir, "passwd"), 0);
    for (size_t i = 0; i < ARRAY_LEN(out); i++) {
        assert_int_equal(os_file_open(p->dir, out[i], O_RDONLY, 0, &fd, &err), -BERR_INVALID);
        test_expect_err(&err, BERR_INVALID, "leaves its directory");
        assert_int_equal(os_file_read(p->dir, out[i], 9, &text, NULL, &err), -BERR_INVALID);
        assert_int_equal(fd, -1);
    }
    assert_int_equal(os_file_write(p->dir, "up/berth-test", "x", 1, 0600, &err), -BERR_INVALID);
    assert_int_equal(os_dir_make(p->dir, "up/berth-test", 0700, NULL, &err), -BERR_INVALID);
    assert_int_equal(os_dir_make(p->dir, "../berth-test", 0700, NULL, &err), -BERR_INVALID);
    assert_int_equal(os_dir_make(p->dir, "/berth-test", 0700, NULL, &err), -BERR_INVALID);
    assert_int_equal(os_file_open(AT_FDCWD, "/etc/passwd", O_RDONLY, 0, &fd, &err), 0);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    close(fd);
}

static void makes_directories(void **state)
{
    struct place *p = *state;
    struct err err = {0};
    char path[TEST_PATH_MAX + 16];
    int fd = -1;
    assert_int_equal(os_dir_make(p->dir, "a/b//c", 0750, &fd, &err), 0);
    assert_int_equal(os_file_write(fd, "f", "x", 1, 0600, &err), 0);
    close(fd);
    assert_true(os_file_exists(p->dir, "a/b/c/f"));
    assert_int_equal(os_dir_make(p->dir, "a/b/c", 0750, NULL, &err), 0);
    assert_true(os_dir_make(p->dir, "a/b/c/f/g", 0750, NULL, &err) < 0);
    snprintf(path, sizeof(path), "%s/x/y", p->path);
    assert_int_equal(os_dir_make(AT_FDCWD, path, 0750, NULL, &err), 0);
    assert_true(os_file_exists(p->dir, "x/y"));
}

static void removes_trees(void **state)
{
    struct place *p = *state;
    struct err err = {0};
    char path[TEST_PATH_MAX + 16];
    assert_int_equal(os_tree_remove(p->dir, "t", &err), 0);
    assert_int_equal(os_tree_remove(p->dir, "no/t", &err), 0);
    assert_int_equal(os_dir_make(p->dir, "keep", 0700, NULL, &err), 0);
    assert_int_equal(os_file_write(p->dir, "keep/f", "x", 1, 0600, &err), 0);
    assert_int_equal(os_dir_make(p->dir, "t/a/b", 0700, NULL, &err), 0);
    assert_int_equal(os_file_write(p->dir, "t/a/f", "x", 1, 0400, &err), 0);
    assert_int_equal(symlinkat("../keep", p->dir, "t/link"), 0);
    assert_int_equal(symlinkat("nowhere", p->dir, "t/a/dead"), 0);
    assert_int_equal(fchmodat(p->dir, "t/a", 0500, 0), 0);
    assert_int_equal(os_tree_remove(p->dir, "t", &err), 0);
    assert_false(os_file_exists(p->dir, "t"));
    assert_true(os_file_exists(p->dir, "keep/f"));
    assert_int_equal(os_tree_remove(p->dir, "keep/f", &err), 0);
    assert_false(os_file_exists(p->dir, "keep/f"));
    assert_int_equal(os_tree_remove(p->dir, "keep/..", &err), -BERR_INVALID);
    assert_int_equal(os_tree_remove(p->dir, "../x", &err), -BERR_INVALID);
    snprintf(path, sizeof(path), "%s/keep", p->path);
    assert_int_equal(os_tree_remove(AT_FDCWD, path, &err), 0);
    assert_false(os_file_exists(p->dir, "keep"));
}

/* Deeper than there are descriptors, and too deep for any path. */
static void removes_deep_trees(void **state)
{
    struct place *p = *state;
    struct err err = {0};
    int at = dup(p->dir);
    for (int i = 0; i < 3000; i++) {
        assert_int_equal(mkdirat(at, "directory", 0700), 0);
        int next = openat(at, "directory", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(next >= 0);
        close(at);
        at = next;
        int file = i % 100 == 0 ? openat(at, "file", O_CREAT | O_WRONLY | O_CLOEXEC, 0600) : -1;
        if (file >= 0)
            close(file);
    }
    close(at);
    assert_int_equal(os_tree_remove(p->dir, "directory", &err), 0);
    assert_false(os_file_exists(p->dir, "directory"));
}

static void stops_at_mounts(void **state)
{
    struct place *p = *state;
    struct err err = {0};
    char path[TEST_PATH_MAX + 16];
    assert_int_equal(os_dir_make(p->dir, "t/mnt", 0700, NULL, &err), 0);
    snprintf(path, sizeof(path), "%s/t/mnt", p->path);
    if (mount("tmpfs", path, "tmpfs", 0, "size=64k") < 0) {
        print_message("not allowed to mount here: skipped\n");
        skip();
    }
    assert_int_equal(os_file_write(p->dir, "t/mnt/f", "x", 1, 0600, &err), 0);
    int rc = os_tree_remove(p->dir, "t", &err);
    bool kept = os_file_exists(p->dir, "t/mnt/f");
    umount2(path, MNT_DETACH);
    assert_true(rc < 0);
    assert_true(kept);
    assert_int_equal(os_tree_remove(p->dir, "t", &err), 0);
}

static void lock_is_for_one(void **state)
{
    struct place *p = *state;
    struct err err = {0};
    char mine[16];
    int first = -1, second = -1;
    snprintf(mine, sizeof(mine), "process %d", (int)getpid());
    assert_int_equal(os_file_lock(p->dir, "lock", &first, &err), 0);
    assert_int_equal(os_file_lock(p->dir, "lock", &second, &err), -BERR_CONFLICT);
    test_expect_err(&err, BERR_CONFLICT, mine);
    close(first);
    assert_int_equal(os_file_lock(p->dir, "lock", &second, &err), 0);
    close(second);
}

static int torture_body(void *ctx)
{
    struct place *p = ctx;
    char *text = NULL;
    struct err err = {0};
    assert_int_equal(os_dir_make(p->dir, "t/a/b", 0700, NULL, &err), 0);
    int rc = os_file_read(p->dir, "f", 100, &text, NULL, &err);
    mem_free(text);
    return rc < 0 ? rc : os_tree_remove(p->dir, "t", &err);
}

static void torture(void **state)
{
    struct place *p = *state;
    assert_int_equal(os_file_write(p->dir, "f", "x", 1, 0600, NULL), 0);
    test_torture(torture_body, p);
}

static void entropy_differs(void **state)
{
    (void)state;
    char a[32] = {0}, b[32] = {0};
    os_random_bytes(a, sizeof(a));
    os_random_bytes(b, sizeof(b));
    assert_memory_not_equal(a, b, sizeof(a));
    assert_true(os_random_u64() != os_random_u64());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(write_and_read, setup, teardown),
        cmocka_unit_test_setup_teardown(failed_write, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_leads_out, setup, teardown),
        cmocka_unit_test_setup_teardown(makes_directories, setup, teardown),
        cmocka_unit_test_setup_teardown(removes_trees, setup, teardown),
        cmocka_unit_test_setup_teardown(removes_deep_trees, setup, teardown),
        cmocka_unit_test_setup_teardown(stops_at_mounts, setup, teardown),
        cmocka_unit_test_setup_teardown(lock_is_for_one, setup, teardown),
        cmocka_unit_test_setup_teardown(torture, setup, teardown),
        cmocka_unit_test(reads_proc),
        cmocka_unit_test(entropy_differs),
    };
    return cmocka_run_group_tests_name("os/file", tests, NULL, NULL);
}
