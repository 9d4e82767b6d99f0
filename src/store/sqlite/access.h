/* access: the functions behind the driver's table; see store/driver.h. Inside sqlite only. */
#ifndef BERTH_STORE_SQLITE_ACCESS_H
#define BERTH_STORE_SQLITE_ACCESS_H

#include "store/sqlite/db.h"

/* write.c: the writing connection */
int db_begin(void *db, struct err *err);
int db_apply(void *db, const struct store_batch *b, struct err *err);
int db_commit(void *db, struct err *err);
void db_rollback(void *db);

/* load.c: the writing connection, before there is a store thread */
int db_load(void *db, int64_t recent_ms, const struct store_visitor *v,
            struct store_heads *ret_heads, struct err *err);

/* read.c: the reading connection */
int db_list_workloads(void *db, const struct store_workload_query *q, struct page *page,
                      struct err *err);
int db_get_workload(void *db, struct workload_id id, struct page *page, struct err *err);
int db_read_events(void *db, uint64_t after, uint32_t limit, struct event_page *page,
                   struct err *err);

#endif
