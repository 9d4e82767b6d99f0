/*
 * routes: a map of structs that own their texts.
 */
#include "gateway/routes.h"
#include <string.h>
#include "base/alloc.h"
#include "base/buf.h"
#include "base/limits.h"
#include "base/str.h"
#include "http/url.h"

void routes_init(struct routes *r)
{
    *r = (struct routes){.map = MAP_U64};
}

static void route_free(struct route *route)
{
    mem_free(route->target);
    mem_free(route->host);
    mem_free(route->inject);
    mem_free(route->inject_name);
    mem_free(route->title);
    mem_free(route);
}

void routes_done(struct routes *r)
{
    void *value;
    for (size_t i = 0; map_next_u64(&r->map, &i, NULL, &value);)
        route_free(value);
    map_done(&r->map);
}

struct route *routes_get(const struct routes *r, uint64_t id)
{
    return map_get_u64(&r->map, id);
}

size_t routes_count(const struct routes *r)
{
    return r->map.len;
}

/* "Name: value" becomes a line; anything else could smuggle. */
static int take_inject(struct route *route, const char *inject, struct err *err)
{
    size_t name = strcspn(inject, ":");
    struct buf line = BUF(2048);
    for (const char *at = inject; *at; at++)
        if ((unsigned char)*at < ' ' || *at == 0x7f)
            return err_set(err, BERR_PROTOCOL, "a route's header holds a control character");
    if (name == 0 || inject[name] != ':' || strcspn(inject, " \t") < name)
        return err_set(err, BERR_PROTOCOL, "a route's header has no name");
    buf_puts(&line, inject);
    buf_puts(&line, "\r\n");
    route->inject = buf_take(&line);
    route->inject_name = mem_strndup(inject, name);
    if (!route->inject || !route->inject_name)
        return err_set(err, BERR_NOMEM, "out of memory");
    return 0;
}

static int fill(struct route *route, const struct gw_message *m, struct err *err)
{
    char host[256];
    int rc = url_parse_authority(m->target, host, &route->port, err);
    if (rc < 0 || route->port == 0)
        return err_set(err, BERR_PROTOCOL, "a route's target is no address: %.100s", m->target);
    route->id = m->route;
    route->target = mem_strdup(m->target);
    route->host = mem_strdup(host);
    route->title = mem_strdup(m->title ? m->title : "");
    if (!route->target || !route->host || !route->title)
        return err_set(err, BERR_NOMEM, "out of memory");
    return m->inject && m->inject[0] ? take_inject(route, m->inject, err) : 0;
}

static void forget_active(struct routes *r, struct route *route)
{
    for (struct route **at = &r->active; *at; at = &(*at)->next_active)
        if (*at == route) {
            *at = route->next_active;
            return;
        }
}

int routes_put(struct routes *r, const struct gw_message *m, struct err *err)
{
    struct route *old = routes_get(r, m->route);
    struct route *route = mem_calloc(1, sizeof(*route));
    int rc = route ? 0 : err_set(err, BERR_NOMEM, "out of memory");
    if (rc == 0 && !old && r->map.len >= LIMIT_ROUTES)
        rc = err_set(err, BERR_QUOTA, "more than %d routes", LIMIT_ROUTES);
    if (rc == 0)
        rc = fill(route, m, err);
    if (rc == 0 && old) { /* in place: tunnels and requests keep their pointer by id only */
        struct route kept = *old;
        *old = *route;
        old->last_byte_ms = kept.last_byte_ms;
        old->open = kept.open;
        old->told = kept.told;
        old->next_active = kept.next_active;
        *route = kept;
        old->generation = r->generation;
        route_free(route);
        return 0;
    }
    if (rc == 0) {
        route->generation = r->generation;
        route->told = true;
        if (map_put_u64(&r->map, m->route, route) < 0)
            rc = err_set(err, BERR_NOMEM, "out of memory");
    }
    if (rc < 0 && route)
        route_free(route);
    return rc;
}

bool routes_remove(struct routes *r, uint64_t id)
{
    struct route *route = map_remove_u64(&r->map, id);
    if (!route)
        return false;
    if (!route->told)
        forget_active(r, route);
    route_free(route);
    return true;
}

void routes_full_begin(struct routes *r)
{
    r->generation++;
}

void routes_full_end(struct routes *r, void (*fn)(void *arg, uint64_t id), void *arg)
{
    uint64_t id;
    void *value;
    for (size_t i = 0; map_next_u64(&r->map, &i, &id, &value);)
        if (((struct route *)value)->generation != r->generation) {
            fn(arg, id);
            routes_remove(r, id);
        }
}

void routes_touch(struct routes *r, struct route *route, int64_t now_ms)
{
    route->last_byte_ms = now_ms;
    if (!route->told)
        return;
    route->told = false;
    route->next_active = r->active;
    r->active = route;
}

struct route *routes_take_active(struct routes *r)
{
    struct route *route = r->active;
    if (route) {
        r->active = route->next_active;
        route->next_active = NULL;
        route->told = true;
    }
    return route;
}
