/* Opening, closing, errors and rows of SQLite connections. */
#include "store/sqlite/db.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/vfs.h>
#include <unistd.h>
#include "base/alloc.h"
#include "base/str.h"

#define BUSY_MS    10000
#define MAGIC_NFS  0x6969
#define MAGIC_SMB  0x517b
#define MAGIC_SMB2 0xfe534d42
#define MAGIC_CIFS 0xff534d42

static const char *const statement_texts[STATEMENT_MAX] = {
#define X(sym, sql) sql,
    STATEMENT_LIST(X)
#undef X
};
static const char *const statement_names[STATEMENT_MAX] = {
#define X(sym, sql) #sym,
    STATEMENT_LIST(X)
#undef X
};

/* ---- errors ---- */

static enum berr code_of(struct conn *c, int rc)
{
    switch (rc & 0xff) {
    case SQLITE_FULL:
        return BERR_NO_SPACE;
    case SQLITE_NOMEM:
        return BERR_NOMEM;
    case SQLITE_CONSTRAINT:
        return BERR_CONFLICT;
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN: {
        /* Growing the WAL's index on a full disk ends here, not in SQLITE_FULL. */
        int system = sqlite3_system_errno(c->handle);
        return system == ENOSPC || system == EDQUOT ? BERR_NO_SPACE : BERR_IO;
    }
    default:
        return BERR_IO;
    }
}

int conn_fail(struct conn *c, struct err *err, const char *what)
{
    if (c->handle == NULL)
        return err_set(err, BERR_NOMEM, "store: %s: out of memory", what);
    int rc = sqlite3_extended_errcode(c->handle);
    return err_set(err, code_of(c, rc), "store: %s: %s (SQLite %d)", what,
                   sqlite3_errmsg(c->handle), rc);
}

int conn_run(struct conn *c, enum statement id, struct err *err)
{
    struct row row;
    row_begin(&row, c, id);
    int rc = row_run(&row, NULL, err);
    return rc < 0 ? rc : 0;
}

/* ---- opening ---- */

static void conn_close(struct conn *c)
{
    for (size_t i = 0; i < STATEMENT_MAX; i++)
        sqlite3_finalize(c->statements[i]);
    sqlite3_close(c->handle);
    *c = (struct conn){0};
}

static int conn_open(struct conn *c, const char *path, struct err *err)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    if (sqlite3_open_v2(path, &c->handle, flags, NULL) != SQLITE_OK)
        return conn_fail(c, err, "open");
    sqlite3_busy_timeout(c->handle, BUSY_MS);
    return 0;
}

/* journal_mode answers with the mode it could set. */
static int set_wal(struct conn *c, struct err *err)
{
    struct row row;
    row_begin(&row, c, SET_WAL);
    int rc = row_step(&row, err);
    if (rc == 1) {
        const char *mode = get_str(&row);
        rc = str_is_equal(mode, "wal")
                 ? 0
                 : err_set(err, BERR_IO, "store: the file system does not allow a write-ahead log");
    }
    row_end(&row);
    return rc;
}

/* Getting out of a failed transaction must not need memory for the statement. */
static int prepare_ways_out(struct conn *c, struct err *err)
{
    static const enum statement ways[] = {ROLLBACK_ALL, UNDO_BATCH, KEEP_BATCH};
    for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
        struct row row;
        row_begin(&row, c, ways[i]);
        row_end(&row);
        if (row.rc != SQLITE_OK)
            return conn_fail(c, err, row.name);
    }
    return 0;
}

static int writer_open(struct db *db, const char *path, struct err *err)
{
    static const enum statement settings[] = {SET_CACHE, SET_FOREIGN_KEYS, SET_TEMP_STORE};
    struct conn *c = &db->writer;
    int rc = conn_open(c, path, err);
    for (size_t i = 0; rc == 0 && i < ARRAY_LEN(settings); i++)
        rc = conn_run(c, settings[i], err);
    /* Before the WAL is set: a file that is not ours stays as it is. */
    if (rc == 0)
        rc = schema_check(c, err);
    if (rc == 0)
        rc = set_wal(c, err);
    if (rc == 0)
        rc = conn_run(c, SET_SYNCHRONOUS_FULL, err);
    if (rc == 0)
        rc = conn_run(c, SET_CHECKPOINT, err);
    if (rc == 0)
        rc = conn_run(c, SET_JOURNAL_LIMIT, err);
    if (rc == 0)
        rc = schema_migrate(c, err);
    if (rc == 0)
        rc = prepare_ways_out(c, err);
    return rc;
}

static int reader_open(struct db *db, const char *path, struct err *err)
{
    static const enum statement settings[] = {SET_CACHE, SET_TEMP_STORE, SET_NO_CHECKPOINT,
                                              SET_QUERY_ONLY};
    struct conn *c = &db->reader;
    int rc = conn_open(c, path, err);
    for (size_t i = 0; rc == 0 && i < ARRAY_LEN(settings); i++)
        rc = conn_run(c, settings[i], err);
    if (rc == 0)
        sqlite3_db_config(c->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    return rc;
}

/* The lock is on a file beside the database: closing any descriptor of the database itself would
 * drop the locks that SQLite holds on it. */
static int take_lock(struct db *db, const char *path, struct err *err)
{
    cleanup(mem_freep) char *lock_path = mem_alloc(strlen(path) + sizeof("-lock"));
    if (lock_path == NULL)
        return err_set(err, BERR_NOMEM, "store: out of memory");
    snprintf(lock_path, strlen(path) + sizeof("-lock"), "%s-lock", path);
    db->lock_fd = open(lock_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (db->lock_fd < 0)
        return err_errno(err, errno, "store: cannot open %s", lock_path);
    if (flock(db->lock_fd, LOCK_EX | LOCK_NB) == 0)
        return 0;
    if (errno != EWOULDBLOCK)
        return err_errno(err, errno, "store: cannot lock %s", lock_path);
    err_set(err, BERR_CONFLICT, "store: %s is in use by another process", path);
    return err_hint(err, "stop the other one first, or use another data directory"), -BERR_CONFLICT;
}

/* Makes the file if it is new, readable by its owner only: it holds hashes of passwords. */
static int prepare_file(const char *path, struct err *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return err_errno(err, errno, "store: cannot open %s", path);
    struct statfs fs;
    int rc = fstatfs(fd, &fs) == 0 ? 0 : err_errno(err, errno, "store: %s", path);
    close(fd);
    if (rc < 0)
        return rc;
    uint32_t magic = (uint32_t)fs.f_type;
    if (magic != MAGIC_NFS && magic != MAGIC_SMB && magic != MAGIC_SMB2 && magic != MAGIC_CIFS)
        return 0;
    err_set(err, BERR_UNSUPPORTED, "store: %s lies on a network file system", path);
    err_hint(err, "its locks cannot be trusted; use a data directory on a local disk");
    return -BERR_UNSUPPORTED;
}

int db_open(const struct store_config *cfg, void **ret_db, struct err *err)
{
    if (cfg->path == NULL)
        return err_set(err, BERR_INVALID, "store: a file is needed");
    struct db *db = mem_calloc(1, sizeof(*db));
    if (db == NULL)
        return err_set(err, BERR_NOMEM, "store: out of memory");
    db->lock_fd = -1;
    int rc = take_lock(db, cfg->path, err);
    if (rc == 0)
        rc = prepare_file(cfg->path, err);
    if (rc == 0)
        rc = writer_open(db, cfg->path, err);
    if (rc == 0)
        rc = reader_open(db, cfg->path, err);
    struct row row;
    if (rc == 0) {
        row_begin(&row, &db->writer, LAST_EVENT);
        rc = row_step(&row, err);
        if (rc == 1)
            db->event_seq = db->event_seq_durable = get_u64(&row);
        row_end(&row);
    }
    if (rc < 0) {
        db_close(db);
        return rc;
    }
    *ret_db = db;
    return 0;
}

void db_close(void *arg)
{
    struct db *db = arg;
    conn_close(&db->reader);
    conn_close(&db->writer);
    fd_closep(&db->lock_fd);
    mem_free(db);
}

/* ---- rows ---- */

void row_begin(struct row *row, struct conn *c, enum statement id)
{
    *row = (struct row){.conn = c, .name = statement_names[id], .next = 1};
    if (c->statements[id] == NULL)
        row->rc = sqlite3_prepare_v3(c->handle, statement_texts[id], -1, SQLITE_PREPARE_PERSISTENT,
                                     &c->statements[id], NULL);
    row->statement = c->statements[id];
}

/* Remembers the first failure. */
static void note(struct row *row, int rc)
{
    if (row->rc == SQLITE_OK)
        row->rc = rc;
}

void put_i64(struct row *row, int64_t v)
{
    if (row->statement != NULL)
        note(row, sqlite3_bind_int64(row->statement, row->next++, v));
}

void put_u64(struct row *row, uint64_t v)
{
    put_i64(row, (int64_t)v);
}

void put_text(struct row *row, const char *s)
{
    if (row->statement != NULL)
        note(row, sqlite3_bind_text(row->statement, row->next++, s, -1, SQLITE_STATIC));
}

void put_blob(struct row *row, const void *data, size_t len)
{
    if (row->statement != NULL)
        note(row, sqlite3_bind_blob64(row->statement, row->next++, data, len, SQLITE_STATIC));
}

void put_word(struct row *row, const char *const *names, int value)
{
    put_text(row, names[value]);
}

int row_step(struct row *row, struct err *err)
{
    if (row->rc == SQLITE_OK)
        row->rc = sqlite3_step(row->statement);
    row->next = 0;
    if (row->rc == SQLITE_ROW) {
        row->rc = SQLITE_OK;
        return 1;
    }
    if (row->rc == SQLITE_DONE) {
        row->rc = SQLITE_OK;
        return 0;
    }
    return conn_fail(row->conn, err, row->name);
}

int64_t get_i64(struct row *row)
{
    return sqlite3_column_int64(row->statement, row->next++);
}

uint64_t get_u64(struct row *row)
{
    return (uint64_t)get_i64(row);
}

const char *get_str(struct row *row)
{
    int column = row->next++;
    const char *s = (const char *)sqlite3_column_text(row->statement, column);
    if (s == NULL && sqlite3_column_type(row->statement, column) != SQLITE_NULL)
        row->is_malformed = true; /* memory was short */
    return s;
}

void get_text(struct row *row, char *dst, size_t size)
{
    const char *s = get_str(row);
    if (s == NULL || !str_copy(dst, size, s))
        row->is_malformed = true;
}

void get_blob(struct row *row, void *dst, size_t len)
{
    int column = row->next++;
    const void *data = sqlite3_column_blob(row->statement, column);
    if (data == NULL || (size_t)sqlite3_column_bytes(row->statement, column) != len)
        row->is_malformed = true;
    else
        memcpy(dst, data, len);
}

int get_word(struct row *row, const char *const *names)
{
    const char *s = get_str(row);
    for (int i = 0; s != NULL && names[i] != NULL; i++)
        if (str_is_equal(s, names[i]))
            return i;
    row->is_malformed = true;
    return 0;
}

int row_check(struct row *row, struct err *err)
{
    if (!row->is_malformed)
        return 0;
    if ((sqlite3_errcode(row->conn->handle) & 0xff) == SQLITE_NOMEM)
        return conn_fail(row->conn, err, row->name);
    return err_set(err, BERR_IO, "store: %s: a row is damaged", row->name);
}

void row_end(struct row *row)
{
    if (row->statement == NULL)
        return;
    sqlite3_reset(row->statement);
    sqlite3_clear_bindings(row->statement);
}

int row_run(struct row *row, int *ret_constraint, struct err *err)
{
    int rc = row_step(row, err);
    if (rc == -BERR_CONFLICT && ret_constraint != NULL)
        *ret_constraint = sqlite3_extended_errcode(row->conn->handle);
    int changed = rc < 0 ? 0 : sqlite3_changes(row->conn->handle);
    row_end(row);
    return rc < 0 ? rc : changed;
}
