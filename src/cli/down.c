/*
 * down: ends what `berth up` started, and what that has started. Nothing is left: processes,
 * mounts, cgroups, network devices; with --purge no data either.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "base/alloc.h"
#include "base/str.h"
#include "cli/daemons.h"
#include "cli/machine.h"
#include "cli/prepare.h"
#include "os/file.h"
#include "os/proc.h"

#define CLEAR_MS 120000

/* The runner's own way of taking an instance down: every task with proof, networks, cgroups. */
static int clear_tasks(const struct cli_instance *in, struct err *err)
{
    char program[CLI_PATH_MAX], uid[16];
    struct cli_users users;
    cleanup(buf_done) struct buf words = BUF(256 * 1024);
    struct os_exit end;
    int rc = cli_find_program(cli_daemon_name(CLI_RUNNER), program, err);
    if (rc == 0)
        rc = cli_users_find(&users, err);
    if (rc < 0)
        return rc;
    snprintf(uid, sizeof(uid), "%u", (unsigned)users.berth);
    const char *const argv[] = {program, "--data", in->data, "--uid", uid, "--clear", NULL};
    rc = os_run(&(struct os_spawn){.argv = argv}, NULL, 0, NULL, &words, CLEAR_MS, &end, err);
    if (rc == 0 && (end.signal || end.code)) {
        fprintf(stderr, "%s", buf_str(&words));
        rc = err_set(err, BERR_INTERNAL, "not all tasks could be taken down");
        err_hint(err, "the lines above say why; `berth down` again goes on where it stopped");
    }
    return rc;
}

static bool has_entry(const char *dir_path, const char *prefix, char dst[CLI_PATH_MAX])
{
    DIR *dir = opendir(dir_path);
    const struct dirent *entry;
    bool found = false;
    while (dir && !found && (entry = readdir(dir)))
        if (str_has_prefix(entry->d_name, prefix)) {
            snprintf(dst, CLI_PATH_MAX, "%s/%s", dir_path, entry->d_name);
            found = true;
        }
    if (dir)
        closedir(dir);
    return found;
}

/* Looks whether anything carries the tag still. */
static int check_nothing_left(const struct cli_instance *in, struct err *err)
{
    char bridge[16], group[24], path[CLI_PATH_MAX], hierarchy[300];
    snprintf(bridge, sizeof(bridge), "b%s", in->tag);
    snprintf(group, sizeof(group), "berth-%s", in->tag);
    bool left =
        has_entry("/sys/class/net", bridge, path) || has_entry("/sys/fs/cgroup", group, path);
    DIR *dir = opendir("/sys/fs/cgroup");
    const struct dirent *entry;
    while (dir && !left && (entry = readdir(dir)))
        if (entry->d_name[0] != '.' && entry->d_type == DT_DIR) {
            snprintf(hierarchy, sizeof(hierarchy), "/sys/fs/cgroup/%s", entry->d_name);
            left = has_entry(hierarchy, group, path);
        }
    if (dir)
        closedir(dir);
    return left ? err_set(err, BERR_INTERNAL, "%s is left over", path) : 0;
}

/* The link by which other instances find this one, when the runner has not taken it away. */
static void remove_run_link(const struct cli_instance *in)
{
    char path[80];
    snprintf(path, sizeof(path), "/run/berth-%s/data", in->tag);
    unlink(path);
    snprintf(path, sizeof(path), "/run/berth-%s", in->tag);
    rmdir(path); /* fails while tasks have their state there */
}

static int take_down(struct cli *cli, const struct cli_instance *in, struct err *err)
{
    bool keep = cli_has(&cli->args, "keep-running");
    int rc = 0;
    /* The front door first: nobody sees a berth that is half there. */
    for (int d = CLI_DAEMONS - 1; rc == 0 && d >= 0; d--)
        rc = cli_daemon_stop(in->data, (enum cli_daemon)d, err);
    if (rc < 0 || keep)
        return rc;
    if (cli_daemon_is_wanted(in, CLI_RUNNER)) {
        cli_progress(cli, "ending jobs and notebooks");
        rc = clear_tasks(in, err);
        cli_progress_end(cli);
    }
    if (rc == 0)
        rc = check_nothing_left(in, err);
    if (rc == 0)
        remove_run_link(in);
    return rc;
}

int cli_run_down(struct cli *cli, struct err *err)
{
    struct cli_instance in;
    char lock[CLI_PATH_MAX + 32];
    bool purge = cli_has(&cli->args, "purge");
    const char *dir = cli_data_dir(cli_text(&cli->args, "data"));
    cleanup(fd_closep) int lock_fd = -1;
    int rc = cli_need_root("down", err);
    if (rc == 0 && purge && cli_has(&cli->args, "keep-running"))
        rc = err_set(err, BERR_INVALID, "either --purge or --keep-running");
    if (rc < 0)
        return rc;
    struct err why = {0};
    rc = cli_instance_read(dir, &in, &why);
    if (rc == -(int)BERR_NOT_FOUND) {
        cli_say(cli, "there is no berth in %s: nothing to stop", dir);
        return 0;
    }
    if (rc < 0) {
        if (err)
            *err = why;
        return rc;
    }
    snprintf(lock, sizeof(lock), "%s/up.lock", in.data);
    rc = os_file_lock(AT_FDCWD, lock, &lock_fd, err);
    if (rc == 0)
        rc = take_down(cli, &in, err);
    if (rc == 0 && purge)
        rc = os_tree_remove(AT_FDCWD, in.data, err);
    if (rc == 0)
        cli_say(cli,
                purge ? "berth is down, and %s is removed" : "berth is down; its data stays in %s",
                in.data);
    return rc;
}
