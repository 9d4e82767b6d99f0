/*
 * client: calls and the connections they use.
 *
 * A conn belongs to a call, or lies idle in the client's map by target. The request's bytes are
 * kept in `head` until the first byte of an answer, for the one repeat.
 */
#include "http/client.h"
#include <stdio.h>
#include <string.h>
#include "base/alloc.h"
#include "base/map.h"
#include "base/str.h"
#include "ev/timer.h"

struct conn {
    struct http_client *client;
    struct ev_stream *stream;
    struct http_parser parser;
    struct http_call *call; /* NULL: idle */
    struct conn *next;      /* in the idle list of its target */
    char key[320];
    int64_t idle_since_ms;
    bool parser_on, in_feed;
};

struct http_client {
    struct ev_loop *loop;
    struct map idle; /* target key -> struct conn list */
    struct ev_timer *sweep;
};

struct http_call {
    struct http_client *client;
    struct http_call_events events;
    void *arg;
    struct conn *conn;
    struct ev_connect *connecting;
    struct ev_timer *timer;
    struct buf head; /* request head, and body written before the connection stood */
    char key[320];
    char *host; /* of the address */
    char *unix_path;
    uint16_t port;
    struct ev_tls *tls;
    int64_t answer_ms, connect_ms;
    int64_t body_left; /* of a body with a length */
    bool has_body, chunked, reused, answered, is_head, paused, sent, ended, no_keep, repeatable;
};

static int call_connect(struct http_call *call, struct err *err);

/* ---- connections ---- */

static void conn_free(struct conn *c)
{
    ev_stream_close(c->stream);
    if (c->parser_on)
        http_parser_done(&c->parser);
    mem_free(c);
}

static void idle_remove(struct conn *c)
{
    struct conn *first = map_get(&c->client->idle, c->key);
    if (first == c) {
        if (c->next)
            map_put(&c->client->idle, c->key, c->next);
        else
            map_remove(&c->client->idle, c->key);
        return;
    }
    for (struct conn *at = first; at; at = at->next)
        if (at->next == c) {
            at->next = c->next;
            return;
        }
}

static void idle_put(struct conn *c)
{
    size_t count = 0;
    struct conn *first = map_get(&c->client->idle, c->key);
    for (struct conn *at = first; at; at = at->next)
        count++;
    c->call = NULL;
    c->next = first;
    c->idle_since_ms = ev_now_ms(c->client->loop);
    if (count >= CLIENT_IDLE_PER_TARGET || map_put(&c->client->idle, c->key, c) < 0) {
        conn_free(c);
        return;
    }
    ev_stream_read(c->stream, true); /* to see it end */
}

static struct conn *idle_take(struct http_client *client, const char *key)
{
    struct conn *c = map_get(&client->idle, key);
    if (c)
        idle_remove(c);
    return c;
}

static void sweep(void *arg)
{
    struct http_client *client = arg;
    int64_t now = ev_now_ms(client->loop);
    const char *key;
    void *value;
    for (size_t i = 0; map_next(&client->idle, &i, &key, &value);)
        for (struct conn *c = value, *next; c; c = next) {
            next = c->next;
            if (now - c->idle_since_ms > CLIENT_IDLE_MS) {
                idle_remove(c);
                conn_free(c);
            }
        }
}

/* ---- the end of a call ---- */

static void call_free(struct http_call *call)
{
    ev_timer_free(call->timer);
    buf_done(&call->head);
    mem_free(call->host);
    mem_free(call->unix_path);
    mem_free(call);
}

static void call_done(struct http_call *call, int rc, const struct err *err)
{
    struct http_call_events events = call->events;
    void *arg = call->arg;
    struct conn *c = call->conn;
    if (c) {
        call->conn = NULL;
        c->call = NULL;
        if (rc == 0 && !call->no_keep && call->ended)
            idle_put(c);
        else
            conn_free(c);
    }
    call_free(call);
    events.on_done(arg, rc, err);
}

static void call_fail(struct http_call *call, const struct err *err)
{
    /* A kept connection may have been closed by the other side just now. */
    if (call->reused && !call->answered && call->repeatable) {
        struct err again = {0};
        call->reused = false;
        call->sent = false;
        if (call->conn) {
            call->conn->call = NULL;
            conn_free(call->conn);
            call->conn = NULL;
        }
        if (call_connect(call, &again) == 0)
            return;
        call_done(call, -(int)again.code, &again);
        return;
    }
    call_done(call, -(int)err->code, err);
}

static void call_arm(struct http_call *call)
{
    if (call->answer_ms)
        ev_timer_start(call->timer, call->answer_ms, 0);
}

static void call_timeout(void *arg)
{
    struct http_call *call = arg;
    struct err err = {0};
    if (call->paused)
        return;
    err_set(&err, BERR_TIMEOUT, "no answer in time");
    call_done(call, -(int)err.code, &err);
}

/* ---- the answer ---- */

static int on_head(void *arg, const struct http_head *head)
{
    struct conn *c = arg;
    struct http_call *call = c->call;
    call->answered = true;
    call->no_keep = !head->keep_alive;
    call_arm(call);
    if (head->status >= 100 && head->status < 200 && head->status != 101)
        return 0; /* an interim answer: the real one follows */
    call->events.on_head(call->arg, head);
    return c->call ? 0 : -(int)BERR_CANCELED;
}

static int on_body(void *arg, const char *data, size_t len)
{
    struct conn *c = arg;
    struct http_call *call = c->call;
    call_arm(call);
    int rc = call->events.on_body(call->arg, data, len);
    if (!c->call)
        return -(int)BERR_CANCELED;
    if (rc == 1) {
        call->paused = true;
        ev_stream_read(c->stream, false);
    }
    return 0;
}

static void on_complete(void *arg)
{
    (void)arg;
}

static const struct http_parser_events parser_events = {
    .on_head = on_head, .on_body = on_body, .on_complete = on_complete};

static void give_upgrade(struct conn *c, const char *rest, size_t len)
{
    struct http_call *call = c->call;
    struct http_call_events events = call->events;
    void *arg = call->arg;
    struct buf tail = BUF(1u << 20);
    struct ev_stream *stream = c->stream;
    buf_append(&tail, rest, len);
    if (buf_is_failed(&tail)) {
        struct err err = {0};
        err_set(&err, BERR_NOMEM, "out of memory");
        call_done(call, -(int)err.code, &err);
        return;
    }
    ev_stream_read(stream, false);
    ev_stream_set(stream, &(struct ev_stream_events){0}, NULL);
    http_parser_done(&c->parser);
    mem_free(c);
    call_free(call);
    events.on_upgrade(arg, stream, &tail);
}

static void answer_complete(struct conn *c, const char *rest, size_t len)
{
    struct http_call *call = c->call;
    struct err err = {0};
    int status = c->parser.head.status;
    if (http_parser_is_upgraded(&c->parser) && status == 101) {
        if (call->events.on_upgrade) {
            give_upgrade(c, rest, len);
            return;
        }
        err_set(&err, BERR_PROTOCOL, "an upgrade that nobody asked for");
        call_done(call, -(int)err.code, &err);
        return;
    }
    if (len)
        call->no_keep = true; /* more than was asked for */
    if (!call->ended || call->body_left > 0)
        call->no_keep = true; /* the answer came before the whole request was sent */
    call->ended = true;
    call_done(call, 0, NULL);
}

static void on_data(void *arg, const char *data, size_t len)
{
    struct conn *c = arg;
    struct err err = {0};
    if (!c->call) { /* idle connections have nothing to say */
        idle_remove(c);
        conn_free(c);
        return;
    }
    while (len) {
        size_t used = 0;
        c->in_feed = true;
        int rc = http_parser_feed(&c->parser, data, len, &used, &err);
        c->in_feed = false;
        if (!c->call) { /* canceled from inside */
            conn_free(c);
            return;
        }
        if (rc < 0) {
            call_done(c->call, rc, &err);
            return;
        }
        data += used;
        len -= used;
        if (!http_parser_is_complete(&c->parser))
            continue;
        int status = c->parser.head.status;
        if (status >= 100 && status < 200 && status != 101) {
            bool no_body = c->call->is_head;
            http_parser_next(&c->parser);
            if (no_body)
                http_parser_expect_no_body(&c->parser);
            continue;
        }
        answer_complete(c, data, len);
        return;
    }
}

static void on_eof(void *arg)
{
    struct conn *c = arg;
    struct err err = {0};
    if (!c->call) {
        idle_remove(c);
        conn_free(c);
        return;
    }
    struct http_call *call = c->call;
    int rc = http_parser_eof(&c->parser, &err);
    if (rc == 0 && http_parser_is_complete(&c->parser)) {
        call->no_keep = true;
        answer_complete(c, "", 0);
        return;
    }
    if (!err.code)
        err_set(&err, BERR_UNAVAILABLE, "the connection was closed without an answer");
    call_fail(call, &err);
}

static void on_error(void *arg, const struct err *err)
{
    struct conn *c = arg;
    struct err copy = *err;
    copy.code = BERR_UNAVAILABLE;
    if (!c->call) {
        idle_remove(c);
        conn_free(c);
        return;
    }
    call_fail(c->call, &copy);
}

static void on_drain(void *arg)
{
    struct conn *c = arg;
    if (c->call && c->call->events.on_drain)
        c->call->events.on_drain(c->call->arg);
}

static const struct ev_stream_events stream_events = {
    .on_data = on_data, .on_eof = on_eof, .on_error = on_error, .on_drain = on_drain};

/* ---- the request ---- */

static void call_send(struct http_call *call, struct conn *c)
{
    call->conn = c;
    call->connecting = NULL;
    c->call = call;
    http_parser_next(&c->parser);
    if (call->is_head)
        http_parser_expect_no_body(&c->parser);
    call->sent = true;
    ev_stream_write(c->stream, call->head.data, call->head.len);
    if (call->has_body) {
        buf_done(&call->head);
        buf_init(&call->head, 1);
    }
    ev_stream_read(c->stream, true);
    call_arm(call);
}

static void on_connected(void *arg, struct ev_stream *s, const struct err *err)
{
    struct http_call *call = arg;
    call->connecting = NULL;
    struct conn *c = s ? mem_calloc(1, sizeof(*c)) : NULL;
    if (!c) {
        struct err no_memory = {0};
        ev_stream_close(s);
        if (!err)
            err_set(&no_memory, BERR_NOMEM, "out of memory");
        call_done(call, -(int)(err ? err : &no_memory)->code, err ? err : &no_memory);
        return;
    }
    c->client = call->client;
    c->stream = s;
    str_copy(c->key, sizeof(c->key), call->key);
    http_parser_init(&c->parser, true, &parser_events, c);
    c->parser_on = true;
    ev_stream_set(s, &stream_events, c);
    call_send(call, c);
    if (call->events.on_drain && call->has_body)
        call->events.on_drain(call->arg);
}

static int call_connect(struct http_call *call, struct err *err)
{
    struct ev_address to = {.unix_path = call->unix_path, .host = call->host, .port = call->port};
    call->connecting =
        ev_connect(call->client->loop, &to, call->tls, call->connect_ms, on_connected, call, err);
    return call->connecting ? 0 : -(int)(err->code ? err->code : BERR_NOMEM);
}

static void put_request_head(struct http_call *call, const struct http_call_request *req)
{
    struct buf *out = &call->head;
    buf_printf(out, "%s %s HTTP/1.1\r\n", req->method, req->target);
    if (req->host)
        buf_printf(out, "Host: %s\r\n", req->host);
    else if (req->to.unix_path)
        buf_puts(out, "Host: localhost\r\n");
    else
        buf_printf(out, strchr(req->to.host, ':') ? "Host: [%s]:%u\r\n" : "Host: %s:%u\r\n",
                   req->to.host, req->to.port);
    bool takes_content = str_is_equal(req->method, "PUT") || str_is_equal(req->method, "POST") ||
                         str_is_equal(req->method, "PATCH");
    if (req->body_length > 0 || (req->body_length == 0 && takes_content)) /* RFC 9110 8.6 */
        buf_printf(out, "Content-Length: %lld\r\n", (long long)req->body_length);
    else if (req->body_length < 0)
        buf_puts(out, "Transfer-Encoding: chunked\r\n");
    if (req->headers)
        buf_puts(out, req->headers);
    buf_puts(out, "\r\n");
}

struct http_call *http_client_call(struct http_client *c, const struct http_call_request *req,
                                   const struct http_call_events *events, void *arg,
                                   struct err *err)
{
    struct http_call *call = mem_calloc(1, sizeof(*call));
    if (!call) {
        err_set(err, BERR_NOMEM, "out of memory");
        return NULL;
    }
    call->client = c;
    call->events = *events;
    call->arg = arg;
    call->tls = req->tls;
    call->port = req->to.port;
    call->answer_ms = req->answer_ms;
    call->connect_ms = req->connect_ms ? req->connect_ms : 10000;
    call->has_body = req->body_length != 0;
    call->chunked = req->body_length < 0;
    call->ended = !call->chunked;
    call->body_left = req->body_length;
    call->is_head = str_is_equal(req->method, "HEAD");
    call->repeatable = !call->has_body && !str_is_equal(req->method, "POST") &&
                       !str_is_equal(req->method, "PATCH"); /* RFC 9110 9.2.2 */
    if (call->answer_ms)
        call->timer = ev_timer_new(c->loop, call_timeout, call);
    call->host = req->to.host ? mem_strdup(req->to.host) : NULL;
    call->unix_path = req->to.unix_path ? mem_strdup(req->to.unix_path) : NULL;
    snprintf(call->key, sizeof(call->key), "%s%s:%u", req->tls ? "tls:" : "",
             req->to.unix_path ? req->to.unix_path : req->to.host, req->to.port);
    buf_init(&call->head, 2u << 20);
    put_request_head(call, req);
    if ((call->answer_ms && !call->timer) || (!call->host && !call->unix_path) ||
        buf_is_failed(&call->head)) {
        call_free(call);
        err_set(err, BERR_NOMEM, "out of memory");
        return NULL;
    }
    struct conn *kept = idle_take(c, call->key);
    if (kept) {
        call->reused = true;
        call_send(call, kept);
    } else if (call_connect(call, err) < 0) {
        call_free(call);
        return NULL;
    }
    return call;
}

/* Before the connection stands, what is written waits in `head`. */
static void put_body(struct http_call *call, const void *data, size_t len)
{
    if (call->sent)
        ev_stream_write(call->conn->stream, data, len);
    else
        buf_append(&call->head, data, len);
}

void http_call_write(struct http_call *call, const void *data, size_t len)
{
    char size[24];
    if (!len)
        return;
    if (call->sent && !call->answered)
        call_arm(call); /* a long body is no late answer */
    if (call->chunked) {
        put_body(call, size, (size_t)snprintf(size, sizeof(size), "%zx\r\n", len));
        put_body(call, data, len);
        put_body(call, "\r\n", 2);
    } else {
        call->body_left -= (int64_t)len;
        put_body(call, data, len);
    }
}

void http_call_end(struct http_call *call)
{
    if (call->chunked && !call->ended) {
        call->ended = true;
        put_body(call, "0\r\n\r\n", 5);
    }
}

size_t http_call_queued(const struct http_call *call)
{
    return call->sent ? ev_stream_queued(call->conn->stream) : call->head.len;
}

void http_call_resume(struct http_call *call)
{
    if (!call->paused)
        return;
    call->paused = false;
    call_arm(call);
    ev_stream_read(call->conn->stream, true);
}

void http_call_cancel(struct http_call *call)
{
    if (!call)
        return;
    ev_connect_cancel(call->connecting);
    if (call->conn) {
        call->conn->call = NULL;
        if (!call->conn->in_feed) /* else on_data frees it */
            conn_free(call->conn);
    }
    call_free(call);
}

struct http_client *http_client_new(struct ev_loop *loop)
{
    struct http_client *c = mem_calloc(1, sizeof(*c));
    if (!c)
        return NULL;
    c->loop = loop;
    c->idle = MAP_STR;
    c->sweep = ev_timer_new(loop, sweep, c);
    if (!c->sweep) {
        mem_free(c);
        return NULL;
    }
    ev_timer_start(c->sweep, 5000, 5000);
    return c;
}

struct http_client *http_client_free(struct http_client *c)
{
    if (!c)
        return NULL;
    void *value;
    const char *key;
    for (size_t i = 0; map_next(&c->idle, &i, &key, &value);)
        for (struct conn *at = value, *next; at; at = next) {
            next = at->next;
            conn_free(at);
        }
    map_done(&c->idle);
    ev_timer_free(c->sweep);
    mem_free(c);
    return NULL;
}
