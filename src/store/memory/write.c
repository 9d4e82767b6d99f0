/* Batches on tables in memory; the same refusals as SQLite's constraints and conditions. */
#include <string.h>
#include "base/alloc.h"
#include "base/str.h"
#include "store/memory/memory.h"

#define IDEMPOTENCY_KEEP_MS 86400000
#define KEY_SIZE            256

static int nomem(struct err *err)
{
    return err_set(err, BERR_NOMEM, "store: out of memory");
}

static void *copy_row(const void *src, size_t size)
{
    void *copy = mem_alloc(size);
    if (copy != NULL)
        memcpy(copy, src, size);
    return copy;
}

static int put(struct memory *m, struct map *table, uint64_t id, const void *row, size_t size,
               struct err *err)
{
    void *copy = copy_row(row, size);
    if (copy == NULL || table_set_u64(&m->txn, table, id, copy) < 0)
        return nomem(err);
    return 0;
}

static int put_named(struct memory *m, struct map *table, const char *key, const void *row,
                     size_t size, struct err *err)
{
    void *copy = copy_row(row, size);
    if (copy == NULL || table_set(&m->txn, table, key, copy) < 0)
        return nomem(err);
    return 0;
}

static int check_version(uint64_t stored, uint64_t given, const char *kind, struct err *err)
{
    if (given == stored + 1)
        return 0;
    return err_set(err, BERR_PRECONDITION, "store: a %s of version %llu cannot become version %llu",
                   kind, (unsigned long long)stored, (unsigned long long)given);
}

/* A text that only one row may have, in a table of its own: text -> id. */
static int claim(struct memory *m, struct map *table, const char *text, uint64_t id,
                 const char *old, struct err *err)
{
    const uint64_t *holder = table_get(table, text);
    if (holder != NULL && *holder != id)
        return err_set(err, BERR_CONFLICT, "store: %s is taken", text);
    if (old != NULL && !str_is_equal(old, text) && table_set(&m->txn, table, old, NULL) < 0)
        return nomem(err);
    return put_named(m, table, text, &id, sizeof(id), err);
}

static int must_exist(const struct map *table, uint64_t id, const char *kind, struct err *err)
{
    if (table_get_u64(table, id) != NULL)
        return 0;
    return err_set(err, BERR_CONFLICT, "store: a row names a %s that is not there", kind);
}

static int put_user(struct memory *m, const struct user *u, struct err *err)
{
    const struct user *old = table_get_u64(&m->users, u->id.v);
    int rc = check_version(old == NULL ? 0 : old->version, u->version, "user", err);
    if (rc == 0)
        rc = claim(m, &m->user_names, u->name, u->id.v, old == NULL ? NULL : old->name, err);
    return rc < 0 ? rc : put(m, &m->users, u->id.v, u, sizeof(*u), err);
}

static int put_project(struct memory *m, const struct project *p, struct err *err)
{
    const struct project *old = table_get_u64(&m->projects, p->id.v);
    int rc = check_version(old == NULL ? 0 : old->version, p->version, "project", err);
    if (rc == 0)
        rc = claim(m, &m->project_names, p->name, p->id.v, old == NULL ? NULL : old->name, err);
    return rc < 0 ? rc : put(m, &m->projects, p->id.v, p, sizeof(*p), err);
}

static int put_token(struct memory *m, const struct token *t, struct err *err)
{
    const struct token *old = table_get_u64(&m->tokens, t->id.v);
    char digest[65], old_digest[65];
    str_to_hex(digest, t->digest, sizeof(t->digest));
    if (old != NULL)
        str_to_hex(old_digest, old->digest, sizeof(old->digest));
    int rc = must_exist(&m->users, t->user.v, "user", err);
    if (rc == 0)
        rc = claim(m, &m->token_digests, digest, t->id.v, old == NULL ? NULL : old_digest, err);
    return rc < 0 ? rc : put(m, &m->tokens, t->id.v, t, sizeof(*t), err);
}

static int remove_token(struct memory *m, uint64_t id, struct err *err)
{
    const struct token *old = table_get_u64(&m->tokens, id);
    if (old == NULL)
        return 0;
    char digest[65];
    str_to_hex(digest, old->digest, sizeof(old->digest));
    if (table_set(&m->txn, &m->token_digests, digest, NULL) < 0 ||
        table_set_u64(&m->txn, &m->tokens, id, NULL) < 0)
        return nomem(err);
    return 0;
}

static int put_member(struct memory *m, const struct member *member, struct err *err)
{
    char key[KEY_SIZE];
    snprintf(key, sizeof(key), "%llu/%llu", (unsigned long long)member->project.v,
             (unsigned long long)member->user.v);
    if (member->role == ROLE_NONE)
        return table_set(&m->txn, &m->members, key, NULL) < 0 ? nomem(err) : 0;
    int rc = must_exist(&m->projects, member->project.v, "project", err);
    if (rc == 0)
        rc = must_exist(&m->users, member->user.v, "user", err);
    return rc < 0 ? rc : put_named(m, &m->members, key, member, sizeof(*member), err);
}

static int put_image(struct memory *m, const struct image *i, struct err *err)
{
    const struct image *old = table_get_u64(&m->images, i->id.v);
    int rc = check_version(old == NULL ? 0 : old->version, i->version, "image", err);
    return rc < 0 ? rc : put(m, &m->images, i->id.v, i, sizeof(*i), err);
}

static int put_volume(struct memory *m, const struct volume_row *v, struct err *err)
{
    const struct volume_row *old = table_get_u64(&m->volumes, v->id.v);
    int rc = check_version(old == NULL ? 0 : old->version, v->version, "volume", err);
    return rc < 0 ? rc : put(m, &m->volumes, v->id.v, v, sizeof(*v), err);
}

static int put_workload(struct memory *m, const struct workload_row *row, struct err *err)
{
    const struct memory_workload *old = table_get_u64(&m->workloads, row->w.id.v);
    int rc = check_version(old == NULL ? 0 : old->w.version, row->w.version, "workload", err);
    if (rc < 0)
        return rc;
    const char *spec = row->spec_json != NULL ? row->spec_json
                       : old != NULL          ? old->spec_json
                                              : "{}";
    size_t size = strlen(spec) + 1;
    struct memory_workload *copy = mem_calloc(1, sizeof(*copy) + size);
    if (copy == NULL)
        return nomem(err);
    copy->w = row->w;
    copy->kind = row->spec_json == NULL && old != NULL ? old->kind : row->kind;
    copy->last_attempt = old == NULL ? 0 : old->last_attempt;
    copy->order = old == NULL ? ++m->order : old->order;
    memcpy(copy->spec_json, spec, size);
    return table_set_u64(&m->txn, &m->workloads, row->w.id.v, copy) < 0 ? nomem(err) : 0;
}

const char *memory_attempt_key(char dst[ATTEMPT_KEY_SIZE], uint64_t workload, uint32_t number)
{
    snprintf(dst, ATTEMPT_KEY_SIZE, "%llu/%u", (unsigned long long)workload, number);
    return dst;
}

static int note_last_attempt(struct memory *m, const struct memory_workload *w, uint32_t number,
                             struct err *err)
{
    if (number <= w->last_attempt)
        return 0;
    size_t size = sizeof(*w) + strlen(w->spec_json) + 1;
    struct memory_workload *copy = copy_row(w, size);
    if (copy == NULL)
        return nomem(err);
    copy->last_attempt = number;
    return table_set_u64(&m->txn, &m->workloads, w->w.id.v, copy) < 0 ? nomem(err) : 0;
}

static int put_attempt(struct memory *m, const struct attempt *a, struct err *err)
{
    const struct memory_workload *w = table_get_u64(&m->workloads, a->key.workload.v);
    if (w == NULL)
        return must_exist(&m->workloads, a->key.workload.v, "workload", err);
    char key[ATTEMPT_KEY_SIZE];
    memory_attempt_key(key, a->key.workload.v, a->key.number);
    const struct attempt *old = table_get(&m->attempts, key);
    bool is_fence_known = table_get_u64(&m->fences, a->key.fence) != NULL;
    if (old != NULL ? old->key.fence != a->key.fence : is_fence_known)
        return err_set(err, BERR_PRECONDITION,
                       "store: attempt %u cannot have fence %llu: the number or the fence is taken",
                       a->key.number, (unsigned long long)a->key.fence);
    size_t tasks_size = a->task_count * sizeof(a->tasks[0]);
    struct attempt *copy = mem_calloc(1, sizeof(*copy) + tasks_size);
    if (copy == NULL)
        return nomem(err);
    *copy = *a;
    copy->tasks = (struct task *)(void *)(copy + 1);
    if (tasks_size > 0)
        memcpy(copy->tasks, a->tasks, tasks_size);
    if (table_set(&m->txn, &m->attempts, key, copy) < 0)
        return nomem(err);
    int rc = put(m, &m->fences, a->key.fence, &a->key, sizeof(a->key), err);
    return rc < 0 ? rc : note_last_attempt(m, w, a->key.number, err);
}

/* Copies a text behind the struct; moves *at on. */
static const char *pack(char **at, const char *s)
{
    if (s == NULL)
        return NULL;
    size_t size = strlen(s) + 1;
    char *dst = *at;
    memcpy(dst, s, size);
    *at += size;
    return dst;
}

static int append_event(struct memory *m, const struct event *e, struct err *err)
{
    if (e->seq != m->events.len + 1)
        return err_set(err, BERR_PRECONDITION, "store: event %llu does not follow event %zu",
                       (unsigned long long)e->seq, m->events.len);
    const char *texts[] = {e->type == NULL ? "" : e->type,
                           e->subject_kind == NULL ? "" : e->subject_kind,
                           e->text == NULL ? "" : e->text, e->data};
    size_t size = 0;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        size += texts[i] == NULL ? 0 : strlen(texts[i]) + 1;
    struct event *copy = mem_alloc(sizeof(*copy) + size);
    struct event **slot = copy == NULL ? NULL : vec_push(&m->events);
    if (slot == NULL) {
        mem_free(copy);
        return nomem(err);
    }
    *copy = *e;
    char *at = (char *)(copy + 1);
    copy->type = pack(&at, texts[0]);
    copy->subject_kind = pack(&at, texts[1]);
    copy->text = pack(&at, texts[2]);
    copy->data = pack(&at, texts[3]);
    *slot = copy;
    return 0;
}

static void cut_events(struct memory *m, size_t len)
{
    while (m->events.len > len)
        mem_free(m->events.items[--m->events.len]);
}

static const char *ledger_key(char dst[KEY_SIZE], const struct ledger_row *l)
{
    snprintf(dst, KEY_SIZE, "%s %s", l->kind, l->name);
    return dst;
}

static int put_ledger(struct memory *m, const struct ledger_row *l, bool may_be_new,
                      struct err *err)
{
    char key[KEY_SIZE];
    ledger_key(key, l);
    const struct ledger_row *old = table_get(&m->ledger, key);
    if (old == NULL ? !may_be_new : !attempt_key_is_equal(old->holder, l->holder))
        return err_set(err, BERR_CONFLICT, "store: %s %s belongs to %s", l->kind, l->name,
                       may_be_new ? "another holder" : "nobody, or to another holder");
    return put_named(m, &m->ledger, key, l, sizeof(*l), err);
}

static int free_ledger(struct memory *m, const struct ledger_row *l, struct err *err)
{
    char key[KEY_SIZE];
    return table_set(&m->txn, &m->ledger, ledger_key(key, l), NULL) < 0 ? nomem(err) : 0;
}

static const char *idempotency_key(char dst[KEY_SIZE], const struct idempotency_row *r)
{
    snprintf(dst, KEY_SIZE, "%llu %llu %s", (unsigned long long)r->user.v,
             (unsigned long long)r->made, r->key);
    return dst;
}

static int put_idempotency(struct memory *m, const struct idempotency_row *r, struct err *err)
{
    char key[KEY_SIZE];
    const struct idempotency_row *old;
    for (size_t i = 0; (old = table_next(&m->idempotency, &i)) != NULL;)
        if (old->time_ms < r->time_ms - IDEMPOTENCY_KEEP_MS &&
            table_set(&m->txn, &m->idempotency, idempotency_key(key, old), NULL) < 0)
            return nomem(err);
    idempotency_key(key, r);
    return put_named(m, &m->idempotency, key, r, sizeof(*r), err);
}

static int put_setting(struct memory *m, const struct setting_row *s, struct err *err)
{
    const char *value = s->value == NULL ? "" : s->value;
    struct memory_setting *copy =
        mem_alloc(sizeof(*copy) + strlen(s->name) + 1 + strlen(value) + 1);
    if (copy == NULL)
        return nomem(err);
    char *at = (char *)(copy + 1);
    copy->name = pack(&at, s->name);
    copy->value = pack(&at, value);
    return table_set(&m->txn, &m->settings, s->name, copy) < 0 ? nomem(err) : 0;
}

static int apply_op(struct memory *m, const struct store_op *op, struct err *err)
{
    switch (op->kind) {
    case OP_PUT_USER:
        return put_user(m, op->row, err);
    case OP_PUT_TOKEN:
        return put_token(m, op->row, err);
    case OP_REMOVE_TOKEN:
        return remove_token(m, *(const uint64_t *)op->row, err);
    case OP_PUT_PROJECT:
        return put_project(m, op->row, err);
    case OP_PUT_MEMBER:
        return put_member(m, op->row, err);
    case OP_PUT_WORKLOAD:
        return put_workload(m, op->row, err);
    case OP_PUT_ATTEMPT:
        return put_attempt(m, op->row, err);
    case OP_PUT_IMAGE:
        return put_image(m, op->row, err);
    case OP_REMOVE_IMAGE:
        return table_set_u64(&m->txn, &m->images, *(const uint64_t *)op->row, NULL) < 0 ? nomem(err)
                                                                                        : 0;
    case OP_APPEND_EVENT:
        return append_event(m, op->row, err);
    case OP_PUT_VOLUME:
        return put_volume(m, op->row, err);
    case OP_LEDGER_TAKE:
        return put_ledger(m, op->row, true, err);
    case OP_LEDGER_SET:
        return put_ledger(m, op->row, false, err);
    case OP_LEDGER_FREE:
        return free_ledger(m, op->row, err);
    case OP_PUT_IDEMPOTENCY:
        return put_idempotency(m, op->row, err);
    case OP_PUT_SETTING:
        return put_setting(m, op->row, err);
    }
    check(false);
}

int memory_begin(void *db, struct err *err)
{
    struct memory *m = db;
    (void)err;
    pthread_mutex_lock(&m->lock);
    return 0;
}

int memory_apply(void *db, const struct store_batch *b, struct err *err)
{
    struct memory *m = db;
    size_t mark = m->txn.undos.len, event_mark = m->events.len;
    for (const struct store_op *op = b->first; op != NULL; op = op->next) {
        int rc = apply_op(m, op, err);
        if (rc < 0) {
            txn_undo_to(&m->txn, mark);
            cut_events(m, event_mark);
            return rc;
        }
    }
    return 0;
}

int memory_commit(void *db, struct err *err)
{
    struct memory *m = db;
    (void)err;
    txn_keep(&m->txn);
    m->events_kept = m->events.len;
    pthread_mutex_unlock(&m->lock);
    return 0;
}

void memory_rollback(void *db)
{
    struct memory *m = db;
    txn_undo_to(&m->txn, 0);
    txn_keep(&m->txn);
    cut_events(m, m->events_kept);
    pthread_mutex_unlock(&m->lock);
}
