/*
 * tunnel: bytes both ways between two streams, with back-pressure, until one of them ends. What was
 * on its way is delivered; then both are closed. Idle, it costs two streams and this struct.
 *
 * A tunnel belongs to whoever made it until on_close was called (once, from the loop); tunnel_close
 * ends it without that call. Loop thread.
 */
#ifndef BERTH_PROXY_TUNNEL_H
#define BERTH_PROXY_TUNNEL_H

#include "ev/stream.h"

#define TUNNEL_QUEUE_BYTES (64u << 10) /* waiting on one side before the other is not read */

struct buf;
struct tunnel;

struct tunnel_events {
    void (*on_bytes)(void *arg, size_t len); /* something went through; may be NULL */
    void (*on_close)(void *arg);             /* it ended by itself and is freed */
};

struct tunnel *tunnel_new(const struct tunnel_events *events, void *arg); /* NULL: no memory */
/* Takes both streams over, and first gives each what was read from the other already. */
void tunnel_start(struct tunnel *t, struct ev_stream *a, const struct buf *from_a,
                  struct ev_stream *b, const struct buf *from_b);
struct tunnel *tunnel_close(struct tunnel *t); /* NULL allowed */
void tunnel_end(struct tunnel *t);             /* the same, and tells on_close; NULL allowed */

#endif
