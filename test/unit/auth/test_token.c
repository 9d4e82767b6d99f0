/* Tokens and tickets. */
#include "testlib.h"
#include "auth/auth.h"
#include "base/rand.h"
#include "base/str.h"

static void seeded(void *arg, void *dst, size_t len)
{
    for (size_t i = 0; i < len; i++)
        ((uint8_t *)dst)[i] = (uint8_t)rnd_u64(arg);
}

static struct rnd random_state;

static struct auth *make(void)
{
    rnd_seed(&random_state, 7);
    const struct auth_config cfg = {
        .cost = PASSWORD_COST_TESTS, .random = seeded, .random_arg = &random_state};
    struct auth *a;
    if (auth_new(&cfg, NULL, &a, NULL) < 0)
        return NULL;
    struct user u = {.id = {1}, .name = "ada", .cluster_admin = true};
    if (auth_put_user(a, &u, NULL) < 0)
        return auth_free(a);
    return a;
}

static void token_names_its_user(void **state)
{
    struct auth *a = make();
    char text[AUTH_TOKEN_TEXT_SIZE], other[AUTH_TOKEN_TEXT_SIZE];
    struct token t, t2;
    struct who who;
    struct err err;
    const struct auth_token_request req = {
        .user = {1}, .label = "laptop", .expires_ms = 500, .session = true, .route = 9};
    assert_int_equal(auth_make_token(a, &req, 100, text, &t, &err), 0);
    assert_true(str_has_prefix(text, "bt_"));
    assert_int_equal(strlen(text), 46);
    assert_null(memmem(&t, sizeof(t), text + 3, 20)); /* the text is nowhere */
    assert_int_equal(t.created_ms, 100);
    assert_int_equal(auth_identify(a, text, 100, &who, &err),
                     -BERR_UNAUTHENTICATED); /* not put yet */
    assert_int_equal(auth_put_token(a, &t, &err), 0);
    assert_int_equal(auth_identify(a, text, 499, &who, &err), 0);
    assert_int_equal(who.user.v, 1);
    assert_string_equal(who.name, "ada");
    assert_true(who.cluster_admin && who.session);
    assert_int_equal(who.route, 9);
    assert_int_equal(who.token.v, t.id.v);
    assert_int_equal(who.expires_ms, 500);
    assert_int_equal(auth_identify_digest(a, t.digest, 499, &who, &err), 0);
    assert_int_equal(auth_identify(a, text, 500, &who, &err), -BERR_UNAUTHENTICATED);
    assert_int_equal(auth_make_token(a, &req, 100, other, &t2, &err), 0);
    assert_string_not_equal(text, other);
    assert_int_not_equal(t.id.v, t2.id.v);
    assert_int_equal(auth_identify(a, other, 100, &who, &err), -BERR_UNAUTHENTICATED);
    auth_remove_token(a, t.id);
    assert_int_equal(auth_identify(a, text, 100, &who, &err), -BERR_UNAUTHENTICATED);
    auth_free(a);
}

static void token_of_a_disabled_user(void **state)
{
    struct auth *a = make();
    char text[AUTH_TOKEN_TEXT_SIZE];
    struct token t;
    struct who who;
    const struct auth_token_request req = {.user = {1}};
    assert_int_equal(auth_make_token(a, &req, 100, text, &t, NULL), 0);
    assert_int_equal(auth_put_token(a, &t, NULL), 0);
    assert_int_equal(auth_identify(a, text, INT64_MAX, &who, NULL), 0); /* never runs out */
    struct user u = *auth_find_user(a, (struct user_id){1});
    u.disabled = true;
    assert_int_equal(auth_put_user(a, &u, NULL), 0);
    assert_int_equal(auth_identify(a, text, 100, &who, NULL), -BERR_UNAUTHENTICATED);
    assert_int_equal(auth_make_token(a, &req, 100, text, &t, NULL), -BERR_NOT_FOUND);
    auth_free(a);
}

static void requests_are_checked(void **state)
{
    struct auth *a = make();
    char text[AUTH_TOKEN_TEXT_SIZE], label[100];
    struct token t;
    struct err err;
    memset(label, 'x', sizeof(label));
    label[64] = '\0';
    const struct auth_token_request late = {.user = {1}, .expires_ms = 100},
                                    unknown = {.user = {2}}, wide = {.user = {1}, .label = label},
                                    binary = {.user = {1}, .label = "\xff"};
    assert_int_equal(auth_make_token(a, &late, 100, text, &t, &err), -BERR_INVALID);
    assert_int_equal(auth_make_token(a, &unknown, 100, text, &t, &err), -BERR_NOT_FOUND);
    assert_int_equal(auth_make_token(a, &wide, 100, text, &t, &err), -BERR_INVALID);
    assert_int_equal(auth_make_token(a, &binary, 100, text, &t, &err), -BERR_INVALID);
    auth_free(a);
}

static void only_tokens_have_digests(void **state)
{
    uint8_t digest[AUTH_DIGEST_SIZE] = {1}, hex[AUTH_DIGEST_SIZE];
    char text[] = "bt_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    assert_true(auth_token_digest(text, digest));
    assert_true(
        str_from_hex(hex, 32, "c4154d799d3b3995b2a1445071e2ed2b8075ba1dc7b6462bd0eb02405f44b1cc"));
    assert_memory_equal(digest, hex, 32);
    static const char *const bad[] = {"",
                                      "bt_",
                                      "bt_AAAA",
                                      "bx_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
                                      "bt_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
                                      "bt_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
                                      "bt_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA+",
                                      "bt_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA ",
                                      " bt_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
                                      " bt_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
                                      "bt_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (auth_token_digest(bad[i], digest))
            fail_msg("'%s' has a digest", bad[i]);
    struct auth *a = make();
    struct who who;
    assert_int_equal(auth_identify(a, NULL, 0, &who, NULL), -BERR_UNAUTHENTICATED);
    assert_int_equal(auth_identify(a, "Bearer x", 0, &who, NULL), -BERR_UNAUTHENTICATED);
    auth_free(a);
}

/* ---- tickets ---- */

static void ticket_is_good_once(void **state)
{
    struct auth *a = make();
    struct token t;
    char token_text[AUTH_TOKEN_TEXT_SIZE], text[AUTH_TOKEN_TEXT_SIZE];
    struct who who;
    struct user_id user = {0};
    struct err err;
    const struct auth_token_request req = {.user = {1}, .session = true};
    assert_int_equal(auth_make_token(a, &req, 0, token_text, &t, NULL), 0);
    assert_int_equal(auth_put_token(a, &t, NULL), 0);
    assert_int_equal(auth_identify(a, token_text, 0, &who, NULL), 0);

    assert_int_equal(auth_make_ticket(a, &who, 9, 1000, text, &err), 0);
    assert_int_equal(auth_identify(a, text, 1000, &who, NULL),
                     -BERR_UNAUTHENTICATED); /* no token */
    assert_int_equal(auth_identify(a, token_text, 0, &who, NULL), 0);
    assert_int_equal(auth_take_ticket(a, text, 9, 60999, &user, &err), 0);
    assert_int_equal(user.v, 1);
    assert_int_equal(auth_take_ticket(a, text, 9, 60999, &user, &err), -BERR_UNAUTHENTICATED);

    assert_int_equal(auth_make_ticket(a, &who, 9, 1000, text, &err), 0);
    assert_int_equal(auth_take_ticket(a, text, 9, 61000, &user, &err),
                     -BERR_UNAUTHENTICATED); /* late */

    assert_int_equal(auth_make_ticket(a, &who, 9, 1000, text, &err), 0);
    assert_int_equal(auth_take_ticket(a, text, 8, 1000, &user, &err),
                     -BERR_UNAUTHENTICATED); /* elsewhere */
    assert_int_equal(auth_take_ticket(a, text, 9, 1000, &user, &err),
                     -BERR_UNAUTHENTICATED); /* and used up */

    assert_int_equal(auth_make_ticket(a, &who, 9, 1000, text, &err), 0);
    auth_remove_token(a, t.id); /* logged out meanwhile */
    assert_int_equal(auth_take_ticket(a, text, 9, 1000, &user, &err), -BERR_UNAUTHENTICATED);
    assert_int_equal(auth_take_ticket(a, NULL, 9, 1000, &user, &err), -BERR_UNAUTHENTICATED);
    assert_int_equal(auth_take_ticket(a, token_text, 9, 1000, &user, &err), -BERR_UNAUTHENTICATED);
    auth_free(a);
}

static void tickets_are_bounded(void **state)
{
    struct auth *a = make();
    char text[AUTH_TOKEN_TEXT_SIZE];
    struct err err;
    int made = 0;
    const struct who ada = {.user = {1}}, bob = {.user = {2}};
    while (auth_make_ticket(a, &ada, 9, 1000, text, &err) == 0)
        assert_true(++made < 1000);
    test_expect_err(&err, BERR_BUSY, "too many");
    assert_true(made > 10);
    assert_int_equal(auth_make_ticket(a, &bob, 9, 1000, text, &err), 0);  /* others go on */
    assert_int_equal(auth_make_ticket(a, &ada, 9, 61000, text, &err), 0); /* old ones ran out */
    auth_free(a);
}

static int torture(void *ctx)
{
    struct auth *a = make();
    if (a == NULL)
        return -BERR_NOMEM;
    char text[AUTH_TOKEN_TEXT_SIZE];
    struct token t;
    struct who who = {.user = {1}};
    struct user_id user;
    const struct auth_token_request req = {.user = {1}};
    int rc = auth_make_token(a, &req, 0, text, &t, NULL);
    if (rc == 0)
        rc = auth_put_token(a, &t, NULL);
    if (rc == 0)
        rc = auth_identify(a, text, 0, &who, NULL);
    if (rc == 0)
        rc = auth_make_ticket(a, &who, 5, 0, text, NULL);
    if (rc == 0)
        rc = auth_take_ticket(a, text, 5, 0, &user, NULL);
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
        cmocka_unit_test(token_names_its_user), cmocka_unit_test(token_of_a_disabled_user),
        cmocka_unit_test(requests_are_checked), cmocka_unit_test(only_tokens_have_digests),
        cmocka_unit_test(ticket_is_good_once),  cmocka_unit_test(tickets_are_bounded),
        cmocka_unit_test(short_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
