/*
 * files: small whole files and directories, always below a directory descriptor and never through
 * a link. Any process.
 */
#ifndef BERTH_RUNNER_FILES_H
#define BERTH_RUNNER_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include "base/buf.h"
#include "base/err.h"

/* Appends the whole file; TOO_LARGE when the buffer's maximum does not hold it. */
int file_read(int dir_fd, const char *name, struct buf *out, struct err *err);
/* All or nothing: a new file, renamed over the old. sync: on the disk before it returns. */
int file_write(int dir_fd, const char *name, const void *data, size_t len, mode_t mode, bool sync,
               struct err *err);
/* The same for a file that is written many times in a directory of its own: the former one stays as
 * ".NAME" and takes the next content, so that none is made and deleted each time. */
int file_rewrite(int dir_fd, const char *name, const void *data, size_t len, mode_t mode, bool sync,
                 struct err *err);
/* Makes the directory when there is none, with exactly this mode and owner, and opens it. */
int dir_make(int dir_fd, const char *name, mode_t mode, uid_t uid, gid_t gid, int *ret_fd,
             struct err *err);
int dir_open(int dir_fd, const char *name, int *ret_fd, struct err *err);
bool file_exists(int dir_fd, const char *name);
/* Removes a file or a whole tree; nothing there: done. Does not cross into other file systems. */
int tree_remove(int dir_fd, const char *name, struct err *err);
/* Bytes that a file or tree takes on disk. */
unsigned long long tree_bytes(int dir_fd, const char *name);

#endif
