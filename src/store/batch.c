/* Batches: every put copies its row, with the strings behind it, into the batch's arena. */
#include "store/batch.h"

#include <string.h>
#include "base/alloc.h"
#include "base/str.h"

#define SPEC_BYTES_MAX (4u << 20)

struct store_batch *store_batch_new(struct store *s)
{
    (void)s;
    struct store_batch *b = mem_calloc(1, sizeof(*b));
    if (b == NULL)
        return NULL;
    arena_init(&b->arena, BATCH_BYTES_MAX);
    return b;
}

struct store_batch *store_batch_free(struct store_batch *b)
{
    if (b == NULL)
        return NULL;
    arena_done(&b->arena);
    mem_free(b);
    return NULL;
}

bool store_batch_is_empty(const struct store_batch *b)
{
    return b->first == NULL && !b->is_refused;
}

void batch_refuse(struct store_batch *b, const struct err *err)
{
    b->is_refused = true;
    b->err = *err;
    b->rc = -(int)err->code;
    b->first = b->last = NULL;
    b->op_count = 0;
    arena_done(&b->arena);
}

static void refuse_nomem(struct store_batch *b)
{
    struct err err;
    err_set(&err, BERR_NOMEM, "out of memory while preparing a change");
    batch_refuse(b, &err);
}

/* Appends an operation with a zeroed or copied row of `size` bytes; NULL when the batch failed. */
static void *add(struct store_batch *b, enum store_op_kind kind, const void *row, size_t size)
{
    if (b->is_refused)
        return NULL;
    struct store_op *op = arena_alloc(&b->arena, sizeof(*op));
    void *copy = op == NULL ? NULL : arena_copy(&b->arena, row, size);
    if (copy == NULL) {
        refuse_nomem(b);
        return NULL;
    }
    op->kind = kind;
    op->row = copy;
    if (b->last == NULL)
        b->first = op;
    else
        b->last->next = op;
    b->last = op;
    b->op_count++;
    return copy;
}

/* Copies *text into the arena; false when the batch failed. NULL stays NULL. */
static bool own(struct store_batch *b, const char **text)
{
    if (*text == NULL)
        return true;
    *text = arena_strdup(&b->arena, *text);
    if (*text == NULL)
        refuse_nomem(b);
    return *text != NULL;
}

void store_put_user(struct store_batch *b, const struct user *user)
{
    add(b, OP_PUT_USER, user, sizeof(*user));
}

void store_put_token(struct store_batch *b, const struct token *token)
{
    add(b, OP_PUT_TOKEN, token, sizeof(*token));
}

void store_remove_token(struct store_batch *b, struct token_id id)
{
    add(b, OP_REMOVE_TOKEN, &id.v, sizeof(id.v));
}

void store_put_project(struct store_batch *b, const struct project *project)
{
    add(b, OP_PUT_PROJECT, project, sizeof(*project));
}

void store_put_member(struct store_batch *b, const struct member *m)
{
    add(b, OP_PUT_MEMBER, m, sizeof(*m));
}

void store_put_workload(struct store_batch *b, const struct workload *w)
{
    struct workload_row source = {.w = *w, .kind = w->spec == NULL ? 0 : w->spec->kind};
    source.w.spec = NULL;
    source.w.attempt = NULL;
    source.w.arena = (struct arena){0};
    struct workload_row *row = add(b, OP_PUT_WORKLOAD, &source, sizeof(source));
    if (row == NULL || w->spec == NULL)
        return;
    struct buf json = BUF(SPEC_BYTES_MAX);
    js_encode(&spec_table, w->spec, &json);
    row->spec_json = buf_is_failed(&json) ? NULL : arena_strndup(&b->arena, json.data, json.len);
    buf_done(&json);
    if (row->spec_json == NULL)
        refuse_nomem(b);
}

void store_put_attempt(struct store_batch *b, const struct attempt *a)
{
    struct attempt *row = add(b, OP_PUT_ATTEMPT, a, sizeof(*a));
    if (row == NULL || a->task_count == 0)
        return;
    row->tasks = arena_copy(&b->arena, a->tasks, a->task_count * sizeof(a->tasks[0]));
    if (row->tasks == NULL)
        refuse_nomem(b);
}

void store_put_image(struct store_batch *b, const struct image *image)
{
    add(b, OP_PUT_IMAGE, image, sizeof(*image));
}

void store_remove_image(struct store_batch *b, struct image_id id)
{
    add(b, OP_REMOVE_IMAGE, &id.v, sizeof(id.v));
}

void store_append_event(struct store_batch *b, const struct event *event)
{
    struct event *row = add(b, OP_APPEND_EVENT, event, sizeof(*event));
    if (row != NULL && own(b, &row->type) && own(b, &row->subject_kind) && own(b, &row->text))
        own(b, &row->data);
}

void store_put_volume(struct store_batch *b, const struct volume_row *v)
{
    add(b, OP_PUT_VOLUME, v, sizeof(*v));
}

void store_ledger_take(struct store_batch *b, const struct ledger_row *row)
{
    add(b, OP_LEDGER_TAKE, row, sizeof(*row));
}

void store_ledger_set(struct store_batch *b, const struct ledger_row *row)
{
    add(b, OP_LEDGER_SET, row, sizeof(*row));
}

void store_ledger_free(struct store_batch *b, const char *kind, const char *name)
{
    struct ledger_row row = {0};
    bool fits = str_copy(row.kind, sizeof(row.kind), kind);
    fits = str_copy(row.name, sizeof(row.name), name) && fits;
    check(fits);
    add(b, OP_LEDGER_FREE, &row, sizeof(row));
}

void store_put_idempotency(struct store_batch *b, const struct idempotency_row *row)
{
    add(b, OP_PUT_IDEMPOTENCY, row, sizeof(*row));
}

void store_put_setting(struct store_batch *b, const char *name, const char *value)
{
    struct setting_row source = {.name = name, .value = value};
    struct setting_row *row = add(b, OP_PUT_SETTING, &source, sizeof(source));
    if (row != NULL && own(b, &row->name))
        own(b, &row->value);
}
