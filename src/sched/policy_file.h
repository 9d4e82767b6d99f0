/*
 * policy_file: the policy and the queue tree as one YAML file (conf/policy.yaml shows all of it).
 *
 * Everything lives in the arena given. A wrong file is refused whole, with field, line and column;
 * the caller keeps the policy it has. Pure, any thread.
 */
#ifndef BERTH_SCHED_POLICY_FILE_H
#define BERTH_SCHED_POLICY_FILE_H

#include "js/js.h"
#include "sched/sched.h"

struct sched_policy_file {
    struct sched_policy policy;
    struct sched_queue *queues; /* parents are indexes; usage is 0: the caller's to fill */
    uint32_t queue_count;
};

extern const struct js_table sched_policy_file_table; /* "SchedulerPolicy": the schema */

int sched_policy_parse(const char *yaml, size_t len, struct arena *arena,
                       struct sched_policy_file *ret, struct err *err);

#endif
