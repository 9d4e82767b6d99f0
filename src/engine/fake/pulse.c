/* Real time for a fake world. */
#include "engine/fake/pulse.h"

int fake_pulse_new(struct fake_world *w, struct ev_loop *loop, struct fake_pulse **ret,
                   struct err *err)
{
    (void)w, (void)loop, (void)ret;
    return err_set(err, BERR_UNSUPPORTED, "the fake engine does not run on a loop yet");
}

struct fake_pulse *fake_pulse_free(struct fake_pulse *p)
{
    (void)p;
    return NULL;
}
