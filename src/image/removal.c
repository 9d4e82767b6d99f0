/*
 * Removal: the row says so first (a restart goes on), then the layers that no other image has, one
 * by one, then the row. What a task still holds (BUSY) is tried again.
 */
#include <stdio.h>
#include <string.h>
#include "base/alloc.h"
#include "base/str.h"
#include "image/state.h"

struct ticket {
    struct image_mgr *m;
    struct image_id id;
    char layer[65];
};

static void layers_next(struct entry *e);

static void removed(void *arg, int rc, const struct err *err)
{
    struct ticket t = *(struct ticket *)arg;
    mem_free(arg);
    struct entry *e = mgr_paid(t.m) ? entry_find(t.m, t.id) : NULL;
    if (e == NULL)
        return;
    waiters_call(e, true, rc, err);
    e = entry_find(t.m, t.id);
    if (e != NULL && rc == 0)
        entry_drop(e);
    else if (e != NULL)
        e->is_removing = false; /* the row is still there; may be asked again */
}

static struct ticket *ticket_new(struct entry *e)
{
    struct ticket *t = mem_calloc(1, sizeof(*t));
    if (t != NULL) {
        *t = (struct ticket){.m = e->m, .id = e->row.id};
        mgr_owe(e->m);
    }
    return t;
}

static void retry_fired(void *arg)
{
    layers_next(arg);
}

static void retry_later(struct entry *e)
{
    if (e->retry == NULL)
        e->retry = ev_timer_new(e->m->cfg.loop, retry_fired, e);
    if (e->retry != NULL)
        ev_timer_start(e->retry, IMAGE_BUSY_RETRY_MS, 0); /* else the next start goes on */
}

static void leaving_remove(struct image_mgr *m, const char *layer)
{
    for (size_t i = 0; i < m->leaving.len; i++) {
        if (strcmp(m->leaving.items[i], layer) == 0) {
            mem_free(m->leaving.items[i]);
            vec_swap_remove(&m->leaving, i);
            return;
        }
    }
}

static void layer_gone(void *arg, int rc, const void *reply, const struct err *err)
{
    struct ticket t = *(struct ticket *)arg;
    (void)reply;
    (void)err;
    mem_free(arg);
    if (!mgr_paid(t.m))
        return;
    leaving_remove(t.m, t.layer);
    struct entry *e = entry_find(t.m, t.id);
    if (e == NULL)
        return;
    if (rc != 0) {
        retry_later(e);
        return;
    }
    check(e->row.layer_count > 0);
    e->row.layer_count--;
    layers_next(e);
}

static void row_remove(struct entry *e)
{
    char text[400];
    struct ticket *t = ticket_new(e);
    if (t == NULL) {
        retry_later(e);
        return;
    }
    snprintf(text, sizeof(text), "image %.63s:%.128s is removed", e->row.name, e->row.tag);
    struct image row = e->row;
    e->m->cfg.ops.persist(e->m->cfg.ops.arg, &row, true, "image.removed", text, removed, t);
}

/* From the top down; those that others have are only let go. */
static void layers_next(struct entry *e)
{
    struct image_mgr *m = e->m;
    while (e->row.layer_count > 0 && layer_is_wanted(m, e->row.layers[e->row.layer_count - 1], e))
        e->row.layer_count--;
    if (e->row.layer_count == 0) {
        row_remove(e);
        return;
    }
    const char *layer = e->row.layers[e->row.layer_count - 1];
    struct ticket *t = ticket_new(e);
    char *copy = mem_strdup(layer), **slot = copy != NULL ? vec_push(&m->leaving) : NULL;
    if (t == NULL || slot == NULL) {
        mem_free(copy);
        if (t != NULL) {
            mem_free(t);
            (void)mgr_paid(m);
        }
        retry_later(e);
        return;
    }
    *slot = copy;
    str_copy(t->layer, sizeof(t->layer), layer);
    struct wire_image_remove req = {.layer = t->layer};
    m->cfg.ops.call(m->cfg.ops.arg, WIRE_IMAGE_REMOVE, &req, NULL, layer_gone, t);
}

static void marked(void *arg, int rc, const struct err *err)
{
    struct ticket t = *(struct ticket *)arg;
    mem_free(arg);
    struct entry *e = mgr_paid(t.m) ? entry_find(t.m, t.id) : NULL;
    if (e == NULL)
        return;
    if (rc == 0) {
        layers_next(e);
        return;
    }
    e->is_removing = false;
    waiters_call(e, true, rc, err);
}

void removal_start(struct entry *e)
{
    struct ticket *t = ticket_new(e);
    struct err err;
    e->is_removing = true;
    if (t == NULL) {
        e->is_removing = false;
        waiters_call(e, true, err_set(&err, BERR_NOMEM, "out of memory"), &err);
        return;
    }
    e->row.state = IMAGE_FAILED;
    e->row.version++;
    str_copy(e->row.reason, sizeof(e->row.reason), IMAGE_BEING_REMOVED);
    struct image row = e->row;
    e->m->cfg.ops.persist(e->m->cfg.ops.arg, &row, false, NULL, NULL, marked, t);
}

/* ---- asked for ---- */

static int in_use(const struct entry *e, struct err *err)
{
    char names[3 * (ID_TEXT_SIZE + 2)] = "", id[ID_TEXT_SIZE];
    size_t len = 0, shown = 0;
    uint64_t user;
    for (size_t i = 0; shown < 3 && map_next_u64(&e->users, &i, &user, NULL); shown++)
        len += (size_t)snprintf(names + len, sizeof(names) - len, "%s%s", shown > 0 ? ", " : "",
                                id_format(id, user));
    int rc = err_set(err, BERR_CONFLICT, "image %.63s:%.128s is used by %s%s", e->row.name,
                     e->row.tag, names, e->users.len > shown ? " and others" : "");
    err_hint(err, "stop them first: berth job stop ID");
    return rc;
}

void image_remove(struct image_mgr *m, struct image_id id, image_done_fn *done, void *arg)
{
    struct err err = {0};
    struct entry *e = entry_find(m, id);
    int rc = 0;
    if (e == NULL)
        rc = err_set(&err, BERR_NOT_FOUND, "there is no such image");
    else if (e->row.state == IMAGE_MAKING) {
        rc = err_set(&err, BERR_CONFLICT, "image %.63s:%.128s is still being made", e->row.name,
                     e->row.tag);
        err_hint(&err, "wait for its end");
    } else if (e->users.len > 0)
        rc = in_use(e, &err);
    struct waiter *w = rc == 0 ? vec_push(&e->removers) : NULL;
    if (rc == 0 && w == NULL)
        rc = err_set(&err, BERR_NOMEM, "out of memory");
    if (rc != 0) {
        done(arg, rc, NULL, &err);
        return;
    }
    *w = (struct waiter){done, arg};
    if (!e->is_removing)
        removal_start(e);
}

/* ---- by itself ---- */

bool is_superseded(const struct entry *e)
{
    const struct image_mgr *m = e->m;
    for (size_t i = m->entries.len; i-- > 0 && m->entries.items[i] != e;) {
        const struct entry *newer = m->entries.items[i];
        if (newer->row.state == IMAGE_READY && strcmp(newer->row.name, e->row.name) == 0 &&
            strcmp(newer->row.tag, e->row.tag) == 0)
            return true;
    }
    return false;
}

static bool is_collectable(const struct entry *e)
{
    const struct image_config *cfg = &e->m->cfg;
    int64_t age_ms = cfg->clock->wall_ms(cfg->clock->arg) - e->row.created_ms;
    if (e->is_removing || e->row.state == IMAGE_MAKING || e->step != STEP_NONE || e->users.len > 0)
        return false;
    return is_superseded(e) || (e->row.state == IMAGE_FAILED && age_ms > cfg->keep_failed_ms);
}

void image_collect(struct image_mgr *m)
{
    struct image_id ids[64];
    size_t count = 0;
    if (!m->is_started)
        return;
    for (size_t i = 0; i < m->entries.len && count < ARRAY_LEN(ids); i++) {
        if (is_collectable(m->entries.items[i]))
            ids[count++] = m->entries.items[i]->row.id;
    }
    for (size_t i = 0; i < count; i++) { /* a removal may end at once and move the others */
        struct entry *e = entry_find(m, ids[i]);
        if (e != NULL)
            removal_start(e);
    }
}
