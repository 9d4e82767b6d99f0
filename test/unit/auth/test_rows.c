/* Rows: put, change, find, walk; what becomes void when one changes. */
#include "testlib.h"
#include "auth/auth.h"

static struct auth *make(void)
{
    struct auth *a;
    const struct auth_config cfg = {.cost = PASSWORD_COST_TESTS};
    return auth_new(&cfg, NULL, &a, NULL) == 0 ? a : NULL;
}

static struct user user_of(uint64_t id, const char *name)
{
    struct user u = {.id = {id}, .version = 1};
    snprintf(u.name, sizeof(u.name), "%s", name);
    return u;
}

static struct token token_of(uint64_t id, uint64_t user)
{
    struct token t = {.id = {id}, .user = {user}};
    memset(t.digest, (int)id, sizeof(t.digest));
    return t;
}

static void users_and_names(void **state)
{
    struct auth *a = make();
    struct user ada = user_of(1, "ada"), bob = user_of(2, "bob");
    assert_int_equal(auth_put_user(a, &ada, NULL), 0);
    const struct user *found = auth_find_user(a, ada.id);
    assert_non_null(found);
    assert_ptr_equal(found, auth_find_user_name(a, "ada"));
    assert_ptr_not_equal(found, &ada);
    assert_int_equal(auth_put_user(a, &bob, NULL), 0);
    struct user thief = user_of(3, "ada");
    struct err err;
    assert_int_equal(auth_put_user(a, &thief, &err), -BERR_CONFLICT);
    test_expect_err(&err, BERR_CONFLICT, "'ada' is taken");
    assert_null(auth_find_user(a, thief.id));
    struct user renamed = user_of(1, "ada-l");
    assert_int_equal(auth_put_user(a, &renamed, NULL), 0);
    assert_null(auth_find_user_name(a, "ada"));
    assert_int_equal(auth_find_user_name(a, "ada-l")->id.v, 1);
    assert_int_equal(auth_put_user(a, &thief, NULL), 0);
    size_t i = 0;
    const uint64_t order[] = {1, 2, 3};
    for (size_t n = 0; n < 3; n++)
        assert_int_equal(auth_next_user(a, &i)->id.v, order[n]);
    assert_null(auth_next_user(a, &i));
    auth_free(a);
}

static void projects_and_members(void **state)
{
    struct auth *a = make();
    struct project p = {.id = {5}, .name = "vision"};
    assert_int_equal(auth_put_project(a, &p, NULL), 0);
    assert_int_equal(auth_find_project_name(a, "vision")->id.v, 5);
    assert_int_equal(auth_find_project(a, p.id)->id.v, 5);
    size_t i = 0;
    assert_int_equal(auth_next_project(a, &i)->id.v, 5);
    assert_null(auth_next_project(a, &i));
    struct member m = {.project = {5}, .user = {1}, .role = ROLE_EDITOR}, got;
    assert_int_equal(auth_find_role(a, m.user, m.project), ROLE_NONE);
    assert_int_equal(auth_put_member(a, &m, NULL), 0);
    assert_int_equal(auth_find_role(a, m.user, m.project), ROLE_EDITOR);
    assert_int_equal(auth_find_role(a, (struct user_id){5}, (struct project_id){1}), ROLE_NONE);
    i = 0;
    assert_true(auth_next_member(a, &i, &got));
    assert_int_equal(got.role, ROLE_EDITOR);
    assert_false(auth_next_member(a, &i, &got));
    m.role = ROLE_NONE;
    assert_int_equal(auth_put_member(a, &m, NULL), 0);
    assert_int_equal(auth_put_member(a, &m, NULL), 0);
    assert_int_equal(auth_find_role(a, m.user, m.project), ROLE_NONE);
    auth_free(a);
}

struct heard {
    uint64_t last, count;
    uint8_t digests[16];
};

static void hear(void *arg, uint64_t seq, const uint8_t digest[AUTH_DIGEST_SIZE])
{
    struct heard *h = arg;
    assert_int_equal(seq, h->last + 1);
    h->last = seq;
    h->digests[h->count++ % 16] = digest[0];
}

static void changes_make_verdicts_void(void **state)
{
    struct auth *a = make();
    struct heard h = {0};
    uint8_t digest[AUTH_DIGEST_SIZE];
    auth_set_listener(a, hear, &h);
    struct user ada = user_of(1, "ada"), bob = user_of(2, "bob");
    struct token t1 = token_of(11, 1), t2 = token_of(12, 1), t3 = token_of(13, 2);
    auth_put_user(a, &ada, NULL);
    auth_put_user(a, &bob, NULL);
    auth_put_token(a, &t1, NULL);
    auth_put_token(a, &t2, NULL);
    auth_put_token(a, &t3, NULL);
    assert_int_equal(h.count, 0); /* something new makes nothing void */
    assert_int_equal(auth_last_revoked(a), 0);
    assert_false(auth_get_revoked(a, 0, digest));
    assert_false(auth_get_revoked(a, 1, digest));

    auth_remove_token(a, t2.id);
    auth_remove_token(a, t2.id);
    assert_int_equal(h.count, 1);
    assert_int_equal(h.digests[0], 12);
    assert_null(auth_find_token(a, t2.id));

    ada.password_hash[0] = 'x'; /* no right changed */
    auth_put_user(a, &ada, NULL);
    assert_int_equal(h.count, 1);
    ada.disabled = true;
    auth_put_user(a, &ada, NULL);
    assert_int_equal(h.count, 2);
    assert_int_equal(h.digests[1], 11);

    struct member m = {.project = {5}, .user = {2}, .role = ROLE_EDITOR};
    auth_put_member(a, &m, NULL);
    auth_put_member(a, &m, NULL); /* the same again: nothing */
    assert_int_equal(h.count, 3);
    assert_int_equal(h.digests[2], 13);
    m.role = ROLE_NONE;
    auth_put_member(a, &m, NULL);
    assert_int_equal(h.count, 4);

    struct token moved = token_of(13, 2);
    memset(moved.digest, 99, sizeof(moved.digest));
    auth_put_token(a, &moved, NULL);
    assert_int_equal(h.count, 5);
    assert_int_equal(h.digests[4], 13); /* the old one */

    assert_int_equal(auth_last_revoked(a), 5);
    assert_true(auth_get_revoked(a, 1, digest));
    assert_int_equal(digest[31], 12);
    for (int i = 0; i < AUTH_REVOKED_KEPT; i++) {
        m.role = i % 2 ? ROLE_NONE : ROLE_ADMIN;
        auth_put_member(a, &m, NULL);
    }
    assert_false(auth_get_revoked(a, 5, digest)); /* too old: forget everything */
    assert_true(auth_get_revoked(a, 6, digest));
    assert_true(auth_get_revoked(a, auth_last_revoked(a), digest));
    auth_free(a);
}

static int torture(void *ctx)
{
    struct auth *a = make();
    if (a == NULL)
        return -BERR_NOMEM;
    struct user ada = user_of(1, "ada"), renamed = user_of(1, "ada-l");
    struct project p = {.id = {5}, .name = "vision"};
    struct member m = {.project = {5}, .user = {1}, .role = ROLE_EDITOR};
    struct token t = token_of(11, 1);
    struct err err;
    int rc = auth_put_user(a, &ada, &err);
    bool is_there = auth_find_user(a, ada.id) != NULL;
    assert_true(is_there == (rc == 0) && is_there == (auth_find_user_name(a, "ada") != NULL));
    if (rc == 0)
        rc = auth_put_user(a, &renamed, &err);
    if (rc < 0 && is_there)
        assert_non_null(auth_find_user_name(a, "ada")); /* unchanged */
    if (rc == 0)
        rc = auth_put_project(a, &p, &err);
    if (rc == 0)
        rc = auth_put_member(a, &m, &err);
    if (rc == 0)
        rc = auth_put_token(a, &t, &err);
    auth_free(a);
    return rc;
}

static void short_memory(void **state)
{
    auth_free(make());
    test_torture(torture, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(users_and_names),
        cmocka_unit_test(projects_and_members),
        cmocka_unit_test(changes_make_verdicts_void),
        cmocka_unit_test(short_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
