/*
 * image: makes images, finds them, keeps them while they are used, and collects them.
 *
 * An image is a row (types/image.h) and a list of layers that the runner keeps. Two ways to make
 * one: image_build installs Debian and pip packages into a layer named by the digest of the recipe;
 * image_pull copies from a registry with skopeo (run here, without privilege) into DATA/tmp/ID and
 * lets the runner unpack each layer, named by the digest of its archive. A layer that is there is
 * not made twice, and one making serves everybody who asks for the same meanwhile.
 *
 * States: MAKING → READY | FAILED. A new image of a name and tag takes the place of the former one
 * once it is ready; the former stays until nobody uses it. After a restart image_mgr_start makes
 * MAKING ones anew (layers that are complete already are answered at once) and goes on with
 * removals. Removal: row FAILED "being removed" → layers that no other image has → row gone.
 *
 * The manager knows no store and no runner: rows go out through `persist`, orders through `call`
 * (struct image_ops), so that it is tested with stand-ins. Text for people (progress) goes out
 * through `event`. Thread: the loop thread; nothing blocks. Rows are good until the next call.
 */
#ifndef BERTH_IMAGE_IMAGE_H
#define BERTH_IMAGE_IMAGE_H

#include "ev/loop.h"
#include "js/js.h"
#include "os/clock.h"
#include "types/image.h"
#include "wire/runner.h"

struct image_mgr;

/* image is NULL when rc != 0. */
typedef void image_done_fn(void *arg, int rc, const struct image *image, const struct err *err);

/* The answer of an order to the runner: the verb's reply struct, or err when rc != 0. */
typedef void image_reply_fn(void *arg, int rc, const void *reply, const struct err *err);
typedef void image_text_fn(void *arg, const char *text);
typedef void image_saved_fn(void *arg, int rc, const struct err *err);

/* What the manager needs of others. persist and call answer through their callback exactly once,
 * at once or later, on the loop thread. */
struct image_ops {
    void *arg;
    /* Writes (or with `removed` deletes) the row, with an event unless event_type is NULL; done when
     * durable. */
    void (*persist)(void *arg, const struct image *image, bool removed, const char *event_type,
                    const char *event_text, image_saved_fn *done, void *done_arg);
    /* Sends a verb to the runner. UNAVAILABLE while it is away: the manager tries again. */
    void (*call)(void *arg, enum wire_verb verb, const void *request, image_text_fn *progress,
                 image_reply_fn *done, void *done_arg);
    /* A step in words, for people who watch; not durable. May be NULL. */
    void (*progress)(void *arg, const struct image *image, const char *text);
};

struct image_config {
    struct ev_loop *loop;
    const char *data_dir; /* DATA: archives go through DATA/tmp */
    const struct os_clock *clock;
    uint64_t (*random)(void *arg); /* 64 random bits, for ids */
    void *random_arg;
    struct image_ops ops;
    const char *skopeo;     /* NULL: found in PATH */
    uint32_t max_makings;   /* at once; 0: 2 */
    int64_t keep_failed_ms; /* 0: a week */
};

int image_mgr_new(const struct image_config *cfg, struct image_mgr **ret, struct err *err);
struct image_mgr *image_mgr_free(struct image_mgr *m); /* makings are dropped; NULL allowed */
/* A row of the store; all before image_mgr_start. */
int image_mgr_load(struct image_mgr *m, const struct image *row, struct err *err);
/* The runner answers: goes on with what was under way. */
void image_mgr_start(struct image_mgr *m);

/* ---- making ---- */

struct image_build_spec {
    const char *from; /* debian:bookworm, debian:trixie */
    struct js_strs packages, pip;
    bool no_cache; /* build even when the same recipe has been built */
};

/* Both answer through done once the row is durable (MAKING; or READY when there is nothing to do),
 * or with INVALID, field and hint. ref "name[:tag]". Of a pull `name` may be NULL: the last part of
 * the reference. The same again while it is being made answers the one under way. */
void image_build(struct image_mgr *m, const char *ref, const struct image_build_spec *spec,
                 struct user_id owner, image_done_fn *done, void *arg);
void image_pull(struct image_mgr *m, const char *reference, const char *name, struct user_id owner,
                image_done_fn *done, void *arg);
/* Calls back when the image has left MAKING: rc 0 for READY, else why it FAILED. At once when it
 * has. NOT_FOUND. */
void image_wait(struct image_mgr *m, struct image_id id, image_done_fn *done, void *arg);
void image_unwait(struct image_mgr *m, image_done_fn *done, void *arg); /* forgets that waiter */

/* ---- using ---- */

/* "name[:tag]" (tag latest) or an id: a READY one, else the newest; NOT_FOUND with the nearest name
 * as a hint. */
const struct image *image_find(const struct image_mgr *m, const char *ref, struct err *err);
/* for (i = 0; (img = image_next(m, &i));) in the order of creation. */
const struct image *image_next(const struct image_mgr *m, size_t *i);
/* A workload uses it from now on, or does no longer. Repeats are harmless. */
void image_use(struct image_mgr *m, struct image_id id, struct workload_id w, bool in_use);
/* The latest step of a making in words, "" otherwise. */
const char *image_progress(const struct image_mgr *m, struct image_id id);
/* CONFLICT while workloads use it, naming up to three; NOT_FOUND. Answers when the row is gone. */
void image_remove(struct image_mgr *m, struct image_id id, image_done_fn *done, void *arg);
/* Removes superseded images that nobody uses, and old failed ones. Call it now and then. */
void image_collect(struct image_mgr *m);

#endif
