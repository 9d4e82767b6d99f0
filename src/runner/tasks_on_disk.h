/*
 * tasks_on_disk: questions that workers ask about all tasks; the directory is the truth.
 */
#ifndef BERTH_RUNNER_TASKS_ON_DISK_H
#define BERTH_RUNNER_TASKS_ON_DISK_H

#include "runner/record.h"

/* Calls fn with each task's record (facts.key always set; the rest zero when there is no readable
 * record yet) until it returns false. */
typedef bool task_visit_fn(const struct record *rec, void *arg);
int tasks_each(const struct instance *in, task_visit_fn *fn, void *arg, struct err *err);
bool tasks_on_disk(const struct instance *in, uint64_t project);

#endif
