/*
 * identity: changes of users, tokens, projects and members: auth's maps and the store's rows in one
 * step, with an audit event.
 */
#include "control/state.h"
#include <stdio.h>
#include "base/alloc.h"
#include "base/str.h"

static void fail(control_done_fn *done, void *arg, int rc, const struct err *err)
{
    if (done)
        done(arg, rc, 0, err);
}

/* A transaction, or the refusal already told. */
static struct txn *begin_or_refuse(struct control *c, control_done_fn *done, void *arg)
{
    struct err err = {0};
    if (store_is_full(c->cfg.store)) {
        int rc = err_set(&err, BERR_NO_SPACE, "the disk of the data directory is full");
        fail(done, arg, rc, &err);
        return NULL;
    }
    struct txn *t = txn_begin(c);
    if (!t)
        fail(done, arg, err_set(&err, BERR_NOMEM, "out of memory"), &err);
    return t;
}

static void end(struct txn *t, int rc, const struct err *err, control_done_fn *done, void *arg,
                uint64_t id)
{
    if (rc < 0) {
        txn_cancel(t);
        fail(done, arg, rc, err);
        return;
    }
    txn_commit(t, done, arg, id);
}

void control_put_user(struct control *c, const struct user *user, struct user_id actor,
                      control_done_fn *done, void *arg)
{
    struct err err = {0};
    struct user row = *user;
    struct txn *t = begin_or_refuse(c, done, arg);
    if (!t)
        return;
    bool is_new = row.version == 0;
    row.version++;
    const struct user *same = auth_find_user_name(c->cfg.auth, row.name);
    int rc = 0;
    if (same && same->id.v != row.id.v)
        rc = err_set(&err, BERR_CONFLICT, "there is a user %s already", row.name);
    else if (is_new)
        rc = auth_check_user_name(row.name, &err);
    if (rc == 0)
        rc = auth_put_user(c->cfg.auth, &row, &err);
    if (rc == 0) {
        store_put_user(txn_batch(t), &row);
        txn_event_about(t, is_new ? "audit.user-added" : "audit.user-changed", "user", row.id.v, 0,
                        actor, "user %s %s", row.name, is_new ? "added" : "changed");
    }
    end(t, rc, &err, done, arg, row.id.v);
}

void control_put_token(struct control *c, const struct token *token, struct user_id actor,
                       control_done_fn *done, void *arg)
{
    struct err err = {0};
    struct txn *t = begin_or_refuse(c, done, arg);
    if (!t)
        return;
    int rc = auth_put_token(c->cfg.auth, token, &err);
    if (rc == 0) {
        store_put_token(txn_batch(t), token);
        if (!token->route)
            txn_event_about(t, token->session ? "audit.login" : "audit.token-made", "user",
                            token->user.v, 0, actor, "%s",
                            token->session ? "logged in" : "token made");
    }
    end(t, rc, &err, done, arg, token->id.v);
}

void control_remove_token(struct control *c, struct token_id id, struct user_id actor,
                          control_done_fn *done, void *arg)
{
    struct err err = {0};
    struct txn *t = begin_or_refuse(c, done, arg);
    if (!t)
        return;
    if (!auth_find_token(c->cfg.auth, id)) {
        end(t, err_set(&err, BERR_NOT_FOUND, "there is no such token"), &err, done, arg, 0);
        return;
    }
    auth_remove_token(c->cfg.auth, id);
    store_remove_token(txn_batch(t), id);
    txn_event_about(t, "audit.token-removed", "user", actor.v, 0, actor, "token removed");
    end(t, 0, NULL, done, arg, id.v);
}

static int keep_project(struct control *c, const struct project *row, struct err *err)
{
    struct project *mine = map_get_u64(&c->projects, row->id.v);
    if (mine) {
        *mine = *row;
        return 0;
    }
    mine = mem_alloc(sizeof(*mine));
    if (!mine || map_put_u64(&c->projects, row->id.v, mine) < 0) {
        mem_free(mine);
        return err_set(err, BERR_NOMEM, "out of memory");
    }
    *mine = *row;
    return 0;
}

void control_put_project(struct control *c, const struct project *project, struct user_id admin,
                         struct user_id actor, control_done_fn *done, void *arg)
{
    struct err err = {0};
    struct project row = *project;
    struct txn *t = begin_or_refuse(c, done, arg);
    if (!t)
        return;
    bool is_new = row.version == 0;
    row.version++;
    if (is_new) {
        size_t i = 0;
        void *other;
        while (map_next_u64(&c->projects, &i, NULL, &other))
            if (((struct project *)other)->subnet >= row.subnet)
                row.subnet = ((struct project *)other)->subnet + 1;
    }
    const struct project *same = auth_find_project_name(c->cfg.auth, row.name);
    int rc = 0;
    if (same && same->id.v != row.id.v)
        rc = err_set(&err, BERR_CONFLICT, "there is a project %s already", row.name);
    else if (!str_is_label(row.name))
        rc = err_set(&err, BERR_INVALID,
                     "a project's name is 1 to 63 of a-z, 0-9 and -, found \"%s\"", row.name);
    if (rc == 0)
        rc = auth_put_project(c->cfg.auth, &row, &err);
    if (rc == 0)
        rc = keep_project(c, &row, &err);
    struct member first = {.project = row.id, .user = admin, .role = ROLE_ADMIN};
    if (rc == 0 && admin.v)
        rc = auth_put_member(c->cfg.auth, &first, &err);
    if (rc == 0) {
        store_put_project(txn_batch(t), &row);
        if (admin.v)
            store_put_member(txn_batch(t), &first);
        txn_event_about(t, is_new ? "audit.project-added" : "audit.project-changed", "project",
                        row.id.v, row.id.v, actor, "project %s %s", row.name,
                        is_new ? "added" : "changed");
    }
    end(t, rc, &err, done, arg, row.id.v);
}

void control_put_member(struct control *c, const struct member *m, struct user_id actor,
                        control_done_fn *done, void *arg)
{
    struct err err = {0};
    struct txn *t = begin_or_refuse(c, done, arg);
    if (!t)
        return;
    int rc = auth_put_member(c->cfg.auth, m, &err);
    if (rc == 0) {
        const struct user *user = auth_find_user(c->cfg.auth, m->user);
        store_put_member(txn_batch(t), m);
        txn_event_about(t, "audit.member", "project", m->project.v, m->project.v, actor,
                        "%s is %s now", user ? user->name : "somebody", role_names[m->role]);
    }
    end(t, rc, &err, done, arg, m->project.v);
}

void control_put_setting(struct control *c, const char *name, const char *value,
                         control_done_fn *done, void *arg)
{
    struct err err = {0};
    struct txn *t = begin_or_refuse(c, done, arg);
    if (!t)
        return;
    char *copy = mem_strdup(value ? value : "");
    char *old = map_get(&c->settings, name);
    int rc = 0;
    if (!copy || map_put(&c->settings, name, copy) < 0) {
        mem_free(copy);
        rc = err_set(&err, BERR_NOMEM, "out of memory");
    } else {
        mem_free(old);
        store_put_setting(txn_batch(t), name, copy);
    }
    end(t, rc, &err, done, arg, 0);
}

const char *control_setting(const struct control *c, const char *name)
{
    const char *value = map_get(&c->settings, name);
    return value && value[0] ? value : NULL;
}

void control_drain(struct control *c, const char *node, bool drain, struct user_id actor,
                   control_done_fn *done, void *arg)
{
    struct err err = {0};
    struct node_entry *n = control_node_entry(c, NULL, node);
    if (!n) {
        fail(done, arg, err_set(&err, BERR_NOT_FOUND, "there is no node %s", node), &err);
        return;
    }
    char key[160];
    snprintf(key, sizeof(key), "drained.%s", node);
    n->drained = drain;
    c->pass_wanted = true;
    (void)actor;
    control_put_setting(c, key, drain ? "yes" : "", done, arg);
    control_wake(c);
}
