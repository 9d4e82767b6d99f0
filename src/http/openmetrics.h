/*
 * openmetrics: text exposition (OpenMetrics 1.0) into a buffer. Names and helps are literals of
 * ours; label values are escaped. Numbers kept by the caller, who writes all samples of a family one
 * after another.
 */
#ifndef BERTH_HTTP_OPENMETRICS_H
#define BERTH_HTTP_OPENMETRICS_H

#include <stdint.h>
#include "base/buf.h"

#define OPENMETRICS_TYPE "application/openmetrics-text; version=1.0.0; charset=utf-8"

/* Begins a family: type "gauge", "counter" or "histogram" (names of counters without _total). */
void om_family(struct buf *out, const char *name, const char *type, const char *help);
/* One sample; suffix "" or "_total"; label NULL: none. */
void om_sample(struct buf *out, const char *name, const char *suffix, const char *label,
               const char *label_value, double value);
/* The same with any number of labels. */
struct om_label {
    const char *name, *value;
};
void om_sample_labels(struct buf *out, const char *name, const char *suffix,
                      const struct om_label *labels, size_t count, double value);
void om_end(struct buf *out);

/* A histogram of durations: cheap to observe, about twice as wide from bucket to bucket. */
#define OM_BUCKETS 16
struct om_histogram {
    uint64_t counts[OM_BUCKETS]; /* up to 1 ms, 2 ms, 4 ms … 16 s, and all above */
    uint64_t sum_ms;
};
void om_observe(struct om_histogram *h, int64_t ms);
/* Buckets, sum and count, in seconds. */
void om_histogram_put(struct buf *out, const char *name, const struct om_histogram *h);

#endif
