#include "testlib.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "runner/files.h"

struct room {
    char top[TEST_PATH_MAX];
    int fd;
};

static int setup(void **state)
{
    static struct room room;
    test_tmpdir_make(room.top);
    room.fd = open(room.top, O_RDONLY | O_DIRECTORY);
    *state = &room;
    return 0;
}

static int teardown(void **state)
{
    struct room *room = *state;
    close(room->fd);
    test_tmpdir_remove(room->top);
    return 0;
}

static void test_write_and_read(void **state)
{
    struct room *room = *state;
    struct err err = {0};
    struct stat st;
    cleanup(buf_done) struct buf out = BUF(64);
    assert_int_equal(file_write(room->fd, "a", "one", 3, 0600, true, &err), 0);
    assert_int_equal(file_write(room->fd, "a", "second", 6, 0640, false, &err), 0);
    assert_int_equal(file_read(room->fd, "a", &out, &err), 0);
    assert_string_equal(buf_str(&out), "second");
    assert_int_equal(fstatat(room->fd, "a", &st, 0), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    assert_int_equal(file_read(room->fd, "b", &out, &err), -BERR_NOT_FOUND);
    buf_clear(&out);
    char big[100] = {0};
    assert_int_equal(file_write(room->fd, "big", big, sizeof(big), 0600, false, &err), 0);
    assert_int_equal(file_read(room->fd, "big", &out, &err), -BERR_TOO_LARGE);
}

static void test_rewrite(void **state)
{
    struct room *room = *state;
    struct err err = {0};
    struct stat first, third;
    static const char *const texts[] = {"one", "the second", "3"};
    for (size_t i = 0; i < 3; i++) {
        cleanup(buf_done) struct buf out = BUF(64);
        assert_int_equal(
            file_rewrite(room->fd, "r", texts[i], strlen(texts[i]), 0600, i == 1, &err), 0);
        assert_int_equal(file_read(room->fd, "r", &out, &err), 0);
        assert_string_equal(buf_str(&out), texts[i]);
        assert_int_equal(fstatat(room->fd, "r", i == 0 ? &first : &third, 0), 0);
    }
    assert_int_equal(first.st_ino, third.st_ino); /* two files that change places */
}

static void test_links_are_not_followed(void **state)
{
    struct room *room = *state;
    struct err err = {0};
    cleanup(buf_done) struct buf out = BUF(64);
    int fd = -1;
    assert_int_equal(file_write(room->fd, "real", "x", 1, 0600, false, &err), 0);
    assert_int_equal(mkdirat(room->fd, "dir", 0700), 0);
    assert_int_equal(symlinkat("real", room->fd, "link"), 0);
    assert_int_equal(symlinkat("dir", room->fd, "dirlink"), 0);
    assert_int_not_equal(file_read(room->fd, "link", &out, &err), 0);
    assert_int_not_equal(dir_open(room->fd, "dirlink", &fd, &err), 0);
    assert_int_equal(fd, -1);
    /* Writing replaces the link; removing removes it alone. */
    assert_int_equal(file_write(room->fd, "link", "new", 3, 0600, false, &err), 0);
    assert_int_equal(file_read(room->fd, "real", &out, &err), 0);
    assert_string_equal(buf_str(&out), "x");
    assert_int_equal(tree_remove(room->fd, "dirlink", &err), 0);
    assert_true(file_exists(room->fd, "dir"));
}

static void test_trees(void **state)
{
    struct room *room = *state;
    struct err err = {0};
    cleanup(fd_closep) int fd = -1;
    assert_int_equal(dir_make(room->fd, "t", 0750, geteuid(), getegid(), &fd, &err), 0);
    assert_int_equal(dir_make(fd, "u", 0700, geteuid(), getegid(), NULL, &err), 0);
    assert_int_equal(file_write(fd, "f", "12345678", 8, 0600, false, &err), 0);
    assert_int_equal(symlinkat("/etc", fd, "etc"), 0);
    assert_true(tree_bytes(room->fd, "t") > 0);
    assert_int_equal(tree_remove(room->fd, "t", &err), 0);
    assert_false(file_exists(room->fd, "t"));
    assert_int_equal(tree_remove(room->fd, "t", &err), 0); /* again: done */
    assert_int_equal(tree_bytes(room->fd, "t"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_write_and_read, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rewrite, setup, teardown),
        cmocka_unit_test_setup_teardown(test_links_are_not_followed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_trees, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
