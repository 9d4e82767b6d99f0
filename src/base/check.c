/* The last words of a process whose own invariant broke. */
#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void check_failed(const char *file, int line, const char *cond)
{
    dprintf(STDERR_FILENO, "berth: broken invariant at %s:%d: %s\n", file, line, cond);
    abort();
}
