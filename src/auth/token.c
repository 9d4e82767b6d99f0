/* Tokens and tickets: 32 random bytes as text, of which only the digest is kept. */
#include <sodium.h>
#include <string.h>
#include "auth/internal.h"
#include "base/str.h"

#define PREFIX           "bt_"
#define PREFIX_LEN       3
#define SECRET_LEN       43 /* 32 bytes in base64url */
#define TICKETS_PER_USER 64

_Static_assert(AUTH_TOKEN_TEXT_SIZE > PREFIX_LEN + SECRET_LEN, "a token's text fits");

static int unauthenticated(struct err *err)
{
    err_set(err, BERR_UNAUTHENTICATED, "the login is not known or has run out");
    err_hint(err, "log in again");
    return -BERR_UNAUTHENTICATED;
}

bool auth_token_digest(const char *text, uint8_t ret[AUTH_DIGEST_SIZE])
{
    if (!str_has_prefix(text, PREFIX) ||
        strnlen(text, AUTH_TOKEN_TEXT_SIZE) != PREFIX_LEN + SECRET_LEN)
        return false;
    for (const char *c = text + PREFIX_LEN; *c != '\0'; c++) {
        bool is_ok = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
                     (*c >= '0' && *c <= '9') || *c == '-' || *c == '_';
        if (!is_ok)
            return false;
    }
    crypto_hash_sha256(ret, (const unsigned char *)text, PREFIX_LEN + SECRET_LEN);
    return true;
}

/* A fresh secret's text and digest. */
static void make_secret(const struct auth *a, char ret_text[AUTH_TOKEN_TEXT_SIZE],
                        uint8_t ret_digest[AUTH_DIGEST_SIZE])
{
    uint8_t secret[SECRET_SIZE];
    auth_random(a, secret, sizeof(secret));
    memcpy(ret_text, PREFIX, PREFIX_LEN);
    str_to_base64url(ret_text + PREFIX_LEN, secret, sizeof(secret));
    sodium_memzero(secret, sizeof(secret));
    bool is_token = auth_token_digest(ret_text, ret_digest);
    check(is_token);
}

int auth_make_token(struct auth *a, const struct auth_token_request *req, int64_t now_ms,
                    char ret_text[AUTH_TOKEN_TEXT_SIZE], struct token *ret, struct err *err)
{
    const struct user *user = auth_find_user(a, req->user);
    if (user == NULL || user->disabled)
        return err_set(err, BERR_NOT_FOUND, "no such user");
    struct token token = {
        .user = req->user,
        .created_ms = now_ms,
        .expires_ms = req->expires_ms,
        .session = req->session,
        .route = req->route,
    };
    const char *label = req->label == NULL ? "" : req->label;
    if (!str_copy(token.label, sizeof(token.label), label) || !str_is_utf8(label, strlen(label)))
        return err_set(err, BERR_INVALID, "the label of a token has at most %zu bytes of UTF-8",
                       sizeof(token.label) - 1);
    if (req->expires_ms != 0 && req->expires_ms <= now_ms)
        return err_set(err, BERR_INVALID, "the token would already have run out");
    do {
        uint64_t random;
        auth_random(a, &random, sizeof(random));
        token.id.v = id_from_random(random);
    } while (auth_find_token(a, token.id) != NULL);
    make_secret(a, ret_text, token.digest);
    *ret = token;
    return 0;
}

int auth_identify_digest(const struct auth *a, const uint8_t digest[AUTH_DIGEST_SIZE],
                         int64_t now_ms, struct who *ret, struct err *err)
{
    char hex[HEX_DIGEST_SIZE];
    str_to_hex(hex, digest, AUTH_DIGEST_SIZE);
    const struct token *token = map_get(&a->tokens_by_digest, hex);
    if (token == NULL || (token->expires_ms != 0 && token->expires_ms <= now_ms))
        return unauthenticated(err);
    const struct user *user = auth_find_user(a, token->user);
    if (user == NULL || user->disabled)
        return unauthenticated(err);
    *ret = (struct who){
        .user = user->id,
        .cluster_admin = user->cluster_admin,
        .session = token->session,
        .token = token->id,
        .route = token->route,
        .expires_ms = token->expires_ms,
    };
    str_copy(ret->name, sizeof(ret->name), user->name);
    return 0;
}

int auth_identify(const struct auth *a, const char *token_text, int64_t now_ms, struct who *ret,
                  struct err *err)
{
    uint8_t digest[AUTH_DIGEST_SIZE];
    if (token_text == NULL || !auth_token_digest(token_text, digest))
        return unauthenticated(err);
    return auth_identify_digest(a, digest, now_ms, ret, err);
}

/* ---- tickets ---- */

static void drop_old_tickets(struct auth *a, int64_t now_ms)
{
    size_t kept = 0;
    for (size_t i = 0; i < a->tickets.len; i++) {
        const struct ticket *t = &a->tickets.items[i];
        if (!t->is_used && t->expires_ms > now_ms)
            a->tickets.items[kept++] = *t;
    }
    a->tickets.len = kept;
}

int auth_make_ticket(struct auth *a, const struct who *who, uint64_t route, int64_t now_ms,
                     char ret_text[AUTH_TOKEN_TEXT_SIZE], struct err *err)
{
    drop_old_tickets(a, now_ms);
    size_t own = 0;
    for (size_t i = 0; i < a->tickets.len; i++)
        own += a->tickets.items[i].user.v == who->user.v;
    if (own >= TICKETS_PER_USER || a->tickets.len >= TICKETS_MAX)
        return err_set(err, BERR_BUSY, "too many notebooks are being opened at once");
    struct ticket *t = vec_push(&a->tickets);
    if (t == NULL)
        return err_set(err, BERR_NOMEM, "auth: out of memory");
    t->user = who->user;
    t->token = who->token;
    t->route = route;
    t->expires_ms = now_ms + TICKET_MS;
    make_secret(a, ret_text, t->digest);
    return 0;
}

/* The login a ticket came from must still be one. */
static bool is_login_good(const struct auth *a, const struct ticket *t, int64_t now_ms)
{
    const struct user *user = auth_find_user(a, t->user);
    if (user == NULL || user->disabled)
        return false;
    if (t->token.v == 0)
        return true;
    const struct token *token = auth_find_token(a, t->token);
    return token != NULL && (token->expires_ms == 0 || token->expires_ms > now_ms);
}

int auth_take_ticket(struct auth *a, const char *text, uint64_t route, int64_t now_ms,
                     struct user_id *ret, struct err *err)
{
    uint8_t digest[AUTH_DIGEST_SIZE];
    struct ticket *found = NULL;
    if (text == NULL || !auth_token_digest(text, digest))
        return unauthenticated(err);
    for (size_t i = 0; i < a->tickets.len; i++)
        if (sodium_memcmp(a->tickets.items[i].digest, digest, sizeof(digest)) == 0)
            found = &a->tickets.items[i];
    if (found == NULL || found->is_used)
        return unauthenticated(err);
    found->is_used = true;
    if (found->expires_ms <= now_ms || found->route != route || !is_login_good(a, found, now_ms))
        return unauthenticated(err);
    *ret = found->user;
    return 0;
}
