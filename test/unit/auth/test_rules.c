/*
 * Every cell of role × relation × kind × verb against a matrix written down by hand, apart from the
 * table that is tested. A letter a cell: A allowed, F forbidden, N looks like not found.
 */
#include "testlib.h"
#include "auth/auth.h"
#include "base/str.h"

/* Who asks: no member, viewer, editor, admin of the target's project, cluster admin without a
 * membership; each as a stranger to the target and as its owner. */
enum { NONMEMBER, VIEWER, EDITOR, ADMIN, CLUSTER, WHO_MAX };
static const uint64_t user_ids[WHO_MAX] = {11, 12, 13, 14, 15};

/* Columns: the verbs VIEW CREATE CHANGE REMOVE OPEN GRANT. Rows: the five above. */
struct expected {
    enum auth_kind kind;
    bool is_owner, has_project;
    const char *cells[WHO_MAX];
};
static const struct expected matrix[] = {
    {AUTH_KIND_INSTALLATION, false, false, {"AFFFFF", "AFFFFF", "AFFFFF", "AFFFFF", "AFAFFF"}},
    {AUTH_KIND_INSTALLATION, true, false, {"AFFFFF", "AFFFFF", "AFFFFF", "AFFFFF", "AFAFFF"}},
    {AUTH_KIND_NODE, false, false, {"AFFFFF", "AFFFFF", "AFFFFF", "AFFFFF", "AFAFFF"}},
    {AUTH_KIND_NODE, true, false, {"AFFFFF", "AFFFFF", "AFFFFF", "AFFFFF", "AFAFFF"}},
    {AUTH_KIND_USER, false, false, {"AFFFFF", "AFFFFF", "AFFFFF", "AFFFFF", "AAAAFA"}},
    {AUTH_KIND_USER, true, false, {"AFFFFF", "AFFFFF", "AFFFFF", "AFFFFF", "AAAAFA"}},
    {AUTH_KIND_PASSWORD, false, false, {"FFFFFF", "FFFFFF", "FFFFFF", "FFFFFF", "FFAFFF"}},
    {AUTH_KIND_PASSWORD, true, false, {"FFAFFF", "FFAFFF", "FFAFFF", "FFAFFF", "FFAFFF"}},
    {AUTH_KIND_TOKEN, false, false, {"NFNNNN", "NFNNNN", "NFNNNN", "NFNNNN", "AFFAFF"}},
    {AUTH_KIND_TOKEN, true, false, {"AAFAFF", "AAFAFF", "AAFAFF", "AAFAFF", "AAFAFF"}},
    {AUTH_KIND_PROJECT, false, false, {"NFNNNN", "NFNNNN", "NFNNNN", "NFNNNN", "AAAAFA"}},
    {AUTH_KIND_PROJECT, false, true, {"NNNNNN", "AFFFFF", "AFFFFF", "AFAFFA", "AAAAFA"}},
    {AUTH_KIND_WORKLOAD, false, true, {"NNNNNN", "AFFFFF", "AFFFFF", "AFAAFF", "AFAAFF"}},
    {AUTH_KIND_WORKLOAD, true, true, {"NNNNNN", "AFAAFF", "AAAAAF", "AAAAAF", "AAAAFF"}},
    {AUTH_KIND_IMAGE, false, false, {"AFFFFF", "AFFFFF", "AFFFFF", "AFFFFF", "AFAAFF"}},
    {AUTH_KIND_IMAGE, true, false, {"AAAAFF", "AAAAFF", "AAAAFF", "AAAAFF", "AAAAFF"}},
    {AUTH_KIND_VOLUME, false, true, {"NNNNNN", "AFFFFF", "AAFFAF", "AAAAAF", "AAAAFF"}},
    {AUTH_KIND_VOLUME, true, true, {"NNNNNN", "AFFFFF", "AAFFAF", "AAAAAF", "AAAAFF"}},
    {AUTH_KIND_VOLUME, false, false, {"NFNNNN", "NFNNNN", "NFNNNN", "NFNNNN", "AAAAFF"}},
    {AUTH_KIND_VOLUME, true, false, {"AFFFAF", "AFFFAF", "AFFFAF", "AFFFAF", "AAAAAF"}},
    {AUTH_KIND_EVENT, false, true, {"NNNNNN", "AFFFFF", "AFFFFF", "AFFFFF", "AFFFFF"}},
    {AUTH_KIND_EVENT, false, false, {"NFNNNN", "NFNNNN", "NFNNNN", "NFNNNN", "AFFFFF"}},
};

static int setup(void **state)
{
    struct auth *a;
    const struct auth_config cfg = {.cost = PASSWORD_COST_TESTS};
    assert_int_equal(auth_new(&cfg, NULL, &a, NULL), 0);
    static const enum role roles[WHO_MAX] = {ROLE_NONE, ROLE_VIEWER, ROLE_EDITOR, ROLE_ADMIN,
                                             ROLE_NONE};
    for (uint64_t p = 1; p <= 2; p++) {
        struct project project = {.id = {p}};
        snprintf(project.name, sizeof(project.name), "p%d", (int)p);
        assert_int_equal(auth_put_project(a, &project, NULL), 0);
    }
    for (size_t i = 0; i < WHO_MAX; i++) {
        struct user u = {.id = {user_ids[i]}, .cluster_admin = i == CLUSTER};
        snprintf(u.name, sizeof(u.name), "u%zu", i);
        assert_int_equal(auth_put_user(a, &u, NULL), 0);
        struct member m = {.project = {1}, .user = u.id, .role = roles[i]};
        assert_int_equal(auth_put_member(a, &m, NULL), 0);
        /* Rights in another project must not matter. */
        struct member other = {.project = {2}, .user = u.id, .role = ROLE_ADMIN};
        assert_int_equal(auth_put_member(a, &other, NULL), 0);
    }
    *state = a;
    return 0;
}

static int teardown(void **state)
{
    auth_free(*state);
    return 0;
}

static char answer(struct auth *a, uint64_t user, enum auth_verb verb, const struct auth_target *t)
{
    struct err err;
    const struct who who = {.user = {user}};
    int rc = auth_check(a, &who, verb, t, &err);
    if (rc == 0)
        return 'A';
    assert_int_equal(rc, -(int)err.code);
    return err.code == BERR_FORBIDDEN ? 'F' : err.code == BERR_NOT_FOUND ? 'N' : '?';
}

static void every_cell(void **state)
{
    bool seen[AUTH_KIND_MAX] = {false};
    for (size_t m = 0; m < ARRAY_LEN(matrix); m++) {
        const struct expected *e = &matrix[m];
        seen[e->kind] = true;
        for (size_t i = 0; i < WHO_MAX; i++) {
            char got[AUTH_VERB_MAX + 1] = "";
            const struct auth_target t = {.kind = e->kind,
                                          .project = {e->has_project ? 1 : 0},
                                          .owner = {e->is_owner ? user_ids[i] : 99},
                                          .id = 500};
            for (size_t verb = 0; verb < AUTH_VERB_MAX; verb++)
                got[verb] = answer(*state, user_ids[i], (enum auth_verb)verb, &t);
            if (strcmp(got, e->cells[i]) != 0)
                fail_msg("%s %s %s, asker %zu: got %s, expected %s", auth_kind_names[e->kind],
                         e->is_owner ? "own" : "other's", e->has_project ? "in a project" : "", i,
                         got, e->cells[i]);
        }
    }
    for (size_t k = 0; k < AUTH_KIND_MAX; k++)
        assert_true(seen[k]);
}

static void nobody_and_disabled_are_not_logged_in(void **state)
{
    struct auth *a = *state;
    const struct auth_target t = {.kind = AUTH_KIND_INSTALLATION};
    struct err err;
    const struct who nobody = {0}, unknown = {.user = {999}, .cluster_admin = true},
                     admin = {.user = {15}, .cluster_admin = true};
    assert_int_equal(auth_check(a, &nobody, AUTH_VIEW, &t, &err), -BERR_UNAUTHENTICATED);
    assert_int_equal(auth_check(a, &unknown, AUTH_VIEW, &t, &err), -BERR_UNAUTHENTICATED);
    assert_int_equal(auth_check(a, &admin, AUTH_CHANGE, &t, &err), 0);
    struct user u = *auth_find_user(a, admin.user);
    u.cluster_admin = false;
    assert_int_equal(auth_put_user(a, &u, NULL), 0);
    assert_int_equal(auth_check(a, &admin, AUTH_CHANGE, &t, &err), -BERR_FORBIDDEN);
    test_expect_err(&err, BERR_FORBIDDEN,
                    "you may not change this installation: only cluster admins may");
    u.disabled = true;
    assert_int_equal(auth_put_user(a, &u, NULL), 0);
    assert_int_equal(auth_check(a, &admin, AUTH_VIEW, &t, &err), -BERR_UNAUTHENTICATED);
}

/* A notebook's cookie opens this notebook and does nothing else, whatever its user may. */
static void bound_login_opens_one_thing(void **state)
{
    struct auth *a = *state;
    const struct who who = {.user = {14}, .route = 77};
    for (size_t kind = 0; kind < AUTH_KIND_MAX; kind++)
        for (size_t verb = 0; verb < AUTH_VERB_MAX; verb++)
            for (uint64_t id = 76; id <= 77; id++) {
                const struct auth_target t = {
                    .kind = (enum auth_kind)kind, .project = {1}, .owner = {14}, .id = id};
                bool is_it = kind == AUTH_KIND_WORKLOAD && verb == AUTH_OPEN && id == 77;
                assert_int_equal(auth_check(a, &who, (enum auth_verb)verb, &t, NULL),
                                 is_it ? 0 : -BERR_FORBIDDEN);
            }
    /* … and not any more when the user may not. */
    struct member m = {.project = {1}, .user = {14}, .role = ROLE_VIEWER};
    assert_int_equal(auth_put_member(a, &m, NULL), 0);
    const struct auth_target t = {
        .kind = AUTH_KIND_WORKLOAD, .project = {1}, .owner = {14}, .id = 77};
    assert_int_equal(auth_check(a, &who, AUTH_OPEN, &t, NULL), -BERR_FORBIDDEN);
}

static void rules_have_words(void **state)
{
    for (size_t kind = 0; kind < AUTH_KIND_MAX; kind++)
        for (size_t verb = 0; verb < AUTH_VERB_MAX; verb++)
            assert_non_null(auth_rule_words((enum auth_kind)kind, (enum auth_verb)verb));
    assert_string_equal(auth_rule_words(AUTH_KIND_EVENT, AUTH_CHANGE), "nobody");
    assert_string_equal(auth_verb_names[AUTH_GRANT], "grant");
    assert_null(auth_verb_names[AUTH_VERB_MAX]);
    assert_string_equal(auth_kind_names[AUTH_KIND_EVENT], "event");
    assert_null(auth_kind_names[AUTH_KIND_MAX]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_cell, setup, teardown),
        cmocka_unit_test_setup_teardown(nobody_and_disabled_are_not_logged_in, setup, teardown),
        cmocka_unit_test_setup_teardown(bound_login_opens_one_thing, setup, teardown),
        cmocka_unit_test(rules_have_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
