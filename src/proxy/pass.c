/*
 * pass: a struct that ties one request to one call. Either may end first.
 */
#include "proxy/pass.h"
#include <string.h>
#include <strings.h>
#include "base/alloc.h"
#include "base/str.h"

struct pass {
    struct http_request *req;
    struct http_call *call;
    const struct proxy_events *events;
    void *arg;
    const struct proxy_rules *rules;
    struct buf upgrade; /* head of a 101 */
    bool answering;     /* the head has gone back */
    bool body_paused;   /* of the request */
};

static void pass_free(struct pass *p)
{
    buf_done(&p->upgrade);
    mem_free(p);
}

/* No answer was sent: the caller says so. */
static void pass_failed(struct pass *p, const struct err *err)
{
    struct http_request *req = p->req;
    const struct proxy_events *events = p->events;
    void *arg = p->arg;
    pass_free(p);
    http_request_on_gone(req, NULL, NULL);
    events->on_failed(arg, req, err);
}

/* ---- the client's side ---- */

static void on_gone(void *arg)
{
    struct pass *p = arg;
    struct http_request *req = p->req;
    http_call_cancel(p->call);
    bool answering = p->answering;
    pass_free(p);
    if (answering)
        http_stream_abort(req);
    else
        http_reply(req, 499, NULL, NULL, 0);
}

static int on_piece(void *arg, const char *data, size_t len)
{
    struct pass *p = arg;
    if (data) {
        http_call_write(p->call, data, len);
        if (http_call_queued(p->call) <= PROXY_QUEUE_BYTES)
            return 0;
        p->body_paused = true;
        return 1;
    }
    if (len == 0) {
        http_call_end(p->call);
        http_request_on_gone(p->req, on_gone, p);
        return 0;
    }
    if (http_request_is_gone(p->req) || p->answering) {
        on_gone(p);
        return 0;
    }
    struct http_request *req = p->req; /* the body came too slowly */
    http_call_cancel(p->call);
    pass_free(p);
    http_reply_str(req, 408, "text/plain", "the body did not arrive in time\n");
    return 0;
}

static void on_client_drain(void *arg)
{
    struct pass *p = arg;
    http_call_resume(p->call);
}

/* ---- the server's side ---- */

static void keep_upgrade(struct pass *p, const struct http_head *head)
{
    const char *protocol = http_head_get(head, "upgrade");
    buf_puts(&p->upgrade, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n");
    if (protocol)
        buf_printf(&p->upgrade, "Upgrade: %s\r\n", protocol);
    for (size_t i = 0; i < head->header_count; i++)
        if (proxy_is_answer_header(head, &head->headers[i], p->rules))
            buf_printf(&p->upgrade, "%s: %s\r\n", head->headers[i].name, head->headers[i].value);
    buf_puts(&p->upgrade, "\r\n");
}

static void on_head(void *arg, const struct http_head *head)
{
    struct pass *p = arg;
    if (head->status == 101) {
        keep_upgrade(p, head);
        return;
    }
    for (size_t i = 0; i < head->header_count; i++)
        if (proxy_is_answer_header(head, &head->headers[i], p->rules))
            http_reply_header(p->req, head->headers[i].name, head->headers[i].value);
    if (p->events->on_answer)
        p->events->on_answer(p->arg, p->req, head->status);
    int64_t length = head->content_length;
    if (length < 0 && !head->has_body && !p->req->is_head)
        length = 0;
    p->answering = true;
    http_stream_on_drain(p->req, on_client_drain, p);
    http_stream_begin(p->req, head->status, NULL, length);
}

static int on_body(void *arg, const char *data, size_t len)
{
    struct pass *p = arg;
    http_stream_write(p->req, data, len);
    return http_stream_queued(p->req) > PROXY_QUEUE_BYTES;
}

static void on_done(void *arg, int rc, const struct err *err)
{
    struct pass *p = arg;
    struct http_request *req = p->req;
    if (!p->answering) {
        struct err none = {0};
        if (rc == 0)
            err_set(&none, BERR_PROTOCOL, "the answer had no head");
        else
            none = *err;
        if (none.code == BERR_INVALID || none.code == BERR_TOO_LARGE)
            none.code = BERR_PROTOCOL; /* the other server's fault, not the client's */
        pass_failed(p, &none);
        return;
    }
    pass_free(p);
    http_stream_on_drain(req, NULL, NULL);
    http_request_on_gone(req, NULL, NULL);
    if (rc < 0)
        http_stream_abort(req);
    else
        http_stream_end(req);
}

static void on_upgrade(void *arg, struct ev_stream *up, struct buf *from_up)
{
    struct pass *p = arg;
    struct buf from_down = BUF(0), head = p->upgrade;
    struct tunnel *t = buf_is_failed(&head) ? NULL : p->events->on_tunnel(p->arg, p->req);
    p->upgrade = (struct buf){0};
    struct http_request *req = p->req;
    pass_free(p);
    http_request_on_gone(req, NULL, NULL);
    req->status = 101;
    struct ev_stream *down = http_hijack(req, &from_down);
    if (down && t) {
        ev_stream_write(down, head.data, head.len);
        tunnel_start(t, down, &from_down, up, from_up);
    } else {
        tunnel_end(t);
        ev_stream_close(down);
        ev_stream_close(up);
    }
    buf_done(&head);
    buf_done(&from_down);
    buf_done(from_up);
}

static void on_call_drain(void *arg)
{
    struct pass *p = arg;
    if (!p->body_paused)
        return;
    p->body_paused = false;
    http_request_resume_body(p->req);
}

static const struct http_call_events call_events = {
    .on_head = on_head, .on_body = on_body, .on_done = on_done, .on_drain = on_call_drain};
static const struct http_call_events upgrade_events = {.on_head = on_head,
                                                       .on_body = on_body,
                                                       .on_done = on_done,
                                                       .on_upgrade = on_upgrade,
                                                       .on_drain = on_call_drain};

static struct http_call *start_call(struct pass *p, struct http_client *client,
                                    const struct proxy_target *target, struct err *err)
{
    const struct http_head *head = p->req->head;
    struct buf headers = BUF(2 * LIMIT_HTTP_HEAD_BYTES);
    bool upgrade = head->upgrade && !head->has_body && p->events->on_tunnel;
    buf_reserve(&headers, 1024);
    proxy_put_request_headers(head, target->rules, upgrade, &headers);
    if (target->headers)
        buf_puts(&headers, target->headers);
    struct http_call_request call = {
        .to = target->to,
        .method = p->req->method,
        .target = target->target,
        .host = target->host,
        .headers = buf_str(&headers),
        .body_length = head->chunked              ? -1
                       : head->content_length > 0 ? head->content_length
                                                  : 0,
        .connect_ms = target->connect_ms,
        .answer_ms = target->answer_ms,
    };
    struct http_call *ret = NULL;
    if (buf_is_failed(&headers))
        err_set(err, BERR_NOMEM, "out of memory");
    else
        ret = http_client_call(client, &call, upgrade ? &upgrade_events : &call_events, p, err);
    buf_done(&headers);
    return ret;
}

void proxy_pass(struct http_client *client, struct http_request *req,
                const struct proxy_target *target, const struct proxy_events *events, void *arg)
{
    struct err err = {0};
    struct pass *p = mem_calloc(1, sizeof(*p));
    if (!p) {
        err_set(&err, BERR_NOMEM, "out of memory");
        events->on_failed(arg, req, &err);
        return;
    }
    p->req = req;
    p->events = events;
    p->arg = arg;
    p->rules = target->rules;
    buf_init(&p->upgrade, LIMIT_HTTP_HEAD_BYTES + 1024);
    if (http_request_is_gone(req)) {
        pass_free(p);
        http_reply(req, 499, NULL, NULL, 0);
        return;
    }
    p->call = start_call(p, client, target, &err);
    if (!p->call)
        pass_failed(p, &err);
    else if (req->head->has_body)
        http_request_stream_body(req, on_piece, p);
    else
        http_request_on_gone(req, on_gone, p);
}
