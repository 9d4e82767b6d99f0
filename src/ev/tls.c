/*
 * tls: contexts and self-made certificates.
 */
#include "ev/tls.h"
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/str.h"
#include "ev/internal.h"
#include "os/entropy.h"

static int fail(struct err *err, enum berr code, const char *what, const char *path)
{
    char text[200] = "";
    unsigned long e = ERR_peek_last_error();
    if (e)
        ERR_error_string_n(e, text, sizeof(text));
    ERR_clear_error();
    return err_set(err, code, "%s %s%s%s", what, path, text[0] ? ": " : "", text);
}

static int choose_http11(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                         const unsigned char *in, unsigned in_len, void *arg)
{
    static const unsigned char ours[] = "\x08http/1.1";
    unsigned char *chosen = NULL;
    (void)ssl, (void)arg;
    if (SSL_select_next_proto(&chosen, out_len, ours, sizeof(ours) - 1, in, in_len) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static int new_context(bool server, struct ev_tls **ret, struct err *err)
{
    struct ev_tls *tls = mem_calloc(1, sizeof(*tls));
    SSL_CTX *ctx = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
    if (!tls || !ctx) {
        mem_free(tls);
        SSL_CTX_free(ctx);
        return err_set(err, BERR_NOMEM, "out of memory");
    }
    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                 SSL_OP_IGNORE_UNEXPECTED_EOF);
    tls->ctx = ctx;
    tls->server = server;
    *ret = tls;
    return 0;
}

int ev_tls_server(const char *cert_path, const char *key_path, struct ev_tls **ret, struct err *err)
{
    struct ev_tls *tls = NULL;
    int rc = new_context(true, &tls, err);
    if (rc < 0)
        return rc;
    ERR_clear_error();
    if (SSL_CTX_use_certificate_chain_file(tls->ctx, cert_path) != 1)
        rc = fail(err, BERR_INVALID, "no usable certificate in", cert_path);
    else if (SSL_CTX_use_PrivateKey_file(tls->ctx, key_path, SSL_FILETYPE_PEM) != 1)
        rc = fail(err, BERR_INVALID, "no usable private key in", key_path);
    else if (SSL_CTX_check_private_key(tls->ctx) != 1)
        rc = fail(err, BERR_INVALID, "the key does not belong to the certificate", cert_path);
    if (rc < 0) {
        ev_tls_free(tls);
        return rc;
    }
    SSL_CTX_set_alpn_select_cb(tls->ctx, choose_http11, NULL);
    *ret = tls;
    return 0;
}

int ev_tls_client(const char *ca_path, struct ev_tls **ret, struct err *err)
{
    struct ev_tls *tls = NULL;
    int rc = new_context(false, &tls, err);
    if (rc < 0)
        return rc;
    SSL_CTX_set_default_verify_paths(tls->ctx);
    ERR_clear_error();
    if (ca_path && SSL_CTX_load_verify_locations(tls->ctx, ca_path, NULL) != 1) {
        rc = fail(err, BERR_INVALID, "no usable certificate in", ca_path);
        ev_tls_free(tls);
        return rc;
    }
    SSL_CTX_set_verify(tls->ctx, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_alpn_protos(tls->ctx, (const unsigned char *)"\x08http/1.1", 9);
    *ret = tls;
    return 0;
}

/* ---- pinned ---- */

static int check_pin(X509_STORE_CTX *store, void *arg)
{
    const struct ev_tls *tls = arg;
    unsigned char digest[EVP_MAX_MD_SIZE];
    X509 *cert = X509_STORE_CTX_get0_cert(store);
    if (cert && X509_digest(cert, EVP_sha256(), digest, NULL) == 1 &&
        CRYPTO_memcmp(digest, tls->pin, sizeof(tls->pin)) == 0) {
        X509_STORE_CTX_set_error(store, X509_V_OK);
        return 1;
    }
    X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_REJECTED);
    return 0;
}

static bool parse_fingerprint(const char *text, unsigned char ret[32])
{
    char digits[EV_FINGERPRINT_SIZE];
    size_t n = 0;
    for (; *text; text++) {
        char c = *text >= 'A' && *text <= 'F' ? (char)(*text + 32) : *text;
        if (c == ':')
            continue;
        if (n == sizeof(digits) - 1)
            return false;
        digits[n++] = c;
    }
    digits[n] = '\0';
    return str_from_hex(ret, 32, digits);
}

int ev_tls_client_pinned(const char *fingerprint, struct ev_tls **ret, struct err *err)
{
    struct ev_tls *tls = NULL;
    unsigned char pin[32];
    if (!parse_fingerprint(fingerprint, pin))
        return err_set(err, BERR_INVALID, "\"%s\" is not a fingerprint of 64 hex digits",
                       fingerprint);
    int rc = new_context(false, &tls, err);
    if (rc < 0)
        return rc;
    memcpy(tls->pin, pin, sizeof(pin));
    SSL_CTX_set_verify(tls->ctx, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_cert_verify_callback(tls->ctx, check_pin, tls);
    SSL_CTX_set_alpn_protos(tls->ctx, (const unsigned char *)"\x08http/1.1", 9);
    *ret = tls;
    return 0;
}

int ev_tls_fingerprint(const char *cert_path, char ret[EV_FINGERPRINT_SIZE], struct err *err)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    FILE *file = fopen(cert_path, "re");
    if (!file)
        return err_errno(err, errno, "%s", cert_path);
    ERR_clear_error();
    X509 *cert = PEM_read_X509(file, NULL, NULL, NULL);
    fclose(file);
    int rc = 0;
    if (!cert || X509_digest(cert, EVP_sha256(), digest, NULL) != 1)
        rc = fail(err, BERR_INVALID, "no usable certificate in", cert_path);
    else
        str_to_hex(ret, digest, 32);
    X509_free(cert);
    return rc;
}

struct ev_tls *ev_tls_free(struct ev_tls *tls)
{
    if (tls) {
        tls_names_free(tls->names);
        SSL_CTX_free(tls->ctx);
        mem_free(tls);
    }
    return NULL;
}

/* ---- a certificate of our own ---- */

static bool add_extension(X509 *cert, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, cert, cert, NULL, NULL, 0);
    X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    bool ok = ext && X509_add_ext(cert, ext, -1) == 1;
    X509_EXTENSION_free(ext);
    return ok;
}

/* "a,b,10.0.0.1" -> "DNS:a,DNS:b,IP:10.0.0.1" */
static void alt_names(const char *names, struct buf *out)
{
    for (const char *at = names; *at;) {
        size_t len = strcspn(at, ",");
        bool ip = len > 0 && (memchr(at, ':', len) || strspn(at, "0123456789.") >= len);
        buf_printf(out, "%s%s:%.*s", out->len ? "," : "", ip ? "IP" : "DNS", (int)len, at);
        at += len + (at[len] == ',');
    }
}

static bool fill_certificate(X509 *cert, EVP_PKEY *key, const char *names)
{
    struct buf alt = BUF(4096);
    unsigned char serial[16] = {0};
    alt_names(names, &alt);
    os_random_bytes(serial, 8);
    bool ok = !buf_is_failed(&alt);
    serial[0] &= 0x7f;
    BIGNUM *number = BN_bin2bn(serial, 8, NULL);
    ok = ok && number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert));
    BN_free(number);
    X509_NAME *subject = X509_get_subject_name(cert);
    ok = ok && X509_set_version(cert, 2) && X509_gmtime_adj(X509_getm_notBefore(cert), -300) &&
         X509_gmtime_adj(X509_getm_notAfter(cert), 730l * 24 * 3600) &&
         X509_set_pubkey(cert, key) &&
         X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                                    (const unsigned char *)"berth, self-made", -1, -1, 0) &&
         X509_set_issuer_name(cert, subject) &&
         add_extension(cert, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
         add_extension(cert, NID_key_usage, "critical,digitalSignature,keyCertSign") &&
         add_extension(cert, NID_ext_key_usage, "serverAuth") &&
         add_extension(cert, NID_subject_key_identifier, "hash") &&
         add_extension(cert, NID_subject_alt_name, buf_str(&alt)) &&
         X509_sign(cert, key, EVP_sha256()) > 0;
    buf_done(&alt);
    return ok;
}

int ev_tls_make_certificate(const char *cert_path, const char *key_path, const char *names,
                            struct err *err)
{
    ERR_clear_error();
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    int rc = 0;
    if (!key || !cert || !fill_certificate(cert, key, names))
        rc = fail(err, BERR_INTERNAL, "could not make a certificate for", names);
    int fd = rc == 0 ? open(key_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600) : -1;
    FILE *key_file = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (rc == 0 && !key_file)
        rc = err_errno(err, errno, "%s", key_path);
    if (rc == 0 && PEM_write_PrivateKey(key_file, key, NULL, NULL, 0, NULL, NULL) != 1)
        rc = fail(err, BERR_IO, "could not write", key_path);
    if (key_file)
        fclose(key_file);
    FILE *cert_file = rc == 0 ? fopen(cert_path, "we") : NULL;
    if (rc == 0 && !cert_file)
        rc = err_errno(err, errno, "%s", cert_path);
    if (rc == 0 && PEM_write_X509(cert_file, cert) != 1)
        rc = fail(err, BERR_IO, "could not write", cert_path);
    if (cert_file)
        fclose(cert_file);
    X509_free(cert);
    EVP_PKEY_free(key);
    return rc;
}
