/* Users, projects, members and tokens in memory, and who must be told when one changes. */
#include <sodium.h>
#include <string.h>
#include "auth/internal.h"
#include "base/alloc.h"
#include "base/str.h"

#define MEMBER_KEY_SIZE 40

static void system_random(void *arg, void *dst, size_t len)
{
    (void)arg;
    randombytes_buf(dst, len);
}

static int nomem(struct err *err)
{
    return err_set(err, BERR_NOMEM, "auth: out of memory");
}

/* ---- birth and end ---- */

int auth_new(const struct auth_config *cfg, struct ev_loop *loop, struct auth **ret,
             struct err *err)
{
    if (sodium_init() < 0)
        return err_set(err, BERR_INTERNAL, "auth: libsodium does not start");
    struct auth *a = mem_calloc(1, sizeof(*a));
    if (a == NULL)
        return nomem(err);
    a->cfg = *cfg;
    if (a->cfg.random == NULL)
        a->cfg.random = system_random;
    if (a->cfg.password_jobs == 0)
        a->cfg.password_jobs = 4;
    a->loop = loop;
    a->users = a->projects = a->tokens = MAP_U64;
    a->users_by_name = a->projects_by_name = a->tokens_by_digest = a->members = MAP_STR;
    limiter_init(&a->limits);
    *ret = a;
    return 0;
}

static void free_values(struct map *m)
{
    void *value;
    for (size_t i = 0;
         m->is_u64 ? map_next_u64(m, &i, NULL, &value) : map_next(m, &i, NULL, &value);)
        mem_free(value);
    map_done(m);
}

struct auth *auth_free(struct auth *a)
{
    if (a == NULL)
        return NULL;
    auth_cancel_jobs(a);
    map_done(&a->users_by_name);
    map_done(&a->projects_by_name);
    map_done(&a->tokens_by_digest);
    free_values(&a->users);
    free_values(&a->projects);
    free_values(&a->tokens);
    free_values(&a->members);
    limiter_done(&a->limits);
    vec_done(&a->tickets);
    mem_free(a);
    return NULL;
}

void auth_random(const struct auth *a, void *dst, size_t len)
{
    a->cfg.random(a->cfg.random_arg, dst, len);
}

/* ---- what caches must forget ---- */

void auth_revoke_token(struct auth *a, const struct token *token)
{
    uint8_t digest[AUTH_DIGEST_SIZE];
    memcpy(digest, token->digest, sizeof(digest));
    uint64_t seq = ++a->revoked_last;
    memcpy(a->revoked[seq % AUTH_REVOKED_KEPT], digest, sizeof(digest));
    if (a->listener != NULL)
        a->listener(a->listener_arg, seq, digest);
}

void auth_revoke_user(struct auth *a, struct user_id user)
{
    void *value;
    for (size_t i = 0; map_next_u64(&a->tokens, &i, NULL, &value);) {
        const struct token *token = value;
        if (token->user.v == user.v)
            auth_revoke_token(a, token);
    }
}

uint64_t auth_last_revoked(const struct auth *a)
{
    return a->revoked_last;
}

bool auth_get_revoked(const struct auth *a, uint64_t seq, uint8_t ret_digest[AUTH_DIGEST_SIZE])
{
    if (seq == 0 || seq > a->revoked_last || a->revoked_last - seq >= AUTH_REVOKED_KEPT)
        return false;
    memcpy(ret_digest, a->revoked[seq % AUTH_REVOKED_KEPT], AUTH_DIGEST_SIZE);
    return true;
}

void auth_set_listener(struct auth *a, auth_revoked_fn *fn, void *arg)
{
    a->listener = fn;
    a->listener_arg = arg;
}

/* ---- rows that have an id and a text that is unique ---- */

/* Puts a row of `size` bytes into by_id and by_text; changes in place when the id is known. text
 * and old_text: the unique text of the new and (when there is one) the old row. */
static int put_row(struct map *by_id, struct map *by_text, uint64_t id, const char *text,
                   const char *old_text, const void *row, size_t size, struct err *err)
{
    void *known = map_get_u64(by_id, id);
    const void *holder = map_get(by_text, text);
    if (holder != NULL && holder != known)
        return err_set(err, BERR_CONFLICT, "the name '%s' is taken", text);
    if (known != NULL) {
        if (holder == NULL) {
            if (map_put(by_text, text, known) < 0)
                return nomem(err);
            map_remove(by_text, old_text);
        }
        memcpy(known, row, size);
        return 0;
    }
    void *copy = mem_alloc(size);
    if (copy == NULL)
        return nomem(err);
    memcpy(copy, row, size);
    if (map_put(by_text, text, copy) < 0) {
        mem_free(copy);
        return nomem(err);
    }
    if (map_put_u64(by_id, id, copy) < 0) {
        map_remove(by_text, text);
        mem_free(copy);
        return nomem(err);
    }
    return 0;
}

int auth_put_user(struct auth *a, const struct user *user, struct err *err)
{
    const struct user *known = auth_find_user(a, user->id);
    char old_name[sizeof(user->name)] = "";
    bool is_demoted = false;
    if (known != NULL) {
        str_copy(old_name, sizeof(old_name), known->name);
        is_demoted = known->disabled != user->disabled ||
                     known->cluster_admin != user->cluster_admin ||
                     !str_is_equal(old_name, user->name);
    }
    int rc = put_row(&a->users, &a->users_by_name, user->id.v, user->name, old_name, user,
                     sizeof(*user), err);
    if (rc == 0 && is_demoted)
        auth_revoke_user(a, user->id);
    return rc;
}

int auth_put_project(struct auth *a, const struct project *project, struct err *err)
{
    const struct project *known = auth_find_project(a, project->id);
    char old_name[sizeof(project->name)] = "";
    if (known != NULL)
        str_copy(old_name, sizeof(old_name), known->name);
    return put_row(&a->projects, &a->projects_by_name, project->id.v, project->name, old_name,
                   project, sizeof(*project), err);
}

int auth_put_token(struct auth *a, const struct token *token, struct err *err)
{
    const struct token *known = auth_find_token(a, token->id);
    char digest[HEX_DIGEST_SIZE], old_digest[HEX_DIGEST_SIZE] = "";
    str_to_hex(digest, token->digest, AUTH_DIGEST_SIZE);
    struct token old = {0};
    if (known != NULL) {
        old = *known;
        str_to_hex(old_digest, known->digest, AUTH_DIGEST_SIZE);
    }
    int rc = put_row(&a->tokens, &a->tokens_by_digest, token->id.v, digest, old_digest, token,
                     sizeof(*token), err);
    if (rc == 0 && known != NULL)
        auth_revoke_token(a, &old);
    return rc;
}

void auth_remove_token(struct auth *a, struct token_id id)
{
    struct token *token = map_remove_u64(&a->tokens, id.v);
    if (token == NULL)
        return;
    char digest[HEX_DIGEST_SIZE];
    str_to_hex(digest, token->digest, AUTH_DIGEST_SIZE);
    map_remove(&a->tokens_by_digest, digest);
    auth_revoke_token(a, token);
    mem_free(token);
}

/* ---- members ---- */

static const char *member_key(char dst[MEMBER_KEY_SIZE], struct user_id user,
                              struct project_id project)
{
    snprintf(dst, MEMBER_KEY_SIZE, "%llx %llx", (unsigned long long)user.v,
             (unsigned long long)project.v);
    return dst;
}

int auth_put_member(struct auth *a, const struct member *m, struct err *err)
{
    char key[MEMBER_KEY_SIZE];
    member_key(key, m->user, m->project);
    struct member *known = map_get(&a->members, key);
    enum role old_role = known == NULL ? ROLE_NONE : known->role;
    if (m->role == ROLE_NONE) {
        mem_free(map_remove(&a->members, key));
    } else if (known != NULL) {
        known->role = m->role;
    } else {
        struct member *copy = mem_alloc(sizeof(*copy));
        if (copy == NULL)
            return nomem(err);
        *copy = *m;
        if (map_put(&a->members, key, copy) < 0) {
            mem_free(copy);
            return nomem(err);
        }
    }
    if (old_role != m->role)
        auth_revoke_user(a, m->user);
    return 0;
}

enum role auth_find_role(const struct auth *a, struct user_id user, struct project_id project)
{
    char key[MEMBER_KEY_SIZE];
    const struct member *m = map_get(&a->members, member_key(key, user, project));
    return m == NULL ? ROLE_NONE : m->role;
}

/* ---- finding ---- */

const struct user *auth_find_user(const struct auth *a, struct user_id id)
{
    return map_get_u64(&a->users, id.v);
}

const struct user *auth_find_user_name(const struct auth *a, const char *name)
{
    return map_get(&a->users_by_name, name);
}

const struct project *auth_find_project(const struct auth *a, struct project_id id)
{
    return map_get_u64(&a->projects, id.v);
}

const struct project *auth_find_project_name(const struct auth *a, const char *name)
{
    return map_get(&a->projects_by_name, name);
}

const struct token *auth_find_token(const struct auth *a, struct token_id id)
{
    return map_get_u64(&a->tokens, id.v);
}

static const void *next_row(const struct map *m, size_t *i)
{
    void *value;
    return map_next_u64(m, i, NULL, &value) ? value : NULL;
}

const struct user *auth_next_user(const struct auth *a, size_t *i)
{
    return next_row(&a->users, i);
}

const struct project *auth_next_project(const struct auth *a, size_t *i)
{
    return next_row(&a->projects, i);
}

const struct token *auth_next_token(const struct auth *a, size_t *i)
{
    return next_row(&a->tokens, i);
}

bool auth_next_member(const struct auth *a, size_t *i, struct member *ret)
{
    void *value;
    if (!map_next(&a->members, i, NULL, &value))
        return false;
    *ret = *(const struct member *)value;
    return true;
}
