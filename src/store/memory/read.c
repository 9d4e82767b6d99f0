/* Reads of tables in memory: walk, filter, sort. */
#include <stdlib.h>
#include <string.h>
#include "base/alloc.h"
#include "store/memory/memory.h"

struct sorted {
    VEC(const struct memory_workload *) rows;
};

static int nomem(struct err *err)
{
    return err_set(err, BERR_NOMEM, "store: out of memory");
}

static int compare_ended(const void *pa, const void *pb)
{
    const struct memory_workload *a = *(const struct memory_workload *const *)pa,
                                 *b = *(const struct memory_workload *const *)pb;
    if (a->w.ended_ms != b->w.ended_ms)
        return a->w.ended_ms < b->w.ended_ms ? -1 : 1;
    return a->order < b->order ? -1 : 1;
}

/* Newest first, then by id. */
static int compare_submitted(const void *pa, const void *pb)
{
    const struct memory_workload *a = *(const struct memory_workload *const *)pa,
                                 *b = *(const struct memory_workload *const *)pb;
    if (a->w.submitted_ms != b->w.submitted_ms)
        return a->w.submitted_ms > b->w.submitted_ms ? -1 : 1;
    return a->w.id.v < b->w.id.v ? -1 : a->w.id.v > b->w.id.v;
}

static void sort(struct sorted *s, int (*compare)(const void *, const void *))
{
    if (s->rows.len > 1)
        qsort(s->rows.items, s->rows.len, sizeof(s->rows.items[0]), compare);
}

static bool add(struct sorted *s, const struct memory_workload *w)
{
    const struct memory_workload **slot = vec_push(&s->rows);
    if (slot != NULL)
        *slot = w;
    return slot != NULL;
}

static struct attempt *latest_attempt(struct memory *m, const struct memory_workload *w)
{
    char key[ATTEMPT_KEY_SIZE];
    if (w->last_attempt == 0)
        return NULL;
    return table_get(&m->attempts, memory_attempt_key(key, w->w.id.v, w->last_attempt));
}

/* ---- load ---- */

/* Visits the rows of one table. */
#define VISIT(table, member, type)                                       \
    if (v->member != NULL) {                                             \
        const type *row;                                                 \
        for (size_t i = 0; (row = table_next(&m->table, &i)) != NULL;) { \
            int visit_rc = v->member(v->arg, row);                       \
            if (visit_rc != 0)                                           \
                return visit_rc;                                         \
        }                                                                \
    }

static int visit_workload(struct memory *m, const struct memory_workload *w,
                          const struct store_visitor *v)
{
    int rc = v->workload == NULL ? 0 : v->workload(v->arg, &w->w, w->spec_json);
    const struct attempt *a = latest_attempt(m, w);
    return rc != 0 || a == NULL || v->attempt == NULL ? rc : v->attempt(v->arg, a);
}

static int visit_workloads(struct memory *m, int64_t recent_ms, const struct store_visitor *v,
                           struct err *err)
{
    struct sorted ended = {0};
    const struct memory_workload *w;
    int rc = 0;
    for (size_t i = 0; rc == 0 && (w = table_next(&m->workloads, &i)) != NULL;) {
        if (!workload_state_is_final(w->w.state))
            rc = visit_workload(m, w, v);
        else if (w->w.ended_ms >= recent_ms && !add(&ended, w))
            rc = nomem(err);
    }
    sort(&ended, compare_ended);
    for (size_t i = 0; rc == 0 && i < ended.rows.len; i++)
        rc = visit_workload(m, ended.rows.items[i], v);
    vec_done(&ended.rows);
    return rc;
}

static int visit_all(struct memory *m, int64_t recent_ms, const struct store_visitor *v,
                     struct err *err)
{
    if (v->setting != NULL) {
        const struct memory_setting *s;
        for (size_t i = 0; (s = table_next(&m->settings, &i)) != NULL;) {
            int rc = v->setting(v->arg, s->name, s->value);
            if (rc != 0)
                return rc;
        }
    }
    VISIT(users, user, struct user)
    VISIT(tokens, token, struct token)
    VISIT(projects, project, struct project)
    VISIT(members, member, struct member)
    VISIT(volumes, volume, struct volume_row)
    VISIT(images, image, struct image)
    int rc = visit_workloads(m, recent_ms, v, err);
    if (rc != 0)
        return rc;
    VISIT(ledger, ledger, struct ledger_row)
    VISIT(idempotency, idempotency, struct idempotency_row)
    return 0;
}

int memory_load(void *db, int64_t recent_ms, const struct store_visitor *v,
                struct store_heads *ret_heads, struct err *err)
{
    struct memory *m = db;
    pthread_mutex_lock(&m->lock);
    struct store_heads heads = {.event_seq = m->events.len, .workloads_total = m->workloads.len};
    const struct attempt_key *key;
    for (size_t i = 0; (key = table_next(&m->fences, &i)) != NULL;)
        if (key->fence > heads.fence)
            heads.fence = key->fence;
    int rc = visit_all(m, recent_ms, v, err);
    pthread_mutex_unlock(&m->lock);
    if (rc == 0)
        *ret_heads = heads;
    return rc;
}

/* ---- lists ---- */

static bool is_in(const struct store_workload_query *q, uint64_t project)
{
    if (q->project.v != 0)
        return q->project.v == project;
    if (q->projects == NULL)
        return true;
    for (size_t i = 0; i < q->project_count; i++)
        if (q->projects[i] == project)
            return true;
    return false;
}

static bool is_wanted(const struct store_workload_query *q, const struct memory_workload *row)
{
    const struct workload *w = &row->w;
    bool is_past_cursor =
        q->before_ms == 0 || w->submitted_ms < q->before_ms ||
        (w->submitted_ms == q->before_ms && q->before_id != 0 && w->id.v > q->before_id);
    return is_past_cursor && is_in(q, w->project.v) &&
           (q->owner.v == 0 || q->owner.v == w->owner.v) && (q->kind < 0 || q->kind == row->kind) &&
           (q->state < 0 || q->state == (int)w->state);
}

static bool take(struct memory *m, struct page *page, const struct memory_workload *w)
{
    struct page_row *out = page_add(page);
    if (out == NULL)
        return false;
    out->w = w->w;
    out->spec_json = arena_strdup(&page->arena, w->spec_json);
    const struct attempt *a = latest_attempt(m, w);
    if (a == NULL)
        return out->spec_json != NULL;
    out->attempt = *a;
    out->attempt.tasks = arena_alloc(&page->arena, (a->task_count + 1) * sizeof(a->tasks[0]));
    if (out->attempt.tasks == NULL)
        return false;
    memcpy(out->attempt.tasks, a->tasks, a->task_count * sizeof(a->tasks[0]));
    out->w.attempt = &out->attempt;
    return out->spec_json != NULL;
}

int memory_list_workloads(void *db, const struct store_workload_query *q, struct page *page,
                          struct err *err)
{
    struct memory *m = db;
    struct sorted found = {0};
    const struct memory_workload *w;
    bool is_ok = true;
    pthread_mutex_lock(&m->lock);
    for (size_t i = 0; is_ok && (w = table_next(&m->workloads, &i)) != NULL;)
        if (is_wanted(q, w))
            is_ok = add(&found, w);
    sort(&found, compare_submitted);
    page->more = found.rows.len > q->limit;
    for (size_t i = 0; is_ok && i < found.rows.len && i < q->limit; i++)
        is_ok = take(m, page, found.rows.items[i]);
    pthread_mutex_unlock(&m->lock);
    vec_done(&found.rows);
    return is_ok ? 0 : nomem(err);
}

int memory_get_workload(void *db, struct workload_id id, struct page *page, struct err *err)
{
    struct memory *m = db;
    pthread_mutex_lock(&m->lock);
    const struct memory_workload *w = table_get_u64(&m->workloads, id.v);
    bool is_ok = w == NULL || take(m, page, w);
    pthread_mutex_unlock(&m->lock);
    return is_ok ? 0 : nomem(err);
}

int memory_read_events(void *db, uint64_t after, uint32_t limit, struct event_page *page,
                       struct err *err)
{
    struct memory *m = db;
    bool is_ok = true;
    pthread_mutex_lock(&m->lock);
    page->oldest = 1;
    for (uint64_t i = after; is_ok && i < m->events.len && i - after < limit; i++)
        is_ok = event_page_add(page, m->events.items[i]);
    pthread_mutex_unlock(&m->lock);
    return is_ok ? 0 : nomem(err);
}
