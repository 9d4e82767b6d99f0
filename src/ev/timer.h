/*
 * timer: one-shot and repeating timers on the monotonic clock. May be started, stopped and freed
 * from inside its own callback. Loop thread.
 */
#ifndef BERTH_EV_TIMER_H
#define BERTH_EV_TIMER_H

#include "ev/loop.h"

struct ev_timer;

struct ev_timer *ev_timer_new(struct ev_loop *loop, ev_fn *fn, void *arg); /* NULL: no memory */
struct ev_timer *ev_timer_free(struct ev_timer *t);                        /* NULL allowed */
/* (Re)starts: first after `after_ms`, then every `repeat_ms` (0: once). */
void ev_timer_start(struct ev_timer *t, int64_t after_ms, int64_t repeat_ms);
void ev_timer_stop(struct ev_timer *t);
bool ev_timer_is_active(const struct ev_timer *t);

#endif
