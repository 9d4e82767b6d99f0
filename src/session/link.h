/*
 * link: berthd's side of the control socket to the gateways (wire/gateway.h). Keeps the list of
 * routes, answers who may open what, and tells at once when an answer given before no longer
 * holds. Several gateways may be connected. Loop thread.
 */
#ifndef BERTH_SESSION_LINK_H
#define BERTH_SESSION_LINK_H

#include "control/control.h"
#include "ev/loop.h"

struct link_server;

struct link_config {
    struct control *control;
    struct auth *auth;
    const struct os_clock *clock;
    const char *socket; /* path of the control socket */
    int64_t verdict_ms; /* how long a gateway may keep a verdict; 0: LIMIT_VERDICT_MS */
};

int link_new(struct ev_loop *loop, const struct link_config *cfg, struct link_server **ret,
             struct err *err);
struct link_server *link_free(struct link_server *l);

/* A workload changed and that is durable (control's `changed` hook). */
void link_workload_changed(struct link_server *l, const struct workload *w);
/* Last byte and open streams of a route as the gateways tell; false when nothing was told. */
bool link_activity(const struct link_server *l, uint64_t route, int64_t *ret_time_ms,
                   int64_t *ret_open);

#endif
