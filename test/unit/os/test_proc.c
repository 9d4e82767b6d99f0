/* Programs that are started: what they get, how they end, what is told when they can't. */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include "testlib.h"
#include "base/buf.h"
#include "base/str.h"
#include "os/pidfd.h"
#include "os/proc.h"

#define SHELL(script) ((const char *const[]){"/bin/sh", "-c", script, NULL})

static struct os_exit run(const char *script, const char *input, struct buf *out,
                          struct buf *errors)
{
    struct err err = {0};
    struct os_exit ended = {.code = -1};
    struct os_spawn s = {.argv = SHELL(script)};
    int rc = os_run(&s, input, input ? strlen(input) : 0, out, errors, 20000, &ended, &err);
    if (rc < 0)
        print_message("%s\n", err.text);
    assert_int_equal(rc, 0);
    return ended;
}

static void output_and_exit(void **state)
{
    (void)state;
    cleanup(buf_done) struct buf out = BUF(1 << 20);
    cleanup(buf_done) struct buf errors = BUF(1000);
    struct os_exit e = run("cat; echo oops >&2; exit 7", "input", &out, &errors);
    assert_int_equal(e.code, 7);
    assert_int_equal(e.signal, 0);
    assert_string_equal(buf_str(&out), "input");
    assert_string_equal(buf_str(&errors), "oops\n");
    assert_int_equal(run("kill -9 $$", NULL, NULL, NULL).signal, SIGKILL);
    buf_clear(&out);
    assert_int_equal(run("head -c 700000 /dev/zero", NULL, &out, NULL).code, 0);
    assert_int_equal(out.len, 700000);
}

static void input_nobody_reads(void **state)
{
    (void)state;
    cleanup(mem_freep) char *big = mem_calloc(1, 1 << 20);
    memset(big, 'x', (1 << 20) - 1);
    assert_int_equal(run("exit 0", big, NULL, NULL).code, 0);
    cleanup(buf_done) struct buf out = BUF(100);
    assert_int_equal(run("wc -c", big, &out, NULL).code, 0);
    assert_string_equal(buf_str(&out), "1048575\n");
}

static void limits(void **state)
{
    (void)state;
    struct err err = {0};
    struct os_exit e;
    cleanup(buf_done) struct buf out = BUF(1000);
    struct os_spawn s = {.argv = SHELL("yes")};
    assert_int_equal(os_run(&s, NULL, 0, &out, NULL, 20000, &e, &err), -BERR_TOO_LARGE);
    assert_true(out.len <= 1000);
    s.argv = SHELL("sleep 1000 & sleep 1000");
    assert_int_equal(os_run(&s, NULL, 0, NULL, NULL, 50, &e, &err), -BERR_TIMEOUT);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no zombie is left */
}

/* What a child leaves in the background holds its output open, and nobody waits for that. */
static void background_child(void **state)
{
    (void)state;
    cleanup(buf_done) struct buf out = BUF(1000);
    assert_int_equal(run("sleep 5 & echo $!", NULL, &out, NULL).code, 0);
    pid_t pid = (pid_t)strtoll(buf_str(&out), NULL, 10);
    assert_true(pid > 1);
    assert_true(os_pid_start(pid) != 0);
    kill(pid, SIGKILL);
}

static void cannot_start(void **state)
{
    (void)state;
    struct err err = {0};
    pid_t pid = -1;
    struct os_spawn s = {.argv = (const char *const[]){"no-such-program-here", NULL}};
    assert_int_equal(os_spawn(&s, &pid, NULL, &err), -BERR_NOT_FOUND);
    test_expect_err(&err, BERR_NOT_FOUND, "no-such-program-here");
    s.argv = (const char *const[]){"/no/such", NULL};
    assert_int_equal(os_spawn(&s, &pid, NULL, &err), -BERR_NOT_FOUND);
    s.argv = (const char *const[]){"/etc/passwd", NULL};
    assert_int_equal(os_spawn(&s, &pid, NULL, &err), -BERR_FORBIDDEN);
    s.argv = SHELL("exit 0");
    s.dir = "/no/such";
    assert_int_equal(os_spawn(&s, &pid, NULL, &err), -BERR_NOT_FOUND);
    test_expect_err(&err, BERR_NOT_FOUND, "directory");
    assert_int_equal(pid, -1);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static void descriptors(void **state)
{
    (void)state;
    struct err err = {0};
    pid_t pid = -1;
    int ends[2], pidfd = -1;
    char text[256] = "";
    struct os_exit e = {0};
    assert_int_equal(pipe(ends), 0); /* not close-on-exec: must not get through all the same */
    int leak = open("/dev/null", O_RDONLY);
    /* 3 and 1 cross over each other. */
    struct os_spawn_fd fds[] = {{ends[1], 1}, {ends[0], 3}};
    struct os_spawn s = {.argv = SHELL("for i in 2 3 4 5 6 7 8 9 256 257; do\n"
                                       "[ -e /proc/$$/fd/$i ] && echo $i; done"),
                         .fds = fds,
                         .fd_count = 2};
    assert_int_equal(os_spawn(&s, &pid, &pidfd, &err), 0);
    assert_true(os_pidfd_wait(pidfd, 20000));
    assert_int_equal(os_wait(pid, -1, &e, &err), 0);
    assert_true(read(ends[0], text, sizeof(text) - 1) > 0);
    assert_string_equal(text, "2\n3\n");
    close(pidfd);
    close(ends[0]);
    close(ends[1]);
    close(leak);
}

static void surroundings(void **state)
{
    (void)state;
    struct err err = {0};
    struct os_exit e;
    cleanup(buf_done) struct buf out = BUF(1000);
    signal(SIGPIPE, SIG_IGN);
    struct os_spawn s = {
        .argv = SHELL("pwd; echo \"[$A][$HOME]\"; grep -E 'SigBlk|SigIgn' /proc/self/status"),
        .env = (const char *const[]){"A=b c", NULL},
        .dir = "/usr"};
    assert_int_equal(os_run(&s, NULL, 0, &out, NULL, 20000, &e, &err), 0);
    assert_true(
        str_has_prefix(buf_str(&out), "/usr\n[b c][]\nSigBlk:\t0000000000000000\nSigIgn:\t"));
    /* Signals 32 and up are the C library's own: what the test was started with stays. */
    const char *ignored = strstr(buf_str(&out), "SigIgn:\t") + strlen("SigIgn:\t");
    assert_int_equal(strtoull(ignored, NULL, 16) & 0x7fffffff, 0);
    signal(SIGPIPE, SIG_DFL);
}

static void other_user(void **state)
{
    (void)state;
    struct err err = {0};
    struct os_exit e;
    cleanup(buf_done) struct buf out = BUF(1000);
    gid_t groups[] = {4321};
    struct os_spawn s = {.argv = SHELL("id -u; id -G; grep CapEff /proc/self/status"),
                         .drop = true,
                         .uid = 12345,
                         .gid = 12346,
                         .groups = groups,
                         .group_count = 1,
                         .dir = "/"};
    if (getuid() != 0)
        skip();
    assert_int_equal(os_run(&s, NULL, 0, &out, NULL, 20000, &e, &err), 0);
    assert_string_equal(buf_str(&out), "12345\n12346 4321\nCapEff:\t0000000000000000\n");
}

static void run_ok(void **state)
{
    (void)state;
    struct err err = {0};
    cleanup(buf_done) struct buf out = BUF(1000);
    struct os_spawn s = {.argv = SHELL("echo fine")};
    assert_int_equal(os_run_ok(&s, &out, 20000, &err), 0);
    assert_string_equal(buf_str(&out), "fine\n");
    s.argv = SHELL("echo first >&2; echo 'the reason' >&2; exit 3");
    assert_int_equal(os_run_ok(&s, NULL, 20000, &err), -BERR_INTERNAL);
    test_expect_err(&err, BERR_INTERNAL, "/bin/sh ended with 3: the reason");
}

static void waits(void **state)
{
    (void)state;
    struct err err = {0};
    struct os_exit e = {0};
    pid_t pid = -1;
    struct os_spawn s = {.argv = SHELL("exec sleep 1000")};
    assert_int_equal(os_spawn(&s, &pid, NULL, &err), 0);
    uint64_t start = os_pid_start(pid);
    assert_true(start > 0);
    assert_int_equal(os_pidfd_open(pid, start + 1), -1); /* another process of that number */
    int pidfd = os_pidfd_open(pid, start);
    assert_true(pidfd >= 0);
    assert_int_equal(os_wait(pid, 0, &e, &err), -BERR_TIMEOUT);
    assert_false(os_pidfd_wait(pidfd, 0));
    assert_int_equal(os_pidfd_kill(pidfd, SIGTERM), 0);
    assert_int_equal(os_wait(pid, 20000, &e, &err), 0);
    assert_int_equal(e.signal, SIGTERM);
    close(pidfd);
    assert_int_equal(os_pid_start(pid), 0);
}

static void boot_id(void **state)
{
    (void)state;
    char a[OS_BOOT_ID_SIZE], b[OS_BOOT_ID_SIZE];
    assert_int_equal(os_boot_id(a, NULL), 0);
    assert_int_equal(os_boot_id(b, NULL), 0);
    assert_int_equal(strlen(a), 36);
    assert_string_equal(a, b);
}

static int torture_body(void *ctx)
{
    (void)ctx;
    struct err err = {0};
    struct os_exit e = {0};
    cleanup(buf_done) struct buf out = BUF(1000);
    struct os_spawn s = {.argv = (const char *const[]){"echo", "hello", NULL}};
    return os_run(&s, NULL, 0, &out, NULL, 20000, &e, &err);
}

static void torture(void **state)
{
    (void)state;
    test_torture(torture_body, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(output_and_exit), cmocka_unit_test(input_nobody_reads),
        cmocka_unit_test(limits),          cmocka_unit_test(background_child),
        cmocka_unit_test(cannot_start),    cmocka_unit_test(descriptors),
        cmocka_unit_test(surroundings),    cmocka_unit_test(other_user),
        cmocka_unit_test(run_ok),          cmocka_unit_test(waits),
        cmocka_unit_test(boot_id),         cmocka_unit_test(torture),
    };
    return cmocka_run_group_tests_name("os/proc", tests, NULL, NULL);
}
