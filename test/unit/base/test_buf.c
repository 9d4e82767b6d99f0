#include "testlib.h"

#include "base/buf.h"

static void test_appends(void **state)
{
    cleanup(buf_done) struct buf b = BUF(1000);
    assert_string_equal(buf_str(&b), "");
    buf_puts(&b, "one ");
    buf_putc(&b, '2');
    buf_printf(&b, " %s %d", "three", 4);
    buf_append(&b, " five!", 5);
    assert_string_equal(buf_str(&b), "one 2 three 4 five");
    assert_int_equal(b.len, 18);
    buf_clear(&b);
    buf_put_u32le(&b, 0x01020304);
    assert_memory_equal(b.data, "\x04\x03\x02\x01", 5);
}

static void test_grows_to_the_very_maximum(void **state)
{
    cleanup(buf_done) struct buf b = BUF(1000);
    for (int i = 0; i < 1000; i++)
        buf_putc(&b, 'x');
    assert_false(buf_is_failed(&b));
    assert_int_equal(b.len, 1000);
    buf_putc(&b, 'x');
    assert_true(buf_is_failed(&b));
}

static void test_failure_sticks_until_cleared(void **state)
{
    cleanup(buf_done) struct buf b = BUF(4);
    buf_puts(&b, "1234");
    buf_puts(&b, "5");
    assert_true(buf_is_failed(&b));
    assert_string_equal(buf_str(&b), "");
    buf_puts(&b, "6");
    buf_printf(&b, "%d", 7);
    assert_null(buf_reserve(&b, 1));
    assert_null(buf_take(&b));
    assert_int_equal(b.len, 0);
    buf_consume(&b, 0);
    buf_clear(&b);
    buf_puts(&b, "ok");
    assert_string_equal(buf_str(&b), "ok");
    buf_fail(&b);
    assert_true(buf_is_failed(&b));
}

static void test_huge_lengths_do_not_wrap(void **state)
{
    cleanup(buf_done) struct buf b = BUF(100);
    buf_puts(&b, "abc");
    assert_null(buf_reserve(&b, SIZE_MAX));
    assert_true(buf_is_failed(&b));
}

static void test_reserve_and_commit(void **state)
{
    cleanup(buf_done) struct buf b = BUF(100);
    buf_puts(&b, "ab");
    char *room = buf_reserve(&b, 10);
    memcpy(room, "cdefgh", 6);
    buf_commit(&b, 3);
    assert_string_equal(buf_str(&b), "abcde");
    buf_commit(&b, 0);
    assert_int_equal(b.len, 5);
}

static void test_consume_and_truncate(void **state)
{
    cleanup(buf_done) struct buf b = BUF(100);
    buf_puts(&b, "hello world");
    buf_consume(&b, 6);
    assert_string_equal(buf_str(&b), "world");
    buf_truncate(&b, 3);
    assert_string_equal(buf_str(&b), "wor");
    buf_truncate(&b, 3);
    buf_consume(&b, 3);
    assert_string_equal(buf_str(&b), "");
    assert_int_equal(b.len, 0);
}

static void test_take_hands_over(void **state)
{
    struct buf b = BUF(100);
    buf_puts(&b, "mine");
    char *taken = buf_take(&b), *empty = buf_take(&b);
    assert_string_equal(taken, "mine");
    assert_string_equal(empty, "");
    assert_int_equal(b.len, 0);
    mem_free(taken);
    mem_free(empty);
    buf_puts(&b, "again");
    assert_string_equal(buf_str(&b), "again");
    buf_done(&b);
}

static int torture_body(void *ctx)
{
    cleanup(buf_done) struct buf b = BUF(100000);
    for (int i = 0; i < 300; i++)
        buf_printf(&b, "line %d\n", i);
    return buf_is_failed(&b) ? -BERR_NOMEM : 0;
}

static void test_survives_lack_of_memory(void **state)
{
    test_torture(torture_body, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_appends),
        cmocka_unit_test(test_grows_to_the_very_maximum),
        cmocka_unit_test(test_failure_sticks_until_cleared),
        cmocka_unit_test(test_huge_lengths_do_not_wrap),
        cmocka_unit_test(test_reserve_and_commit),
        cmocka_unit_test(test_consume_and_truncate),
        cmocka_unit_test(test_take_hands_over),
        cmocka_unit_test(test_survives_lack_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
