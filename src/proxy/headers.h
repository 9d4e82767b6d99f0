/*
 * headers: which header lines of a message go on to the next hop. Hop-by-hop ones never do (RFC 9110
 * 7.6.1: those of the list there and those that Connection names), nor Host, Content-Length and
 * Expect, which the next connection gets its own of. Pure.
 */
#ifndef BERTH_PROXY_HEADERS_H
#define BERTH_PROXY_HEADERS_H

#include "http/server.h"

struct proxy_rules {
    /* Further names that end here, NULL-terminated; one that ends in '*' is a beginning. May be
     * NULL, as the following. */
    const char *const *strip;
    const char *const *strip_cookies; /* names of cookies that end here */
    const char *strip_one;            /* one more name */
};

/* Appends lines, each with its CRLF. upgrade: the wish for another protocol goes on. */
void proxy_put_request_headers(const struct http_head *head, const struct proxy_rules *rules,
                               bool upgrade, struct buf *out);
/* What of an answer goes back; without Date, which our server sets. */
bool proxy_is_answer_header(const struct http_head *head, const struct http_header *h,
                            const struct proxy_rules *rules);

/* Appends a Cookie value without the named cookies; nothing when none is left. */
void proxy_put_cookies(const char *value, const char *const *names, struct buf *out);

#endif
