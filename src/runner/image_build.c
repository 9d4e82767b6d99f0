/*
 * The verb image-build: a layer of Debian and Python packages. mmdebstrap runs in the sandbox as
 * its root and takes the machine's own mirror and keys; archives of packages are kept in a cache.
 * What pip installs may run code of its own: that happens in a second sandbox without the cache's
 * packages, in the new root, with wheels fetched beforehand by a step that runs no foreign code.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/alloc.h"
#include "base/str.h"
#include "os/mount.h"
#include "os/proc.h"
#include "runner/files.h"
#include "runner/image_sandbox.h"

/* Owner of cached files on disk: nobody's range. Seen as the storage's in the sandbox. */
#define CACHE_ID      4000000000u
#define SOURCES_BYTES (16 * 1024)
#define APT_LIST_MS   20000
#define ARGS_MAX      1100

struct build {
    const struct work *w;
    const struct wire_image_build *req;
    char path[700];  /* of the layer being made */
    char cache[600]; /* "" when there is none */
    unsigned total, unpacked, set_up;
    char step[ERR_TEXT_MAX];
    char fault[ERR_TEXT_MAX]; /* the first line that says what is wrong */
};

/* ---- progress and reasons, from what the programs say ---- */

static void step(struct build *b, const char *what, unsigned done, unsigned every)
{
    char text[ERR_TEXT_MAX];
    if (b->total > 0 && done % every != 0 && done != b->total)
        return;
    if (b->total > 0)
        snprintf(text, sizeof(text), "%s %u/%u", what, done < b->total ? done : b->total, b->total);
    else
        snprintf(text, sizeof(text), "%s", what);
    if (strcmp(text, b->step) == 0)
        return;
    str_copy(b->step, sizeof(b->step), text);
    work_progress(b->w, "%s", text);
}

static void deb_line(void *arg, const char *line)
{
    struct build *b = arg;
    unsigned n;
    if (sscanf(line, "%*u upgraded, %u newly installed", &n) == 1) {
        b->total = n;
        b->unpacked = b->set_up = 0;
    } else if (sscanf(line, "Get:%u ", &n) == 1) {
        step(b, "downloading packages", n, 5);
    } else if (str_has_prefix(line, "Unpacking ")) {
        step(b, "unpacking packages", ++b->unpacked, 10);
    } else if (str_has_prefix(line, "Setting up ")) {
        step(b, "installing packages", ++b->set_up, 5);
    } else if (str_has_prefix(line, "E: ") && b->fault[0] == '\0') {
        str_copy(b->fault, sizeof(b->fault), line + 3);
    } else if (str_has_prefix(line, "dpkg: error") && b->fault[0] == '\0') {
        str_copy(b->fault, sizeof(b->fault), line);
    }
}

static void pip_line(void *arg, const char *line)
{
    struct build *b = arg;
    char name[100];
    if (sscanf(line, "Collecting %90[A-Za-z0-9._-]", name) == 1)
        work_progress(b->w, "fetching %s", name);
    else if (str_has_prefix(line, "Installing collected packages"))
        work_progress(b->w, "installing Python packages");
    else if (str_has_prefix(line, "ERROR: ") && b->fault[0] == '\0')
        str_copy(b->fault, sizeof(b->fault), line + 7);
    else if (str_has_prefix(line, "mount: ") && b->fault[0] == '\0')
        str_copy(b->fault, sizeof(b->fault), line);
}

/* What the user can mend (a name), what time may mend (the network), and the rest. */
static int build_failed(const struct build *b, const char *words, struct err *err)
{
    const char *why = b->fault[0] != '\0' ? b->fault : words;
    static const char *const wrong_names[] = {
        "Unable to locate package", "has no installation candidate", "Couldn't find any package",
        "No matching distribution", "ResolutionImpossible",          "Version ",
        "has unmet dependencies",   "Unable to correct problems"};
    static const char *const network[] = {"Failed to fetch",          "Could not resolve",
                                          "Temporary failure",        "Connection",
                                          "Could not find a version", "timed out"};
    static const char *const space[] = {"No space left on device", "Disk quota exceeded"};
    enum berr code = BERR_INTERNAL;
    for (size_t i = 0; i < ARRAY_LEN(network); i++)
        code = strstr(why, network[i]) != NULL ? BERR_UNAVAILABLE : code;
    for (size_t i = 0; i < ARRAY_LEN(wrong_names); i++)
        code = strstr(why, wrong_names[i]) != NULL ? BERR_INVALID : code;
    for (size_t i = 0; i < ARRAY_LEN(space); i++)
        code =
            strstr(why, space[i]) != NULL || strstr(words, space[i]) != NULL ? BERR_NO_SPACE : code;
    return err_set(err, code, "the build failed: %.400s", why[0] != '\0' ? why : "it said nothing");
}

/* ---- sources ---- */

struct source {
    char uri[256], release[64], component[32];
};

static bool source_parse(const char *line, struct source *ret)
{
    memset(ret, 0, sizeof(*ret));
    int n = sscanf(line, "%255s %63s %31s", ret->uri, ret->release, ret->component);
    return n == 3 && strcmp(ret->component, "main") == 0;
}

/* bookworm-updates: the suite before its kind. */
static bool is_release(const char *release, const char *suite, const char *kind)
{
    size_t len = strlen(suite);
    return strncmp(release, suite, len) == 0 && strcmp(release + len, kind) == 0;
}

/* One line of sources.list for suite+kind: from a source of that suite, else from one of another
 * Debian suite, whose mirror has this one too. */
static void source_add(const char *targets, const char *suite, const char *kind, struct buf *out)
{
    static const char *const suites[] = {"bookworm", "trixie"};
    struct source found = {0}, s;
    int best = 0;
    for (const char *line = targets; *line != '\0'; line += strcspn(line, "\n") + 1) {
        char text[700];
        snprintf(text, sizeof(text), "%.*s", (int)strcspn(line, "\n"), line);
        if (source_parse(text, &s)) {
            int rank = is_release(s.release, suite, kind) ? 2 : 0;
            for (size_t i = 0; rank == 0 && i < ARRAY_LEN(suites); i++)
                rank = is_release(s.release, suites[i], kind);
            if (rank > best) {
                best = rank;
                found = s;
            }
        }
        if (line[strcspn(line, "\n")] == '\0')
            break;
    }
    /* without signed-by: mmdebstrap finds the key among those of Debian and the machine's own */
    if (best > 0)
        buf_printf(out, "deb %s %s%s main\n", found.uri, suite, kind);
}

/* Appends the machine's sources for the suite; nothing when it has none of Debian: then mmdebstrap
 * takes Debian's own. */
static int sources_find(const char *suite, struct buf *out, struct err *err)
{
    cleanup(buf_done) struct buf targets = BUF(SOURCES_BYTES);
    const char *const argv[] = {"apt-get",
                                "indextargets",
                                "Created-By: Packages",
                                "--format",
                                "$(REPO_URI) $(RELEASE) $(COMPONENT)",
                                NULL};
    const struct os_spawn spawn = {.argv = argv};
    int rc = os_run_ok(&spawn, &targets, APT_LIST_MS, err);
    if (rc != 0)
        return rc;
    source_add(buf_str(&targets), suite, "", out);
    if (out->len > 0) {
        source_add(buf_str(&targets), suite, "-updates", out);
        source_add(buf_str(&targets), suite, "-security", out);
    }
    return buf_is_failed(out) ? err_set(err, BERR_NOMEM, "out of memory") : 0;
}

static int sources_file(const struct build *b, int *ret_fd, struct err *err)
{
    cleanup(buf_done) struct buf text = BUF(SOURCES_BYTES);
    int rc = sources_find(b->req->suite, &text, err);
    if (rc != 0 || text.len == 0)
        return rc;
    cleanup(fd_closep) int fd = memfd_create("sources", MFD_CLOEXEC);
    if (fd < 0 || write(fd, text.data, text.len) != (ssize_t)text.len ||
        lseek(fd, 0, SEEK_SET) != 0)
        return err_errno(err, errno, "cannot write the list of sources");
    *ret_fd = TAKE_FD(fd);
    return 0;
}

/* ---- cache ---- */

/* BERTH_CACHE/debs, else DATA/cache/debs, mounted over itself in the worker's own namespace with
 * ids mapped, so that instances share it and nothing in it belongs to a user of the host. Without
 * it (a file system that can't map ids) a build only takes longer. */
static int cache_mount(struct build *b, struct err *err)
{
    const char *dir = getenv("BERTH_CACHE");
    char top[512];
    cleanup(fd_closep) int top_fd = -1;
    cleanup(fd_closep) int idmap = -1;
    cleanup(fd_closep) int mount_fd = -1;
    snprintf(top, sizeof(top), "%s%s", dir != NULL && dir[0] == '/' ? dir : b->w->in->data,
             dir != NULL && dir[0] == '/' ? "" : "/cache");
    int rc = dir_make(AT_FDCWD, top, 0755, 0, 0, &top_fd, err);
    if (rc == 0)
        rc = dir_make(top_fd, "debs", 0755, CACHE_ID, CACHE_ID, NULL, err);
    snprintf(b->cache, sizeof(b->cache), "%s/debs", top);
    if (rc == 0 && unshare(CLONE_NEWNS) != 0)
        rc = err_errno(err, errno, "cannot use the cache");
    if (rc == 0)
        rc = os_mount_private(err);
    if (rc == 0)
        rc = os_idmap_open(CACHE_ID, b->w->in->storage_id, INSTANCE_IDS, &idmap, err);
    if (rc == 0)
        rc = os_mount_clone(AT_FDCWD, b->cache, false, &mount_fd, err);
    if (rc == 0)
        rc = os_mount_idmap(mount_fd, idmap, err);
    if (rc == 0)
        rc = os_mount_attach(mount_fd, AT_FDCWD, b->cache, err);
    return rc;
}

/* ---- Debian packages ---- */

static const char *const needed[] = {"sudo", "passwd", "ca-certificates"};

/* prefix, then all names with `between` between them. */
static const char *names_option(const struct build *b, const char *prefix, char between)
{
    cleanup(buf_done) struct buf text = BUF(256 * 1024);
    buf_puts(&text, prefix);
    for (size_t i = 0; i < ARRAY_LEN(needed); i++)
        buf_printf(&text, "%s%c", needed[i], between);
    for (size_t i = 0; i < b->req->packages.len; i++)
        buf_printf(&text, "%s%c", b->req->packages.items[i], between);
    if (b->req->pip.len > 0)
        buf_printf(&text, "python3%cpython3-pip%c", between, between);
    if (buf_is_failed(&text))
        return NULL;
    buf_truncate(&text, text.len - 1);
    return arena_strdup(b->w->arena, buf_str(&text));
}

#define CACHE_HOOK                                                                  \
    "if [ -d /cache ]; then mkdir -p /cache/partial \"$1\"/var/cache/apt/archives;" \
    " mount --bind /cache \"$1\"/var/cache/apt/archives; fi"
#define CACHE_END "if [ -d /cache ]; then umount \"$1\"/var/cache/apt/archives; fi"
/* Says what can't be had before the long part begins; the names follow. */
#define CHECK_HOOK \
    "--extract-hook=APT_CONFIG=\"$MMDEBSTRAP_APT_CONFIG\" apt-get -qq --simulate install"

/* Packages compile their Python files one after the other, each with an interpreter of its own.
 * Their tool is replaced while they are installed; afterwards all are compiled on all processors.
 */
#define PYTHON_HOOK                                                                  \
    "chroot \"$1\" dpkg-divert --local --rename --divert /usr/bin/py3compile.real"   \
    " --add /usr/bin/py3compile; printf '#!/bin/sh\\n' > \"$1\"/usr/bin/py3compile;" \
    " chmod 755 \"$1\"/usr/bin/py3compile"
#define PYTHON_END                                                                          \
    "rm \"$1\"/usr/bin/py3compile; chroot \"$1\" dpkg-divert --local --rename --remove"     \
    " /usr/bin/py3compile; d=/usr/lib/python3/dist-packages; [ ! -d \"$1\"$d ] ||"          \
    " find \"$1\"$d -mindepth 1 -maxdepth 1 ! -name '*-info' -printf '%P\\0' |"             \
    " chroot \"$1\" sh -c \"cd $d && xargs -0 -r -n 4 -P $(nproc) python3 -m compileall -q" \
    " > /dev/null 2>&1\" || true"

static int debs_install(struct build *b, struct err *err)
{
    cleanup(fd_closep) int sources = -1;
    char words[ERR_TEXT_MAX] = "";
    int code = 0;
    int rc = sources_file(b, &sources, err);
    const char *include = names_option(b, "--include=", ',');
    const char *checks = names_option(b, CHECK_HOOK " ", ' ');
    if (rc != 0 || include == NULL || checks == NULL)
        return rc != 0 ? rc : err_set(err, BERR_NOMEM, "out of memory");
    const char *argv[] = {"/usr/bin/mmdebstrap",
                          "--verbose",
                          "--mode=root",
                          "--variant=minbase",
                          "--format=directory",
                          include,
                          "--dpkgopt=force-unsafe-io", /* synced as a whole at the end */
                          "--dpkgopt=path-exclude=/usr/share/man/*",
                          "--dpkgopt=path-exclude=/usr/share/locale/*",
                          "--dpkgopt=path-include=/usr/share/locale/locale.alias",
                          "--dpkgopt=path-exclude=/usr/share/doc/*",
                          "--dpkgopt=path-include=/usr/share/doc/*/copyright",
                          "--aptopt=APT::Install-Recommends \"false\"",
                          "--aptopt=Acquire::Languages \"none\"",
                          "--aptopt=Acquire::Retries \"3\"",
                          "--skip=download/empty,essential/unlink,cleanup/apt/cache",
                          "--setup-hook=" CACHE_HOOK,
                          checks,
                          "--essential-hook=" PYTHON_HOOK,
                          "--customize-hook=" PYTHON_END,
                          "--customize-hook=" CACHE_END,
                          b->req->suite,
                          "/layer",
                          sources >= 0 ? "-" : NULL,
                          NULL};
    struct sandbox s = {
        .work = b->path,
        .cache = b->cache[0] != '\0' ? b->cache : NULL,
        .network = true,
        .in_fd = sources,
        .out_fd = -1,
        .on_line = deb_line,
        .arg = b,
    };
    work_progress(b->w, "reading the lists of packages");
    rc = sandbox_run(b->w, &s, argv, &code, words, err);
    return rc != 0 || code == 0 ? rc : build_failed(b, words, err);
}

/* ---- Python packages ---- */

/* Run as sh -c SCRIPT pip NAME…: in the sandbox, with the new root at /layer. */
#define PIP_ENTER                                                                              \
    "set -e; d=/layer/var/tmp/berth; mkdir -p $d;"                                             \
    "mount --rbind /dev /layer/dev; mount -t proc proc /layer/proc;"                           \
    "touch /layer/etc/resolv.conf /layer/etc/hosts; mount --bind /etc/resolv.conf "            \
    "/layer/etc/resolv.conf;"                                                                  \
    "mount --bind /etc/hosts /layer/etc/hosts;"                                                \
    "mount --bind /etc/ssl/certs /layer/etc/ssl/certs;"                                        \
    "if [ -f /etc/pip.conf ]; then cp /etc/pip.conf $d/pip.conf; export "                      \
    "PIP_CONFIG_FILE=/var/tmp/berth/pip.conf; fi;"                                             \
    "if [ -d \"$PIP_FIND_LINKS\" ]; then mkdir -p $d/links; mount --bind \"$PIP_FIND_LINKS\" " \
    "$d/links;"                                                                                \
    " export PIP_FIND_LINKS=/var/tmp/berth/links; fi;"                                         \
    "export TMPDIR=/var/tmp/berth PIP_ROOT_USER_ACTION=ignore PIP_BREAK_SYSTEM_PACKAGES=1"     \
    " PIP_NO_INPUT=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_PROGRESS_BAR=off;"
/* Wheels only: nothing of theirs is run. */
#define PIP_FETCH                                                                              \
    PIP_ENTER                                                                                  \
    "if [ -d /cache ]; then mkdir -p /cache/pip $d/cache; mount --bind /cache/pip $d/cache;"   \
    " export PIP_CACHE_DIR=/var/tmp/berth/cache; fi;"                                          \
    "exec chroot /layer python3 -m pip download --only-binary=:all: -d /var/tmp/berth/wheels " \
    "\"$@\""
#define PIP_OFFLINE                                                                 \
    PIP_ENTER "exec chroot /layer python3 -m pip install --no-index --no-cache-dir" \
              " --find-links /var/tmp/berth/wheels \"$@\""
#define PIP_ONLINE PIP_ENTER "exec chroot /layer python3 -m pip install --no-cache-dir \"$@\""

static int pip_run(struct build *b, const char *script, bool cache, int *ret_code,
                   char words[ERR_TEXT_MAX], struct err *err)
{
    const char **argv = arena_array(b->w->arena, b->req->pip.len + 5, sizeof(*argv));
    if (argv == NULL)
        return err_set(err, BERR_NOMEM, "out of memory");
    argv[0] = "/bin/sh";
    argv[1] = "-c";
    argv[2] = script;
    argv[3] = "pip";
    for (size_t i = 0; i < b->req->pip.len; i++)
        argv[4 + i] = b->req->pip.items[i];
    struct sandbox s = {
        .work = b->path,
        .cache = cache && b->cache[0] != '\0' ? b->cache : NULL,
        .network = true,
        .in_fd = -1,
        .out_fd = -1,
        .on_line = pip_line,
        .arg = b,
    };
    b->fault[0] = words[0] = '\0';
    return sandbox_run(b->w, &s, argv, ret_code, words, err);
}

static int pip_install(struct build *b, struct err *err)
{
    char words[ERR_TEXT_MAX];
    int code = 0;
    if (b->req->pip.len == 0)
        return 0;
    work_progress(b->w, "fetching Python packages");
    int rc = pip_run(b, PIP_FETCH, true, &code, words, err);
    if (rc == 0) /* not all have wheels: then pip builds what it must, and its words count */
        rc = pip_run(b, code == 0 ? PIP_OFFLINE : PIP_ONLINE, false, &code, words, err);
    return rc != 0 || code == 0 ? rc : build_failed(b, words, err);
}

/* ---- the verb ---- */

#define TIDY                                                                            \
    "rm -rf /layer/var/tmp/berth /layer/var/lib/apt/lists/* /layer/var/cache/apt/*.bin" \
    " /layer/root/.cache /layer/var/log/apt /layer/var/log/dpkg.log "                   \
    "/layer/var/log/alternatives.log;"                                                  \
    "mkdir -p /layer/var/lib/apt/lists/partial; : > /layer/etc/resolv.conf; : > "       \
    "/layer/etc/hostname"

static int tidy(struct build *b, struct err *err)
{
    const char *const argv[] = {"/bin/sh", "-c", TIDY, NULL};
    const struct sandbox s = {.work = b->path, .in_fd = -1, .out_fd = -1};
    char words[ERR_TEXT_MAX] = "";
    int code = 0;
    int rc = sandbox_run(b->w, &s, argv, &code, words, err);
    return rc != 0 || code == 0 ? rc : build_failed(b, words, err);
}

int work_image_build(const struct work *w, const void *args, void *reply, struct err *err)
{
    struct build b = {.w = w, .req = args};
    struct wire_layer *layer = reply;
    char name[80];
    cleanup(fd_closep) int lock = -1;
    layer->digest = b.req->layer;
    int rc = layer_lock(w, b.req->layer, &lock, err);
    if (rc != 0)
        return rc;
    if (layer_exists(w->in, b.req->layer)) {
        layer->size_bytes = layer_size(w->in, b.req->layer);
        return 0;
    }
    if (cache_mount(&b, NULL) != 0)
        b.cache[0] = '\0';
    rc = layer_begin(w, b.req->layer, b.path, err);
    if (rc == 0)
        rc = debs_install(&b, err);
    if (rc == 0)
        rc = pip_install(&b, err);
    if (rc == 0)
        rc = tidy(&b, err);
    if (rc == 0) {
        work_progress(w, "saving");
        snprintf(name, sizeof(name), ".%s.new", b.req->layer);
        layer->size_bytes = tree_bytes(w->in->layers_fd, name);
        rc = layer_finish(w, b.req->layer, layer->size_bytes, err);
    }
    if (rc != 0)
        layer_drop(w, b.req->layer);
    return rc;
}
