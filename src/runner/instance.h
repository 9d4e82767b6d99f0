/*
 * instance: what one runner works on — its data directory, the tag in every system-wide name, its
 * network and its range of user ids. Read once at the start from DIR/instance.json, constant
 * afterwards; every worker (a fork) reads the same struct. Descriptors stay open for life.
 *
 * Ids: files of layers and volumes lie on disk as storage_id .. storage_id+65535 (inside:
 * 0 .. 65535). A project in slot S runs as instance_range(S) .. +65535; id-mapped mounts translate.
 */
#ifndef BERTH_RUNNER_INSTANCE_H
#define BERTH_RUNNER_INSTANCE_H

#include <limits.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/err.h"

#define INSTANCE_IDS 65536u

struct instance {
    char data[512]; /* DIR, real path */
    char run[64];   /* /run/berth-TAG: on tmpfs, gone at reboot */
    char tag[8];    /* 6 hex digits */
    char boot_id[40];
    uint32_t network;    /* host order, a /16 */
    uint32_t storage_id; /* first id on disk */
    uid_t berth_uid;     /* owner of run/, blobs/ and trees/; may connect */
    gid_t berth_gid;
    char init[512];      /* berth-init, beside the runner's own program */
    const char *runtime; /* path of crun, or of runc when there is no crun */
    int data_fd, run_fd;
    int tasks_fd, layers_fd, volumes_fd, trees_fd, logs_fd, fences_fd, nets_fd; /* DIR/… */
};

/* Opens DIR and makes what is missing below it. uid: of berthd; may be 0. runtime: path of crun or
 * runc; NULL: crun when it is installed, else runc. */
int instance_open(const char *dir, uid_t uid, const char *runtime, struct instance *ret,
                  struct err *err);

/* First id of a project's range on this machine. */
uint32_t instance_range(const struct instance *in, unsigned slot);

#endif
