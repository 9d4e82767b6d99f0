/*
 * link: the gateway's side of the control socket to berthd (wire/gateway.h). Keeps routes and
 * verdicts as berthd tells, asks for verdicts that are missing, and comes back by itself when the
 * connection is lost. Loop thread.
 */
#ifndef BERTH_GATEWAY_LINK_H
#define BERTH_GATEWAY_LINK_H

#include "ev/loop.h"
#include "gateway/routes.h"
#include "gateway/verdicts.h"
#include "os/clock.h"

#define LINK_ASKS_MAX    4096  /* outstanding questions */
#define LINK_WAITERS_MAX 16384 /* requests that wait for them */
#define LINK_ASK_MS      5000  /* one waits at most so long, also for berthd to come back */

struct gw_link;

struct gw_link_config {
    const char *socket;
    struct routes *routes;
    struct verdicts *verdicts;
    const struct os_clock *clock;
    void (*on_route_gone)(void *arg, uint64_t route);
    void (*on_revoked)(void *arg, const char *digest); /* NULL: all */
    void (*on_synced)(void *arg); /* after a full list: what was revoked meanwhile is not known */
    void *arg;
};

struct gw_link *gw_link_new(struct ev_loop *loop, const struct gw_link_config *cfg,
                            struct err *err);
struct gw_link *gw_link_free(struct gw_link *l); /* who waits is told that there is no answer */
bool gw_link_is_up(const struct gw_link *l);
bool gw_link_was_synced(const struct gw_link *l); /* routes have been told at least once */

/* verdict NULL: none could be had, err says why. */
typedef void gw_verdict_fn(void *arg, const char *digest, uint64_t route,
                           const struct verdict *verdict, const struct err *err);
/* Asks berthd (a question that is under way is joined); the answer is kept in the verdicts. fn is
 * called once, never from inside. BUSY, NOMEM. */
int gw_link_ask(struct gw_link *l, const char *digest, uint64_t route, gw_verdict_fn *fn, void *arg,
                struct err *err);

#endif
