/* Growing delays in a bounded table. */
#include "auth/limiter.h"

#include "base/alloc.h"

struct limiter_key {
    uint32_t failures;
    int64_t last_ms, until_ms;
};

void limiter_init(struct limiter *l)
{
    l->keys = MAP_STR;
}

void limiter_done(struct limiter *l)
{
    void *key;
    for (size_t i = 0; map_next(&l->keys, &i, NULL, &key);)
        mem_free(key);
    map_done(&l->keys);
}

int64_t limiter_wait_ms(const struct limiter *l, const char *key, int64_t now_ms)
{
    const struct limiter_key *k = map_get(&l->keys, key);
    return k == NULL || k->until_ms <= now_ms ? 0 : k->until_ms - now_ms;
}

static void forget(struct limiter *l, const char *key)
{
    mem_free(map_remove(&l->keys, key));
}

/* Drops the oldest, and those after it that are stale as well: a few at a time. */
static void make_room(struct limiter *l, int64_t now_ms)
{
    const char *oldest;
    void *value;
    for (int n = 0; n < 4; n++) {
        size_t i = 0;
        if (!map_next(&l->keys, &i, &oldest, &value))
            return;
        const struct limiter_key *k = value;
        bool is_stale = now_ms - k->last_ms > LIMITER_FORGET_MS;
        if (!is_stale && l->keys.len < LIMITER_KEYS_MAX)
            return;
        forget(l, oldest);
    }
}

static int64_t delay_ms(uint32_t failures)
{
    if (failures < LIMITER_FREE_TRIES)
        return 0;
    uint32_t doublings = failures - LIMITER_FREE_TRIES;
    if (doublings > 20)
        return LIMITER_LONGEST_MS;
    int64_t delay = (int64_t)LIMITER_FIRST_MS << doublings;
    return delay < LIMITER_LONGEST_MS ? delay : LIMITER_LONGEST_MS;
}

void limiter_fail(struct limiter *l, const char *key, int64_t now_ms)
{
    struct limiter_key now = {0};
    const struct limiter_key *old = map_get(&l->keys, key);
    if (old != NULL && now_ms - old->last_ms <= LIMITER_FORGET_MS)
        now = *old;
    now.failures++;
    now.last_ms = now_ms;
    now.until_ms = now_ms + delay_ms(now.failures);
    forget(l, key); /* and put anew: the order of the map is the order of the last failure */
    make_room(l, now_ms);
    struct limiter_key *k = mem_alloc(sizeof(*k));
    if (k == NULL)
        return;
    *k = now;
    if (map_put(&l->keys, key, k) < 0)
        mem_free(k);
}

void limiter_succeed(struct limiter *l, const char *key)
{
    forget(l, key);
}
