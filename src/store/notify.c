/* An uv_async of our own instead of ev_post: the answer to a commit must never be lost for want of
 * memory, and the loop has to go on while one is outstanding. */
#include <uv.h>
#include "base/alloc.h"
#include "ev/loop.h"
#include "store/internal.h"

struct notify {
    uv_async_t async;
    void (*fn)(void *arg);
    void *arg;
};

static void on_async(uv_async_t *async)
{
    struct notify *n = async->data;
    n->fn(n->arg);
}

int notify_new(struct ev_loop *loop, void (*fn)(void *arg), void *arg, struct notify **ret,
               struct err *err)
{
    struct notify *n = mem_calloc(1, sizeof(*n));
    if (n == NULL)
        return err_set(err, BERR_NOMEM, "store: out of memory");
    n->fn = fn;
    n->arg = arg;
    int rc = uv_async_init(ev_loop_uv(loop), &n->async, on_async);
    if (rc < 0) {
        mem_free(n);
        return err_errno(err, -rc, "store: cannot reach the event loop");
    }
    n->async.data = n;
    notify_hold(n, false);
    *ret = n;
    return 0;
}

void notify_send(struct notify *n)
{
    uv_async_send(&n->async);
}

void notify_hold(struct notify *n, bool is_held)
{
    if (is_held)
        uv_ref((uv_handle_t *)&n->async);
    else
        uv_unref((uv_handle_t *)&n->async);
}

static void on_closed(uv_handle_t *handle)
{
    mem_free(handle->data);
}

struct notify *notify_free(struct notify *n)
{
    if (n != NULL)
        uv_close((uv_handle_t *)&n->async, on_closed);
    return NULL;
}
