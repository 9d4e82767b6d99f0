/*
 * fingerprint: what certificate a server shows, for people who decide whether to trust it. Nothing
 * but the handshake is said over this connection.
 */
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <netdb.h>
#include <unistd.h>
#include "base/alloc.h"
#include "base/str.h"
#include "cli/net.h"

#define WAIT_S 5

static int connect_to(const struct url_base *base, struct err *err)
{
    char port[8];
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list = NULL;
    struct timeval wait = {.tv_sec = WAIT_S};
    bool is_local = str_has_suffix(base->host, ".localhost"); /* RFC 6761 */
    snprintf(port, sizeof(port), "%u", base->port);
    if (getaddrinfo(is_local ? "localhost" : base->host, port, &hints, &list) != 0)
        return err_set(err, BERR_UNAVAILABLE, "there is no host %s", base->host);
    int fd = -1;
    for (struct addrinfo *at = list; at && fd < 0; at = at->ai_next) {
        fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0)
            continue;
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
        if (connect(fd, at->ai_addr, at->ai_addrlen) != 0)
            fd_closep(&fd);
    }
    freeaddrinfo(list);
    return fd >= 0 ? fd : err_set(err, BERR_UNAVAILABLE, "%s does not answer", base->host);
}

static int read_digest(SSL *ssl, char ret[CLI_FINGERPRINT_SIZE], struct err *err)
{
    unsigned char md[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    X509 *cert = SSL_get1_peer_certificate(ssl);
    int ok = cert && X509_digest(cert, EVP_sha256(), md, &len) == 1 && len == 32;
    X509_free(cert);
    if (!ok)
        return err_set(err, BERR_PROTOCOL, "the server shows no certificate");
    for (unsigned i = 0; i < len; i++)
        snprintf(ret + (size_t)i * 3, 4, i + 1 < len ? "%02X:" : "%02X", md[i]);
    return 0;
}

int cli_fingerprint(const struct url_base *base, char ret[CLI_FINGERPRINT_SIZE], struct err *err)
{
    int fd = connect_to(base, err);
    if (fd < 0)
        return fd;
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL *ssl = ctx ? SSL_new(ctx) : NULL;
    int rc = ssl ? 0 : err_set(err, BERR_NOMEM, "out of memory");
    if (rc == 0) {
        SSL_set_verify(ssl, SSL_VERIFY_NONE, NULL);
        /* SSL_set_tlsext_host_name, but for its cast that drops a const */
        SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                 (void *)(uintptr_t)base->host);
        SSL_set_fd(ssl, fd);
        rc = SSL_connect(ssl) == 1 ? read_digest(ssl, ret, err)
                                   : err_set(err, BERR_PROTOCOL, "%s speaks no TLS", base->host);
    }
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    fd_closep(&fd);
    return rc;
}
