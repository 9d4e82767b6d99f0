/*
 * rootfs: the file systems of one task, put together in the worker's private mount namespace below
 * RUN/mnt (a tmpfs there, gone with the namespace). conmon is started in that namespace and so
 * keeps it; when the container and conmon are gone the kernel takes everything down by itself.
 *
 *   mnt/disk      the task's own ext4 (loop file tasks/KEY/disk.img): upper work scratch code …
 *   mnt/0 1 2 …   image layers, top first, ids mapped from disk to the project's range
 *   mnt/root      the overlay of them: the container's /
 *   mnt/code      overlay of the code tree and disk/code-upper, when there is code
 *   mnt/v0 v1 …   volumes
 */
#ifndef BERTH_RUNNER_ROOTFS_H
#define BERTH_RUNNER_ROOTFS_H

#include "runner/work.h"

int rootfs_make(const struct work *w, const struct wire_task_create *order, unsigned slot,
                struct err *err);
/* Whether an unmounted task's disk has no block left. */
bool rootfs_is_full(const struct instance *in, const struct wire_key *key);

/* A volume as a detached mount with ids mapped by idmap_fd. Also replays its journal. */
int volume_mount(const struct instance *in, uint64_t id, int idmap_fd, bool read_only, int *ret_fd,
                 struct err *err);

#endif
