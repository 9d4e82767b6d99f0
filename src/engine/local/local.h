/*
 * local: the engine of one machine, berth-runner its hand. Keeps no state on disk: what it knows
 * after a restart is the runner's list. See engine/engine.h for the promises, README.md here for
 * how it works.
 */
#ifndef BERTH_ENGINE_LOCAL_LOCAL_H
#define BERTH_ENGINE_LOCAL_LOCAL_H

#include "engine/engine.h"

extern const struct engine_ops engine_local;

#endif
