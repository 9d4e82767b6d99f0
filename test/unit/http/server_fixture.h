/*
 * server_fixture: a server on a port of its own whose handler does what the path says, and a client of
 * raw bytes. What goes in is what a client sends byte for byte, what comes out is compared as text.
 */
#ifndef BERTH_TEST_HTTP_SERVER_FIXTURE_H
#define BERTH_TEST_HTTP_SERVER_FIXTURE_H

#include "loopback.h"
#include "base/str.h"
#include "http/server_internal.h"

extern struct fixture {
    struct ev_loop *loop;
    struct http_server *server;
    uint16_t port;
    struct http_server_config cfg;
    struct http_request *kept; /* a handler that answers later */
    int handled, gone, done, drained, pieces;
    size_t piece_bytes, body_len;
    bool body_end, body_broken, resumed, hijacked;
    int body_rc, last_status;
    struct ev_stream *stream;
    struct buf rest;
} f;

int setup_with(struct http_server_config cfg);
int setup(void **state);
int teardown(void **state);

/* Sends, reads until `part` (NULL: to the end), closes; the answer is in a static buffer. */
const char *ask(const char *request, const char *part);
void expect_part(const char *text, const char *part);
size_t count_parts(const char *text, const char *part);

void take_body(struct http_request *req, const char *data, size_t len, int rc,
               const struct err *err);
void on_drain(void *arg);

#endif
