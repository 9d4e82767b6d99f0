/*
 * ws: a decoder and a stream put together.
 */
#include "http/ws.h"
#include <string.h>
#include "base/alloc.h"
#include "base/str.h"
#include "os/entropy.h"

#define HANDSHAKE_HEAD_MAX (LIMIT_HTTP_HEAD_BYTES + 1024)

struct ws {
    struct ev_stream *stream; /* NULL: has ended */
    struct ws_decoder decoder;
    struct ws_events events;
    void *arg;
    int depth; /* calls of ours on the stack: ws_free leaves the memory to the last */
    bool is_client, freed;
};

/* ---- ending ---- */

static void leave(struct ws *ws)
{
    if (--ws->depth == 0 && ws->freed) {
        ws_decoder_done(&ws->decoder);
        mem_free(ws);
    }
}

static void send_frame(struct ws *ws, enum ws_op op, const void *data, size_t len)
{
    struct buf out = BUF(WS_CONTROL_MAX + WS_FRAME_HEAD_MAX);
    uint8_t mask[4];
    if (!ws->stream)
        return;
    os_random_bytes(mask, sizeof(mask));
    ws_frame_put(&out, op, data, len, ws->is_client ? mask : NULL);
    if (!buf_is_failed(&out))
        ev_stream_write(ws->stream, out.data, out.len);
    buf_done(&out);
}

static void send_close(struct ws *ws, int code)
{
    char data[2] = {(char)(code >> 8), (char)code};
    bool says = code != WS_CODE_NONE && code != WS_CODE_LOST;
    send_frame(ws, WS_CLOSE, data, says ? 2 : 0);
}

/* The connection is over: the stream goes, the owner is told. */
static void end(struct ws *ws, int code)
{
    if (!ws->stream)
        return;
    ev_stream_close_soon(ws->stream);
    ws->stream = NULL;
    ws->depth++;
    if (!ws->freed)
        ws->events.on_close(ws->arg, code);
    leave(ws);
}

struct ws *ws_free(struct ws *ws)
{
    if (!ws || ws->freed)
        return NULL;
    if (ws->stream)
        ev_stream_close_soon(ws->stream);
    ws->stream = NULL;
    ws->freed = true;
    ws->depth++;
    leave(ws);
    return NULL;
}

struct ws *ws_close(struct ws *ws, int code)
{
    if (ws)
        send_close(ws, code);
    return ws_free(ws);
}

/* ---- receiving ---- */

static int on_message(void *arg, enum ws_op op, const char *data, size_t len)
{
    struct ws *ws = arg;
    switch (op) {
    case WS_CONTINUE:
    case WS_TEXT:
    case WS_BINARY:
        ws->events.on_message(ws->arg, op == WS_TEXT, data, len);
        break;
    case WS_CLOSE: {
        int code = len >= 2 ? (uint8_t)data[0] << 8 | (uint8_t)data[1] : WS_CODE_NONE;
        send_close(ws, code);
        end(ws, code);
        break;
    }
    case WS_PING:
        send_frame(ws, WS_PONG, data, len);
        break;
    case WS_PONG:
        break;
    }
    return ws->stream ? 0 : 1; /* ended from inside: nothing more of it */
}

static void on_data(void *arg, const char *data, size_t len)
{
    struct ws *ws = arg;
    struct err err = {0};
    ws->depth++;
    if (ws_decoder_feed(&ws->decoder, data, len, &err) < 0 && ws->stream) {
        int code = ws->decoder.code;
        send_close(ws, code);
        end(ws, code);
    }
    leave(ws);
}

static void on_eof(void *arg)
{
    end(arg, WS_CODE_LOST);
}

static void on_error(void *arg, const struct err *err)
{
    (void)err;
    end(arg, WS_CODE_LOST);
}

static void on_drain(void *arg)
{
    struct ws *ws = arg;
    if (ws->events.on_drain)
        ws->events.on_drain(ws->arg);
}

static const struct ev_stream_events stream_events = {
    .on_data = on_data, .on_eof = on_eof, .on_error = on_error, .on_drain = on_drain};

static struct ws *ws_new(bool is_client, size_t message_max, const struct ws_events *events,
                         void *arg)
{
    struct ws *ws = mem_calloc(1, sizeof(*ws));
    if (!ws)
        return NULL;
    ws->is_client = is_client;
    ws->events = *events;
    ws->arg = arg;
    ws_decoder_init(&ws->decoder, !is_client, message_max, on_message, ws);
    return ws;
}

static void start(struct ws *ws, struct ev_stream *stream)
{
    ws->stream = stream;
    ev_stream_set(stream, &stream_events, ws);
    ev_stream_read(stream, true);
}

/* ---- sending ---- */

int ws_send(struct ws *ws, bool is_text, const void *data, size_t len)
{
    enum ws_op op = is_text ? WS_TEXT : WS_BINARY;
    char head[WS_FRAME_HEAD_MAX];
    uint8_t mask[4];
    if (!ws->stream)
        return -(int)BERR_IO;
    if (!ws->is_client)
        return ev_stream_write2(ws->stream, head, ws_frame_head(head, op, true, len, NULL), data,
                                len);
    cleanup(buf_done) struct buf out = BUF(len + WS_FRAME_HEAD_MAX);
    os_random_bytes(mask, sizeof(mask));
    ws_frame_put(&out, op, data, len, mask);
    if (buf_is_failed(&out))
        return -(int)BERR_NOMEM;
    return ev_stream_write(ws->stream, out.data, out.len);
}

void ws_ping(struct ws *ws)
{
    send_frame(ws, WS_PING, NULL, 0);
}

size_t ws_queued(const struct ws *ws)
{
    return ws->stream ? ev_stream_queued(ws->stream) : 0;
}

void ws_pause(struct ws *ws, bool paused)
{
    if (ws->stream)
        ev_stream_read(ws->stream, !paused);
}

/* ---- a server's handshake ---- */

int ws_check_request(const struct http_head *head, struct err *err)
{
    const char *version = http_head_get(head, "sec-websocket-version");
    if (!str_is_equal(head->method, "GET") || head->minor != 1 || !head->upgrade ||
        !http_head_has_token(head, "upgrade", "websocket"))
        return err_set(err, BERR_INVALID, "this address is for WebSocket connections");
    if (!version || !str_is_equal(version, "13"))
        return err_set(err, BERR_INVALID, "only version 13 of WebSocket is spoken here");
    if (!ws_key_is_valid(http_head_get(head, "sec-websocket-key")))
        return err_set(err, BERR_INVALID, "the WebSocket key is missing or malformed");
    return 0;
}

struct ws *ws_serve(struct http_request *req, const char *protocol, size_t message_max,
                    const struct ws_events *events, void *arg)
{
    struct err err = {0};
    char accept[WS_ACCEPT_SIZE];
    struct buf rest = BUF(0);
    if (ws_check_request(req->head, &err) < 0) {
        http_reply_header(req, "Sec-WebSocket-Version", "13");
        http_reply_err(req, &err);
        return NULL;
    }
    cleanup(buf_done) struct buf out = BUF(HANDSHAKE_HEAD_MAX);
    ws_key_accept(http_head_get(req->head, "sec-websocket-key"), accept);
    buf_printf(&out,
               "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
               "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n",
               accept);
    if (protocol)
        buf_printf(&out, "Sec-WebSocket-Protocol: %s\r\n", protocol);
    if (req->extra.len)
        buf_append(&out, req->extra.data, req->extra.len);
    buf_puts(&out, "\r\n");
    struct ws *ws = buf_is_failed(&out) ? NULL : ws_new(false, message_max, events, arg);
    if (!ws) {
        err_set(&err, BERR_NOMEM, "out of memory");
        http_reply_err(req, &err);
        return NULL;
    }
    struct ev_stream *stream = http_hijack(req, &rest);
    /* A client waits for the answer before it sends: whoever does not is no WebSocket client. */
    bool ok = stream && rest.len == 0;
    buf_done(&rest);
    if (!ok) {
        ev_stream_close(stream);
        return ws_free(ws);
    }
    ev_stream_write(stream, out.data, out.len);
    start(ws, stream);
    return ws;
}

/* ---- a client's handshake ---- */

struct ws_dial {
    struct http_call *call;
    struct ws *ws;
    ws_open_fn *on_open;
    void *arg;
    char key[WS_KEY_SIZE];
    struct err err; /* of an answer that is none */
};

static void dial_end(struct ws_dial *dial, struct ws *ws, const struct err *err)
{
    ws_open_fn *fn = dial->on_open;
    void *arg = dial->arg;
    struct err copy = err ? *err : (struct err){0};
    if (!ws)
        ws_free(dial->ws);
    mem_free(dial);
    fn(arg, ws, err ? &copy : NULL);
}

static void dial_head(void *arg, const struct http_head *head)
{
    struct ws_dial *dial = arg;
    char accept[WS_ACCEPT_SIZE];
    ws_key_accept(dial->key, accept);
    if (head->status != 101) {
        enum berr code = berr_from_http(head->status);
        err_set(&dial->err, code ? code : BERR_PROTOCOL, "no WebSocket: the answer is %d",
                head->status);
    } else if (!http_head_has_token(head, "upgrade", "websocket") ||
               !str_is_equal(http_head_get(head, "sec-websocket-accept"), accept) ||
               http_head_get(head, "sec-websocket-extensions")) {
        err_set(&dial->err, BERR_PROTOCOL, "the answer to a WebSocket handshake is wrong");
    }
}

static int dial_body(void *arg, const char *data, size_t len)
{
    (void)arg, (void)data, (void)len;
    return 0;
}

static void dial_done(void *arg, int rc, const struct err *err)
{
    struct ws_dial *dial = arg;
    if (rc == 0 && !dial->err.code)
        err_set(&dial->err, BERR_PROTOCOL, "no WebSocket");
    dial_end(dial, NULL, rc < 0 ? err : &dial->err);
}

static void dial_upgrade(void *arg, struct ev_stream *stream, struct buf *rest)
{
    struct ws_dial *dial = arg;
    struct ws *ws = dial->ws;
    if (dial->err.code) {
        ev_stream_close(stream);
        buf_done(rest);
        dial_end(dial, NULL, &dial->err);
        return;
    }
    start(ws, stream);
    ws->depth++;
    dial_end(dial, ws, NULL);
    if (ws->stream && rest->len) /* what the server sent right behind its answer */
        on_data(ws, rest->data, rest->len);
    buf_done(rest);
    leave(ws);
}

static const struct http_call_events dial_events = {
    .on_head = dial_head, .on_body = dial_body, .on_done = dial_done, .on_upgrade = dial_upgrade};

struct ws_dial *ws_dial(struct http_client *client, const struct http_call_request *req,
                        size_t message_max, const struct ws_events *events, ws_open_fn *on_open,
                        void *arg, struct err *err)
{
    cleanup(buf_done) struct buf headers = BUF(HANDSHAKE_HEAD_MAX);
    struct http_call_request with = *req;
    struct ws_dial *dial = mem_calloc(1, sizeof(*dial));
    struct ws *ws = dial ? ws_new(true, message_max, events, arg) : NULL;
    if (!ws) {
        mem_free(dial);
        err_set(err, BERR_NOMEM, "out of memory");
        return NULL;
    }
    *dial = (struct ws_dial){.ws = ws, .on_open = on_open, .arg = arg};
    ws_key_make(dial->key);
    buf_printf(&headers,
               "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
               "Sec-WebSocket-Key: %s\r\n%s",
               dial->key, req->headers ? req->headers : "");
    with.method = "GET";
    with.headers = buf_str(&headers);
    with.body_length = 0;
    if (buf_is_failed(&headers))
        err_set(err, BERR_NOMEM, "out of memory");
    else
        dial->call = http_client_call(client, &with, &dial_events, dial, err);
    if (!dial->call) {
        ws_free(ws);
        mem_free(dial);
        return NULL;
    }
    return dial;
}

void ws_dial_cancel(struct ws_dial *dial)
{
    if (!dial)
        return;
    http_call_cancel(dial->call);
    ws_free(dial->ws);
    mem_free(dial);
}
