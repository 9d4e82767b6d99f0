/* clear: takes an instance down — every process, network, cgroup and mount of it;
 * data stays, and what is known of each task: those that ran have ended with the reason. `berth down`. */
#ifndef BERTH_RUNNER_CLEAR_H
#define BERTH_RUNNER_CLEAR_H

#include "runner/instance.h"

int clear_instance(const struct instance *in, struct err *err);

#endif
