/*
 * monitor: conmon, the small program that starts a container through the runtime, holds its output
 * and writes down how it ended. It outlives the runner.
 *
 * Files of one task below RUN: bundles/KEY (config.json, init.conf, report, pid files), crun/KEY
 * (the runtime's), exits/KEY (conmon's: the exit code), links/KEY (conmon's).
 */
#ifndef BERTH_RUNNER_MONITOR_H
#define BERTH_RUNNER_MONITOR_H

#include "runner/record.h"
#include "runner/work.h"

#define REPORT_MAX 512

/* Starts conmon and waits until the container is made: its PID 1 stands before berth-init's exec.
 * bundle_fd: bundles/KEY with config.json, init.conf and an empty report in it. Fills the pids. */
int monitor_start(const struct work *w, struct record *rec, int bundle_fd, struct err *err);
/* Lets berth-init run. */
int monitor_release(const struct instance *in, const struct wire_key *key, struct err *err);
/* Made, but not let go yet. */
bool monitor_is_waiting(const struct instance *in, const struct wire_key *key);
/* How it ended, as conmon saw it: -1 when conmon left no word. */
int monitor_exit_code(const struct instance *in, const struct wire_key *key);
/* berth-init's own last word into text; "" when there is none. */
void monitor_report(const struct instance *in, const struct wire_key *key, char text[REPORT_MAX]);
/* Removes all files of the task below RUN. */
int monitor_clean(const struct instance *in, const struct wire_key *key, struct err *err);

#endif
