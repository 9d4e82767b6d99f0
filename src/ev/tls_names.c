/*
 * tls_names: certificates made on the spot, signed by the self-made one. A wildcard would do for
 * "*.berth.example", but clients refuse "*.localhost", where a notebook on this machine lives.
 */
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <string.h>
#include "base/str.h"
#include "ev/internal.h"

#define NAMES_MAX 256
#define NAME_SIZE 256

struct made {
    char name[NAME_SIZE];
    X509 *cert;
};

struct tls_names {
    ev_tls_name_fn *is_ours;
    void *arg;
    X509 *issuer;
    EVP_PKEY *key; /* of both */
    struct made *made[NAMES_MAX];
    size_t next; /* the place to be used next: the oldest gives way */
};

static bool add(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    bool ok = ext && X509_add_ext(cert, ext, -1) == 1;
    X509_EXTENSION_free(ext);
    return ok;
}

static bool set_serial(X509 *cert)
{
    unsigned char bytes[8];
    if (RAND_bytes(bytes, sizeof(bytes)) != 1)
        return false;
    bytes[0] &= 0x7f;
    BIGNUM *number = BN_bin2bn(bytes, sizeof(bytes), NULL);
    bool ok = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert));
    BN_free(number);
    return ok;
}

static X509 *make(const struct tls_names *n, const char *name)
{
    char alt[NAME_SIZE + 8];
    X509 *cert = X509_new();
    if (!cert)
        return NULL;
    snprintf(alt, sizeof(alt), "DNS:%s", name);
    bool ok = set_serial(cert) && X509_set_version(cert, 2) &&
              X509_set1_notBefore(cert, X509_get0_notBefore(n->issuer)) &&
              X509_set1_notAfter(cert, X509_get0_notAfter(n->issuer)) &&
              X509_set_pubkey(cert, n->key) &&
              X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "O", MBSTRING_ASC,
                                         (const unsigned char *)"berth", -1, -1, 0) &&
              X509_set_issuer_name(cert, X509_get_subject_name(n->issuer)) &&
              add(cert, n->issuer, NID_basic_constraints, "critical,CA:FALSE") &&
              add(cert, n->issuer, NID_key_usage, "critical,digitalSignature") &&
              add(cert, n->issuer, NID_ext_key_usage, "serverAuth") &&
              add(cert, n->issuer, NID_subject_alt_name, alt) &&
              X509_sign(cert, n->key, EVP_sha256()) > 0;
    if (!ok) {
        X509_free(cert);
        return NULL;
    }
    return cert;
}

static X509 *find_or_make(struct tls_names *n, const char *name)
{
    for (size_t i = 0; i < NAMES_MAX && n->made[i]; i++)
        if (str_is_equal(n->made[i]->name, name))
            return n->made[i]->cert;
    struct made *m = mem_calloc(1, sizeof(*m));
    X509 *cert = m ? make(n, name) : NULL;
    if (!cert) {
        mem_free(m);
        return NULL;
    }
    m->cert = cert;
    str_copy(m->name, sizeof(m->name), name);
    struct made *old = n->made[n->next];
    if (old) {
        X509_free(old->cert);
        mem_free(old);
    }
    n->made[n->next] = m;
    n->next = (n->next + 1) % NAMES_MAX;
    return cert;
}

/* Without a name, with one that the main certificate holds, or with a foreign one, the main
 * certificate is shown. */
static int choose(SSL *ssl, int *alert, void *arg)
{
    struct tls_names *n = arg;
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    (void)alert;
    if (!name || strlen(name) >= NAME_SIZE || X509_check_host(n->issuer, name, 0, 0, NULL) == 1 ||
        !n->is_ours(n->arg, name))
        return SSL_TLSEXT_ERR_OK;
    X509 *cert = find_or_make(n, name);
    if (cert && SSL_use_certificate(ssl, cert) == 1)
        SSL_add1_chain_cert(ssl, n->issuer);
    return SSL_TLSEXT_ERR_OK;
}

int ev_tls_make_names(struct ev_tls *tls, ev_tls_name_fn *is_ours, void *arg, struct err *err)
{
    X509 *cert = SSL_CTX_get0_certificate(tls->ctx);
    if (!cert || X509_check_ca(cert) != 1 || X509_check_issued(cert, cert) != X509_V_OK)
        return 0; /* it signs nothing: names are its owner's affair */
    struct tls_names *n = mem_calloc(1, sizeof(*n));
    if (!n)
        return err_set(err, BERR_NOMEM, "out of memory");
    n->is_ours = is_ours;
    n->arg = arg;
    n->issuer = cert;
    n->key = SSL_CTX_get0_privatekey(tls->ctx);
    tls->names = n;
    SSL_CTX_set_tlsext_servername_callback(tls->ctx, choose);
    SSL_CTX_set_tlsext_servername_arg(tls->ctx, n);
    return 0;
}

void tls_names_free(struct tls_names *n)
{
    if (!n)
        return;
    for (size_t i = 0; i < NAMES_MAX && n->made[i]; i++) {
        X509_free(n->made[i]->cert);
        mem_free(n->made[i]);
    }
    mem_free(n);
}
