/*
 * verdicts: a map from token digest to its verdicts by route, and one list of all by age.
 */
#include "gateway/verdicts.h"
#include <string.h>
#include "base/alloc.h"
#include "base/limits.h"
#include "base/map.h"
#include "base/str.h"

struct entry {
    struct verdict verdict;
    char digest[DIGEST_HEX_SIZE];
    uint64_t route;
    struct entry *sibling; /* of the same digest */
    struct entry *older, *younger;
};

struct verdicts {
    struct map by_digest; /* digest -> first struct entry */
    struct entry *oldest, *youngest;
    size_t count, max;
};

struct verdicts *verdicts_new(size_t max)
{
    struct verdicts *v = mem_calloc(1, sizeof(*v));
    if (!v)
        return NULL;
    v->by_digest = MAP_STR;
    v->max = max;
    return v;
}

struct verdicts *verdicts_free(struct verdicts *v)
{
    if (v) {
        verdicts_revoke(v, NULL);
        map_done(&v->by_digest);
        mem_free(v);
    }
    return NULL;
}

static void unlink_age(struct verdicts *v, struct entry *e)
{
    if (e->older)
        e->older->younger = e->younger;
    else
        v->oldest = e->younger;
    if (e->younger)
        e->younger->older = e->older;
    else
        v->youngest = e->older;
}

static void drop(struct verdicts *v, struct entry *e)
{
    struct entry *first = map_get(&v->by_digest, e->digest);
    if (first != e) {
        while (first->sibling != e)
            first = first->sibling;
        first->sibling = e->sibling;
    } else if (e->sibling) {
        map_put(&v->by_digest, e->digest, e->sibling); /* the key is there: needs no memory */
    } else {
        map_remove(&v->by_digest, e->digest);
    }
    unlink_age(v, e);
    v->count--;
    mem_free(e);
}

static struct entry *find(struct verdicts *v, const char *digest, uint64_t route)
{
    struct entry *e = map_get(&v->by_digest, digest);
    while (e && e->route != route)
        e = e->sibling;
    return e;
}

const struct verdict *verdicts_get(struct verdicts *v, const char *digest, uint64_t route,
                                   int64_t now_ms)
{
    struct entry *e = find(v, digest, route);
    if (e && now_ms >= e->verdict.until_ms) {
        drop(v, e);
        e = NULL;
    }
    return e ? &e->verdict : NULL;
}

void verdicts_put(struct verdicts *v, const char *digest, uint64_t route,
                  const struct verdict *verdict, int64_t now_ms)
{
    struct entry *e = find(v, digest, route);
    int64_t most = now_ms + (verdict->allow ? LIMIT_VERDICT_MS : REFUSAL_MS);
    if (e)
        drop(v, e);
    if (verdict->until_ms <= now_ms)
        return;
    if (v->count >= v->max)
        drop(v, v->oldest);
    e = mem_calloc(1, sizeof(*e));
    if (!e)
        return;
    e->verdict = *verdict;
    if (e->verdict.until_ms > most)
        e->verdict.until_ms = most;
    str_copy(e->digest, sizeof(e->digest), digest);
    e->route = route;
    e->sibling = map_get(&v->by_digest, digest);
    if (map_put(&v->by_digest, digest, e) < 0) {
        mem_free(e);
        return;
    }
    e->older = v->youngest;
    if (v->youngest)
        v->youngest->younger = e;
    else
        v->oldest = e;
    v->youngest = e;
    v->count++;
}

void verdicts_revoke(struct verdicts *v, const char *digest)
{
    struct entry *e;
    if (digest)
        while ((e = map_get(&v->by_digest, digest)))
            drop(v, e);
    else
        while ((e = v->oldest))
            drop(v, e);
}

size_t verdicts_count(const struct verdicts *v)
{
    return v->count;
}
