/* SHA-256 by OpenSSL, which uses the processor's own instructions for it. */
#include "os/digest.h"
#include <openssl/evp.h>
#include <string.h>
#include "base/alloc.h"
#include "base/str.h"

struct digest_state {
    EVP_MD_CTX *md;
};

bool digest_parse(const char *s, struct digest *ret)
{
    struct digest d;
    if (s == NULL)
        return false;
    if (str_has_prefix(s, "sha256:"))
        s += 7;
    if (strlen(s) != 64 || strspn(s, "0123456789abcdef") != 64)
        return false;
    if (!str_from_hex(d.bytes, sizeof(d.bytes), s))
        return false;
    *ret = d;
    return true;
}

const char *digest_hex(char dst[DIGEST_HEX_SIZE], const struct digest *d)
{
    str_to_hex(dst, d->bytes, sizeof(d->bytes));
    return dst;
}

bool digest_is_equal(const struct digest *a, const struct digest *b)
{
    return digest_compare(a, b) == 0;
}

int digest_compare(const struct digest *a, const struct digest *b)
{
    return memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

struct digest_state *digest_new(void)
{
    struct digest_state *s = mem_calloc(1, sizeof(*s));
    if (s == NULL)
        return NULL;
    s->md = EVP_MD_CTX_new();
    if (s->md == NULL || EVP_DigestInit_ex(s->md, EVP_sha256(), NULL) != 1)
        return digest_free(s);
    return s;
}

void digest_add(struct digest_state *s, const void *data, size_t len)
{
    check(EVP_DigestUpdate(s->md, data, len) == 1);
}

void digest_end(struct digest_state *s, struct digest *ret)
{
    check(EVP_DigestFinal_ex(s->md, ret->bytes, NULL) == 1);
    digest_free(s);
}

struct digest_state *digest_free(struct digest_state *s)
{
    if (s == NULL)
        return NULL;
    EVP_MD_CTX_free(s->md);
    mem_free(s);
    return NULL;
}

void digest_freep(struct digest_state **s)
{
    *s = digest_free(*s);
}

int digest_of(const void *data, size_t len, struct digest *ret, struct err *err)
{
    struct digest_state *s = digest_new();
    if (s == NULL)
        return err_set(err, BERR_NOMEM, "out of memory");
    digest_add(s, data, len);
    digest_end(s, ret);
    return 0;
}
