/*
 * wiring: all parts of berthd, made and joined in order. One thread (the loop's).
 */
#ifndef BERTH_BERTHD_WIRING_H
#define BERTH_BERTHD_WIRING_H

#include "api/api.h"
#include "blob/tree.h"
#include "control/control.h"
#include "engine/local/link.h"
#include "ev/timer.h"
#include "image/image.h"
#include "session/link.h"

#define BERTH_VERSION "0.1.0"

struct berthd_options {
    const char *data_dir;
    const char *engine; /* "local" or "fake" */
};

struct berthd {
    struct berthd_options opt;
    struct ev_loop *loop;
    const struct os_clock *clock;
    char domain[256]; /* of the console */
    struct store *store;
    struct auth *auth;
    struct control *control;
    struct image_mgr *images;
    struct blob_store *blobs;
    struct tree_set *trees;
    struct link_server *link;
    struct api *api;
    struct http_server *server;
    struct local_link *runner; /* for images; the engine has its own connection */
    struct ev_timer *tick, *housekeeping;
    int exit_code;
};

/* Fails with the first part that does; berthd_done undoes what stands. */
int berthd_init(struct berthd *d, const struct berthd_options *opt, struct err *err);
void berthd_run(struct berthd *d);
void berthd_done(struct berthd *d);

/* first_login.c: on the very first start an admin, a project and DATA/first-login. */
int berthd_first_login(struct berthd *d, struct err *err);
/* hooks.c */
struct control_hooks berthd_hooks(struct berthd *d);
struct image_ops berthd_image_ops(struct berthd *d);
int berthd_connect_runner(struct berthd *d, struct err *err);
uint64_t berthd_random(void *arg);

#endif
