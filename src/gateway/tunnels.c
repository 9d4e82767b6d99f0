#include "gateway/tunnels.h"
#include <string.h>
#include "base/alloc.h"
#include "base/str.h"

struct gw_tunnel {
    struct tunnels *all;
    struct gw_tunnel *prev, *next;
    struct tunnel *tunnel;
    uint64_t route;
    unsigned char digest[32];
};

void tunnels_init(struct tunnels *t, struct routes *routes, const struct os_clock *clock)
{
    *t = (struct tunnels){.routes = routes, .clock = clock};
}

static void touch(struct gw_tunnel *g, int64_t opened)
{
    struct route *route = routes_get(g->all->routes, g->route);
    if (!route)
        return;
    route->open += opened;
    routes_touch(g->all->routes, route, g->all->clock->wall_ms(g->all->clock->arg));
}

static void take_off(struct gw_tunnel *g)
{
    if (g->prev)
        g->prev->next = g->next;
    else
        g->all->first = g->next;
    if (g->next)
        g->next->prev = g->prev;
    g->all->count--;
    touch(g, -1);
    mem_free(g);
}

static void on_bytes(void *arg, size_t len)
{
    struct gw_tunnel *g = arg;
    g->all->bytes += len;
    touch(g, 0);
}

static void on_close(void *arg)
{
    take_off(arg);
}

int tunnels_check(const struct tunnels *t, const struct route *route, struct err *err)
{
    if (route->open >= TUNNELS_PER_ROUTE_MAX)
        return err_set(err, BERR_BUSY, "this notebook has %d open connections already",
                       TUNNELS_PER_ROUTE_MAX);
    if (t->max && t->count >= t->max)
        return err_set(err, BERR_BUSY, "too many connections to notebooks are open");
    return 0;
}

struct tunnel *tunnels_open(struct tunnels *t, uint64_t route, const char *digest)
{
    static const struct tunnel_events events = {.on_bytes = on_bytes, .on_close = on_close};
    struct gw_tunnel *g = mem_calloc(1, sizeof(*g));
    if (!g)
        return NULL;
    g->all = t;
    g->route = route;
    g->tunnel = tunnel_new(&events, g);
    if (!g->tunnel || !str_from_hex(g->digest, sizeof(g->digest), digest)) {
        tunnel_close(g->tunnel);
        mem_free(g);
        return NULL;
    }
    g->next = t->first;
    if (t->first)
        t->first->prev = g;
    t->first = g;
    t->count++;
    t->opened++;
    touch(g, 1);
    return g->tunnel;
}

/* route 0 and digest NULL: any. */
static void close_those(struct tunnels *t, uint64_t route, const char *digest)
{
    unsigned char wanted[32];
    if (digest && !str_from_hex(wanted, sizeof(wanted), digest))
        return;
    for (struct gw_tunnel *g = t->first, *next; g; g = next) {
        next = g->next;
        if ((route && g->route != route) ||
            (digest && memcmp(g->digest, wanted, sizeof(wanted)) != 0))
            continue;
        tunnel_close(g->tunnel);
        take_off(g);
    }
}

void tunnels_done(struct tunnels *t)
{
    close_those(t, 0, NULL);
}

void tunnels_close_route(struct tunnels *t, uint64_t route)
{
    if (route)
        close_those(t, route, NULL);
}

void tunnels_close_digest(struct tunnels *t, const char *digest)
{
    close_those(t, 0, digest);
}

void tunnels_close_pair(struct tunnels *t, const char *digest, uint64_t route)
{
    close_those(t, route, digest);
}

void tunnels_each(struct tunnels *t, void (*fn)(void *arg, const char *digest, uint64_t route),
                  void *arg)
{
    char digest[DIGEST_HEX_SIZE];
    for (struct gw_tunnel *g = t->first; g; g = g->next) {
        str_to_hex(digest, g->digest, sizeof(g->digest));
        fn(arg, digest, g->route);
    }
}
