#include "runner/gpu.h"
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "base/alloc.h"
#include "base/str.h"
#include "os/nvml.h"

#define HOLDERS_MAX 64

#if defined(__aarch64__)
#define LIBRARY_DIR "/usr/lib/aarch64-linux-gnu"
#else
#define LIBRARY_DIR "/usr/lib/x86_64-linux-gnu"
#endif

/* ---- what a task gets ---- */

static const struct os_gpu *gpu_find(const struct os_gpus *gpus, const char *uuid)
{
    for (uint32_t i = 0; i < gpus->count; i++)
        if (str_is_equal(gpus->gpu[i].uuid, uuid))
            return &gpus->gpu[i];
    return NULL;
}

/* A stand-in's node lies elsewhere and gets the name that it would have. */
static void node_of(const struct os_gpu *g, struct oci_gpu *ret)
{
    str_copy(ret->source, sizeof(ret->source), g->node);
    if (str_has_prefix(g->node, "/dev/"))
        str_copy(ret->path, sizeof(ret->path), g->node);
    else
        snprintf(ret->path, sizeof(ret->path), "/dev/nvidia%u", g->index);
    ret->major = g->major;
    ret->minor = g->minor;
}

int gpu_nodes(const struct js_strs *uuids, struct oci_gpu nodes[GPU_NODES_MAX], size_t *ret_count,
              struct err *err)
{
    const char *common[OS_GPU_COMMON_MAX];
    size_t count = 0;
    *ret_count = 0;
    if (uuids->len == 0)
        return 0;
    cleanup(mem_freep) struct os_gpus *gpus = mem_alloc(sizeof(*gpus));
    if (gpus == NULL)
        return err_set(err, BERR_NOMEM, "no memory for the list of GPUs");
    os_gpus_read(gpus);
    for (size_t i = 0; i < uuids->len && i < LIMIT_GPUS_PER_NODE; i++) {
        const struct os_gpu *g = gpu_find(gpus, uuids->items[i]);
        if (g == NULL)
            return err_set(err, BERR_NOT_FOUND, "GPU %s is not on this machine%s%s",
                           uuids->items[i], gpus->count == 0 ? ": " : "", gpus->reason);
        if (g->major == 0)
            return err_set(err, BERR_UNAVAILABLE, "GPU %s: %s", uuids->items[i], g->why);
        node_of(g, &nodes[count++]);
    }
    os_gpu_common_nodes(common);
    for (size_t i = 0; common[i] != NULL && count < GPU_NODES_MAX; i++) {
        struct os_gpu g = {0};
        str_copy(g.node, sizeof(g.node), common[i]);
        if (os_device_numbers(common[i], &g.major, &g.minor))
            node_of(&g, &nodes[count++]);
    }
    *ret_count = count;
    return 0;
}

/* What a program that computes needs of the driver; graphics and the rest stay away. */
static bool is_wanted_library(const char *name)
{
    static const char *const wanted[] = {
        "libcuda.so.",        "libnvidia-ml.so.",      "libnvidia-ptxjitcompiler.so.",
        "libnvidia-nvvm.so.", "libnvidia-gpucomp.so.", "libcudadebugger.so."};
    for (size_t i = 0; i < ARRAY_LEN(wanted); i++)
        if (str_has_prefix(name, wanted[i]))
            return true;
    return false;
}

struct libraries {
    gpu_library_fn *fn;
    void *arg;
};

/* Under its own name, and under the one that programs are linked with. */
static int library_take(void *arg, const char *path)
{
    const struct libraries *l = arg;
    const char *name = strrchr(path, '/') + 1;
    char inside[256];
    if (!is_wanted_library(name))
        return 0;
    snprintf(inside, sizeof(inside), LIBRARY_DIR "/%s", name);
    l->fn(l->arg, path, inside);
    snprintf(inside, sizeof(inside), LIBRARY_DIR "/%.*s.so.1", (int)(strstr(name, ".so.") - name),
             name);
    l->fn(l->arg, path, inside);
    return 0;
}

void gpu_libraries(gpu_library_fn *fn, void *arg)
{
    struct libraries l = {.fn = fn, .arg = arg};
    struct os_nvml *n = NULL;
    if (os_nvml_open(NULL, &n, NULL) != 0)
        return;
    (void)os_gpu_libraries(n, library_take, &l, NULL);
    os_nvml_close(n);
}

/* ---- inventory ---- */

static bool proc_read(pid_t pid, const char *file, char *dst, size_t size)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
    cleanup(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, dst, size - 1);
    if (n < 0)
        return false;
    dst[n] = '\0';
    return true;
}

/* Neither a task of this instance, nor one of those that only watch a GPU. */
static bool is_foreign(const struct instance *in, pid_t pid, char comm[32])
{
    static const char *const watchers[] = {"nvidia-persiste", "nvidia-smi", "nv-hostengine",
                                           "dcgm-exporter", "berth-runner"};
    char groups[4096], ours[32];
    snprintf(ours, sizeof(ours), "/berth-%s/", in->tag);
    if (!proc_read(pid, "comm", comm, 32) || !proc_read(pid, "cgroup", groups, sizeof(groups)))
        return false; /* it ended */
    comm[strcspn(comm, "\n")] = '\0';
    for (size_t i = 0; i < ARRAY_LEN(watchers); i++)
        if (str_is_equal(comm, watchers[i]))
            return false;
    return strstr(groups, ours) == NULL;
}

static const char *foreign_of(const struct work *w, const struct os_gpu *g)
{
    pid_t pids[HOLDERS_MAX];
    char comm[32];
    if (g->major == 0)
        return NULL;
    int count = os_device_holders(g->major, g->minor, pids, HOLDERS_MAX, NULL);
    for (int i = 0; i < count && i < HOLDERS_MAX; i++)
        if (is_foreign(w->in, pids[i], comm))
            return arena_printf(w->arena, "process %d (%s), not berth's, uses it", (int)pids[i],
                                comm);
    return NULL;
}

static int gpu_describe(const struct work *w, const struct os_gpu *g, struct wire_gpu *ret,
                        struct err *err)
{
    *ret = (struct wire_gpu){.index = g->index,
                             .uuid = arena_strdup(w->arena, g->uuid),
                             .model = arena_strdup(w->arena, g->model),
                             .bus_id = arena_strdup(w->arena, g->bus_id),
                             .path = arena_strdup(w->arena, g->node),
                             .memory_bytes = g->memory_bytes,
                             .numa = g->numa,
                             .link_group = g->link_group,
                             .major = g->major,
                             .minor = g->minor,
                             .healthy = g->healthy,
                             .why = arena_strdup(w->arena, g->why),
                             .foreign = foreign_of(w, g)};
    if (ret->uuid == NULL || ret->model == NULL || ret->bus_id == NULL || ret->path == NULL ||
        ret->why == NULL)
        return err_set(err, BERR_NOMEM, "no memory for the list of GPUs");
    return 0;
}

int gpu_inventory(const struct work *w, struct wire_inventory *ret, struct err *err)
{
    struct os_gpus *gpus = arena_alloc(w->arena, sizeof(*gpus));
    struct wire_gpu *items = arena_array(w->arena, LIMIT_GPUS_PER_NODE, sizeof(*items));
    if (gpus == NULL || items == NULL)
        return err_set(err, BERR_NOMEM, "no memory for the list of GPUs");
    os_gpus_read(gpus);
    ret->driver = gpus->driver;
    ret->gpus = (struct js_list){.items = items, .len = gpus->count};
    for (uint32_t i = 0; i < gpus->count; i++) {
        int rc = gpu_describe(w, &gpus->gpu[i], &items[i], err);
        if (rc != 0)
            return rc;
    }
    return 0;
}
