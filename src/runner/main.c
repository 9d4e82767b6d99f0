/*
 * berth-runner: the privileged hand of the local engine. Starting is recovering: there is no clean
 * end that the next start relies on.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/alloc.h"
#include "base/log.h"
#include "base/str.h"
#include "os/cgroup.h"
#include "os/clock.h"
#include "os/mount.h"
#include "runner/clear.h"
#include "runner/net.h"
#include "runner/server.h"

#define LOCK_TRIES   100
#define LOCK_WAIT_MS 100

struct options {
    const char *data, *runtime;
    uint64_t uid;
    bool clears;
};

static int options_parse(int argc, char **argv, struct options *ret, struct err *err)
{
    *ret = (struct options){0};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--data") == 0 && i + 1 < argc)
            ret->data = argv[++i];
        else if (strcmp(argv[i], "--uid") == 0 && i + 1 < argc &&
                 str_parse_u64(argv[i + 1], &ret->uid) && ret->uid < UINT32_MAX)
            i++;
        else if (strcmp(argv[i], "--runtime") == 0 && i + 1 < argc)
            ret->runtime = argv[++i];
        else if (strcmp(argv[i], "--clear") == 0)
            ret->clears = true;
        else
            return err_set(err, BERR_INVALID, "unknown argument %s", argv[i]);
    }
    return ret->data != NULL ? 0 : err_set(err, BERR_INVALID, "--data DIR is missing");
}

/* Held for life. A runner that was just killed may need a moment to be gone. */
static int lock_take(const struct instance *in, struct err *err)
{
    int fd =
        openat(in->data_fd, "run/runner.lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return err_errno(err, errno, "cannot open the lock of %s", in->data);
    for (int i = 0; flock(fd, LOCK_EX | LOCK_NB) != 0; i++) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return err_errno(err, errno, "cannot lock %s", in->data);
        if (i >= LOCK_TRIES)
            return err_set(err, BERR_CONFLICT, "another berth-runner works on %s", in->data);
        os_sleep_ms(LOCK_WAIT_MS);
    }
    return 0;
}

/* crun refuses to work beside the second version's hierarchy that a hybrid host shows; it gets an
 * empty directory of ours instead, since it writes into what it finds. */
static int mounts_prepare(struct err *err)
{
    enum os_cgroup_mode mode = os_cgroup_mode(); /* looked at before anything is taken away */
    int rc = os_mount_private(err);
    if (rc == 0 && mode == OS_CGROUP_HYBRID && umount2("/sys/fs/cgroup/unified", MNT_DETACH) != 0)
        rc = err_errno(err, errno, "cannot unmount /sys/fs/cgroup/unified");
    if (rc == 0 && mode == OS_CGROUP_HYBRID)
        rc = os_mount_tmpfs("/sys/fs/cgroup/unified", "mode=0755,size=4m", err);
    return rc;
}

static int run(const struct options *options, struct err *err)
{
    struct instance in;
    struct runner runner;
    if (geteuid() != 0)
        return err_set(err, BERR_FORBIDDEN, "berth-runner must run as root");
    /* Monitors and containers whose parents are gone are reaped here, whatever PID 1 is like. */
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    int rc = mounts_prepare(err);
    if (rc == 0)
        rc = instance_open(options->data, (uid_t)options->uid, options->runtime, &in, err);
    if (rc == 0)
        rc = lock_take(&in, err);
    if (rc == 0 && options->clears)
        return clear_instance(&in, err);
    if (rc == 0)
        rc = runner_init(&runner, &in, err);
    if (rc == 0)
        rc = net_restore(&in, err);
    if (rc == 0)
        rc = tasks_recover(&runner, err);
    if (rc == 0)
        rc = runner_listen(&runner, err);
    if (rc != 0)
        return rc;
    log_info("ready", "data", in.data, "tag", in.tag, "runtime", in.runtime, NULL);
    return runner_loop(&runner, err);
}

int main(int argc, char **argv)
{
    umask(022); /* modes that are written here are meant, whoever started us */
    struct options options;
    struct err err = {0};
    log_open(2, "berth-runner", LOG_INFO, isatty(2));
    signal(SIGPIPE, SIG_IGN);
    int rc = options_parse(argc, argv, &options, &err);
    if (rc == 0)
        rc = run(&options, &err);
    if (rc != 0)
        log_err(LOG_ERROR, &err, "berth-runner ends", NULL);
    return rc != 0 ? berr_exit(err.code) : 0;
}
