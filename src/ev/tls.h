/*
 * tls: contexts for streams (OpenSSL 3, TLS 1.2 and 1.3, ALPN http/1.1). A context is shared by
 * many streams and counted by nobody: it must outlive them. Loop thread.
 */
#ifndef BERTH_EV_TLS_H
#define BERTH_EV_TLS_H

#include "base/err.h"

struct ev_tls;

/* PEM files. INVALID says which file and what is wrong with it. */
int ev_tls_server(const char *cert_path, const char *key_path, struct ev_tls **ret,
                  struct err *err);
/* Checks the server against the system's authorities and, when given, a PEM file of own ones;
 * the host's name must match. */
int ev_tls_client(const char *ca_path, struct ev_tls **ret, struct err *err);
/* Accepts exactly the certificate with this fingerprint (64 hex digits, the SHA-256 of its DER form;
 * colons allowed), whatever it says about names, issuer and time: for self-made certificates. */
int ev_tls_client_pinned(const char *fingerprint, struct ev_tls **ret, struct err *err);
struct ev_tls *ev_tls_free(struct ev_tls *tls); /* NULL allowed */

/* The fingerprint of the first certificate in a PEM file. */
#define EV_FINGERPRINT_SIZE 65
int ev_tls_fingerprint(const char *cert_path, char ret[EV_FINGERPRINT_SIZE], struct err *err);

/* Makes a key and a certificate for these names (comma-separated; addresses too) that signs
 * itself, good for two years, into two files (key 0600). Existing files are replaced. */
int ev_tls_make_certificate(const char *cert_path, const char *key_path, const char *names,
                            struct err *err);

/* For a server whose certificate is such a self-made one: connections for other names than its own
 * that is_ours accepts (as asked for, unchecked) are shown a certificate for that name, signed by
 * it. With another certificate this does nothing. */
typedef bool ev_tls_name_fn(void *arg, const char *name);
int ev_tls_make_names(struct ev_tls *tls, ev_tls_name_fn *is_ours, void *arg, struct err *err);

#endif
