/*
 * os/pidfd: processes that can't be mistaken for another with the same number. A process is named
 * by its number and its start time (ticks since boot, field 22 of /proc/PID/stat). Any thread.
 */
#ifndef BERTH_OS_PIDFD_H
#define BERTH_OS_PIDFD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* 0 when there is no such process. A zombie counts as a process. */
uint64_t os_pid_start(pid_t pid);
/* A pidfd (O_CLOEXEC) of exactly that process, or -1. start 0: any process of that number. */
int os_pidfd_open(pid_t pid, uint64_t start);
/* Waits for its end; false when the time ran out. timeout_ms -1: for ever. */
bool os_pidfd_wait(int pidfd, int timeout_ms);
int os_pidfd_kill(int pidfd, int sig); /* 0 or -errno */

#endif
