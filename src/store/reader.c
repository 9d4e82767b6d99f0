/* Reads of the past: requests that own what they ask for and what was found. */
#include <string.h>
#include "base/alloc.h"
#include "base/limits.h"
#include "store/internal.h"

enum read_kind { READ_LIST, READ_ONE, READ_EVENTS_AFTER };

struct read {
    struct read *next;
    enum read_kind kind;
    struct store_workload_query query; /* projects owned */
    uint64_t *projects;
    struct workload_id id;
    uint64_t after;
    uint32_t limit;
    store_workloads_fn *workloads_fn;
    store_events_fn *events_fn;
    void *arg;
    struct page page;
    struct event_page events;
    bool is_refused;
    int rc;
    struct err err;
};

static struct read *read_new(struct store *s, enum read_kind kind, void *arg)
{
    struct read *r = mem_calloc(1, sizeof(*r));
    if (r == NULL)
        return NULL;
    r->kind = kind;
    r->arg = arg;
    page_init(&r->page);
    event_page_init(&r->events);
    if (store_must_fail(s, &r->err)) {
        r->is_refused = true;
        r->rc = -(int)r->err.code;
    }
    return r;
}

static void read_free(struct read *r)
{
    page_done(&r->page);
    event_page_done(&r->events);
    mem_free(r->projects);
    mem_free(r);
}

static void refuse(struct read *r, enum berr code, const char *text)
{
    r->is_refused = true;
    r->rc = err_set(&r->err, code, "store: %s", text);
}

static void run(struct store *s, struct read *r)
{
    if (r->is_refused)
        return;
    switch (r->kind) {
    case READ_LIST:
        r->rc = s->driver->list_workloads(s->db, &r->query, &r->page, &r->err);
        break;
    case READ_ONE:
        r->rc = s->driver->get_workload(s->db, r->id, &r->page, &r->err);
        break;
    case READ_EVENTS_AFTER:
        r->rc = s->driver->read_events(s->db, r->after, r->limit, &r->events, &r->err);
        break;
    }
}

struct read *read_next(struct read *r)
{
    return r->next;
}

void read_deliver(struct read *r)
{
    if (r->kind == READ_EVENTS_AFTER) {
        if (r->rc < 0)
            r->events_fn(r->arg, r->rc, NULL, 0, 0, &r->err);
        else
            r->events_fn(r->arg, 0, r->events.events.items, r->events.events.len, r->events.oldest,
                         NULL);
    } else if (r->rc < 0) {
        r->workloads_fn(r->arg, r->rc, NULL, &r->err);
    } else {
        page_deliver(&r->page, r->workloads_fn, r->arg);
    }
    read_free(r);
}

static void start(struct store *s, struct read *r)
{
    if (s->loop == NULL) {
        run(s, r);
        read_deliver(r);
        return;
    }
    if (s->reads_unanswered >= LIMIT_STORE_PENDING)
        refuse(r, BERR_BUSY, "too many reads wait");
    if (store_unanswered(s) == 0)
        notify_hold(s->notify, true);
    s->reads_unanswered++;
    uv_mutex_lock(&s->lock);
    s->reads_waiting++;
    if (s->reads.last == NULL)
        s->reads.first = r;
    else
        s->reads.last->next = r;
    s->reads.last = r;
    uv_cond_signal(&s->reads_come);
    uv_mutex_unlock(&s->lock);
}

void store_reader_main(void *arg)
{
    struct store *s = arg;
    uv_mutex_lock(&s->lock);
    for (;;) {
        while (s->reads.first == NULL && !s->is_stopping)
            uv_cond_wait(&s->reads_come, &s->lock);
        struct read *r = s->reads.first;
        if (r == NULL)
            break;
        s->reads.first = r->next;
        if (r->next == NULL)
            s->reads.last = NULL;
        uv_mutex_unlock(&s->lock);
        run(s, r);
        r->next = NULL;
        uv_mutex_lock(&s->lock);
        s->reads_waiting--;
        if (s->reads_done.last == NULL)
            s->reads_done.first = r;
        else
            s->reads_done.last->next = r;
        s->reads_done.last = r;
        notify_send(s->notify);
        uv_cond_signal(&s->answers_come);
    }
    uv_mutex_unlock(&s->lock);
}

/* ---- public ---- */

static void fail_workloads(store_workloads_fn *fn, void *arg)
{
    struct err err;
    fn(arg, err_set(&err, BERR_NOMEM, "store: out of memory"), NULL, &err);
}

void store_list_workloads(struct store *s, const struct store_workload_query *q,
                          store_workloads_fn *fn, void *arg)
{
    struct read *r = read_new(s, READ_LIST, arg);
    if (r == NULL) {
        fail_workloads(fn, arg);
        return;
    }
    r->workloads_fn = fn;
    r->query = *q;
    if (q->limit == 0 || q->limit > LIMIT_PAGE_ITEMS)
        r->query.limit = q->limit == 0 ? LIMIT_PAGE_DEFAULT : LIMIT_PAGE_ITEMS;
    if (q->projects != NULL) {
        r->projects = mem_calloc(q->project_count + 1, sizeof(r->projects[0]));
        if (r->projects == NULL)
            refuse(r, BERR_NOMEM, "out of memory");
        else if (q->project_count > 0)
            memcpy(r->projects, q->projects, q->project_count * sizeof(r->projects[0]));
        r->query.projects = r->projects;
    }
    start(s, r);
}

void store_get_workload(struct store *s, struct workload_id id, store_workloads_fn *fn, void *arg)
{
    struct read *r = read_new(s, READ_ONE, arg);
    if (r == NULL) {
        fail_workloads(fn, arg);
        return;
    }
    r->workloads_fn = fn;
    r->id = id;
    start(s, r);
}

void store_read_events(struct store *s, uint64_t after, uint32_t limit, store_events_fn *fn,
                       void *arg)
{
    struct read *r = read_new(s, READ_EVENTS_AFTER, arg);
    if (r == NULL) {
        struct err err;
        fn(arg, err_set(&err, BERR_NOMEM, "store: out of memory"), NULL, 0, 0, &err);
        return;
    }
    r->events_fn = fn;
    r->after = after;
    r->limit = limit == 0 || limit > LIMIT_PAGE_ITEMS ? LIMIT_PAGE_ITEMS : limit;
    start(s, r);
}
