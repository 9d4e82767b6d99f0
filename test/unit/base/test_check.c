#include "testlib.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

struct outer {
    int before;
    int inner;
};

static void test_true_passes(void **state)
{
    check(1 + 1 == 2);
}

static void test_false_ends_the_process(void **state)
{
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        const struct rlimit no_core = {0, 0};
        setrlimit(RLIMIT_CORE, &no_core);
        signal(SIGABRT, SIG_DFL);
        dup2(fds[1], STDERR_FILENO);
        check(pid > 0);
        _exit(0);
    }
    close(fds[1]);
    char text[200] = {0};
    assert_true(read(fds[0], text, sizeof(text) - 1) > 0);
    close(fds[0]);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    assert_non_null(strstr(text, "test_check.c:"));
    assert_non_null(strstr(text, "pid > 0"));
}

static void test_container_of(void **state)
{
    struct outer o = {.before = 1, .inner = 2};
    assert_ptr_equal(CONTAINER_OF(&o.inner, struct outer, inner), &o);
    int items[7];
    assert_int_equal(ARRAY_LEN(items), 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_true_passes),
        cmocka_unit_test(test_false_ends_the_process),
        cmocka_unit_test(test_container_of),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
