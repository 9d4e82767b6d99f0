/* Route tables: what a path leads to, in any order of the table, and what is told when to nothing. */
#include "testlib.h"
#include "base/rand.h"
#include "http/router.h"

static void handle(struct http_request *req, void *arg)
{
    (void)req, (void)arg;
}

static const struct http_route routes[] = {
    {"GET", "/", handle},
    {"GET", "/api/v1/jobs", handle},
    {"POST", "/api/v1/jobs", handle},
    {"GET", "/api/v1/jobs/:id", handle},
    {"DELETE", "/api/v1/jobs/:id", handle},
    {"GET", "/api/v1/jobs/new", handle},
    {"POST", "/api/v1/jobs/:id/stop", handle},
    {"GET", "/api/v1/jobs/:id/tasks/:index/logs", handle},
    {"GET", "/api/v1/jobs/new/x/y", handle},
    {"GET", "/api/v1/jo", handle},
    {"GET", "/api/v1/users/:name", handle},
    {"GET", "/:a/:b/:c/:d", handle},
};

struct looked_up {
    struct http_request req;
    const struct http_route *route;
    const char *allow;
    struct err err;
};

static void look_up(struct http_router *r, const char *method, const char *path,
                    struct looked_up *ret)
{
    memset(ret, 0, sizeof(*ret));
    arena_init(&ret->req.arena, 1 << 20);
    ret->req.method = method;
    ret->req.is_head = strcmp(method, "HEAD") == 0;
    ret->req.target.path = path;
    ret->route = http_router_match(r, &ret->req, &ret->allow, &ret->err);
}

static struct http_router *router(void)
{
    struct http_router *r = NULL;
    const struct http_route *tables[] = {routes};
    const size_t counts[] = {ARRAY_LEN(routes)};
    assert_int_equal(http_router_new(tables, counts, 1, &r, NULL), 0);
    return r;
}

static void finds(void **state)
{
    (void)state;
    static const struct {
        const char *method, *path, *pattern, *first, *second;
    } cases[] = {
        {"GET", "/", "/", NULL, NULL},
        {"GET", "/api/v1/jobs", "/api/v1/jobs", NULL, NULL},
        {"GET", "/api/v1/jobs/", "/api/v1/jobs", NULL, NULL},
        {"POST", "/api/v1/jobs", "/api/v1/jobs", NULL, NULL},
        {"HEAD", "/api/v1/jobs", "/api/v1/jobs", NULL, NULL},
        {"GET", "/api/v1/jobs/abc", "/api/v1/jobs/:id", "abc", NULL},
        {"GET", "/api/v1/jobs/new", "/api/v1/jobs/new", NULL, NULL},
        {"DELETE", "/api/v1/jobs/new", "/api/v1/jobs/:id", "new", NULL}, /* goes back */
        {"POST", "/api/v1/jobs/new/stop", "/api/v1/jobs/:id/stop", "new", NULL},
        {"GET", "/api/v1/jobs/new/x/y", "/api/v1/jobs/new/x/y", NULL, NULL},
        {"GET", "/api/v1/jobs/a/tasks/7/logs", "/api/v1/jobs/:id/tasks/:index/logs", "a", "7"},
        {"GET", "/api/v1/jo", "/api/v1/jo", NULL, NULL},
        {"GET", "/api/v1/users/a b", "/api/v1/users/:name", "a b", NULL},
        {"GET", "/api/v1/other/z", "/:a/:b/:c/:d", "api", "v1"},
    };
    struct http_router *r = router();
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct looked_up l;
        look_up(r, cases[i].method, cases[i].path, &l);
        if (!l.route)
            fail_msg("%s %s: %s", cases[i].method, cases[i].path, l.err.text);
        assert_string_equal(l.route->pattern, cases[i].pattern);
        if (cases[i].first)
            assert_string_equal(l.req.params[0], cases[i].first);
        else
            assert_null(l.req.params[0]);
        if (cases[i].second)
            assert_string_equal(l.req.params[1], cases[i].second);
        arena_done(&l.req.arena);
    }
    http_router_free(r);
}

static void finds_nothing(void **state)
{
    (void)state;
    static const char *const paths[] = {"/x",
                                        "/api/v1",
                                        "/api/v1/job",
                                        "/api/v1/jobsx",
                                        "/api/v1/jobs/a/b",
                                        "/API/v1/jobs",
                                        "/a/b/c",
                                        "/a/b/c/d/e",
                                        "/1/2/3/4/5/6/7/8/9/10/11/12/13"};
    struct http_router *r = router();
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        struct looked_up l;
        look_up(r, "GET", paths[i], &l);
        if (l.route)
            fail_msg("%s leads to %s", paths[i], l.route->pattern);
        test_expect_err(&l.err, BERR_NOT_FOUND, paths[i]);
        assert_null(l.allow);
        arena_done(&l.req.arena);
    }
    http_router_free(r);
}

static void wrong_method(void **state)
{
    (void)state;
    struct http_router *r = router();
    struct looked_up l;
    look_up(r, "PUT", "/api/v1/jobs", &l);
    assert_null(l.route);
    test_expect_err(&l.err, BERR_METHOD, "PUT");
    assert_string_equal(l.allow, "GET, HEAD, POST");
    arena_done(&l.req.arena);
    look_up(r, "PUT", "/api/v1/jobs/new", &l); /* both patterns count */
    assert_string_equal(l.allow, "GET, HEAD, DELETE");
    arena_done(&l.req.arena);
    look_up(r, "HEAD", "/api/v1/jobs/x/stop", &l);
    assert_string_equal(l.allow, "POST");
    arena_done(&l.req.arena);
    http_router_free(r);
}

static void twice(void **state)
{
    (void)state;
    struct http_router *r = NULL;
    struct err err = {0};
    const struct http_route again[] = {{"GET", "/api/v1/jobs/:other", handle}};
    const struct http_route *tables[] = {routes, again};
    const size_t counts[] = {ARRAY_LEN(routes), 1};
    assert_int_equal(http_router_new(tables, counts, 2, &r, &err), -BERR_CONFLICT);
    test_expect_err(&err, BERR_CONFLICT, "stands twice");
    assert_null(r);
}

static void order_does_not_matter(void **state)
{
    (void)state;
    struct http_route mixed[ARRAY_LEN(routes)];
    const struct http_route *tables[] = {mixed};
    const size_t counts[] = {ARRAY_LEN(routes)};
    struct rnd rnd;
    rnd_seed(&rnd, test_seed());
    memcpy(mixed, routes, sizeof(routes));
    for (int round = 0; round < 50; round++) {
        struct http_router *r = NULL, *plain = router();
        rnd_shuffle(&rnd, mixed, ARRAY_LEN(mixed), sizeof(mixed[0]));
        assert_int_equal(http_router_new(tables, counts, 1, &r, NULL), 0);
        for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
            struct looked_up a, b;
            look_up(r, routes[i].method, routes[i].pattern, &a);
            look_up(plain, routes[i].method, routes[i].pattern, &b);
            assert_non_null(a.route);
            assert_string_equal(a.route->pattern, b.route->pattern);
            arena_done(&a.req.arena);
            arena_done(&b.req.arena);
        }
        http_router_free(r);
        http_router_free(plain);
    }
}

static void walks_all(void **state)
{
    (void)state;
    struct http_router *r = router();
    const struct http_route *route;
    size_t count = 0;
    for (size_t i = 0; (route = http_router_next(r, &i)) != NULL; count++)
        assert_ptr_equal(route, &routes[count]);
    assert_int_equal(count, ARRAY_LEN(routes));
    http_router_free(r);
}

static int torture_make(void *ctx)
{
    (void)ctx;
    struct http_router *r = NULL;
    const struct http_route *tables[] = {routes};
    const size_t counts[] = {ARRAY_LEN(routes)};
    struct err err = {0};
    int rc = http_router_new(tables, counts, 1, &r, &err);
    http_router_free(r);
    return rc;
}

static int torture_match(void *ctx)
{
    struct looked_up l;
    look_up(ctx, "GET", "/api/v1/jobs/a/tasks/7/logs", &l);
    int rc = l.route ? 0 : -(int)l.err.code;
    arena_done(&l.req.arena);
    return rc;
}

static void torture(void **state)
{
    (void)state;
    test_torture(torture_make, NULL);
    struct http_router *r = router();
    test_torture(torture_match, r);
    http_router_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds),
        cmocka_unit_test(finds_nothing),
        cmocka_unit_test(wrong_method),
        cmocka_unit_test(twice),
        cmocka_unit_test(order_does_not_matter),
        cmocka_unit_test(walks_all),
        cmocka_unit_test(torture),
    };
    return cmocka_run_group_tests_name("http/router", tests, NULL, NULL);
}
