/*
 * doctor: what berth needs of a machine, tried rather than guessed where that is harmless. Each
 * check is a row of the table below; `berth up` needs those that fail here.
 */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/alloc.h"
#include "base/str.h"
#include "base/units.h"
#include "cli/daemons.h"
#include "cli/idmap.h"
#include "cli/machine.h"
#include "js/js.h"
#include "os/file.h"
#include "os/nvml.h"
#include "os/pidfd.h"
#include "os/proc.h"
#include "os/sock.h"

#define TOOL_MS          10000
#define DISK_LEAST_BYTES (5ull << 30)
#define DISK_GOOD_BYTES  (20ull << 30)
#define FILES_LEAST      1024
#define FILES_GOOD       65536

enum verdict { OK, WARN, FAIL };

struct finding {
    enum verdict verdict;
    char text[256];
    char mend[256];
};

struct patient {
    const char *data;
    struct cli_instance in;
    bool has_instance;
    int instance_rc;
    struct err instance_err;
};

typedef void check_fn(const struct patient *p, struct finding *f);

static void set(struct finding *f, enum verdict verdict, const char *text, const char *mend)
{
    f->verdict = verdict;
    str_copy(f->text, sizeof(f->text), text);
    str_copy(f->mend, sizeof(f->mend), mend);
}

/* The first line that a program prints; false when it can't be run. */
static bool first_line(const char *const *argv, char *dst, size_t size)
{
    cleanup(buf_done) struct buf out = BUF(64 * 1024);
    struct os_exit end;
    if (os_run(&(struct os_spawn){.argv = argv}, NULL, 0, &out, NULL, TOOL_MS, &end, NULL) < 0 ||
        end.signal || end.code)
        return false;
    snprintf(dst, size, "%.*s", (int)strcspn(buf_str(&out), "\n"), buf_str(&out));
    return true;
}

static bool read_text(const char *path, char *dst, size_t size)
{
    FILE *f = fopen(path, "re");
    size_t n = f ? fread(dst, 1, size - 1, f) : 0;
    if (f)
        fclose(f);
    dst[n] = '\0';
    return n > 0;
}

/* ---- the kernel ---- */

static void check_root(const struct patient *p, struct finding *f)
{
    (void)p;
    if (geteuid() == 0)
        set(f, OK, "root", "");
    else
        set(f, WARN, "not root: some checks can't be made, and `berth up` can't run",
            "sudo berth doctor");
}

static void check_kernel(const struct patient *p, struct finding *f)
{
    struct utsname name;
    (void)p;
    uname(&name);
    set(f, cli_kernel_is_enough(name.release) ? OK : FAIL, name.release,
        "a kernel of 5.19 or later: Debian 12, Ubuntu 24.04");
}

static void check_user_namespaces(const struct patient *p, struct finding *f)
{
    char text[64] = "";
    (void)p;
    bool is_off = read_text("/proc/sys/user/max_user_namespaces", text, sizeof(text)) &&
                  strtoll(text, NULL, 10) == 0;
    if (is_off || access("/proc/self/ns/user", F_OK) != 0)
        set(f, FAIL, "no user namespaces", "sysctl user.max_user_namespaces=65536");
    else
        set(f, OK, "available", "");
}

static void check_idmap(const struct patient *p, struct finding *f)
{
    char why[160] = "";
    (void)p;
    if (geteuid() != 0) {
        set(f, WARN, "not tried: needs root", "sudo berth doctor");
        return;
    }
    if (cli_try_idmapped_overlay(why, sizeof(why)))
        set(f, OK, "an overlay over an id-mapped layer works", "");
    else
        set(f, FAIL, why,
            "needs CONFIG_OVERLAY_FS, kernel 5.19 and a directory on ext4, xfs or btrfs");
}

static void check_cgroups(const struct patient *p, struct finding *f)
{
    char text[512] = "";
    static const char *const wanted[] = {"cpu", "memory", "pids"};
    char missing[64] = "";
    (void)p;
    bool is_v2 = read_text("/sys/fs/cgroup/cgroup.controllers", text, sizeof(text));
    for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
        char path[64];
        snprintf(path, sizeof(path), "/sys/fs/cgroup/%s", wanted[i]);
        bool is_there = is_v2 ? strstr(text, wanted[i]) != NULL : access(path, F_OK) == 0;
        if (!is_there)
            snprintf(missing + strlen(missing), sizeof(missing) - strlen(missing), " %s",
                     wanted[i]);
    }
    const char *version = is_v2                                         ? "version 2"
                          : access("/sys/fs/cgroup/unified", F_OK) == 0 ? "version 1, hybrid"
                                                                        : "version 1";
    if (missing[0]) {
        snprintf(f->text, sizeof(f->text), "%s without%s", version, missing);
        set(f, FAIL, f->text, "mount them: systemd does, or cgroupfs-mount");
    } else {
        set(f, OK, version, "");
    }
}

static void check_loop(const struct patient *p, struct finding *f)
{
    (void)p;
    if (access("/dev/loop-control", F_OK) == 0)
        set(f, OK, "available", "");
    else
        set(f, FAIL, "no /dev/loop-control", "modprobe loop");
}

static void check_nft(const struct patient *p, struct finding *f)
{
    char line[128];
    const char *const argv[] = {"nft", "--version", NULL}, *const list[] = {"nft", "list", "tables",
                                                                            NULL};
    (void)p;
    if (!first_line(argv, line, sizeof(line))) {
        set(f, WARN, "the program nft is not installed: rules can't be looked at",
            "apt-get install nftables");
        return;
    }
    cleanup(buf_done) struct buf out = BUF(1u << 20);
    struct os_exit end = {0};
    bool works = geteuid() != 0 || (os_run(&(struct os_spawn){.argv = list}, NULL, 0, &out, NULL,
                                           TOOL_MS, &end, NULL) == 0 &&
                                    !end.code && !end.signal);
    set(f, works ? OK : FAIL, works ? line : "the kernel has no nftables", "modprobe nf_tables");
}

/* ---- programs ---- */

static bool put_version(const char *name, const char *option, char *dst, size_t size)
{
    char line[128];
    const char *const argv[] = {name, option, NULL};
    if (!first_line(argv, line, sizeof(line)))
        return false;
    snprintf(dst + strlen(dst), size - strlen(dst), "%s%s", dst[0] ? ", " : "", line);
    return true;
}

static void check_runtime(const struct patient *p, struct finding *f)
{
    char text[200] = "";
    (void)p;
    bool any = put_version("crun", "--version", text, sizeof(text));
    bool runc = put_version("runc", "--version", text, sizeof(text));
    set(f,
        any    ? OK
        : runc ? WARN
               : FAIL,
        text[0] ? text : "neither crun nor runc is installed",
        runc ? "crun is quicker: apt-get install crun" : "apt-get install crun");
}

static void check_conmon(const struct patient *p, struct finding *f)
{
    char text[128] = "";
    (void)p;
    bool there = put_version("conmon", "--version", text, sizeof(text));
    set(f, there ? OK : FAIL, there ? text : "conmon is not installed", "apt-get install conmon");
}

static void check_tools(const struct patient *p, struct finding *f)
{
    static const struct {
        const char *name, *option, *package;
        bool is_needed;
    } tools[] = {
        {"mke2fs", "-V", "e2fsprogs", true},
        {"mmdebstrap", "--version", "mmdebstrap", false},
        {"skopeo", "--version", "skopeo", false},
    };
    char missing[128] = "";
    enum verdict verdict = OK;
    (void)p;
    for (size_t i = 0; i < ARRAY_LEN(tools); i++) {
        char line[128];
        const char *const argv[] = {tools[i].name, tools[i].option, NULL};
        if (first_line(argv, line, sizeof(line)))
            continue;
        verdict = tools[i].is_needed ? FAIL : verdict == OK ? WARN : verdict;
        snprintf(missing + strlen(missing), sizeof(missing) - strlen(missing), " %s",
                 tools[i].package);
    }
    if (!missing[0]) {
        set(f, OK, "mke2fs, mmdebstrap, skopeo", "");
        return;
    }
    snprintf(f->text, sizeof(f->text), "missing:%s", missing);
    snprintf(f->mend, sizeof(f->mend), "apt-get install%s", missing);
    f->verdict = verdict;
}

static void check_programs(const struct patient *p, struct finding *f)
{
    char path[CLI_PATH_MAX];
    (void)p;
    for (int d = 0; d < CLI_DAEMONS; d++) {
        const char *name = cli_daemon_name((enum cli_daemon)d);
        if (cli_find_program(name, path, &(struct err){0}) < 0) {
            snprintf(f->text, sizeof(f->text), "%s is not installed", name);
            set(f, FAIL, f->text, "install all of berth's programs in one directory");
            return;
        }
    }
    set(f, OK, "berth-runner, berthd, berth-gateway", "");
}

/* ---- room ---- */

static void check_disk(const struct patient *p, struct finding *f)
{
    char path[PATH_MAX], free_text[UNITS_TEXT_MAX];
    struct statvfs st;
    str_copy(path, sizeof(path), p->data);
    while (statvfs(path, &st) != 0) { /* the nearest directory that is there */
        char *slash = strrchr(path, '/');
        if (!slash || slash == path) {
            str_copy(path, sizeof(path), "/");
            if (statvfs(path, &st) != 0)
                return;
            break;
        }
        *slash = '\0';
    }
    uint64_t bytes = (uint64_t)st.f_bavail * st.f_frsize;
    snprintf(f->text, sizeof(f->text), "%s free below %s", units_human_bytes(free_text, bytes),
             path);
    f->verdict = bytes < DISK_LEAST_BYTES ? FAIL : bytes < DISK_GOOD_BYTES ? WARN : OK;
    str_copy(f->mend, sizeof(f->mend),
             "images and volumes want 20 GiB and more; --data on another disk");
}

static void check_files(const struct patient *p, struct finding *f)
{
    struct rlimit limit;
    (void)p;
    getrlimit(RLIMIT_NOFILE, &limit);
    snprintf(f->text, sizeof(f->text), "%llu at most", (unsigned long long)limit.rlim_max);
    f->verdict = limit.rlim_max < FILES_LEAST ? FAIL : limit.rlim_max < FILES_GOOD ? WARN : OK;
    str_copy(f->mend, sizeof(f->mend),
             "each connection needs two: LimitNOFILE=262144, or ulimit -n");
}

static void check_port(const struct patient *p, struct finding *f)
{
    char host[64] = "127.0.0.1";
    uint16_t port = 8443;
    struct err err = {0};
    int fd;
    if (p->has_instance) {
        str_copy(host, sizeof(host), p->in.host);
        port = p->in.port;
        if (cli_daemon_pid(p->in.data, CLI_GATEWAY)) {
            snprintf(f->text, sizeof(f->text), "%s:%u is ours", host, port);
            return;
        }
    }
    int rc = os_sock_listen_tcp(host, port, &fd, &err);
    if (rc == 0)
        close(fd);
    snprintf(f->text, sizeof(f->text), "%s:%u %s", host, port, rc == 0 ? "is free" : err.text);
    f->verdict = rc == 0 ? OK : p->has_instance ? FAIL : WARN;
    str_copy(f->mend, sizeof(f->mend), "see `ss -ltnp`, or berth up --listen ADDR:PORT");
}

static void check_gpus(const struct patient *p, struct finding *f)
{
    static struct os_gpus gpus;
    struct os_nvml *nvml = NULL;
    (void)p;
    os_gpus_read(&gpus);
    if (!gpus.count) {
        /* A machine without GPUs is a good machine too; a driver that does not answer is not. */
        int rc = os_nvml_open(NULL, &nvml, &(struct err){0});
        os_nvml_close(nvml);
        snprintf(f->text, sizeof(f->text), "none: %s", gpus.reason);
        f->verdict = rc == -(int)BERR_UNAVAILABLE ? WARN : OK;
        str_copy(f->mend, sizeof(f->mend), "`nvidia-smi` must work first");
        return;
    }
    uint32_t sick = 0;
    for (uint32_t i = 0; i < gpus.count; i++)
        sick += !gpus.gpu[i].healthy;
    snprintf(f->text, sizeof(f->text), "%u, %s, driver %s%s", gpus.count, gpus.gpu[0].model,
             gpus.driver, sick ? ", not all healthy" : "");
    f->verdict = sick ? WARN : OK;
    str_copy(f->mend, sizeof(f->mend), "see `nvidia-smi`");
}

static void check_clock(const struct patient *p, struct finding *f)
{
    struct stat self;
    (void)p;
    /* A clock before this program was made makes certificates and logins look not yet valid. */
    bool is_back =
        stat("/proc/self/exe", &self) == 0 && cli_now_ms() / 1000 + 24 * 3600 < self.st_mtime;
    set(f, is_back ? FAIL : OK, is_back ? "the clock is in the past" : "plausible",
        "set it: timedatectl set-ntp true");
}

/* ---- this berth ---- */

static void check_data(const struct patient *p, struct finding *f)
{
    if (p->has_instance) {
        snprintf(f->text, sizeof(f->text), "%s, version %lld", p->in.data, (long long)p->in.schema);
        return;
    }
    bool is_absent = p->instance_rc == -(int)BERR_NOT_FOUND;
    set(f, is_absent ? OK : FAIL, p->instance_err.text, p->instance_err.hint);
}

static void check_daemons(const struct patient *p, struct finding *f)
{
    char away[128] = "";
    int running = 0, wanted = 0;
    if (!p->has_instance) {
        set(f, OK, "not started", "berth up");
        return;
    }
    for (int i = 0; i < CLI_DAEMONS; i++) {
        enum cli_daemon d = (enum cli_daemon)i;
        if (!cli_daemon_is_wanted(&p->in, d))
            continue;
        wanted++;
        if (cli_daemon_pid(p->in.data, d))
            running++;
        else
            snprintf(away + strlen(away), sizeof(away) - strlen(away), " %s", cli_daemon_name(d));
    }
    if (running == wanted || !running) {
        set(f, OK, running ? "all run" : "not started", "berth up");
        return;
    }
    snprintf(f->text, sizeof(f->text), "not running:%s", away);
    set(f, FAIL, f->text, "berth up");
}

static const struct {
    const char *name;
    check_fn *fn;
} checks[] = {
    {"root", check_root},
    {"kernel", check_kernel},
    {"user namespaces", check_user_namespaces},
    {"overlay, id-mapped", check_idmap},
    {"cgroups", check_cgroups},
    {"loop devices", check_loop},
    {"nftables", check_nft},
    {"container runtime", check_runtime},
    {"conmon", check_conmon},
    {"tools", check_tools},
    {"programs of berth", check_programs},
    {"disk", check_disk},
    {"open files", check_files},
    {"port", check_port},
    {"GPUs", check_gpus},
    {"clock", check_clock},
    {"data directory", check_data},
    {"daemons", check_daemons},
};

static const struct cli_column columns[] = {
    {"CHECK", "check", CLI_PLAIN, false, NULL},
    {"", "verdict", CLI_PLAIN, false, NULL},
    {"FOUND", "found", CLI_PLAIN, false, NULL},
    {"TO MEND", "mend", CLI_PLAIN, false, NULL},
};

int cli_run_doctor(struct cli *cli, struct err *err)
{
    static const char *const words[] = {"ok", "warn", "FAIL"};
    struct patient p = {.data = cli_data_dir(cli_text(&cli->args, "data"))};
    cleanup(buf_done) struct buf json = BUF(256 * 1024);
    struct js_writer w;
    size_t failures = 0;
    p.instance_rc = cli_instance_read(p.data, &p.in, &p.instance_err);
    p.has_instance = p.instance_rc == 0;
    js_w_init(&w, &json);
    js_w_object(&w, NULL);
    js_w_array(&w, "items");
    for (size_t i = 0; i < ARRAY_LEN(checks); i++) {
        struct finding f = {0};
        checks[i].fn(&p, &f);
        failures += f.verdict == FAIL;
        js_w_object(&w, NULL);
        js_w_str(&w, "check", checks[i].name);
        js_w_str(&w, "verdict", words[f.verdict]);
        js_w_str(&w, "found", f.text);
        js_w_str(&w, "mend", f.verdict == OK ? NULL : f.mend);
        js_w_end_object(&w);
    }
    js_w_end_array(&w);
    js_w_end_object(&w);
    yyjson_doc *doc = yyjson_read(buf_str(&json), json.len, 0);
    if (!doc)
        return err_set(err, BERR_NOMEM, "out of memory");
    cli_show_list(cli, yyjson_doc_get_root(doc), columns, ARRAY_LEN(columns));
    yyjson_doc_free(doc);
    if (failures) {
        cli_say(cli, "%zu of %zu checks failed", failures, ARRAY_LEN(checks));
        return 1;
    }
    return 0;
}
