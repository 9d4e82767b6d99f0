/*
 * oci: the three documents of an image in OCI's layout (image-spec 1.0) — index, manifest, config —
 * as far as they matter here. They come from a registry: every field is checked. Pure, any thread.
 */
#ifndef BERTH_IMAGE_OCI_H
#define BERTH_IMAGE_OCI_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "os/digest.h"
#include "types/image.h"

#define OCI_DOC_BYTES (1u << 20)

struct oci_manifest {
    struct digest config;
    struct digest layers[IMAGE_LAYERS_MAX]; /* bottom first */
    uint32_t layer_count;
};

/* index.json with exactly one manifest: its digest. INVALID for all else. */
int oci_index_parse(const char *text, size_t len, struct digest *ret, struct err *err);
/* INVALID; TOO_LARGE past IMAGE_LAYERS_MAX; UNSUPPORTED for layers that are no tar. */
int oci_manifest_parse(const char *text, size_t len, struct oci_manifest *ret, struct err *err);
/* Appends {"env":{…},"entrypoint":[…],"cmd":[…],"user":"…","workdir":"…"}. UNSUPPORTED when it is
 * for another processor or system than this machine's. */
int oci_config_parse(const char *text, size_t len, struct buf *out, struct err *err);

#endif
