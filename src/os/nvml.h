/*
 * nvml: the machine's NVIDIA GPUs, through libnvidia-ml.so.1 found at run time (NVML API, NVIDIA;
 * functions are looked up as _v3, _v2 and plain). Nothing here needs the driver: without it there
 * are no GPUs and a reason in words.
 *
 * Which library: the path given, else the environment's BERTH_NVML, else the loader's
 * libnvidia-ml.so.1. A stand-in (test/lib/fakenvml.c) may export nvmlBerthDeviceNode(device, buf,
 * len) to say where its device nodes are; otherwise a GPU's node is /dev/nvidia<minor>.
 *
 * Who owns what: os_nvml_open gives an object to be closed; results are plain values. One thread
 * at a time. Calls may take seconds on a sick machine: not for a loop thread.
 */
#ifndef BERTH_OS_NVML_H
#define BERTH_OS_NVML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/err.h"
#include "base/limits.h"

struct os_gpu {
    uint16_t index; /* in the driver's order */
    char uuid[48];  /* GPU-… */
    char model[48];
    uint64_t memory_bytes;
    char bus_id[24];       /* 0000:01:00.0 */
    int16_t numa;          /* -1: unknown */
    uint16_t link_group;   /* GPUs with the same number reach each other by NVLink; 0: none */
    char node[128];        /* path of its device node */
    uint32_t major, minor; /* of that node; 0, 0 when it is not there */
    bool healthy;
    char why[96]; /* not healthy: in words */
};

struct os_gpus {
    char driver[32];  /* version; "" without one */
    char reason[160]; /* why there are none, in words; "" when there are some */
    uint32_t count;
    struct os_gpu gpu[LIMIT_GPUS_PER_NODE];
};

struct os_nvml;

/* NOT_FOUND when there is no such library, UNAVAILABLE when the driver does not answer. */
int os_nvml_open(const char *path, struct os_nvml **ret, struct err *err);
struct os_nvml *os_nvml_close(struct os_nvml *n); /* returns NULL; NULL allowed */

/* Reads everything anew. Never fails: a GPU that does not answer is there and not healthy. */
void os_nvml_read(struct os_nvml *n, struct os_gpus *ret);
/* Processes that the driver sees on a GPU, at most max; returns how many there are (may be more
 * than max), or negative. Pids are those of the caller's pid namespace. */
int os_nvml_processes(struct os_nvml *n, uint16_t index, pid_t *ret_pids, uint32_t max,
                      struct err *err);

/* Opens, reads and closes; when that fails there are no GPUs and the reason says why. */
void os_gpus_read(struct os_gpus *ret);

/* Processes that have this character device open, found in /proc (a GPU is free only when there
 * is none): at most max pids; returns how many there are, or negative. Needs root to see all. */
int os_device_holders(uint32_t major, uint32_t minor, pid_t *ret_pids, uint32_t max,
                      struct err *err);

/* Numbers of a character device; false when it is none. */
bool os_device_numbers(const char *path, uint32_t *ret_major, uint32_t *ret_minor);

/* Device nodes that every CUDA program needs beside its GPU's own (/dev/nvidiactl …): those that
 * are there, NULL-terminated. */
#define OS_GPU_COMMON_MAX 5
void os_gpu_common_nodes(const char *ret_paths[OS_GPU_COMMON_MAX]);

/* The driver's user-space libraries (files named *.so.VERSION beside libnvidia-ml): calls fn with
 * the absolute path of each until it returns nonzero; returns that, 0 at the end, or negative. */
typedef int os_gpu_library_fn(void *arg, const char *path);
int os_gpu_libraries_in(const char *dir, const char *version, os_gpu_library_fn *fn, void *arg,
                        struct err *err);
int os_gpu_libraries(struct os_nvml *n, os_gpu_library_fn *fn, void *arg, struct err *err);

#endif
