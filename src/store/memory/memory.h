/*
 * memory: the driver for tests and simulation; same answers as SQLite, nothing on disk. A lock is
 * held from begin to commit or rollback, and by each read. Inside memory only.
 */
#ifndef BERTH_STORE_MEMORY_MEMORY_H
#define BERTH_STORE_MEMORY_MEMORY_H

#include <pthread.h>
#include "store/driver.h"
#include "store/memory/table.h"

/* Rows are one allocation each, texts and tasks behind the struct. */
struct memory_workload {
    struct workload w; /* without spec, arena, attempt */
    int kind;
    uint32_t last_attempt; /* number of the latest attempt; 0: none */
    uint64_t order;        /* of first put */
    char spec_json[];
};
struct memory_setting {
    const char *name, *value;
};

struct memory {
    pthread_mutex_t lock;
    struct map settings, users, user_names, tokens, token_digests, projects, project_names, members,
        volumes, images, workloads, attempts, fences, ledger, idempotency;
    VEC(struct event *) events; /* item i has seq i + 1 */
    struct tables_txn txn;
    size_t events_kept; /* committed ones */
    uint64_t order;
};

/* write.c */
int memory_begin(void *db, struct err *err);
int memory_apply(void *db, const struct store_batch *b, struct err *err);
int memory_commit(void *db, struct err *err);
void memory_rollback(void *db);

/* read.c */
int memory_load(void *db, int64_t recent_ms, const struct store_visitor *v,
                struct store_heads *ret_heads, struct err *err);
int memory_list_workloads(void *db, const struct store_workload_query *q, struct page *page,
                          struct err *err);
int memory_get_workload(void *db, struct workload_id id, struct page *page, struct err *err);
int memory_read_events(void *db, uint64_t after, uint32_t limit, struct event_page *page,
                       struct err *err);

#define ATTEMPT_KEY_SIZE 48
const char *memory_attempt_key(char dst[ATTEMPT_KEY_SIZE], uint64_t workload, uint32_t number);

#endif
