/*
 * limiter: slows down guessing. Each key (a user's name, a peer's address) that failed more often
 * than is natural has to wait before its next try, longer each time. Of a bounded number of keys;
 * the one that failed longest ago is forgotten first.
 *
 * Time comes from the caller. One thread.
 */
#ifndef BERTH_AUTH_LIMITER_H
#define BERTH_AUTH_LIMITER_H

#include "base/map.h"

#define LIMITER_KEYS_MAX   8192
#define LIMITER_FREE_TRIES 5    /* failures without a wait */
#define LIMITER_FIRST_MS   1000 /* doubles with each further failure */
#define LIMITER_LONGEST_MS 300000
#define LIMITER_FORGET_MS  3600000 /* without failures */

struct limiter {
    struct map keys; /* text -> struct limiter_key, the longest unchanged first */
};

void limiter_init(struct limiter *l);
void limiter_done(struct limiter *l);
/* Milliseconds to wait before the next try; 0: go ahead. */
int64_t limiter_wait_ms(const struct limiter *l, const char *key, int64_t now_ms);
/* When memory is short the failure is not counted. */
void limiter_fail(struct limiter *l, const char *key, int64_t now_ms);
void limiter_succeed(struct limiter *l, const char *key);

#endif
