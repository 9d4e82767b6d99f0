/*
 * db: SQLite connections, their prepared statements and the columns of a row. Inside sqlite only.
 *
 * One read-write connection, used by the store thread, which alone checkpoints; one `query_only`
 * connection for the reader thread. A connection is used by one thread at a time.
 */
#ifndef BERTH_STORE_SQLITE_DB_H
#define BERTH_STORE_SQLITE_DB_H

#include <sqlite3.h>
#include "store/driver.h"
#include "store/sqlite/statements.h"

struct conn {
    sqlite3 *handle;
    sqlite3_stmt *statements[STATEMENT_MAX];
};

struct db {
    struct conn writer, reader;
    int lock_fd;
    uint64_t event_seq, event_seq_durable; /* last appended; last committed */
};

int db_open(const struct store_config *cfg, void **ret_db, struct err *err);
void db_close(void *db);

/* Fills err from the connection's last failure: NO_SPACE, NOMEM, CONFLICT (a constraint), else IO.
 * Returns -code. */
int conn_fail(struct conn *c, struct err *err, const char *what);
/* Runs a statement without parameters and results. */
int conn_run(struct conn *c, enum statement id, struct err *err);
/* schema.c: CONFLICT for a file of a newer version or of another program; changes nothing. */
int schema_check(struct conn *c, struct err *err);
/* Creates the tables or brings them up to date. */
int schema_migrate(struct conn *c, struct err *err);

/* ---- rows ----
 * A row in progress: parameters are put, or columns got, one after the other. What goes wrong is
 * remembered and comes out of row_step or row_end.
 *
 *     struct row row;
 *     row_begin(&row, conn, PUT_SETTING);
 *     put_text(&row, name);
 *     int rc = row_run(&row, err);
 *
 * Texts put must live until the row ends; texts got live until the next step. */
struct row {
    struct conn *conn;
    sqlite3_stmt *statement; /* NULL when it could not be prepared */
    const char *name;        /* of the statement, for errors */
    int next;                /* parameter (from 1) or column (from 0) */
    int rc;                  /* of SQLite */
    bool is_malformed;       /* a column held what no version of berth writes */
};
void row_begin(struct row *row, struct conn *c, enum statement id);
void put_i64(struct row *row, int64_t v);
void put_u64(struct row *row, uint64_t v);     /* stored as the signed number of the same bits */
void put_text(struct row *row, const char *s); /* NULL allowed */
void put_blob(struct row *row, const void *data, size_t len);
void put_word(struct row *row, const char *const *names, int value);

/* 1: a row is there (columns from 0); 0: no more; negative: failed. */
int row_step(struct row *row, struct err *err);
int64_t get_i64(struct row *row);
uint64_t get_u64(struct row *row);
const char *get_str(struct row *row); /* NULL for null */
void get_text(struct row *row, char *dst, size_t size);
void get_blob(struct row *row, void *dst, size_t len);   /* exactly len bytes */
int get_word(struct row *row, const char *const *names); /* 0 and malformed when unknown */
/* IO when a column was malformed. */
int row_check(struct row *row, struct err *err);
void row_end(struct row *row);
/* A statement that changes rows: steps once and ends. Returns rows changed, or negative; a failed
 * constraint is CONFLICT with *ret_constraint its extended code (may be NULL). */
int row_run(struct row *row, int *ret_constraint, struct err *err);

#endif
