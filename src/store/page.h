/*
 * page: what a read found, in an arena of its own, so that it can travel from the reader thread to
 * the loop thread. Inside store only; one thread at a time.
 */
#ifndef BERTH_STORE_PAGE_H
#define BERTH_STORE_PAGE_H

#include "base/arena.h"
#include "base/vec.h"
#include "store/store.h"

#define PAGE_BYTES_MAX (256u << 20)

struct page_row {
    struct workload w;
    struct attempt attempt; /* when w.attempt points at it */
    const char *spec_json;
};

struct page {
    struct arena arena;
    VEC(struct page_row *) rows;
    bool more;
};

struct event_page {
    struct arena arena;
    VEC(struct event) events; /* strings in the arena */
    uint64_t oldest;
};

void page_init(struct page *page);
void page_done(struct page *page);
/* A zeroed row that belongs to the page; NULL when memory is short. */
struct page_row *page_add(struct page *page);
/* Hands the page to a reader's callback. */
void page_deliver(struct page *page, store_workloads_fn *fn, void *arg);

void event_page_init(struct event_page *page);
void event_page_done(struct event_page *page);
/* Appends a copy; false when memory is short. */
bool event_page_add(struct event_page *page, const struct event *event);

#endif
