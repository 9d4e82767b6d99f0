/*
 * The one table that changes a workload's state. What is not in it does not happen: users get
 * CONFLICT, repeats from engines are ignored.
 */
#include "types/workload.h"

#define ROW(from, event, to, why)                   \
    {                                               \
        STATE_##from, LIFE_##event, STATE_##to, why \
    }

const struct life_row lifecycle_rows[] = {
    ROW(QUEUED, PLACE, PREPARING, "the scheduler found room and the ledger agreed"),
    ROW(QUEUED, STOP, STOPPED, "stopped before it ran"),

    ROW(PREPARING, PREPARED, STARTING, "image, code and volumes are ready"),
    ROW(PREPARING, RUNNING, RUNNING, "seen running when contact returned"),
    ROW(PREPARING, STOP, STOPPING, "asked to stop"),
    ROW(PREPARING, PREEMPT, STOPPING, "makes room for other work"),
    ROW(PREPARING, ENDED_OK, SUCCEEDED, "seen completed when contact returned"),
    ROW(PREPARING, ENDED_FAILED, FAILED, "could not be prepared"),
    ROW(PREPARING, ENDED_RETRY, QUEUED, "could not be prepared, tried again"),
    ROW(PREPARING, ENDED_STOPPED, STOPPED, "stopped outside berth"),

    ROW(STARTING, RUNNING, RUNNING, "every task of the gang runs"),
    ROW(STARTING, STOP, STOPPING, "asked to stop"),
    ROW(STARTING, PREEMPT, STOPPING, "makes room for other work"),
    ROW(STARTING, ENDED_OK, SUCCEEDED, "completed before it was seen running"),
    ROW(STARTING, ENDED_FAILED, FAILED, "could not be started"),
    ROW(STARTING, ENDED_RETRY, QUEUED, "could not be started, tried again"),
    ROW(STARTING, ENDED_STOPPED, STOPPED, "stopped outside berth"),

    ROW(RUNNING, SUSPENDED, SUSPENDED, "frozen"),
    ROW(RUNNING, STOP, STOPPING, "asked to stop, out of time, or its lease ended"),
    ROW(RUNNING, PREEMPT, STOPPING, "makes room for other work"),
    ROW(RUNNING, ENDED_OK, SUCCEEDED, "completed"),
    ROW(RUNNING, ENDED_FAILED, FAILED, "failed, no try left or none wanted"),
    ROW(RUNNING, ENDED_RETRY, QUEUED, "failed, tried again"),
    ROW(RUNNING, ENDED_STOPPED, STOPPED, "stopped outside berth"),

    ROW(SUSPENDED, RESUMED, RUNNING, "goes on"),
    ROW(SUSPENDED, STOP, STOPPING, "asked to stop, out of time, or its lease ended"),
    ROW(SUSPENDED, PREEMPT, STOPPING, "makes room for other work"),
    ROW(SUSPENDED, ENDED_OK, SUCCEEDED, "completed just before it was frozen"),
    ROW(SUSPENDED, ENDED_FAILED, FAILED, "failed, no try left or none wanted"),
    ROW(SUSPENDED, ENDED_RETRY, QUEUED, "failed, tried again"),
    ROW(SUSPENDED, ENDED_STOPPED, STOPPED, "stopped outside berth"),

    ROW(STOPPING, ENDED_OK, SUCCEEDED, "completed before the signal reached it"),
    ROW(STOPPING, ENDED_FAILED, FAILED, "failed, or was out of time"),
    ROW(STOPPING, ENDED_RETRY, PREEMPTED, "made room for other work"),
    ROW(STOPPING, ENDED_STOPPED, STOPPED, "stopped"),

    ROW(PREEMPTED, REQUEUE, QUEUED, "waits for its turn again"),
    ROW(PREEMPTED, STOP, STOPPED, "stopped while it waited to return"),
};
const size_t lifecycle_row_count = ARRAY_LEN(lifecycle_rows);

bool lifecycle_next(enum workload_state from, enum life_event event, enum workload_state *ret_to)
{
    for (size_t i = 0; i < lifecycle_row_count; i++) {
        if (lifecycle_rows[i].from == from && lifecycle_rows[i].event == event) {
            *ret_to = lifecycle_rows[i].to;
            return true;
        }
    }
    return false;
}

int64_t lifecycle_deadline_ms(enum workload_state state)
{
    switch (state) {
    case STATE_PREPARING: /* since the last progress: a big image on a slow line */
        return 10 * 60 * 1000;
    case STATE_STARTING:
        return 2 * 60 * 1000;
    case STATE_STOPPING: /* on top of the grace */
        return 30 * 1000;
    case STATE_QUEUED:
    case STATE_RUNNING: /* time limits and leases are of the workload, not of the state */
    case STATE_SUSPENDED:
    case STATE_PREEMPTED: /* left in the very change that entered it */
    case STATE_SUCCEEDED:
    case STATE_FAILED:
    case STATE_STOPPED:
        return 0;
    }
    return 0;
}

/* Mermaid, because both the docs and the page draw it. */
void lifecycle_diagram(struct buf *out)
{
    buf_puts(out, "stateDiagram-v2\n    [*] --> QUEUED: submit\n");
    for (size_t i = 0; i < lifecycle_row_count; i++)
        buf_printf(out, "    %s --> %s: %s\n", workload_state_names[lifecycle_rows[i].from],
                   workload_state_names[lifecycle_rows[i].to],
                   life_event_names[lifecycle_rows[i].event]);
    for (int s = 0; s < STATE_MAX; s++) {
        if (workload_state_is_final((enum workload_state)s))
            buf_printf(out, "    %s --> [*]\n", workload_state_names[s]);
    }
}
