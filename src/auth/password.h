/*
 * password: argon2id over libsodium. Slow and memory-hungry on purpose: tens of milliseconds, so
 * never on the loop thread outside of tests and tools (auth_login and auth_hash_password use a
 * worker). Pure, any thread.
 */
#ifndef BERTH_AUTH_PASSWORD_H
#define BERTH_AUTH_PASSWORD_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"

#define PASSWORD_HASH_SIZE 160 /* of user.password_hash */
#define PASSWORD_MIN_BYTES 8
#define PASSWORD_MAX_BYTES 512

struct password_cost {
    uint64_t passes;       /* 0: 2 */
    uint64_t memory_bytes; /* 0: 64 MiB */
};
#define PASSWORD_COST_TESTS ((struct password_cost){.passes = 1, .memory_bytes = 8192})

/* Length and printable UTF-8; INVALID says what is wrong, never the password. */
int password_check(const char *password, struct err *err);
/* Checks, then hashes with a fresh salt. NOMEM when the memory is not there. */
int password_hash(const char *password, const struct password_cost *cost,
                  char ret_hash[PASSWORD_HASH_SIZE], struct err *err);
/* Constant time for a given hash. False for a hash that is none ("" too, after the same work as a
 * wrong password at `cost`). */
bool password_is_right(const char *password, const char *hash, const struct password_cost *cost);

#endif
