/*
 * loopback: raw sockets against a loop in the same thread, so that a test sees the very bytes.
 * Everything runs the loop while it waits, and fails the test after ten seconds.
 */
#ifndef BERTH_TEST_EV_LOOPBACK_H
#define BERTH_TEST_EV_LOOPBACK_H

#include <stdbool.h>
#include "base/buf.h"
#include "ev/loop.h"
#include "testlib.h"

int64_t loopback_now_ms(void);
/* Runs the loop until *flag; fails the test when it takes too long. */
void loopback_until(struct ev_loop *loop, const bool *flag);
void loopback_until_count(struct ev_loop *loop, const int *count, int least);
/* A few rounds, for what must not happen. */
void loopback_settle(struct ev_loop *loop);

int loopback_connect(uint16_t port);
void loopback_send(struct ev_loop *loop, int fd, const void *data, size_t len);
void loopback_puts(struct ev_loop *loop, int fd, const char *text);
/* Reads until the text holds `part`; true, or false at the end of the stream. */
bool loopback_read_until(struct ev_loop *loop, int fd, struct buf *in, const char *part);
/* Reads to the end. */
void loopback_read_all(struct ev_loop *loop, int fd, struct buf *in);

#endif
