/*
 * openmetrics: text exposition (OpenMetrics 1.0) into a buffer. Names are literals of ours; label
 * values are escaped.
 */
#ifndef BERTH_HTTP_OPENMETRICS_H
#define BERTH_HTTP_OPENMETRICS_H

#include "base/buf.h"

#define OPENMETRICS_TYPE "application/openmetrics-text; version=1.0.0; charset=utf-8"

/* Begins a family: type "gauge" or "counter" (names of counters without _total). */
void om_family(struct buf *out, const char *name, const char *type, const char *help);
/* One sample; suffix "" or "_total"; label NULL: none. */
void om_sample(struct buf *out, const char *name, const char *suffix, const char *label,
               const char *label_value, double value);
void om_end(struct buf *out);

#endif
