/*
 * auth: who somebody is and what they may do. Keeps users, tokens, projects and members in memory;
 * decides; never reads or writes the store: whoever owns the state (control) puts rows here at
 * load, and again after each change is durable.
 *
 * auth_check is the one place of decision (rules.c holds the table). Denied is the default. What
 * somebody may not see looks like NOT_FOUND; what they see but may not do is FORBIDDEN.
 *
 * Structs given in are copied; pointers given out live until the next auth_put or auth_remove of
 * the same kind. Times are milliseconds since 1970 and come from the caller. Loop thread only;
 * password functions of password.h are pure and run on any thread.
 */
#ifndef BERTH_AUTH_AUTH_H
#define BERTH_AUTH_AUTH_H

#include <stddef.h>
#include "auth/password.h"
#include "base/err.h"
#include "types/identity.h"

struct auth;
struct ev_loop;

#define AUTH_DIGEST_SIZE     32
#define AUTH_TOKEN_TEXT_SIZE 48 /* "bt_" and 43 characters of base64url */

struct auth_config {
    struct password_cost cost; /* zeros: the defaults */
    uint32_t password_jobs;    /* hashes at the same time, and waiting ones count; 0: 4 */
    /* Fills dst with bytes that nobody can guess; NULL: the system's. For tests. */
    void (*random)(void *arg, void *dst, size_t len);
    void *random_arg;
};

/* With a NULL loop (tests, tools) passwords are worked out at once, before the call returns. */
int auth_new(const struct auth_config *cfg, struct ev_loop *loop, struct auth **ret,
             struct err *err);
/* Calls back what waits with CANCELED. The loop must run once more afterwards if it was given. */
struct auth *auth_free(struct auth *a);

/* ---- rows: put adds or replaces; NOMEM changes nothing ---- */

int auth_put_user(struct auth *a, const struct user *user, struct err *err);
int auth_put_project(struct auth *a, const struct project *project, struct err *err);
int auth_put_member(struct auth *a, const struct member *m, struct err *err); /* NONE removes */
int auth_put_token(struct auth *a, const struct token *token, struct err *err);
void auth_remove_token(struct auth *a, struct token_id id); /* unknown: nothing */

const struct user *auth_find_user(const struct auth *a, struct user_id id);
const struct user *auth_find_user_name(const struct auth *a, const char *name);
const struct project *auth_find_project(const struct auth *a, struct project_id id);
const struct project *auth_find_project_name(const struct auth *a, const char *name);
const struct token *auth_find_token(const struct auth *a, struct token_id id);
/* The role a membership row gives; a cluster admin without one has ROLE_NONE here. */
enum role auth_find_role(const struct auth *a, struct user_id user, struct project_id project);

/* for (size_t i = 0; (u = auth_next_user(a, &i));) — in order of first put; NULL at the end.
 * Members: false at the end. */
const struct user *auth_next_user(const struct auth *a, size_t *i);
const struct project *auth_next_project(const struct auth *a, size_t *i);
const struct token *auth_next_token(const struct auth *a, size_t *i);
bool auth_next_member(const struct auth *a, size_t *i, struct member *ret);

/* A user's name becomes a Linux account in containers: a label of at most 32 that starts with a
 * letter and is not a system account's. INVALID with a hint. Does not look for duplicates. */
int auth_check_user_name(const char *name, struct err *err);

/* ---- logging in ---- */

/* user lives during the call. */
typedef void auth_login_fn(void *arg, int rc, const struct user *user, const struct err *err);
/* Checks name and password on a worker; refusals that need no work come before the call returns.
 * UNAUTHENTICATED for a wrong pair, an unknown or a disabled
 * user alike, after the same work; BUSY (with a hint: seconds) while name or peer is being slowed
 * down after failures, or when too many hashes wait. peer: the address as text. */
void auth_login(struct auth *a, const char *name, const char *password, const char *peer,
                int64_t now_ms, auth_login_fn *fn, void *arg);

/* hash lives during the call; it goes into user.password_hash. INVALID: too short or too long. */
typedef void auth_hash_fn(void *arg, int rc, const char *hash, const struct err *err);
void auth_hash_password(struct auth *a, const char *password, auth_hash_fn *fn, void *arg);

/* ---- tokens ---- */

struct auth_token_request {
    struct user_id user;
    const char *label;  /* shown in lists; at most 63 bytes */
    int64_t expires_ms; /* 0: never */
    bool session;       /* made by a login page */
    uint64_t route;     /* nonzero: good for opening this workload only */
};
/* Makes a token and its text, which exists only here. Nothing is kept: make it durable, then
 * auth_put_token, then show the text. */
int auth_make_token(struct auth *a, const struct auth_token_request *req, int64_t now_ms,
                    char ret_text[AUTH_TOKEN_TEXT_SIZE], struct token *ret, struct err *err);
/* SHA-256 of a well-formed token text; false (ret untouched) for anything else. */
bool auth_token_digest(const char *text, uint8_t ret[AUTH_DIGEST_SIZE]);

/* Somebody known. cluster_admin is for display: auth_check looks the user up itself. */
struct who {
    struct user_id user; /* 0: nobody */
    char name[64];
    bool cluster_admin;
    bool session;
    struct token_id token;
    uint64_t route;     /* nonzero: may only open this workload */
    int64_t expires_ms; /* of the token; 0: never */
};
/* UNAUTHENTICATED when unknown, expired, removed, or its user is disabled or gone. */
int auth_identify(const struct auth *a, const char *token_text, int64_t now_ms, struct who *ret,
                  struct err *err);
/* The same by digest, for the gateway's questions. */
int auth_identify_digest(const struct auth *a, const uint8_t digest[AUTH_DIGEST_SIZE],
                         int64_t now_ms, struct who *ret, struct err *err);

/* Tickets hand a login over to a notebook's origin: good once, for 60 s, for one route. Check OPEN
 * before making one. BUSY when too many wait. */
int auth_make_ticket(struct auth *a, const struct who *who, uint64_t route, int64_t now_ms,
                     char ret_text[AUTH_TOKEN_TEXT_SIZE], struct err *err);
/* Uses it up, also when it is for another route. The login it was made from must still be good. */
int auth_take_ticket(struct auth *a, const char *text, uint64_t route, int64_t now_ms,
                     struct user_id *ret, struct err *err);

/* ---- what caches must forget ----
 * Each token whose meaning changed (removed, user disabled or demoted, membership changed) gets a
 * number, 1, 2, 3 …; the last AUTH_REVOKED_KEPT are kept. */
#define AUTH_REVOKED_KEPT 4096
uint64_t auth_last_revoked(const struct auth *a); /* 0: none yet */
/* False when `seq` is not kept (any more): then the cache must forget everything. */
bool auth_get_revoked(const struct auth *a, uint64_t seq, uint8_t ret_digest[AUTH_DIGEST_SIZE]);
typedef void auth_revoked_fn(void *arg, uint64_t seq, const uint8_t digest[AUTH_DIGEST_SIZE]);
void auth_set_listener(struct auth *a, auth_revoked_fn *fn, void *arg); /* one; NULL: none */

/* ---- the decision ---- */

#define AUTH_VERB_LIST(X)                                                           \
    X(VIEW, "view")     /* see it, its state, its log */                            \
    X(CREATE, "create") /* make one; the target says where and whose it will be */  \
    X(CHANGE, "change") /* stop, suspend, resize, drain, rename … */              \
    X(REMOVE, "remove")                                                             \
    X(OPEN, "open")   /* act inside it: a notebook, a terminal, a volume's files */ \
    X(GRANT, "grant") /* give and take roles in it */
enum auth_verb {
#define X(sym, name) AUTH_##sym,
    AUTH_VERB_LIST(X)
#undef X
};
#define AUTH_VERB_MAX 6
extern const char *const auth_verb_names[AUTH_VERB_MAX + 1];

#define AUTH_KIND_LIST(X)                                          \
    X(INSTALLATION, "installation") /* settings, sites, metrics */ \
    X(NODE, "node")                                                \
    X(USER, "user")                                                \
    X(PASSWORD, "password") /* owner: whose */                     \
    X(TOKEN, "token")       /* owner: whose */                     \
    X(PROJECT, "project")   /* project: itself */                  \
    X(WORKLOAD, "workload") /* id, project, owner */               \
    X(IMAGE, "image")       /* owner */                            \
    X(VOLUME, "volume")     /* owner; project 0: a home */         \
    X(EVENT, "event")       /* project; 0: of the installation */
enum auth_kind {
#define X(sym, name) AUTH_KIND_##sym,
    AUTH_KIND_LIST(X)
#undef X
};
#define AUTH_KIND_MAX 10
extern const char *const auth_kind_names[AUTH_KIND_MAX + 1];

struct auth_target {
    enum auth_kind kind;
    struct project_id project;
    struct user_id owner;
    uint64_t id; /* of the thing; 0 where there is none yet */
};

/* 0: allowed. UNAUTHENTICATED: nobody, or the user was disabled meanwhile. NOT_FOUND: may not see
 * it. FORBIDDEN: sees it but may not; the text says which right is missing. */
int auth_check(const struct auth *a, const struct who *who, enum auth_verb verb,
               const struct auth_target *target, struct err *err);

/* The table, for documentation: who may do `verb` on `kind`, in words. */
const char *auth_rule_words(enum auth_kind kind, enum auth_verb verb);

#endif
