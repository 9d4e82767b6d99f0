/* Transactions: many batches each, every batch in a savepoint of its own. */
#include "store/sqlite/access.h"

#include "base/alloc.h"
#include "store/sqlite/codec.h"

#define TASKS_BYTES_MAX     (8u << 20)
#define IDEMPOTENCY_KEEP_MS 86400000

static int stale(struct err *err, const char *kind, uint64_t id, uint64_t version)
{
    char text[ID_TEXT_SIZE];
    return err_set(err, BERR_PRECONDITION,
                   "store: %s %s cannot become version %llu: the stored one is not the version "
                   "before it",
                   kind, id_format(text, id), (unsigned long long)version);
}

/* The end of a versioned put: one row must have changed. A new row that has the id of another is
 * as stale as a change that finds no row; other constraints keep their CONFLICT. */
static int finish_put(struct row *row, const char *kind, uint64_t id, uint64_t version,
                      struct err *err)
{
    int constraint = 0;
    int rc = row_run(row, &constraint, err);
    bool is_same_id =
        constraint == SQLITE_CONSTRAINT_PRIMARYKEY || constraint == SQLITE_CONSTRAINT_ROWID;
    if (rc == 0 || (rc < 0 && is_same_id))
        return stale(err, kind, id, version);
    return rc < 0 ? rc : 0;
}

static int write_user(struct conn *c, const struct user *u, struct err *err)
{
    struct row row;
    row_begin(&row, c, u->version == 1 ? INSERT_USER : UPDATE_USER);
    put_user(&row, u);
    return finish_put(&row, "user", u->id.v, u->version, err);
}

static int write_project(struct conn *c, const struct project *p, struct err *err)
{
    struct row row;
    row_begin(&row, c, p->version == 1 ? INSERT_PROJECT : UPDATE_PROJECT);
    put_project(&row, p);
    return finish_put(&row, "project", p->id.v, p->version, err);
}

static int write_volume(struct conn *c, const struct volume_row *v, struct err *err)
{
    struct row row;
    row_begin(&row, c, v->version == 1 ? INSERT_VOLUME : UPDATE_VOLUME);
    put_volume(&row, v);
    return finish_put(&row, "volume", v->id.v, v->version, err);
}

static int write_image(struct conn *c, const struct image *i, struct err *err)
{
    char layers[IMAGE_LAYERS_TEXT_SIZE];
    struct row row;
    row_begin(&row, c, i->version == 1 ? INSERT_IMAGE : UPDATE_IMAGE);
    put_image(&row, i, layers);
    return finish_put(&row, "image", i->id.v, i->version, err);
}

static int write_workload(struct conn *c, const struct workload_row *w, struct err *err)
{
    struct row row;
    row_begin(&row, c, w->w.version == 1 ? INSERT_WORKLOAD : UPDATE_WORKLOAD);
    put_workload(&row, w);
    int constraint = 0;
    int rc = row_run(&row, &constraint, err);
    if (rc == 0 || (rc < 0 && constraint == SQLITE_CONSTRAINT_UNIQUE)) /* only ids are unique */
        return stale(err, "workload", w->w.id.v, w->w.version);
    return rc < 0 ? rc : 0;
}

static int write_attempt(struct conn *c, const struct attempt *a, struct err *err)
{
    cleanup(buf_done) struct buf tasks = BUF(TASKS_BYTES_MAX);
    tasks_encode(a->tasks, a->task_count, &tasks);
    if (buf_is_failed(&tasks))
        return err_set(err, BERR_NOMEM, "store: out of memory");
    /* Not an upsert: the fence is unique as well, and a row may collide with itself in both. */
    struct row row;
    row_begin(&row, c, UPDATE_ATTEMPT);
    put_attempt(&row, a, buf_str(&tasks));
    int rc = row_run(&row, NULL, err);
    if (rc != 0)
        return rc < 0 ? rc : 0;
    int constraint = 0;
    row_begin(&row, c, INSERT_ATTEMPT);
    put_attempt(&row, a, buf_str(&tasks));
    rc = row_run(&row, &constraint, err);
    if (rc < 0 && constraint == SQLITE_CONSTRAINT_UNIQUE)
        return err_set(err, BERR_PRECONDITION,
                       "store: attempt %u cannot have fence %llu: the number or the fence is taken",
                       a->key.number, (unsigned long long)a->key.fence);
    return rc < 0 ? rc : 0;
}

/* A put or removal without a version. */
static int finish(struct row *row, struct err *err)
{
    int rc = row_run(row, NULL, err);
    return rc < 0 ? rc : 0;
}

static int write_token(struct conn *c, const struct token *t, struct err *err)
{
    struct row row;
    row_begin(&row, c, UPDATE_TOKEN);
    put_token(&row, t);
    int rc = row_run(&row, NULL, err);
    if (rc != 0)
        return rc < 0 ? rc : 0;
    row_begin(&row, c, INSERT_TOKEN);
    put_token(&row, t);
    return finish(&row, err);
}

static int write_member(struct conn *c, const struct member *m, struct err *err)
{
    struct row row;
    row_begin(&row, c, m->role == ROLE_NONE ? REMOVE_MEMBER : PUT_MEMBER);
    put_member(&row, m);
    return finish(&row, err);
}

static int remove_id(struct conn *c, enum statement id, uint64_t key, struct err *err)
{
    struct row row;
    row_begin(&row, c, id);
    put_u64(&row, key);
    return finish(&row, err);
}

static int write_setting(struct conn *c, const struct setting_row *s, struct err *err)
{
    struct row row;
    row_begin(&row, c, PUT_SETTING);
    put_text(&row, s->name);
    put_text(&row, s->value == NULL ? "" : s->value);
    return finish(&row, err);
}

static int append_event(struct db *db, const struct event *e, struct err *err)
{
    if (e->seq != db->event_seq + 1)
        return err_set(err, BERR_PRECONDITION, "store: event %llu does not follow event %llu",
                       (unsigned long long)e->seq, (unsigned long long)db->event_seq);
    struct row row;
    row_begin(&row, &db->writer, APPEND_EVENT);
    put_event(&row, e);
    int rc = finish(&row, err);
    if (rc == 0)
        db->event_seq = e->seq;
    return rc;
}

static int write_ledger(struct conn *c, enum statement id, const struct ledger_row *l,
                        struct err *err)
{
    struct row row;
    row_begin(&row, c, id);
    put_ledger(&row, l);
    int rc = row_run(&row, NULL, err);
    if (rc == 0)
        return err_set(err, BERR_CONFLICT, "store: %s %s belongs to %s", l->kind, l->name,
                       id == LEDGER_TAKE ? "another holder" : "nobody, or to another holder");
    return rc < 0 ? rc : 0;
}

static int free_ledger(struct conn *c, const struct ledger_row *l, struct err *err)
{
    struct row row;
    row_begin(&row, c, LEDGER_FREE);
    put_text(&row, l->kind);
    put_text(&row, l->name);
    return finish(&row, err);
}

static int write_idempotency(struct conn *c, const struct idempotency_row *r, struct err *err)
{
    int rc = remove_id(c, PURGE_IDEMPOTENCY, (uint64_t)(r->time_ms - IDEMPOTENCY_KEEP_MS), err);
    if (rc < 0)
        return rc;
    struct row row;
    row_begin(&row, c, PUT_IDEMPOTENCY);
    put_idempotency(&row, r);
    return finish(&row, err);
}

static int apply_op(struct db *db, const struct store_op *op, struct err *err)
{
    struct conn *c = &db->writer;
    switch (op->kind) {
    case OP_PUT_USER:
        return write_user(c, op->row, err);
    case OP_PUT_TOKEN:
        return write_token(c, op->row, err);
    case OP_REMOVE_TOKEN:
        return remove_id(c, REMOVE_TOKEN, *(const uint64_t *)op->row, err);
    case OP_PUT_PROJECT:
        return write_project(c, op->row, err);
    case OP_PUT_MEMBER:
        return write_member(c, op->row, err);
    case OP_PUT_WORKLOAD:
        return write_workload(c, op->row, err);
    case OP_PUT_ATTEMPT:
        return write_attempt(c, op->row, err);
    case OP_PUT_IMAGE:
        return write_image(c, op->row, err);
    case OP_REMOVE_IMAGE:
        return remove_id(c, REMOVE_IMAGE, *(const uint64_t *)op->row, err);
    case OP_APPEND_EVENT:
        return append_event(db, op->row, err);
    case OP_PUT_VOLUME:
        return write_volume(c, op->row, err);
    case OP_LEDGER_TAKE:
        return write_ledger(c, LEDGER_TAKE, op->row, err);
    case OP_LEDGER_SET:
        return write_ledger(c, LEDGER_SET, op->row, err);
    case OP_LEDGER_FREE:
        return free_ledger(c, op->row, err);
    case OP_PUT_IDEMPOTENCY:
        return write_idempotency(c, op->row, err);
    case OP_PUT_SETTING:
        return write_setting(c, op->row, err);
    }
    check(false);
}

int db_begin(void *arg, struct err *err)
{
    struct db *db = arg;
    db_rollback(db); /* of one before that could not be rolled back for want of memory */
    return conn_run(&db->writer, BEGIN_WRITE, err);
}

int db_apply(void *arg, const struct store_batch *b, struct err *err)
{
    struct db *db = arg;
    struct conn *c = &db->writer;
    uint64_t event_seq = db->event_seq;
    int rc = conn_run(c, BEGIN_BATCH, err);
    if (rc < 0)
        return rc;
    for (const struct store_op *op = b->first; op != NULL && rc == 0; op = op->next)
        rc = apply_op(db, op, err);
    if (rc == 0)
        return conn_run(c, KEEP_BATCH, err);
    if (!driver_rc_is_of_batch(rc))
        return rc;
    db->event_seq = event_seq;
    /* When the undoing fails, its failure is the answer: the whole transaction has to go. */
    int undo_rc = conn_run(c, UNDO_BATCH, NULL);
    if (undo_rc == 0)
        undo_rc = conn_run(c, KEEP_BATCH, NULL);
    return undo_rc == 0 ? rc : conn_fail(c, err, "undo");
}

int db_commit(void *arg, struct err *err)
{
    struct db *db = arg;
    int rc = conn_run(&db->writer, COMMIT_ALL, err);
    if (rc == 0)
        db->event_seq_durable = db->event_seq;
    return rc;
}

void db_rollback(void *arg)
{
    struct db *db = arg;
    /* SQLite may have rolled back by itself. */
    if (!sqlite3_get_autocommit(db->writer.handle))
        conn_run(&db->writer, ROLLBACK_ALL, NULL);
    db->event_seq = db->event_seq_durable;
}
