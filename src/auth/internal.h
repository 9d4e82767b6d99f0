/* internal: the object shared by the files of auth. Loop thread only. */
#ifndef BERTH_AUTH_INTERNAL_H
#define BERTH_AUTH_INTERNAL_H

#include "auth/auth.h"
#include "auth/limiter.h"
#include "base/map.h"
#include "base/vec.h"

#define TICKET_MS       60000
#define TICKETS_MAX     4096
#define SECRET_SIZE     32
#define HEX_DIGEST_SIZE (2 * AUTH_DIGEST_SIZE + 1)

/* One use, short-lived: a ring in order of making, which is also the order of running out. */
struct ticket {
    uint8_t digest[AUTH_DIGEST_SIZE];
    struct user_id user;
    struct token_id token; /* the login it was made from; 0: none */
    uint64_t route;
    int64_t expires_ms;
    bool is_used;
};

struct job; /* a password being worked out, login.c */

struct auth {
    struct auth_config cfg;
    struct ev_loop *loop;
    struct map users, projects, tokens;         /* id -> struct */
    struct map users_by_name, projects_by_name; /* name -> the same struct */
    struct map tokens_by_digest;                /* hex -> the same struct */
    struct map members;                         /* "user project" in hex -> struct member */
    struct limiter limits;                      /* failed logins by name and by peer */
    struct job *jobs;                           /* running and waiting */
    uint32_t job_count;
    VEC(struct ticket) tickets;
    uint8_t revoked[AUTH_REVOKED_KEPT][AUTH_DIGEST_SIZE]; /* ring by number */
    uint64_t revoked_last;
    auth_revoked_fn *listener;
    void *listener_arg;
};

void auth_random(const struct auth *a, void *dst, size_t len);
/* Every cached verdict on this token, or on any of this user's, is void. rows.c */
void auth_revoke_token(struct auth *a, const struct token *token);
void auth_revoke_user(struct auth *a, struct user_id user);
/* login.c: answers all that wait with CANCELED. */
void auth_cancel_jobs(struct auth *a);

#endif
