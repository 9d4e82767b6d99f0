/*
 * workload: what jobs and notebooks have in common on the command line — how they are shown,
 * followed, waited for, stopped.
 */
#ifndef BERTH_CLI_WORKLOAD_H
#define BERTH_CLI_WORKLOAD_H

#include "cli/cli.h"

extern const struct cli_column cli_workload_columns[];
extern const size_t cli_workload_column_count;

bool cli_is_final(const char *state);
/* The exit code that a final workload gives: its own, or by `berth help exit-codes`. */
int cli_exit_code(yyjson_val *workload);
/* "digits-1 FAILED: ended with exit code 3". */
void cli_put_outcome(struct buf *out, yyjson_val *workload);

/* Makes it; *ret is what the server made of it. A repeat after a broken connection is harmless. */
int cli_submit(struct cli *cli, const char *target, const struct buf *spec, yyjson_val **ret,
               struct err *err);

struct cli_follow {
    const char *id;
    int64_t task;           /* whose log */
    bool quiet;             /* no log: only wait */
    bool stop_on_interrupt; /* the first Ctrl-C stops it, the second leaves */
    int64_t give_up_ms;     /* 0: never */
};
/* Until it has ended, over attempts and broken connections. Returns its exit code, or negative:
 * CANCELED when interrupted, TIMEOUT. */
int cli_follow(struct cli *cli, const struct cli_follow *f, struct err *err);
/* Until it runs, or has ended; *ret its last look. */
int cli_wait_running(struct cli *cli, const char *id, yyjson_val **ret, struct err *err);

/* Prints a log to standard output. attempt 0: the latest. */
struct cli_log {
    const char *id;
    int64_t task, attempt;
    bool follow;
};
int cli_log(struct cli *cli, const struct cli_log *log, struct err *err);

/* The commands of both kinds; `plural` is jobs or notebooks. */
int cli_list_workloads(struct cli *cli, const char *plural, struct err *err);
int cli_show_workload(struct cli *cli, const char *plural, struct err *err);
int cli_logs_command(struct cli *cli, const char *plural, struct err *err);
int cli_verb_workloads(struct cli *cli, const char *plural, const char *verb, struct err *err);
/* Their options. */
extern const struct cli_option cli_list_options[], cli_log_options[], cli_stop_options[];
#define CLI_LIST_OPTIONS 4
#define CLI_LOG_OPTIONS  3
#define CLI_STOP_OPTIONS 2

#endif
