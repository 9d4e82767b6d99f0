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
/* The driver's libraries: calls fn with the path here and the path inside of each; none without a
 * driver. */
typedef void gpu_library_fn(void *arg, const char *path, const char *inside);
void gpu_libraries(gpu_library_fn *fn, void *arg);
/* Fills gpus and driver. No GPUs or no driver: none, no error. */
int gpu_inventory(const struct work *w, struct wire_inventory *ret, struct err *err);

#endif
