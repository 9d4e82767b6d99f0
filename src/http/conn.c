/*
 * conn: one connection — feeding the parser, one request at a time, deadlines for each phase.
 */
#include <stdio.h>
#include <string.h>
#include "base/alloc.h"
#include "base/str.h"
#include "http/server_internal.h"

static void set_phase(struct http_conn *c, enum conn_phase phase)
{
    static const int64_t limits[] = {
        [CONN_IDLE] = LIMIT_HTTP_KEEPALIVE_MS,
        [CONN_HEAD] = LIMIT_HTTP_HEAD_TIMEOUT_MS,
        [CONN_BODY] = LIMIT_HTTP_BODY_IDLE_MS,
        [CONN_ANSWER] = 0,
    };
    c->phase = phase;
    c->deadline_ms = limits[phase] ? ev_now_ms(c->server->loop) + limits[phase] : 0;
}

/* ---- requests ---- */

static void request_id(struct http_conn *c, struct http_request *req)
{
    const char *given = c->server->cfg.trust_peer ? http_head_get(req->head, "x-request-id") : NULL;
    if (given && strlen(given) < sizeof(req->id) && str_is_tag(given))
        str_copy(req->id, sizeof(req->id), given);
    else
        snprintf(req->id, sizeof(req->id), "%012llx-%llx",
                 (unsigned long long)c->server->ids_prefix, (unsigned long long)++c->server->ids);
}

/* Asked of the kernel once a connection. */
static const char *conn_peer(struct http_conn *c)
{
    return c->peer[0] ? c->peer : ev_stream_peer(c->stream, c->peer);
}

static void request_peer(struct http_conn *c, struct http_request *req)
{
    const char *given =
        c->server->cfg.trust_peer ? http_head_get(req->head, "x-forwarded-for") : NULL;
    if (given)
        str_copy(req->peer, sizeof(req->peer), given);
    else
        str_copy(req->peer, sizeof(req->peer), conn_peer(c));
}

static struct http_request *request_new(struct http_conn *c, const struct http_head *head)
{
    struct http_request *req = mem_calloc(1, sizeof(*req));
    if (!req)
        return NULL;
    arena_init(&req->arena, HTTP_ARENA_BYTES);
    req->head = head;
    req->method = head->method;
    req->is_head = str_is_equal(head->method, "HEAD");
    req->conn = c;
    buf_init(&req->extra, LIMIT_HTTP_HEAD_BYTES);
    buf_init(&req->body, HTTP_PIPELINE_BYTES + 65536);
    request_id(c, req);
    request_peer(c, req);
    return req;
}

void request_free(struct http_request *req)
{
    if (req->user_free)
        req->user_free(req->user);
    if (req->freed)
        *req->freed = true;
    buf_done(&req->extra);
    buf_done(&req->body);
    buf_done(&req->kept);
    arena_done(&req->arena);
    mem_free(req);
}

static void call_handler(struct http_conn *c)
{
    struct http_request *req = c->req;
    if (!req || req->handled)
        return;
    req->handled = true;
    c->server->cfg.handler(req, c->server->cfg.arg);
}

static int on_head(void *arg, const struct http_head *head)
{
    struct http_conn *c = arg;
    struct err err = {0};
    struct http_request *req = request_new(c, head);
    if (!req)
        return -(int)BERR_NOMEM;
    c->req = req;
    c->keep_alive = head->keep_alive;
    c->started_ms = ev_now_ms(c->server->loop);
    set_phase(c, head->has_body ? CONN_BODY : CONN_ANSWER);
    req->body_done = !head->has_body;
    if (!c->server->cfg.raw_targets &&
        url_parse_target(head->target, &req->arena, &req->target, &err) < 0) {
        c->close_after = true;
        http_reply_err(req, &err);
        return 0;
    }
    /* Without a body the handler is called behind the parser (feed_message), when it is known what
     * follows the head: an upgrade takes it along. */
    if (head->has_body)
        call_handler(c);
    return 0;
}

static void body_failed(struct http_request *req, enum berr code, const char *text)
{
    struct err err = {0};
    req->body_done = true;
    if (req->conn)
        req->conn->close_after = true;
    err_set(&err, code, "%s", text);
    if (req->on_piece) {
        int (*fn)(void *, const char *, size_t) = req->on_piece;
        req->on_piece = NULL;
        fn(req->piece_arg, NULL, 1);
    } else if (req->on_body) {
        void (*fn)(struct http_request *, const char *, size_t, int, const struct err *) =
            req->on_body;
        req->on_body = NULL;
        fn(req, NULL, 0, -(int)code, &err);
    }
}

static void pause_body(struct http_conn *c)
{
    c->body_paused = true;
    ev_stream_read(c->stream, false);
    c->deadline_ms = 0;
}

static int on_body(void *arg, const char *data, size_t len)
{
    struct http_conn *c = arg;
    struct http_request *req = c->req;
    set_phase(c, CONN_BODY);
    if (!req || req->body_done) /* answered without waiting for it: drop the rest */
        return 0;
    if (req->on_piece) {
        if (req->on_piece(req->piece_arg, data, len) == 1 && c->req && c->stream)
            pause_body(c);
        return 0;
    }
    if (req->body_wanted && req->body.len + len > req->body_max) {
        body_failed(req, BERR_TOO_LARGE, "the body is larger than allowed");
        return 0;
    }
    buf_append(&req->body, data, len);
    if (!req->body_wanted && req->body.len >= HTTP_PIPELINE_BYTES)
        pause_body(c); /* until the handler wants it */
    return 0;
}

static void finish_body(struct http_request *req)
{
    req->body_done = true;
    if (req->on_piece) {
        int (*fn)(void *, const char *, size_t) = req->on_piece;
        req->on_piece = NULL;
        fn(req->piece_arg, NULL, 0);
    } else if (req->on_body) {
        void (*fn)(struct http_request *, const char *, size_t, int, const struct err *) =
            req->on_body;
        req->on_body = NULL;
        if (buf_is_failed(&req->body)) {
            struct err err = {0};
            int rc = err_set(&err, BERR_NOMEM, "out of memory");
            fn(req, NULL, 0, rc, &err);
        } else {
            fn(req, buf_str(&req->body), req->body.len, 0, NULL);
        }
    }
}

static void on_complete(void *arg)
{
    (void)arg;
}

static const struct http_parser_events parser_events = {
    .on_head = on_head, .on_body = on_body, .on_complete = on_complete};

void http_request_read_body(struct http_request *req, size_t max,
                            void (*fn)(struct http_request *req, const char *data, size_t len,
                                       int rc, const struct err *err))
{
    req->body.max = max + 1; /* some may have come already */
    req->body_max = max;
    req->on_body = fn;
    req->body_wanted = true;
    if (!req->conn)
        body_failed(req, BERR_CANCELED, "the client has gone");
    else if (req->head->content_length > (int64_t)max || req->body.len > max)
        body_failed(req, BERR_TOO_LARGE, "the body is larger than allowed");
    else if (req->body_done)
        finish_body(req);
    else
        conn_continue(req->conn);
}

void http_request_stream_body(struct http_request *req,
                              int (*fn)(void *arg, const char *data, size_t len), void *arg)
{
    req->on_piece = fn;
    req->piece_arg = arg;
    req->body_wanted = true;
    if (!req->conn) {
        body_failed(req, BERR_CANCELED, "the client has gone");
        return;
    }
    if (req->body.len) { /* came before the handler asked */
        struct buf early = req->body;
        bool freed = false;
        buf_init(&req->body, 0);
        req->freed = &freed;
        int rc = fn(arg, early.data, early.len);
        buf_done(&early);
        if (freed)
            return;
        req->freed = NULL;
        if (rc == 1 && !req->body_done) {
            pause_body(req->conn);
            return;
        }
    }
    if (req->body_done)
        finish_body(req);
    else if (req->conn)
        conn_continue(req->conn);
}

void http_request_resume_body(struct http_request *req)
{
    struct http_conn *c = req->conn;
    if (!c || !c->body_paused)
        return;
    c->body_paused = false;
    set_phase(c, CONN_BODY);
    ev_stream_read(c->stream, true);
}

void conn_continue(struct http_conn *c)
{
    if (c->req)
        http_request_resume_body(c->req);
    if (c->req && c->req->head->expect_continue && !c->req->replied)
        ev_stream_write(c->stream, "HTTP/1.1 100 Continue\r\n\r\n", 25);
}

void http_request_on_gone(struct http_request *req, void (*fn)(void *arg), void *arg)
{
    req->on_gone = fn;
    req->gone_arg = arg;
}

bool http_request_is_gone(const struct http_request *req)
{
    return req->conn == NULL;
}

/* ---- the connection ---- */

static void conn_free(struct http_conn *c)
{
    struct http_server *s = c->server;
    if (c->prev)
        c->prev->next = c->next;
    else
        s->conns = c->next;
    if (c->next)
        c->next->prev = c->prev;
    s->conn_count--;
    http_parser_done(&c->parser);
    buf_done(&c->in);
    mem_free(c);
}

/* The request outlives its connection: the head's strings go with it. */
static void orphan_request(struct http_conn *c)
{
    static const struct http_head no_head = {.method = "", .target = ""};
    struct http_request *req = c->req;
    c->req = NULL;
    req->conn = NULL;
    struct http_head *head = arena_copy(&req->arena, &c->parser.head, sizeof(*head));
    req->head = head ? head : &no_head;
    req->kept = c->parser.text;
    c->parser.text = (struct buf){0};
    bool waits = !req->body_done && (req->on_piece || req->on_body);
    req->body_done = true;
    if (waits)
        body_failed(req, BERR_CANCELED, "the client has gone");
    else if (req->on_gone)
        req->on_gone(req->gone_arg);
}

void conn_close(struct http_conn *c)
{
    if (c->stream)
        ev_stream_close_soon(c->stream);
    c->stream = NULL;
    if (c->req)
        orphan_request(c);
    conn_free(c);
}

/* A framing error: say so once and end. A handler that waits for the whole body says it itself. */
static void conn_refuse(struct http_conn *c, const struct err *err)
{
    char text[512];
    int status = err->code == BERR_TIMEOUT ? 408 : err->code == BERR_NOMEM ? 503 : c->parser.status;
    c->broken = true;
    if (c->req && c->req->on_body) {
        body_failed(c->req, err->code, err->text);
        return;
    }
    if (!c->req || !c->req->replied) {
        int len =
            snprintf(text, sizeof(text),
                     "HTTP/1.1 %d %s\r\nContent-Type: text/plain\r\nContent-Length: "
                     "%zu\r\nConnection: close\r\n\r\n%.300s\n",
                     status, http_status_text(status), strnlen(err->text, 300) + 1, err->text);
        ev_stream_write(c->stream, text, (size_t)len);
    }
    if (c->feeding)
        c->ended = true;
    else
        conn_close(c);
}

/* Whether bytes go to the parser: not while an answer to the message before is due, and not while
 * a client that sends many requests takes none of the answers. */
static bool wants_bytes(const struct http_conn *c)
{
    return !c->broken && !http_parser_is_complete(&c->parser) &&
           (c->phase == CONN_BODY || c->phase == CONN_HEAD ||
            ev_stream_queued(c->stream) <= LIMIT_HTTP_OUT_BUFFER_BYTES);
}

/* At most one message's worth of bytes from c->rest. */
static void feed_message(struct http_conn *c)
{
    struct err err = {0};
    size_t used = 0;
    if (c->phase == CONN_IDLE)
        set_phase(c, CONN_HEAD);
    int rc = http_parser_feed(&c->parser, c->rest, c->rest_len, &used, &err);
    if (c->ended)
        return;
    if (rc < 0) {
        conn_refuse(c, &err);
        return;
    }
    c->rest += used;
    c->rest_len -= used;
    if (!http_parser_is_complete(&c->parser))
        return;
    if (c->req) {
        c->phase = CONN_ANSWER;
        c->deadline_ms = 0;
    }
    call_handler(c);
    if (c->req && !c->req->body_done)
        finish_body(c->req);
    if (!c->ended && !c->req) { /* answered already: on to the next message */
        http_parser_next(&c->parser);
        set_phase(c, CONN_IDLE);
    }
}

/* Keeps what came too early; without memory for it the connection breaks. */
static void keep_rest(struct http_conn *c)
{
    buf_append(&c->in, c->rest, c->rest_len);
    if (buf_is_failed(&c->in))
        c->ended = true;
    else if (c->in.len >= HTTP_PIPELINE_BYTES)
        ev_stream_read(c->stream, false);
}

static void conn_feed(struct http_conn *c, const char *data, size_t len)
{
    c->feeding = true;
    c->rest = data;
    c->rest_len = len;
    while (c->rest_len && !c->ended && wants_bytes(c))
        feed_message(c);
    if (!c->ended && !c->broken && c->rest_len)
        keep_rest(c);
    c->rest_len = 0;
    c->feeding = false;
    if (c->ended || (c->eof && !c->req && !c->in.len))
        conn_close(c);
}

/* What came while an answer was due. */
static void feed_kept(struct http_conn *c)
{
    struct buf in = c->in;
    buf_init(&c->in, HTTP_PIPELINE_BYTES + 65536);
    conn_feed(c, in.data, in.len);
    buf_done(&in);
}

static void on_data(void *arg, const char *data, size_t len)
{
    struct http_conn *c = arg;
    if (c->broken)
        return;
    if (!c->in.len && wants_bytes(c)) {
        conn_feed(c, data, len);
        return;
    }
    c->rest = data;
    c->rest_len = len;
    keep_rest(c);
    c->rest_len = 0;
    if (c->ended)
        conn_close(c);
}

static void on_eof(void *arg)
{
    struct http_conn *c = arg;
    /* A client that has sent its request may close its side; one in the middle is gone. A long
     * answer (a watch) to somebody who closed would go nowhere, so that ends too. */
    c->eof = true;
    if (c->req ? !c->req->body_done || c->req->streaming : !c->in.len)
        conn_close(c);
}

static void on_error(void *arg, const struct err *err)
{
    (void)err;
    conn_close(arg);
}

static void on_drain(void *arg)
{
    struct http_conn *c = arg;
    if (c->phase == CONN_ANSWER)
        c->deadline_ms = 0;
    if (c->req && c->req->on_drain) {
        c->req->on_drain(c->req->drain_arg);
    } else if (!c->req && c->in.len && !c->feeding) { /* its requests waited for that */
        ev_stream_read(c->stream, true);
        feed_kept(c);
    }
}

/* Called by reply.c when an answer is complete. */
void conn_request_done(struct http_conn *c)
{
    struct http_request *req = c->req;
    if (c->server->cfg.done)
        c->server->cfg.done(req, ev_now_ms(c->server->loop) - c->started_ms, c->server->cfg.arg);
    bool body_left = !req->body_done;
    c->req = NULL;
    req->conn = NULL;
    request_free(req);
    /* A body that nobody read ends the connection: its bytes could be anything. */
    bool end = !c->keep_alive || c->close_after || body_left;
    if (!end) {
        c->body_paused = false;
        ev_stream_read(c->stream, true);
    }
    if (c->feeding) {
        c->ended = c->ended || end;
        return; /* conn_feed goes on */
    }
    if (end) {
        conn_close(c);
        return;
    }
    http_parser_next(&c->parser);
    set_phase(c, CONN_IDLE);
    if (c->in.len && wants_bytes(c))
        feed_kept(c);
    else if (c->eof && !c->in.len)
        conn_close(c);
}

static const struct ev_stream_events stream_events = {
    .on_data = on_data, .on_eof = on_eof, .on_error = on_error, .on_drain = on_drain};

void conn_accept(void *arg, struct ev_stream *stream)
{
    struct http_server *s = arg;
    size_t most = s->cfg.connections_max ? s->cfg.connections_max : LIMIT_HTTP_CONNECTIONS;
    struct http_conn *c = s->conn_count < most ? mem_calloc(1, sizeof(*c)) : NULL;
    if (!c) {
        ev_stream_close(stream);
        return;
    }
    c->server = s;
    c->stream = stream;
    c->next = s->conns;
    if (s->conns)
        s->conns->prev = c;
    s->conns = c;
    s->conn_count++;
    http_parser_init(&c->parser, false, &parser_events, c);
    buf_init(&c->in, HTTP_PIPELINE_BYTES + 65536);
    set_phase(c, CONN_HEAD);
    ev_stream_set(stream, &stream_events, c);
    ev_stream_read(stream, true);
}

static void time_out(struct http_conn *c)
{
    struct err err = {0};
    if (c->phase == CONN_IDLE || (c->phase == CONN_HEAD && http_parser_is_idle(&c->parser))) {
        conn_close(c);
    } else if (c->phase == CONN_HEAD) {
        err_set(&err, BERR_TIMEOUT, "the request head did not arrive in time");
        conn_refuse(c, &err);
    } else if (c->phase == CONN_BODY && c->req && !c->req->body_done && !c->req->replied) {
        c->deadline_ms = 0;
        c->req->late = true;
        body_failed(c->req, BERR_TIMEOUT, "the body did not arrive in time");
    } else {
        conn_close(c);
    }
}

/* A reader of an answer has as long as it likes, if it only takes some of it now and then. */
static void judge_reader(struct http_conn *c, int64_t now)
{
    uint64_t sent = ev_stream_sent(c->stream);
    if (!ev_stream_queued(c->stream)) {
        if (c->phase == CONN_ANSWER)
            c->deadline_ms = 0;
    } else if (!c->deadline_ms || sent != c->sent_bytes) {
        c->sent_bytes = sent;
        c->deadline_ms = now + LIMIT_HTTP_WRITE_IDLE_MS;
    }
}

/* Once a second over all connections: cheaper than a timer for each. */
void conn_sweep_at(struct http_server *s, int64_t now)
{
    for (struct http_conn *c = s->conns, *next; c; c = next) {
        next = c->next;
        if (c->phase == CONN_ANSWER || c->phase == CONN_IDLE)
            judge_reader(c, now);
        if (c->deadline_ms && now >= c->deadline_ms)
            time_out(c);
    }
}

void conn_sweep(void *arg)
{
    struct http_server *s = arg;
    conn_sweep_at(s, ev_now_ms(s->loop));
}

/* ---- taking over ---- */

struct ev_stream *http_hijack(struct http_request *req, struct buf *ret_rest)
{
    struct http_conn *c = req->conn;
    buf_init(ret_rest, HTTP_PIPELINE_BYTES + 65536);
    if (!c) {
        request_free(req);
        return NULL;
    }
    struct ev_stream *stream = c->stream;
    ev_stream_read(stream, false);
    ev_stream_set(stream, &(struct ev_stream_events){0}, NULL);
    *ret_rest = c->in;
    buf_init(&c->in, HTTP_PIPELINE_BYTES + 65536);
    buf_append(ret_rest, c->rest, c->rest_len);
    c->rest_len = 0;
    c->stream = NULL;
    c->req = NULL;
    request_free(req);
    if (c->feeding)
        c->ended = true;
    else
        conn_free(c);
    return stream;
}
