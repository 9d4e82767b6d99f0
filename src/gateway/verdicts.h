/*
 * verdicts: what berthd said about tokens and routes, kept until it runs out or is revoked. Bounded:
 * the oldest go first. Time is passed in (wall clock, milliseconds). Pure but for memory; one
 * thread.
 */
#ifndef BERTH_GATEWAY_VERDICTS_H
#define BERTH_GATEWAY_VERDICTS_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "gateway/identity.h"

#define REFUSAL_MS 1000 /* kept at most: a login, a new member may change it */

struct verdict {
    bool allow;
    int64_t until_ms;
    enum berr code; /* of a refusal */
    char user[64];
};

struct verdicts;
struct verdicts *verdicts_new(size_t max); /* NULL: no memory */
struct verdicts *verdicts_free(struct verdicts *v);

/* NULL: not known, or no longer. Valid until the next call that changes something. */
const struct verdict *verdicts_get(struct verdicts *v, const char *digest, uint64_t route,
                                   int64_t now_ms);
/* Cut to LIMIT_VERDICT_MS, refusals to REFUSAL_MS. Without memory it is not kept. */
void verdicts_put(struct verdicts *v, const char *digest, uint64_t route,
                  const struct verdict *verdict, int64_t now_ms);
void verdicts_revoke(struct verdicts *v, const char *digest); /* NULL: all */
size_t verdicts_count(const struct verdicts *v);

#endif
