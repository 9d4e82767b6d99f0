#include "runner/instance.h"
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/alloc.h"
#include "base/str.h"
#include "js/js.h"
#include "os/link.h"
#include "runner/files.h"
#include "wire/runner.h"

#define IDS_MAX ((uint64_t)UINT32_MAX - (uint64_t)(WIRE_SLOTS + 1) * INSTANCE_IDS)

static int bad(struct err *err, const char *field, const char *want)
{
    int rc = err_set(err, BERR_INVALID, "instance.json: %s must be %s", field, want);
    err_hint(err, "berth up writes this file; it is not for editing");
    return rc;
}

static int network_parse(const char *s, uint32_t *ret)
{
    char address[16];
    size_t len = s != NULL ? strcspn(s, "/") : 0;
    if (len == 0 || len >= sizeof(address) || strcmp(s + len, "/16") != 0)
        return -1;
    memcpy(address, s, len);
    address[len] = '\0';
    return os_ipv4_parse(address, ret) && (*ret & 0xffff) == 0 ? 0 : -1;
}

static int settings_read(struct instance *in, struct err *err)
{
    cleanup(buf_done) struct buf text = BUF(64 * 1024);
    cleanup(js_doc_freep) struct js_doc *doc = NULL;
    int rc = file_read(in->data_fd, "instance.json", &text, err);
    if (rc == 0)
        rc = js_parse_json(text.data, text.len, &doc, err);
    if (rc != 0)
        return err_wrap(err, rc, "%s", in->data);
    yyjson_val *root = js_root(doc);
    const char *tag = js_get_str(root, "tag");
    if (tag == NULL || strlen(tag) != 6 || strspn(tag, "0123456789abcdef") != 6)
        return bad(err, "tag", "6 hex digits");
    str_copy(in->tag, sizeof(in->tag), tag);
    if (network_parse(js_get_str(root, "network"), &in->network) != 0)
        return bad(err, "network", "like 10.7.0.0/16");
    int64_t base = js_get_i64(root, "uid_base", 0);
    if (base < INSTANCE_IDS || (uint64_t)base > IDS_MAX)
        return bad(err, "uid_base", "the first of a free range of user ids");
    in->storage_id = (uint32_t)base;
    return 0;
}

static int boot_id_read(struct instance *in, struct err *err)
{
    cleanup(buf_done) struct buf text = BUF(64);
    int rc = file_read(AT_FDCWD, "/proc/sys/kernel/random/boot_id", &text, err);
    if (rc == 0)
        snprintf(in->boot_id, sizeof(in->boot_id), "%.36s", buf_str(&text));
    return rc;
}

static int dirs_make(struct instance *in, struct err *err)
{
    struct {
        const char *name;
        mode_t mode;
        bool is_berths;
        int *fd;
    } dirs[] = {
        {"tasks", 0700, false, &in->tasks_fd},
        {"layers", 0700, false, &in->layers_fd},
        {"volumes", 0700, false, &in->volumes_fd},
        {"logs", 0750, false, &in->logs_fd},
        {"fences", 0700, false, &in->fences_fd},
        {"nets", 0700, false, &in->nets_fd},
        {"trees", 0700, true, &in->trees_fd},
        {"run", 0755, true, NULL},
        {"log", 0755, true, NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
        uid_t uid = dirs[i].is_berths ? in->berth_uid : 0;
        gid_t gid = dirs[i].is_berths || dirs[i].fd == &in->logs_fd ? in->berth_gid : 0;
        int rc = dir_make(in->data_fd, dirs[i].name, dirs[i].mode, uid, gid, dirs[i].fd, err);
        if (rc != 0)
            return err_wrap(err, rc, "%s", in->data);
    }
    /* Below /run so that a reboot clears it; passable, because containers' root is nobody there. */
    snprintf(in->run, sizeof(in->run), "/run/berth-%s", in->tag);
    int rc = dir_make(AT_FDCWD, in->run, 0711, 0, 0, &in->run_fd, err);
    static const char *const below[] = {"bundles", "crun", "exits", "links"};
    for (size_t i = 0; rc == 0 && i < ARRAY_LEN(below); i++)
        rc = dir_make(in->run_fd, below[i], 0700, 0, 0, NULL, err);
    if (rc == 0)
        rc = dir_make(in->run_fd, "mnt", 0755, 0, 0, NULL, err);
    return rc;
}

static const char *runtime_find(void)
{
    static const char *const paths[] = {"/usr/bin/crun", "/usr/local/bin/crun", "/usr/bin/runc",
                                        "/usr/sbin/runc", "/usr/local/sbin/runc"};
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        if (access(paths[i], X_OK) == 0)
            return paths[i];
    }
    return NULL;
}

static int init_find(struct instance *in, struct err *err)
{
    char self[sizeof(in->init) - 16];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    if (n <= 0)
        return err_errno(err, errno, "cannot find berth-init");
    self[n] = '\0';
    char *slash = strrchr(self, '/');
    snprintf(in->init, sizeof(in->init), "%.*s/berth-init", slash != NULL ? (int)(slash - self) : 0,
             self);
    if (access(in->init, X_OK) != 0)
        return err_errno(err, errno, "cannot use %s", in->init);
    return 0;
}

int instance_open(const char *dir, uid_t uid, const char *runtime, struct instance *ret,
                  struct err *err)
{
    struct instance in = {.berth_uid = uid};
    char real[PATH_MAX];
    if (realpath(dir, real) == NULL)
        return err_errno(err, errno, "cannot use the data directory %s", dir);
    if (strlen(real) >= sizeof(in.data) || strpbrk(real, ",:\\\"\n") != NULL)
        return err_set(err, BERR_INVALID,
                       "the data directory's path is too long or has one of , : \\ \"");
    str_copy(in.data, sizeof(in.data), real);
    in.runtime = runtime != NULL ? runtime : runtime_find();
    if (in.runtime == NULL) {
        int rc = err_set(err, BERR_NOT_FOUND, "neither crun nor runc is installed");
        err_hint(err, "apt-get install crun");
        return rc;
    }
    struct passwd *pw = getpwuid(uid);
    in.berth_gid = pw != NULL ? pw->pw_gid : uid;
    in.data_fd = open(in.data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (in.data_fd < 0)
        return err_errno(err, errno, "cannot open %s", in.data);
    int rc = init_find(&in, err);
    if (rc == 0)
        rc = settings_read(&in, err);
    if (rc == 0)
        rc = boot_id_read(&in, err);
    if (rc == 0)
        rc = dirs_make(&in, err);
    if (rc != 0) {
        close(in.data_fd);
        return rc;
    }
    *ret = in;
    return 0;
}

uint32_t instance_range(const struct instance *in, unsigned slot)
{
    check(slot < WIRE_SLOTS);
    return in->storage_id + (slot + 1) * INSTANCE_IDS;
}
