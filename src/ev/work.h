/*
 * work: something that blocks, done on a worker thread with a message of its own.
 *
 * run gets the message alone: it touches nothing else. done gets it back on the loop thread and
 * frees it.
 */
#ifndef BERTH_EV_WORK_H
#define BERTH_EV_WORK_H

#include "ev/loop.h"

/* NOMEM: neither run nor done is called. */
int ev_work(struct ev_loop *loop, ev_fn *run, ev_fn *done, void *message, struct err *err);

#endif
