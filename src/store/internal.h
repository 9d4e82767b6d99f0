/*
 * internal: the store object, shared by store.c (front), writer.c (store thread) and reader.c
 * (reader thread). Inside store only.
 *
 * What the loop thread and the two threads share stands under `lock`. A batch or a read belongs to
 * the loop thread until it is queued, to its thread until it is in a done list, and to the loop
 * thread again afterwards.
 */
#ifndef BERTH_STORE_INTERNAL_H
#define BERTH_STORE_INTERNAL_H

#include <stdatomic.h>
#include <uv.h>
#include "store/driver.h"

struct notify;
struct read;

struct batch_queue {
    struct store_batch *first, *last;
};
struct read_queue {
    struct read *first, *last;
};

struct store {
    const struct store_driver *driver;
    void *db;
    struct ev_loop *loop; /* NULL: everything at once, no threads */
    struct notify *notify;
    uint64_t fail_left; /* commits and reads until the one that fails; 0: none */
    enum berr fail_code;
    size_t batches_unanswered; /* given in and not called back; loop thread */
    size_t reads_unanswered;
    bool is_calling_back;
    atomic_bool is_full;

    uv_mutex_t lock;
    uv_cond_t batches_come, reads_come, closing_comes, answers_come;
    struct batch_queue batches, batches_done;
    struct read_queue reads, reads_done;
    size_t batches_waiting; /* queued or being written */
    size_t reads_waiting;
    bool is_closing;  /* nothing is waited for any more */
    bool is_stopping; /* threads end when their queues are empty */
    struct store_metrics metrics;
    uv_thread_t writer, reader;

    bool is_broken; /* writer: after a failure that leaves the disk in doubt */
    struct err broken_err;
};

/* Counts a commit or read; true when it is the one that shall fail (tests). */
bool store_must_fail(struct store *s, struct err *err);

/* writer.c */
void batch_queue_push(struct batch_queue *q, struct store_batch *b);
/* Writes all batches of the group in one transaction; afterwards each has its answer. */
void store_write_group(struct store *s, struct store_batch *group);
void store_writer_main(void *store);

/* reader.c */
void store_reader_main(void *store);
void read_deliver(struct read *r); /* calls back and frees */
struct read *read_next(struct read *r);
size_t store_unanswered(const struct store *s);

/* notify.c: wakes the loop thread. Sending allocates nothing and can't fail. */
int notify_new(struct ev_loop *loop, void (*fn)(void *arg), void *arg, struct notify **ret,
               struct err *err);
void notify_send(struct notify *n);               /* any thread */
void notify_hold(struct notify *n, bool is_held); /* whether the loop has to go on for it */
struct notify *notify_free(struct notify *n);

#endif
