/*
 * file: files and directories below a directory descriptor.
 *
 * A path given with a dir_fd is relative and is resolved beneath it: no "..", no absolute path, no
 * symbolic or magic link anywhere in it (openat2(2), RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS). INVALID
 * says that a path breaks this rule, UNSUPPORTED that the kernel is too old for it. So that code for
 * places of our own reads alike, dir_fd may be AT_FDCWD: then the path is resolved as usual.
 *
 * Errors follow the errno (err_errno) and name the path. Descriptors are O_CLOEXEC and the caller's.
 * Any thread. Everything here may block on a disk.
 */
#ifndef BERTH_OS_FILE_H
#define BERTH_OS_FILE_H

#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/err.h"

/* flags as of open(2). */
int os_file_open(int dir_fd, const char *path, int flags, mode_t mode, int *ret_fd,
                 struct err *err);

/* The whole file, NUL behind it; the caller frees with mem_free. TOO_LARGE over max bytes; INVALID
 * when it is no regular file. ret_len may be NULL. */
int os_file_read(int dir_fd, const char *path, size_t max, char **ret, size_t *ret_len,
                 struct err *err);
/* All or nothing, and on the disk when it returns: a new file beside it, synced, renamed over it,
 * the directory synced. */
int os_file_write(int dir_fd, const char *path, const void *data, size_t len, mode_t mode,
                  struct err *err);
/* All of len bytes to a descriptor. */
int os_file_write_fd(int fd, const void *data, size_t len, struct err *err);
bool os_file_exists(int dir_fd, const char *path); /* also a link that leads nowhere */
/* No such file: done. */
int os_file_remove(int dir_fd, const char *path, struct err *err);

/* Makes the directory and those above it that are not there, with this mode (umask apart). ret_fd
 * may be NULL. */
int os_dir_make(int dir_fd, const char *path, mode_t mode, int *ret_fd, struct err *err);
int os_dir_sync(int dir_fd, struct err *err);
/* Removes a file or a whole tree without following links. Does not enter other file systems (a
 * mount below is an error). No such thing: done. */
int os_tree_remove(int dir_fd, const char *path, struct err *err);

/* One at a time: takes the lock on a file (made when absent, 0600) and writes our pid into it. Held
 * until the descriptor is closed, so also when we are killed. CONFLICT names the pid that has it. */
int os_file_lock(int dir_fd, const char *path, int *ret_fd, struct err *err);

#endif
