/* Sockets: stale paths, modes, peers, descriptors on their way. */
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include "testlib.h"
#include "os/sock.h"

static char dir[TEST_PATH_MAX], path[TEST_PATH_MAX + 8];

static int setup(void **state)
{
    (void)state;
    test_tmpdir_make(dir);
    snprintf(path, sizeof(path), "%s/s", dir);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    test_tmpdir_remove(dir);
    return 0;
}

static void unix_listen(void **state)
{
    (void)state;
    struct err err = {0};
    struct stat st;
    struct os_peer peer;
    int listens = -1, again = -1, client = -1;
    assert_int_equal(os_sock_connect_unix(path, &client, &err), -BERR_NOT_FOUND);
    assert_int_equal(os_sock_listen_unix(path, 0620, &listens, &err), 0);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0620);
    assert_int_equal(os_sock_listen_unix(path, 0600, &again, &err), -BERR_CONFLICT);
    assert_int_equal(again, -1);
    assert_int_equal(os_sock_connect_unix(path, &client, &err), 0);
    int served = accept(listens, NULL, NULL);
    assert_int_equal(os_sock_peer(served, &peer, &err), 0);
    assert_int_equal(peer.pid, getpid());
    assert_int_equal(peer.uid, getuid());
    close(served);
    close(client);
    close(listens);
    /* The file is still there, and nobody behind it. */
    assert_int_equal(os_sock_connect_unix(path, &client, &err), -BERR_UNAVAILABLE);
    assert_int_equal(os_sock_listen_unix(path, 0600, &listens, &err), 0);
    close(listens);
}

static void unix_refuses(void **state)
{
    (void)state;
    struct err err = {0};
    char longer[200];
    int fd = -1;
    memset(longer, 'a', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    assert_int_equal(os_sock_listen_unix(longer, 0600, &fd, &err), -BERR_INVALID);
    test_expect_err(&err, BERR_INVALID, "longer than 107");
    assert_int_equal(os_sock_connect_unix(longer, &fd, &err), -BERR_INVALID);
    test_write_file(path, "no socket"); /* a file of somebody else's is left alone */
    assert_int_equal(os_sock_listen_unix(path, 0600, &fd, &err), -BERR_CONFLICT);
    cleanup(mem_freep) char *text = test_read_file(path, NULL);
    assert_string_equal(text, "no socket");
}

static void tcp(void **state)
{
    (void)state;
    struct err err = {0};
    int listens = -1, again = -1, client = -1;
    assert_int_equal(os_sock_listen_tcp("localhost", 0, &listens, &err), -BERR_INVALID);
    assert_int_equal(os_sock_listen_tcp("127.0.0.1", 0, &listens, &err), 0);
    uint16_t port = os_sock_port(listens);
    assert_true(port > 0);
    assert_int_equal(os_sock_listen_tcp("127.0.0.1", port, &again, &err), -BERR_CONFLICT);
    test_expect_err(&err, BERR_CONFLICT, "taken by another program");
    assert_int_equal(os_sock_connect_tcp("127.0.0.1", port, 5000, &client, &err), 0);
    assert_int_equal(fcntl(client, F_GETFL) & O_NONBLOCK, 0);
    close(client);
    close(listens);
    assert_int_equal(os_sock_connect_tcp("127.0.0.1", port, 5000, &client, &err),
                     -BERR_UNAVAILABLE);
    assert_int_equal(os_sock_listen_tcp("192.0.2.1", 0, &listens, &err), -BERR_INVALID);
}

static void passes_descriptors(void **state)
{
    (void)state;
    struct err err = {0};
    int pair[2], got[2] = {-1, -1}, file = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int two[2] = {file, file};
    char data[8];
    size_t count = 0;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    assert_int_equal(os_sock_send_fds(pair[0], "hello", 5, &file, 1, &err), 0);
    assert_int_equal(os_sock_recv_fds(pair[1], data, sizeof(data), got, 2, &count, &err), 5);
    assert_int_equal(count, 1);
    assert_true(fcntl(got[0], F_GETFD) & FD_CLOEXEC);
    close(got[0]);
    assert_int_equal(os_sock_send_fds(pair[0], "x", 1, NULL, 0, &err), 0);
    assert_int_equal(os_sock_recv_fds(pair[1], data, sizeof(data), got, 2, &count, &err), 1);
    assert_int_equal(count, 0);
    /* More than wanted: none is kept. */
    int free_fd = dup(file);
    close(free_fd);
    assert_int_equal(os_sock_send_fds(pair[0], "x", 1, two, 2, &err), 0);
    assert_int_equal(os_sock_recv_fds(pair[1], data, sizeof(data), got, 1, &count, &err),
                     -BERR_PROTOCOL);
    int next_fd = dup(file);
    assert_int_equal(next_fd, free_fd);
    close(next_fd);
    close(pair[0]);
    assert_int_equal(os_sock_recv_fds(pair[1], data, sizeof(data), got, 2, &count, &err), 0);
    assert_int_equal(os_sock_send_fds(pair[1], "", 0, &file, 1, &err), -BERR_INVALID);
    close(pair[1]);
    close(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(unix_listen, setup, teardown),
        cmocka_unit_test_setup_teardown(unix_refuses, setup, teardown),
        cmocka_unit_test(tcp),
        cmocka_unit_test(passes_descriptors),
    };
    return cmocka_run_group_tests_name("os/sock", tests, NULL, NULL);
}
