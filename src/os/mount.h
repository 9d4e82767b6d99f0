/*
 * os/mount: mounts as descriptors (fsopen, open_tree, mount_setattr), so that a mount is made
 * whole — type, options, id map — before it has a place. Everything needs CAP_SYS_ADMIN.
 * Descriptors returned belong to the caller (O_CLOEXEC). Any thread; namespaces are the thread's.
 */
#ifndef BERTH_OS_MOUNT_H
#define BERTH_OS_MOUNT_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"

/* The calling process's mounts become its own: changes of the host still come in, none go out. */
int os_mount_private(struct err *err);

/* A user namespace that maps ids [disk, disk+count) of a file system to [seen, seen+count), for
 * os_mount_idmap. Lives as long as the descriptor and mounts made with it. */
int os_idmap_open(uint32_t disk, uint32_t seen, uint32_t count, int *ret_fd, struct err *err);

/* A new detached mount of a block device with flags MOUNT_ATTR_*. */
int os_mount_device(const char *fstype, const char *device, unsigned attrs, int *ret_fd,
                    struct err *err);
/* A detached copy of what lies at path (below dir_fd, AT_FDCWD allowed). recursive: with what is
 * mounted below it. */
int os_mount_clone(int dir_fd, const char *path, bool recursive, int *ret_fd, struct err *err);
/* Both only on detached mounts. */
int os_mount_idmap(int mount_fd, int idmap_fd, struct err *err);
int os_mount_attrs(int mount_fd, unsigned attrs, struct err *err);
/* Puts a detached mount at path. */
int os_mount_attach(int mount_fd, int dir_fd, const char *path, struct err *err);

/* overlay, without devices: lower is "top:…:bottom" as the kernel wants it; attached at path. */
int os_mount_overlay(const char *lower, const char *upper, const char *work, const char *path,
                     struct err *err);
int os_mount_tmpfs(const char *path, const char *options, struct err *err);

#endif
