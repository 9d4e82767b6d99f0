/*
 * routes: where notebooks are, by workload id, as berthd told over the control socket. Changes cost
 * the same with ten routes and with ten thousand. Loop thread.
 */
#ifndef BERTH_GATEWAY_ROUTES_H
#define BERTH_GATEWAY_ROUTES_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/map.h"
#include "wire/gateway.h"

struct route {
    uint64_t id;
    char *target; /* "10.1.0.5:8888", as told */
    char *host;   /* its host part */
    uint16_t port;
    char *inject;      /* "Authorization: token …\r\n"; NULL: none */
    char *inject_name; /* "Authorization" */
    char *title;
    uint64_t generation;       /* of the full list that named it last */
    int64_t last_byte_ms;      /* wall time */
    int64_t open;              /* tunnels */
    bool told;                 /* berthd knows the activity above */
    struct route *next_active; /* in the list of those with untold activity */
};

struct routes {
    struct map map; /* id -> struct route */
    uint64_t generation;
    struct route *active;
};

void routes_init(struct routes *r);
void routes_done(struct routes *r);
struct route *routes_get(const struct routes *r, uint64_t id);
size_t routes_count(const struct routes *r);

/* A ROUTE message: new or changed. PROTOCOL for a target or header that is none; QUOTA past
 * LIMIT_ROUTES; NOMEM. */
int routes_put(struct routes *r, const struct gw_message *m, struct err *err);
bool routes_remove(struct routes *r, uint64_t id);

/* A full list begins and ends: what it did not name is gone; fn is told each before. */
void routes_full_begin(struct routes *r);
void routes_full_end(struct routes *r, void (*fn)(void *arg, uint64_t id), void *arg);

/* Something went through. */
void routes_touch(struct routes *r, struct route *route, int64_t now_ms);
/* The next route with untold activity, now counted as told; NULL at the end. */
struct route *routes_take_active(struct routes *r);

#endif
