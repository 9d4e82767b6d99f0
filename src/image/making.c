/*
 * From MAKING to READY or FAILED: fetch (pulls only), each layer by the runner, the row. Every step
 * may be repeated, so that a restart begins anew.
 */
#include <stdio.h>
#include <string.h>
#include "base/alloc.h"
#include "base/str.h"
#include "image/state.h"

/* What a callback finds its way back by. */
struct ticket {
    struct image_mgr *m;
    struct image_id id;
};

static struct ticket *ticket_new(struct entry *e)
{
    struct ticket *t = mem_alloc(sizeof(*t));
    if (t != NULL) {
        *t = (struct ticket){e->m, e->row.id};
        mgr_owe(e->m);
    }
    return t;
}

/* NULL when the entry or the whole manager is gone. */
static struct entry *ticket_end(struct ticket *t)
{
    struct ticket is = *t;
    mem_free(t);
    return mgr_paid(is.m) ? entry_find(is.m, is.id) : NULL;
}

static bool is_build(const struct image *row)
{
    return row->source[0] == '{';
}

static void folder_of(const struct entry *e, char dst[ID_TEXT_SIZE])
{
    id_format(dst, e->row.id.v);
}

static void layers_next(struct entry *e);

/* ---- ends ---- */

static void place_free(struct entry *e)
{
    char folder[ID_TEXT_SIZE];
    struct image_mgr *m = e->m;
    if (e->step != STEP_NONE && e->step != STEP_WAITING)
        m->makings--;
    e->step = STEP_NONE;
    e->progress[0] = '\0';
    if (!is_build(&e->row)) {
        folder_of(e, folder);
        fetch_clear(m->cfg.loop, m->data_dir, folder);
    }
}

static void saved(void *arg, int rc, const struct err *err)
{
    struct entry *e = ticket_end(arg);
    if (e == NULL)
        return;
    struct image_mgr *m = e->m;
    struct err failure = {0};
    place_free(e);
    if (rc != 0) { /* not durable: a restart makes it anew, and so may whoever asks now */
        e->row.state = IMAGE_FAILED;
        snprintf(e->row.reason, sizeof(e->row.reason), "its row could not be saved: %.180s",
                 err->text);
    }
    if (e->row.state == IMAGE_FAILED)
        err_set(&failure, rc != 0 ? (enum berr) - rc : BERR_UNAVAILABLE, "%s", e->row.reason);
    waiters_call(e, false, e->row.state == IMAGE_FAILED ? -(int)failure.code : 0, &failure);
    makings_start(m);
    image_collect(m);
}

static void row_save(struct entry *e, const char *type, const char *text)
{
    struct ticket *t = ticket_new(e);
    struct image row = e->row;
    struct err err;
    e->step = STEP_SAVING;
    e->row.version++;
    row.version = e->row.version;
    if (t != NULL) {
        e->m->cfg.ops.persist(e->m->cfg.ops.arg, &row, false, type, text, saved, t);
        return;
    }
    e->row.state = IMAGE_FAILED;
    str_copy(e->row.reason, sizeof(e->row.reason), "out of memory");
    place_free(e);
    waiters_call(e, false, err_set(&err, BERR_NOMEM, "out of memory"), &err);
}

static void fail(struct entry *e, const struct err *err)
{
    char text[600];
    e->row.state = IMAGE_FAILED;
    e->row.layer_count = 0;
    snprintf(e->row.reason, sizeof(e->row.reason), "%.250s", err->text);
    snprintf(text, sizeof(text), "image %.63s:%.128s: %.250s", e->row.name, e->row.tag,
             e->row.reason);
    row_save(e, "image.failed", text);
}

static int digest_of_layers(struct image *row, struct err *err)
{
    struct digest d;
    char hex[DIGEST_HEX_SIZE];
    int rc = digest_of(row->layers, (size_t)row->layer_count * sizeof(row->layers[0]), &d, err);
    if (rc == 0)
        snprintf(row->digest, sizeof(row->digest), "sha256:%s", digest_hex(hex, &d));
    return rc;
}

static void succeed(struct entry *e)
{
    struct err err;
    char text[400];
    if (digest_of_layers(&e->row, &err) != 0) {
        fail(e, &err);
        return;
    }
    e->row.state = IMAGE_READY;
    e->row.reason[0] = '\0';
    snprintf(text, sizeof(text), "image %.63s:%.128s is ready", e->row.name, e->row.tag);
    row_save(e, "image.ready", text);
}

/* ---- layers, by the runner ---- */

static void retry_fired(void *arg)
{
    layers_next(arg);
}

static void retry_later(struct entry *e)
{
    if (e->retry == NULL)
        e->retry = ev_timer_new(e->m->cfg.loop, retry_fired, e);
    if (e->retry != NULL)
        ev_timer_start(e->retry, IMAGE_RETRY_MS, 0);
    else {
        struct err err;
        err_set(&err, BERR_NOMEM, "out of memory");
        fail(e, &err);
    }
}

static void layer_progress(void *arg, const char *text)
{
    struct ticket *t = arg; /* still held: the answer comes later */
    struct entry *e = t->m->is_closed ? NULL : entry_find(t->m, t->id);
    if (e == NULL)
        return;
    char words[256];
    if (e->row.layer_count > 1)
        snprintf(words, sizeof(words), "layer %u of %u: %.200s", e->layers_done + 1,
                 e->row.layer_count, text);
    else
        snprintf(words, sizeof(words), "%.250s", text);
    entry_progress(e, words);
}

static void layer_done(void *arg, int rc, const void *reply, const struct err *err)
{
    struct entry *e = ticket_end(arg);
    if (e == NULL || e->step != STEP_LAYERS)
        return;
    if (rc == -BERR_UNAVAILABLE && err->field[0] == '\0' &&
        !str_has_prefix(err->text, "the build failed")) {
        retry_later(e); /* the runner is away */
    } else if (rc != 0) {
        fail(e, err);
    } else {
        e->row.size_bytes += ((const struct wire_layer *)reply)->size_bytes;
        e->layers_done++;
        layers_next(e);
    }
}

static int layer_ask(struct entry *e, struct ticket *t, struct err *err)
{
    const struct image_ops *ops = &e->m->cfg.ops;
    const char *layer = e->row.layers[e->layers_done];
    char folder[ID_TEXT_SIZE];
    if (is_build(&e->row)) {
        cleanup(arena_done) struct arena arena = ARENA(1u << 20);
        struct recipe r;
        int rc = recipe_read(e->row.source, &arena, &r, err);
        if (rc != 0)
            return rc;
        struct wire_image_build req = {
            .layer = layer, .suite = r.suite, .packages = r.packages, .pip = r.pip};
        ops->call(ops->arg, WIRE_IMAGE_BUILD, &req, layer_progress, layer_done, t);
        return 0;
    }
    folder_of(e, folder);
    struct wire_image_add req = {.folder = folder, .layer = layer};
    ops->call(ops->arg, WIRE_IMAGE_ADD, &req, layer_progress, layer_done, t);
    return 0;
}

static void layers_next(struct entry *e)
{
    struct err err;
    if (e->layers_done == e->row.layer_count) {
        succeed(e);
        return;
    }
    if (layer_is_leaving(e->m, e->row.layers[e->layers_done])) {
        retry_later(e);
        return;
    }
    if (!is_build(&e->row)) {
        char text[64];
        snprintf(text, sizeof(text), "unpacking layer %u of %u", e->layers_done + 1,
                 e->row.layer_count);
        entry_progress(e, text);
    }
    struct ticket *t = ticket_new(e);
    int rc = t != NULL ? layer_ask(e, t, &err) : err_set(&err, BERR_NOMEM, "out of memory");
    if (rc != 0) {
        if (t != NULL)
            (void)ticket_end(t);
        fail(e, &err);
    }
}

static void layers_start(struct entry *e)
{
    e->step = STEP_LAYERS;
    e->layers_done = 0;
    e->row.size_bytes = 0;
    layers_next(e);
}

/* ---- fetching ---- */

static void fetch_progress(void *arg, const char *text)
{
    entry_progress(arg, text);
}

static void fetch_done(void *arg, int rc, const struct fetched *result, const struct err *err)
{
    struct entry *e = arg;
    e->fetch = NULL;
    if (rc != 0) {
        fail(e, err);
        return;
    }
    memcpy(e->row.layers, result->layers, sizeof(e->row.layers));
    e->row.layer_count = result->layer_count;
    str_copy(e->row.config, sizeof(e->row.config), result->config);
    layers_start(e);
}

static void pull_start(struct entry *e)
{
    char folder[ID_TEXT_SIZE];
    struct err err;
    folder_of(e, folder);
    struct fetch_job job = {
        .loop = e->m->cfg.loop,
        .skopeo = e->m->cfg.skopeo,
        .data_dir = e->m->data_dir,
        .folder = folder,
        .reference = e->row.source,
        .progress = fetch_progress,
        .done = fetch_done,
        .arg = e,
    };
    e->step = STEP_FETCHING;
    entry_progress(e, "asking the registry");
    if (fetch_start(&job, &e->fetch, &err) != 0)
        fail(e, &err);
}

static void build_start(struct entry *e)
{
    cleanup(arena_done) struct arena arena = ARENA(1u << 20);
    struct recipe r;
    struct err err;
    e->step = STEP_LAYERS;
    if (recipe_read(e->row.source, &arena, &r, &err) != 0) {
        fail(e, &err);
        return;
    }
    str_copy(e->row.layers[0], sizeof(e->row.layers[0]), r.layer);
    e->row.layer_count = 1;
    str_copy(e->row.config, sizeof(e->row.config),
             "{\"env\":{\"PATH\":\"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\","
             "\"LANG\":\"C.UTF-8\"},\"entrypoint\":[],\"cmd\":[],\"user\":\"\",\"workdir\":\"\"}");
    layers_start(e);
}

void makings_start(struct image_mgr *m)
{
    for (size_t i = 0; m->is_started && i < m->entries.len && m->makings < m->cfg.max_makings;
         i++) {
        struct entry *e = m->entries.items[i];
        if (e->step != STEP_WAITING || !e->is_saved)
            continue;
        m->makings++;
        if (is_build(&e->row))
            build_start(e);
        else
            pull_start(e);
    }
}
