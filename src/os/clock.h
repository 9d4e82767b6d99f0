/*
 * clock: time as a value that is passed in, so that tests run on virtual time. wall_ms is
 * milliseconds since 1970 (may jump), mono_ms never goes back and is for time-outs. Any thread.
 */
#ifndef BERTH_OS_CLOCK_H
#define BERTH_OS_CLOCK_H

#include <stdint.h>

struct os_clock {
    int64_t (*wall_ms)(void *arg);
    int64_t (*mono_ms)(void *arg);
    void *arg;
};

const struct os_clock *os_clock_real(void);

/* For programs without an event loop: waiting for what the kernel gives no event of. */
void os_sleep_ms(int ms);

#endif
