/*
 * The schema, as numbered steps that are only ever added to. A step that was published is never
 * changed. The step's number is the version of the file (user_version); application_id says that
 * the file is ours.
 *
 * Rows that are many (workloads, attempts) have a running number as their key, so that new and
 * recently changed ones lie together and a commit touches few pages; ids are random and would
 * spread them over the whole file.
 */
#include "store/sqlite/db.h"

#define APPLICATION_ID 0x62727468 /* "brth" */

static const struct migration {
    int version;
    const char *name, *sql;
} migrations[] = {
    {1, "first",
     "CREATE TABLE settings ("
     "  name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;"

     "CREATE TABLE users ("
     "  id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, cluster_admin INTEGER NOT NULL,"
     "  disabled INTEGER NOT NULL, password_hash TEXT NOT NULL, created_ms INTEGER NOT NULL,"
     "  version INTEGER NOT NULL) STRICT;"

     "CREATE TABLE tokens ("
     "  id INTEGER PRIMARY KEY, user INTEGER NOT NULL REFERENCES users (id),"
     "  digest BLOB NOT NULL UNIQUE, label TEXT NOT NULL, created_ms INTEGER NOT NULL,"
     "  expires_ms INTEGER NOT NULL, session INTEGER NOT NULL, route INTEGER NOT NULL) STRICT;"

     "CREATE TABLE projects ("
     "  id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, internet INTEGER NOT NULL,"
     "  subnet INTEGER NOT NULL, created_ms INTEGER NOT NULL, version INTEGER NOT NULL) STRICT;"

     "CREATE TABLE members ("
     "  project INTEGER NOT NULL REFERENCES projects (id),"
     "  user INTEGER NOT NULL REFERENCES users (id), role TEXT NOT NULL,"
     "  PRIMARY KEY (project, user)) STRICT, WITHOUT ROWID;"

     "CREATE TABLE volumes ("
     "  id INTEGER PRIMARY KEY, project INTEGER NOT NULL, owner INTEGER NOT NULL,"
     "  name TEXT NOT NULL, size_bytes INTEGER NOT NULL, created_ms INTEGER NOT NULL,"
     "  version INTEGER NOT NULL) STRICT;"

     /* layers: the hex digests, each followed by a blank, bottom first */
     "CREATE TABLE images ("
     "  id INTEGER PRIMARY KEY, name TEXT NOT NULL, tag TEXT NOT NULL, state TEXT NOT NULL,"
     "  source TEXT NOT NULL, digest TEXT NOT NULL, layers TEXT NOT NULL,"
     "  size_bytes INTEGER NOT NULL, config TEXT NOT NULL, reason TEXT NOT NULL,"
     "  owner INTEGER NOT NULL, created_ms INTEGER NOT NULL, used_ms INTEGER NOT NULL,"
     "  version INTEGER NOT NULL) STRICT;"

     "CREATE TABLE workloads ("
     "  n INTEGER PRIMARY KEY, id INTEGER NOT NULL UNIQUE, project INTEGER NOT NULL,"
     "  owner INTEGER NOT NULL, kind TEXT NOT NULL, state TEXT NOT NULL,"
     "  is_final INTEGER NOT NULL, desired TEXT NOT NULL, stop_reason TEXT NOT NULL,"
     "  submitted_ms INTEGER NOT NULL, started_ms INTEGER NOT NULL, ended_ms INTEGER NOT NULL,"
     "  state_since_ms INTEGER NOT NULL, not_before_ms INTEGER NOT NULL,"
     "  attempts INTEGER NOT NULL, retries_used INTEGER NOT NULL, reason TEXT NOT NULL,"
     "  hold_code TEXT NOT NULL, secret TEXT NOT NULL, spec TEXT NOT NULL,"
     "  version INTEGER NOT NULL) STRICT;"
     "CREATE INDEX workloads_live ON workloads (n) WHERE is_final = 0;"
     "CREATE INDEX workloads_ended ON workloads (ended_ms) WHERE is_final = 1;"
     "CREATE INDEX workloads_by_time ON workloads (submitted_ms DESC, id);"
     "CREATE INDEX workloads_by_project ON workloads (project, submitted_ms DESC, id);"
     "CREATE INDEX workloads_by_owner ON workloads (owner, submitted_ms DESC, id);"

     /* tasks: a JSON list with one list of values a task, see tasks.c */
     "CREATE TABLE attempts ("
     "  n INTEGER PRIMARY KEY, workload INTEGER NOT NULL REFERENCES workloads (id),"
     "  number INTEGER NOT NULL, fence INTEGER NOT NULL UNIQUE, site TEXT NOT NULL,"
     "  placed_ms INTEGER NOT NULL, started_ms INTEGER NOT NULL, ended_ms INTEGER NOT NULL,"
     "  end_reason TEXT NOT NULL, end_task INTEGER NOT NULL, end_code INTEGER NOT NULL,"
     "  end_text TEXT NOT NULL, gone INTEGER NOT NULL, tasks TEXT NOT NULL,"
     "  UNIQUE (workload, number)) STRICT;"

     "CREATE TABLE events ("
     "  seq INTEGER PRIMARY KEY, time_ms INTEGER NOT NULL, type TEXT NOT NULL,"
     "  subject INTEGER NOT NULL, subject_kind TEXT NOT NULL, project INTEGER NOT NULL,"
     "  actor INTEGER NOT NULL, text TEXT NOT NULL, data TEXT) STRICT;"

     "CREATE TABLE ledger ("
     "  kind TEXT NOT NULL, name TEXT NOT NULL, state TEXT NOT NULL, workload INTEGER NOT NULL,"
     "  number INTEGER NOT NULL, fence INTEGER NOT NULL, reason TEXT NOT NULL,"
     "  PRIMARY KEY (kind, name)) STRICT, WITHOUT ROWID;"

     /* Not unique by key: random keys would touch a page each, and control looks before it puts. */
     "CREATE TABLE idempotency ("
     "  n INTEGER PRIMARY KEY, user INTEGER NOT NULL, key TEXT NOT NULL, made INTEGER NOT NULL,"
     "  time_ms INTEGER NOT NULL) STRICT;"
     "CREATE INDEX idempotency_by_time ON idempotency (time_ms);"},
};
_Static_assert(ARRAY_LEN(migrations) == STORE_SCHEMA_VERSION, "one step a version");

static int get_number(struct conn *c, enum statement id, int64_t *ret, struct err *err)
{
    struct row row;
    row_begin(&row, c, id);
    int rc = row_step(&row, err);
    if (rc == 1)
        *ret = get_i64(&row);
    row_end(&row);
    return rc < 0 ? rc : 0;
}

int schema_check(struct conn *c, struct err *err)
{
    int64_t application = 0, version = 0, tables = 0;
    int rc = get_number(c, GET_APPLICATION, &application, err);
    if (rc == 0)
        rc = get_number(c, GET_VERSION, &version, err);
    if (rc == 0)
        rc = get_number(c, COUNT_TABLES, &tables, err);
    if (rc < 0)
        return rc;
    if (tables > 0 && application != APPLICATION_ID) {
        err_set(err, BERR_CONFLICT, "store: the file is a database of another program");
        err_hint(err, "use another data directory");
        return -BERR_CONFLICT;
    }
    if (version > STORE_SCHEMA_VERSION) {
        err_set(err, BERR_CONFLICT,
                "store: the data was written by a newer berth (version %lld, this one knows %d)",
                (long long)version, STORE_SCHEMA_VERSION);
        err_hint(err, "start the newer berth again, or restore a back-up from before the upgrade");
        return -BERR_CONFLICT;
    }
    return 0;
}

static int run_migration(struct conn *c, const struct migration *m, struct err *err)
{
    char marks[96];
    snprintf(marks, sizeof(marks), "PRAGMA application_id = %d; PRAGMA user_version = %d",
             APPLICATION_ID, m->version);
    int rc = conn_run(c, BEGIN_WRITE, err);
    if (rc < 0)
        return rc;
    if (sqlite3_exec(c->handle, m->sql, NULL, NULL, NULL) != SQLITE_OK ||
        sqlite3_exec(c->handle, marks, NULL, NULL, NULL) != SQLITE_OK)
        rc = conn_fail(c, err, m->name);
    else
        rc = conn_run(c, COMMIT_ALL, err);
    if (rc < 0 && !sqlite3_get_autocommit(c->handle))
        conn_run(c, ROLLBACK_ALL, NULL);
    return rc;
}

int schema_migrate(struct conn *c, struct err *err)
{
    int64_t version = 0;
    int rc = get_number(c, GET_VERSION, &version, err);
    for (size_t i = 0; rc == 0 && i < ARRAY_LEN(migrations); i++)
        if (migrations[i].version > version)
            rc = run_migration(c, &migrations[i], err);
    return rc;
}
