/* The highest fence of each workload, in DIR/fences/WORKLOAD: an order of an earlier owner is late. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/alloc.h"
#include "base/id.h"
#include "runner/files.h"
#include "runner/server.h"

int fence_check(const struct instance *in, const struct wire_key *key, struct err *err)
{
    char id[ID_TEXT_SIZE], number[24];
    cleanup(buf_done) struct buf text = BUF(64);
    uint64_t seen = 0;
    id_format(id, key->workload);
    int rc = file_read(in->fences_fd, id, &text, err);
    if (rc == 0)
        seen = strtoull(buf_str(&text), NULL, 10);
    else if (rc != -BERR_NOT_FOUND)
        return rc;
    if (key->fence < seen) {
        rc = err_set(err, BERR_CONFLICT, "fence %" PRIu64 " of workload %s is older than %" PRIu64,
                     key->fence, id, seen);
        err_at(err, "key.fence", 0, 0);
        return rc;
    }
    if (key->fence == seen)
        return 0;
    int n = snprintf(number, sizeof(number), "%" PRIu64, key->fence);
    return file_write(in->fences_fd, id, number, (size_t)n, 0600, false, err);
}
