/* What is the same for every driver: promises of size and digest are checked here. */
#include "blob/blob.h"
#include "base/alloc.h"

struct blob_store *blob_store_free(struct blob_store *s)
{
    if (s != NULL)
        s->ops->free(s);
    return NULL;
}

void blob_store_freep(struct blob_store **s)
{
    *s = blob_store_free(*s);
}

int blob_put_begin(struct blob_store *s, const struct digest *d, uint64_t size_bytes,
                   struct blob_put **ret, struct err *err)
{
    struct digest_state *hash = digest_new();
    struct blob_put *p = NULL;
    if (hash == NULL)
        return err_set(err, BERR_NOMEM, "out of memory");
    int rc = s->ops->put_begin(s, d, size_bytes, &p, err);
    if (rc != 0) {
        digest_free(hash);
        return rc;
    }
    p->ops = s->ops;
    p->digest = *d;
    p->size_bytes = size_bytes;
    p->hash = hash;
    *ret = p;
    return 0;
}

int blob_put_write(struct blob_put *p, const void *data, size_t len, struct err *err)
{
    if (len > p->size_bytes - p->done_bytes)
        return err_set(err, BERR_TOO_LARGE, "more bytes than the %llu announced",
                       (unsigned long long)p->size_bytes);
    if (!p->is_there) {
        int rc = p->ops->put_write(p, data, len, err);
        if (rc != 0)
            return rc;
    }
    digest_add(p->hash, data, len);
    p->done_bytes += len;
    return 0;
}

int blob_put_end(struct blob_put *p, struct err *err)
{
    struct digest got;
    check(p->hash != NULL); /* ends once */
    digest_end(TAKE_PTR(p->hash), &got);
    if (p->done_bytes != p->size_bytes)
        return err_set(err, BERR_INVALID, "only %llu of %llu bytes came",
                       (unsigned long long)p->done_bytes, (unsigned long long)p->size_bytes);
    if (!digest_is_equal(&got, &p->digest)) {
        char hex[DIGEST_HEX_SIZE];
        return err_set(err, BERR_INVALID, "the content has another digest: %s",
                       digest_hex(hex, &got));
    }
    return p->is_there ? 0 : p->ops->put_end(p, err);
}

struct blob_put *blob_put_free(struct blob_put *p)
{
    if (p != NULL) {
        p->hash = digest_free(p->hash);
        p->ops->put_free(p);
    }
    return NULL;
}

int blob_put(struct blob_store *s, const struct digest *d, const void *data, size_t len,
             struct err *err)
{
    struct blob_put *p = NULL;
    int rc = blob_put_begin(s, d, len, &p, err);
    if (rc == 0)
        rc = blob_put_write(p, data, len, err);
    if (rc == 0)
        rc = blob_put_end(p, err);
    blob_put_free(p);
    return rc;
}

int blob_open(struct blob_store *s, const struct digest *d, struct blob_read **ret, struct err *err)
{
    int rc = s->ops->open(s, d, ret, err);
    if (rc == 0)
        (*ret)->ops = s->ops;
    return rc;
}

uint64_t blob_size(const struct blob_read *r)
{
    return r->size_bytes;
}

int blob_read(struct blob_read *r, uint64_t offset, void *dst, size_t len, size_t *ret_len,
              struct err *err)
{
    uint64_t left = offset < r->size_bytes ? r->size_bytes - offset : 0;
    if (len > left)
        len = (size_t)left;
    if (len == 0) {
        *ret_len = 0;
        return 0;
    }
    return r->ops->read(r, offset, dst, len, ret_len, err);
}

struct blob_read *blob_read_close(struct blob_read *r)
{
    if (r != NULL)
        r->ops->close(r);
    return NULL;
}

bool blob_has(struct blob_store *s, const struct digest *d)
{
    struct blob_info info;
    return s->ops->stat(s, d, &info, NULL) == 0;
}

int blob_stat(struct blob_store *s, const struct digest *d, struct blob_info *ret, struct err *err)
{
    return s->ops->stat(s, d, ret, err);
}

int blob_touch(struct blob_store *s, const struct digest *d, int64_t now_ms, struct err *err)
{
    return s->ops->touch(s, d, now_ms, err);
}

int blob_remove(struct blob_store *s, const struct digest *d, struct err *err)
{
    return s->ops->remove(s, d, err);
}

int blob_list(struct blob_store *s, blob_visit_fn *visit, void *arg, struct err *err)
{
    return s->ops->list(s, visit, arg, err);
}
