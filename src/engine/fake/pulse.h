/*
 * pulse: lets a fake world advance by itself in real time, by one timer of the loop. The loop's
 * thread.
 */
#ifndef BERTH_ENGINE_FAKE_PULSE_H
#define BERTH_ENGINE_FAKE_PULSE_H

#include "engine/fake/fake.h"

struct fake_pulse;

int fake_pulse_new(struct fake_world *w, struct ev_loop *loop, struct fake_pulse **ret,
                   struct err *err);
struct fake_pulse *fake_pulse_free(struct fake_pulse *p); /* returns NULL; NULL allowed */

#endif
