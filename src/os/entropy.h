/*
 * entropy: random bytes of the kernel, good enough for secrets (getrandom(2)). Waits only early at
 * boot; a kernel without it ends the process. Any thread.
 */
#ifndef BERTH_OS_ENTROPY_H
#define BERTH_OS_ENTROPY_H

#include <stddef.h>
#include <stdint.h>

void os_random_bytes(void *dst, size_t len);
uint64_t os_random_u64(void);

#endif
