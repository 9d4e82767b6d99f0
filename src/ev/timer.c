/*
 * timer: uv_timer_t whose memory lives until libuv has closed it.
 */
#include "ev/timer.h"
#include <stddef.h>
#include <uv.h>
#include "base/alloc.h"

struct ev_timer {
    uv_timer_t uv;
    ev_fn *fn;
    void *arg;
};

static void fire(uv_timer_t *uv)
{
    struct ev_timer *t = uv->data;
    t->fn(t->arg);
}

struct ev_timer *ev_timer_new(struct ev_loop *loop, ev_fn *fn, void *arg)
{
    struct ev_timer *t = mem_calloc(1, sizeof(*t));
    if (!t)
        return NULL;
    uv_timer_init(ev_loop_uv(loop), &t->uv);
    t->uv.data = t;
    t->fn = fn;
    t->arg = arg;
    return t;
}

static void closed(uv_handle_t *handle)
{
    mem_free(handle->data);
}

struct ev_timer *ev_timer_free(struct ev_timer *t)
{
    if (t) {
        uv_timer_stop(&t->uv);
        uv_close((uv_handle_t *)&t->uv, closed);
    }
    return NULL;
}

void ev_timer_start(struct ev_timer *t, int64_t after_ms, int64_t repeat_ms)
{
    uv_update_time(t->uv.loop);
    uv_timer_start(&t->uv, fire, after_ms > 0 ? (uint64_t)after_ms : 0,
                   repeat_ms > 0 ? (uint64_t)repeat_ms : 0);
}

void ev_timer_stop(struct ev_timer *t)
{
    uv_timer_stop(&t->uv);
}

bool ev_timer_is_active(const struct ev_timer *t)
{
    return uv_is_active((const uv_handle_t *)&t->uv);
}
