/*
 * identity: users, projects, membership, tokens. Values only; strings belong to the holder.
 */
#ifndef BERTH_TYPES_IDENTITY_H
#define BERTH_TYPES_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>
#include "types/ids.h"

#define ROLE_LIST(X) X(NONE, "none") X(VIEWER, "viewer") X(EDITOR, "editor") X(ADMIN, "admin")
enum role {
#define X(sym, name) ROLE_##sym,
    ROLE_LIST(X)
#undef X
};
extern const char *const role_names[];

struct user {
    struct user_id id;
    char name[64]; /* a label; also the name inside containers */
    bool cluster_admin;
    bool disabled;
    char password_hash[160]; /* argon2id string (libsodium crypto_pwhash_str); "" : none */
    int64_t created_ms;
    uint64_t version;
};

struct token {
    struct token_id id;
    struct user_id user;
    uint8_t digest[32]; /* SHA-256 of the token text; the text is never stored */
    char label[64];
    int64_t created_ms, expires_ms; /* 0: never */
    bool session;                   /* made by a login page, ends with logout */
    uint64_t route; /* nonzero: good for this workload's origin only (a notebook cookie) */
};

struct project {
    struct project_id id;
    char name[64];
    bool internet;   /* outside network by NAT for its tasks */
    uint32_t subnet; /* number of its network on the local site */
    int64_t created_ms;
    uint64_t version;
};

struct member {
    struct project_id project;
    struct user_id user;
    enum role role;
};

#endif
