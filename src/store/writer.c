/*
 * Group commit: the store thread takes every batch that waits, writes them in one transaction and
 * waits once for the disk. While it waits, the next batches gather.
 */
#include <string.h>
#include "base/limits.h"
#include "store/internal.h"

void batch_queue_push(struct batch_queue *q, struct store_batch *b)
{
    b->next = NULL;
    if (q->last == NULL)
        q->first = b;
    else
        q->last->next = b;
    q->last = b;
}

static bool has_rows(const struct store_batch *b)
{
    return !b->is_refused && b->op_count > 0;
}

static int apply_all(struct store *s, struct store_batch *group, struct err *err)
{
    for (struct store_batch *b = group; b != NULL; b = b->next) {
        if (!has_rows(b))
            continue;
        if (b->is_full_once) {
            b->is_full_once = false;
            return err_set(err, BERR_NO_SPACE, "store: failed because a test wants it");
        }
        b->rc = s->driver->apply(s->db, b, &b->err);
        if (b->rc < 0 && !driver_rc_is_of_batch(b->rc)) {
            *err = b->err;
            return b->rc;
        }
    }
    return s->driver->commit(s->db, err);
}

static int run_transaction(struct store *s, struct store_batch *group, struct err *err)
{
    if (s->is_broken) {
        *err = s->broken_err;
        return -(int)err->code;
    }
    int rc = s->driver->begin(s->db, err);
    if (rc == 0) {
        rc = apply_all(s, group, err);
        if (rc < 0)
            s->driver->rollback(s->db);
    }
    /* After a failed write or fsync nobody knows what the disk holds: write no more on top of it. */
    if (rc < 0 && rc != -BERR_NO_SPACE && rc != -BERR_NOMEM) {
        s->is_broken = true;
        s->broken_err = *err;
    }
    return rc;
}

static void count(struct store *s, const struct store_batch *group, uint64_t took_us)
{
    uv_mutex_lock(&s->lock);
    s->metrics.transactions++;
    s->metrics.commit_us_total += took_us;
    for (const struct store_batch *b = group; b != NULL; b = b->next) {
        if (!has_rows(b) || b->rc < 0)
            continue;
        s->metrics.batches++;
        s->metrics.rows += b->op_count;
        s->metrics.bytes += b->arena.used_bytes;
    }
    uv_mutex_unlock(&s->lock);
}

/* Waits a while for room on the disk. False: no, the answer is wanted now. */
static bool wait_for_room(struct store *s)
{
    uint64_t until_ns = uv_hrtime() + LIMIT_STORE_FULL_RETRY_MS * 1000000ull, now_ns;
    uv_mutex_lock(&s->lock);
    s->metrics.no_space++;
    while (s->loop != NULL && !s->is_closing && (now_ns = uv_hrtime()) < until_ns)
        uv_cond_timedwait(&s->closing_comes, &s->lock, until_ns - now_ns);
    bool is_ended = s->loop == NULL || s->is_closing;
    uv_mutex_unlock(&s->lock);
    return !is_ended;
}

void store_write_group(struct store *s, struct store_batch *group)
{
    bool is_wanted = false;
    for (const struct store_batch *b = group; b != NULL; b = b->next)
        is_wanted |= has_rows(b);
    if (!is_wanted)
        return;
    struct err err;
    int rc;
    for (;;) {
        uint64_t start_ns = uv_hrtime();
        rc = run_transaction(s, group, &err);
        if (rc == 0)
            count(s, group, (uv_hrtime() - start_ns) / 1000);
        if (rc != -BERR_NO_SPACE)
            break;
        atomic_store(&s->is_full, s->loop != NULL);
        if (!wait_for_room(s))
            break;
    }
    atomic_store(&s->is_full, false);
    for (struct store_batch *b = group; rc < 0 && b != NULL; b = b->next) {
        if (b->is_refused)
            continue;
        b->rc = rc;
        b->err = err;
    }
}

void store_writer_main(void *arg)
{
    struct store *s = arg;
    uv_mutex_lock(&s->lock);
    for (;;) {
        while (s->batches.first == NULL && !s->is_stopping)
            uv_cond_wait(&s->batches_come, &s->lock);
        if (s->batches.first == NULL)
            break;
        struct batch_queue group = s->batches;
        s->batches = (struct batch_queue){0};
        uv_mutex_unlock(&s->lock);
        store_write_group(s, group.first);
        uv_mutex_lock(&s->lock);
        for (struct store_batch *b = group.first; b != NULL; b = b->next)
            s->batches_waiting--;
        if (s->batches_done.last == NULL)
            s->batches_done = group;
        else {
            s->batches_done.last->next = group.first;
            s->batches_done.last = group.last;
        }
        notify_send(s->notify);
        uv_cond_signal(&s->answers_come);
    }
    uv_mutex_unlock(&s->lock);
}
