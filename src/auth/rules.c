/*
 * The one table of rights, and the one function that reads it. What has no row is denied to all.
 *
 * Two things stand above the table: a login that is bound to one notebook opens that notebook and
 * nothing else; and whoever may not see a thing is told that it does not exist.
 */
#include "auth/auth.h"

const char *const auth_verb_names[AUTH_VERB_MAX + 1] = {
#define X(sym, name) name,
    AUTH_VERB_LIST(X)
#undef X
        NULL};
const char *const auth_kind_names[AUTH_KIND_MAX + 1] = {
#define X(sym, name) name,
    AUTH_KIND_LIST(X)
#undef X
        NULL};

struct rule {
    bool is_there;
    bool anyone; /* every user */
    bool owner;  /* the target's owner; in a project he needs `owner_role` there */
    bool cluster_admin;
    bool own_only;  /* whatever gives the right: only for oneself as the owner */
    enum role role; /* least role in the target's project; NONE: no role gives the right */
    enum role owner_role;
    const char *words; /* "only … may" */
};

#define RULE(kind, verb, ...) [AUTH_KIND_##kind][AUTH_##verb] = {.is_there = true, __VA_ARGS__}

static const struct rule rules[AUTH_KIND_MAX][AUTH_VERB_MAX] = {
    RULE(INSTALLATION, VIEW, .anyone = true, .words = "every user"),
    RULE(INSTALLATION, CHANGE, .cluster_admin = true, .words = "cluster admins"),

    RULE(NODE, VIEW, .anyone = true, .words = "every user"),
    RULE(NODE, CHANGE, .cluster_admin = true, .words = "cluster admins"),

    RULE(USER, VIEW, .anyone = true, .words = "every user"),
    RULE(USER, CREATE, .cluster_admin = true, .words = "cluster admins"),
    RULE(USER, CHANGE, .cluster_admin = true, .words = "cluster admins"),
    RULE(USER, REMOVE, .cluster_admin = true, .words = "cluster admins"),
    RULE(USER, GRANT, .cluster_admin = true, .words = "cluster admins"),

    RULE(PASSWORD, CHANGE, .owner = true, .cluster_admin = true,
         .words = "the user and cluster admins"),

    /* Nobody makes a token that speaks for somebody else. */
    RULE(TOKEN, VIEW, .owner = true, .cluster_admin = true,
         .words = "its owner and cluster admins"),
    RULE(TOKEN, CREATE, .owner = true, .words = "the user it is for"),
    RULE(TOKEN, REMOVE, .owner = true, .cluster_admin = true,
         .words = "its owner and cluster admins"),

    RULE(PROJECT, VIEW, .role = ROLE_VIEWER, .cluster_admin = true,
         .words = "its members and cluster admins"),
    RULE(PROJECT, CREATE, .cluster_admin = true, .words = "cluster admins"),
    RULE(PROJECT, CHANGE, .role = ROLE_ADMIN, .cluster_admin = true,
         .words = "its admins and cluster admins"),
    RULE(PROJECT, REMOVE, .cluster_admin = true, .words = "cluster admins"),
    RULE(PROJECT, GRANT, .role = ROLE_ADMIN, .cluster_admin = true,
         .words = "its admins and cluster admins"),

    RULE(WORKLOAD, VIEW, .role = ROLE_VIEWER, .cluster_admin = true,
         .words = "members of its project and cluster admins"),
    RULE(WORKLOAD, CREATE, .role = ROLE_EDITOR, .cluster_admin = true, .own_only = true,
         .words = "editors of the project and cluster admins, each for themselves"),
    RULE(WORKLOAD, CHANGE, .owner = true, .owner_role = ROLE_VIEWER, .role = ROLE_ADMIN,
         .cluster_admin = true, .words = "its owner, admins of its project and cluster admins"),
    RULE(WORKLOAD, REMOVE, .owner = true, .owner_role = ROLE_VIEWER, .role = ROLE_ADMIN,
         .cluster_admin = true, .words = "its owner, admins of its project and cluster admins"),
    /* Inside it one acts as the owner, with his files: no admin's right. */
    RULE(WORKLOAD, OPEN, .owner = true, .owner_role = ROLE_EDITOR,
         .words = "its owner, while an editor of its project"),

    RULE(IMAGE, VIEW, .anyone = true, .words = "every user"),
    RULE(IMAGE, CREATE, .anyone = true, .own_only = true, .words = "every user for themselves"),
    RULE(IMAGE, CHANGE, .owner = true, .cluster_admin = true,
         .words = "its owner and cluster admins"),
    RULE(IMAGE, REMOVE, .owner = true, .cluster_admin = true,
         .words = "its owner and cluster admins"),

    RULE(VOLUME, VIEW, .owner = true, .owner_role = ROLE_VIEWER, .role = ROLE_VIEWER,
         .cluster_admin = true, .words = "its owner, members of its project and cluster admins"),
    RULE(VOLUME, CREATE, .role = ROLE_EDITOR, .cluster_admin = true,
         .words = "editors of the project and cluster admins"),
    RULE(VOLUME, CHANGE, .role = ROLE_ADMIN, .cluster_admin = true,
         .words = "admins of its project and cluster admins"),
    RULE(VOLUME, REMOVE, .role = ROLE_ADMIN, .cluster_admin = true,
         .words = "admins of its project and cluster admins"),
    RULE(VOLUME, OPEN, .owner = true, .owner_role = ROLE_EDITOR, .role = ROLE_EDITOR,
         .words = "its owner and editors of its project"),

    RULE(EVENT, VIEW, .role = ROLE_VIEWER, .cluster_admin = true,
         .words = "members of its project and cluster admins"),
};

static bool is_given(const struct auth *a, const struct rule *r, const struct user *user,
                     const struct auth_target *target)
{
    if (!r->is_there)
        return false;
    bool is_owner = target->owner.v == user->id.v;
    if (r->own_only && !is_owner)
        return false;
    if (r->anyone || (r->cluster_admin && user->cluster_admin))
        return true;
    bool has_project = target->project.v != 0;
    enum role role = has_project ? auth_find_role(a, user->id, target->project) : ROLE_NONE;
    if (r->owner && is_owner && (!has_project || role >= r->owner_role))
        return true;
    return r->role != ROLE_NONE && role >= r->role;
}

/* Whose VIEW decides whether a target looks as if it did not exist. */
static const struct rule *rule_of_sight(const struct auth_target *target, enum auth_verb verb,
                                        enum auth_kind *ret_kind)
{
    *ret_kind = target->kind;
    if (target->kind == AUTH_KIND_PASSWORD)
        *ret_kind = AUTH_KIND_USER;
    else if (verb == AUTH_CREATE) /* there is none yet: the place it would be in */
        *ret_kind = target->project.v != 0 ? AUTH_KIND_PROJECT : AUTH_KIND_INSTALLATION;
    return &rules[*ret_kind][AUTH_VIEW];
}

static int refuse(const struct auth *a, const struct user *user, enum auth_verb verb,
                  const struct auth_target *target, struct err *err)
{
    enum auth_kind seen_kind;
    const struct rule *sight = rule_of_sight(target, verb, &seen_kind);
    if (!is_given(a, sight, user, target))
        return err_set(err, BERR_NOT_FOUND, "no such %s", auth_kind_names[seen_kind]);
    return err_set(err, BERR_FORBIDDEN, "you may not %s this %s: only %s may",
                   auth_verb_names[verb], auth_kind_names[target->kind],
                   auth_rule_words(target->kind, verb));
}

int auth_check(const struct auth *a, const struct who *who, enum auth_verb verb,
               const struct auth_target *target, struct err *err)
{
    check((unsigned)verb < AUTH_VERB_MAX && (unsigned)target->kind < AUTH_KIND_MAX);
    const struct user *user = who->user.v == 0 ? NULL : auth_find_user(a, who->user);
    if (user == NULL || user->disabled) {
        err_set(err, BERR_UNAUTHENTICATED, "a login is needed");
        err_hint(err, "log in first");
        return -BERR_UNAUTHENTICATED;
    }
    bool is_its_route =
        verb == AUTH_OPEN && target->kind == AUTH_KIND_WORKLOAD && target->id == who->route;
    if (who->route != 0 && !is_its_route)
        return err_set(err, BERR_FORBIDDEN, "this login is good for opening one notebook only");
    if (is_given(a, &rules[target->kind][verb], user, target))
        return 0;
    return refuse(a, user, verb, target, err);
}

const char *auth_rule_words(enum auth_kind kind, enum auth_verb verb)
{
    check((unsigned)verb < AUTH_VERB_MAX && (unsigned)kind < AUTH_KIND_MAX);
    return rules[kind][verb].is_there ? rules[kind][verb].words : "nobody";
}
