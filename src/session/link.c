/*
 * link: one line protocol, several peers.
 */
#include "session/link.h"
#include <stdio.h>
#include <string.h>
#include "base/alloc.h"
#include "base/log.h"
#include "base/map.h"
#include "base/str.h"
#include "ev/stream.h"
#include "session/notebook.h"
#include "wire/gateway.h"

#define PEERS_MAX        16
#define LINE_ARENA_BYTES (1u << 20)

struct peer {
    struct link_server *link;
    struct ev_stream *stream;
    struct buf in;
    bool greeted;
};

struct activity {
    int64_t time_ms, open;
};

struct link_server {
    struct link_config cfg;
    struct ev_loop *loop;
    struct ev_listener *listener;
    struct peer *peers[PEERS_MAX];
    struct map routes;   /* workload id -> its target, while it has one */
    struct map activity; /* workload id -> struct activity */
};

static void peer_close(struct peer *p)
{
    struct link_server *l = p->link;
    for (size_t i = 0; i < PEERS_MAX; i++)
        if (l->peers[i] == p)
            l->peers[i] = NULL;
    ev_stream_close(p->stream);
    buf_done(&p->in);
    mem_free(p);
}

static void peer_send(struct peer *p, const struct gw_message *m)
{
    struct buf out = BUF(GW_LINE_MAX);
    gw_put(&out, m);
    if (!buf_is_failed(&out))
        ev_stream_write(p->stream, out.data, out.len);
    buf_done(&out);
}

static void send_all(struct link_server *l, const struct gw_message *m)
{
    for (size_t i = 0; i < PEERS_MAX; i++)
        if (l->peers[i] && l->peers[i]->greeted)
            peer_send(l->peers[i], m);
}

/* ---- routes ---- */

static bool fill_route(const struct workload *w, char target[64], char inject[96],
                       struct gw_message *m)
{
    if (!notebook_target(w, target))
        return false;
    snprintf(inject, 96, "Authorization: token %s", w->secret);
    *m = (struct gw_message){.kind = GW_ROUTE,
                             .route = w->id.v,
                             .target = target,
                             .inject = inject,
                             .title = w->spec->name};
    return true;
}

void link_workload_changed(struct link_server *l, const struct workload *w)
{
    char target[64], inject[96];
    struct gw_message m;
    if (w->spec->kind != KIND_NOTEBOOK)
        return;
    char *known = map_get_u64(&l->routes, w->id.v);
    if (fill_route(w, target, inject, &m)) {
        if (known && str_is_equal(known, target))
            return;
        char *copy = mem_strdup(target);
        if (!copy || map_put_u64(&l->routes, w->id.v, copy) < 0) {
            mem_free(copy);
            return;
        }
        mem_free(known);
        send_all(l, &m);
    } else if (known) {
        map_remove_u64(&l->routes, w->id.v);
        mem_free(known);
        mem_free(map_remove_u64(&l->activity, w->id.v));
        send_all(l, &(struct gw_message){.kind = GW_ROUTE_GONE, .route = w->id.v});
    }
}

static void send_full(struct peer *p)
{
    char target[64], inject[96];
    struct gw_message m = {.kind = GW_FULL};
    const struct workload *w;
    peer_send(p, &m);
    for (size_t i = 0; (w = control_next(p->link->cfg.control, &i));)
        if (fill_route(w, target, inject, &m))
            peer_send(p, &m);
    peer_send(p, &(struct gw_message){.kind = GW_FULL_END});
}

/* ---- verdicts ---- */

static int judge(struct link_server *l, const struct gw_message *ask, struct who *who,
                 struct err *err)
{
    uint8_t digest[AUTH_DIGEST_SIZE];
    struct workload_id id = {ask->route};
    const struct workload *w = control_find(l->cfg.control, id);
    if (!str_from_hex(digest, sizeof(digest), ask->digest))
        return err_set(err, BERR_PROTOCOL, "malformed digest");
    int64_t now = l->cfg.clock->wall_ms(l->cfg.clock->arg);
    int rc = auth_identify_digest(l->cfg.auth, digest, now, who, err);
    if (rc < 0)
        return rc;
    if (!w)
        return err_set(err, BERR_NOT_FOUND, "there is no such notebook");
    struct auth_target target = {
        .kind = AUTH_KIND_WORKLOAD, .project = w->project, .owner = w->owner, .id = w->id.v};
    return auth_check(l->cfg.auth, who, AUTH_OPEN, &target, err);
}

static void answer(struct peer *p, const struct gw_message *ask)
{
    struct link_server *l = p->link;
    struct err err = {0};
    struct who who = {0};
    int64_t now = l->cfg.clock->wall_ms(l->cfg.clock->arg);
    struct gw_message m = {.kind = GW_VERDICT, .question = ask->question};
    if (judge(l, ask, &who, &err) == 0) {
        m.allow = true;
        m.user = who.name;
        m.until_ms = now + (l->cfg.verdict_ms ? l->cfg.verdict_ms : LIMIT_VERDICT_MS);
        if (who.expires_ms && who.expires_ms < m.until_ms)
            m.until_ms = who.expires_ms;
    } else {
        m.code = berr_name(err.code);
        m.text = err.text;
        m.until_ms = now + 1000; /* a refusal may soon be outdated: a login, a new member */
    }
    peer_send(p, &m);
}

static void on_revoked(void *arg, uint64_t seq, const uint8_t digest[AUTH_DIGEST_SIZE])
{
    char hex[2 * AUTH_DIGEST_SIZE + 1];
    (void)seq;
    str_to_hex(hex, digest, AUTH_DIGEST_SIZE);
    send_all(arg, &(struct gw_message){.kind = GW_REVOKE, .digest = hex});
}

/* ---- peers ---- */

static void note_activity(struct link_server *l, const struct gw_message *m)
{
    struct activity *a = map_get_u64(&l->activity, m->route);
    if (!map_get_u64(&l->routes, m->route))
        return;
    if (!a) {
        a = mem_calloc(1, sizeof(*a));
        if (!a || map_put_u64(&l->activity, m->route, a) < 0) {
            mem_free(a);
            return;
        }
    }
    *a = (struct activity){.time_ms = m->time_ms, .open = m->open};
}

bool link_activity(const struct link_server *l, uint64_t route, int64_t *ret_time_ms,
                   int64_t *ret_open)
{
    const struct activity *a = map_get_u64(&l->activity, route);
    if (!a)
        return false;
    *ret_time_ms = a->time_ms;
    *ret_open = a->open;
    return true;
}

static int take_line(struct peer *p, const char *line, size_t len, struct err *err)
{
    struct arena arena = ARENA(LINE_ARENA_BYTES);
    struct gw_message m;
    int rc = gw_parse(line, len, &arena, &m, err);
    if (rc == 0 && !p->greeted && m.kind != GW_HELLO)
        rc = err_set(err, BERR_PROTOCOL, "a gateway must say hello first");
    if (rc == 0 && m.kind == GW_HELLO && m.version != GW_VERSION)
        rc = err_set(err, BERR_PROTOCOL, "the gateway speaks version %lld, this is %d",
                     (long long)m.version, GW_VERSION);
    if (rc == 0 && m.kind == GW_HELLO) {
        p->greeted = true;
        send_full(p);
    } else if (rc == 0 && m.kind == GW_ASK) {
        answer(p, &m);
    } else if (rc == 0 && m.kind == GW_ACTIVITY) {
        note_activity(p->link, &m);
    }
    arena_done(&arena);
    return rc;
}

static void on_data(void *arg, const char *data, size_t len)
{
    struct peer *p = arg;
    struct err err = {0};
    buf_append(&p->in, data, len);
    size_t used = 0;
    const char *end;
    while (!buf_is_failed(&p->in) && (end = memchr(p->in.data + used, '\n', p->in.len - used))) {
        size_t n = (size_t)(end - (p->in.data + used));
        if (take_line(p, p->in.data + used, n, &err) < 0) {
            log_err(LOG_WARN, &err, "gateway link", NULL);
            peer_close(p);
            return;
        }
        used += n + 1;
    }
    if (buf_is_failed(&p->in) || p->in.len - used > GW_LINE_MAX) {
        peer_close(p);
        return;
    }
    buf_consume(&p->in, used);
}

static void on_eof(void *arg)
{
    peer_close(arg);
}

static void on_error(void *arg, const struct err *err)
{
    (void)err;
    peer_close(arg);
}

static void on_accept(void *arg, struct ev_stream *s)
{
    static const struct ev_stream_events events = {
        .on_data = on_data, .on_eof = on_eof, .on_error = on_error};
    struct link_server *l = arg;
    struct peer *p = NULL;
    for (size_t i = 0; i < PEERS_MAX && !p; i++)
        if (!l->peers[i])
            p = l->peers[i] = mem_calloc(1, sizeof(*p));
    if (!p) {
        ev_stream_close(s);
        return;
    }
    p->link = l;
    p->stream = s;
    buf_init(&p->in, 4 * GW_LINE_MAX + 65536);
    ev_stream_set(s, &events, p);
    ev_stream_read(s, true);
}

int link_new(struct ev_loop *loop, const struct link_config *cfg, struct link_server **ret,
             struct err *err)
{
    struct link_server *l = mem_calloc(1, sizeof(*l));
    if (!l)
        return err_set(err, BERR_NOMEM, "out of memory");
    l->cfg = *cfg;
    l->loop = loop;
    l->routes = MAP_U64;
    l->activity = MAP_U64;
    struct ev_address at = {.unix_path = cfg->socket};
    int rc = ev_listen(loop, &at, 0660, NULL, on_accept, l, &l->listener, err);
    if (rc < 0) {
        mem_free(l);
        return rc;
    }
    auth_set_listener(cfg->auth, on_revoked, l);
    *ret = l;
    return 0;
}

static void free_values(struct map *m)
{
    void *value;
    for (size_t i = 0; map_next_u64(m, &i, NULL, &value);)
        mem_free(value);
    map_done(m);
}

struct link_server *link_free(struct link_server *l)
{
    if (!l)
        return NULL;
    auth_set_listener(l->cfg.auth, NULL, NULL);
    ev_listener_close(l->listener);
    for (size_t i = 0; i < PEERS_MAX; i++)
        if (l->peers[i])
            peer_close(l->peers[i]);
    free_values(&l->routes);
    free_values(&l->activity);
    mem_free(l);
    return NULL;
}
