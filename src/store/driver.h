/*
 * driver: what the front (store.c) asks of a place to keep rows. Inside store only.
 *
 * The writing functions are called by one thread at a time, the reading ones by one thread at a
 * time, and a reader may run beside a writer. Codes of failures decide what happens next:
 *   PRECONDITION, CONFLICT   apply has undone this batch alone; the transaction goes on
 *   NO_SPACE, NOMEM          the front rolls the transaction back; the driver works on
 *   anything else            the front rolls back and writes no more
 */
#ifndef BERTH_STORE_DRIVER_H
#define BERTH_STORE_DRIVER_H

#include "store/batch.h"
#include "store/page.h"

struct store_driver {
    const char *name;
    int (*open)(const struct store_config *cfg, void **ret_db, struct err *err);
    void (*close)(void *db);

    int (*begin)(void *db, struct err *err);
    int (*apply)(void *db, const struct store_batch *b, struct err *err);
    int (*commit)(void *db, struct err *err); /* durable; a failed one must be rolled back */
    void (*rollback)(void *db);
    int (*load)(void *db, int64_t recent_ms, const struct store_visitor *v,
                struct store_heads *ret_heads, struct err *err);

    int (*list_workloads)(void *db, const struct store_workload_query *q, struct page *page,
                          struct err *err);
    int (*get_workload)(void *db, struct workload_id id, struct page *page, struct err *err);
    int (*read_events)(void *db, uint64_t after, uint32_t limit, struct event_page *page,
                       struct err *err);
};

extern const struct store_driver store_driver_sqlite, store_driver_memory;

/* A code that says that only the batch itself is at fault. */
static inline bool driver_rc_is_of_batch(int rc)
{
    return rc == -BERR_PRECONDITION || rc == -BERR_CONFLICT;
}

#endif
