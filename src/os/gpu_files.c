/* What of a GPU lies in the file system: who has its node open, nodes all programs need, the
 * driver's libraries. */
#include "os/nvml.h"

#include <ctype.h>
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include "base/alloc.h"
#include "base/str.h"

static DIR *open_dir_at(int dir_fd, const char *name)
{
    int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    DIR *dir = fdopendir(fd);
    if (dir == NULL)
        close(fd);
    return dir;
}

static bool has_open(int proc_fd, const char *pid, dev_t wanted)
{
    char path[64];
    bool found = false;
    snprintf(path, sizeof(path), "%s/fd", pid);
    DIR *dir = open_dir_at(proc_fd, path);
    if (dir == NULL)
        return false; /* it ended, or has none */
    for (struct dirent *d; !found && (d = readdir(dir)) != NULL;) {
        struct stat st;
        found = d->d_name[0] != '.' && fstatat(dirfd(dir), d->d_name, &st, 0) == 0 &&
                S_ISCHR(st.st_mode) && st.st_rdev == wanted;
    }
    closedir(dir);
    return found;
}

/* A mapping outlives its descriptor: the lines of maps name the device of the file system, so the
 * inode is looked at through map_files. */
static bool has_mapped(int proc_fd, const char *pid, dev_t wanted)
{
    char path[64];
    bool found = false;
    snprintf(path, sizeof(path), "%s/map_files", pid);
    DIR *dir = open_dir_at(proc_fd, path);
    if (dir == NULL)
        return false;
    for (struct dirent *d; !found && (d = readdir(dir)) != NULL;) {
        struct stat st;
        found = d->d_name[0] != '.' && fstatat(dirfd(dir), d->d_name, &st, 0) == 0 &&
                S_ISCHR(st.st_mode) && st.st_rdev == wanted;
    }
    closedir(dir);
    return found;
}

int os_device_holders(uint32_t major_number, uint32_t minor_number, pid_t *ret_pids, uint32_t max,
                      struct err *err)
{
    dev_t wanted = makedev(major_number, minor_number);
    int count = 0;
    DIR *proc = opendir("/proc");
    if (proc == NULL)
        return err_errno(err, errno, "cannot read /proc");
    for (struct dirent *d; (d = readdir(proc)) != NULL;) {
        if (!isdigit((unsigned char)d->d_name[0]))
            continue;
        if (!has_open(dirfd(proc), d->d_name, wanted) &&
            !has_mapped(dirfd(proc), d->d_name, wanted))
            continue;
        if ((uint32_t)count < max)
            ret_pids[count] = (pid_t)strtol(d->d_name, NULL, 10);
        count++;
    }
    closedir(proc);
    return count;
}

bool os_device_numbers(const char *path, uint32_t *ret_major, uint32_t *ret_minor)
{
    struct stat st;
    if (stat(path, &st) != 0 || !S_ISCHR(st.st_mode))
        return false;
    *ret_major = major(st.st_rdev);
    *ret_minor = minor(st.st_rdev);
    return true;
}

void os_gpu_common_nodes(const char *ret_paths[OS_GPU_COMMON_MAX])
{
    static const char *const known[] = {"/dev/nvidiactl", "/dev/nvidia-uvm",
                                        "/dev/nvidia-uvm-tools", "/dev/nvidia-modeset"};
    uint32_t major_number, minor_number;
    int count = 0;
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (os_device_numbers(known[i], &major_number, &minor_number))
            ret_paths[count++] = known[i];
    ret_paths[count] = NULL;
}

int os_gpu_libraries_in(const char *dir_path, const char *version, os_gpu_library_fn *fn, void *arg,
                        struct err *err)
{
    char suffix[48], path[PATH_MAX];
    int rc = 0;
    snprintf(suffix, sizeof(suffix), ".so.%s", version);
    DIR *dir = opendir(dir_path);
    if (dir == NULL)
        return err_errno(err, errno, "cannot read %s", dir_path);
    for (struct dirent *d; rc == 0 && (d = readdir(dir)) != NULL;) {
        if (!str_has_suffix(d->d_name, suffix))
            continue;
        snprintf(path, sizeof(path), "%s/%s", dir_path, d->d_name);
        rc = fn(arg, path);
    }
    closedir(dir);
    return rc;
}
