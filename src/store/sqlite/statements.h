/*
 * statements: every SQL statement that runs after the schema is there, by name. Parameters and
 * columns come in the order that codec.c puts and gets them; ?1 is the key.
 */
#ifndef BERTH_STORE_SQLITE_STATEMENTS_H
#define BERTH_STORE_SQLITE_STATEMENTS_H

#define USER_COLUMNS    "id, name, cluster_admin, disabled, password_hash, created_ms, version"
#define TOKEN_COLUMNS   "id, user, digest, label, created_ms, expires_ms, session, route"
#define PROJECT_COLUMNS "id, name, internet, subnet, created_ms, version"
#define VOLUME_COLUMNS  "id, project, owner, name, size_bytes, created_ms, version"
#define IMAGE_COLUMNS                                                                   \
    "id, name, tag, state, source, digest, layers, size_bytes, config, reason, owner, " \
    "created_ms, used_ms, version"
#define EVENT_COLUMNS  "seq, time_ms, type, subject, subject_kind, project, actor, text, data"
#define LEDGER_COLUMNS "kind, name, state, workload, number, fence, reason"
#define WORKLOAD_COLUMNS                                                                           \
    "id, project, owner, kind, state, is_final, desired, stop_reason, submitted_ms, started_ms, "  \
    "ended_ms, state_since_ms, not_before_ms, attempts, retries_used, reason, hold_code, secret, " \
    "spec, version"
#define ATTEMPT_COLUMNS                                                                      \
    "workload, number, fence, site, placed_ms, started_ms, ended_ms, end_reason, end_task, " \
    "end_code, end_text, gone, tasks"

/* Those of the latest attempt follow those of its workload; all NULL before the first. */
#define WORKLOAD_WITH_ATTEMPT                                                                      \
    "SELECT w.id, w.project, w.owner, w.kind, w.state, w.is_final, w.desired, w.stop_reason, "     \
    "w.submitted_ms, w.started_ms, w.ended_ms, w.state_since_ms, w.not_before_ms, w.attempts, "    \
    "w.retries_used, w.reason, w.hold_code, w.secret, w.spec, w.version, "                         \
    "a.workload, a.number, a.fence, a.site, a.placed_ms, a.started_ms, a.ended_ms, a.end_reason, " \
    "a.end_task, a.end_code, a.end_text, a.gone, a.tasks "                                         \
    "FROM workloads w LEFT JOIN attempts a ON a.workload = w.id AND a.number = "                   \
    "(SELECT max(number) FROM attempts WHERE workload = w.id) "

/* ?1 cursor's time (for the newest: the largest number), ?2 cursor's id, ?3 owner or 0, ?4 kind or NULL, ?5 state
 * or NULL, ?6 project or 0, ?7 JSON list of projects or NULL, ?8 how many */
#define LIST_CONDITIONS                                                                        \
    "submitted_ms <= ?1 AND (submitted_ms < ?1 OR (?2 <> 0 AND id > ?2)) "                     \
    "AND (?3 = 0 OR owner = ?3) AND (?4 IS NULL OR kind = ?4) AND (?5 IS NULL OR state = ?5) " \
    "AND (?6 = 0 OR project = ?6) "                                                            \
    "AND (?7 IS NULL OR project IN (SELECT value FROM json_each(?7))) "
#define LIST_ORDER       "ORDER BY submitted_ms DESC, id LIMIT ?8"
#define LIST_FROM(index) "SELECT n, submitted_ms, id FROM workloads INDEXED BY " index " WHERE "

#define STATEMENT_LIST(X)                                                                          \
    X(SET_WAL, "PRAGMA journal_mode = WAL")                                                        \
    X(SET_SYNCHRONOUS_FULL, "PRAGMA synchronous = FULL")                                           \
    X(SET_FOREIGN_KEYS, "PRAGMA foreign_keys = ON")                                                \
    X(SET_CACHE, "PRAGMA cache_size = -4096")                                                      \
    X(SET_TEMP_STORE, "PRAGMA temp_store = MEMORY")                                                \
    X(SET_CHECKPOINT, "PRAGMA wal_autocheckpoint = 8000")                                          \
    X(SET_NO_CHECKPOINT, "PRAGMA wal_autocheckpoint = 0")                                          \
    X(SET_JOURNAL_LIMIT, "PRAGMA journal_size_limit = 33554432")                                   \
    X(SET_QUERY_ONLY, "PRAGMA query_only = ON")                                                    \
    X(GET_APPLICATION, "PRAGMA application_id")                                                    \
    X(GET_VERSION, "PRAGMA user_version")                                                          \
    X(COUNT_TABLES, "SELECT count(*) FROM sqlite_schema")                                          \
                                                                                                   \
    X(BEGIN_WRITE, "BEGIN IMMEDIATE")                                                              \
    X(BEGIN_READ, "BEGIN")                                                                         \
    X(COMMIT_ALL, "COMMIT")                                                                        \
    X(ROLLBACK_ALL, "ROLLBACK")                                                                    \
    X(BEGIN_BATCH, "SAVEPOINT batch")                                                              \
    X(KEEP_BATCH, "RELEASE batch")                                                                 \
    X(UNDO_BATCH, "ROLLBACK TO batch")                                                             \
                                                                                                   \
    X(INSERT_USER, "INSERT INTO users (" USER_COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")     \
    X(UPDATE_USER, "UPDATE users SET name = ?2, cluster_admin = ?3, disabled = ?4, "               \
                   "password_hash = ?5, created_ms = ?6, version = ?7 "                            \
                   "WHERE id = ?1 AND version = ?7 - 1")                                           \
    X(INSERT_TOKEN,                                                                                \
      "INSERT INTO tokens (" TOKEN_COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")            \
    X(UPDATE_TOKEN, "UPDATE tokens SET user = ?2, digest = ?3, label = ?4, created_ms = ?5, "      \
                    "expires_ms = ?6, session = ?7, route = ?8 WHERE id = ?1")                     \
    X(REMOVE_TOKEN, "DELETE FROM tokens WHERE id = ?1")                                            \
    X(INSERT_PROJECT,                                                                              \
      "INSERT INTO projects (" PROJECT_COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6)")                \
    X(UPDATE_PROJECT, "UPDATE projects SET name = ?2, internet = ?3, subnet = ?4, "                \
                      "created_ms = ?5, version = ?6 WHERE id = ?1 AND version = ?6 - 1")          \
    X(PUT_MEMBER, "INSERT INTO members (project, user, role) VALUES (?1, ?2, ?3) "                 \
                  "ON CONFLICT (project, user) DO UPDATE SET role = ?3")                           \
    X(REMOVE_MEMBER, "DELETE FROM members WHERE project = ?1 AND user = ?2")                       \
    X(INSERT_VOLUME,                                                                               \
      "INSERT INTO volumes (" VOLUME_COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")              \
    X(UPDATE_VOLUME, "UPDATE volumes SET project = ?2, owner = ?3, name = ?4, size_bytes = ?5, "   \
                     "created_ms = ?6, version = ?7 WHERE id = ?1 AND version = ?7 - 1")           \
    X(INSERT_IMAGE, "INSERT INTO images (" IMAGE_COLUMNS ") VALUES "                               \
                    "(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)")               \
    X(UPDATE_IMAGE,                                                                                \
      "UPDATE images SET name = ?2, tag = ?3, state = ?4, source = ?5, digest = ?6, "              \
      "layers = ?7, size_bytes = ?8, config = ?9, reason = ?10, owner = ?11, "                     \
      "created_ms = ?12, used_ms = ?13, version = ?14 "                                            \
      "WHERE id = ?1 AND version = ?14 - 1")                                                       \
    X(REMOVE_IMAGE, "DELETE FROM images WHERE id = ?1")                                            \
    X(INSERT_WORKLOAD, "INSERT INTO workloads (" WORKLOAD_COLUMNS ") VALUES "                      \
                       "(?1, ?2, ?3, ifnull(?4, 'job'), ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, "  \
                       "?14, ?15, ?16, ?17, ?18, ifnull(?19, '{}'), ?20)")                         \
    X(UPDATE_WORKLOAD, "UPDATE workloads SET project = ?2, owner = ?3, kind = ifnull(?4, kind), "  \
                       "state = ?5, is_final = ?6, desired = ?7, stop_reason = ?8, "               \
                       "submitted_ms = ?9, started_ms = ?10, ended_ms = ?11, "                     \
                       "state_since_ms = ?12, not_before_ms = ?13, attempts = ?14, "               \
                       "retries_used = ?15, reason = ?16, hold_code = ?17, secret = ?18, "         \
                       "spec = ifnull(?19, spec), version = ?20 "                                  \
                       "WHERE id = ?1 AND version = ?20 - 1")                                      \
    X(INSERT_ATTEMPT, "INSERT INTO attempts (" ATTEMPT_COLUMNS ") VALUES "                         \
                      "(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)")                  \
    X(UPDATE_ATTEMPT, "UPDATE attempts SET site = ?4, placed_ms = ?5, started_ms = ?6, "           \
                      "ended_ms = ?7, end_reason = ?8, end_task = ?9, end_code = ?10, "            \
                      "end_text = ?11, gone = ?12, tasks = ?13 "                                   \
                      "WHERE workload = ?1 AND number = ?2 AND fence = ?3")                        \
    X(APPEND_EVENT, "INSERT INTO events (" EVENT_COLUMNS ") VALUES "                               \
                    "(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")                                        \
    X(LEDGER_TAKE, "INSERT INTO ledger (" LEDGER_COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) "  \
                   "ON CONFLICT (kind, name) DO UPDATE SET state = ?3, reason = ?7 "               \
                   "WHERE workload = ?4 AND number = ?5 AND fence = ?6")                           \
    X(LEDGER_SET, "UPDATE ledger SET state = ?3, reason = ?7 WHERE kind = ?1 AND name = ?2 "       \
                  "AND workload = ?4 AND number = ?5 AND fence = ?6")                              \
    X(LEDGER_FREE, "DELETE FROM ledger WHERE kind = ?1 AND name = ?2")                             \
    X(PUT_IDEMPOTENCY, "INSERT INTO idempotency (user, key, made, time_ms) "                       \
                       "VALUES (?1, ?2, ?3, ?4)")                                                  \
    X(PURGE_IDEMPOTENCY, "DELETE FROM idempotency WHERE time_ms < ?1")                             \
    X(PUT_SETTING, "INSERT INTO settings (name, value) VALUES (?1, ?2) "                           \
                   "ON CONFLICT (name) DO UPDATE SET value = ?2")                                  \
                                                                                                   \
    X(ALL_SETTINGS, "SELECT name, value FROM settings ORDER BY name")                              \
    X(ALL_USERS, "SELECT " USER_COLUMNS " FROM users ORDER BY created_ms, id")                     \
    X(ALL_TOKENS, "SELECT " TOKEN_COLUMNS " FROM tokens ORDER BY created_ms, id")                  \
    X(ALL_PROJECTS, "SELECT " PROJECT_COLUMNS " FROM projects ORDER BY created_ms, id")            \
    X(ALL_MEMBERS, "SELECT project, user, role FROM members ORDER BY project, user")               \
    X(ALL_VOLUMES, "SELECT " VOLUME_COLUMNS " FROM volumes ORDER BY created_ms, id")               \
    X(ALL_IMAGES, "SELECT " IMAGE_COLUMNS " FROM images ORDER BY created_ms, id")                  \
    X(LIVE_WORKLOADS, WORKLOAD_WITH_ATTEMPT "WHERE w.is_final = 0 ORDER BY w.n")                   \
    X(RECENT_WORKLOADS,                                                                            \
      WORKLOAD_WITH_ATTEMPT "WHERE w.is_final = 1 AND w.ended_ms >= ?1 ORDER BY w.ended_ms, w.n")  \
    X(ALL_LEDGER, "SELECT " LEDGER_COLUMNS " FROM ledger ORDER BY kind, name")                     \
    X(ALL_IDEMPOTENCY, "SELECT user, key, made, time_ms FROM idempotency ORDER BY n")              \
    X(LAST_EVENT, "SELECT ifnull(max(seq), 0) FROM events")                                        \
    X(LAST_FENCE, "SELECT ifnull(max(fence), 0) FROM attempts")                                    \
    X(COUNT_WORKLOADS, "SELECT count(*) FROM workloads")                                           \
                                                                                                   \
    X(LIST_BY_TIME, LIST_FROM("workloads_by_time") LIST_CONDITIONS LIST_ORDER)                     \
    X(LIST_BY_PROJECT,                                                                             \
      LIST_FROM("workloads_by_project") "project = ?6 AND " LIST_CONDITIONS LIST_ORDER)            \
    X(LIST_BY_OWNER, LIST_FROM("workloads_by_owner") "owner = ?3 AND " LIST_CONDITIONS LIST_ORDER) \
    X(GET_BY_NUMBER, WORKLOAD_WITH_ATTEMPT "WHERE w.n = ?1")                                       \
    X(GET_WORKLOAD, WORKLOAD_WITH_ATTEMPT "WHERE w.id = ?1")                                       \
    X(OLDEST_EVENT, "SELECT ifnull(min(seq), 1) FROM events")                                      \
    X(READ_EVENTS, "SELECT " EVENT_COLUMNS " FROM events WHERE seq > ?1 ORDER BY seq LIMIT ?2")

enum statement {
#define X(sym, sql) sym,
    STATEMENT_LIST(X)
#undef X
};
#define STATEMENT_MAX (READ_EVENTS + 1)

#endif
