/*
 * router: a route table as data. From it come dispatch, 404 and 405, authentication, OpenAPI, the
 * documentation and tests that walk every route.
 *
 * A pattern is a path whose segments may be `:name` (one segment, decoded). Handlers get their
 * values in req->params in order of appearance. A literal segment goes before a parameter. HEAD
 * goes to GET. The time of a look-up does not grow with the number of routes. Tables are static;
 * the router only points into them. Pure but for the calls; loop thread.
 */
#ifndef BERTH_HTTP_ROUTER_H
#define BERTH_HTTP_ROUTER_H

#include "http/server.h"
#include "js/js.h"

#define HTTP_PARAMS_MAX 4

struct http_param {
    const char *name, *doc; /* of the query; name NULL ends the list */
    const char *type;       /* "string", "integer", "boolean", "duration" */
};

struct http_route {
    const char *method, *pattern;
    http_handler_fn *handler;
    int access;                      /* the caller's levels; 0: deny */
    const struct js_table *in, *out; /* bodies; NULL: none, or not JSON */
    bool out_is_list;                /* {"items": [out], …} */
    const char *summary;             /* one line */
    const struct http_param *query;
    int status; /* of success; 0: 200 */
};

struct http_router;
/* NOMEM; CONFLICT (a mistake of ours) when two routes are the same. */
int http_router_new(const struct http_route *const *tables, const size_t *counts, size_t n,
                    struct http_router **ret, struct err *err);
struct http_router *http_router_free(struct http_router *r);

/* The route of a request with req->params filled, or NULL with err NOT_FOUND or METHOD; for METHOD
 * *ret_allow (in the request's arena) lists what would be allowed. */
const struct http_route *http_router_match(const struct http_router *r, struct http_request *req,
                                           const char **ret_allow, struct err *err);
/* Answers an OPTIONS request for a known path with Allow; false: not one, nothing was done. */
bool http_router_options(const struct http_router *r, struct http_request *req);
/* Every route, in the order of the tables: *i starts at 0; NULL at the end. */
const struct http_route *http_router_next(const struct http_router *r, size_t *i);

#endif
