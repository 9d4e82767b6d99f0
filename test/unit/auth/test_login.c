/* Logging in and making hashes, at once and on workers. */
#include "testlib.h"
#include "auth/auth.h"
#include "auth/limiter.h"
#include "ev/loop.h"

struct answer {
    int rc, calls;
    uint64_t user;
    char hash[PASSWORD_HASH_SIZE];
    struct err err;
};

static void on_login(void *arg, int rc, const struct user *user, const struct err *err)
{
    struct answer *a = arg;
    a->calls++;
    a->rc = rc;
    a->user = user == NULL ? 0 : user->id.v;
    assert_true((rc == 0) == (user != NULL) && (rc == 0) == (err == NULL));
    if (err != NULL)
        a->err = *err;
}

static void on_hash(void *arg, int rc, const char *hash, const struct err *err)
{
    struct answer *a = arg;
    a->calls++;
    a->rc = rc;
    assert_true((rc == 0) == (hash != NULL));
    if (hash != NULL)
        snprintf(a->hash, sizeof(a->hash), "%s", hash);
    if (err != NULL)
        a->err = *err;
}

static struct auth *make(struct ev_loop *loop)
{
    const struct auth_config cfg = {.cost = PASSWORD_COST_TESTS, .password_jobs = 2};
    struct auth *a;
    if (auth_new(&cfg, loop, &a, NULL) < 0)
        return NULL;
    struct user u = {.id = {1}, .name = "ada"}, bare = {.id = {2}, .name = "bob"};
    const struct password_cost cost = PASSWORD_COST_TESTS;
    assert_int_equal(password_hash("correct horse", &cost, u.password_hash, NULL), 0);
    if (auth_put_user(a, &u, NULL) < 0 || auth_put_user(a, &bare, NULL) < 0)
        return auth_free(a);
    return a;
}

static struct answer login(struct auth *a, const char *name, const char *password, const char *peer,
                           int64_t now_ms)
{
    struct answer got = {.rc = 1};
    auth_login(a, name, password, peer, now_ms, on_login, &got);
    assert_int_equal(got.calls, 1);
    return got;
}

static void right_and_wrong(void **state)
{
    struct auth *a = make(NULL);
    struct answer got = login(a, "ada", "correct horse", "::1", 0);
    assert_int_equal(got.rc, 0);
    assert_int_equal(got.user, 1);
    static const char *const tries[][2] = {{"ada", "wrong horse"},
                                           {"ada", ""},
                                           {"nobody-known", "correct horse"},
                                           {"", ""},
                                           {"bob", ""}};
    for (size_t i = 0; i < ARRAY_LEN(tries); i++) {
        char peer[16];
        snprintf(peer, sizeof(peer), "10.0.0.%zu", i);
        got = login(a, tries[i][0], tries[i][1], peer, 0);
        /* Nobody learns which of the two was wrong. */
        test_expect_err(&got.err, BERR_UNAUTHENTICATED, "wrong name or password");
        assert_string_equal(got.err.hint, "");
    }
    struct user u = *auth_find_user(a, (struct user_id){1});
    u.disabled = true;
    assert_int_equal(auth_put_user(a, &u, NULL), 0);
    got = login(a, "ada", "correct horse", "::1", 0);
    test_expect_err(&got.err, BERR_UNAUTHENTICATED, "wrong name or password");
    auth_free(a);
}

static void failures_slow_down(void **state)
{
    struct auth *a = make(NULL);
    for (int i = 0; i < LIMITER_FREE_TRIES; i++) {
        char peer[16];
        snprintf(peer, sizeof(peer), "10.0.0.%d", i); /* by name */
        assert_int_equal(login(a, "ada", "wrong horse", peer, 0).rc, -BERR_UNAUTHENTICATED);
    }
    struct answer got = login(a, "ada", "correct horse", "10.1.1.1", 999);
    test_expect_err(&got.err, BERR_BUSY, "too many failed logins");
    assert_string_equal(got.err.hint, "try again in 1 seconds");
    assert_int_equal(login(a, "ada", "correct horse", "10.1.1.1", 1000).rc, 0);
    for (int i = 0; i < LIMITER_FREE_TRIES; i++) {
        char name[16];
        snprintf(name, sizeof(name), "user%d", i); /* by peer */
        assert_int_equal(login(a, name, "wrong horse", "10.2.2.2", 0).rc, -BERR_UNAUTHENTICATED);
    }
    assert_int_equal(login(a, "ada", "correct horse", "10.2.2.2", 0).rc, -BERR_BUSY);
    assert_int_equal(login(a, "ada", "correct horse", "10.3.3.3", 0).rc, 0); /* others go on */
    auth_free(a);
}

static void new_hashes(void **state)
{
    struct auth *a = make(NULL);
    struct answer got = {0};
    auth_hash_password(a, "another horse", on_hash, &got);
    assert_int_equal(got.rc, 0);
    assert_int_equal(got.calls, 1);
    const struct password_cost cost = PASSWORD_COST_TESTS;
    assert_true(password_is_right("another horse", got.hash, &cost));
    auth_hash_password(a, "short", on_hash, &got);
    test_expect_err(&got.err, BERR_INVALID, "a password has 8 to 512 bytes");
    assert_int_equal(got.calls, 2);
    auth_free(a);
}

/* ---- on workers ---- */

static void workers_are_bounded(void **state)
{
    struct ev_loop *loop;
    assert_int_equal(ev_loop_new(&loop, NULL), 0);
    struct auth *a = make(loop);
    struct answer first = {0}, second = {0}, third = {0}, hash = {0};
    auth_login(a, "ada", "correct horse", "::1", 0, on_login, &first);
    auth_login(a, "ada", "wrong horse", "::2", 0, on_login, &second);
    assert_int_equal(first.calls + second.calls, 0);
    auth_login(a, "ada", "correct horse", "::3", 0, on_login, &third);
    assert_int_equal(third.rc, -BERR_BUSY);
    auth_hash_password(a, "another horse", on_hash, &hash);
    assert_int_equal(hash.rc, -BERR_BUSY);
    ev_loop_run(loop);
    assert_int_equal(first.calls, 1);
    assert_int_equal(first.user, 1);
    assert_int_equal(second.calls, 1);
    assert_int_equal(second.rc, -BERR_UNAUTHENTICATED);
    auth_login(a, "ada", "correct horse", "::3", 0, on_login, &third);
    ev_loop_run(loop);
    assert_int_equal(third.rc, 0);
    auth_free(a);
    ev_loop_free(loop);
}

/* What happened to the user while the worker was busy counts. */
static void user_changes_meanwhile(void **state)
{
    struct ev_loop *loop;
    assert_int_equal(ev_loop_new(&loop, NULL), 0);
    for (int what = 0; what < 2; what++) {
        struct auth *a = make(loop);
        struct answer got = {0};
        auth_login(a, "ada", "correct horse", "::1", 0, on_login, &got);
        struct user u = *auth_find_user(a, (struct user_id){1});
        if (what == 0)
            u.disabled = true;
        else
            u.password_hash[0] = '\0';
        assert_int_equal(auth_put_user(a, &u, NULL), 0);
        ev_loop_run(loop);
        assert_int_equal(got.calls, 1);
        assert_int_equal(got.rc, -BERR_UNAUTHENTICATED);
        auth_free(a);
    }
    ev_loop_free(loop);
}

static void freeing_cancels(void **state)
{
    struct ev_loop *loop;
    int64_t live = mem_live();
    assert_int_equal(ev_loop_new(&loop, NULL), 0);
    struct auth *a = make(loop);
    struct answer got = {0}, hash = {0};
    auth_login(a, "ada", "correct horse", "::1", 0, on_login, &got);
    auth_hash_password(a, "another horse", on_hash, &hash);
    auth_free(a);
    assert_int_equal(got.rc, -BERR_CANCELED);
    assert_int_equal(hash.rc, -BERR_CANCELED);
    ev_loop_run(loop);
    assert_int_equal(got.calls + hash.calls, 2); /* not again */
    ev_loop_free(loop);
    assert_int_equal(mem_live(), live);
}

static int torture(void *ctx)
{
    struct ev_loop *loop = ctx;
    struct auth *a = make(loop);
    if (a == NULL)
        return -BERR_NOMEM;
    struct answer got = {.rc = 1}, hash = {.rc = 1};
    auth_login(a, "ada", "correct horse", "::1", 0, on_login, &got);
    auth_hash_password(a, "another horse", on_hash, &hash);
    if (loop != NULL)
        ev_loop_run(loop);
    assert_int_equal(got.calls, 1);
    assert_int_equal(hash.calls, 1);
    auth_free(a);
    return got.rc < 0 ? got.rc : hash.rc;
}

static void short_memory(void **state)
{
    torture(NULL);
    test_torture(torture, NULL);
    struct ev_loop *loop;
    assert_int_equal(ev_loop_new(&loop, NULL), 0);
    torture(loop);
    test_torture(torture, loop);
    ev_loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(right_and_wrong),
        cmocka_unit_test(failures_slow_down),
        cmocka_unit_test(new_hashes),
        cmocka_unit_test(workers_are_bounded),
        cmocka_unit_test(user_changes_meanwhile),
        cmocka_unit_test(freeing_cancels),
        cmocka_unit_test(short_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
