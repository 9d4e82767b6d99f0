/* The text of metrics, as a scraper would read it. */
#include "testlib.h"
#include "http/openmetrics.h"

static void samples(void **state)
{
    (void)state;
    struct buf out = BUF(10000);
    const struct om_label two[] = {{"a", "x"}, {"b", "y\"\\\nz"}};
    om_family(&out, "berth_jobs", "gauge", "Jobs.");
    om_sample(&out, "berth_jobs", "", "state", "running", 3);
    om_sample(&out, "berth_jobs", "", NULL, NULL, 0.5);
    om_sample_labels(&out, "berth_reads", "_total", two, 2, 1e15);
    om_end(&out);
    assert_string_equal(buf_str(&out), "# TYPE berth_jobs gauge\n# HELP berth_jobs Jobs.\n"
                                       "berth_jobs{state=\"running\"} 3\nberth_jobs 0.5\n"
                                       "berth_reads_total{a=\"x\",b=\"y\\\"\\\\\\nz\"} "
                                       "1000000000000000\n# EOF\n");
    buf_done(&out);
}

static void histogram(void **state)
{
    (void)state;
    struct buf out = BUF(10000);
    struct om_histogram h = {0};
    static const int64_t seen[] = {0, 1, 2, 3, 1000, 16384, 16385, 1000000, -1};
    for (size_t i = 0; i < ARRAY_LEN(seen); i++)
        om_observe(&h, seen[i]);
    om_histogram_put(&out, "t", &h);
    const char *text = buf_str(&out);
    static const char *const lines[] = {"t_bucket{le=\"0.001\"} 3\n",
                                        "t_bucket{le=\"0.002\"} 4\n",
                                        "t_bucket{le=\"0.004\"} 5\n",
                                        "t_bucket{le=\"1.024\"} 6\n",
                                        "t_bucket{le=\"16.384\"} 7\n",
                                        "t_bucket{le=\"+Inf\"} 9\n",
                                        "t_sum 1033.78\n",
                                        "t_count 9\n"};
    for (size_t i = 0; i < ARRAY_LEN(lines); i++)
        if (!strstr(text, lines[i]))
            fail_msg("no %s in\n%s", lines[i], text);
    buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(samples), cmocka_unit_test(histogram)};
    return cmocka_run_group_tests_name("http/openmetrics", tests, NULL, NULL);
}
