/* The front: opening, closing, taking batches in, calling back on the loop thread in order. */
#include "store/store.h"

#include <string.h>
#include "base/alloc.h"
#include "base/limits.h"
#include "base/str.h"
#include "store/internal.h"

static const struct store_driver *const drivers[] = {&store_driver_sqlite, &store_driver_memory};

static const struct store_driver *find_driver(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(drivers); i++)
        if (str_is_equal(drivers[i]->name, name))
            return drivers[i];
    return NULL;
}

bool store_must_fail(struct store *s, struct err *err)
{
    if (s->fail_left == 0 || --s->fail_left > 0)
        return false;
    err_set(err, s->fail_code, "store: failed because a test wants it");
    return true;
}

/* ---- answers ---- */

size_t store_unanswered(const struct store *s)
{
    return s->batches_unanswered + s->reads_unanswered;
}

static void call_back_batches(struct store *s, struct store_batch *b)
{
    while (b != NULL) {
        struct store_batch *next = b->next;
        s->batches_unanswered--;
        if (b->fn != NULL)
            b->fn(b->arg, b->rc, b->rc < 0 ? &b->err : NULL);
        store_batch_free(b);
        b = next;
    }
}

static void call_back_reads(struct store *s, struct read *r)
{
    while (r != NULL) {
        struct read *next = read_next(r);
        s->reads_unanswered--;
        read_deliver(r);
        r = next;
    }
}

/* Loop thread: hands out what is done. */
static void answer(void *arg)
{
    struct store *s = arg;
    uv_mutex_lock(&s->lock);
    struct store_batch *batches = s->batches_done.first;
    struct read *reads = s->reads_done.first;
    s->batches_done = (struct batch_queue){0};
    s->reads_done = (struct read_queue){0};
    uv_mutex_unlock(&s->lock);
    s->is_calling_back = true;
    call_back_batches(s, batches);
    call_back_reads(s, reads);
    s->is_calling_back = false;
    if (store_unanswered(s) == 0)
        notify_hold(s->notify, false);
}

/* ---- opening and closing ---- */

static void init_locks(struct store *s)
{
    int rc = uv_mutex_init(&s->lock);
    rc |= uv_cond_init(&s->batches_come) | uv_cond_init(&s->reads_come);
    rc |= uv_cond_init(&s->closing_comes) | uv_cond_init(&s->answers_come);
    check(rc == 0);
}

static void destroy(struct store *s)
{
    notify_free(s->notify);
    if (s->db != NULL)
        s->driver->close(s->db);
    uv_cond_destroy(&s->batches_come);
    uv_cond_destroy(&s->reads_come);
    uv_cond_destroy(&s->closing_comes);
    uv_cond_destroy(&s->answers_come);
    uv_mutex_destroy(&s->lock);
    mem_free(s);
}

static void stop_thread(struct store *s, uv_thread_t *thread)
{
    uv_mutex_lock(&s->lock);
    s->is_stopping = true;
    uv_cond_broadcast(&s->batches_come);
    uv_cond_broadcast(&s->reads_come);
    uv_mutex_unlock(&s->lock);
    uv_thread_join(thread);
}

static int start_threads(struct store *s, struct err *err)
{
    int rc = notify_new(s->loop, answer, s, &s->notify, err);
    if (rc < 0)
        return rc;
    rc = uv_thread_create(&s->writer, store_writer_main, s);
    if (rc < 0)
        return err_errno(err, -rc, "store: cannot start a thread");
    rc = uv_thread_create(&s->reader, store_reader_main, s);
    if (rc == 0)
        return 0;
    stop_thread(s, &s->writer);
    return err_errno(err, -rc, "store: cannot start a thread");
}

int store_open(const struct store_config *cfg, struct ev_loop *loop, struct store **ret,
               struct err *err)
{
    const struct store_driver *driver = find_driver(cfg->driver);
    if (driver == NULL)
        return err_set(err, BERR_INVALID, "store: there is no driver '%s'", cfg->driver);
    struct store *s = mem_calloc(1, sizeof(*s));
    if (s == NULL)
        return err_set(err, BERR_NOMEM, "store: out of memory");
    s->driver = driver;
    s->loop = loop;
    s->fail_left = cfg->fail_at;
    s->fail_code = cfg->fail_code;
    init_locks(s);
    int rc = driver->open(cfg, &s->db, err);
    if (rc == 0 && loop != NULL)
        rc = start_threads(s, err);
    if (rc < 0) {
        destroy(s);
        return rc;
    }
    *ret = s;
    return 0;
}

/* Callbacks may give in more: that is waited for as well. */
static void finish_all(struct store *s)
{
    while (store_unanswered(s) > 0) {
        uv_mutex_lock(&s->lock);
        s->is_closing = true;
        uv_cond_signal(&s->closing_comes);
        while (s->batches_waiting + s->reads_waiting > 0)
            uv_cond_wait(&s->answers_come, &s->lock);
        uv_mutex_unlock(&s->lock);
        answer(s);
    }
}

struct store *store_close(struct store *s)
{
    if (s == NULL)
        return NULL;
    check(!s->is_calling_back);
    if (s->loop != NULL) {
        finish_all(s);
        stop_thread(s, &s->writer);
        stop_thread(s, &s->reader);
    }
    destroy(s);
    return NULL;
}

/* ---- writing ---- */

static void inject_failure(struct store *s, struct store_batch *b)
{
    struct err err;
    if (!store_must_fail(s, &err))
        return;
    if (err.code != BERR_NO_SPACE || s->loop == NULL)
        batch_refuse(b, &err);
    else
        b->is_full_once = true;
}

void store_commit(struct store *s, struct store_batch *b, store_done_fn *fn, void *arg)
{
    b->fn = fn;
    b->arg = arg;
    b->next = NULL;
    inject_failure(s, b);
    if (s->batches_unanswered >= LIMIT_STORE_PENDING) {
        /* It still takes its place in the order of answers. */
        struct err err;
        err_set(&err, BERR_BUSY, "store: too many changes wait for the disk");
        batch_refuse(b, &err);
    }
    if (s->loop != NULL && store_unanswered(s) == 0)
        notify_hold(s->notify, true);
    s->batches_unanswered++;
    if (s->loop == NULL) {
        store_write_group(s, b);
        call_back_batches(s, b);
        return;
    }
    uv_mutex_lock(&s->lock);
    s->batches_waiting++;
    batch_queue_push(&s->batches, b);
    uv_cond_signal(&s->batches_come);
    uv_mutex_unlock(&s->lock);
}

bool store_is_full(const struct store *s)
{
    return atomic_load(&s->is_full);
}

/* ---- reading at start; metrics ---- */

int store_load(struct store *s, int64_t recent_ms, const struct store_visitor *v,
               struct store_heads *ret_heads, struct err *err)
{
    if (store_must_fail(s, err))
        return -(int)s->fail_code;
    check(store_unanswered(s) == 0);
    return s->driver->load(s->db, recent_ms, v, ret_heads, err);
}

void store_get_metrics(const struct store *s, struct store_metrics *ret)
{
    uv_mutex_t *lock = (uv_mutex_t *)(uintptr_t)&s->lock;
    uv_mutex_lock(lock);
    *ret = s->metrics;
    uv_mutex_unlock(lock);
}
