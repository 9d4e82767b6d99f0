/* Averages, percentiles and time lines of a replay. */
#include "sim/replay_stats.h"

#include <math.h>
#include <stdlib.h>
#include "base/str.h"
#include "js/js.h"

#define ETA_LEAST_WAIT_MS (60 * 1000)

enum { LINE_USED, LINE_WAITING, LINE_OLDEST, LINES };

/* ---- time lines ---- */

int stats_init(struct replay *r, struct err *err)
{
    r->series = arena_array(r->arena, LINES, sizeof(*r->series));
    if (r->series == NULL)
        return err_set(err, BERR_NOMEM, "out of memory");
    int64_t last_ms = r->job_count == 0 ? 0 : r->jobs[r->job_count - 1].submit_ms;
    r->step_ms = last_ms * 5 / 4 / SIM_POINTS_MAX + 1;
    r->series[LINE_USED].title = "GPUs in use";
    r->series[LINE_USED].unit = "GPUs";
    r->series[LINE_WAITING].title = "Jobs waiting";
    r->series[LINE_WAITING].unit = "jobs";
    r->series[LINE_OLDEST].title = "Longest wait at the time";
    r->series[LINE_OLDEST].unit = "hours";
    return 0;
}

void stats_sample(struct replay *r, int64_t until_ms)
{
    int64_t first = r->now_ms / r->step_ms + 1, last = until_ms / r->step_ms;
    if (first > last || first >= SIM_POINTS_MAX)
        return;
    int64_t oldest = 0;
    for (uint32_t i = 0; i < r->waiting.count; i++) {
        int64_t wait = r->now_ms - r->jobs[r->waiting.items[i]].since_ms;
        oldest = wait > oldest ? wait : oldest;
    }
    for (int64_t i = first; i <= last && i < SIM_POINTS_MAX; i++) {
        r->series[LINE_USED].values[i] = (double)(r->node_count * r->gpus_per_node - r->free_gpus);
        r->series[LINE_WAITING].values[i] = r->waiting.count;
        r->series[LINE_OLDEST].values[i] = (double)oldest / 3600000;
    }
}

/* ---- numbers ---- */

static int compare_i64(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

/* The value with a share `part` of all below it. */
static double percentile(const int64_t *sorted, uint32_t count, double part)
{
    if (count == 0)
        return 0;
    uint32_t at = (uint32_t)((double)count * part);
    return (double)sorted[at >= count ? count - 1 : at] / 1000;
}

static double mean(const int64_t *values, uint32_t count)
{
    double sum = 0;
    for (uint32_t i = 0; i < count; i++)
        sum += (double)values[i];
    return count == 0 ? 0 : sum / count / 1000;
}

static double round1(double v)
{
    return round(v * 10) / 10;
}

static void put_eta(struct js_writer *w, const struct replay *r, int64_t *scratch)
{
    uint32_t told = 0, waited = 0, close = 0, near = 0;
    for (uint32_t i = 0; i < r->job_count; i++) {
        const struct replay_job *job = &r->jobs[i];
        int64_t wait = job->first_ms - job->submit_ms;
        if (wait < ETA_LEAST_WAIT_MS)
            continue;
        waited++;
        if (job->eta_ms == 0)
            continue;
        double ratio = (double)(job->eta_ms - job->submit_ms) / (double)wait;
        scratch[told++] = (int64_t)(fabs(ratio - 1) * 1000);
        close += fabs(ratio - 1) <= 0.25;
        near += ratio >= 0.5 && ratio <= 2;
    }
    qsort(scratch, told, sizeof(*scratch), compare_i64);
    js_w_object(w, "eta_error");
    js_w_u64(w, "jobs_that_waited_over_a_minute", waited);
    js_w_u64(w, "told", told);
    js_w_f64(w, "median_relative", told == 0 ? 0 : percentile(scratch, told, 0.5));
    js_w_f64(w, "within_25_percent", told == 0 ? 0 : round((double)close / told * 1000) / 1000);
    js_w_f64(w, "within_2x", told == 0 ? 0 : round((double)near / told * 1000) / 1000);
    js_w_end_object(w);
}

static void put_queues(struct js_writer *w, const struct replay *r)
{
    js_w_array(w, "queues");
    for (uint32_t q = 0; q < r->queue_count; q++) {
        double wait = 0, jct = 0;
        uint32_t count = 0;
        for (uint32_t i = 0; i < r->job_count; i++) {
            const struct replay_job *job = &r->jobs[i];
            if (job->queue != q)
                continue;
            count++;
            jct += (double)(job->end_ms - job->submit_ms);
            wait += (double)(job->end_ms - job->submit_ms - job->duration_ms);
        }
        js_w_object(w, NULL);
        js_w_str(w, "name", r->queue_names[q]);
        js_w_u64(w, "jobs", count);
        js_w_f64(w, "avg_wait_s", round1(wait / count / 1000));
        js_w_f64(w, "avg_jct_s", round1(jct / count / 1000));
        js_w_end_object(w);
    }
    js_w_end_array(w);
}

static int put_all(struct replay *r, const char *policy, struct buf *out, int64_t *ret_end,
                   struct err *err)
{
    uint32_t count = r->job_count;
    int64_t *jct = arena_array(r->arena, count, sizeof(*jct));
    int64_t *wait = arena_array(r->arena, count, sizeof(*wait));
    int64_t *first = arena_array(r->arena, count, sizeof(*first));
    if (jct == NULL || wait == NULL || first == NULL)
        return err_set(err, BERR_NOMEM, "out of memory");
    int64_t end = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct replay_job *job = &r->jobs[i];
        jct[i] = job->end_ms - job->submit_ms;
        wait[i] = jct[i] - job->duration_ms;
        first[i] = job->first_ms - job->submit_ms;
        end = job->end_ms > end ? job->end_ms : end;
    }
    qsort(jct, count, sizeof(*jct), compare_i64);
    qsort(wait, count, sizeof(*wait), compare_i64);
    qsort(first, count, sizeof(*first), compare_i64);
    double capacity = (double)end * r->node_count * r->gpus_per_node;
    struct js_writer w;
    js_w_init(&w, out);
    js_w_object(&w, NULL);
    js_w_str(&w, "policy", policy);
    js_w_f64(&w, "avg_jct_s", round1(mean(jct, count)));
    js_w_f64(&w, "median_jct_s", percentile(jct, count, 0.5));
    js_w_f64(&w, "p99_jct_s", percentile(jct, count, 0.99));
    js_w_f64(&w, "avg_wait_s", round1(mean(wait, count)));
    js_w_f64(&w, "p999_wait_s", percentile(wait, count, 0.999));
    js_w_f64(&w, "p999_first_start_s", percentile(first, count, 0.999));
    js_w_f64(&w, "makespan_s", (double)end / 1000);
    js_w_f64(&w, "utilization",
             capacity == 0 ? 0 : round((double)r->busy_gpu_ms / capacity * 10000) / 10000);
    js_w_u64(&w, "preemptions", r->preemptions);
    put_eta(&w, r, first);
    if (r->has_queues)
        put_queues(&w, r);
    js_w_end_object(&w);
    *ret_end = end;
    return 0;
}

int stats_print(struct replay *r, const char *policy, const char *report, struct buf *out,
                struct err *err)
{
    int64_t end = 0;
    int rc = put_all(r, policy, out, &end, err);
    if (rc != 0 || report[0] == '\0') {
        buf_putc(out, '\n');
        return rc;
    }
    struct buf page = BUF(16u << 20);
    sim_report(&page, "berth-sim replay", buf_str(out), r->series, LINES, SIM_POINTS_MAX, 0,
               r->step_ms * SIM_POINTS_MAX / 1000);
    rc = buf_is_failed(&page) ? err_set(err, BERR_NOMEM, "out of memory")
                              : sim_write_file(report, &page, err);
    buf_done(&page);
    buf_putc(out, '\n');
    return rc;
}
