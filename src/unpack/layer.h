/*
 * layer: the files of an OCI layer (tar, plain or by gzip, zstd, xz) as overlayfs wants them.
 *
 * `.wh.NAME` becomes a character device 0:0 NAME (hides it below), `.wh..wh..opq` the attribute
 * user.overlay.opaque of its directory. Numeric owners are kept; entries in dev/ that are devices
 * are left out, anywhere else refused; so are absolute paths, "..", ways through links, attributes
 * that overlayfs or the kernel would trust, and more than LIMIT_LAYER_*.
 *
 * For a process of its own in a sandbox; the current directory is the layer.
 */
#ifndef BERTH_UNPACK_LAYER_H
#define BERTH_UNPACK_LAYER_H

#include <stdint.h>
#include "base/err.h"

/* INVALID (not such an archive, or a path or kind that is refused), TOO_LARGE, NO_SPACE, IO.
 * ret_bytes: of all files. */
int layer_unpack(int archive_fd, uint64_t *ret_bytes, struct err *err);

#endif
