/*
 * batch: the changes of one store_commit as a list of operations that owns copies of all rows.
 * Inside store only. Filled on the loop thread, then read by the store thread; never both.
 */
#ifndef BERTH_STORE_BATCH_H
#define BERTH_STORE_BATCH_H

#include "store/store.h"

#define BATCH_BYTES_MAX (64u << 20)

enum store_op_kind {
    OP_PUT_USER,        /* struct user */
    OP_PUT_TOKEN,       /* struct token */
    OP_REMOVE_TOKEN,    /* uint64_t */
    OP_PUT_PROJECT,     /* struct project */
    OP_PUT_MEMBER,      /* struct member */
    OP_PUT_WORKLOAD,    /* struct workload_row */
    OP_PUT_ATTEMPT,     /* struct attempt */
    OP_PUT_IMAGE,       /* struct image */
    OP_REMOVE_IMAGE,    /* uint64_t */
    OP_APPEND_EVENT,    /* struct event */
    OP_PUT_VOLUME,      /* struct volume_row */
    OP_LEDGER_TAKE,     /* struct ledger_row */
    OP_LEDGER_SET,      /* struct ledger_row */
    OP_LEDGER_FREE,     /* struct ledger_row: kind and name */
    OP_PUT_IDEMPOTENCY, /* struct idempotency_row */
    OP_PUT_SETTING,     /* struct setting_row */
};

/* w.spec is not used; spec_json is NULL when the workload came without a spec: what is stored
 * stays. kind is known only with a spec. */
struct workload_row {
    struct workload w;
    const char *spec_json;
    int kind;
};

struct setting_row {
    const char *name, *value;
};

struct store_op {
    struct store_op *next;
    enum store_op_kind kind;
    const void *row;
};

struct store_batch {
    struct store_batch *next; /* in the store's queues */
    struct store_op *first, *last;
    size_t op_count;
    struct arena arena; /* ops and rows */
    store_done_fn *fn;
    void *arg;
    int rc; /* answer; or set before: refused, not to be written */
    bool is_refused;
    bool is_full_once; /* tests: its first transaction finds the disk full */
    struct err err;
};

/* Refuses the batch: its answer is *err, its rows are dropped. */
void batch_refuse(struct store_batch *b, const struct err *err);

#endif
