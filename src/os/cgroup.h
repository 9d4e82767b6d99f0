/*
 * os/cgroup: control groups of both versions under one face. A group is named by its path from the
 * root ("/berth-ab12cd/KEY"); on version 1 it is that path in every hierarchy. Files read here are
 * below /sys/fs/cgroup. Any thread.
 */
#ifndef BERTH_OS_CGROUP_H
#define BERTH_OS_CGROUP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/err.h"

enum os_cgroup_mode { OS_CGROUP_V1, OS_CGROUP_HYBRID, OS_CGROUP_V2 };
/* How /sys/fs/cgroup looked when the process first asked. */
enum os_cgroup_mode os_cgroup_mode(void);
const char *os_cgroup_mode_name(enum os_cgroup_mode mode);

/* Makes a group for bookkeeping only (version 1: in one hierarchy) and joins it. */
int os_cgroup_join(const char *group, struct err *err);

/* Kills what is in the group and below until nothing is left: the dead have closed all they held.
 * TIMEOUT when something stays. A frozen group is thawed. No such group: done. */
int os_cgroup_kill(const char *group, int timeout_ms, struct err *err);
bool os_cgroup_is_empty(const char *group); /* also true when there is no such group */
/* Removes the group and those below it, in every hierarchy. No such group: done. */
int os_cgroup_remove(const char *group, struct err *err);
int os_cgroup_freeze(const char *group, bool frozen, struct err *err);

struct os_cgroup_stat {
    int64_t cpu_ms;
    uint64_t memory_bytes, memory_peak_bytes, processes;
    uint64_t oom_kills; /* processes that the kernel killed for memory */
};
/* What cannot be read is 0. */
void os_cgroup_stat(const char *group, struct os_cgroup_stat *ret);

#endif
