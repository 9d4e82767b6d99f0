/*
 * call: what every resource file uses — the request with who asks, and the usual answers.
 *
 * A struct api_call hangs at req->user from dispatch to the end of the request. Handlers end the
 * request exactly once through one of the functions here or of http/server.h.
 */
#ifndef BERTH_API_CALL_H
#define BERTH_API_CALL_H

#include "api/api.h"
#include "http/router.h"

/* Levels of access for struct http_route; 0 denies. */
enum api_access {
    ACCESS_OPEN = 1, /* anybody: logging in, health */
    ACCESS_USER = 2, /* somebody known; the handler asks auth_check about the thing itself */
};

struct api {
    struct api_config cfg;
    struct http_router *router;
    uint64_t requests, failures;
};

struct api_call {
    struct api *api;
    struct http_request *req;
    const struct http_route *route;
    struct who who;
    bool by_cookie;
    struct js_doc *doc; /* the body, when route->in is set */
    void *in;           /* decoded, in req->arena */
};

static inline struct api_call *api_call(struct http_request *req)
{
    return req->user;
}

int64_t api_now(const struct api_call *call);
uint64_t api_new_id(const struct api_call *call);
const char *api_query(const struct api_call *call, const char *name);
/* "true"/"false"/absent; INVALID with the field otherwise. */
int api_query_bool(const struct api_call *call, const char *name, bool *ret, struct err *err);
int api_query_u64(const struct api_call *call, const char *name, uint64_t otherwise, uint64_t *ret,
                  struct err *err);

void api_reply_json(struct api_call *call, int status, struct buf *out); /* frees out */
void api_reply_empty(struct api_call *call, int status);
void api_fail(struct api_call *call, const struct err *err);

/* The page is spoken to without TLS, on loopback (the gateway says so). */
bool api_is_plain(const struct api_call *call);
/* Sets a cookie of the asking origin alone: with TLS it is Secure and its name begins with __Host-
 * (RFC 6265bis). lifetime_ms 0 removes it. */
void api_set_cookie(struct api_call *call, const char *name, const char *text, int64_t lifetime_ms);

/* control_done_fn: answers 204, or the error. arg is the api_call. */
void api_done_empty(void *arg, int rc, uint64_t id, const struct err *err);

/* ---- workloads by id or name ---- */

/* Finds it in memory or in the store, checks the right, calls fn once; on failure the request has
 * been answered. kind -1: any. w lives during fn only, unless it is in memory. */
typedef void api_workload_fn(struct api_call *call, const struct workload *w);
void api_with_workload(struct api_call *call, const char *id_or_name, int kind, enum auth_verb verb,
                       api_workload_fn *fn);
void api_put_workload(struct js_writer *w, struct api_call *call, const struct workload *wl,
                      bool brief);
/* Decodes a stored row's spec into the request's arena; NULL on failure. */
const struct workload *api_thaw_workload(struct api_call *call, const struct workload *w,
                                         const char *spec_json, const struct attempt *a);

/* The project of that name, if the asker has the right to `verb` it. */
int api_find_project(struct api_call *call, const char *name, enum auth_verb verb,
                     const struct project **ret, struct err *err);

/* ---- tables, one a resource ---- */
extern const struct http_route api_workload_routes[], api_log_routes[], api_event_routes[],
    api_login_routes[], api_user_routes[], api_project_routes[], api_node_routes[],
    api_meta_routes[], api_origin_routes[], api_image_routes[], api_code_routes[];
extern const size_t api_workload_route_count, api_log_route_count, api_event_route_count,
    api_login_route_count, api_user_route_count, api_project_route_count, api_node_route_count,
    api_meta_route_count, api_origin_route_count, api_image_route_count, api_code_route_count;

#endif
