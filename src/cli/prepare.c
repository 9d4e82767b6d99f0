/*
 * prepare: users, directories, instance.json, certificate.
 */
#include "cli/prepare.h"
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <ifaddrs.h>
#include <limits.h>
#include <netinet/in.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "base/alloc.h"
#include "base/check.h"
#include "base/str.h"
#include "ev/tls.h"
#include "os/clock.h"
#include "os/digest.h"
#include "os/file.h"
#include "os/proc.h"

#define TOOL_MS          30000
#define RANGES_MAX       1024
#define OTHERS_MAX       256
#define LONGEST_SOCKET   "/run/control.sock"
#define CERTIFICATE_DAYS 650
#define PROGRAM_MAX      (256u << 20)

/* ---- users ---- */

static int run_tool(const char *const *argv, struct err *err)
{
    return os_run_ok(&(struct os_spawn){.argv = argv}, NULL, TOOL_MS, err);
}

static int make_user(const char *name, struct err *err)
{
    const char *const argv[] = {"useradd",      "--system",
                                "--user-group", "--no-create-home",
                                "--home-dir",   "/nonexistent",
                                "--shell",      "/usr/sbin/nologin",
                                name,           NULL};
    if (getpwnam(name))
        return 0;
    return run_tool(argv, err);
}

static bool is_in_group(const char *user, const char *group)
{
    const struct group *gr = getgrnam(group);
    for (size_t i = 0; gr && gr->gr_mem[i]; i++)
        if (str_is_equal(gr->gr_mem[i], user))
            return true;
    return false;
}

static int join(const char *user, const char *group, struct err *err)
{
    const char *const argv[] = {"usermod", "--append", "--groups", group, user, NULL};
    return is_in_group(user, group) ? 0 : run_tool(argv, err);
}

int cli_users_find(struct cli_users *ret, struct err *err)
{
    const struct passwd *pw = getpwnam("berth");
    if (!pw)
        return err_set(err, BERR_NOT_FOUND, "there is no system user berth");
    ret->berth = pw->pw_uid;
    ret->berth_group = pw->pw_gid;
    const struct group *gr = getgrnam("berth-gateway");
    if (!gr)
        return err_set(err, BERR_NOT_FOUND, "there is no system group berth-gateway");
    ret->gateway_group = gr->gr_gid;
    return 0;
}

int cli_users_make(struct cli_users *ret, struct err *err)
{
    int rc = make_user("berth", err);
    if (rc == 0)
        rc = make_user("berth-gateway", err);
    /* berthd gives its socket to the gateway's group; the gateway sends logs that berthd may read. */
    if (rc == 0)
        rc = join("berth", "berth-gateway", err);
    if (rc == 0)
        rc = join("berth-gateway", "berth", err);
    return rc == 0 ? cli_users_find(ret, err) : rc;
}

/* ---- directories ---- */

/* The daemons are other users: they must be able to pass through every directory above. */
static int check_passable(const char *real, struct err *err)
{
    char path[PATH_MAX];
    struct stat st;
    for (const char *slash = strchr(real + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        snprintf(path, sizeof(path), "%.*s", (int)(slash - real), real);
        if (stat(path, &st) != 0)
            return err_errno(err, errno, "%s", path);
        if (!(st.st_mode & S_IXOTH)) {
            err_set(err, BERR_FORBIDDEN, "the user berth can't enter %s", path);
            return err_hint(err, "choose another --data directory, or chmod o+x %s", path);
        }
    }
    return 0;
}

/* The real path that `data` will have: of the part that is there, then the rest as given. */
static int expect_path(const char *data, char dst[PATH_MAX], struct err *err)
{
    char head[PATH_MAX], real[PATH_MAX];
    if (!str_copy(head, sizeof(head), data) || !data[0])
        return err_set(err, BERR_INVALID, "the path of the data directory is too long or empty");
    size_t len = strlen(head);
    while (!realpath(head, real)) {
        if (errno != ENOENT)
            return err_errno(err, errno, "%s", head);
        while (len && head[len - 1] == '/')
            len--;
        while (len && head[len - 1] != '/')
            len--;
        head[len] = '\0';
        if (!len)
            str_copy(head, sizeof(head), ".");
    }
    const char *rest = data + len;
    snprintf(dst, PATH_MAX, "%s%s%s", real, *rest && real[1] ? "/" : "", rest + strspn(rest, "/"));
    return 0;
}

static int check_length(const char *real, struct err *err)
{
    size_t room = sizeof(((struct sockaddr_un *)0)->sun_path);
    if (strlen(real) + sizeof(LONGEST_SOCKET) <= room)
        return 0;
    err_set(err, BERR_INVALID, "the path %.200s is too long for sockets", real);
    return err_hint(err, "choose a --data directory of at most %zu characters",
                    room - sizeof(LONGEST_SOCKET));
}

int cli_data_make(const char *data, char ret_real[CLI_PATH_MAX], struct err *err)
{
    char path[PATH_MAX], above[PATH_MAX], real[PATH_MAX];
    int rc = expect_path(data, path, err);
    if (rc == 0)
        rc = check_length(path, err);
    if (rc < 0)
        return rc;
    /* Before anything is made: the directories that are there. */
    str_copy(above, sizeof(above), path);
    for (char *slash; !os_file_exists(AT_FDCWD, above) && (slash = strrchr(above, '/'));)
        *(slash == above ? slash + 1 : slash) = '\0';
    size_t len = strlen(above);
    if (len < strlen(path)) { /* the last of them counts as well */
        above[len] = '/';
        above[len + 1] = '\0';
    }
    rc = check_passable(above, err);
    if (rc == 0)
        rc = os_dir_make(AT_FDCWD, path, 0711, NULL, err);
    if (rc < 0)
        return err_wrap(err, rc, "data directory");
    if (!realpath(path, real) || !str_copy(ret_real, CLI_PATH_MAX, real))
        return err_errno(err, errno, "%s", path);
    return check_passable(real, err);
}

static int make_dir(int data_fd, const char *name, mode_t mode, uid_t uid, gid_t gid,
                    struct err *err)
{
    struct stat st;
    if (mkdirat(data_fd, name, mode) != 0 && errno != EEXIST)
        return err_errno(err, errno, "cannot make the directory %s", name);
    cleanup(fd_closep) int fd =
        openat(data_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0)
        return err_errno(err, errno, "%s", name);
    if (((st.st_uid != uid || st.st_gid != gid) && fchown(fd, uid, gid) != 0) ||
        ((st.st_mode & 07777) != mode && fchmod(fd, mode) != 0))
        return err_errno(err, errno, "cannot give away the directory %s", name);
    return 0;
}

int cli_tree_make(const struct cli_instance *in, const struct cli_users *users, struct err *err)
{
    const struct {
        const char *name;
        mode_t mode;
        uid_t uid;
        gid_t gid;
    } dirs[] = {
        {".", 0711, 0, 0},
        {"db", 0700, users->berth, users->berth_group},
        {"blobs", 0700, users->berth, users->berth_group},
        {"trees", 0700, users->berth, users->berth_group},
        {"tmp", 0700, users->berth, users->berth_group},
        {"run", 0755, users->berth, users->berth_group},
        {"log", 0755, users->berth, users->berth_group},
        {"logs", 0750, 0, users->berth_group},
        {"layers", 0700, 0, 0},
        {"tasks", 0700, 0, 0},
        {"volumes", 0700, 0, 0},
        {"tls", 0755, 0, 0},
    };
    cleanup(fd_closep) int fd = open(in->data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc = fd >= 0 ? 0 : err_errno(err, errno, "%s", in->data);
    for (size_t i = 0; rc == 0 && i < ARRAY_LEN(dirs); i++)
        rc = make_dir(fd, dirs[i].name, dirs[i].mode, dirs[i].uid, dirs[i].gid, err);
    return rc < 0 ? err_wrap(err, rc, "%s", in->data) : 0;
}

/* ---- programs ---- */

static int copy_program(const char *from, const char *to, struct err *err)
{
    cleanup(mem_freep) char *data = NULL;
    cleanup(mem_freep) char *old = NULL;
    size_t len, old_len = 0;
    int rc = os_file_read(AT_FDCWD, from, PROGRAM_MAX, &data, &len, err);
    if (rc < 0)
        return rc;
    if (os_file_read(AT_FDCWD, to, PROGRAM_MAX, &old, &old_len, &(struct err){0}) == 0 &&
        old_len == len && memcmp(old, data, len) == 0)
        return 0;
    /* A new file in its place: one that runs meanwhile keeps the old one. */
    return os_file_write(AT_FDCWD, to, data, len, 0755, err);
}

int cli_programs_place(const struct cli_instance *in, char ret_dir[CLI_PATH_MAX], struct err *err)
{
    /* What the daemons look for beside themselves goes along. */
    static const char *const all[] = {"berth-runner", "berthd", "berth-gateway", "berth-init",
                                      "berth-unpack"};
    char program[CLI_PATH_MAX], from[CLI_PATH_MAX + 32], to[CLI_PATH_MAX + 32];
    int rc = cli_find_program(cli_daemon_name(CLI_BERTHD), program, err);
    if (rc < 0)
        return rc;
    if (check_passable(program, &(struct err){0}) == 0) {
        snprintf(ret_dir, CLI_PATH_MAX, "%.*s", (int)(strrchr(program, '/') - program), program);
        return 0;
    }
    *strrchr(program, '/') = '\0';
    snprintf(ret_dir, CLI_PATH_MAX, "%s/bin", in->data);
    rc = os_dir_make(AT_FDCWD, ret_dir, 0755, NULL, err);
    if (rc == 0 && chmod(ret_dir, 0755) != 0)
        rc = err_errno(err, errno, "%s", ret_dir);
    for (size_t i = 0; rc == 0 && i < ARRAY_LEN(all); i++) {
        snprintf(from, sizeof(from), "%s/%s", program, all[i]);
        snprintf(to, sizeof(to), "%s/%s", ret_dir, all[i]);
        if (os_file_exists(AT_FDCWD, from))
            rc = copy_program(from, to, err);
    }
    return rc < 0 ? err_wrap(err, rc, "copying the programs") : 0;
}

/* ---- the instance ---- */

static size_t add_interfaces(struct cli_net_range *ranges, size_t count)
{
    struct ifaddrs *list = NULL;
    if (getifaddrs(&list) != 0)
        return count;
    for (struct ifaddrs *at = list; at && count < RANGES_MAX; at = at->ifa_next) {
        if (!at->ifa_addr || at->ifa_addr->sa_family != AF_INET || !at->ifa_netmask)
            continue;
        struct sockaddr_in address, mask;
        memcpy(&address, at->ifa_addr, sizeof(address));
        memcpy(&mask, at->ifa_netmask, sizeof(mask));
        ranges[count++] = (struct cli_net_range){
            .address = ntohl(address.sin_addr.s_addr),
            .prefix = (unsigned)__builtin_popcount(mask.sin_addr.s_addr),
        };
    }
    freeifaddrs(list);
    return count;
}

struct others {
    uint64_t uids[OTHERS_MAX];
    size_t count;
};

/* Instances that run have /run/berth-TAG/data, a link to their data directory. */
static size_t add_others(const char *tag, struct cli_net_range *ranges, size_t count,
                         struct others *others)
{
    DIR *dir = opendir("/run");
    const struct dirent *entry;
    while (dir && (entry = readdir(dir)) && count < RANGES_MAX && others->count < OTHERS_MAX) {
        char path[300];
        struct cli_instance in;
        if (!str_has_prefix(entry->d_name, "berth-"))
            continue;
        snprintf(path, sizeof(path), "/run/%s/data", entry->d_name);
        if (cli_instance_read(path, &in, &(struct err){0}) < 0 || str_is_equal(in.tag, tag))
            continue;
        ranges[count++] = (struct cli_net_range){.address = in.network, .prefix = 16};
        others->uids[others->count++] = in.uid_base;
    }
    if (dir)
        closedir(dir);
    return count;
}

/* Our own bridges of an earlier life are not somebody else. */
static bool is_ours(const struct cli_instance *in, const struct cli_net_range *r)
{
    return in->network && r->prefix > 16 && (r->address & 0xffff0000u) == in->network;
}

int cli_instance_choose(struct cli_instance *in, struct err *err)
{
    static struct cli_net_range all[RANGES_MAX], used[RANGES_MAX];
    struct others others = {0};
    struct digest digest;
    size_t count = 0, kept = 0;
    if (!in->tag[0]) {
        int rc = digest_of(in->data, strlen(in->data), &digest, err);
        if (rc < 0)
            return rc;
        str_to_hex(in->tag, digest.bytes, 3);
    }
    FILE *f = fopen("/proc/net/route", "re"); /* has no size, so os_file_read is not for it */
    if (f) {
        char line[512];
        while (fgets(line, sizeof(line), f))
            count = cli_parse_routes(line, all, count, RANGES_MAX);
        fclose(f);
    }
    count = add_interfaces(all, count);
    for (size_t i = 0; i < count; i++)
        if (!is_ours(in, &all[i]))
            used[kept++] = all[i];
    kept = add_others(in->tag, used, kept, &others);
    if (in->network) {
        bool is_free = true;
        for (size_t i = 0; i < kept && is_free; i++)
            is_free = used[i].prefix < 16 || !cli_overlaps(in->network, &used[i]);
        if (is_free)
            return 0;
    }
    int rc = cli_choose_network(in->tag, used, kept, &in->network, err);
    if (rc == 0 && !in->uid_base)
        rc = cli_choose_uids(in->tag, others.uids, others.count, &in->uid_base, err);
    return rc;
}

int cli_instance_write(const struct cli_instance *in, struct err *err)
{
    char path[CLI_PATH_MAX + 32], run[64], link[80];
    cleanup(buf_done) struct buf out = BUF(4096);
    cli_instance_put(in, &out);
    snprintf(path, sizeof(path), "%s/instance.json", in->data);
    int rc = os_file_write(AT_FDCWD, path, buf_str(&out), out.len, 0644, err);
    if (rc < 0)
        return rc;
    snprintf(run, sizeof(run), "/run/berth-%s", in->tag);
    snprintf(link, sizeof(link), "%s/data", run);
    if (mkdir(run, 0711) != 0 && errno != EEXIST)
        return err_errno(err, errno, "cannot make %s", run);
    if (symlink(in->data, link) != 0 && errno != EEXIST)
        return err_errno(err, errno, "cannot make %s", link);
    return 0;
}

/* ---- the certificate ---- */

static void put_names(const struct cli_instance *in, struct buf *out)
{
    buf_puts(out, "localhost,*.localhost,127.0.0.1,::1");
    if (!str_is_equal(in->domain, "localhost"))
        buf_printf(out, ",%s,*.%s", in->domain, in->domain);
    if (!str_is_equal(in->host, "127.0.0.1") && !str_is_equal(in->host, "::1") &&
        !str_is_equal(in->host, "0.0.0.0") && !str_is_equal(in->host, "::"))
        buf_printf(out, ",%s", in->host);
}

/* `names` stands beside a certificate that we made; without it the files are somebody's own. */
int cli_certificate_make(const struct cli_instance *in, struct err *err)
{
    char cert[CLI_PATH_MAX + 32], key[CLI_PATH_MAX + 32], names_path[CLI_PATH_MAX + 32];
    cleanup(buf_done) struct buf names = BUF(4096);
    cleanup(mem_freep) char *was = NULL;
    struct stat st;
    snprintf(cert, sizeof(cert), "%s/tls/cert.pem", in->data);
    snprintf(key, sizeof(key), "%s/tls/key.pem", in->data);
    snprintf(names_path, sizeof(names_path), "%s/tls/names", in->data);
    put_names(in, &names);
    bool is_there = os_file_exists(AT_FDCWD, cert) && os_file_exists(AT_FDCWD, key);
    if (os_file_read(AT_FDCWD, names_path, 4096, &was, NULL, &(struct err){0}) == 0) {
        bool is_young =
            stat(cert, &st) == 0 &&
            os_clock_real()->wall_ms(NULL) / 1000 - st.st_mtime < CERTIFICATE_DAYS * 24 * 3600L;
        if (is_there && is_young && str_is_equal(was, buf_str(&names)))
            return 0;
    } else if (is_there) {
        return 0;
    }
    int rc = ev_tls_make_certificate(cert, key, buf_str(&names), err);
    if (rc == 0)
        rc = os_file_write(AT_FDCWD, names_path, buf_str(&names), names.len, 0644, err);
    return rc;
}
