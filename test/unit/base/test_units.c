#include "testlib.h"

#include <time.h>
#include "base/rand.h"
#include "base/units.h"

static void expect_bytes(const char *text, uint64_t bytes)
{
    uint64_t got = 0;
    struct err err;
    if (units_parse_bytes(text, &got, &err) != 0)
        fail_msg("%s: %s", text, err.text);
    assert_true(got == bytes);
}

static void test_bytes(void **state)
{
    expect_bytes("0", 0);
    expect_bytes("2048", 2048);
    expect_bytes("4G", 4ull << 30);
    expect_bytes("512M", 512ull << 20);
    expect_bytes("10Ki", 10ull << 10);
    expect_bytes("1Ti", 1ull << 40);
    expect_bytes("1P", 1ull << 50);
    expect_bytes("1.5G", 3ull << 29);
    expect_bytes("0.001K", 1); /* rounded down to a byte */
    expect_bytes("18446744073709551615", UINT64_MAX);
    const char *const bad[] = {"",
                               "G",
                               "-1",
                               "+1",
                               " 1",
                               "1 ",
                               "1.5",
                               "1.",
                               ".5G",
                               "1.2345G",
                               "4g",
                               "4GB",
                               "4GiB",
                               "4 G",
                               "1e3",
                               "0x10",
                               "4Gii",
                               "i",
                               "18446744073709551616",
                               "17179869184G",
                               "99999P",
                               "999999999999999999999999999999999999999999999999"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        uint64_t got = 42;
        struct err err;
        if (units_parse_bytes(bad[i], &got, &err) == 0)
            fail_msg("\"%s\" was taken for %llu bytes", bad[i], (unsigned long long)got);
        assert_int_equal(got, 42);
        test_expect_err(&err, BERR_INVALID, "expected a size like 4G, found");
        assert_true(err.hint[0] != '\0');
    }
    struct err err;
    uint64_t ignored;
    units_parse_bytes("4gb", &ignored, &err);
    assert_string_equal(err.hint, "did you mean \"4G\"?");
    units_parse_bytes("512 mib", &ignored, &err);
    assert_string_equal(err.hint, "did you mean \"512M\"?");
}

static void test_format_bytes(void **state)
{
    static const struct {
        uint64_t bytes;
        const char *exact, *human;
    } cases[] = {
        {0, "0", "0 B"},
        {1000, "1000", "1000 B"},
        {1024, "1K", "1 KiB"},
        {4ull << 30, "4G", "4 GiB"},
        {3ull << 29, "1536M", "1.5 GiB"},
        {1ull << 50, "1P", "1 PiB"},
        {UINT64_MAX, "18446744073709551615", "16384 PiB"},
        {(1ull << 20) + 1, "1048577", "1.0 MiB"},
    };
    char text[UNITS_TEXT_MAX];
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_string_equal(units_format_bytes(text, cases[i].bytes), cases[i].exact);
        expect_bytes(text, cases[i].bytes);
        assert_string_equal(units_human_bytes(text, cases[i].bytes), cases[i].human);
    }
}

static void test_cpu_and_gpu(void **state)
{
    int64_t v;
    struct err err;
    assert_int_equal(units_parse_cpu("2", &v, &err), 0);
    assert_int_equal(v, 2000);
    assert_int_equal(units_parse_cpu("0.5", &v, &err), 0);
    assert_int_equal(v, 500);
    assert_int_equal(units_parse_cpu("500m", &v, &err), 0);
    assert_int_equal(v, 500);
    assert_int_equal(units_parse_gpu("0.125", &v, &err), 0);
    assert_int_equal(v, 125);
    const char *const bad[] = {
        "", "m", "1.5m", "-1", "1k", "0.1234", "1 ", "500mm", "9223372036854775807", "all"};
    v = 42;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_int_equal(units_parse_cpu(bad[i], &v, &err), -BERR_INVALID);
        test_expect_err(&err, BERR_INVALID, "expected a number of CPUs");
        assert_int_equal(units_parse_gpu(bad[i], &v, &err), -BERR_INVALID);
        test_expect_err(&err, BERR_INVALID, "expected a number of GPUs");
    }
    assert_int_equal(units_parse_gpu("500m", &v, NULL), -BERR_INVALID);
    assert_int_equal(v, 42);
    char text[UNITS_TEXT_MAX];
    assert_string_equal(units_format_cpu(text, 2000), "2");
    assert_string_equal(units_format_cpu(text, 1500), "1500m");
    assert_string_equal(units_format_cpu(text, 0), "0");
    assert_string_equal(units_format_gpu(text, 1000), "1");
    assert_string_equal(units_format_gpu(text, 500), "0.5");
    assert_string_equal(units_format_gpu(text, 10000), "10");
    assert_string_equal(units_format_gpu(text, 1), "0.001");
    assert_string_equal(units_format_gpu(text, -1500), "-1.5");
    assert_string_equal(units_format_gpu(text, INT64_MIN), "-9223372036854775.808");
}

static void expect_duration(const char *text, int64_t ms)
{
    int64_t got = -1;
    struct err err;
    if (units_parse_duration(text, &got, &err) != 0)
        fail_msg("%s: %s", text, err.text);
    assert_true(got == ms);
}

static void test_durations(void **state)
{
    expect_duration("90s", 90000);
    expect_duration("4h", 14400000);
    expect_duration("2d", 172800000);
    expect_duration("1h30m", 5400000);
    expect_duration("250ms", 250);
    expect_duration("1.5h", 5400000);
    expect_duration("0s", 0);
    expect_duration("1d2h3m4s5ms", 93784005);
    expect_duration("0.001s", 1);
    const char *const bad[] = {"",     "90",     "h",   "1h30",  "30m1h",
                               "1h1h", "1 h",    "-1h", "1.5ms", "1H",
                               "1min", "1h 30m", "1y",  "1.h",   "999999999999999d",
                               "1mss"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        int64_t got = 42;
        struct err err;
        if (units_parse_duration(bad[i], &got, &err) == 0)
            fail_msg("\"%s\" was taken for %lld ms", bad[i], (long long)got);
        assert_int_equal(got, 42);
        test_expect_err(&err, BERR_INVALID, "expected a duration");
    }
    struct err err;
    int64_t ignored;
    units_parse_duration("90", &ignored, &err);
    assert_string_equal(err.hint, "add the unit: 90s, 90m, 90h or 90d");
}

static void test_format_durations(void **state)
{
    static const struct {
        int64_t ms;
        const char *exact, *human;
    } cases[] = {
        {0, "0s", "0s"},
        {250, "250ms", "0.2s"},
        {20, "20ms", "0.1s"},
        {1000, "1s", "1s"},
        {1500, "1s500ms", "1s"},
        {250000, "4m10s", "4m 10s"},
        {5400000, "1h30m", "1h 30m"},
        {3600000, "1h", "1h"},
        {93784005, "1d2h3m4s5ms", "1d 2h"},
        {187200000, "2d4h", "2d 4h"},
        {INT64_MAX, "106751991167d7h12m55s807ms", "106751991167d 7h"},
    };
    char text[UNITS_TEXT_MAX];
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_string_equal(units_format_duration(text, cases[i].ms), cases[i].exact);
        expect_duration(text, cases[i].ms);
        assert_string_equal(units_human_duration(text, cases[i].ms), cases[i].human);
    }
    assert_string_equal(units_format_duration(text, -90000), "-1m30s");
    assert_string_equal(units_human_duration(text, -90000), "-1m 30s");
    units_format_duration(text, INT64_MIN);
}

static void expect_time(const char *text, int64_t ms)
{
    int64_t got = -1;
    struct err err;
    if (units_parse_time(text, &got, &err) != 0)
        fail_msg("%s: %s", text, err.text);
    assert_true(got == ms);
}

static void test_times(void **state)
{
    expect_time("1970-01-01T00:00:00Z", 0);
    expect_time("2025-11-25T01:28:00Z", 1764034080000);
    expect_time("2025-11-25T01:28:00.5Z", 1764034080500);
    expect_time("2025-11-25T02:28:00+01:00", 1764034080000);
    expect_time("2025-11-24T19:58:00-05:30", 1764034080000);
    expect_time("2024-02-29T00:00:00Z", 1709164800000);
    expect_time("9999-12-31T23:59:59.999Z", 253402300799999);
    const char *const bad[] = {
        "",
        "2025-11-25",
        "2025-11-25T01:28:00",
        "2025-11-25 01:28:00Z",
        "2025-11-25t01:28:00z",
        "2025-13-01T00:00:00Z",
        "2025-00-01T00:00:00Z",
        "2025-02-29T00:00:00Z",
        "2100-02-29T00:00:00Z",
        "2025-04-31T00:00:00Z",
        "2025-11-25T24:00:00Z",
        "2025-11-25T00:60:00Z",
        "2025-11-25T00:00:60Z",
        "2025-11-25T00:00:00.Z",
        "2025-11-25T00:00:00.1234Z",
        "2025-11-25T00:00:00+1:00",
        "2025-11-25T00:00:00+24:00",
        "2025-11-25T00:00:00Zx",
        "1969-12-31T23:59:59Z",
        "20251125T000000Z",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        int64_t got = 42;
        struct err err;
        if (units_parse_time(bad[i], &got, &err) == 0)
            fail_msg("\"%s\" was taken for a time", bad[i]);
        assert_int_equal(got, 42);
        test_expect_err(&err, BERR_INVALID, "expected a time like");
    }
}

static void test_format_time_agrees_with_libc(void **state)
{
    struct rnd rnd;
    rnd_seed(&rnd, test_seed());
    char text[UNITS_TEXT_MAX], expected[UNITS_TEXT_MAX];
    for (int i = 0; i < 20000; i++) {
        time_t seconds = (time_t)rnd_below(&rnd, 253402300800ull);
        struct tm tm;
        gmtime_r(&seconds, &tm);
        strftime(expected, sizeof(expected), "%Y-%m-%dT%H:%M:%SZ", &tm);
        assert_string_equal(units_format_time(text, (int64_t)seconds * 1000), expected);
        expect_time(text, (int64_t)seconds * 1000);
    }
    assert_string_equal(units_format_time(text, 1764034080007), "2025-11-25T01:28:00.007Z");
    assert_string_equal(units_format_time(text, -1), "1969-12-31T23:59:59.999Z");
    units_format_time(text, INT64_MAX);
    units_format_time(text, INT64_MIN);
}

static void test_all_bytes_round_trip(void **state)
{
    struct rnd rnd;
    rnd_seed(&rnd, test_seed());
    char text[UNITS_TEXT_MAX];
    for (int i = 0; i < 20000; i++) {
        uint64_t v = rnd_u64(&rnd) >> rnd_below(&rnd, 64);
        v = v >> 10 << (10 * rnd_below(&rnd, 2));
        expect_bytes(units_format_bytes(text, v), v);
        int64_t ms = (int64_t)(v >> 1);
        expect_duration(units_format_duration(text, ms), ms);
        int64_t milli, cpu = ms / 2000;
        assert_int_equal(units_parse_cpu(units_format_cpu(text, cpu), &milli, NULL), 0);
        assert_int_equal(milli, cpu);
        assert_int_equal(units_parse_gpu(units_format_gpu(text, cpu), &milli, NULL), 0);
        assert_int_equal(milli, cpu);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_format_bytes),
        cmocka_unit_test(test_cpu_and_gpu),
        cmocka_unit_test(test_durations),
        cmocka_unit_test(test_format_durations),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_format_time_agrees_with_libc),
        cmocka_unit_test(test_all_bytes_round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
