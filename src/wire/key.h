/*
 * wire/key: the name of one task of an attempt. Pure, any thread.
 */
#ifndef BERTH_WIRE_KEY_H
#define BERTH_WIRE_KEY_H

#include <stdbool.h>
#include <stdint.h>

struct wire_key {
    uint64_t workload;
    uint64_t number, fence, index;
};
#define WIRE_KEY_TEXT_SIZE 80
/* "WORKLOAD.NUMBER.FENCE.INDEX": its name on disk, in cgroups and in lists. */
const char *wire_key_format(char dst[WIRE_KEY_TEXT_SIZE], const struct wire_key *key);
bool wire_key_parse(const char *s, struct wire_key *ret);
bool wire_key_is_equal(const struct wire_key *a, const struct wire_key *b);

#endif
