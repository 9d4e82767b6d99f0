/*
 * os/digest: SHA-256, as 32 bytes. Digests come in as text exactly once, at the edge, and are
 * parsed to bytes there; file names are made from the bytes. Any thread, one at a time per object.
 */
#ifndef BERTH_OS_DIGEST_H
#define BERTH_OS_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"

struct digest {
    uint8_t bytes[32];
};
#define DIGEST_HEX_SIZE 65

/* 64 lower-case hex digits, with or without "sha256:" in front; false for anything else. */
bool digest_parse(const char *s, struct digest *ret);
const char *digest_hex(char dst[DIGEST_HEX_SIZE], const struct digest *d); /* returns dst */
bool digest_is_equal(const struct digest *a, const struct digest *b);
int digest_compare(const struct digest *a, const struct digest *b); /* like memcmp */

/* Piece by piece: new, add…, then end, which also frees. NULL when memory is short. */
struct digest_state;
struct digest_state *digest_new(void);
void digest_add(struct digest_state *s, const void *data, size_t len);
void digest_end(struct digest_state *s, struct digest *ret);
struct digest_state *digest_free(struct digest_state *s); /* without an end; NULL allowed */
void digest_freep(struct digest_state **s);

/* At once; NOMEM. */
int digest_of(const void *data, size_t len, struct digest *ret, struct err *err);

#endif
