/*
 * tree: directories made of a manifest (ship/manifest.h) by hard links to blobs.
 *
 * A tree lies in DIR/HEX, HEX the manifest's digest; it is made in DIR/tmp and renamed, so that it
 * is whole or absent. Plain files are links to the blob's own file; executable ones are links to a
 * copy in DIR/exec/HEX: a blob that is in ten trees takes its space once or twice. Trees are read
 * only by convention: tasks see them under an overlay.
 *
 * Everything blocks: call from workers. Making and collecting exclude each other by a lock of the
 * set; the rest may run at once.
 */
#ifndef BERTH_BLOB_TREE_H
#define BERTH_BLOB_TREE_H

#include "base/buf.h"
#include "blob/blob.h"
#include "ship/manifest.h"

/* Appends a JSON list of the digests that the store lacks, each once, and touches the others, so
 * that they outlive the upload of the rest. */
int tree_missing(const struct ship_manifest *m, struct blob_store *blobs, int64_t now_ms,
                 struct buf *out, struct err *err);

struct tree_set;
/* dir_path is made when absent; unfinished work of a former process is removed. blobs: an fs store
 * on the same file system, which outlives the set. */
int tree_set_open(const char *dir_path, struct blob_store *blobs, struct tree_set **ret,
                  struct err *err);
struct tree_set *tree_set_free(struct tree_set *s); /* NULL allowed */
void tree_set_freep(struct tree_set **s);
bool tree_set_has(struct tree_set *s, const struct digest *d);
/* CONFLICT when blobs are missing: send them first. INVALID when a blob has another size than the
 * manifest says. Exists already: only touched. */
int tree_set_make(struct tree_set *s, const struct ship_manifest *m, int64_t now_ms,
                  struct err *err);
/* Removes trees last touched before `before_ms` that is_used does not hold, then executable copies
 * that no tree links to, then blobs last touched before then that no tree links to. */
typedef bool tree_used_fn(void *arg, const struct digest *d);
int tree_set_collect(struct tree_set *s, int64_t before_ms, tree_used_fn *is_used, void *arg,
                     uint64_t *ret_freed_bytes, struct err *err);

#endif
