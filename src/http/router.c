/*
 * router: routes by number of segments; a literal segment goes before a parameter.
 */
#include "http/router.h"
#include <string.h>
#include "base/alloc.h"
#include "base/str.h"
#include "base/vec.h"

#define SEGMENTS_MAX 12

struct http_router {
    VEC(const struct http_route *) routes;
};

static size_t split(const char *path, const char *segments[SEGMENTS_MAX], size_t lens[SEGMENTS_MAX])
{
    size_t n = 0;
    while (*path == '/') {
        path++;
        size_t len = strcspn(path, "/");
        if (len == 0 && path[0] == '\0')
            break;
        if (n == SEGMENTS_MAX)
            return SIZE_MAX;
        segments[n] = path;
        lens[n++] = len;
        path += len;
    }
    return n;
}

/* -1: no match; else how many segments are literal: the more the better. */
static int match(const char *pattern, const char *const segments[], const size_t lens[], size_t n,
                 size_t params[HTTP_PARAMS_MAX], size_t *ret_params)
{
    const char *own[SEGMENTS_MAX];
    size_t own_lens[SEGMENTS_MAX], count = 0;
    int literal = 0;
    if (split(pattern, own, own_lens) != n)
        return -1;
    for (size_t i = 0; i < n; i++) {
        if (own[i][0] == ':') {
            if (count == HTTP_PARAMS_MAX || lens[i] == 0)
                return -1;
            params[count++] = i;
        } else if (own_lens[i] == lens[i] && memcmp(own[i], segments[i], lens[i]) == 0) {
            literal++;
        } else {
            return -1;
        }
    }
    *ret_params = count;
    return literal;
}

int http_router_new(const struct http_route *const *tables, const size_t *counts, size_t n,
                    struct http_router **ret, struct err *err)
{
    struct http_router *r = mem_calloc(1, sizeof(*r));
    if (!r)
        return err_set(err, BERR_NOMEM, "out of memory");
    for (size_t t = 0; t < n; t++)
        for (size_t i = 0; i < counts[t]; i++) {
            for (size_t k = 0; k < r->routes.len; k++)
                if (str_is_equal(r->routes.items[k]->method, tables[t][i].method) &&
                    str_is_equal(r->routes.items[k]->pattern, tables[t][i].pattern)) {
                    http_router_free(r);
                    return err_set(err, BERR_CONFLICT, "route %s %s stands twice",
                                   tables[t][i].method, tables[t][i].pattern);
                }
            const struct http_route **slot = vec_push(&r->routes);
            if (!slot) {
                http_router_free(r);
                return err_set(err, BERR_NOMEM, "out of memory");
            }
            *slot = &tables[t][i];
        }
    *ret = r;
    return 0;
}

struct http_router *http_router_free(struct http_router *r)
{
    if (r) {
        vec_done(&r->routes);
        mem_free(r);
    }
    return NULL;
}

static bool method_fits(const struct http_route *route, const struct http_request *req)
{
    return str_is_equal(route->method, req->method) ||
           (req->is_head && str_is_equal(route->method, "GET"));
}

const struct http_route *http_router_match(const struct http_router *r, struct http_request *req,
                                           const char **ret_allow, struct err *err)
{
    const char *segments[SEGMENTS_MAX];
    size_t lens[SEGMENTS_MAX], best_params[HTTP_PARAMS_MAX] = {0}, best_count = 0;
    size_t n = split(req->target.path, segments, lens);
    const struct http_route *best = NULL;
    const char *allow = "";
    int best_score = -1;
    for (size_t i = 0; n != SIZE_MAX && i < r->routes.len; i++) {
        const struct http_route *route = r->routes.items[i];
        size_t params[HTTP_PARAMS_MAX], count = 0;
        int score = match(route->pattern, segments, lens, n, params, &count);
        if (score < 0)
            continue;
        if (!method_fits(route, req)) {
            const char *more = arena_printf(&req->arena, "%s%s%s", allow, allow[0] ? ", " : "",
                                            route->method);
            allow = more ? more : allow;
        } else if (score > best_score) {
            best = route;
            best_score = score;
            best_count = count;
            memcpy(best_params, params, sizeof(params));
        }
    }
    if (!best && allow[0]) {
        *ret_allow = allow;
        err_set(err, BERR_METHOD, "%s is not possible here, only %s", req->method, allow);
        return NULL;
    }
    if (!best) {
        err_set(err, BERR_NOT_FOUND, "there is nothing at %s", req->target.path);
        return NULL;
    }
    const char **values = arena_array(&req->arena, HTTP_PARAMS_MAX, sizeof(*values));
    for (size_t i = 0; values && i < best_count; i++)
        values[i] = arena_strndup(&req->arena, segments[best_params[i]], lens[best_params[i]]);
    if (!values || (best_count && !values[best_count - 1])) {
        err_set(err, BERR_NOMEM, "out of memory");
        return NULL;
    }
    req->params = values;
    return best;
}

const struct http_route *http_router_next(const struct http_router *r, size_t *i)
{
    return *i < r->routes.len ? r->routes.items[(*i)++] : NULL;
}
