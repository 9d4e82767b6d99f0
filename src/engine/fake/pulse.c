/* Real time for a fake world: one timer, set to when something is due next. */
#include "engine/fake/pulse.h"

#include "base/alloc.h"
#include "engine/fake/world.h"
#include "ev/timer.h"
#include "os/clock.h"

#define PULSE_MOST_MS 3600000

struct fake_pulse {
    struct fake_world *world;
    struct ev_timer *timer;
};

static void pulse_set(void *arg)
{
    struct fake_pulse *p = arg;
    const struct os_clock *clock = p->world->clock;
    int64_t next_ms = fake_next_ms(p->world);
    if (next_ms == INT64_MAX) {
        ev_timer_stop(p->timer);
        return;
    }
    int64_t after_ms = next_ms - clock->mono_ms(clock->arg);
    if (after_ms > PULSE_MOST_MS)
        after_ms = PULSE_MOST_MS;
    ev_timer_start(p->timer, after_ms < 0 ? 0 : after_ms, 0);
}

static void pulse_beat(void *arg)
{
    struct fake_pulse *p = arg;
    fake_advance(p->world);
    pulse_set(p);
}

int fake_pulse_new(struct fake_world *w, struct ev_loop *loop, struct fake_pulse **ret,
                   struct err *err)
{
    struct fake_pulse *p = mem_calloc(1, sizeof(*p));
    struct ev_timer *timer = p == NULL ? NULL : ev_timer_new(loop, pulse_beat, p);
    if (timer == NULL) {
        mem_free(p);
        return err_set(err, BERR_NOMEM, "no memory for the fake engine");
    }
    p->world = w;
    p->timer = timer;
    w->changed = pulse_set;
    w->changed_arg = p;
    pulse_set(p);
    *ret = p;
    return 0;
}

struct fake_pulse *fake_pulse_free(struct fake_pulse *p)
{
    if (p == NULL)
        return NULL;
    p->world->changed = NULL;
    ev_timer_free(p->timer);
    mem_free(p);
    return NULL;
}
