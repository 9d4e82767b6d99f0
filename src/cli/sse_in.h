/*
 * sse_in: server-sent events as they arrive (WHATWG HTML 9.2): id, event and data; comments and
 * retry lines are dropped. Lines end with LF or CRLF. Pure.
 */
#ifndef BERTH_CLI_SSE_IN_H
#define BERTH_CLI_SSE_IN_H

#include <stdint.h>
#include "base/buf.h"

struct cli_event {
    int64_t id;       /* the last one given; -1: none yet */
    const char *type; /* "message" when none was given */
    const char *data;
};
/* Nonzero ends the reading; cli_events_feed returns it. */
typedef int cli_event_fn(void *arg, const struct cli_event *event);

struct cli_events {
    cli_event_fn *fn;
    void *arg;
    struct buf line, data;
    char type[32];
    int64_t id;
};

void cli_events_init(struct cli_events *e, cli_event_fn *fn, void *arg);
void cli_events_done(struct cli_events *e);
/* Forgets what is half read, for a new connection; the id stays. */
void cli_events_restart(struct cli_events *e);
int cli_events_feed(struct cli_events *e, const char *data, size_t len);

#endif
