/*
 * ws: WebSocket connections (RFC 6455), server and client, over ev streams. The gateway tunnels
 * them as bytes and needs none of this; topics of the page, the command line and tests do.
 *
 * A ws owns its stream from the handshake on. Pings are answered here. When the connection ends,
 * in whatever way, on_close is called exactly once, unless ws_free came first; then only ws_free is
 * left to do. ws_free may be called from inside every callback. Loop thread.
 */
#ifndef BERTH_HTTP_WS_H
#define BERTH_HTTP_WS_H

#include "http/client.h"
#include "http/server.h"
#include "http/ws_frame.h"

struct ws;

struct ws_events {
    void (*on_message)(void *arg, bool is_text, const char *data, size_t len);
    /* code: of the other side's close frame, WS_CODE_LOST without one. */
    void (*on_close)(void *arg, int code);
    void (*on_drain)(void *arg); /* nothing waits to be sent any more; may be NULL */
};

/* Whether a request asks for a WebSocket properly; INVALID says what is wrong with it. */
int ws_check_request(const struct http_head *head, struct err *err);
/* Answers 101 and takes the connection over; ends the request. When the request is no proper one it
 * is answered with 400 and NULL is returned; NULL also when the client has gone. protocol: the
 * subprotocol chosen, or NULL. message_max: largest message accepted. */
struct ws *ws_serve(struct http_request *req, const char *protocol, size_t message_max,
                    const struct ws_events *events, void *arg);

/* Connects: req's method, headers of the handshake and body are set here; headers may hold further
 * lines. on_open gets the ws (whose events are set and whose arg is `arg`) or NULL and an error. */
typedef void ws_open_fn(void *arg, struct ws *ws, const struct err *err);
struct ws_dial;
struct ws_dial *ws_dial(struct http_client *client, const struct http_call_request *req,
                        size_t message_max, const struct ws_events *events, ws_open_fn *on_open,
                        void *arg, struct err *err);
void ws_dial_cancel(struct ws_dial *dial); /* before on_open; NULL allowed */

/* 0, or -NOMEM / -IO (then on_close follows, or has come). */
int ws_send(struct ws *ws, bool is_text, const void *data, size_t len);
void ws_ping(struct ws *ws);
size_t ws_queued(const struct ws *ws);
void ws_pause(struct ws *ws, bool paused); /* reading */
/* Tells the other side why, then ws_free. */
struct ws *ws_close(struct ws *ws, int code);
struct ws *ws_free(struct ws *ws); /* NULL allowed */

#endif
