/*
 * router: a tree of segments. A look-up walks down one path, the literal child before the
 * parameter, and comes back for the parameter when the literal way has no such route.
 */
#include "http/router.h"
#include <string.h>
#include "base/alloc.h"
#include "base/str.h"
#include "base/vec.h"

#define SEGMENTS_MAX 12
#define METHODS_MAX  8

struct node {
    const char *segment; /* literal, not terminated; into the pattern */
    size_t len;
    VEC(struct node *) children; /* literal ones, by length and bytes */
    struct node *param;
    VEC(const struct http_route *) routes; /* that end here, one a method */
};

struct http_router {
    struct node root;
    VEC(const struct http_route *) routes; /* in the order of the tables */
};

/* ---- the tree ---- */

/* Order of literal children; 0 when equal. */
static int compare(const struct node *n, const char *segment, size_t len)
{
    if (n->len != len)
        return n->len < len ? -1 : 1;
    return memcmp(n->segment, segment, len);
}

/* Where the segment is among the children, or would be. */
static size_t position(const struct node *n, const char *segment, size_t len, bool *ret_found)
{
    size_t low = 0, high = n->children.len;
    *ret_found = false;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int order = compare(n->children.items[mid], segment, len);
        if (order == 0) {
            *ret_found = true;
            return mid;
        }
        if (order < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static struct node *child_make(struct node *n, const char *segment, size_t len)
{
    bool found;
    if (segment[0] == ':') {
        if (!n->param)
            n->param = mem_calloc(1, sizeof(*n->param));
        return n->param;
    }
    size_t at = position(n, segment, len, &found);
    if (found)
        return n->children.items[at];
    struct node *child = mem_calloc(1, sizeof(*child));
    struct node **slot = child ? vec_push(&n->children) : NULL;
    if (!slot) {
        mem_free(child);
        return NULL;
    }
    child->segment = segment;
    child->len = len;
    memmove(&n->children.items[at + 1], &n->children.items[at],
            (n->children.len - 1 - at) * sizeof(*n->children.items));
    n->children.items[at] = child;
    return child;
}

static void node_done(struct node *n)
{
    for (size_t i = 0; i < n->children.len; i++) {
        node_done(n->children.items[i]);
        mem_free(n->children.items[i]);
    }
    if (n->param) {
        node_done(n->param);
        mem_free(n->param);
    }
    vec_done(&n->children);
    vec_done(&n->routes);
}

static int add_route(struct http_router *r, const struct http_route *route, struct err *err)
{
    struct node *n = &r->root;
    size_t params = 0, depth = 0;
    check(route->pattern[0] == '/');
    for (const char *at = route->pattern; *at == '/' && at[1];) {
        size_t len = strcspn(++at, "/");
        params += *at == ':';
        check(len > 0 && ++depth <= SEGMENTS_MAX && params <= HTTP_PARAMS_MAX);
        n = child_make(n, at, len);
        if (!n)
            return err_set(err, BERR_NOMEM, "out of memory");
        at += len;
    }
    for (size_t i = 0; i < n->routes.len; i++)
        if (str_is_equal(n->routes.items[i]->method, route->method))
            return err_set(err, BERR_CONFLICT, "route %s %s stands twice", route->method,
                           route->pattern);
    const struct http_route **here = vec_push(&n->routes), **all = vec_push(&r->routes);
    if (!here || !all)
        return err_set(err, BERR_NOMEM, "out of memory");
    *here = *all = route;
    return 0;
}

int http_router_new(const struct http_route *const *tables, const size_t *counts, size_t n,
                    struct http_router **ret, struct err *err)
{
    struct http_router *r = mem_calloc(1, sizeof(*r));
    if (!r)
        return err_set(err, BERR_NOMEM, "out of memory");
    for (size_t t = 0; t < n; t++)
        for (size_t i = 0; i < counts[t]; i++) {
            int rc = add_route(r, &tables[t][i], err);
            if (rc < 0) {
                http_router_free(r);
                return rc;
            }
        }
    *ret = r;
    return 0;
}

struct http_router *http_router_free(struct http_router *r)
{
    if (r) {
        node_done(&r->root);
        vec_done(&r->routes);
        mem_free(r);
    }
    return NULL;
}

const struct http_route *http_router_next(const struct http_router *r, size_t *i)
{
    return *i < r->routes.len ? r->routes.items[(*i)++] : NULL;
}

/* ---- looking up ---- */

struct segment {
    const char *at;
    size_t len;
};

struct search {
    struct segment segments[SEGMENTS_MAX];
    size_t count;
    size_t params[HTTP_PARAMS_MAX]; /* which segments */
    size_t param_count;
    const char *method;
    bool is_head;
    const struct http_route *found;
    const struct node *ends[SEGMENTS_MAX]; /* places of the path that lack the method */
    size_t end_count;
};

/* False: no route has so many segments. A slash at the end counts for nothing. */
static bool split(const char *path, struct search *s)
{
    while (path[0] == '/' && path[1]) {
        size_t len = strcspn(++path, "/");
        if (s->count == SEGMENTS_MAX)
            return false;
        s->segments[s->count++] = (struct segment){path, len};
        path += len;
    }
    return true;
}

static void end_at(const struct node *n, struct search *s)
{
    const struct http_route *get = NULL;
    for (size_t i = 0; i < n->routes.len && !s->found; i++) {
        const struct http_route *route = n->routes.items[i];
        if (str_is_equal(route->method, s->method))
            s->found = route;
        else if (s->is_head && str_is_equal(route->method, "GET"))
            get = route;
    }
    if (!s->found)
        s->found = get;
    if (!s->found && n->routes.len && s->end_count < ARRAY_LEN(s->ends))
        s->ends[s->end_count++] = n;
}

static void descend(const struct node *n, size_t depth, struct search *s)
{
    bool is_child;
    if (depth == s->count) {
        end_at(n, s);
        return;
    }
    const struct segment *seg = &s->segments[depth];
    size_t at = position(n, seg->at, seg->len, &is_child);
    if (is_child)
        descend(n->children.items[at], depth + 1, s);
    if (s->found || !n->param || seg->len == 0)
        return;
    s->params[s->param_count++] = depth;
    descend(n->param, depth + 1, s);
    if (!s->found)
        s->param_count--;
}

static bool holds(const char *const *methods, size_t count, const char *method)
{
    for (size_t i = 0; i < count; i++)
        if (str_is_equal(methods[i], method))
            return true;
    return false;
}

/* "GET, HEAD, POST" of everything that is possible at the path. */
static const char *allowed(const struct search *s, struct arena *arena)
{
    const char *methods[METHODS_MAX], *list = "";
    size_t count = 0;
    for (size_t e = 0; e < s->end_count; e++)
        for (size_t i = 0; i < s->ends[e]->routes.len && count < METHODS_MAX; i++) {
            const char *method = s->ends[e]->routes.items[i]->method;
            if (!holds(methods, count, method))
                methods[count++] = method;
        }
    for (size_t i = 0; i < count && list; i++)
        list = arena_printf(arena, "%s%s%s%s", list, list[0] ? ", " : "", methods[i],
                            str_is_equal(methods[i], "GET") ? ", HEAD" : "");
    return list;
}

static const struct http_route *not_found(const struct search *s, struct http_request *req,
                                          const char **ret_allow, struct err *err)
{
    const char *list = s->end_count ? allowed(s, &req->arena) : NULL;
    if (!s->end_count) {
        err_set(err, BERR_NOT_FOUND, "there is nothing at %s", req->target.path);
    } else if (!list) {
        err_set(err, BERR_NOMEM, "out of memory");
    } else {
        *ret_allow = list;
        err_set(err, BERR_METHOD, "%s is not possible here, only %s", req->method, list);
    }
    return NULL;
}

const struct http_route *http_router_match(const struct http_router *r, struct http_request *req,
                                           const char **ret_allow, struct err *err)
{
    struct search s = {.method = req->method, .is_head = req->is_head};
    if (split(req->target.path, &s))
        descend(&r->root, 0, &s);
    if (!s.found)
        return not_found(&s, req, ret_allow, err);
    const char **values = arena_array(&req->arena, HTTP_PARAMS_MAX, sizeof(*values));
    bool ok = values != NULL;
    for (size_t i = 0; ok && i < s.param_count; i++) {
        const struct segment *seg = &s.segments[s.params[i]];
        values[i] = arena_strndup(&req->arena, seg->at, seg->len);
        ok = values[i] != NULL;
    }
    if (!ok) {
        err_set(err, BERR_NOMEM, "out of memory");
        return NULL;
    }
    req->params = values;
    return s.found;
}

bool http_router_options(const struct http_router *r, struct http_request *req)
{
    struct search s = {.method = req->method};
    if (!str_is_equal(req->method, "OPTIONS"))
        return false;
    if (split(req->target.path, &s))
        descend(&r->root, 0, &s);
    const char *list = !s.found && s.end_count ? allowed(&s, &req->arena) : NULL;
    if (!list)
        return false;
    http_reply_header(req, "Allow", list);
    http_reply(req, 204, NULL, NULL, 0);
    return true;
}
