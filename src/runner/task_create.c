/* task-create: everything of one container, up to the point where berth-init stands ready. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "base/alloc.h"
#include "base/id.h"
#include "os/cgroup.h"
#include "runner/files.h"
#include "runner/gpu.h"
#include "runner/monitor.h"
#include "runner/net.h"
#include "runner/oci.h"
#include "runner/rootfs.h"
#include "runner/task.h"

#define FILES_WANTED 65536u

/* ---- what is written before ---- */

static int log_make(const struct instance *in, const struct wire_key *key, struct err *err)
{
    char id[ID_TEXT_SIZE], number[24], name[32];
    cleanup(fd_closep) int workload = -1;
    cleanup(fd_closep) int attempt = -1;
    snprintf(number, sizeof(number), "%llu", (unsigned long long)key->number);
    snprintf(name, sizeof(name), "%llu.log", (unsigned long long)key->index);
    int rc =
        dir_make(in->logs_fd, id_format(id, key->workload), 0750, 0, in->berth_gid, &workload, err);
    if (rc == 0)
        rc = dir_make(workload, number, 0750, 0, in->berth_gid, &attempt, err);
    if (rc != 0)
        return rc;
    cleanup(fd_closep) int fd =
        openat(attempt, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (fd < 0 || fchown(fd, 0, in->berth_gid) != 0 || fchmod(fd, 0640) != 0)
        return err_errno(err, errno, "cannot make the log");
    return 0;
}

/* Only nameservers that a task can reach: the host's loopback is not one of them. */
static void resolvers_write(struct buf *out)
{
    static const char *const files[] = {"/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"};
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        FILE *f = fopen(files[i], "re");
        char line[512];
        bool found = false;
        while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
            char address[64];
            if (sscanf(line, "nameserver %63s", address) != 1 || strncmp(address, "127.", 4) == 0 ||
                strchr(address, ':') != NULL)
                continue;
            buf_printf(out, "dns %s\n", address);
            found = true;
        }
        if (f != NULL)
            fclose(f);
        if (found)
            return;
    }
}

/* berth-init's instructions, see init/conf.h. */
static int init_conf_write(int bundle_fd, const struct wire_task_create *order, struct err *err)
{
    cleanup(buf_done) struct buf out = BUF(256 * 1024);
    buf_printf(&out, "user %s\nhostname %s\n", order->user_name, order->hostname);
    if (order->workdir != NULL)
        buf_printf(&out, "workdir %s\n", order->workdir);
    for (size_t i = 0; i < order->hosts.len; i++)
        buf_printf(&out, "host %s %s\n", order->hosts.items[i].value, order->hosts.items[i].key);
    resolvers_write(&out);
    if (buf_is_failed(&out))
        return err_set(err, BERR_NOMEM, "no memory for a task's files");
    int rc = file_write(bundle_fd, "init.conf", out.data, out.len, 0600, false, err);
    return rc != 0 ? rc : file_write(bundle_fd, "report", "", 0, 0600, false, err);
}

static uint64_t files_max(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_max > FILES_WANTED)
        return FILES_WANTED;
    return limit.rlim_max;
}

static int config_write(const struct instance *in, const struct record *rec,
                        const struct wire_task_create *order, int bundle_fd, struct err *err)
{
    cleanup(buf_done) struct buf out = BUF(1024 * 1024);
    struct oci_gpu gpus[GPU_NODES_MAX];
    char mnt[96], group[GROUP_SIZE], init[128];
    snprintf(mnt, sizeof(mnt), "%s/mnt", in->run);
    snprintf(init, sizeof(init), "%s/init", mnt);
    struct oci_input input = {.order = order,
                              .mnt = mnt,
                              .init = init,
                              .cgroup = group_of_task(group, in, &order->key),
                              .range = instance_range(in, (unsigned)rec->slot),
                              .files_max = files_max(),
                              .gpus = gpus};
    int rc = gpu_nodes(&order->gpus, gpus, &input.gpu_count, err);
    if (rc != 0)
        return rc;
    oci_write(&input, &out);
    if (buf_is_failed(&out))
        return err_set(err, BERR_NOMEM, "no memory for a container's configuration");
    return file_write(bundle_fd, "config.json", out.data, out.len, 0600, false, err);
}

/* ---- the steps ---- */

/* The record comes first: whatever follows is undone by who finds it PREPARING. */
static int begin(const struct work *w, const struct wire_task_create *order, struct record *rec,
                 struct err *err)
{
    const struct instance *in = w->in;
    char text[WIRE_KEY_TEXT_SIZE];
    unsigned slot;
    cleanup(fd_closep) int lock = -1;
    *rec = (struct record){.facts = {.key = order->key,
                                     .state = WIRE_TASK_PREPARING,
                                     .project = order->project,
                                     .gang = order->gang,
                                     .address = order->address,
                                     .created_ms = task_now_ms()},
                           .boot_id = in->boot_id,
                           .log_max_bytes = order->log_max_bytes};
    int rc = net_lock(in, false, &lock, err);
    if (rc == 0)
        rc = net_slot(in, order->project, &slot, err);
    if (rc == 0 && order->address != NULL)
        rc = net_check_address(in, slot, order->address, err);
    if (rc != 0)
        return rc;
    rec->slot = slot;
    rc = dir_make(in->tasks_fd, wire_key_format(text, &order->key), 0700, 0, 0, NULL, err);
    if (rc == 0)
        rc = record_save(in, rec, false, err);
    return rc;
}

static int make(const struct work *w, const struct wire_task_create *order, struct record *rec,
                struct err *err)
{
    const struct instance *in = w->in;
    char group[GROUP_SIZE], path[128], text[WIRE_KEY_TEXT_SIZE];
    cleanup(fd_closep) int bundle = -1;
    /* From here on every process that this makes can be found and killed. */
    int rc = os_cgroup_join(group_of_monitor(group, in, &order->key), err);
    if (rc == 0)
        rc = record_save_order(in, order, err);
    if (rc == 0)
        rc = log_make(in, &order->key, err);
    snprintf(path, sizeof(path), "bundles/%s", wire_key_format(text, &order->key));
    if (rc == 0)
        rc = dir_make(in->run_fd, path, 0700, 0, 0, &bundle, err);
    if (rc == 0)
        rc = init_conf_write(bundle, order, err);
    if (rc == 0)
        rc = config_write(in, rec, order, bundle, err);
    if (rc == 0)
        rc = rootfs_make(w, order, (unsigned)rec->slot, err);
    if (rc == 0)
        rc = monitor_start(w, rec, bundle, err);
    if (rc == 0 && order->address != NULL)
        rc = net_attach(in, (unsigned)rec->slot, order->address, (pid_t)rec->pid, err);
    return rc;
}

int work_task_create(const struct work *w, const void *args, void *reply, struct err *err)
{
    const struct wire_task_create *order = args;
    struct record rec;
    int rc = record_load(w->in, &order->key, w->arena, &rec, NULL);
    if (rc == 0 && rec.facts.state != WIRE_TASK_PREPARING &&
        rec.facts.state != WIRE_TASK_DELETING) {
        *(struct wire_task *)reply = rec.facts; /* made before */
        return 0;
    }
    if (rc != -BERR_NOT_FOUND) {
        rc = task_undo(w->in, &order->key, err); /* half made by a worker that died */
        if (rc != 0)
            return rc;
    }
    rc = begin(w, order, &rec, err);
    if (rc == 0)
        rc = make(w, order, &rec, err);
    if (rc == 0) {
        rec.facts.state = WIRE_TASK_CREATED;
        rc = record_save(w->in, &rec, false, err);
    }
    if (rc == 0)
        *(struct wire_task *)reply = rec.facts;
    /* A failure is undone by a fresh worker: this one sits in the task's own namespaces. */
    return rc;
}
