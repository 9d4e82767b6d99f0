/*
 * loop: uv_loop_t with a queue for posts.
 */
#include "ev/loop.h"
#include <pthread.h>
#include <signal.h>
#include "base/vec.h"
#include "ev/internal.h"

struct post {
    ev_fn *fn;
    void *arg;
};

struct ev_loop {
    uv_loop_t uv;
    uv_async_t async;
    pthread_mutex_t lock;
    VEC(struct post) posts; /* under lock */
    struct ev_stream *soon, **soon_end;
    uv_prepare_t prepare; /* runs while there are corked streams */
    struct ev_stream *corked;
    struct buf cipher;
    struct sig *signals;
    bool stopped;
    char read_buffer[EV_READ_BYTES];
    char clear_buffer[SSL3_RT_MAX_PLAIN_LENGTH];
};

struct sig {
    uv_signal_t uv;
    struct sig *next;
    ev_signal_fn *fn;
    void *arg;
};

static void run_soon(struct ev_loop *loop)
{
    struct ev_stream *s = loop->soon;
    loop->soon = NULL;
    loop->soon_end = &loop->soon;
    uv_unref((uv_handle_t *)&loop->async);
    while (s) {
        struct ev_stream *next = s->soon_next;
        stream_soon(s);
        s = next;
    }
}

void loop_soon(struct ev_loop *loop, struct ev_stream *s)
{
    if (s->soon)
        return;
    s->soon = true;
    s->soon_next = NULL;
    *loop->soon_end = s;
    loop->soon_end = &s->soon_next;
    uv_ref((uv_handle_t *)&loop->async); /* something is left to wait for */
    uv_async_send(&loop->async);
}

static void end_round(uv_prepare_t *prepare)
{
    struct ev_loop *loop = prepare->data;
    while (loop->corked)
        stream_round_over(loop->corked);
}

void loop_cork(struct ev_loop *loop, struct ev_stream *s)
{
    s->cork_prev = NULL;
    s->cork_next = loop->corked;
    if (loop->corked)
        loop->corked->cork_prev = s;
    else
        uv_prepare_start(&loop->prepare, end_round);
    loop->corked = s;
}

void loop_uncork(struct ev_loop *loop, struct ev_stream *s)
{
    if (s->cork_prev)
        s->cork_prev->cork_next = s->cork_next;
    else
        loop->corked = s->cork_next;
    if (s->cork_next)
        s->cork_next->cork_prev = s->cork_prev;
    if (!loop->corked)
        uv_prepare_stop(&loop->prepare);
}

struct buf *loop_cipher(struct ev_loop *loop)
{
    return &loop->cipher;
}

char *loop_read_buffer(struct ev_loop *loop)
{
    return loop->read_buffer;
}

char *loop_clear_buffer(struct ev_loop *loop)
{
    return loop->clear_buffer;
}

static void run_posts(uv_async_t *async)
{
    struct ev_loop *loop = async->data;
    if (loop->soon)
        run_soon(loop);
    pthread_mutex_lock(&loop->lock);
    __typeof__(loop->posts) posts = loop->posts;
    loop->posts = (__typeof__(loop->posts)){0};
    pthread_mutex_unlock(&loop->lock);
    for (size_t i = 0; i < posts.len; i++)
        posts.items[i].fn(posts.items[i].arg);
    vec_done(&posts);
}

int ev_loop_new(struct ev_loop **ret, struct err *err)
{
    struct ev_loop *loop = mem_calloc(1, sizeof(*loop));
    if (!loop)
        return err_set(err, BERR_NOMEM, "out of memory");
    int rc = uv_loop_init(&loop->uv);
    if (rc < 0) {
        mem_free(loop);
        return err_errno(err, -rc, "event loop");
    }
    loop->uv.data = loop;
    loop->soon_end = &loop->soon;
    buf_init(&loop->cipher, EV_QUEUE_MAX);
    pthread_mutex_init(&loop->lock, NULL);
    rc = uv_async_init(&loop->uv, &loop->async, run_posts);
    check(rc == 0);
    loop->async.data = loop;
    uv_prepare_init(&loop->uv, &loop->prepare);
    loop->prepare.data = loop;
    uv_unref((uv_handle_t *)&loop->async);
    signal(SIGPIPE, SIG_IGN);
    *ret = loop;
    return 0;
}

static bool has_posts(struct ev_loop *loop)
{
    pthread_mutex_lock(&loop->lock);
    bool has = loop->posts.len > 0;
    pthread_mutex_unlock(&loop->lock);
    return has;
}

/* The async handle does not keep the loop running, but what was posted does. */
void ev_loop_run(struct ev_loop *loop)
{
    loop->stopped = false;
    uv_run(&loop->uv, UV_RUN_DEFAULT);
    while (!loop->stopped && has_posts(loop)) {
        run_posts(&loop->async);
        uv_run(&loop->uv, UV_RUN_DEFAULT);
    }
}

void ev_loop_stop(struct ev_loop *loop)
{
    loop->stopped = true;
    uv_stop(&loop->uv);
}

void ev_loop_poll(struct ev_loop *loop)
{
    if (uv_run(&loop->uv, UV_RUN_NOWAIT) == 0)
        run_posts(&loop->async);
}

/* What is still open at the end belongs to objects that nobody freed: their memory goes with the
 * process. The closing only lets libuv end cleanly. */
static void close_handle(uv_handle_t *handle, void *arg)
{
    (void)arg;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

static void end_linger(uv_handle_t *handle, void *arg)
{
    (void)arg;
    stream_end_linger(handle);
}

struct ev_loop *ev_loop_free(struct ev_loop *loop)
{
    if (!loop)
        return NULL;
    run_posts(&loop->async);
    uv_walk(&loop->uv, end_linger, NULL);
    uv_walk(&loop->uv, close_handle, NULL);
    while (uv_run(&loop->uv, UV_RUN_DEFAULT) != 0)
        ;
    run_posts(&loop->async); /* streams that waited for it are freed */
    uv_loop_close(&loop->uv);
    for (struct sig *s = loop->signals, *next; s; s = next) {
        next = s->next;
        mem_free(s);
    }
    buf_done(&loop->cipher);
    pthread_mutex_destroy(&loop->lock);
    vec_done(&loop->posts);
    mem_free(loop);
    return NULL;
}

struct uv_loop_s *ev_loop_uv(struct ev_loop *loop)
{
    return &loop->uv;
}

int64_t ev_now_ms(const struct ev_loop *loop)
{
    return (int64_t)uv_now(&loop->uv);
}

bool ev_post(struct ev_loop *loop, ev_fn *fn, void *arg)
{
    pthread_mutex_lock(&loop->lock);
    struct post *slot = vec_push(&loop->posts);
    if (slot)
        *slot = (struct post){.fn = fn, .arg = arg};
    pthread_mutex_unlock(&loop->lock);
    if (slot)
        uv_async_send(&loop->async);
    return slot != NULL;
}

static void on_signal(uv_signal_t *handle, int signum)
{
    struct sig *s = handle->data;
    s->fn(s->arg, signum);
}

int ev_signal(struct ev_loop *loop, int signum, ev_signal_fn *fn, void *arg, struct err *err)
{
    struct sig *s = mem_calloc(1, sizeof(*s));
    if (!s)
        return err_set(err, BERR_NOMEM, "out of memory");
    s->fn = fn;
    s->arg = arg;
    uv_signal_init(&loop->uv, &s->uv);
    s->uv.data = s;
    s->next = loop->signals;
    loop->signals = s;
    int rc = uv_signal_start(&s->uv, on_signal, signum);
    uv_unref((uv_handle_t *)&s->uv);
    return rc < 0 ? err_errno(err, -rc, "signal %d", signum) : 0;
}
