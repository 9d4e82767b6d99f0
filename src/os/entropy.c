/*
 * entropy: getrandom(2).
 */
#include "os/entropy.h"
#include <errno.h>
#include <sys/random.h>
#include "base/check.h"

void os_random_bytes(void *dst, size_t len)
{
    char *at = dst;
    while (len) {
        ssize_t n = getrandom(at, len, 0);
        check(n >= 0 || errno == EINTR);
        if (n > 0) {
            at += n;
            len -= (size_t)n;
        }
    }
}

uint64_t os_random_u64(void)
{
    uint64_t v;
    os_random_bytes(&v, sizeof(v));
    return v;
}
