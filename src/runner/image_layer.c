/* Layers on disk: DIR/layers/HEX, whole or absent; .HEX.new while it is made; HEX.size beside it. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>
#include "base/alloc.h"
#include "base/buf.h"
#include "base/str.h"
#include "runner/files.h"
#include "runner/image_sandbox.h"
#include "runner/tasks_on_disk.h"

#define NAME_BYTES 80

static const char *name_of(char dst[NAME_BYTES], const char *layer, const char *what)
{
    snprintf(dst, NAME_BYTES, ".%s.%s", layer, what);
    return dst;
}

int layer_lock(const struct work *w, const char *layer, int *ret_fd, struct err *err)
{
    char name[NAME_BYTES];
    cleanup(fd_closep) int fd = openat(w->in->layers_fd, name_of(name, layer, "lock"),
                                       O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_errno(err, errno, "cannot lock layer %.12s", layer);
    if (flock(fd, LOCK_EX | LOCK_NB) != 0)
        work_progress(w, "waiting for somebody else who makes the same layer");
    while (flock(fd, LOCK_EX) != 0) {
        if (errno != EINTR)
            return err_errno(err, errno, "cannot lock layer %.12s", layer);
    }
    *ret_fd = TAKE_FD(fd);
    return 0;
}

bool layer_exists(const struct instance *in, const char *layer)
{
    return file_exists(in->layers_fd, layer);
}

uint64_t layer_size(const struct instance *in, const char *layer)
{
    cleanup(buf_done) struct buf text = BUF(64);
    char name[NAME_BYTES];
    uint64_t size = 0;
    if (file_read(in->layers_fd, name_of(name, layer, "size"), &text, NULL) == 0)
        (void)str_parse_u64(buf_str(&text), &size);
    return size;
}

int layer_begin(const struct work *w, const char *layer, char ret_path[700], struct err *err)
{
    char name[NAME_BYTES];
    name_of(name, layer, "new");
    int rc = tree_remove(w->in->layers_fd, name, err);
    if (rc == 0)
        rc =
            dir_make(w->in->layers_fd, name, 0755, w->in->storage_id, w->in->storage_id, NULL, err);
    if (rc == 0)
        snprintf(ret_path, 700, "%s/layers/%s", w->in->data, name);
    return rc;
}

int layer_finish(const struct work *w, const char *layer, uint64_t size_bytes, struct err *err)
{
    char name[NAME_BYTES], size[NAME_BYTES], lock[NAME_BYTES], text[32];
    int len = snprintf(text, sizeof(text), "%llu", (unsigned long long)size_bytes);
    int rc = file_write(w->in->layers_fd, name_of(size, layer, "size"), text, (size_t)len, 0600,
                        true, err);
    if (rc != 0)
        return rc;
    /* Thousands of files at once: the whole file system is cheaper than each of them. */
    if (syncfs(w->in->layers_fd) != 0 ||
        renameat(w->in->layers_fd, name_of(name, layer, "new"), w->in->layers_fd, layer) != 0 ||
        fsync(w->in->layers_fd) != 0)
        return err_errno(err, errno, "cannot save layer %.12s", layer);
    unlinkat(w->in->layers_fd, name_of(lock, layer, "lock"), 0);
    return 0;
}

void layer_drop(const struct work *w, const char *layer)
{
    char name[NAME_BYTES];
    (void)tree_remove(w->in->layers_fd, name_of(name, layer, "new"), NULL);
}

/* ---- the verb image-remove ---- */

struct question {
    const struct work *w;
    const char *layer;
    char user[WIRE_KEY_TEXT_SIZE];
    bool is_used;
};

static bool uses_layer(const struct record *rec, void *arg)
{
    struct question *q = arg;
    struct wire_task_create order = {0};
    struct arena arena = ARENA(1 << 20);
    /* without a readable order nothing was mounted yet, or it is being deleted */
    if (record_load_order(q->w->in, &rec->facts.key, &arena, &order, NULL) == 0) {
        for (size_t i = 0; i < order.layers.len; i++)
            q->is_used |= strcmp(order.layers.items[i], q->layer) == 0;
    }
    arena_done(&arena);
    if (q->is_used)
        wire_key_format(q->user, &rec->facts.key);
    return !q->is_used;
}

int work_image_remove(const struct work *w, const void *args, void *reply, struct err *err)
{
    const struct wire_image_remove *req = args;
    struct question q = {.w = w, .layer = req->layer};
    cleanup(fd_closep) int lock = -1;
    char old[NAME_BYTES], name[NAME_BYTES];
    (void)reply;
    int rc = layer_lock(w, req->layer, &lock, err);
    if (rc == 0)
        rc = tasks_each(w->in, uses_layer, &q, err);
    if (rc != 0)
        return rc;
    if (q.is_used)
        return err_set(err, BERR_BUSY, "layer %.12s is used by task %s", req->layer, q.user);
    name_of(old, req->layer, "old");
    /* Under another name first: nobody starts a task on half of it. */
    if (renameat(w->in->layers_fd, req->layer, w->in->layers_fd, old) != 0 && errno != ENOENT)
        return err_errno(err, errno, "cannot remove layer %.12s", req->layer);
    rc = tree_remove(w->in->layers_fd, old, err);
    layer_drop(w, req->layer);
    unlinkat(w->in->layers_fd, name_of(name, req->layer, "size"), 0);
    unlinkat(w->in->layers_fd, name_of(name, req->layer, "lock"), 0);
    return rc;
}
