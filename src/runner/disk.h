/*
 * disk: ext4 file systems in sparse files — the writable layer of a task (tasks/KEY/disk.img, made
 * by copying a template of its size, no journal: it is thrown away) and volumes (volumes/ID.img,
 * with a journal; owned by storage ids).
 */
#ifndef BERTH_RUNNER_DISK_H
#define BERTH_RUNNER_DISK_H

#include "os/loop.h"
#include "runner/work.h"

/* A fresh task disk at path below DIR/tasks, opened. Holds upper work scratch code-upper code-work. */
int disk_make(const struct work *w, const char *path, uint64_t bytes, int *ret_fd, struct err *err);
/* Reads the superblock of an unmounted disk: no room was left for its user. */
bool disk_is_full(const struct instance *in, const char *path);

/* The volume's file, locked against other runners' workers that look for its device; the lock goes
 * with the descriptor. NOT_FOUND. */
int volume_open(const struct instance *in, uint64_t id, int *ret_fd, struct err *err);
/* The one loop device of a volume, made when it has none. */
int volume_loop(int file_fd, struct os_loop *ret, struct err *err);

#endif
