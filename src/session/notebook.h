/*
 * notebook: what a workload of kind notebook needs on top of its spec: the command that starts the
 * server of the chosen app, and a secret that only the gateway gets, so that nobody else in the
 * project's network can open it. Pure but for the randomness passed in; loop thread.
 */
#ifndef BERTH_SESSION_NOTEBOOK_H
#define BERTH_SESSION_NOTEBOOK_H

#include "types/workload.h"

#define NOTEBOOK_PORT 8888

/* Fills command (when empty) and w->secret. `random` gives 64 random bits. NOMEM. */
int notebook_prepare(struct workload *w, struct workload_spec *spec, struct arena *arena,
                     uint64_t (*random)(void *arg), void *random_arg, struct err *err);

/* The address of a running notebook ("10.1.0.5:8888"), false while there is none. */
bool notebook_target(const struct workload *w, char dst[64]);

#endif
