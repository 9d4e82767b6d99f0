/*
 * client: HTTP/1.1 requests over ev streams, for the proxy, the command line and tests. Keeps idle
 * connections per target, at most CLIENT_IDLE_PER_TARGET each.
 *
 * A call gets its answer through callbacks: on_head, then on_body pieces, then exactly one of
 * on_done (rc 0 or an error) and on_upgrade (a 101: the stream and what came behind the head are
 * the caller's from then on). No callback comes after http_call_cancel, and none from inside
 * http_client_call. A call without a body, and not POST or PATCH, that finds its kept connection
 * dead is repeated once on a fresh one. Loop thread.
 */
#ifndef BERTH_HTTP_CLIENT_H
#define BERTH_HTTP_CLIENT_H

#include "ev/stream.h"
#include "http/parse.h"

#define CLIENT_IDLE_PER_TARGET 64
#define CLIENT_IDLE_MS         30000

struct http_client;
struct http_call;

struct http_call_events {
    void (*on_head)(void *arg, const struct http_head *head);
    /* 1: pause until http_call_resume; a few pieces may still come */
    int (*on_body)(void *arg, const char *data, size_t len);
    void (*on_done)(void *arg, int rc, const struct err *err);
    void (*on_upgrade)(void *arg, struct ev_stream *s,
                       struct buf *rest); /* NULL: 101 is an error */
    void (*on_drain)(void *arg);          /* of the request body; may be NULL */
};

struct http_call_request {
    struct ev_address to;
    struct ev_tls *tls;          /* NULL: plain */
    const char *method, *target; /* "/path?query" */
    const char *host;            /* Host header; NULL: made from `to` */
    const char *headers;         /* further lines, each ended by CRLF; NULL: none */
    int64_t body_length;         /* 0: none; -1: chunked; else exactly so many bytes are written */
    int64_t connect_ms;          /* 0: 10 s */
    int64_t answer_ms;           /* to the answer's head, and between its pieces; 0: no limit */
};

struct http_client *http_client_new(struct ev_loop *loop);
struct http_client *http_client_free(struct http_client *c); /* no call may be open */

struct http_call *http_client_call(struct http_client *c, const struct http_call_request *req,
                                   const struct http_call_events *events, void *arg,
                                   struct err *err);
void http_call_write(struct http_call *call, const void *data, size_t len);
void http_call_end(struct http_call *call); /* of a chunked body */
size_t http_call_queued(const struct http_call *call);
void http_call_resume(struct http_call *call);
void http_call_cancel(struct http_call *call);

#endif
