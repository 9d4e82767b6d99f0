/*
 * Three stages: empty the folder (worker), run skopeo (child; its output by a pipe on the loop),
 * read what it left (worker).
 */
#include "image/fetch.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>
#include "base/alloc.h"
#include "base/str.h"
#include "ev/work.h"
#include "image/oci.h"
#include "os/file.h"
#include "os/proc.h"

#define PATH_BYTES 1024
#define EXIT_MS    5000
#define ENV_MAX    256

extern char **environ;

struct fetch {
    struct fetch_job job;
    char data_dir[512], folder[64], reference[512], skopeo[512];
    bool is_canceled, is_done;
    pid_t pid;
    int out_fd;
    uv_poll_t poll;
    char line[1024], words[ERR_TEXT_MAX];
    size_t line_len;
    unsigned blobs;
    /* of the worker's stage */
    int rc;
    struct err err;
    struct fetched result;
};

/* ---- references ---- */

bool fetch_is_reference(const char *s)
{
    size_t len = strlen(s);
    if (len == 0 || len >= 500 || s[0] == '-' || s[0] == '/' || s[0] == '.')
        return false;
    return strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/:@") ==
               len &&
           strstr(s, "//") == NULL && strstr(s, "..") == NULL;
}

bool fetch_is_loopback(const char *reference)
{
    char host[256];
    size_t len = strcspn(reference, "/");
    if (reference[len] != '/')
        return false; /* no host at all */
    snprintf(host, sizeof(host), "%.*s", (int)(len < 255 ? len : 255), reference);
    host[strcspn(host, ":")] = '\0';
    unsigned a, b, c;
    char rest;
    return strcmp(host, "localhost") == 0 ||
           sscanf(host, "127.%3u.%3u.%3u%c", &a, &b, &c, &rest) == 3;
}

/* ---- ends ---- */

static void fetch_free(struct fetch *f)
{
    mem_free(f);
}

static void fetch_end(struct fetch *f)
{
    if (!f->is_canceled)
        f->job.done(f->job.arg, f->rc, f->rc == 0 ? &f->result : NULL, &f->err);
    fetch_free(f);
}

static void stage(struct fetch *f, ev_fn *run, ev_fn *done)
{
    struct err err;
    int rc = ev_work(f->job.loop, run, done, f, &err);
    if (rc != 0) {
        f->rc = rc;
        f->err = err;
        fetch_end(f);
    }
}

/* ---- stage 3: what skopeo left ---- */

/* A blob of the layout, whose bytes must have the digest it is called by. */
static int blob_read_checked(const char *dir, const struct digest *d, char **ret, size_t *ret_len,
                             struct err *err)
{
    char path[PATH_BYTES], hex[DIGEST_HEX_SIZE];
    struct digest got;
    snprintf(path, sizeof(path), "%s/oci/blobs/sha256/%s", dir, digest_hex(hex, d));
    int rc = os_file_read(AT_FDCWD, path, OCI_DOC_BYTES, ret, ret_len, err);
    if (rc != 0)
        return rc;
    rc = digest_of(*ret, *ret_len, &got, err);
    if (rc == 0 && !digest_is_equal(&got, d))
        rc = err_set(err, BERR_INVALID, "the registry sent something else than %.12s", hex);
    return rc;
}

static int layout_read(const char *dir, struct oci_manifest *m, struct fetched *ret,
                       struct err *err)
{
    char path[PATH_BYTES];
    cleanup(mem_freep) char *index = NULL;
    cleanup(mem_freep) char *manifest = NULL;
    cleanup(mem_freep) char *config = NULL;
    cleanup(buf_done) struct buf text = BUF(sizeof(ret->config) - 1);
    struct digest d;
    size_t len;
    snprintf(path, sizeof(path), "%s/oci/index.json", dir);
    int rc = os_file_read(AT_FDCWD, path, OCI_DOC_BYTES, &index, &len, err);
    if (rc == 0)
        rc = oci_index_parse(index, len, &d, err);
    if (rc == 0)
        rc = blob_read_checked(dir, &d, &manifest, &len, err);
    if (rc == 0)
        rc = oci_manifest_parse(manifest, len, m, err);
    if (rc == 0)
        rc = blob_read_checked(dir, &m->config, &config, &len, err);
    if (rc == 0)
        rc = oci_config_parse(config, len, &text, err);
    if (rc == 0)
        str_copy(ret->config, sizeof(ret->config), buf_str(&text));
    return rc;
}

/* The archives move to where the runner looks for them. */
static int layers_place(const char *dir, const struct oci_manifest *m, struct fetched *ret,
                        struct err *err)
{
    for (uint32_t i = 0; i < m->layer_count; i++) {
        char from[PATH_BYTES], to[PATH_BYTES];
        digest_hex(ret->layers[i], &m->layers[i]);
        snprintf(from, sizeof(from), "%s/oci/blobs/sha256/%s", dir, ret->layers[i]);
        snprintf(to, sizeof(to), "%s/%s", dir, ret->layers[i]);
        if (rename(from, to) != 0 && !(errno == ENOENT && os_file_exists(AT_FDCWD, to)))
            return err_errno(err, errno, "layer %.12s did not come", ret->layers[i]);
    }
    ret->layer_count = m->layer_count;
    return 0;
}

static void read_run(void *arg)
{
    struct fetch *f = arg;
    char dir[PATH_BYTES];
    struct oci_manifest m;
    snprintf(dir, sizeof(dir), "%s/tmp/%s", f->data_dir, f->folder);
    f->rc = layout_read(dir, &m, &f->result, &f->err);
    if (f->rc == 0)
        f->rc = layers_place(dir, &m, &f->result, &f->err);
}

static void read_done(void *arg)
{
    fetch_end(arg);
}

/* ---- stage 2: skopeo ---- */

/* skopeo's log lines are time="…" level=fatal msg="…": the message is what counts. */
static void line_end(struct fetch *f)
{
    f->line[f->line_len] = '\0';
    f->line_len = 0;
    char *message = strstr(f->line, " msg=\"");
    if (message != NULL) {
        message += strlen(" msg=\"");
        size_t len = strlen(message);
        if (len > 0 && message[len - 1] == '"')
            message[len - 1] = '\0';
    } else {
        message = f->line;
    }
    if (message[0] == '\0' || f->is_canceled)
        return;
    str_copy(f->words, sizeof(f->words), message);
    char text[64];
    if (str_has_prefix(message, "Copying blob ")) {
        snprintf(text, sizeof(text), "fetching layer %u", ++f->blobs);
        f->job.progress(f->job.arg, text);
    }
}

static void take_output(struct fetch *f, const char *data, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (data[i] == '\n' || data[i] == '\r')
            line_end(f);
        else if (f->line_len < sizeof(f->line) - 1)
            f->line[f->line_len++] = data[i];
    }
}

static int skopeo_failed(const struct fetch *f, struct err *err)
{
    static const struct {
        const char *part;
        enum berr code;
    } known[] = {
        {"manifest unknown", BERR_NOT_FOUND},
        {"name unknown", BERR_NOT_FOUND},
        {"not found", BERR_NOT_FOUND},
        {"unauthorized", BERR_FORBIDDEN},
        {"denied", BERR_FORBIDDEN},
        {"no space left", BERR_NO_SPACE},
        {"digest", BERR_INVALID},
        {"Invalid", BERR_INVALID},
    };
    enum berr code = BERR_UNAVAILABLE;
    for (size_t i = ARRAY_LEN(known); i-- > 0;)
        code = strstr(f->words, known[i].part) != NULL ? known[i].code : code;
    return err_set(err, code, "cannot fetch %.120s: %.300s", f->reference,
                   f->words[0] != '\0' ? f->words : "skopeo said nothing");
}

static void poll_closed(uv_handle_t *handle)
{
    struct fetch *f = handle->data;
    struct os_exit how = {0};
    line_end(f);
    fd_closep(&f->out_fd);
    /* Its output has ended, so it has or is about to. */
    if (f->is_canceled || os_wait(f->pid, EXIT_MS, &how, NULL) != 0) {
        kill(f->pid, SIGKILL);
        (void)os_wait(f->pid, -1, &how, NULL);
    }
    f->pid = 0;
    if (f->is_canceled) {
        fetch_free(f);
        return;
    }
    if (how.signal != 0 || how.code != 0) {
        f->rc = skopeo_failed(f, &f->err);
        fetch_end(f);
        return;
    }
    stage(f, read_run, read_done);
}

static void poll_close(struct fetch *f)
{
    if (!uv_is_closing((uv_handle_t *)&f->poll))
        uv_close((uv_handle_t *)&f->poll, poll_closed);
}

static void on_output(uv_poll_t *poll, int status, int events)
{
    struct fetch *f = poll->data;
    char chunk[4096];
    (void)events;
    ssize_t n = status < 0 ? 0 : read(f->out_fd, chunk, sizeof(chunk));
    if (n > 0)
        take_output(f, chunk, (size_t)n);
    else if (n == 0 || (errno != EAGAIN && errno != EINTR))
        poll_close(f);
}

static int skopeo_spawn(struct fetch *f, int out, struct err *err)
{
    char source[600], target[PATH_BYTES], tmp[PATH_BYTES];
    snprintf(source, sizeof(source), "docker://%s", f->reference);
    snprintf(target, sizeof(target), "oci:%s/tmp/%s/oci:image", f->data_dir, f->folder);
    snprintf(tmp, sizeof(tmp), "%s/tmp/%s", f->data_dir, f->folder);
    const char *argv[] = {f->skopeo[0] != '\0' ? f->skopeo : "skopeo",
                          "--insecure-policy",
                          "--tmpdir",
                          tmp,
                          "copy",
                          fetch_is_loopback(f->reference) ? "--src-tls-verify=false"
                                                          : "--src-tls-verify=true",
                          "--remove-signatures",
                          source,
                          target,
                          NULL};
    struct os_spawn_fd fds[] = {{.from = out, .to = 1}, {.from = out, .to = 2}};
    struct os_spawn spawn = {.argv = argv,
                             .fds = fds,
                             .fd_count = ARRAY_LEN(fds),
                             .session = true,
                             .death_signal = SIGKILL};
    int rc = os_spawn(&spawn, &f->pid, NULL, err);
    if (rc == -BERR_NOT_FOUND)
        err_hint(err, "apt-get install skopeo");
    return rc;
}

static int skopeo_start(struct fetch *f, struct err *err)
{
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) != 0)
        return err_errno(err, errno, "cannot start skopeo");
    int rc = skopeo_spawn(f, fds[1], err);
    close(fds[1]);
    if (rc != 0) {
        close(fds[0]);
        return rc;
    }
    f->out_fd = fds[0];
    (void)fcntl(f->out_fd, F_SETFL, O_NONBLOCK);
    check(uv_poll_init(ev_loop_uv(f->job.loop), &f->poll, f->out_fd) == 0);
    f->poll.data = f;
    check(uv_poll_start(&f->poll, UV_READABLE, on_output) == 0);
    return 0;
}

/* ---- stage 1: an empty folder ---- */

static void folder_run(void *arg)
{
    struct fetch *f = arg;
    char path[PATH_BYTES];
    snprintf(path, sizeof(path), "%s/tmp/%s", f->data_dir, f->folder);
    f->rc = os_tree_remove(AT_FDCWD, path, &f->err);
    if (f->rc == 0)
        f->rc = os_dir_make(AT_FDCWD, path, 0700, NULL, &f->err);
}

static void folder_done(void *arg)
{
    struct fetch *f = arg;
    if (f->is_canceled) {
        fetch_free(f);
        return;
    }
    if (f->rc == 0)
        f->rc = skopeo_start(f, &f->err);
    if (f->rc != 0)
        fetch_end(f);
}

int fetch_start(const struct fetch_job *job, struct fetch **ret, struct err *err)
{
    struct fetch *f = mem_calloc(1, sizeof(*f));
    if (f == NULL)
        return err_set(err, BERR_NOMEM, "out of memory");
    f->job = *job;
    f->out_fd = -1;
    str_copy(f->data_dir, sizeof(f->data_dir), job->data_dir);
    str_copy(f->folder, sizeof(f->folder), job->folder);
    str_copy(f->reference, sizeof(f->reference), job->reference);
    str_copy(f->skopeo, sizeof(f->skopeo), job->skopeo != NULL ? job->skopeo : "");
    int rc = ev_work(job->loop, folder_run, folder_done, f, err);
    if (rc != 0) {
        fetch_free(f);
        return rc;
    }
    *ret = f;
    return 0;
}

void fetch_cancel(struct fetch *f)
{
    f->is_canceled = true; /* a worker's stage comes to its end by itself */
    if (f->pid > 0) {
        kill(f->pid, SIGKILL);
        poll_close(f);
    }
}

/* ---- clearing ---- */

static void clear_run(void *arg)
{
    (void)os_tree_remove(AT_FDCWD, arg, NULL);
}

static void clear_done(void *arg)
{
    mem_free(arg);
}

void fetch_clear(struct ev_loop *loop, const char *data_dir, const char *folder)
{
    size_t size = strlen(data_dir) + strlen(folder) + 8;
    char *path = mem_alloc(size);
    if (path == NULL)
        return;
    snprintf(path, size, "%s/tmp/%s", data_dir, folder);
    if (ev_work(loop, clear_run, clear_done, path, NULL) != 0)
        mem_free(path);
}
