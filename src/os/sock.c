/*
 * sock: sockets.
 */
#include "os/sock.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "base/alloc.h"
#include "base/str.h"

#define BACKLOG 1024

/* ---- unix ---- */

static int unix_address(const char *path, struct sockaddr_un *ret, struct err *err)
{
    memset(ret, 0, sizeof(*ret));
    ret->sun_family = AF_UNIX;
    if (!str_copy(ret->sun_path, sizeof(ret->sun_path), path)) {
        err_set(err, BERR_INVALID, "the socket path %s is longer than %zu bytes", path,
                sizeof(ret->sun_path) - 1);
        return err_hint(err, "choose a shorter data directory");
    }
    return 0;
}

int os_sock_connect_unix(const char *path, int *ret_fd, struct err *err)
{
    struct sockaddr_un addr;
    int rc = unix_address(path, &addr, err);
    if (rc < 0)
        return rc;
    cleanup(fd_closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_errno(err, errno, "socket");
    if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
        if (errno == ECONNREFUSED)
            return err_set(err, BERR_UNAVAILABLE, "nobody listens on %s", path);
        return err_errno(err, errno, "%s", path);
    }
    *ret_fd = TAKE_FD(fd);
    return 0;
}

/* A socket file that nobody answers on is left over from a process that was killed. */
static int clear_stale(const char *path, struct err *err)
{
    struct stat st;
    cleanup(fd_closep) int fd = -1;
    if (lstat(path, &st) < 0)
        return errno == ENOENT ? 0 : err_errno(err, errno, "%s", path);
    if (!S_ISSOCK(st.st_mode))
        return err_set(err, BERR_CONFLICT, "%s is there and is no socket", path);
    int rc = os_sock_connect_unix(path, &fd, NULL);
    if (rc == 0)
        return err_set(err, BERR_CONFLICT, "another process listens on %s", path);
    if (rc == -(int)BERR_UNAVAILABLE && unlink(path) < 0 && errno != ENOENT)
        return err_errno(err, errno, "%s", path);
    return 0;
}

int os_sock_listen_unix(const char *path, mode_t mode, int *ret_fd, struct err *err)
{
    struct sockaddr_un addr;
    int rc = unix_address(path, &addr, err);
    if (rc == 0)
        rc = clear_stale(path, err);
    if (rc < 0)
        return rc;
    cleanup(fd_closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_errno(err, errno, "socket");
    /* Mode 0 first: nobody gets in before the mode is right. On Linux the file takes the socket's
     * own mode, less the umask. */
    if (fchmod(fd, 0) < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
        return err_errno(err, errno, "%s", path);
    if (chmod(path, mode) < 0 || listen(fd, BACKLOG) < 0) {
        rc = err_errno(err, errno, "%s", path);
        unlink(path);
        return rc;
    }
    *ret_fd = TAKE_FD(fd);
    return 0;
}

/* ---- tcp ---- */

static int tcp_address(const char *host, uint16_t port, struct sockaddr_storage *ret,
                       socklen_t *ret_len, struct err *err)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)ret;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret;
    check(host != NULL);
    memset(ret, 0, sizeof(*ret));
    if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        *ret_len = sizeof(*v4);
        return 0;
    }
    if (inet_pton(AF_INET6, host, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(port);
        *ret_len = sizeof(*v6);
        return 0;
    }
    return err_set(err, BERR_INVALID, "\"%s\" is not a numeric address", host);
}

int os_sock_listen_tcp(const char *host, uint16_t port, int *ret_fd, struct err *err)
{
    struct sockaddr_storage addr;
    socklen_t len = 0;
    int on = 1;
    int rc = tcp_address(host, port, &addr, &len, err);
    if (rc < 0)
        return rc;
    cleanup(fd_closep) int fd = socket(addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_errno(err, errno, "socket");
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (addr.ss_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
    if (bind(fd, (struct sockaddr *)&addr, len) < 0 || listen(fd, BACKLOG) < 0) {
        if (errno == EADDRINUSE)
            return err_set(err, BERR_CONFLICT, "port %u of %s is taken by another program", port,
                           host);
        if (errno == EADDRNOTAVAIL)
            return err_set(err, BERR_INVALID, "%s is not an address of this machine", host);
        return err_errno(err, errno, "%s:%u", host, port);
    }
    *ret_fd = TAKE_FD(fd);
    return 0;
}

static int wait_connected(int fd, int timeout_ms)
{
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    int n = poll(&p, 1, timeout_ms), why = 0;
    socklen_t len = sizeof(why);
    if (n == 0)
        return ETIMEDOUT;
    if (n < 0 || getsockopt(fd, SOL_SOCKET, SO_ERROR, &why, &len) < 0)
        return errno;
    return why;
}

int os_sock_connect_tcp(const char *host, uint16_t port, int timeout_ms, int *ret_fd,
                        struct err *err)
{
    struct sockaddr_storage addr;
    socklen_t len = 0;
    int why = 0, off = 0;
    int rc = tcp_address(host, port, &addr, &len, err);
    if (rc < 0)
        return rc;
    cleanup(fd_closep) int fd =
        socket(addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return err_errno(err, errno, "socket");
    if (connect(fd, (struct sockaddr *)&addr, len) < 0)
        why = errno == EINPROGRESS ? wait_connected(fd, timeout_ms) : errno;
    if (why == ECONNREFUSED || why == EHOSTUNREACH || why == ENETUNREACH)
        return err_set(err, BERR_UNAVAILABLE, "%s:%u: %s", host, port, strerror(why));
    if (why)
        return err_errno(err, why, "%s:%u", host, port);
    if (fcntl(fd, F_SETFL, off) < 0)
        return err_errno(err, errno, "%s:%u", host, port);
    *ret_fd = TAKE_FD(fd);
    return 0;
}

uint16_t os_sock_port(int fd)
{
    struct sockaddr_storage addr;
    socklen_t len = sizeof(addr);
    if (getsockname(fd, (struct sockaddr *)&addr, &len) < 0)
        return 0;
    if (addr.ss_family == AF_INET)
        return ntohs(((struct sockaddr_in *)&addr)->sin_port);
    if (addr.ss_family == AF_INET6)
        return ntohs(((struct sockaddr_in6 *)&addr)->sin6_port);
    return 0;
}

/* ---- the peer, and descriptors ---- */

int os_sock_peer(int fd, struct os_peer *ret, struct err *err)
{
    struct ucred cred;
    socklen_t len = sizeof(cred);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
        return err_errno(err, errno, "peer of a socket");
    *ret = (struct os_peer){.pid = cred.pid, .uid = cred.uid, .gid = cred.gid};
    return 0;
}

union fd_space {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(sizeof(int) * OS_SOCK_FDS_MAX)];
};

int os_sock_send_fds(int fd, const void *data, size_t len, const int *fds, size_t count,
                     struct err *err)
{
    union fd_space space = {.bytes = {0}};
    struct iovec piece = {.iov_base = (void *)(uintptr_t)data, .iov_len = len};
    struct msghdr msg = {.msg_iov = &piece, .msg_iovlen = 1};
    if (len == 0 || count > OS_SOCK_FDS_MAX)
        return err_set(err, BERR_INVALID, "descriptors need a byte to go with, and are at most %d",
                       OS_SOCK_FDS_MAX);
    if (count) {
        msg.msg_control = space.bytes;
        msg.msg_controllen = CMSG_SPACE(sizeof(int) * count);
        struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int) * count);
        memcpy(CMSG_DATA(c), fds, sizeof(int) * count);
    }
    while (piece.iov_len) {
        ssize_t n = sendmsg(fd, &msg, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(err, errno, "sending descriptors");
        piece.iov_base = (char *)piece.iov_base + n;
        piece.iov_len -= (size_t)n;
        msg.msg_control = NULL; /* they went with the first piece */
        msg.msg_controllen = 0;
    }
    return 0;
}

/* Keeps up to `room` of the descriptors in a message; closes the others and says so. */
static bool take_fds(struct msghdr *msg, int *fds, size_t room, size_t *ret_count)
{
    bool fits = (msg->msg_flags & MSG_CTRUNC) == 0;
    size_t kept = 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
            if (kept < room) {
                fds[kept++] = fd;
            } else {
                close(fd);
                fits = false;
            }
        }
    }
    *ret_count = kept;
    return fits;
}

ssize_t os_sock_recv_fds(int fd, void *data, size_t len, int *ret_fds, size_t count,
                         size_t *ret_count, struct err *err)
{
    union fd_space space;
    int fds[OS_SOCK_FDS_MAX];
    size_t got = 0;
    ssize_t n;
    struct iovec piece = {.iov_base = data, .iov_len = len};
    struct msghdr msg = {.msg_iov = &piece,
                         .msg_iovlen = 1,
                         .msg_control = space.bytes,
                         .msg_controllen = sizeof(space.bytes)};
    check(count <= OS_SOCK_FDS_MAX);
    do {
        n = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return err_errno(err, errno, "receiving descriptors");
    if (!take_fds(&msg, fds, count, &got)) {
        for (size_t i = 0; i < got; i++)
            close(fds[i]);
        return err_set(err, BERR_PROTOCOL, "more descriptors came than were expected");
    }
    if (got)
        memcpy(ret_fds, fds, got * sizeof(int));
    *ret_count = got;
    return n;
}
