/*
 * learn: run times learned from what has ended, for one group of alike work (user, project, name,
 * size: the caller decides). Nobody has to say how long his job takes.
 *
 * A value without pointers: may be copied and stored. Pure, any thread, one at a time per struct.
 */
#ifndef BERTH_SCHED_LEARN_H
#define BERTH_SCHED_LEARN_H

#include <stdbool.h>
#include <stdint.h>

#define SCHED_LEARN_BINS 96 /* quarter powers of two of seconds: up to a year and more */

struct sched_history {
    uint32_t bins[SCHED_LEARN_BINS];
    uint32_t count;
};

void sched_history_add(struct sched_history *h, int64_t run_ms);
/* Expected whole run time (a middle value) of work that has run for served_ms already, and its
 * spread (half of the range between the quarters). False while fewer than 3 runs are known that
 * took longer. */
bool sched_history_expect(const struct sched_history *h, int64_t served_ms, int64_t *ret_expect_ms,
                          int64_t *ret_spread_ms);

#endif
