/* inventory: what the machine has. */
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <unistd.h>
#include "base/alloc.h"
#include "base/str.h"
#include "os/cgroup.h"
#include "runner/files.h"
#include "runner/gpu.h"

static const char *os_name(struct arena *arena)
{
    FILE *f = fopen("/etc/os-release", "re");
    char line[256], name[128] = "Linux";
    while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
        if (sscanf(line, "PRETTY_NAME=\"%127[^\"]", name) == 1)
            break;
    }
    if (f != NULL)
        fclose(f);
    return arena_strdup(arena, name);
}

/* The first line of `crun --version` says it. */
static const char *runtime_name(const struct work *w)
{
    char text[128];
    int fds[2];
    const char *const argv[] = {w->in->runtime, "--version", NULL};
    if (pipe(fds) != 0)
        return w->in->runtime;
    int rc = work_run(argv, -1, fds[1], NULL);
    close(fds[1]);
    ssize_t n = rc == 0 ? read(fds[0], text, sizeof(text) - 1) : 0;
    close(fds[0]);
    text[n > 0 ? n : 0] = '\0';
    text[strcspn(text, "\n")] = '\0';
    char *version = strstr(text, " version ");
    if (version == NULL)
        return w->in->runtime;
    *version = '\0';
    return arena_printf(w->arena, "%s %s", text, version + strlen(" version "));
}

int work_inventory(const struct work *w, const void *args, void *reply, struct err *err)
{
    struct wire_inventory *ret = reply;
    struct utsname uts;
    struct statvfs fs;
    (void)args;
    if (uname(&uts) != 0 || fstatvfs(w->in->data_fd, &fs) != 0)
        return err_set(err, BERR_IO, "cannot look at this machine");
    ret->hostname = arena_strdup(w->arena, uts.nodename);
    ret->kernel = arena_strdup(w->arena, uts.release);
    ret->os = os_name(w->arena);
    ret->cgroup = os_cgroup_mode_name(os_cgroup_mode());
    ret->runtime = runtime_name(w);
    ret->cpu_milli = sysconf(_SC_NPROCESSORS_ONLN) * 1000;
    ret->memory_bytes = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    ret->disk_bytes = (uint64_t)fs.f_blocks * fs.f_frsize;
    ret->disk_free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
    return gpu_inventory(w, ret, err);
}
