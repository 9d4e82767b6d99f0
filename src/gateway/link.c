/*
 * link: lines in, lines out, and the questions that wait.
 */
#include "gateway/link.h"
#include <stdio.h>
#include <string.h>
#include "base/alloc.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/str.h"
#include "ev/stream.h"
#include "ev/timer.h"
#include "wire/gateway.h"

#define RETRY_MS         100
#define TICK_MS          500
#define ACTIVITY_TICKS   10 /* told at most once in five seconds */
#define LINE_ARENA_BYTES (1u << 20)
#define KEY_SIZE         (DIGEST_HEX_SIZE + 17)

struct waiter {
    struct waiter *next;
    gw_verdict_fn *fn;
    void *arg;
};

struct ask {
    uint64_t question;
    uint64_t route;
    char digest[DIGEST_HEX_SIZE], key[KEY_SIZE];
    int64_t deadline_ms; /* loop time */
    struct waiter *waiters, **end;
};

struct gw_link {
    struct gw_link_config cfg;
    struct ev_loop *loop;
    struct ev_connect *connecting;
    struct ev_stream *stream;
    struct ev_timer *retry, *tick;
    struct buf in;
    struct map by_key, by_question; /* struct ask */
    uint64_t questions;
    size_t waiter_count;
    int ticks;
    bool full, synced, complained;
};

static void start_connect(void *arg);

/* ---- questions ---- */

static void ask_key(const char *digest, uint64_t route, char dst[KEY_SIZE])
{
    snprintf(dst, KEY_SIZE, "%s%016llx", digest, (unsigned long long)route);
}

static void send_message(struct gw_link *l, const struct gw_message *m)
{
    struct buf out = BUF(GW_LINE_MAX);
    gw_put(&out, m);
    if (!buf_is_failed(&out) && l->stream)
        ev_stream_write(l->stream, out.data, out.len);
    buf_done(&out);
}

static void send_ask(struct gw_link *l, const struct ask *a)
{
    send_message(
        l, &(struct gw_message){
               .kind = GW_ASK, .question = a->question, .digest = a->digest, .route = a->route});
}

static void ask_end(struct gw_link *l, struct ask *a, const struct verdict *verdict,
                    const struct err *err)
{
    map_remove(&l->by_key, a->key);
    map_remove_u64(&l->by_question, a->question);
    for (struct waiter *w = a->waiters, *next; w; w = next) {
        next = w->next;
        l->waiter_count--;
        w->fn(w->arg, a->digest, a->route, verdict, err);
        mem_free(w);
    }
    mem_free(a);
}

static struct ask *ask_new(struct gw_link *l, const char *digest, uint64_t route, const char *key,
                           struct err *err)
{
    struct ask *a = l->by_key.len < LINK_ASKS_MAX ? mem_calloc(1, sizeof(*a)) : NULL;
    if (!a) {
        err_set(err, BERR_BUSY, "too many logins are being checked at once");
        return NULL;
    }
    a->question = ++l->questions;
    a->route = route;
    str_copy(a->digest, sizeof(a->digest), digest);
    str_copy(a->key, sizeof(a->key), key);
    a->deadline_ms = ev_now_ms(l->loop) + LINK_ASK_MS;
    a->end = &a->waiters;
    if (map_put(&l->by_key, key, a) < 0 || map_put_u64(&l->by_question, a->question, a) < 0) {
        map_remove(&l->by_key, key);
        mem_free(a);
        err_set(err, BERR_NOMEM, "out of memory");
        return NULL;
    }
    return a;
}

int gw_link_ask(struct gw_link *l, const char *digest, uint64_t route, gw_verdict_fn *fn, void *arg,
                struct err *err)
{
    char key[KEY_SIZE];
    ask_key(digest, route, key);
    struct ask *a = map_get(&l->by_key, key);
    struct waiter *w = l->waiter_count < LINK_WAITERS_MAX ? mem_calloc(1, sizeof(*w)) : NULL;
    if (!w)
        return err_set(err, BERR_BUSY, "too many requests wait for a login to be checked");
    bool joined = a != NULL;
    if (!a && !(a = ask_new(l, digest, route, key, err))) {
        mem_free(w);
        return err ? -(int)err->code : -(int)BERR_BUSY;
    }
    w->fn = fn;
    w->arg = arg;
    *a->end = w;
    a->end = &w->next;
    l->waiter_count++;
    if (!joined && l->full)
        send_ask(l, a); /* else when the connection stands */
    return 0;
}

static void expire_asks(struct gw_link *l)
{
    struct err err = {0};
    void *value;
    int64_t now = ev_now_ms(l->loop);
    err_set(&err, BERR_UNAVAILABLE, "the login cannot be checked just now");
    err_hint(&err, "try again in a moment");
    for (size_t i = 0; map_next(&l->by_key, &i, NULL, &value);)
        if (now >= ((struct ask *)value)->deadline_ms) {
            ask_end(l, value, NULL, &err);
            i = 0; /* waiters may have asked anew */
        }
}

/* ---- what berthd says ---- */

static void take_verdict(struct gw_link *l, const struct gw_message *m)
{
    struct ask *a = map_get_u64(&l->by_question, m->question);
    int64_t now = l->cfg.clock->wall_ms(l->cfg.clock->arg);
    if (!a)
        return;
    struct verdict v = {.allow = m->allow, .until_ms = m->until_ms};
    v.code = m->allow ? BERR_OK : m->code ? berr_from_name(m->code) : BERR_FORBIDDEN;
    str_copy(v.user, sizeof(v.user), m->user ? m->user : "");
    verdicts_put(l->cfg.verdicts, a->digest, a->route, &v, now);
    ask_end(l, a, &v, NULL);
}

static void full_begin(struct gw_link *l)
{
    /* What was revoked while nobody listened is not known: everything is asked anew. */
    verdicts_revoke(l->cfg.verdicts, NULL);
    routes_full_begin(l->cfg.routes);
}

static void full_end(struct gw_link *l)
{
    void *value;
    l->full = l->synced = true;
    l->complained = false;
    routes_full_end(l->cfg.routes, l->cfg.on_route_gone, l->cfg.arg);
    for (size_t i = 0; map_next(&l->by_key, &i, NULL, &value);)
        send_ask(l, value);
    log_info("connected to berthd", NULL);
    l->cfg.on_synced(l->cfg.arg);
}

static int take_message(struct gw_link *l, const struct gw_message *m, struct err *err)
{
    switch ((enum gw_message_kind)m->kind) {
    case GW_FULL:
        full_begin(l);
        return 0;
    case GW_FULL_END:
        full_end(l);
        return 0;
    case GW_ROUTE:
        return routes_put(l->cfg.routes, m, err);
    case GW_ROUTE_GONE:
        l->cfg.on_route_gone(l->cfg.arg, m->route);
        routes_remove(l->cfg.routes, m->route);
        return 0;
    case GW_VERDICT:
        take_verdict(l, m);
        return 0;
    case GW_REVOKE:
        verdicts_revoke(l->cfg.verdicts, m->digest);
        l->cfg.on_revoked(l->cfg.arg, m->digest);
        return 0;
    case GW_HELLO:
    case GW_ASK:
    case GW_ACTIVITY:
        break;
    }
    return err_set(err, BERR_PROTOCOL, "berthd says what only a gateway says");
}

/* ---- the connection ---- */

static void lost(struct gw_link *l)
{
    ev_stream_close(l->stream);
    l->stream = NULL;
    l->full = false;
    buf_done(&l->in);
    buf_init(&l->in, 4 * GW_LINE_MAX + 65536);
    ev_timer_start(l->retry, RETRY_MS, 0);
}

static void complain(struct gw_link *l, const struct err *err)
{
    if (!l->complained)
        log_err(LOG_WARN, err, "no connection to berthd", NULL);
    l->complained = true; /* once, until it is back */
}

static bool take_line(struct gw_link *l, const char *line, size_t len)
{
    struct arena arena = ARENA(LINE_ARENA_BYTES);
    struct gw_message m;
    struct err err = {0};
    int rc = gw_parse(line, len, &arena, &m, &err);
    if (rc == 0)
        rc = take_message(l, &m, &err);
    arena_done(&arena);
    if (rc < 0)
        log_err(LOG_WARN, &err, "message of berthd", NULL);
    return rc == 0 || rc == -(int)BERR_QUOTA;
}

static void on_data(void *arg, const char *data, size_t len)
{
    struct gw_link *l = arg;
    size_t used = 0;
    const char *end;
    buf_append(&l->in, data, len);
    while (!buf_is_failed(&l->in) && (end = memchr(l->in.data + used, '\n', l->in.len - used))) {
        if (!take_line(l, l->in.data + used, (size_t)(end - l->in.data) - used)) {
            lost(l);
            return;
        }
        used = (size_t)(end - l->in.data) + 1;
    }
    if (buf_is_failed(&l->in) || l->in.len - used > GW_LINE_MAX) {
        lost(l);
        return;
    }
    buf_consume(&l->in, used);
}

static void on_eof(void *arg)
{
    struct err err = {0};
    err_set(&err, BERR_UNAVAILABLE, "berthd closed the connection");
    complain(arg, &err);
    lost(arg);
}

static void on_error(void *arg, const struct err *err)
{
    complain(arg, err);
    lost(arg);
}

static const struct ev_stream_events stream_events = {
    .on_data = on_data, .on_eof = on_eof, .on_error = on_error};

static void on_connected(void *arg, struct ev_stream *s, const struct err *err)
{
    struct gw_link *l = arg;
    l->connecting = NULL;
    if (!s) {
        complain(l, err);
        ev_timer_start(l->retry, RETRY_MS, 0);
        return;
    }
    l->stream = s;
    ev_stream_set(s, &stream_events, l);
    ev_stream_read(s, true);
    send_message(l, &(struct gw_message){.kind = GW_HELLO, .version = GW_VERSION});
}

static void start_connect(void *arg)
{
    struct gw_link *l = arg;
    struct err err = {0};
    struct ev_address to = {.unix_path = l->cfg.socket};
    l->connecting = ev_connect(l->loop, &to, NULL, 2000, on_connected, l, &err);
    if (!l->connecting) {
        complain(l, &err);
        ev_timer_start(l->retry, RETRY_MS, 0);
    }
}

static void tick(void *arg)
{
    struct gw_link *l = arg;
    expire_asks(l);
    if (!l->full || ++l->ticks < ACTIVITY_TICKS)
        return;
    l->ticks = 0;
    for (struct route *r; (r = routes_take_active(l->cfg.routes));)
        send_message(l, &(struct gw_message){.kind = GW_ACTIVITY,
                                             .route = r->id,
                                             .time_ms = r->last_byte_ms,
                                             .open = r->open});
}

struct gw_link *gw_link_new(struct ev_loop *loop, const struct gw_link_config *cfg, struct err *err)
{
    struct gw_link *l = mem_calloc(1, sizeof(*l));
    if (!l) {
        err_set(err, BERR_NOMEM, "out of memory");
        return NULL;
    }
    l->cfg = *cfg;
    l->loop = loop;
    l->by_key = MAP_STR;
    l->by_question = MAP_U64;
    buf_init(&l->in, 4 * GW_LINE_MAX + 65536);
    l->retry = ev_timer_new(loop, start_connect, l);
    l->tick = ev_timer_new(loop, tick, l);
    if (!l->retry || !l->tick) {
        err_set(err, BERR_NOMEM, "out of memory");
        return gw_link_free(l);
    }
    ev_timer_start(l->tick, TICK_MS, TICK_MS);
    start_connect(l);
    return l;
}

struct gw_link *gw_link_free(struct gw_link *l)
{
    struct err err = {0};
    void *value;
    if (!l)
        return NULL;
    ev_connect_cancel(l->connecting);
    ev_stream_close(l->stream);
    ev_timer_free(l->retry);
    ev_timer_free(l->tick);
    err_set(&err, BERR_UNAVAILABLE, "the gateway is stopping");
    for (size_t i = 0; map_next(&l->by_key, &i, NULL, &value); i = 0)
        ask_end(l, value, NULL, &err);
    map_done(&l->by_key);
    map_done(&l->by_question);
    buf_done(&l->in);
    mem_free(l);
    return NULL;
}

bool gw_link_is_up(const struct gw_link *l)
{
    return l->full;
}

bool gw_link_was_synced(const struct gw_link *l)
{
    return l->synced;
}
