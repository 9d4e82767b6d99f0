/* Results of reads, owned by one object each. */
#include "store/page.h"

#include <string.h>
#include "base/alloc.h"

void page_init(struct page *page)
{
    *page = (struct page){.arena = ARENA(PAGE_BYTES_MAX)};
}

void page_done(struct page *page)
{
    arena_done(&page->arena);
    vec_done(&page->rows);
}

struct page_row *page_add(struct page *page)
{
    struct page_row *row = arena_alloc(&page->arena, sizeof(*row));
    struct page_row **slot = row == NULL ? NULL : vec_push(&page->rows);
    if (slot == NULL)
        return NULL;
    *slot = row;
    return row;
}

void page_deliver(struct page *page, store_workloads_fn *fn, void *arg)
{
    struct store_workload_page out = {.count = page->rows.len, .more = page->more};
    out.rows = arena_array(&page->arena, page->rows.len + 1, sizeof(out.rows[0]));
    if (out.rows == NULL) {
        struct err err;
        fn(arg, err_set(&err, BERR_NOMEM, "out of memory while reading workloads"), NULL, &err);
        return;
    }
    for (size_t i = 0; i < out.count; i++) {
        struct page_row *row = page->rows.items[i];
        out.rows[i].w = &row->w;
        out.rows[i].spec_json = row->spec_json;
        out.rows[i].a = row->w.attempt;
    }
    fn(arg, 0, &out, NULL);
}

void event_page_init(struct event_page *page)
{
    *page = (struct event_page){.arena = ARENA(PAGE_BYTES_MAX)};
}

void event_page_done(struct event_page *page)
{
    arena_done(&page->arena);
    vec_done(&page->events);
}

static bool copy_text(struct arena *a, const char **text)
{
    if (*text == NULL)
        return true;
    *text = arena_strdup(a, *text);
    return *text != NULL;
}

bool event_page_add(struct event_page *page, const struct event *event)
{
    struct event copy = *event;
    if (!copy_text(&page->arena, &copy.type) || !copy_text(&page->arena, &copy.subject_kind) ||
        !copy_text(&page->arena, &copy.text) || !copy_text(&page->arena, &copy.data))
        return false;
    struct event *slot = vec_push(&page->events);
    if (slot == NULL)
        return false;
    *slot = copy;
    return true;
}
