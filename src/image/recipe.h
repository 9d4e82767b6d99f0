/*
 * recipe: what a build installs, in one canonical form whose SHA-256 names the layer. Pure.
 */
#ifndef BERTH_IMAGE_RECIPE_H
#define BERTH_IMAGE_RECIPE_H

#include "base/arena.h"
#include "image/image.h"
#include "os/digest.h"

struct recipe {
    const char *suite;
    struct js_strs packages; /* sorted, each once */
    struct js_strs pip;      /* in the order given */
    const char *text;        /* canonical JSON; kept as the image's source */
    char layer[DIGEST_HEX_SIZE];
};

/* INVALID with field (from, packages[2], pip[0]) and hint; NOMEM. nonce: a build of its own, not
 * shared with the same recipe (no_cache); 0: none. */
int recipe_make(const struct image_build_spec *spec, uint64_t nonce, struct arena *arena,
                struct recipe *ret, struct err *err);
/* Reads back an image's source. */
int recipe_read(const char *text, struct arena *arena, struct recipe *ret, struct err *err);

/* "name[:tag]" into both; INVALID with field "name". tag: "latest" when there is none. */
int image_ref_parse(const char *ref, char name[64], char tag[129], struct err *err);

#endif
