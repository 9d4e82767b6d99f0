/*
 * gpu: which GPUs this machine has and which device nodes a task gets with them. The machine
 * decides: an order names UUIDs only, never a device.
 */
#ifndef BERTH_RUNNER_GPU_H
#define BERTH_RUNNER_GPU_H

#include "runner/oci.h"
#include "runner/work.h"

#define GPU_NODES_MAX (64 + 8)

/* The nodes of these GPUs and those that go with any. NOT_FOUND for a UUID that is not here. */
int gpu_nodes(const struct js_strs *uuids, struct oci_gpu nodes[GPU_NODES_MAX], size_t *ret_count,
              struct err *err);
/* Fills gpus and driver. No GPUs or no driver: none, no error. */
int gpu_inventory(const struct work *w, struct wire_inventory *ret, struct err *err);

#endif
