/*
 * oci: the container as the runtime is told it (config.json of the OCI runtime specification).
 * Pure: the same order gives the same bytes.
 */
#ifndef BERTH_RUNNER_OCI_H
#define BERTH_RUNNER_OCI_H

#include "base/buf.h"
#include "runner/instance.h"
#include "wire/runner.h"

struct oci_gpu {
    char path[64];    /* inside */
    char source[128]; /* on the host */
    uint32_t major, minor;
};

struct oci_input {
    const struct wire_task_create *order;
    const char *mnt;  /* where rootfs_make has put things */
    const char *init; /* berth-init on the host */
    const char *cgroup;
    uint32_t range;     /* first id of the project */
    uint64_t files_max; /* RLIMIT_NOFILE */
    const struct oci_gpu *gpus;
    size_t gpu_count;
};
void oci_write(const struct oci_input *in, struct buf *out);

/* seccomp.c: the member `seccomp` of `linux`. */
struct js_writer;
void oci_write_seccomp(struct js_writer *w);

#endif
