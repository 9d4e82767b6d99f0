/* Finding, using and waiting; makings are in making.c, removals in removal.c. */
#include "image/image.h"
#include <string.h>
#include "base/alloc.h"
#include "base/str.h"
#include "image/state.h"

#define KEEP_FAILED_MS (7ll * 24 * 3600 * 1000)
#define MAKINGS_MAX    2
/* A marker in maps of ids: only the key counts. */
static char present;

static int no_memory(struct err *err)
{
    return err_set(err, BERR_NOMEM, "out of memory");
}

/* ---- entries ---- */

struct entry *entry_find(const struct image_mgr *m, struct image_id id)
{
    for (size_t i = 0; i < m->entries.len; i++) {
        if (m->entries.items[i]->row.id.v == id.v)
            return m->entries.items[i];
    }
    return NULL;
}

static struct entry *entry_new(struct image_mgr *m)
{
    struct entry *e = mem_calloc(1, sizeof(*e));
    if (e == NULL)
        return NULL;
    e->m = m;
    e->users = MAP_U64;
    struct entry **slot = vec_push(&m->entries);
    if (slot == NULL) {
        mem_free(e);
        return NULL;
    }
    *slot = e;
    return e;
}

static void entry_free(struct entry *e)
{
    if (e->fetch != NULL)
        fetch_cancel(e->fetch);
    ev_timer_free(e->retry);
    map_done(&e->users);
    vec_done(&e->waiters);
    vec_done(&e->removers);
    mem_free(e);
}

void entry_drop(struct entry *e)
{
    struct image_mgr *m = e->m;
    for (size_t i = 0; i < m->entries.len; i++) {
        if (m->entries.items[i] == e) {
            vec_remove(&m->entries, i);
            break;
        }
    }
    entry_free(e);
}

void entry_progress(struct entry *e, const char *text)
{
    str_copy(e->progress, sizeof(e->progress), text);
    if (e->m->cfg.ops.progress != NULL)
        e->m->cfg.ops.progress(e->m->cfg.ops.arg, &e->row, text);
}

void waiters_call(struct entry *e, bool removers, int rc, const struct err *err)
{
    __typeof__(e->waiters) list = {0};
    if (removers) {
        memcpy(&list, &e->removers, sizeof(list));
        memset(&e->removers, 0, sizeof(e->removers));
    } else {
        list = e->waiters;
        memset(&e->waiters, 0, sizeof(e->waiters));
    }
    struct image row = e->row; /* a callback may change what there is */
    for (size_t i = 0; i < list.len; i++)
        list.items[i].done(list.items[i].arg, rc, rc == 0 ? &row : NULL, err);
    vec_done(&list);
}

static bool has_layer(const struct image *row, const char *layer)
{
    for (uint32_t i = 0; i < row->layer_count; i++) {
        if (strcmp(row->layers[i], layer) == 0)
            return true;
    }
    return false;
}

bool layer_is_wanted(const struct image_mgr *m, const char *layer, const struct entry *except)
{
    for (size_t i = 0; i < m->entries.len; i++) {
        const struct entry *e = m->entries.items[i];
        if (e != except && !e->is_removing && has_layer(&e->row, layer))
            return true;
    }
    return false;
}

bool layer_is_leaving(const struct image_mgr *m, const char *layer)
{
    for (size_t i = 0; i < m->leaving.len; i++) {
        if (strcmp(m->leaving.items[i], layer) == 0)
            return true;
    }
    return false;
}

/* ---- the manager ---- */

int image_mgr_new(const struct image_config *cfg, struct image_mgr **ret, struct err *err)
{
    struct image_mgr *m = mem_calloc(1, sizeof(*m));
    if (m == NULL)
        return no_memory(err);
    m->cfg = *cfg;
    str_copy(m->data_dir, sizeof(m->data_dir), cfg->data_dir);
    m->cfg.data_dir = m->data_dir;
    if (m->cfg.max_makings == 0)
        m->cfg.max_makings = MAKINGS_MAX;
    if (m->cfg.keep_failed_ms == 0)
        m->cfg.keep_failed_ms = KEEP_FAILED_MS;
    *ret = m;
    return 0;
}

static void mgr_release(struct image_mgr *m)
{
    vec_done(&m->entries);
    for (size_t i = 0; i < m->leaving.len; i++)
        mem_free(m->leaving.items[i]);
    vec_done(&m->leaving);
    mem_free(m);
}

void mgr_owe(struct image_mgr *m)
{
    m->owed++;
}

bool mgr_paid(struct image_mgr *m)
{
    check(m->owed > 0);
    m->owed--;
    if (!m->is_closed)
        return true;
    if (m->owed == 0)
        mgr_release(m);
    return false;
}

struct image_mgr *image_mgr_free(struct image_mgr *m)
{
    if (m == NULL)
        return NULL;
    for (size_t i = 0; i < m->entries.len; i++)
        entry_free(m->entries.items[i]);
    vec_clear(&m->entries);
    m->is_closed = true;
    if (m->owed == 0)
        mgr_release(m);
    return NULL;
}

int image_mgr_load(struct image_mgr *m, const struct image *row, struct err *err)
{
    struct entry *e = entry_new(m);
    if (e == NULL)
        return no_memory(err);
    e->row = *row;
    e->is_saved = true;
    if (row->state == IMAGE_MAKING)
        e->step = STEP_WAITING;
    return 0;
}

void image_mgr_start(struct image_mgr *m)
{
    if (m->is_started)
        return;
    m->is_started = true;
    for (size_t i = 0; i < m->entries.len; i++) {
        struct entry *e = m->entries.items[i];
        if (e->row.state == IMAGE_FAILED && strcmp(e->row.reason, IMAGE_BEING_REMOVED) == 0)
            removal_start(e);
    }
    makings_start(m);
}

/* ---- new images ---- */

struct birth {
    struct image_mgr *m;
    struct image_id id;
    image_done_fn *done;
    void *arg;
};

static void refuse(image_done_fn *done, void *arg, int rc, const struct err *err)
{
    done(arg, rc, NULL, err);
}

static void born(void *arg, int rc, const struct err *err)
{
    struct birth b = *(struct birth *)arg;
    mem_free(arg);
    if (!mgr_paid(b.m))
        return;
    struct entry *e = entry_find(b.m, b.id);
    if (e == NULL)
        return;
    if (rc != 0) {
        entry_drop(e);
        refuse(b.done, b.arg, rc, err);
        return;
    }
    e->is_saved = true;
    struct image row = e->row;
    e->step = STEP_WAITING;
    b.done(b.arg, 0, &row, NULL);
    makings_start(b.m);
}

/* One of the same source that is being made, or (for a build) is ready under the same name. */
static struct entry *same_find(const struct image_mgr *m, const struct image *row, bool ready_too)
{
    for (size_t i = m->entries.len; i-- > 0;) {
        struct entry *e = m->entries.items[i];
        if (e->is_removing || strcmp(e->row.name, row->name) != 0 ||
            strcmp(e->row.tag, row->tag) != 0)
            continue;
        bool fits = e->row.state == IMAGE_MAKING || (ready_too && e->row.state == IMAGE_READY);
        if (fits && strcmp(e->row.source, row->source) == 0)
            return e;
        if (e->row.state == IMAGE_READY)
            return NULL; /* the name stands for something else by now */
    }
    return NULL;
}

static void image_make(struct image_mgr *m, const struct image *like, bool ready_too,
                       image_done_fn *done, void *arg)
{
    struct err err;
    struct entry *e = same_find(m, like, ready_too);
    if (e != NULL) {
        struct image row = e->row;
        done(arg, 0, &row, NULL);
        return;
    }
    struct birth *b = mem_alloc(sizeof(*b));
    e = b != NULL ? entry_new(m) : NULL;
    if (e == NULL) {
        mem_free(b);
        refuse(done, arg, no_memory(&err), &err);
        return;
    }
    e->row = *like;
    e->row.id.v = id_from_random(m->cfg.random(m->cfg.random_arg));
    e->row.state = IMAGE_MAKING;
    e->row.created_ms = e->row.used_ms = m->cfg.clock->wall_ms(m->cfg.clock->arg);
    e->row.version = 1;
    *b = (struct birth){.m = m, .id = e->row.id, .done = done, .arg = arg};
    mgr_owe(m);
    char text[400];
    snprintf(text, sizeof(text), "image %.63s:%.128s is being made", e->row.name, e->row.tag);
    struct image row = e->row;
    m->cfg.ops.persist(m->cfg.ops.arg, &row, false, "image.making", text, born, b);
}

void image_build(struct image_mgr *m, const char *ref, const struct image_build_spec *spec,
                 struct user_id owner, image_done_fn *done, void *arg)
{
    struct image row = {.owner = owner};
    struct recipe recipe;
    struct err err = {0};
    cleanup(arena_done) struct arena arena = ARENA(1u << 20);
    uint64_t nonce = spec->no_cache ? m->cfg.random(m->cfg.random_arg) | 1 : 0;
    int rc = image_ref_parse(ref, row.name, row.tag, &err);
    if (rc == 0)
        rc = recipe_make(spec, nonce, &arena, &recipe, &err);
    if (rc != 0) {
        refuse(done, arg, rc, &err);
        return;
    }
    str_copy(row.source, sizeof(row.source), recipe.text);
    image_make(m, &row, true, done, arg);
}

/* "registry/team/My_App:1.2@sha256:…" → my-app:1.2 */
static void name_from_reference(const char *reference, char dst[256])
{
    const char *slash = strrchr(reference, '/');
    const char *last = slash != NULL ? slash + 1 : reference;
    snprintf(dst, 256, "%.*s", (int)strcspn(last, "@"), last);
    for (char *c = dst; *c != '\0' && *c != ':'; c++) {
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');
        else if (*c == '_' || *c == '.')
            *c = '-';
    }
}

void image_pull(struct image_mgr *m, const char *reference, const char *name, struct user_id owner,
                image_done_fn *done, void *arg)
{
    struct image row = {.owner = owner};
    struct err err = {0};
    char own[256];
    int rc = 0;
    if (str_has_prefix(reference, "docker://"))
        reference += strlen("docker://");
    if (!fetch_is_reference(reference)) {
        rc = err_set(&err, BERR_INVALID, "%.100s is no reference of an image", reference);
        err_at(&err, "reference", 0, 0);
        err_hint(&err, "use registry/repository:tag, like docker.io/library/debian:12");
    }
    name_from_reference(reference, own);
    if (rc == 0)
        rc = image_ref_parse(name != NULL && name[0] != '\0' ? name : own, row.name, row.tag, &err);
    if (rc != 0) {
        refuse(done, arg, rc, &err);
        return;
    }
    str_copy(row.source, sizeof(row.source), reference);
    image_make(m, &row, false, done, arg);
}

void image_wait(struct image_mgr *m, struct image_id id, image_done_fn *done, void *arg)
{
    struct err err;
    struct entry *e = entry_find(m, id);
    if (e == NULL) {
        refuse(done, arg, err_set(&err, BERR_NOT_FOUND, "there is no such image"), &err);
        return;
    }
    if (e->row.state == IMAGE_MAKING) {
        struct waiter *w = vec_push(&e->waiters);
        if (w == NULL)
            refuse(done, arg, no_memory(&err), &err);
        else
            *w = (struct waiter){done, arg};
        return;
    }
    struct image row = e->row;
    if (row.state == IMAGE_READY)
        done(arg, 0, &row, NULL);
    else
        refuse(done, arg, err_set(&err, BERR_CONFLICT, "%s", row.reason), &err);
}

void image_unwait(struct image_mgr *m, image_done_fn *done, void *arg)
{
    for (size_t i = 0; i < m->entries.len; i++) {
        struct entry *e = m->entries.items[i];
        for (size_t k = e->waiters.len; k-- > 0;) {
            if (e->waiters.items[k].done == done && e->waiters.items[k].arg == arg)
                vec_remove(&e->waiters, k);
        }
    }
}

/* ---- using ---- */

const struct image *image_find(const struct image_mgr *m, const char *ref, struct err *err)
{
    const struct image *found = NULL;
    char name[64], tag[129];
    const char *names[256];
    size_t count = 0;
    uint64_t id;
    bool is_ref = image_ref_parse(ref, name, tag, NULL) == 0;
    for (size_t i = m->entries.len; i-- > 0;) {
        const struct entry *e = m->entries.items[i];
        if (count < ARRAY_LEN(names))
            names[count++] = e->row.name;
        if (!is_ref || strcmp(e->row.name, name) != 0 || strcmp(e->row.tag, tag) != 0)
            continue;
        if (e->row.state == IMAGE_READY)
            return &e->row;
        found = found != NULL ? found : &e->row;
    }
    if (found == NULL && id_parse(ref, &id)) {
        const struct entry *e = entry_find(m, (struct image_id){id});
        found = e != NULL ? &e->row : NULL;
    }
    if (found == NULL) {
        err_set(err, BERR_NOT_FOUND, "there is no image %.100s", ref);
        const char *near = str_nearest(is_ref ? name : ref, names, count);
        if (near != NULL)
            err_hint(err, "did you mean %s? `berth image ls` shows all", near);
        else
            err_hint(err, "`berth image ls` shows all; `berth image build` and `pull` make more");
    }
    return found;
}

const struct image *image_next(const struct image_mgr *m, size_t *i)
{
    return *i < m->entries.len ? &m->entries.items[(*i)++]->row : NULL;
}

void image_use(struct image_mgr *m, struct image_id id, struct workload_id w, bool in_use)
{
    struct entry *e = entry_find(m, id);
    if (e == NULL)
        return;
    e->row.used_ms = m->cfg.clock->wall_ms(m->cfg.clock->arg);
    if (in_use)
        (void)map_put_u64(&e->users, w.v, &present);
    else
        (void)map_remove_u64(&e->users, w.v);
}

const char *image_progress(const struct image_mgr *m, struct image_id id)
{
    const struct entry *e = entry_find(m, id);
    return e != NULL ? e->progress : "";
}
