/*
 * parse: HTTP/1.0 and 1.1 messages by llhttp, with strict rules on top (RFC 9110, 9112).
 *
 * Refused: other versions, HTTP/0.9 lines, bare LF, obs-fold, a space before the colon, several or
 * no Host in a 1.1 request, Transfer-Encoding other than exactly `chunked` or beside
 * Content-Length, differing or malformed lengths, heads over LIMIT_HTTP_HEAD_BYTES, targets over
 * LIMIT_HTTP_URL_BYTES, more than LIMIT_HTTP_HEADERS headers. After any error the connection ends.
 *
 * A parser takes bytes and calls back; it stops after each message (http_parser_next goes on to the
 * next one), so that one request is answered before the following is looked at. The head's strings
 * live until http_parser_next. One thread.
 */
#ifndef BERTH_HTTP_PARSE_H
#define BERTH_HTTP_PARSE_H

#include <llhttp.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"

struct http_header {
    const char *name, *value; /* value without blanks around it */
};

struct http_head {
    const char *method; /* "GET"; NULL for a response */
    const char *target; /* as sent: "/a?b=c" */
    int status;         /* response */
    int minor;          /* 0 or 1 */
    struct http_header headers[LIMIT_HTTP_HEADERS];
    size_t header_count;
    int64_t content_length; /* -1: none given */
    bool chunked, keep_alive, upgrade, expect_continue;
    bool has_body; /* a body follows (request), or may follow (response) */
};

/* First value of a header, any case of the name; NULL when absent. */
const char *http_head_get(const struct http_head *head, const char *name);
/* Whether a comma-separated header holds a token (RFC 9110 5.6.1), any case. */
bool http_head_has_token(const struct http_head *head, const char *name, const char *token);

struct http_parser_events {
    int (*on_head)(void *arg, const struct http_head *head); /* nonzero: stop with that code */
    int (*on_body)(void *arg, const char *data, size_t len);
    void (*on_complete)(void *arg);
};

struct http_parser {
    llhttp_t ll;
    const struct http_parser_events *events;
    void *arg;
    struct buf text;       /* the head's strings, NUL between them */
    struct http_head head; /* offsets while reading, pointers from on_head on */
    struct err err;
    int stop;                         /* code of a callback that wanted to stop */
    int status;                       /* to refuse with after an error: 400, 414, 431 */
    size_t head_bytes, trailer_bytes; /* fed, whatever they turned out to be */
    bool is_response, head_done /* trailers are dropped */, in_value, complete, upgraded, no_body;
};

void http_parser_init(struct http_parser *p, bool is_response,
                      const struct http_parser_events *events, void *arg);
void http_parser_done(struct http_parser *p);
/* For a response to HEAD: no body follows whatever the head says. */
void http_parser_expect_no_body(struct http_parser *p);

/* Feeds bytes; *ret_used is how many belong to this message. Returns 0 (more is wanted, or the
 * message is complete: see http_parser_is_complete), or a negative code with err: INVALID bad
 * message, TOO_LARGE head, or what a callback returned. */
int http_parser_feed(struct http_parser *p, const char *data, size_t len, size_t *ret_used,
                     struct err *err);
/* The peer sent no more: ends a response without a length; PROTOCOL in the middle of a message. */
int http_parser_eof(struct http_parser *p, struct err *err);
bool http_parser_is_complete(const struct http_parser *p);
bool http_parser_is_upgraded(const struct http_parser *p); /* what follows is not HTTP */
bool http_parser_is_idle(const struct http_parser *p);     /* nothing of a message seen yet */
void http_parser_next(struct http_parser *p);

#endif
