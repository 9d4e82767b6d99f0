/* Blobs in memory: the fake for tests of what stands above. Content is counted by its readers. */
#include <pthread.h>
#include <string.h>
#include "base/alloc.h"
#include "base/map.h"
#include "blob/blob.h"

struct content {
    unsigned refs;
    struct blob_info info;
    char *data;
};
struct mem_store {
    struct blob_store head;
    pthread_mutex_t lock; /* of everything below and of refs */
    struct map blobs;     /* hex → struct content */
    uint64_t max_bytes, used_bytes;
};
struct mem_put {
    struct blob_put head;
    struct mem_store *store;
    struct content *content;
};
struct mem_read {
    struct blob_read head;
    struct mem_store *store;
    struct content *content;
};

/* Under the lock. */
static void content_unref(struct mem_store *s, struct content *c)
{
    if (c == NULL || --c->refs > 0)
        return;
    s->used_bytes -= c->info.size_bytes;
    mem_free(c->data);
    mem_free(c);
}

static int mem_put_begin(struct blob_store *store, const struct digest *d, uint64_t size_bytes,
                         struct blob_put **ret, struct err *err)
{
    struct mem_store *s = (struct mem_store *)store;
    bool is_there = blob_has(store, d);
    if (!is_there && size_bytes > s->max_bytes)
        return err_set(err, BERR_NO_SPACE, "the store is full");
    struct mem_put *p = mem_calloc(1, sizeof(*p));
    struct content *c = is_there ? NULL : mem_calloc(1, sizeof(*c));
    char *data = is_there ? NULL : mem_alloc(size_bytes + 1);
    if (p == NULL || (!is_there && (c == NULL || data == NULL))) {
        mem_free(p);
        mem_free(c);
        mem_free(data);
        return err_set(err, BERR_NOMEM, "out of memory");
    }
    p->store = s;
    p->head.is_there = is_there;
    int rc = 0;
    pthread_mutex_lock(&s->lock);
    if (c != NULL) {
        p->content = c;
        *c = (struct content){
            .refs = 1, .info = {.digest = *d, .size_bytes = size_bytes}, .data = data};
        s->used_bytes += size_bytes;
        if (s->used_bytes > s->max_bytes) {
            content_unref(s, c);
            mem_free(p);
            rc = err_set(err, BERR_NO_SPACE, "the store is full");
        }
    }
    pthread_mutex_unlock(&s->lock);
    if (rc == 0)
        *ret = &p->head;
    return rc;
}

static int mem_put_write(struct blob_put *put, const void *data, size_t len, struct err *err)
{
    struct mem_put *p = (struct mem_put *)put;
    (void)err;
    memcpy(p->content->data + put->done_bytes, data, len);
    return 0;
}

static int mem_put_end(struct blob_put *put, struct err *err)
{
    struct mem_put *p = (struct mem_put *)put;
    char hex[DIGEST_HEX_SIZE];
    int rc = 0;
    digest_hex(hex, &put->digest);
    pthread_mutex_lock(&p->store->lock);
    if (map_get(&p->store->blobs, hex) == NULL) { /* else somebody was faster with the same */
        rc = map_put(&p->store->blobs, hex, p->content);
        if (rc == 0)
            p->content = NULL;
    }
    pthread_mutex_unlock(&p->store->lock);
    return rc == 0 ? 0 : err_set(err, BERR_NOMEM, "out of memory");
}

static void mem_put_free(struct blob_put *put)
{
    struct mem_put *p = (struct mem_put *)put;
    pthread_mutex_lock(&p->store->lock);
    content_unref(p->store, p->content);
    pthread_mutex_unlock(&p->store->lock);
    mem_free(p);
}

/* Under the lock. */
static int content_find(struct mem_store *s, const struct digest *d, struct content **ret,
                        struct err *err)
{
    char hex[DIGEST_HEX_SIZE];
    *ret = map_get(&s->blobs, digest_hex(hex, d));
    return *ret != NULL ? 0 : err_set(err, BERR_NOT_FOUND, "there is no blob %.12s", hex);
}

static int mem_open(struct blob_store *store, const struct digest *d, struct blob_read **ret,
                    struct err *err)
{
    struct mem_store *s = (struct mem_store *)store;
    struct mem_read *r = mem_calloc(1, sizeof(*r));
    if (r == NULL)
        return err_set(err, BERR_NOMEM, "out of memory");
    pthread_mutex_lock(&s->lock);
    int rc = content_find(s, d, &r->content, err);
    if (rc == 0)
        r->content->refs++;
    pthread_mutex_unlock(&s->lock);
    if (rc != 0) {
        mem_free(r);
        return rc;
    }
    r->store = s;
    r->head.size_bytes = r->content->info.size_bytes;
    *ret = &r->head;
    return 0;
}

static int mem_read_at(struct blob_read *read, uint64_t offset, void *dst, size_t len,
                       size_t *ret_len, struct err *err)
{
    (void)err;
    memcpy(dst, ((struct mem_read *)read)->content->data + offset, len);
    *ret_len = len;
    return 0;
}

static void mem_close(struct blob_read *read)
{
    struct mem_read *r = (struct mem_read *)read;
    pthread_mutex_lock(&r->store->lock);
    content_unref(r->store, r->content);
    pthread_mutex_unlock(&r->store->lock);
    mem_free(r);
}

static int mem_stat(struct blob_store *store, const struct digest *d, struct blob_info *ret,
                    struct err *err)
{
    struct mem_store *s = (struct mem_store *)store;
    struct content *c;
    pthread_mutex_lock(&s->lock);
    int rc = content_find(s, d, &c, err);
    if (rc == 0)
        *ret = c->info;
    pthread_mutex_unlock(&s->lock);
    return rc;
}

static int mem_touch(struct blob_store *store, const struct digest *d, int64_t now_ms,
                     struct err *err)
{
    struct mem_store *s = (struct mem_store *)store;
    struct content *c;
    pthread_mutex_lock(&s->lock);
    int rc = content_find(s, d, &c, err);
    if (rc == 0)
        c->info.used_ms = now_ms;
    pthread_mutex_unlock(&s->lock);
    return rc;
}

static int mem_remove(struct blob_store *store, const struct digest *d, struct err *err)
{
    struct mem_store *s = (struct mem_store *)store;
    char hex[DIGEST_HEX_SIZE];
    (void)err;
    pthread_mutex_lock(&s->lock);
    content_unref(s, map_remove(&s->blobs, digest_hex(hex, d)));
    pthread_mutex_unlock(&s->lock);
    return 0;
}

static int mem_list(struct blob_store *store, blob_visit_fn *visit, void *arg, struct err *err)
{
    struct mem_store *s = (struct mem_store *)store;
    struct blob_info *infos;
    size_t count = 0;
    void *value;
    pthread_mutex_lock(&s->lock);
    infos = mem_calloc(s->blobs.len + 1, sizeof(*infos));
    for (size_t i = 0; infos != NULL && map_next(&s->blobs, &i, NULL, &value);)
        infos[count++] = ((struct content *)value)->info;
    pthread_mutex_unlock(&s->lock);
    if (infos == NULL)
        return err_set(err, BERR_NOMEM, "out of memory");
    int rc = 0; /* visits run without the lock: they may call the store */
    for (size_t i = 0; rc == 0 && i < count; i++)
        rc = visit(arg, &infos[i]);
    mem_free(infos);
    return rc;
}

static void mem_store_free(struct blob_store *store)
{
    struct mem_store *s = (struct mem_store *)store;
    void *value;
    for (size_t i = 0; map_next(&s->blobs, &i, NULL, &value);)
        content_unref(s, value);
    map_done(&s->blobs);
    pthread_mutex_destroy(&s->lock);
    mem_free(s);
}

static const struct blob_ops mem_ops = {
    .name = "mem",
    .put_begin = mem_put_begin,
    .put_write = mem_put_write,
    .put_end = mem_put_end,
    .put_free = mem_put_free,
    .open = mem_open,
    .read = mem_read_at,
    .close = mem_close,
    .stat = mem_stat,
    .touch = mem_touch,
    .remove = mem_remove,
    .list = mem_list,
    .free = mem_store_free,
};

int blob_mem_open(uint64_t max_bytes, struct blob_store **ret, struct err *err)
{
    struct mem_store *s = mem_calloc(1, sizeof(*s));
    if (s == NULL)
        return err_set(err, BERR_NOMEM, "out of memory");
    s->head.ops = &mem_ops;
    s->blobs = MAP_STR;
    s->max_bytes = max_bytes;
    pthread_mutex_init(&s->lock, NULL);
    *ret = &s->head;
    return 0;
}
