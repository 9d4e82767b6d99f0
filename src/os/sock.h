/*
 * sock: sockets made, checked and used to pass descriptors. For those who have no libuv, and for
 * ev/ to build on. Descriptors are O_CLOEXEC and the caller's; none is non-blocking unless said.
 * Any thread.
 */
#ifndef BERTH_OS_SOCK_H
#define BERTH_OS_SOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/err.h"

#define OS_SOCK_FDS_MAX 16

/* Listens on a path with exactly this mode; a socket that nobody answers on is replaced. CONFLICT:
 * somebody does. INVALID: the path is too long for a socket (107 bytes). */
int os_sock_listen_unix(const char *path, mode_t mode, int *ret_fd, struct err *err);
int os_sock_connect_unix(const char *path, int *ret_fd, struct err *err);
/* host is a numeric address, IPv4 or IPv6 without brackets; port 0 picks a free one. CONFLICT: taken,
 * FORBIDDEN: not allowed. */
int os_sock_listen_tcp(const char *host, uint16_t port, int *ret_fd, struct err *err);
/* TIMEOUT after timeout_ms; UNAVAILABLE when nobody listens. */
int os_sock_connect_tcp(const char *host, uint16_t port, int timeout_ms, int *ret_fd,
                        struct err *err);
uint16_t os_sock_port(int fd); /* of its own end; 0 when it has none */

struct os_peer {
    pid_t pid;
    uid_t uid;
    gid_t gid;
};
/* Who connected, as of that moment (SO_PEERCRED). */
int os_sock_peer(int fd, struct os_peer *ret, struct err *err);

/* Sends bytes (at least one) with descriptors; they stay open here. */
int os_sock_send_fds(int fd, const void *data, size_t len, const int *fds, size_t count,
                     struct err *err);
/* Receives up to len bytes, returns their number (0: the end), and up to `count` descriptors; more
 * than that is PROTOCOL and all are closed. *ret_count 0: none came. */
ssize_t os_sock_recv_fds(int fd, void *data, size_t len, int *ret_fds, size_t count,
                         size_t *ret_count, struct err *err);

#endif
