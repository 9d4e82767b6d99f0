/* See local_fixture.h. */
#include "local_fixture.h"

#include "base/str.h"
#include "engine/local/local.h"
#include "ev/timer.h"
#include "os/clock.h"
#include "testlib.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define BUSYBOX "/bin/busybox"
#define LAYER   "1111111111111111111111111111111111111111111111111111111111111111"
#define IDS     65536u

/* ---- the runner ---- */

void local_runner_start(struct local_driver *d, const char *extra)
{
    char log[TEST_PATH_MAX + 32];
    snprintf(log, sizeof(log), "%s/runner.log", d->data);
    d->runner = fork();
    if (d->runner != 0)
        return;
    prctl(PR_SET_PDEATHSIG, SIGTERM); /* not longer than the test */
    int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    dup2(fd, 2);
    execl(d->program, d->program, "--data", d->data, extra, NULL);
    _exit(127);
}

/* Until its socket answers. */
bool local_runner_wait(struct local_driver *d)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    const struct os_clock *clock = os_clock_real();
    int64_t until_ms = clock->mono_ms(clock->arg) + SUITE_DEADLINE_MS;
    str_copy(to.sun_path, sizeof(to.sun_path), d->socket);
    while (clock->mono_ms(clock->arg) < until_ms) {
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        int rc = connect(fd, (const struct sockaddr *)&to, sizeof(to));
        close(fd);
        if (rc == 0)
            return true;
        usleep(5000);
    }
    return false;
}

void local_runner_kill(struct local_driver *d, int signal)
{
    if (d->runner <= 0)
        return;
    kill(d->runner, signal);
    waitpid(d->runner, NULL, 0);
    d->runner = 0;
}

/* ---- the image ---- */

static uint32_t chown_base;

static int chown_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)type, (void)ftw;
    return lchown(path, chown_base + st->st_uid, chown_base + st->st_gid);
}

static void run_shell(const char *script, const char *arg)
{
    pid_t pid = fork();
    int status;
    if (pid == 0) {
        execl("/bin/sh", "sh", "-ec", script, "sh", arg, NULL);
        _exit(127);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void layer_make(struct local_driver *d)
{
    char top[TEST_PATH_MAX + 128];
    snprintf(top, sizeof(top), "%s/layers/%s", d->data, LAYER);
    run_shell("mkdir -p \"$1\"; chmod 700 \"${1%/*}\"; cd \"$1\"; "
              "mkdir -p bin etc proc sys dev tmp root usr/bin; chmod 1777 tmp; "
              "cp " BUSYBOX " bin/; for n in $(bin/busybox --list); do "
              "[ -e bin/$n ] || ln -s busybox bin/$n; done",
              top);
    chown_base = d->uid_base;
    assert_int_equal(nftw(top, chown_one, 16, FTW_PHYS), 0);
}

static void data_make(struct local_driver *d)
{
    char path[TEST_PATH_MAX + 32], json[256];
    uint64_t seed = test_seed() ^ ((uint64_t)getpid() << 20);
    uint32_t slot = (uint32_t)(seed % 100);
    test_tmpdir_make(d->data);
    chmod(d->data, 0755);
    snprintf(d->tag, sizeof(d->tag), "%06x", (unsigned)(seed >> 8) & 0xffffff);
    d->uid_base = 0x40000000 + slot * 0x500000;
    snprintf(json, sizeof(json), "{\"tag\":\"%s\",\"network\":\"10.%u.0.0/16\",\"uid_base\":%u}",
             d->tag, 100 + slot, d->uid_base);
    snprintf(path, sizeof(path), "%s/instance.json", d->data);
    test_write_file(path, json);
    snprintf(d->socket, sizeof(d->socket), "%s/run/runner.sock", d->data);
    layer_make(d);
}

/* ---- the fixture ---- */

static int64_t now_ms(struct fixture *f)
{
    const struct os_clock *clock = f->config.clock;
    return clock->mono_ms(clock->arg);
}

static int open_local(struct fixture *f, struct err *err)
{
    struct local_driver *d = f->driver;
    return f->ops->open(&f->config, d->loop, fx_listen, f, &f->e, err);
}

static void close_local(struct fixture *f)
{
    f->ops->close(f->e);
}

static void stop_loop(void *arg)
{
    ev_loop_stop(arg);
}

static void turn(struct fixture *f)
{
    struct local_driver *d = f->driver;
    ev_timer_start(d->timer, 5, 0);
    ev_loop_run(d->loop);
}

static void break_connection(struct fixture *f)
{
    local_runner_kill(f->driver, SIGKILL);
}

static void mend_connection(struct fixture *f)
{
    local_runner_start(f->driver, NULL);
}

/* A process of any of this instance's containers. */
static const char *leftovers(struct fixture *f, struct attempt_key key)
{
    struct local_driver *d = f->driver;
    DIR *proc = opendir("/proc");
    (void)key;
    assert_non_null(proc);
    d->left[0] = '\0';
    for (struct dirent *e; (e = readdir(proc)) != NULL;) {
        struct stat st;
        if (e->d_name[0] >= '0' && e->d_name[0] <= '9' &&
            fstatat(dirfd(proc), e->d_name, &st, 0) == 0 && st.st_uid >= d->uid_base &&
            st.st_uid < d->uid_base + 65 * IDS)
            snprintf(d->left, sizeof(d->left), "process %.20s", e->d_name);
    }
    closedir(proc);
    return d->left[0] == '\0' ? NULL : d->left;
}

/* A failed test may have left the runner dead. */
static void reset(struct fixture *f)
{
    struct local_driver *d = f->driver;
    if (d->runner <= 0) {
        local_runner_start(d, NULL);
        assert_true(local_runner_wait(d));
    }
}

/* ---- begin and end ---- */

int local_fixture_begin(struct fixture *f, struct local_driver *d, const char *program)
{
    struct err err;
    if (geteuid() != 0 || access(BUSYBOX, X_OK) != 0) {
        printf("skipped: needs root and %s\n", BUSYBOX);
        return 77;
    }
    d->program = program;
    data_make(d);
    if (ev_loop_new(&d->loop, &err) != 0)
        return 1;
    d->timer = ev_timer_new(d->loop, stop_loop, d->loop);
    local_runner_start(d, NULL);
    if (!local_runner_wait(d))
        return 1;
    *f = (struct fixture){
        .ops = &engine_local,
        .driver = d,
        .open = open_local,
        .close = close_local,
        .turn = turn,
        .now_ms = now_ms,
        .break_connection = break_connection,
        .mend_connection = mend_connection,
        .leftovers = leftovers,
        .reset = reset,
        .has_volumes = true,
        .config = {.site = "test",
                   .data_dir = d->data,
                   .socket = d->socket,
                   .clock = os_clock_real()},
    };
    f->image.layer_count = 1;
    str_copy(f->image.layers[0], sizeof(f->image.layers[0]), LAYER);
    return 0;
}

/* Anything of this instance on the machine: cgroups, network devices, loop devices, files. */
static bool is_machine_clean(struct local_driver *d)
{
    char script[1024];
    snprintf(script, sizeof(script),
             "! find /sys/fs/cgroup -maxdepth 3 -name '*berth-%s*' | grep . && "
             "! ls /sys/class/net | grep %s && ! grep -ls %s /sys/block/loop*/loop/backing_file && "
             "[ ! -e /run/berth-%s ] && ! grep %s /proc/self/mounts",
             d->tag, d->tag, d->data, d->tag, d->data);
    pid_t pid = fork();
    int status = 1;
    if (pid == 0) {
        execl("/bin/sh", "sh", "-c", script, NULL);
        _exit(127);
    }
    waitpid(pid, &status, 0);
    return status == 0;
}

int local_fixture_end(struct local_driver *d, int failed)
{
    ev_timer_free(d->timer);
    ev_loop_free(d->loop);
    local_runner_kill(d, SIGTERM);
    local_runner_start(d, "--clear");
    waitpid(d->runner, NULL, 0);
    if (!is_machine_clean(d)) {
        printf("the instance %s left something behind\n", d->tag);
        failed++;
    }
    if (failed == 0 || getenv("BERTH_TEST_KEEP") == NULL)
        test_tmpdir_remove(d->data);
    else
        printf("kept: %s\n", d->data);
    return failed != 0;
}
