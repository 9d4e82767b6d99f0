/*
 * file_internal: what file.c and tree.c share.
 */
#ifndef BERTH_OS_FILE_INTERNAL_H
#define BERTH_OS_FILE_INTERNAL_H

#include "base/err.h"

/* "a/b/c" -> descriptor (O_PATH, the caller's) of "a/b", and "c". */
int file_open_parent(int dir_fd, const char *path, int *ret_fd, const char **ret_name,
                     struct err *err);

#endif
