/*
 * blob: pieces of content by their SHA-256 digest — one contract, several drivers (fs, mem; later
 * s3, webhdfs). A driver is one const struct blob_ops in a folder of its own.
 *
 * A blob appears whole or not at all: put streams into a place of its own, and only blob_put_end,
 * when the bytes have the digest that was promised, makes it visible (durably, fs: fsync, rename,
 * fsync of the directory). Putting what is there already is no error and changes nothing, so that
 * every call is safe to repeat. Who reads a blob keeps it even when it is deleted meanwhile.
 * Names never come from users: they are made from the 32 bytes of the digest.
 *
 * Threads: every function blocks; call from workers (ev/work.h). A store may be used by many
 * threads at once; one struct blob_put or blob_read belongs to one at a time. Memory: whoever
 * begins a put or opens a read ends it (blob_put_free, blob_read_close accept NULL).
 */
#ifndef BERTH_BLOB_BLOB_H
#define BERTH_BLOB_BLOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "os/digest.h"

struct blob_store;
struct blob_put;  /* a write under way */
struct blob_read; /* an open blob */

struct blob_info {
    struct digest digest;
    uint64_t size_bytes;
    int64_t used_ms; /* when it was last put or touched (wall clock); for collection */
};

/* Visits in no order; a visit that returns nonzero ends the list with that code. */
typedef int blob_visit_fn(void *arg, const struct blob_info *info);

struct blob_ops {
    const char *name;
    int (*put_begin)(struct blob_store *s, const struct digest *d, uint64_t size_bytes,
                     struct blob_put **ret, struct err *err);
    int (*put_write)(struct blob_put *p, const void *data, size_t len, struct err *err);
    int (*put_end)(struct blob_put *p, struct err *err);
    void (*put_free)(struct blob_put *p);
    int (*open)(struct blob_store *s, const struct digest *d, struct blob_read **ret,
                struct err *err);
    int (*read)(struct blob_read *r, uint64_t offset, void *dst, size_t len, size_t *ret_len,
                struct err *err);
    void (*close)(struct blob_read *r);
    int (*stat)(struct blob_store *s, const struct digest *d, struct blob_info *ret,
                struct err *err);
    int (*touch)(struct blob_store *s, const struct digest *d, int64_t now_ms, struct err *err);
    int (*remove)(struct blob_store *s, const struct digest *d, struct err *err);
    int (*list)(struct blob_store *s, blob_visit_fn *visit, void *arg, struct err *err);
    void (*free)(struct blob_store *s);
};

/* The head that every driver's store, put and read begin with. */
struct blob_store {
    const struct blob_ops *ops;
};
struct blob_put {
    const struct blob_ops *ops;
    struct digest digest; /* promised */
    uint64_t size_bytes, done_bytes;
    struct digest_state *hash;
    bool is_there; /* somebody has put it already: bytes are only checked */
};
struct blob_read {
    const struct blob_ops *ops;
    uint64_t size_bytes;
};

/* Files below dir_path (made 0700): HH/HEX, and tmp/, emptied here. For one process at a time. */
int blob_fs_open(const char *dir_path, struct blob_store **ret, struct err *err);
int blob_mem_open(uint64_t max_bytes, struct blob_store **ret, struct err *err);
struct blob_store *blob_store_free(struct blob_store *s); /* NULL allowed */
void blob_store_freep(struct blob_store **s);

/* size_bytes is a promise as well: more is TOO_LARGE, less is INVALID at the end. NO_SPACE, IO. */
int blob_put_begin(struct blob_store *s, const struct digest *d, uint64_t size_bytes,
                   struct blob_put **ret, struct err *err);
int blob_put_write(struct blob_put *p, const void *data, size_t len, struct err *err);
/* INVALID when the bytes do not have the digest; then nothing is kept. Free it afterwards. */
int blob_put_end(struct blob_put *p, struct err *err);
struct blob_put *blob_put_free(struct blob_put *p); /* gives up what has not ended */
/* All three at once. */
int blob_put(struct blob_store *s, const struct digest *d, const void *data, size_t len,
             struct err *err);

/* NOT_FOUND. Reads at most len bytes at offset; *ret_len 0 at the end. */
int blob_open(struct blob_store *s, const struct digest *d, struct blob_read **ret,
              struct err *err);
uint64_t blob_size(const struct blob_read *r);
int blob_read(struct blob_read *r, uint64_t offset, void *dst, size_t len, size_t *ret_len,
              struct err *err);
struct blob_read *blob_read_close(struct blob_read *r);

bool blob_has(struct blob_store *s, const struct digest *d);
int blob_stat(struct blob_store *s, const struct digest *d, struct blob_info *ret,
              struct err *err); /* NOT_FOUND */
int blob_touch(struct blob_store *s, const struct digest *d, int64_t now_ms, struct err *err);
int blob_remove(struct blob_store *s, const struct digest *d, struct err *err); /* absent: done */
int blob_list(struct blob_store *s, blob_visit_fn *visit, void *arg, struct err *err);

/* fs only: the path of a blob's file below its directory ("ab/abcd…"), for internal redirects and
 * links to it; the directory's descriptor, which lives as long as the store. */
#define BLOB_FS_NAME_SIZE 80
const char *blob_fs_name(char dst[BLOB_FS_NAME_SIZE], const struct digest *d);
int blob_fs_dir(const struct blob_store *s);

#endif
