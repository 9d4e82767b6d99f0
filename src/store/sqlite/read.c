/*
 * Reads of the past. A list first finds the keys of its rows in one index (one walk a project when
 * the asker sees several: each walk ends after a page), then fetches the rows.
 */
#include "store/sqlite/access.h"

#include <stdlib.h>
#include <string.h>
#include "base/alloc.h"
#include "base/limits.h"
#include "store/sqlite/codec.h"

#define PROJECTS_BYTES_MAX (4u << 20)

struct found {
    int64_t n, submitted_ms;
    uint64_t id;
};
struct found_list {
    VEC(struct found) all;
};

/* Newest first, then by id. */
static int compare_found(const void *pa, const void *pb)
{
    const struct found *a = pa, *b = pb;
    if (a->submitted_ms != b->submitted_ms)
        return a->submitted_ms > b->submitted_ms ? -1 : 1;
    return a->id < b->id ? -1 : a->id > b->id;
}

static int find(struct conn *c, const struct store_workload_query *q, uint64_t project,
                const char *projects_json, uint32_t limit, struct found_list *list, struct err *err)
{
    struct row row;
    row_begin(&row, c,
              q->owner.v != 0 ? LIST_BY_OWNER
              : project != 0  ? LIST_BY_PROJECT
                              : LIST_BY_TIME);
    put_i64(&row, q->before_ms == 0 ? INT64_MAX : q->before_ms);
    put_u64(&row, q->before_id);
    put_u64(&row, q->owner.v);
    put_text(&row, q->kind < 0 ? NULL : workload_kind_names[q->kind]);
    put_text(&row, q->state < 0 ? NULL : workload_state_names[q->state]);
    put_u64(&row, project);
    put_text(&row, projects_json);
    put_i64(&row, limit);
    int rc;
    while ((rc = row_step(&row, err)) == 1) {
        struct found *f = vec_push(&list->all);
        if (f == NULL) {
            rc = err_set(err, BERR_NOMEM, "store: out of memory");
            break;
        }
        f->n = get_i64(&row);
        f->submitted_ms = get_i64(&row);
        f->id = get_u64(&row);
    }
    row_end(&row);
    return rc;
}

static void sort_and_cut(struct found_list *list, uint32_t limit)
{
    if (list->all.len > 1)
        qsort(list->all.items, list->all.len, sizeof(list->all.items[0]), compare_found);
    if (list->all.len > limit)
        list->all.len = limit;
}

/* An owner's rows are few: one walk over them with the projects as a filter. */
static int find_of_owner(struct conn *c, const struct store_workload_query *q, uint32_t limit,
                         struct found_list *list, struct err *err)
{
    cleanup(buf_done) struct buf json = BUF(PROJECTS_BYTES_MAX);
    bool is_filtered = q->project.v == 0 && q->projects != NULL;
    buf_putc(&json, '[');
    for (size_t i = 0; is_filtered && i < q->project_count; i++)
        buf_printf(&json, "%s%llu", i == 0 ? "" : ",", (unsigned long long)q->projects[i]);
    buf_putc(&json, ']');
    if (buf_is_failed(&json))
        return err_set(err, BERR_NOMEM, "store: out of memory");
    return find(c, q, q->project.v, is_filtered ? buf_str(&json) : NULL, limit, list, err);
}

static int find_all(struct conn *c, const struct store_workload_query *q, uint32_t limit,
                    struct found_list *list, struct err *err)
{
    if (q->owner.v != 0)
        return find_of_owner(c, q, limit, list, err);
    if (q->project.v != 0 || q->projects == NULL)
        return find(c, q, q->project.v, NULL, limit, list, err);
    for (size_t i = 0; i < q->project_count; i++) {
        int rc = q->projects[i] == 0 ? 0 : find(c, q, q->projects[i], NULL, limit, list, err);
        if (rc < 0)
            return rc;
        if (list->all.len > 16u * limit)
            sort_and_cut(list, limit);
    }
    sort_and_cut(list, limit);
    return 0;
}

/* Takes the row at hand into the page. */
static int take_workload(struct row *row, struct page *page, struct err *err)
{
    struct page_row *out = page_add(page);
    if (out == NULL)
        return err_set(err, BERR_NOMEM, "store: out of memory");
    const char *spec_json;
    get_workload(row, &out->w, &spec_json);
    if (get_attempt(row, &page->arena, &out->attempt))
        out->w.attempt = &out->attempt;
    int rc = row_check(row, err);
    if (rc < 0)
        return rc;
    out->spec_json = arena_strdup(&page->arena, spec_json);
    if (out->spec_json == NULL || row->rc == SQLITE_NOMEM)
        return err_set(err, BERR_NOMEM, "store: out of memory");
    return 0;
}

static int fetch(struct conn *c, enum statement id, int64_t key, struct page *page, struct err *err)
{
    struct row row;
    row_begin(&row, c, id);
    put_i64(&row, key);
    int rc = row_step(&row, err);
    if (rc == 1)
        rc = take_workload(&row, page, err);
    row_end(&row);
    return rc;
}

int db_list_workloads(void *arg, const struct store_workload_query *q, struct page *page,
                      struct err *err)
{
    struct conn *c = &((struct db *)arg)->reader;
    struct found_list list = {0};
    /* One snapshot for keys and rows. */
    int rc = conn_run(c, BEGIN_READ, err);
    if (rc < 0)
        return rc;
    rc = find_all(c, q, q->limit + 1, &list, err);
    for (size_t i = 0; rc == 0 && i < list.all.len && i < q->limit; i++)
        rc = fetch(c, GET_BY_NUMBER, list.all.items[i].n, page, err);
    page->more = list.all.len > q->limit;
    vec_done(&list.all);
    if (!sqlite3_get_autocommit(c->handle))
        conn_run(c, ROLLBACK_ALL, NULL);
    return rc;
}

int db_get_workload(void *arg, struct workload_id id, struct page *page, struct err *err)
{
    struct db *db = arg;
    return fetch(&db->reader, GET_WORKLOAD, (int64_t)id.v, page, err);
}

static int read_rows(struct conn *c, uint64_t after, uint32_t limit, struct event_page *page,
                     struct err *err)
{
    struct row row;
    row_begin(&row, c, READ_EVENTS);
    put_u64(&row, after > INT64_MAX ? INT64_MAX : after);
    put_i64(&row, limit);
    int rc;
    while ((rc = row_step(&row, err)) == 1) {
        struct event event;
        get_event(&row, &event);
        rc = row_check(&row, err);
        if (rc == 0 && !event_page_add(page, &event))
            rc = err_set(err, BERR_NOMEM, "store: out of memory");
        if (rc < 0)
            break;
    }
    row_end(&row);
    return rc;
}

int db_read_events(void *arg, uint64_t after, uint32_t limit, struct event_page *page,
                   struct err *err)
{
    struct conn *c = &((struct db *)arg)->reader;
    int rc = conn_run(c, BEGIN_READ, err);
    if (rc < 0)
        return rc;
    struct row row;
    row_begin(&row, c, OLDEST_EVENT);
    rc = row_step(&row, err);
    if (rc == 1)
        page->oldest = get_u64(&row);
    row_end(&row);
    if (rc >= 0)
        rc = read_rows(c, after, limit, page, err);
    if (!sqlite3_get_autocommit(c->handle))
        conn_run(c, ROLLBACK_ALL, NULL);
    return rc;
}
