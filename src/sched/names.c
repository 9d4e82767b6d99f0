/* The stable names of the enums of sched.h. */
#include "sched/sched.h"

const char *sched_hold_name(enum sched_hold_code code)
{
#define X(sym, name) name,
    static const char *const names[] = {SCHED_HOLD_LIST(X)};
#undef X
    check((unsigned)code < ARRAY_LEN(names));
    return names[code];
}
