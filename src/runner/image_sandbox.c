/*
 * The order matters: the root is put together as host root, who may bind; then the user namespace
 * is entered, which locks those mounts; then the other namespaces, which so belong to it.
 */
#include "runner/image_sandbox.h"
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/alloc.h"
#include "base/str.h"

#define ROOT         "/run" /* where it is put together: in a mount namespace of its own, hidden by it */
#define MEMORY_BYTES (4ull << 30)
#define OPEN_FILES   4096

extern char **environ;

/* ---- inside: what may fail ends the process with words on stderr ---- */

__attribute__((noreturn)) static void give_up(const char *what)
{
    dprintf(2, "sandbox: %s: %s\n", what, strerror(errno));
    _exit(125);
}

static void must(int rc, const char *what)
{
    if (rc != 0)
        give_up(what);
}

static void make_place(const char *path, bool is_dir)
{
    char at[512];
    str_copy(at, sizeof(at), path);
    for (char *slash = strchr(at + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        (void)mkdir(at, 0755);
        *slash = '/';
    }
    if (is_dir) {
        (void)mkdir(at, 0755);
        return;
    }
    int fd = open(at, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (fd >= 0)
        close(fd);
}

/* The host's path at the same place below ROOT, when the host has it. */
static void bind_path(const char *path, const char *at, bool read_only)
{
    char to[600];
    struct stat st;
    if (stat(path, &st) != 0)
        return;
    snprintf(to, sizeof(to), "%s%s", ROOT, at);
    make_place(to, S_ISDIR(st.st_mode));
    must(mount(path, to, NULL, MS_BIND, NULL), path);
    unsigned long flags = MS_REMOUNT | MS_BIND | MS_NOSUID | (read_only ? MS_RDONLY : 0);
    if (!str_has_prefix(path, "/dev/"))
        flags |= MS_NODEV;
    must(mount(NULL, to, NULL, flags, NULL), path);
}

/* /bin and the like are links on merged systems: links there too. */
static void bind_or_link(const char *path)
{
    char target[256], at[600];
    ssize_t n = readlink(path, target, sizeof(target) - 1);
    if (n < 0) {
        bind_path(path, path, true);
        return;
    }
    target[n] = '\0';
    snprintf(at, sizeof(at), "%s%s", ROOT, path);
    must(symlink(target, at), path);
}

static const char *const system_paths[] = {"/usr",   "/bin",   "/sbin",  "/lib",
                                           "/lib32", "/lib64", "/libx32"};
static const char *const device_paths[] = {"/dev/null", "/dev/zero", "/dev/full", "/dev/random",
                                           "/dev/urandom"};
static const char *const etc_paths[] = {"/etc/ld.so.cache", "/etc/alternatives", "/etc/passwd",
                                        "/etc/group", "/etc/nsswitch.conf"};
/* For downloads: trust and addresses of this machine. */
static const char *const net_paths[] = {"/etc/resolv.conf",
                                        "/etc/hosts",
                                        "/etc/ssl/certs",
                                        "/etc/ssl/openssl.cnf",
                                        "/usr/local/share/ca-certificates",
                                        "/etc/apt/trusted.gpg",
                                        "/etc/apt/trusted.gpg.d",
                                        "/etc/apt/keyrings",
                                        "/etc/pip.conf",
                                        "/etc/dpkg"};

static void bind_all(const char *const *paths, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!str_has_prefix(paths[i], "/usr/")) /* is there already */
            bind_path(paths[i], paths[i], true);
    }
}

static void root_make(const struct sandbox *s)
{
    must(unshare(CLONE_NEWNS), "mount namespace");
    must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "private mounts");
    /* paths below ROOT would be hidden by the new root: opened before */
    int work = open(s->work, O_PATH | O_DIRECTORY | O_CLOEXEC);
    int cache = s->cache != NULL ? open(s->cache, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
    if (work < 0 || (s->cache != NULL && cache < 0))
        give_up("layer");
    char work_path[64], cache_path[64];
    snprintf(work_path, sizeof(work_path), "/proc/self/fd/%d", work);
    snprintf(cache_path, sizeof(cache_path), "/proc/self/fd/%d", cache);
    must(mount("root", ROOT, "tmpfs", MS_NOSUID | MS_NODEV, "mode=755,size=64m"), "root");
    for (size_t i = 0; i < ARRAY_LEN(system_paths); i++)
        bind_or_link(system_paths[i]);
    bind_all(device_paths, ARRAY_LEN(device_paths));
    bind_all(etc_paths, ARRAY_LEN(etc_paths));
    if (s->network)
        bind_all(net_paths, ARRAY_LEN(net_paths));
    const char *wheels = s->network ? getenv("PIP_FIND_LINKS") : NULL;
    if (wheels != NULL && wheels[0] == '/')
        bind_path(wheels, wheels, true);
    if (s->program != NULL)
        bind_path(s->program, strrchr(s->program, '/'), true);
    bind_path(work_path, "/layer", false);
    if (cache >= 0)
        bind_path(cache_path, "/cache", false);
    bind_path("/proc", "/proc", false);
    make_place(ROOT "/root", true);
    make_place(ROOT "/var/tmp", true);
    make_place(ROOT "/run", true);
    make_place(ROOT "/tmp", true);
    (void)chmod(ROOT "/tmp", 01777);
    must(symlink("/proc/self/fd", ROOT "/dev/fd"), "/dev/fd");
    make_place(ROOT "/dev/shm", true);
    must(chdir(ROOT), "root");
    must((int)syscall(SYS_pivot_root, ".", "."), "root");
    must(umount2(".", MNT_DETACH), "root");
    must(chdir("/"), "root");
}

/* Only what downloads and languages need: the runner's own environment is nobody's business. */
static void environment_make(const struct sandbox *s)
{
    static const char *const kept[] = {"http_proxy",  "https_proxy", "no_proxy",  "HTTP_PROXY",
                                       "HTTPS_PROXY", "NO_PROXY",    "all_proxy", "ALL_PROXY"};
    char *old[64], **env = environ;
    size_t count = 0;
    for (; s->network && *env != NULL && count < ARRAY_LEN(old); env++) {
        bool is_kept = str_has_prefix(*env, "PIP_");
        for (size_t i = 0; i < ARRAY_LEN(kept); i++)
            is_kept |= str_has_prefix(*env, kept[i]) && (*env)[strlen(kept[i])] == '=';
        if (is_kept)
            old[count++] = *env;
    }
    clearenv();
    for (size_t i = 0; i < count; i++)
        putenv(old[i]);
    setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
    setenv("HOME", "/root", 1);
    setenv("TMPDIR", "/tmp", 1);
    setenv("LC_ALL", "C.UTF-8", 1);
    setenv("DEBIAN_FRONTEND", "noninteractive", 1);
}

static void limits_set(void)
{
    struct rlimit files = {OPEN_FILES, OPEN_FILES}, core = {0, 0},
                  memory = {MEMORY_BYTES, MEMORY_BYTES};
    (void)setrlimit(RLIMIT_NOFILE, &files);
    (void)setrlimit(RLIMIT_CORE, &core);
    (void)setrlimit(RLIMIT_AS, &memory);
    umask(022);
}

/* PID 1: reaps, and ends everything with the program's own end. */
__attribute__((noreturn)) static void init_run(const struct sandbox *s, const char *const argv[])
{
    union {
        const char *const *read_only;
        char *const *args;
    } a = {argv};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    must(mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL), "proc");
    must(chdir("/layer"), "work");
    environment_make(s);
    limits_set();
    pid_t program = fork(), pid;
    if (program == 0) {
        execv(argv[0], a.args);
        give_up(argv[0]);
    }
    int status = 0;
    while ((pid = wait(&status)) != program) {
        if (pid < 0 && errno != EINTR)
            give_up("wait");
    }
    if (WIFSIGNALED(status))
        dprintf(2, "killed by signal %d\n", WTERMSIG(status));
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 126);
}

__attribute__((noreturn)) static void
sandbox_child(const struct sandbox *s, const char *const argv[], int ready_fd, int go_fd)
{
    char byte;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    root_make(s);
    must(unshare(CLONE_NEWUSER), "user namespace");
    if (write(ready_fd, "x", 1) != 1 || read(go_fd, &byte, 1) != 1)
        _exit(125); /* the worker says why */
    must(setgroups(0, NULL), "groups");
    must(setresgid(0, 0, 0), "group");
    must(setresuid(0, 0, 0), "user");
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* lost with the change of user */
    int spaces = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS;
    must(unshare(spaces | (s->network ? 0 : CLONE_NEWNET)), "namespaces");
    pid_t pid = fork();
    if (pid == 0)
        init_run(s, argv);
    int status = 0;
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR)
            give_up("wait");
    }
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 125);
}

/* ---- outside ---- */

static int map_write(pid_t pid, const char *name, uint32_t first, struct err *err)
{
    char path[64], text[64];
    snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
    int len = snprintf(text, sizeof(text), "0 %u %u\n", first, INSTANCE_IDS);
    cleanup(fd_closep) int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, text, (size_t)len) != len)
        return err_errno(err, errno, "cannot map the ids of a sandbox");
    return 0;
}

static int maps_write(const struct work *w, pid_t pid, int ready_fd, int go_fd, struct err *err)
{
    char byte;
    ssize_t n;
    do {
        n = read(ready_fd, &byte, 1);
    } while (n < 0 && errno == EINTR);
    if (n != 1)
        return 0; /* it has ended and said why */
    int rc = map_write(pid, "uid_map", w->in->storage_id, err);
    if (rc == 0)
        rc = map_write(pid, "gid_map", w->in->storage_id, err);
    if (rc == 0 && write(go_fd, "x", 1) != 1)
        rc = err_errno(err, errno, "cannot start a sandbox");
    return rc;
}

struct lines {
    const struct sandbox *s;
    char *words; /* the last line that is not empty */
    char line[ERR_TEXT_MAX];
    size_t len;
};

static void lines_end(struct lines *l)
{
    l->line[l->len] = '\0';
    l->len = 0;
    if (l->line[0] == '\0')
        return;
    if (l->words != NULL)
        str_copy(l->words, ERR_TEXT_MAX, l->line);
    if (l->s->on_line != NULL)
        l->s->on_line(l->s->arg, l->line);
}

static void lines_read(struct lines *l, int fd)
{
    char chunk[4096];
    for (;;) {
        ssize_t n = read(fd, chunk, sizeof(chunk));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        for (ssize_t i = 0; i < n; i++) {
            if (chunk[i] == '\n' || chunk[i] == '\r')
                lines_end(l);
            else if (l->len < sizeof(l->line) - 1)
                l->line[l->len++] = (unsigned char)chunk[i] < 0x20 ? ' ' : chunk[i];
        }
    }
    lines_end(l);
}

struct pipes {
    int ready[2], go[2], out[2];
};

static void pipes_done(struct pipes *p)
{
    int *fds[] = {&p->ready[0], &p->ready[1], &p->go[0], &p->go[1], &p->out[0], &p->out[1]};
    for (size_t i = 0; i < ARRAY_LEN(fds); i++)
        fd_closep(fds[i]);
}

static pid_t sandbox_fork(const struct sandbox *s, const char *const argv[], struct pipes *p)
{
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    int in = fcntl(s->in_fd >= 0 ? s->in_fd : null, F_DUPFD_CLOEXEC, 10);
    int out = fcntl(s->out_fd >= 0 ? s->out_fd : p->out[1], F_DUPFD_CLOEXEC, 10);
    int lines = fcntl(p->out[1], F_DUPFD_CLOEXEC, 10);
    int ready = fcntl(p->ready[1], F_DUPFD_CLOEXEC, 10), go = fcntl(p->go[0], F_DUPFD_CLOEXEC, 10);
    signal(SIGPIPE, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    dup2(in, 0);
    dup2(out, 1);
    dup2(lines, 2);
    /* Nothing of the runner's own is open in there: only the two pipes, until the exec. */
    for (int fd = 3; fd < 10; fd++)
        close(fd);
    int low = ready < go ? ready : go, high = ready < go ? go : ready;
    close_range(10, (unsigned)low - 1, 0);
    if (high - low > 1)
        close_range((unsigned)low + 1, (unsigned)high - 1, 0);
    close_range((unsigned)high + 1, ~0u, 0);
    sandbox_child(s, argv, ready, go);
}

int sandbox_run(const struct work *w, const struct sandbox *s, const char *const argv[],
                int *ret_code, char ret_words[ERR_TEXT_MAX], struct err *err)
{
    cleanup(pipes_done) struct pipes p = {{-1, -1}, {-1, -1}, {-1, -1}};
    char words[ERR_TEXT_MAX] = "";
    struct lines lines = {.s = s, .words = words};
    int status = 0;
    if (pipe2(p.ready, O_CLOEXEC) != 0 || pipe2(p.go, O_CLOEXEC) != 0 ||
        pipe2(p.out, O_CLOEXEC) != 0)
        return err_errno(err, errno, "cannot start a sandbox");
    pid_t pid = sandbox_fork(s, argv, &p);
    if (pid < 0)
        return err_errno(err, errno, "cannot start a sandbox");
    fd_closep(&p.ready[1]);
    fd_closep(&p.go[0]);
    fd_closep(&p.out[1]);
    int rc = maps_write(w, pid, p.ready[0], p.go[1], err);
    if (rc != 0)
        kill(pid, SIGKILL);
    lines_read(&lines, p.out[0]);
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR)
            return err_errno(err, errno, "cannot wait for a sandbox");
    }
    if (ret_words != NULL)
        str_copy(ret_words, ERR_TEXT_MAX, words);
    if (rc != 0)
        return rc;
    if (!WIFEXITED(status) || WEXITSTATUS(status) == 125)
        return err_set(err, BERR_INTERNAL, "the sandbox failed: %.300s", words);
    *ret_code = WEXITSTATUS(status);
    return 0;
}
