/*
 * log: structured lines to one descriptor, written at the edges only (request, reconciler, main).
 *
 * A line is one JSON object: {"t":"2026-11-25T01:28:00.123Z","l":"info","p":"berthd","m":"text",
 * "request":"…","workload":"…"} and goes out in one write(2). On a terminal (log_open with
 * pretty) it is `01:28:00 info text key=value`. Values are strings and are escaped; secrets never
 * go in. Keys alternate with values and end with NULL:
 *
 *     log_info("workload started", "workload", id, "node", node, NULL);
 *
 * log_open once at start; afterwards any thread.
 */
#ifndef BERTH_BASE_LOG_H
#define BERTH_BASE_LOG_H

#include <stdbool.h>

struct err;

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

void log_open(int fd, const char *program, enum log_level least, bool pretty);
/* Time in the lines comes from here (milliseconds since 1970); default clock_gettime. For tests. */
void log_set_clock(long long (*now_ms)(void));

void log_write(enum log_level level, const char *text, ...) __attribute__((sentinel));
#define log_debug(...) log_write(LOG_DEBUG, __VA_ARGS__)
#define log_info(...)  log_write(LOG_INFO, __VA_ARGS__)
#define log_warn(...)  log_write(LOG_WARN, __VA_ARGS__)
#define log_error(...) log_write(LOG_ERROR, __VA_ARGS__)
/* The error's text, code and field as keys `error`, `code`, `field`, before the caller's. */
void log_err(enum log_level level, const struct err *err, const char *text, ...)
    __attribute__((sentinel));

bool log_level_parse(const char *s, enum log_level *ret);

#endif
