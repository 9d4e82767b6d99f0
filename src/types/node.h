/*
 * node: machines and their GPUs as berth sees them. Values only.
 */
#ifndef BERTH_TYPES_NODE_H
#define BERTH_TYPES_NODE_H

#include <stdbool.h>
#include <stdint.h>
#include "base/limits.h"

struct gpu {
    uint16_t index; /* on its node; stable as long as the machine is up */
    char uuid[48];
    char model[48]; /* "NVIDIA A100-SXM4-40GB" as the driver says it */
    uint64_t memory_bytes;
    char bus_id[24];       /* PCI */
    int16_t numa;          /* -1 unknown */
    uint16_t link_group;   /* GPUs with the same number reach each other by NVLink; 0: none */
    uint32_t major, minor; /* of its device node */
    char path[32];         /* /dev/nvidia0 */
    bool healthy;
    char quarantine[96]; /* why it is not given out; "" when it is */
};

struct node {
    char name[64];
    char site[64];
    bool ready;        /* heard of lately */
    bool drained;      /* takes no new work */
    int64_t cpu_milli; /* what workloads may use */
    uint64_t memory_bytes;
    uint64_t disk_bytes;
    char rack[32], room[32];
    uint32_t gpu_count;
    struct gpu gpus[LIMIT_GPUS_PER_NODE];
    char kernel[64], os[64], driver[32];
    int64_t seen_ms;
};

#endif
