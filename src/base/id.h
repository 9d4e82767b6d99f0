/*
 * id: short names for things, 50 random bits as 10 characters of lower-case base32 without
 * i, l, o and u (Crockford's alphabet), so that an id can be read aloud and used as a DNS label.
 * The first character is always a letter. Ids are distinct one-member structs per kind.
 * Zero is "none". Pure, any thread.
 */
#ifndef BERTH_BASE_ID_H
#define BERTH_BASE_ID_H

#include <stdbool.h>
#include <stdint.h>

#define ID_TEXT_LEN  10
#define ID_TEXT_SIZE (ID_TEXT_LEN + 1)

/* Makes a valid non-zero id value out of 64 random bits. */
uint64_t id_from_random(uint64_t random);
const char *id_format(char dst[ID_TEXT_SIZE], uint64_t v); /* returns dst; "" for zero */
bool id_parse(const char *s, uint64_t *ret);               /* false unless exactly such a text */

#endif
