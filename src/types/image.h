/*
 * image: a root file system by name and tag, made of shared layers. Values only.
 */
#ifndef BERTH_TYPES_IMAGE_H
#define BERTH_TYPES_IMAGE_H

#include <stdint.h>
#include "types/ids.h"

#define IMAGE_LAYERS_MAX 64

#define IMAGE_STATE_LIST(X) X(MAKING, "making") X(READY, "ready") X(FAILED, "failed")
enum image_state {
#define X(sym, name) IMAGE_##sym,
    IMAGE_STATE_LIST(X)
#undef X
};
extern const char *const image_state_names[];

struct image {
    struct image_id id;
    char name[64]; /* label */
    char tag[129]; /* default "latest" */
    enum image_state state;
    char source[512];                  /* "build" recipe as JSON, or the reference pulled */
    char digest[72];                   /* "sha256:…" of the list of layers; "" before ready */
    char layers[IMAGE_LAYERS_MAX][65]; /* hex digests, bottom first */
    uint32_t layer_count;
    uint64_t size_bytes;
    char config[4096]; /* JSON: env, entrypoint, cmd, user, workdir */
    char reason[256];  /* failure in words */
    struct user_id owner;
    int64_t created_ms, used_ms;
    uint64_t version;
};

#endif
