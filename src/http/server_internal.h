/*
 * server_internal: what server.c, conn.c and reply.c share.
 */
#ifndef BERTH_HTTP_SERVER_INTERNAL_H
#define BERTH_HTTP_SERVER_INTERNAL_H

#include "ev/timer.h"
#include "http/server.h"

#define HTTP_ANSWER_HEAD_BYTES (4096 + LIMIT_HTTP_HEAD_BYTES)
#define HTTP_PIPELINE_BYTES    65536
#define HTTP_ARENA_BYTES       (8u << 20)

enum conn_phase { CONN_IDLE, CONN_HEAD, CONN_BODY, CONN_ANSWER };

struct http_conn {
    struct http_server *server;
    struct ev_stream *stream;
    struct http_conn *prev, *next;
    char peer[64];
    struct http_parser parser;
    struct http_request *req; /* the one being answered */
    struct buf in;            /* received while a request is being answered */
    const char *rest;         /* while feeding: what lies behind the message */
    size_t rest_len;
    enum conn_phase phase;
    int64_t deadline_ms; /* loop time; 0: none */
    int64_t started_ms;  /* of the request */
    uint64_t sent_bytes; /* that the kernel had taken when the sweep last looked */
    bool keep_alive, eof, feeding, close_after, body_paused;
    bool ended;  /* while feeding: to be closed behind it */
    bool broken; /* the framing is lost: nothing is read any more */
};

struct http_server {
    struct ev_loop *loop;
    struct http_server_config cfg;
    struct ev_listener *listeners[8];
    size_t listener_count;
    struct http_conn *conns;
    size_t conn_count;
    struct ev_timer *sweep;
    char date[40];   /* of the second date_s */
    struct buf head; /* scratch for the answer being written */
    int64_t date_s;
    uint64_t ids, ids_prefix;
};

void conn_request_done(struct http_conn *c); /* reply.c: the answer is out */
void conn_close(struct http_conn *c);
void conn_accept(void *arg, struct ev_stream *s);
void conn_sweep(void *arg);
void conn_sweep_at(struct http_server *s, int64_t now); /* tests pass a later time */
void request_free(struct http_request *req);
void conn_continue(struct http_conn *c); /* the body is wanted now */
const char *server_date(struct http_server *s);

#endif
