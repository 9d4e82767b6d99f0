/*
 * replay_stats: what is measured while a trace is played, and how it is told.
 */
#ifndef BERTH_SIM_REPLAY_STATS_H
#define BERTH_SIM_REPLAY_STATS_H

#include "sim/replay.h"

int stats_init(struct replay *r, struct err *err);
/* Before time moves on to until_ms. */
void stats_sample(struct replay *r, int64_t until_ms);
/* JSON to out; also the page when report names a file. */
int stats_print(struct replay *r, const char *policy, const char *report, struct buf *out,
                struct err *err);

#endif
