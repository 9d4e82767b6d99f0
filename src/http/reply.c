/*
 * reply: answers, whole or streamed.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "base/str.h"
#include "js/js.h"
#include "os/clock.h"
#include "http/server_internal.h"

const char *http_status_text(int status)
{
    static const struct {
        int status;
        const char *text;
    } texts[] = {
        {100, "Continue"},
        {101, "Switching Protocols"},
        {200, "OK"},
        {201, "Created"},
        {202, "Accepted"},
        {204, "No Content"},
        {206, "Partial Content"},
        {301, "Moved Permanently"},
        {302, "Found"},
        {303, "See Other"},
        {304, "Not Modified"},
        {307, "Temporary Redirect"},
        {308, "Permanent Redirect"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {410, "Gone"},
        {412, "Precondition Failed"},
        {413, "Content Too Large"},
        {415, "Unsupported Media Type"},
        {416, "Range Not Satisfiable"},
        {421, "Misdirected Request"},
        {422, "Unprocessable Content"},
        {426, "Upgrade Required"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {499, "Client Closed Request"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
        {507, "Insufficient Storage"},
    };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        if (texts[i].status == status)
            return texts[i].text;
    return "Unknown";
}

/* RFC 9110 5.6.7; made once a second. */
const char *server_date(struct http_server *s)
{
    time_t now = (time_t)(os_clock_real()->wall_ms(NULL) / 1000);
    if (now != s->date_s) {
        struct tm tm;
        s->date_s = now;
        gmtime_r(&now, &tm);
        strftime(s->date, sizeof(s->date), "%a, %d %b %Y %H:%M:%S GMT", &tm);
    }
    return s->date;
}

void http_reply_header(struct http_request *req, const char *name, const char *value)
{
    if (strpbrk(value, "\r\n") || strpbrk(name, "\r\n:"))
        return; /* never lets a value start a header of its own */
    buf_puts(&req->extra, name);
    buf_puts(&req->extra, ": ");
    buf_puts(&req->extra, value);
    buf_puts(&req->extra, "\r\n");
}

static void put_line(struct buf *out, const char *name, const char *value)
{
    buf_puts(out, name);
    buf_puts(out, value);
    buf_append(out, "\r\n", 2);
}

/* The head in the server's scratch buffer, good until the next one. length -1: chunked, -2: none is
 * said (until close), -3: no body at all (1xx, 204, 304). */
static struct buf *make_head(struct http_request *req, int status, const char *type, int64_t length)
{
    struct http_conn *c = req->conn;
    struct buf *out = &c->server->head;
    char number[24];
    buf_clear(out);
    snprintf(number, sizeof(number), "%d ", status);
    buf_puts(out, "HTTP/1.1 ");
    put_line(out, number, http_status_text(status));
    put_line(out, "Date: ", server_date(c->server));
    if (c->server->cfg.server_name)
        put_line(out, "Server: ", c->server->cfg.server_name);
    if (type)
        put_line(out, "Content-Type: ", type);
    if (length >= 0) {
        snprintf(number, sizeof(number), "%lld", (long long)length);
        put_line(out, "Content-Length: ", number);
    } else if (length == -1) {
        buf_puts(out, "Transfer-Encoding: chunked\r\n");
    }
    if (!c->keep_alive || c->close_after)
        buf_puts(out, "Connection: close\r\n");
    else if (req->head->minor == 0)
        buf_puts(out, "Connection: keep-alive\r\n");
    if (req->extra.len)
        buf_append(out, req->extra.data, req->extra.len);
    buf_append(out, "\r\n", 2);
    if (buf_is_failed(out) || buf_is_failed(&req->extra))
        c->close_after = true; /* no answer is better than half of one */
    return out;
}

static bool has_no_body(int status)
{
    return status < 200 || status == 204 || status == 304;
}

/* The body was not read and will not be: what comes of it cannot be told from a next request. */
static void note_unread(struct http_request *req)
{
    if (!req->body_done)
        req->conn->close_after = true;
}

void http_reply(struct http_request *req, int status, const char *type, const void *data,
                size_t len)
{
    if (!req->conn) {
        request_free(req);
        return;
    }
    struct http_conn *c = req->conn;
    note_unread(req);
    struct buf *head = make_head(req, status, type, has_no_body(status) ? -3 : (int64_t)len);
    bool body = len && !req->is_head && !has_no_body(status);
    if (!buf_is_failed(head))
        ev_stream_write2(c->stream, head->data, head->len, body ? data : NULL, body ? len : 0);
    req->replied = true;
    req->status = status;
    req->sent_bytes = head->len + (body ? len : 0);
    conn_request_done(c);
}

void http_reply_str(struct http_request *req, int status, const char *type, const char *text)
{
    http_reply(req, status, type, text, strlen(text));
}

void http_reply_err(struct http_request *req, const struct err *err)
{
    struct buf out = BUF(16384);
    struct js_writer w;
    int status = req->late && err->code == BERR_TIMEOUT ? 408 : berr_http(err->code);
    js_w_init(&w, &out);
    js_w_object(&w, NULL);
    js_w_str(&w, "type", "about:blank");
    js_w_str(&w, "title", http_status_text(status));
    js_w_i64(&w, "status", status);
    js_w_str(&w, "detail", err->text);
    js_w_str(&w, "code", berr_name(err->code));
    if (err->field[0])
        js_w_str(&w, "field", err->field);
    if (err->line) {
        js_w_i64(&w, "line", err->line);
        js_w_i64(&w, "column", err->col);
    }
    if (err->hint[0])
        js_w_str(&w, "hint", err->hint);
    js_w_str(&w, "request", req->id);
    js_w_end_object(&w);
    if (status == 401)
        http_reply_header(req, "WWW-Authenticate", "Bearer");
    if (status == 503 || status == 429)
        http_reply_header(req, "Retry-After", "1");
    http_reply(req, status, "application/problem+json", buf_str(&out), out.len);
    buf_done(&out);
}

void http_stream_begin(struct http_request *req, int status, const char *type, int64_t length)
{
    struct http_conn *c = req->conn;
    req->replied = req->streaming = true;
    req->status = status;
    if (!c)
        return;
    note_unread(req);
    if (has_no_body(status))
        length = -3;
    else if (length < 0 && req->head->minor == 0) {
        length = -2;
        c->keep_alive = false;
    }
    req->chunked = length == -1;
    struct buf *head = make_head(req, status, type, length);
    ev_stream_cork(c->stream); /* a short answer is one write with its head */
    if (!buf_is_failed(head))
        ev_stream_write(c->stream, head->data, head->len);
    req->sent_bytes = head->len;
    c->phase = CONN_ANSWER;
    c->deadline_ms = 0;
}

void http_stream_write(struct http_request *req, const void *data, size_t len)
{
    if (!req->conn || !len || req->is_head)
        return;
    struct ev_stream *stream = req->conn->stream;
    req->sent_bytes += len;
    if (!req->chunked) {
        ev_stream_write(stream, data, len);
        return;
    }
    char size[24];
    int n = snprintf(size, sizeof(size), "%zx\r\n", len);
    ev_stream_write2(stream, size, (size_t)n, data, len);
    ev_stream_write(stream, "\r\n", 2);
}

size_t http_stream_queued(const struct http_request *req)
{
    return req->conn ? ev_stream_queued(req->conn->stream) : 0;
}

void http_stream_on_drain(struct http_request *req, void (*fn)(void *arg), void *arg)
{
    req->on_drain = fn;
    req->drain_arg = arg;
}

void http_stream_end(struct http_request *req)
{
    if (!req->conn) {
        request_free(req);
        return;
    }
    if (req->chunked && !req->is_head)
        ev_stream_write(req->conn->stream, "0\r\n\r\n", 5);
    ev_stream_uncork(req->conn->stream);
    conn_request_done(req->conn);
}

void http_stream_abort(struct http_request *req)
{
    struct http_conn *c = req->conn;
    if (!c) {
        request_free(req);
        return;
    }
    c->close_after = true;
    conn_request_done(c);
}
