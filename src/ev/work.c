/*
 * work: libuv's thread pool.
 */
#include "ev/work.h"
#include <stddef.h>
#include <uv.h>
#include "base/alloc.h"

struct work {
    uv_work_t uv;
    ev_fn *run, *done;
    void *message;
};

static void on_worker(uv_work_t *uv)
{
    struct work *w = uv->data;
    w->run(w->message);
}

static void on_loop(uv_work_t *uv, int status)
{
    struct work *w = uv->data;
    (void)status; /* never canceled: nobody keeps the handle */
    w->done(w->message);
    mem_free(w);
}

int ev_work(struct ev_loop *loop, ev_fn *run, ev_fn *done, void *message, struct err *err)
{
    struct work *w = mem_calloc(1, sizeof(*w));
    if (!w)
        return err_set(err, BERR_NOMEM, "out of memory");
    *w = (struct work){.run = run, .done = done, .message = message};
    w->uv.data = w;
    int rc = uv_queue_work(ev_loop_uv(loop), &w->uv, on_worker, on_loop);
    if (rc < 0) {
        mem_free(w);
        return err_errno(err, -rc, "worker");
    }
    return 0;
}
