/*
 * task: what workers do to one task; the main loop runs one worker a task at a time.
 *
 *   create   → PREPARING → CREATED      start → RUNNING (written before berth-init is let go)
 *   end      RUNNING → ENDED            delete → DELETING → no record
 *
 * undo takes any task to "never was": its processes are killed and proved gone (both cgroups
 * empty), then its devices, cgroups and files are removed, the directory last.
 */
#ifndef BERTH_RUNNER_TASK_H
#define BERTH_RUNNER_TASK_H

#include "runner/record.h"
#include "runner/work.h"

int64_t task_now_ms(void);
/* Kills what runs and gives back all but the record and the log. */
int task_release(const struct instance *in, const struct record *rec, struct err *err);
int task_undo(const struct instance *in, const struct wire_key *key, struct err *err);
/* Writes down that the task ended because of `text`: RUNNING or CREATED become ENDED. */
int task_end_as_lost(const struct instance *in, struct record *rec, const char *text,
                     struct err *err);
/* conmon is gone, or the machine was restarted: writes down how the task ended. */
work_fn work_task_end;
/* The record says RUNNING but berth-init was never let go: does it. */
work_fn work_task_restart;
work_fn work_task_undo;

#endif
