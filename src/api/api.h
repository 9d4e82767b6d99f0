/*
 * api: the REST interface of berthd as an HTTP handler. Owns nothing of the domain.
 *
 * Identity comes from `Authorization: Bearer TOKEN` or from the console's cookie; with a cookie,
 * anything but GET must come from the console's own origin (the gateway says which that is in
 * X-Berth-Origin). Errors are application/problem+json. Loop thread.
 */
#ifndef BERTH_API_API_H
#define BERTH_API_API_H

#include "control/control.h"
#include "ev/loop.h"
#include "http/server.h"
#include "session/link.h"

struct api;
struct image_mgr;
struct blob_store;
struct tree_set;

struct api_config {
    struct ev_loop *loop;
    struct control *control;
    struct auth *auth;
    struct store *store;
    const struct os_clock *clock;
    struct link_server *link;
    struct image_mgr *images;
    struct blob_store *blobs;
    struct tree_set *trees;
    const char *data_dir;
    const char *version;
    const char *domain; /* of the console; notebooks live below it */
    uint64_t (*random)(void *arg);
    void *random_arg;
};

int api_new(const struct api_config *cfg, struct api **ret, struct err *err);
struct api *api_free(struct api *api);
/* The handler of the HTTP server on berthd's socket; arg is the struct api. */
void api_handle(struct http_request *req, void *arg);
/* The published description (OpenAPI 3.1), as JSON text: for the route and for the docs. */
void api_put_openapi(const struct api *api, struct buf *out);

#endif
