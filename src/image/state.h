/*
 * state: what the manager holds of each image. Used inside image/ only.
 *
 * An entry lives from its first row to its last; whatever comes back late (a reply, a commit) finds
 * it by id, since it may be gone by then. The manager itself outlives its end until every callback
 * that is still owed has come (`owed`).
 */
#ifndef BERTH_IMAGE_STATE_H
#define BERTH_IMAGE_STATE_H

#include "base/map.h"
#include "base/vec.h"
#include "ev/timer.h"
#include "image/fetch.h"
#include "image/image.h"
#include "image/recipe.h"

#define IMAGE_RETRY_MS      1000
#define IMAGE_BUSY_RETRY_MS 3000
#define IMAGE_BEING_REMOVED "being removed"

struct waiter {
    image_done_fn *done;
    void *arg;
};

enum step { STEP_NONE, STEP_WAITING, STEP_FETCHING, STEP_LAYERS, STEP_SAVING };

struct entry {
    struct image_mgr *m;
    struct image row;
    bool is_saved;              /* its first row is durable */
    struct map users;           /* workload ids */
    VEC(struct waiter) waiters; /* for the end of its making */
    char progress[256];

    /* making */
    enum step step;
    struct fetch *fetch;
    uint32_t layers_done;
    struct ev_timer *retry; /* of making or removal; never both */

    /* removal */
    bool is_removing;
    VEC(struct waiter) removers;
};

struct image_mgr {
    struct image_config cfg;
    char data_dir[512];
    VEC(struct entry *) entries; /* in the order of creation */
    bool is_started, is_closed;
    size_t owed;
    uint32_t makings;
    VEC(char *) leaving; /* layers that the runner is removing now */
};

/* ---- image.c ---- */
struct entry *entry_find(const struct image_mgr *m, struct image_id id);
/* Forgets it; its row is gone. */
void entry_drop(struct entry *e);
/* One callback is owed from here on; mgr_paid tells whether the manager still lives. */
void mgr_owe(struct image_mgr *m);
bool mgr_paid(struct image_mgr *m);
void entry_progress(struct entry *e, const char *text);
/* Calls and empties a list; the entry may be gone afterwards. */
void waiters_call(struct entry *e, bool removers, int rc, const struct err *err);
bool layer_is_wanted(const struct image_mgr *m, const char *layer, const struct entry *except);
bool layer_is_leaving(const struct image_mgr *m, const char *layer);

/* ---- making.c ---- */
/* Starts what waits, as far as there are places. */
void makings_start(struct image_mgr *m);

/* ---- removal.c ---- */
void removal_start(struct entry *e);
/* An image that another of the same name and tag has replaced. */
bool is_superseded(const struct entry *e);

#endif
