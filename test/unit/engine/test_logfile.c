/* Logs as conmon writes them: prefixes go, pieces of any size make the same whole, torn ends. */
#include "testlib.h"

#include "engine/local/logfile.h"

struct ctx {
    char dir[TEST_PATH_MAX], file[TEST_PATH_MAX + 16];
};

static int setup(void **state)
{
    struct ctx *c = mem_calloc(1, sizeof(*c));
    assert_non_null(c);
    test_tmpdir_make(c->dir);
    snprintf(c->file, sizeof(c->file), "%s/0.log", c->dir);
    *state = c;
    return 0;
}

static int teardown(void **state)
{
    struct ctx *c = *state;
    test_tmpdir_remove(c->dir);
    mem_free(c);
    return 0;
}

#define T "2026-11-25T01:28:00.123456789+00:00 "

/* The whole by pieces; *ret_end is where reading stopped. */
static char *read_all(struct ctx *c, size_t max, uint64_t *ret_end)
{
    cleanup(buf_done) struct buf all = BUF(1 << 20);
    struct logfile_piece piece = {0};
    struct err err;
    do {
        cleanup(buf_done) struct buf out = BUF(1 << 20);
        uint64_t from = piece.next_offset;
        assert_int_equal(logfile_read(c->file, from, max, &out, &piece, &err), 0);
        assert_true(out.len <= max);
        assert_true(piece.at_end || piece.next_offset > from);
        buf_append(&all, buf_str(&out), out.len);
    } while (!piece.at_end);
    *ret_end = piece.next_offset;
    return all.len == 0 ? mem_strdup("") : buf_take(&all);
}

static void expect(struct ctx *c, const char *file, const char *text, uint64_t end)
{
    static const size_t sizes[] = {1, 2, 3, 7, 40, 4096, 1 << 16};
    test_write_file(c->file, file);
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        uint64_t got = 0;
        char *all = read_all(c, sizes[i], &got);
        assert_string_equal(all, text);
        assert_int_equal(got, end);
        mem_free(all);
    }
}

static void test_lines(void **state)
{
    const char *file =
        T "stdout F one\n" T "stderr F two words\n" T "stdout F \n" T "stdout F end\n";
    expect(*state, file, "one\ntwo words\n\nend\n", strlen(file));
}

static void test_empty(void **state)
{
    expect(*state, "", "", 0);
}

static void test_partial_lines_are_joined(void **state)
{
    const char *file =
        T "stdout P long\n" T "stdout P er \n" T "stdout F line\n" T "stdout P open\n";
    expect(*state, file, "longer line\nopen", strlen(file));
}

static void test_text_that_looks_like_a_prefix(void **state)
{
    const char *file = T "stdout F " T "stdout F x\n" T "stdout F  F P \n";
    expect(*state, file, T "stdout F x\n F P \n", strlen(file));
}

static void test_torn_end_waits(void **state)
{
    expect(*state, T "stdout F one\n" T "stdo", "one\n", strlen(T "stdout F one\n"));
    expect(*state, T "stdout F one\n" T "stdout F tw", "one\ntw",
           strlen(T T "stdout F one\nstdout F tw"));
}

static void test_torn_end_goes_on_later(void **state)
{
    struct ctx *c = *state;
    struct logfile_piece piece;
    struct err err;
    cleanup(buf_done) struct buf out = BUF(1000);
    test_write_file(c->file, T "stdout F he");
    assert_int_equal(logfile_read(c->file, 0, 100, &out, &piece, &err), 0);
    assert_string_equal(buf_str(&out), "he");
    assert_true(piece.at_end);
    test_write_file(c->file, T "stdout F hello\n" T "stdout F more\n");
    assert_int_equal(logfile_read(c->file, piece.next_offset, 100, &out, &piece, &err), 0);
    assert_string_equal(buf_str(&out), "hello\nmore\n");
}

static void test_lines_longer_than_a_block(void **state)
{
    struct ctx *c = *state;
    cleanup(buf_done) struct buf file = BUF(1 << 20);
    cleanup(buf_done) struct buf text = BUF(1 << 20);
    for (int i = 0; i < 40; i++) {
        buf_puts(&file, T "stdout P ");
        for (int k = 0; k < 8000; k++) {
            buf_putc(&file, (char)('a' + i % 26));
            buf_putc(&text, (char)('a' + i % 26));
        }
        buf_putc(&file, '\n');
    }
    buf_puts(&file, T "stdout F .\n");
    buf_puts(&text, ".\n");
    test_write_file(c->file, buf_str(&file));
    static const size_t sizes[] = {999, 8000, 65536, 1 << 20};
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        uint64_t end;
        char *all = read_all(c, sizes[i], &end);
        assert_string_equal(all, buf_str(&text));
        assert_int_equal(end, file.len);
        mem_free(all);
    }
}

static void test_foreign_lines_are_left_out(void **state)
{
    const char *file =
        "nonsense\n" T "stdout F one\nstdout\n\n" T "stdout X no\n" T "stdout F two\n";
    expect(*state, file, "one\ntwo\n", strlen(file));
}

static void test_offset_behind_the_end(void **state)
{
    struct ctx *c = *state;
    struct logfile_piece piece;
    struct err err;
    cleanup(buf_done) struct buf out = BUF(1000);
    test_write_file(c->file, T "stdout F one\n");
    assert_int_equal(logfile_read(c->file, 1 << 20, 100, &out, &piece, &err), 0);
    assert_int_equal(out.len, 0);
    assert_true(piece.at_end);
    assert_int_equal(piece.next_offset, strlen(T "stdout F one\n"));
}

static void test_no_file(void **state)
{
    struct ctx *c = *state;
    struct logfile_piece piece;
    struct err err;
    cleanup(buf_done) struct buf out = BUF(1000);
    assert_int_equal(logfile_read(c->file, 0, 100, &out, &piece, &err), -BERR_NOT_FOUND);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_lines),
        TEST(test_empty),
        TEST(test_partial_lines_are_joined),
        TEST(test_text_that_looks_like_a_prefix),
        TEST(test_torn_end_waits),
        TEST(test_torn_end_goes_on_later),
        TEST(test_lines_longer_than_a_block),
        TEST(test_foreign_lines_are_left_out),
        TEST(test_offset_behind_the_end),
        TEST(test_no_file),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
