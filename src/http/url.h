/*
 * url: request targets and their parts. Strict: percent escapes must be whole, no NUL, decoded
 * paths are UTF-8 without "." and ".." segments, empty segments or backslashes. Results live in
 * the arena. Pure.
 */
#ifndef BERTH_HTTP_URL_H
#define BERTH_HTTP_URL_H

#include <stdbool.h>
#include <stdint.h>
#include "base/arena.h"
#include "base/err.h"

struct url_query {
    const char *name, *value; /* decoded; value "" when there is no '=' */
};

struct url_target {
    const char *path; /* decoded, begins with '/' */
    struct url_query *query;
    size_t query_count;
};

/* An origin-form target "/path?query" (RFC 9112 3.2.1). INVALID otherwise. */
int url_parse_target(const char *target, struct arena *arena, struct url_target *ret,
                     struct err *err);
const char *url_query(const struct url_target *t, const char *name); /* first value, or NULL */

/* "host", "host:port", "[v6]:port"; host without brackets, lower case; port 0 when absent. */
int url_parse_authority(const char *text, char ret_host[256], uint16_t *ret_port, struct err *err);

/* "https://host:port/base": scheme is plain or TLS. */
struct url_base {
    bool tls;
    char host[256];
    uint16_t port; /* 80 or 443 when absent */
};
int url_parse_base(const char *text, struct url_base *ret, struct err *err);

/* Appends with everything but unreserved characters escaped (RFC 3986 2.3). */
struct buf;
void url_put_escaped(struct buf *out, const char *s);

#endif
