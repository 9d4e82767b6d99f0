/*
 * identity: what of a request proves who asks, and what about identity must never come from
 * outside. Pure.
 */
#ifndef BERTH_GATEWAY_IDENTITY_H
#define BERTH_GATEWAY_IDENTITY_H

#include "http/parse.h"

#define DIGEST_HEX_SIZE 65

/* Headers that only the gateway sets; what comes from outside under these names is dropped. */
extern const char *const identity_headers[];
/* Cookies that are berth's: the console's and a notebook's. */
extern const char *const identity_cookies[];

enum token_place { TOKEN_NONE, TOKEN_COOKIE, TOKEN_BEARER };
/* SHA-256 (hex) of the token of a request to a notebook: `Authorization: Bearer bt_…`, else the
 * cookie (__Host-berth-open on TLS, berth-open without). NONE: nothing was written. */
enum token_place identity_token(const struct http_head *head, bool tls,
                                char ret_digest[DIGEST_HEX_SIZE]);

/* Whether a request may go to a notebook whose origin is `origin` ("https://id.domain:port").
 * - An Origin header of another place is refused for upgrades and whatever may change something
 *   (not GET or HEAD).
 * - Sec-Fetch-Site of another site is refused but for a top-level navigation by GET.
 * FORBIDDEN with words. */
int identity_check_origin(const struct http_head *head, const char *origin, struct err *err);

/* A browser that shows a page: GET that accepts text/html. */
bool identity_is_browser(const struct http_head *head);

#endif
