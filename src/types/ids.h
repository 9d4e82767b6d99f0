/*
 * ids: one struct per kind of thing, so that the compiler refuses a project where a user belongs.
 * Text form and rules: base/id.h. `.v == 0` means none.
 */
#ifndef BERTH_TYPES_IDS_H
#define BERTH_TYPES_IDS_H

#include <stdbool.h>
#include <stdint.h>
#include "base/id.h"

struct project_id {
    uint64_t v;
};
struct user_id {
    uint64_t v;
};
struct token_id {
    uint64_t v;
};
struct workload_id {
    uint64_t v;
};
struct image_id {
    uint64_t v;
};
struct volume_id {
    uint64_t v;
};
struct node_id {
    uint64_t v;
};

/* An attempt is named by its workload, its number (1, 2, …) and its fence, which only grows over
 * the whole installation. Text form `WORKLOAD/NUMBER/FENCE`: the key that engines see. */
struct attempt_key {
    struct workload_id workload;
    uint32_t number;
    uint64_t fence;
};
#define ATTEMPT_KEY_TEXT_SIZE (ID_TEXT_SIZE + 1 + 10 + 1 + 20)
const char *attempt_key_format(char dst[ATTEMPT_KEY_TEXT_SIZE], struct attempt_key key);
bool attempt_key_parse(const char *s, struct attempt_key *ret);
bool attempt_key_is_equal(struct attempt_key a, struct attempt_key b);

#endif
