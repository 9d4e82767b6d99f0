/* clear: takes an instance down — every task, network and cgroup of it; data stays. `berth down`. */
#ifndef BERTH_RUNNER_CLEAR_H
#define BERTH_RUNNER_CLEAR_H

#include "runner/instance.h"

int clear_instance(const struct instance *in, struct err *err);

#endif
