/*
 * code: shipping directories by digest. A client asks which files are missing, sends those, and has
 * the tree made. Everything that touches the disk is done on workers.
 */
#include <string.h>
#include "api/call.h"
#include "base/alloc.h"
#include "base/str.h"
#include "blob/tree.h"
#include "ev/work.h"

#define UPLOAD_CHUNK (1u << 20)

/* ---- manifests ---- */

struct manifest_job {
    struct api_call *call;
    const char *text;
    size_t len;
    bool make; /* the tree; else only ask what is missing */
    int64_t now_ms;
    struct arena arena; /* of the worker */
    struct buf out;
    struct digest digest;
    struct err err;
    int rc;
};

static void manifest_run(void *message)
{
    struct manifest_job *job = message;
    struct ship_manifest m;
    const struct api_config *cfg = &job->call->api->cfg;
    job->rc = ship_manifest_parse(job->text, job->len, &job->arena, &m, &job->err);
    if (job->rc < 0)
        return;
    job->digest = m.digest;
    if (job->make)
        job->rc = tree_set_make(cfg->trees, &m, job->now_ms, &job->err);
    else
        job->rc = tree_missing(&m, cfg->blobs, job->now_ms, &job->out, &job->err);
}

static void manifest_done(void *message)
{
    struct manifest_job *job = message;
    struct api_call *call = job->call;
    if (job->rc < 0) {
        api_fail(call, &job->err);
    } else {
        struct buf out = BUF(16u << 20);
        char hex[2 * 32 + 1];
        str_to_hex(hex, &job->digest, 32);
        if (job->make)
            buf_printf(&out, "{\"digest\":\"%s\"}", hex);
        else
            buf_printf(&out, "{\"digest\":\"%s\",\"missing\":%s}", hex, buf_str(&job->out));
        api_reply_json(call, job->make ? 201 : 200, &out);
    }
    buf_done(&job->out);
    arena_done(&job->arena);
    mem_free(job);
}

static void manifest_body(struct http_request *req, const char *data, size_t len, int rc,
                          const struct err *body_err)
{
    struct api_call *call = api_call(req);
    struct err err = {0};
    if (rc < 0) {
        api_fail(call, body_err);
        return;
    }
    struct manifest_job *job = mem_calloc(1, sizeof(*job));
    if (job) {
        *job = (struct manifest_job){.call = call,
                                     .text = data,
                                     .len = len,
                                     .now_ms = api_now(call),
                                     .make = str_has_suffix(call->route->pattern, "/code")};
        arena_init(&job->arena, 8 * (size_t)SHIP_MANIFEST_BYTES);
        buf_init(&job->out, SHIP_MANIFEST_BYTES);
    }
    if (!job || ev_work(call->api->cfg.loop, manifest_run, manifest_done, job, &err) < 0) {
        err_set(&err, BERR_NOMEM, "out of memory");
        mem_free(job);
        api_fail(call, &err);
    }
}

/* Whoever may submit somewhere may ship code; the digest gives nobody access to others' files. */
static void post_manifest(struct http_request *req, void *arg)
{
    (void)arg;
    http_request_read_body(req, SHIP_MANIFEST_BYTES, manifest_body);
}

/* ---- blobs ---- */

struct upload {
    struct api_call *call;
    struct blob_put *put;
    struct digest digest;
    uint64_t size_bytes;
    struct buf next, writing; /* filled by the connection, written by a worker */
    struct err err, worker_err;
    int rc, worker_rc; /* the worker's become ours when it has answered */
    bool busy, ended, broken;
    bool finishing; /* the write under way is the last */
};

static void upload_pump(struct upload *u);

static void upload_free(struct upload *u)
{
    blob_put_free(u->put);
    buf_done(&u->next);
    buf_done(&u->writing);
    mem_free(u);
}

static void upload_finish(struct upload *u)
{
    struct api_call *call = u->call;
    struct err err = u->err;
    int rc = u->rc;
    bool broken = u->broken;
    upload_free(u);
    if (broken && rc == 0)
        rc = err_set(&err, BERR_CANCELED, "the upload broke off");
    if (rc < 0)
        api_fail(call, &err);
    else
        api_reply_empty(call, 204);
}

static void upload_run(void *message)
{
    struct upload *u = message;
    if (!u->put)
        u->worker_rc = blob_put_begin(u->call->api->cfg.blobs, &u->digest, u->size_bytes, &u->put,
                                      &u->worker_err);
    if (u->worker_rc == 0 && u->writing.len)
        u->worker_rc = blob_put_write(u->put, u->writing.data, u->writing.len, &u->worker_err);
    if (u->worker_rc == 0 && u->finishing)
        u->worker_rc = blob_put_end(u->put, &u->worker_err);
}

static void upload_done(void *message)
{
    struct upload *u = message;
    u->busy = false;
    u->rc = u->worker_rc;
    u->err = u->worker_err;
    buf_clear(&u->writing);
    if (u->rc < 0 ? u->ended : u->finishing) {
        upload_finish(u);
        return;
    }
    if (!u->ended)
        http_request_resume_body(u->call->req);
    upload_pump(u);
}

/* One write at a time; the last one also ends the blob. */
static void upload_pump(struct upload *u)
{
    struct err err = {0};
    if (u->busy || (!u->next.len && !u->ended))
        return;
    if (u->rc < 0 || u->broken) {
        buf_clear(&u->next);
        if (u->ended)
            upload_finish(u);
        return;
    }
    struct buf full = u->next;
    u->next = u->writing;
    u->writing = full;
    u->finishing = u->ended;
    u->busy = true;
    if (ev_work(u->call->api->cfg.loop, upload_run, upload_done, u, &err) < 0) {
        u->busy = false;
        u->rc = -(int)err.code;
        u->err = err;
        if (u->ended)
            upload_finish(u);
    }
}

static int upload_piece(void *arg, const char *data, size_t len)
{
    struct upload *u = arg;
    if (!data) {
        u->ended = true;
        u->broken = len != 0;
    } else if (u->rc == 0) {
        buf_append(&u->next, data, len);
    }
    bool wait = data && u->busy && u->next.len >= UPLOAD_CHUNK;
    upload_pump(u);
    return wait && u->busy ? 1 : 0;
}

static void put_blob(struct http_request *req, void *arg)
{
    struct api_call *call = api_call(req);
    struct err err = {0};
    struct upload *u = mem_calloc(1, sizeof(*u));
    int rc = u ? 0 : err_set(&err, BERR_NOMEM, "out of memory");
    (void)arg;
    if (rc == 0 && !str_from_hex(&u->digest, 32, req->params[0])) {
        err_set(&err, BERR_INVALID, "a blob is named by 64 hex digits of its SHA-256");
        rc = err_at(&err, "digest", 0, 0);
    }
    if (rc == 0 &&
        (req->head->content_length < 0 || req->head->content_length > (int64_t)LIMIT_CODE_BYTES)) {
        err_set(&err, BERR_INVALID, "a Content-Length of at most %llu is needed",
                (unsigned long long)LIMIT_CODE_BYTES);
        rc = err_at(&err, "Content-Length", 0, 0);
    }
    if (rc < 0) {
        mem_free(u);
        api_fail(call, &err);
        return;
    }
    u->call = call;
    u->size_bytes = (uint64_t)req->head->content_length;
    buf_init(&u->next, 4 * (size_t)UPLOAD_CHUNK);
    buf_init(&u->writing, 4 * (size_t)UPLOAD_CHUNK);
    http_request_stream_body(req, upload_piece, u);
}

const struct http_route api_code_routes[] = {
    {"POST", "/api/v1/code/missing", post_manifest, ACCESS_USER, NULL, NULL, false,
     "Which files of a manifest are not here yet", NULL, 0},
    {"PUT", "/api/v1/blobs/:digest", put_blob, ACCESS_USER, NULL, NULL, false,
     "Send one file by its SHA-256", NULL, 204},
    {"POST", "/api/v1/code", post_manifest, ACCESS_USER, NULL, NULL, false,
     "Make a tree of a manifest whose files are here", NULL, 201},
};
const size_t api_code_route_count = ARRAY_LEN(api_code_routes);
