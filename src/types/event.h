/*
 * event: what happened, in order. One global number without gaps; append-only. Watch, billing,
 * audit and metrics read the same stream.
 */
#ifndef BERTH_TYPES_EVENT_H
#define BERTH_TYPES_EVENT_H

#include <stdint.h>
#include "js/js.h"
#include "types/ids.h"

struct event {
    uint64_t seq; /* 1, 2, 3, … given by the store's owner before commit */
    int64_t time_ms;
    const char *type;         /* workload.state workload.hold image.progress audit.… node.… */
    uint64_t subject;         /* id of the thing; 0: the installation */
    const char *subject_kind; /* workload image user project node … */
    uint64_t project;         /* who may read it: members of this project; 0: cluster admins */
    uint64_t actor;           /* user, 0: berth itself */
    const char *text;         /* words a user understands */
    const char *data;         /* JSON object text with details, or NULL */
};
extern const struct js_table event_table;

#endif
