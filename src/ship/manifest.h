/*
 * ship/manifest: code as a list of files by digest. The client makes one from a directory
 * (ship/walk.h), berthd checks it and makes a tree of it (blob/tree.h).
 *
 * It is a JSON list, in any order:
 *     {"path":"train.py","mode":"0644","size":812,"digest":"<64 hex>"}     mode 0644 or 0755
 *     {"path":"latest","target":"runs/7"}                                  a symbolic link
 * Paths are relative with /, UTF-8, without empty, "." and ".." parts and control characters; none
 * twice, none below a file or link; directories are implied. A link's target is relative and must
 * not lead outside, even by way of other links (those may not be passed through at all). Limits:
 * LIMIT_CODE_*. The canonical text is sorted by path (bytes) and compact; its SHA-256 names the
 * tree, so that the same files have the same name everywhere.
 *
 * Values only; strings live in the caller's arena. Pure, any thread.
 */
#ifndef BERTH_SHIP_MANIFEST_H
#define BERTH_SHIP_MANIFEST_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "os/digest.h"

#define SHIP_MANIFEST_BYTES (24u << 20) /* of its text */

struct ship_entry {
    const char *path;
    const char *target; /* of a link; NULL: a file */
    bool is_executable;
    uint64_t size_bytes;
    struct digest digest; /* of a file's content */
};
struct ship_manifest {
    struct ship_entry *entries; /* sorted by path */
    size_t count;
    uint64_t total_bytes;
    struct digest digest; /* of the canonical text */
};

/* INVALID with field "[3].path" (or "[3]"), TOO_LARGE, NOMEM. */
int ship_manifest_parse(const char *json, size_t len, struct arena *arena,
                        struct ship_manifest *ret, struct err *err);
/* The same checks for entries made by the caller; sorts the array and keeps it. */
int ship_manifest_make(struct ship_entry *entries, size_t count, struct ship_manifest *ret,
                       struct err *err);
/* Appends the canonical text. */
void ship_manifest_write(const struct ship_manifest *m, struct buf *out);

#endif
