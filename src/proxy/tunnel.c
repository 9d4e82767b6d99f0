/*
 * tunnel: two ends that point at each other.
 */
#include "proxy/tunnel.h"
#include "base/alloc.h"
#include "base/buf.h"

struct end {
    struct tunnel *tunnel;
    struct end *other;
    struct ev_stream *stream;
};

struct tunnel {
    struct end ends[2];
    const struct tunnel_events *events;
    void *arg;
};

struct tunnel *tunnel_new(const struct tunnel_events *events, void *arg)
{
    struct tunnel *t = mem_calloc(1, sizeof(*t));
    if (!t)
        return NULL;
    t->events = events;
    t->arg = arg;
    for (int i = 0; i < 2; i++) {
        t->ends[i].tunnel = t;
        t->ends[i].other = &t->ends[1 - i];
    }
    return t;
}

struct tunnel *tunnel_close(struct tunnel *t)
{
    if (!t)
        return NULL;
    for (int i = 0; i < 2; i++)
        if (t->ends[i].stream)
            ev_stream_close_soon(t->ends[i].stream);
    mem_free(t);
    return NULL;
}

void tunnel_end(struct tunnel *t)
{
    if (!t)
        return;
    const struct tunnel_events *events = t->events;
    void *arg = t->arg;
    tunnel_close(t);
    events->on_close(arg);
}

static void on_data(void *arg, const char *data, size_t len)
{
    struct end *e = arg;
    ev_stream_write(e->other->stream, data, len); /* a failure comes as its on_error */
    if (ev_stream_queued(e->other->stream) > TUNNEL_QUEUE_BYTES)
        ev_stream_read(e->stream, false);
    if (e->tunnel->events->on_bytes)
        e->tunnel->events->on_bytes(e->tunnel->arg, len);
}

static void on_eof(void *arg)
{
    tunnel_end(((struct end *)arg)->tunnel);
}

static void on_error(void *arg, const struct err *err)
{
    (void)err;
    tunnel_end(((struct end *)arg)->tunnel);
}

static void on_drain(void *arg)
{
    struct end *e = arg;
    ev_stream_read(e->other->stream, true);
}

static const struct ev_stream_events stream_events = {
    .on_data = on_data, .on_eof = on_eof, .on_error = on_error, .on_drain = on_drain};

void tunnel_start(struct tunnel *t, struct ev_stream *a, const struct buf *from_a,
                  struct ev_stream *b, const struct buf *from_b)
{
    t->ends[0].stream = a;
    t->ends[1].stream = b;
    ev_stream_set(a, &stream_events, &t->ends[0]);
    ev_stream_set(b, &stream_events, &t->ends[1]);
    if (from_a->len)
        ev_stream_write(b, from_a->data, from_a->len);
    if (from_b->len)
        ev_stream_write(a, from_b->data, from_b->len);
    ev_stream_keepalive(a); /* an idle tunnel has no other time limit */
    ev_stream_keepalive(b);
    ev_stream_read(a, true);
    ev_stream_read(b, true);
}
