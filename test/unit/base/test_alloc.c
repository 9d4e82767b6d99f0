#include "testlib.h"

#include <fcntl.h>
#include <unistd.h>

static void test_counts_what_lives(void **state)
{
    int64_t before = mem_live();
    char *a = mem_alloc(10), *b = mem_calloc(3, 5), *c = mem_strdup("abc");
    assert_int_equal(mem_live(), before + 3);
    a = mem_realloc(a, 1000);
    assert_int_equal(mem_live(), before + 3);
    mem_free(a);
    mem_free(b);
    mem_free(c);
    mem_free(NULL);
    assert_int_equal(mem_live(), before);
}

static void test_calloc_zeroes_and_refuses_overflow(void **state)
{
    unsigned char *p = mem_calloc(4, 16);
    for (int i = 0; i < 64; i++)
        assert_int_equal(p[i], 0);
    mem_free(p);
    volatile size_t half = SIZE_MAX / 2;
    int64_t before = mem_live();
    assert_null(mem_calloc(half, 3));
    assert_int_equal(mem_live(), before);
}

static void test_zero_bytes_are_a_pointer(void **state)
{
    void *a = mem_alloc(0), *b = mem_calloc(0, 8), *c = mem_realloc(NULL, 0);
    assert_non_null(a);
    assert_non_null(b);
    assert_non_null(c);
    c = mem_realloc(c, 0);
    assert_non_null(c);
    mem_free(a);
    mem_free(b);
    mem_free(c);
}

static void test_fails_the_nth_once(void **state)
{
    mem_fail_at(2, 0);
    void *first = mem_alloc(1);
    assert_non_null(first);
    assert_false(mem_fail_hit());
    assert_null(mem_alloc(1));
    assert_true(mem_fail_hit());
    void *third = mem_alloc(1);
    assert_non_null(third);
    mem_fail_at(0, 0);
    mem_free(first);
    mem_free(third);
}

static void test_fails_from_the_nth_on(void **state)
{
    char *kept = mem_strdup("kept");
    mem_fail_at(1, 1);
    assert_null(mem_alloc(1));
    assert_null(mem_calloc(1, 1));
    assert_null(mem_strdup("x"));
    assert_null(mem_realloc(kept, 100));
    mem_fail_at(0, 0);
    assert_false(mem_fail_hit());
    assert_string_equal(kept, "kept");
    mem_free(kept);
}

static void test_strndup_stops_at_the_end(void **state)
{
    char *s = mem_strndup("abc", 10), *t = mem_strndup("abcdef", 2);
    assert_string_equal(s, "abc");
    assert_string_equal(t, "ab");
    mem_free(s);
    mem_free(t);
}

static void test_cleanup_and_take(void **state)
{
    int64_t before = mem_live();
    char *taken;
    {
        cleanup(mem_freep) char *freed = mem_strdup("x");
        cleanup(mem_freep) char *kept = mem_strdup("y");
        assert_non_null(freed);
        taken = TAKE_PTR(kept);
        assert_null(kept);
    }
    assert_int_equal(mem_live(), before + 1);
    mem_free(taken);
}

static void test_fd_closep_closes(void **state)
{
    int copy;
    {
        cleanup(fd_closep) int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        copy = fd;
        assert_true(fd >= 0);
    }
    assert_int_equal(fcntl(copy, F_GETFD), -1);
    int fd = 7, taken = TAKE_FD(fd);
    assert_int_equal(fd, -1);
    assert_int_equal(taken, 7);
    fd_closep(&fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts_what_lives),
        cmocka_unit_test(test_calloc_zeroes_and_refuses_overflow),
        cmocka_unit_test(test_zero_bytes_are_a_pointer),
        cmocka_unit_test(test_fails_the_nth_once),
        cmocka_unit_test(test_fails_from_the_nth_on),
        cmocka_unit_test(test_strndup_stops_at_the_end),
        cmocka_unit_test(test_cleanup_and_take),
        cmocka_unit_test(test_fd_closep_closes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
