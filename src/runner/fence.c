/* Fences of each workload, in DIR/fences/WORKLOAD: the highest seen, and the highest whose tasks were
 * deleted. An order with an older one than seen comes from an earlier owner and is late; one that
 * would make a task of a deleted attempt is late too, and must not bring it to life again. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "base/alloc.h"
#include "base/id.h"
#include "runner/files.h"
#include "runner/server.h"

struct fences {
    uint64_t seen, closed;
};

static int fences_read(const struct instance *in, const char *id, struct fences *ret,
                       struct err *err)
{
    cleanup(buf_done) struct buf text = BUF(64);
    char *end;
    *ret = (struct fences){0};
    int rc = file_read(in->fences_fd, id, &text, err);
    if (rc == -BERR_NOT_FOUND)
        return 0;
    if (rc != 0)
        return rc;
    ret->seen = strtoull(buf_str(&text), &end, 10);
    ret->closed = strtoull(end, NULL, 10);
    return 0;
}

static int fences_write(const struct instance *in, const char *id, const struct fences *f,
                        struct err *err)
{
    char text[48];
    int n = snprintf(text, sizeof(text), "%" PRIu64 " %" PRIu64, f->seen, f->closed);
    /* In place, by one call that a kill does not cut in two; the numbers only grow, so nothing of
     * the former ones is left. An empty file, of a kill before it, says as much as none. */
    cleanup(fd_closep) int fd =
        openat(in->fences_fd, id, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0 || write(fd, text, (size_t)n) != n)
        return err_errno(err, errno, "cannot write the fence of workload %s", id);
    return 0;
}

static int late(const struct wire_key *key, uint64_t than, const char *what, struct err *err)
{
    char id[ID_TEXT_SIZE];
    int rc = err_set(err, BERR_CONFLICT, "fence %" PRIu64 " of workload %s is %s %" PRIu64,
                     key->fence, id_format(id, key->workload), what, than);
    err_at(err, "key.fence", 0, 0);
    return rc;
}

int fence_check(const struct instance *in, const struct wire_key *key, struct err *err)
{
    char id[ID_TEXT_SIZE];
    struct fences f;
    int rc = fences_read(in, id_format(id, key->workload), &f, err);
    if (rc != 0)
        return rc;
    if (key->fence < f.seen)
        return late(key, f.seen, "older than", err);
    if (key->fence <= f.closed)
        return late(key, f.closed, "of an attempt that was taken away:", err);
    if (key->fence == f.seen)
        return 0;
    f.seen = key->fence;
    return fences_write(in, id, &f, err);
}

int fence_close(const struct instance *in, const struct wire_key *key, struct err *err)
{
    char id[ID_TEXT_SIZE];
    struct fences f;
    int rc = fences_read(in, id_format(id, key->workload), &f, err);
    if (rc != 0 || key->fence <= f.closed)
        return rc;
    f.closed = key->fence;
    if (f.seen < key->fence)
        f.seen = key->fence;
    return fences_write(in, id, &f, err);
}
