/*
 * daemons: the three programs of an instance — found, started in the background, told apart from
 * others with the same number, ended. Each has DATA/run/NAME.pid (written by root: pid and start
 * time) and DATA/log/NAME.log. Needs root, but for looking.
 */
#ifndef BERTH_CLI_DAEMONS_H
#define BERTH_CLI_DAEMONS_H

#include <stdbool.h>
#include <sys/types.h>
#include "cli/local.h"

enum cli_daemon { CLI_RUNNER, CLI_BERTHD, CLI_GATEWAY };
#define CLI_DAEMONS 3

/* Who they run as; looked up or made by cli_users_make. */
struct cli_users {
    uid_t berth;
    gid_t berth_group, gateway_group;
};

const char *cli_daemon_name(enum cli_daemon d); /* "berthd": of its program, pid file and log */
/* Whether this instance has it: the fake engine needs no runner. */
bool cli_daemon_is_wanted(const struct cli_instance *in, enum cli_daemon d);

/* The program beside our own, or in PATH. NOT_FOUND with a hint. */
int cli_find_program(const char *name, char dst[CLI_PATH_MAX], struct err *err);

/* The pid of the one that runs, or 0. */
pid_t cli_daemon_pid(const char *data, enum cli_daemon d);
/* The program is the one in bin_dir. */
int cli_daemon_start(const struct cli_instance *in, enum cli_daemon d, const char *bin_dir,
                     const struct cli_users *users, const char *log_level, struct err *err);
/* SIGTERM, after a while SIGKILL; gone when it returns. Not running: done. */
int cli_daemon_stop(const char *data, enum cli_daemon d, struct err *err);
/* Appends the last lines of its log. */
void cli_daemon_put_log(const char *data, enum cli_daemon d, struct buf *out);

#endif
