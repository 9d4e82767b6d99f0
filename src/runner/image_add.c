/*
 * The verb image-add: an archive of berthd's becomes a layer. Two processes of berth-unpack: one
 * outside of the sandbox hashes what the other, inside, unpacks; the layer gets its name only when
 * the whole archive had that digest.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/alloc.h"
#include "base/str.h"
#include "runner/image_sandbox.h"

/* Below the data directory, without links: the folder is berthd's, which root does not trust. */
static int archive_open(const struct work *w, const struct wire_image_add *req, int *ret_fd,
                        struct err *err)
{
    struct open_how how = {.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};
    char path[256];
    struct stat st;
    snprintf(path, sizeof(path), "tmp/%s/%s", req->folder, req->layer);
    cleanup(fd_closep) int fd = (int)syscall(SYS_openat2, w->in->data_fd, path, &how, sizeof(how));
    if (fd < 0 || fstat(fd, &st) != 0)
        return err_errno(err, errno, "cannot open the archive of layer %.12s", req->layer);
    if (!S_ISREG(st.st_mode))
        return err_set(err, BERR_INVALID, "the archive of layer %.12s is not a file", req->layer);
    *ret_fd = TAKE_FD(fd);
    return 0;
}

/* berth-unpack lies beside the runner's own program. */
static int program_find(char dst[512], struct err *err)
{
    ssize_t n = readlink("/proc/self/exe", dst, 490);
    if (n <= 0)
        return err_errno(err, errno, "cannot find berth-unpack");
    dst[n] = '\0';
    char *slash = strrchr(dst, '/');
    snprintf(slash + 1, 512 - (size_t)(slash + 1 - dst), "berth-unpack");
    if (access(dst, X_OK) != 0)
        return err_errno(err, errno, "cannot use %s", dst);
    return 0;
}

struct feeder {
    pid_t pid;
    int data_fd, result_fd;
};

static int feeder_start(const char *program, int archive_fd, struct feeder *ret, struct err *err)
{
    int data[2], result[2];
    if (pipe2(data, O_CLOEXEC) != 0)
        return err_errno(err, errno, "cannot start berth-unpack");
    if (pipe2(result, O_CLOEXEC) != 0) {
        close(data[0]);
        close(data[1]);
        return err_errno(err, errno, "cannot start berth-unpack");
    }
    pid_t pid = fork();
    if (pid == 0) {
        int in = fcntl(archive_fd, F_DUPFD, 10), out = fcntl(data[1], F_DUPFD, 10);
        int answer = fcntl(result[1], F_DUPFD, 10);
        dup2(in, 0);
        dup2(out, 1);
        dup2(answer, 3);
        close_range(4, ~0u, 0);
        execl(program, program, "feed", (char *)NULL);
        _exit(127);
    }
    close(data[1]);
    close(result[1]);
    if (pid < 0) {
        close(data[0]);
        close(result[0]);
        return err_errno(err, errno, "cannot start berth-unpack");
    }
    *ret = (struct feeder){.pid = pid, .data_fd = data[0], .result_fd = result[0]};
    return 0;
}

static int feeder_end(struct feeder *f, const char *layer, struct err *err)
{
    char text[128] = "";
    size_t len = 0;
    int status = 0;
    fd_closep(&f->data_fd);
    for (ssize_t n; len < sizeof(text) - 1;) {
        n = read(f->result_fd, text + len, sizeof(text) - 1 - len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        len += (size_t)n;
    }
    fd_closep(&f->result_fd);
    while (waitpid(f->pid, &status, 0) < 0 && errno == EINTR)
        ;
    text[len] = '\0';
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0 || len < 65)
        return err_set(err, BERR_IO, "cannot read the archive of layer %.12s", layer);
    if (strncmp(text, layer, 64) != 0 || text[64] != ' ')
        return err_set(err, BERR_INVALID, "the archive of layer %.12s has another digest: %.12s",
                       layer, text);
    return 0;
}

static int unpack_failed(int code, const char *layer, const char *words, struct err *err)
{
    enum berr berr = code == 1 ? BERR_INVALID : code == 2 ? BERR_NO_SPACE : BERR_INTERNAL;
    return err_set(err, berr, "cannot unpack layer %.12s: %.400s", layer, words);
}

static int unpack(const struct work *w, const char *path, int archive_fd, const char *layer,
                  uint64_t *ret_bytes, struct err *err)
{
    char program[512], words[ERR_TEXT_MAX] = "", size[32] = "";
    cleanup(fd_closep) int size_fd = memfd_create("size", MFD_CLOEXEC);
    struct feeder feeder;
    int code = 0;
    int rc = program_find(program, err);
    if (rc == 0 && size_fd < 0)
        rc = err_errno(err, errno, "cannot start berth-unpack");
    if (rc == 0)
        rc = feeder_start(program, archive_fd, &feeder, err);
    if (rc != 0)
        return rc;
    const char *argv[] = {"/berth-unpack", "tar", NULL};
    struct sandbox s = {
        .work = path, .program = program, .in_fd = feeder.data_fd, .out_fd = size_fd};
    rc = sandbox_run(w, &s, argv, &code, words, err);
    int fed = feeder_end(&feeder, layer, rc == 0 ? err : NULL);
    if (rc != 0 || fed != 0) /* a wrong digest explains all else */
        return rc != 0 ? rc : fed;
    if (code != 0)
        return unpack_failed(code, layer, words, err);
    if (pread(size_fd, size, sizeof(size) - 1, 0) > 0)
        size[strcspn(size, "\n")] = '\0';
    if (!str_parse_u64(size, ret_bytes))
        *ret_bytes = 0;
    return 0;
}

int work_image_add(const struct work *w, const void *args, void *reply, struct err *err)
{
    const struct wire_image_add *req = args;
    struct wire_layer *layer = reply;
    cleanup(fd_closep) int lock = -1, archive = -1;
    char path[700];
    uint64_t bytes = 0;
    layer->digest = req->layer;
    int rc = layer_lock(w, req->layer, &lock, err);
    if (rc != 0)
        return rc;
    if (layer_exists(w->in, req->layer)) {
        layer->size_bytes = layer_size(w->in, req->layer);
        return 0;
    }
    rc = archive_open(w, req, &archive, err);
    if (rc == 0)
        rc = layer_begin(w, req->layer, path, err);
    if (rc != 0)
        return rc;
    rc = unpack(w, path, archive, req->layer, &bytes, err);
    if (rc == 0)
        rc = layer_finish(w, req->layer, bytes, err);
    if (rc != 0)
        layer_drop(w, req->layer);
    else
        layer->size_bytes = bytes;
    return rc;
}
