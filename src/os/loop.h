/*
 * os/loop: files as block devices. Devices clear themselves when their last user closes them, so
 * that a mount is the only thing that keeps one. Needs CAP_SYS_ADMIN. Any thread.
 */
#ifndef BERTH_OS_LOOP_H
#define BERTH_OS_LOOP_H

#include <stdbool.h>
#include "base/err.h"

#define OS_LOOP_PATH_SIZE 24

struct os_loop {
    int fd;                       /* keeps the device; the caller closes it once it is mounted */
    char path[OS_LOOP_PATH_SIZE]; /* /dev/loop7 */
};

int os_loop_attach(int file_fd, struct os_loop *ret, struct err *err);
/* The device that has this file already, or NOT_FOUND. A file must never be on two devices. */
int os_loop_find(int file_fd, struct os_loop *ret, struct err *err);
/* After the file has grown. */
int os_loop_resized(int loop_fd, struct err *err);

#endif
