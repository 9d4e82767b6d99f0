/*
 * pass: one request handed on to another server and its answer handed back, both with
 * back-pressure; an upgrade becomes a tunnel. Knows no domain: the caller says where to, what is
 * added and what ends here.
 *
 * proxy_pass takes the request over. Exactly one of these follows, and then the pass is no more:
 * on_failed (no answer came: the caller ends the request), on_tunnel (the request has become a
 * tunnel, which is the caller's), or nothing at all (the answer went back, or broke, or the client
 * went). `arg` must live as long as the request, so it lies best in its arena. Loop thread.
 */
#ifndef BERTH_PROXY_PASS_H
#define BERTH_PROXY_PASS_H

#include "http/client.h"
#include "http/server.h"
#include "proxy/headers.h"
#include "proxy/tunnel.h"

#define PROXY_QUEUE_BYTES (256u << 10) /* waiting on one side before the other is not read */

struct proxy_events {
    void (*on_failed)(void *arg, struct http_request *req, const struct err *err);
    /* The answer's head is about to go back: further headers may be added. May be NULL. */
    void (*on_answer)(void *arg, struct http_request *req, int status);
    /* The other server agreed to the upgrade. Gives the tunnel to be used (not started), or NULL
     * to end it all. NULL here: upgrades are not handed on. */
    struct tunnel *(*on_tunnel)(void *arg, struct http_request *req);
};

struct proxy_target {
    struct ev_address to;
    const char *host;                /* Host to be sent on */
    const char *target;              /* of the request line */
    const char *headers;             /* lines to be added, each with its CRLF; NULL: none */
    const struct proxy_rules *rules; /* NULL: none; must outlive the pass */
    int64_t connect_ms;              /* 0: 10 s */
    int64_t answer_ms;               /* to the answer's head, and between its pieces; 0: no limit */
};

void proxy_pass(struct http_client *client, struct http_request *req,
                const struct proxy_target *target, const struct proxy_events *events, void *arg);

#endif
