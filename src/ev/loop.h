/*
 * loop: one libuv loop on one thread, with what everybody needs of it: posting from other threads,
 * signals, and an end that closes what is left.
 *
 * Everything in ev/ belongs to the loop's thread; ev_post alone may be called from any.
 */
#ifndef BERTH_EV_LOOP_H
#define BERTH_EV_LOOP_H

#include <stdint.h>
#include "base/err.h"

struct ev_loop;
struct uv_loop_s;
typedef void ev_fn(void *arg);

int ev_loop_new(struct ev_loop **ret, struct err *err);
/* Runs until ev_loop_stop, or until nothing is left to wait for. */
void ev_loop_run(struct ev_loop *loop);
void ev_loop_stop(struct ev_loop *loop);
/* One round without waiting: for tests. */
void ev_loop_poll(struct ev_loop *loop);
/* Closes every handle left on the loop (their callbacks are not called) and frees it. */
struct ev_loop *ev_loop_free(struct ev_loop *loop);

struct uv_loop_s *ev_loop_uv(struct ev_loop *loop);
int64_t ev_now_ms(const struct ev_loop *loop); /* monotonic, of this round */

/* Runs fn on the loop's thread, soon, in the order of posting. Any thread. NOMEM ends in false. */
bool ev_post(struct ev_loop *loop, ev_fn *fn, void *arg);

typedef void ev_signal_fn(void *arg, int signum);
int ev_signal(struct ev_loop *loop, int signum, ev_signal_fn *fn, void *arg, struct err *err);

#endif
