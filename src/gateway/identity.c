/*
 * identity: tokens and origins.
 */
#include "gateway/identity.h"
#include <openssl/evp.h>
#include <string.h>
#include <strings.h>
#include "base/str.h"

const char *const identity_headers[] = {"x-berth-*",    "x-forwarded-*", "forwarded",
                                        "x-request-id", "x-real-ip",     NULL};
const char *const identity_cookies[] = {"berth", "__Host-berth", "berth-open", "__Host-berth-open",
                                        NULL};

#define TOKEN_BYTES_MAX 256

/* Looked up once: OpenSSL takes longer to find SHA-256 than to compute it. */
static const EVP_MD *sha256(void)
{
    static EVP_MD *found;
    if (!found)
        found = EVP_MD_fetch(NULL, "SHA256", NULL);
    return found;
}

static bool take_digest(const char *token, size_t len, char ret[DIGEST_HEX_SIZE])
{
    unsigned char digest[32];
    if (len == 0 || len > TOKEN_BYTES_MAX || !sha256() ||
        EVP_Digest(token, len, digest, NULL, sha256(), NULL) != 1)
        return false;
    str_to_hex(ret, digest, sizeof(digest));
    return true;
}

/* The value of a cookie among all Cookie headers; NULL when there is none. */
static const char *find_cookie(const struct http_head *head, const char *name, size_t *ret_len)
{
    size_t name_len = strlen(name);
    for (size_t i = 0; i < head->header_count; i++) {
        if (strcasecmp(head->headers[i].name, "cookie") != 0)
            continue;
        for (const char *at = head->headers[i].value; *at;) {
            at += strspn(at, " \t;");
            size_t len = strcspn(at, ";");
            if (len > name_len && at[name_len] == '=' && memcmp(at, name, name_len) == 0) {
                *ret_len = len - name_len - 1;
                return at + name_len + 1;
            }
            at += len;
        }
    }
    return NULL;
}

enum token_place identity_token(const struct http_head *head, bool tls,
                                char ret_digest[DIGEST_HEX_SIZE])
{
    const char *auth = http_head_get(head, "authorization");
    if (auth && strncasecmp(auth, "bearer ", 7) == 0) {
        auth += 7 + strspn(auth + 7, " ");
        if (str_has_prefix(auth, "bt_") && take_digest(auth, strlen(auth), ret_digest))
            return TOKEN_BEARER;
    }
    size_t len = 0;
    const char *cookie = find_cookie(head, tls ? "__Host-berth-open" : "berth-open", &len);
    if (cookie && take_digest(cookie, len, ret_digest))
        return TOKEN_COOKIE;
    return TOKEN_NONE;
}

int identity_check_origin(const struct http_head *head, const char *origin, struct err *err)
{
    const char *from = http_head_get(head, "origin");
    const char *site = http_head_get(head, "sec-fetch-site");
    bool reads = str_is_equal(head->method, "GET") || str_is_equal(head->method, "HEAD");
    if (from && (head->upgrade || !reads) && !str_is_equal_ci(from, origin))
        return err_set(err, BERR_FORBIDDEN, "a page of %.200s may not do this here", from);
    if (!site || str_is_equal_ci(site, "same-origin") || str_is_equal_ci(site, "none"))
        return 0;
    const char *mode = http_head_get(head, "sec-fetch-mode");
    const char *dest = http_head_get(head, "sec-fetch-dest");
    bool navigates = mode && str_is_equal_ci(mode, "navigate") && !head->upgrade &&
                     (!dest || str_is_equal_ci(dest, "document")) &&
                     str_is_equal(head->method, "GET");
    if (navigates)
        return 0;
    return err_set(err, BERR_FORBIDDEN, "a page of another site may only link to a notebook");
}

bool identity_is_browser(const struct http_head *head)
{
    return str_is_equal(head->method, "GET") && !head->upgrade &&
           http_head_has_token(head, "accept", "text/html");
}
