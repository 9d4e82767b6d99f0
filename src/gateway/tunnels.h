/*
 * tunnels: the open tunnels, each with the token that opened it, so that a revoked token and a
 * route that is gone close theirs at once. Loop thread.
 */
#ifndef BERTH_GATEWAY_TUNNELS_H
#define BERTH_GATEWAY_TUNNELS_H

#include "gateway/identity.h"
#include "gateway/routes.h"
#include "os/clock.h"
#include "proxy/tunnel.h"

struct gw_tunnel;
struct tunnels {
    struct routes *routes;
    const struct os_clock *clock;
    struct gw_tunnel *first;
    size_t count, max;
    uint64_t bytes, opened;
};

void tunnels_init(struct tunnels *t, struct routes *routes, const struct os_clock *clock);
void tunnels_done(struct tunnels *t); /* closes all */

#define TUNNELS_PER_ROUTE_MAX 1024

/* Whether one more may be opened. BUSY, with words. */
int tunnels_check(const struct tunnels *t, const struct route *route, struct err *err);
/* A new one, not started; NULL: no memory. It takes itself off the list when it ends. */
struct tunnel *tunnels_open(struct tunnels *t, uint64_t route, const char *digest);
void tunnels_close_route(struct tunnels *t, uint64_t route);
void tunnels_close_digest(struct tunnels *t, const char *digest);
void tunnels_close_pair(struct tunnels *t, const char *digest, uint64_t route);
/* Calls fn once for each token and route that has tunnels (perhaps more than once). */
void tunnels_each(struct tunnels *t, void (*fn)(void *arg, const char *digest, uint64_t route),
                  void *arg);

#endif
