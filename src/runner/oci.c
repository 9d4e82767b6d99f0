#include "runner/oci.h"
#include "runner/gpu.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "js/js.h"

#define PIDS_DEFAULT  4096
#define SHM_DEFAULT   (64ull << 20)
#define CPU_PERIOD_US 100000

/* What sudo, apt and su need inside their own user namespace; nothing of it counts outside. */
static const char *const capabilities[] = {
    "CAP_CHOWN",   "CAP_DAC_OVERRIDE", "CAP_FOWNER",           "CAP_FSETID",
    "CAP_KILL",    "CAP_SETGID",       "CAP_SETUID",           "CAP_SETPCAP",
    "CAP_SETFCAP", "CAP_SYS_CHROOT",   "CAP_NET_BIND_SERVICE", "CAP_AUDIT_WRITE",
};

static void strings(struct js_writer *w, const char *key, const char *const *items, size_t count)
{
    js_w_array(w, key);
    for (size_t i = 0; i < count; i++)
        js_w_str(w, NULL, items[i]);
    js_w_end_array(w);
}

static void write_process(struct js_writer *w, const struct oci_input *in)
{
    const struct wire_task_create *order = in->order;
    char pair[2100];
    js_w_object(w, "process");
    js_w_object(w, "user");
    js_w_i64(w, "uid", 0);
    js_w_i64(w, "gid", 0);
    js_w_end_object(w);
    js_w_array(w, "args");
    js_w_str(w, NULL, "/.berth/init");
    for (size_t i = 0; i < order->command.len; i++)
        js_w_str(w, NULL, order->command.items[i]);
    js_w_end_array(w);
    bool has_home = false;
    js_w_array(w, "env");
    for (size_t i = 0; i < order->env.len; i++) {
        has_home = has_home || strcmp(order->env.items[i].key, "HOME") == 0;
        snprintf(pair, sizeof(pair), "%s=%s", order->env.items[i].key, order->env.items[i].value);
        js_w_str(w, NULL, pair);
    }
    if (!has_home) { /* the runtime would put container root's here */
        snprintf(pair, sizeof(pair), "HOME=/home/%s", order->user_name);
        js_w_str(w, NULL, pair);
    }
    js_w_end_array(w);
    js_w_str(w, "cwd", "/");
    js_w_object(w, "capabilities");
    static const char *const sets[] = {"bounding", "effective", "permitted"};
    for (size_t i = 0; i < ARRAY_LEN(sets); i++)
        strings(w, sets[i], capabilities, ARRAY_LEN(capabilities));
    js_w_end_object(w);
    js_w_array(w, "rlimits");
    js_w_object(w, NULL);
    js_w_str(w, "type", "RLIMIT_NOFILE");
    js_w_u64(w, "hard", in->files_max);
    js_w_u64(w, "soft", in->files_max);
    js_w_end_object(w);
    js_w_end_array(w);
    js_w_bool(w, "noNewPrivileges", false); /* sudo works inside */
    js_w_end_object(w);
}

/* options: words with commas between, as in fstab. */
static void write_mount(struct js_writer *w, const char *destination, const char *type,
                        const char *source, const char *options)
{
    js_w_object(w, NULL);
    js_w_str(w, "destination", destination);
    js_w_str(w, "type", type);
    js_w_str(w, "source", source);
    js_w_array(w, "options");
    while (*options != '\0') {
        char word[64];
        size_t len = strcspn(options, ",");
        snprintf(word, sizeof(word), "%.*s", (int)len, options);
        js_w_str(w, NULL, word);
        options += len + (options[len] == ',');
    }
    js_w_end_array(w);
    js_w_end_object(w);
}

static void write_library(void *arg, const char *path, const char *inside)
{
    write_mount(arg, inside, "bind", path, "bind,ro,nosuid,nodev");
}

/* A node made inside a user namespace could not be opened: those of the host are bound. */
static void write_gpus(struct js_writer *w, const struct oci_input *in)
{
    for (size_t i = 0; i < in->gpu_count; i++)
        write_mount(w, in->gpus[i].path, "bind", in->gpus[i].source, "bind,nosuid,noexec");
    if (in->gpu_count > 0)
        gpu_libraries(write_library, w);
}

static void write_mounts(struct js_writer *w, const struct oci_input *in)
{
    const struct wire_task_create *order = in->order;
    const struct wire_mount *volumes = order->volumes.items;
    char source[256], shm[96];
    uint64_t shm_bytes = order->shm_bytes != 0 ? order->shm_bytes : SHM_DEFAULT;
    snprintf(shm, sizeof(shm), "nosuid,nodev,mode=1777,size=%" PRIu64, shm_bytes);
    js_w_array(w, "mounts");
    write_mount(w, "/proc", "proc", "proc", "nosuid,noexec,nodev");
    write_mount(w, "/dev", "tmpfs", "tmpfs", "nosuid,strictatime,mode=755,size=65536k");
    write_mount(w, "/dev/pts", "devpts", "devpts",
                "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5");
    write_mount(w, "/dev/shm", "tmpfs", "shm", shm);
    write_mount(w, "/dev/mqueue", "mqueue", "mqueue", "nosuid,noexec,nodev");
    write_mount(w, "/sys", "sysfs", "sysfs", "nosuid,noexec,nodev,ro");
    write_mount(w, "/sys/fs/cgroup", "cgroup", "cgroup", "nosuid,noexec,nodev,ro");
    write_mount(w, "/run", "tmpfs", "tmpfs", "nosuid,nodev,mode=755,size=65536k");
    write_mount(w, "/.berth/init", "bind", in->init, "bind,ro,nosuid,nodev");
    snprintf(source, sizeof(source), "%s/disk/scratch", in->mnt);
    write_mount(w, "/scratch", "bind", source, "bind,nosuid,nodev");
    if (order->code != NULL) {
        snprintf(source, sizeof(source), "%s/code", in->mnt);
        write_mount(w, "/code", "bind", source, "bind,nosuid,nodev");
    }
    for (size_t i = 0; i < order->volumes.len; i++) {
        snprintf(source, sizeof(source), "%s/v%zu", in->mnt, i);
        write_mount(w, volumes[i].path, "bind", source,
                    volumes[i].read_only ? "bind,ro,nosuid,nodev" : "bind,nosuid,nodev");
    }
    write_gpus(w, in);
    js_w_end_array(w);
}

static void write_ids(struct js_writer *w, const char *key, uint32_t range)
{
    js_w_array(w, key);
    js_w_object(w, NULL);
    js_w_i64(w, "containerID", 0);
    js_w_i64(w, "hostID", range);
    js_w_i64(w, "size", INSTANCE_IDS);
    js_w_end_object(w);
    js_w_end_array(w);
}

static void write_resources(struct js_writer *w, const struct oci_input *in)
{
    const struct wire_task_create *order = in->order;
    js_w_object(w, "resources");
    js_w_array(w, "devices");
    js_w_object(w, NULL);
    js_w_bool(w, "allow", false);
    js_w_str(w, "access", "rwm");
    js_w_end_object(w);
    for (size_t i = 0; i < in->gpu_count; i++) {
        js_w_object(w, NULL);
        js_w_bool(w, "allow", true);
        js_w_str(w, "type", "c");
        js_w_i64(w, "major", in->gpus[i].major);
        js_w_i64(w, "minor", in->gpus[i].minor);
        js_w_str(w, "access", "rw");
        js_w_end_object(w);
    }
    js_w_end_array(w);
    js_w_object(w, "memory");
    js_w_u64(w, "limit", order->memory_bytes);
    js_w_u64(w, "swap", order->memory_bytes); /* memory and swap together: no swap */
    js_w_end_object(w);
    js_w_object(w, "cpu");
    /* Shares decide when the machine is full, the quota is the hard end. */
    int64_t shares = order->cpu_milli * 1024 / 1000;
    js_w_i64(w, "shares", shares < 2 ? 2 : shares > 262144 ? 262144 : shares);
    js_w_i64(w, "quota", order->cpu_milli * CPU_PERIOD_US / 1000);
    js_w_i64(w, "period", CPU_PERIOD_US);
    js_w_end_object(w);
    js_w_object(w, "pids");
    js_w_u64(w, "limit", order->pids != 0 ? order->pids : PIDS_DEFAULT);
    js_w_end_object(w);
    js_w_end_object(w);
}

static void write_linux(struct js_writer *w, const struct oci_input *in)
{
    static const char *const namespaces[] = {"user",  "pid",     "ipc",   "uts",
                                             "mount", "network", "cgroup"};
    static const char *const masked[] = {
        "/proc/acpi",        "/proc/asound",        "/proc/kcore",
        "/proc/keys",        "/proc/latency_stats", "/proc/timer_list",
        "/proc/timer_stats", "/proc/sched_debug",   "/proc/scsi",
        "/proc/interrupts",  "/sys/firmware",       "/sys/devices/virtual/powercap",
    };
    static const char *const read_only[] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
                                            "/proc/sysrq-trigger"};
    js_w_object(w, "linux");
    js_w_array(w, "namespaces");
    for (size_t i = 0; i < ARRAY_LEN(namespaces); i++) {
        js_w_object(w, NULL);
        js_w_str(w, "type", namespaces[i]);
        js_w_end_object(w);
    }
    js_w_end_array(w);
    write_ids(w, "uidMappings", in->range);
    write_ids(w, "gidMappings", in->range);
    js_w_str(w, "cgroupsPath", in->cgroup);
    write_resources(w, in);
    oci_write_seccomp(w);
    strings(w, "maskedPaths", masked, ARRAY_LEN(masked));
    strings(w, "readonlyPaths", read_only, ARRAY_LEN(read_only));
    js_w_end_object(w);
}

void oci_write(const struct oci_input *in, struct buf *out)
{
    struct js_writer w;
    char root[256];
    js_w_init(&w, out);
    js_w_object(&w, NULL);
    js_w_str(&w, "ociVersion", "1.0.2");
    js_w_str(&w, "hostname", in->order->hostname);
    js_w_object(&w, "root");
    snprintf(root, sizeof(root), "%s/root", in->mnt);
    js_w_str(&w, "path", root);
    js_w_bool(&w, "readonly", false);
    js_w_end_object(&w);
    write_process(&w, in);
    write_mounts(&w, in);
    write_linux(&w, in);
    js_w_end_object(&w);
}
