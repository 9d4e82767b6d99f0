/* Functions, structs and constants are NVML's, from its published API reference; only what is
 * used here is declared, so that no header of the driver is needed to build. */
#include "os/nvml.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/alloc.h"
#include "base/str.h"

/* ---- NVML ---- */

struct nvml_device; /* NVML's handle */

enum {
    NVML_SUCCESS = 0,
    NVML_NOT_SUPPORTED = 3,
    NVML_INSUFFICIENT_SIZE = 7,
    NVML_GPU_IS_LOST = 15,
    NVML_P2P_NVLINK = 2, /* nvmlGpuP2PCapsIndex_t */
    NVML_P2P_OK = 0,
    NVML_ERROR_UNCORRECTED = 1,
    NVML_VOLATILE_ECC = 0,
};

struct nvml_memory {
    unsigned long long total, free, used;
};

/* nvmlPciInfo_t; the versions differ behind `device` only. */
struct nvml_pci {
    char legacy[16];
    unsigned domain, bus, device, id, subsystem;
    char rest[64];
};

/* nvmlProcessInfo_v2_t and, before _v2, without the last two. */
struct nvml_process {
    unsigned pid;
    unsigned long long memory;
    unsigned instance, compute_instance;
};
struct nvml_process_v1 {
    unsigned pid;
    unsigned long long memory;
};

typedef int nvml_plain_fn(void);
typedef int nvml_text_fn(char *text, unsigned len);
typedef int nvml_count_fn(unsigned *count);
typedef int nvml_handle_fn(unsigned index, struct nvml_device **device);
typedef int nvml_device_text_fn(struct nvml_device *device, char *text, unsigned len);
typedef int nvml_device_number_fn(struct nvml_device *device, unsigned *number);
typedef int nvml_memory_fn(struct nvml_device *device, struct nvml_memory *memory);
typedef int nvml_pci_fn(struct nvml_device *device, struct nvml_pci *pci);
typedef int nvml_p2p_fn(struct nvml_device *a, struct nvml_device *b, int index, int *status);
typedef int nvml_ecc_fn(struct nvml_device *device, int type, int counter,
                        unsigned long long *count);
typedef int nvml_remap_fn(struct nvml_device *device, unsigned *corrected, unsigned *uncorrected,
                          unsigned *pending, unsigned *failed);
typedef int nvml_processes_fn(struct nvml_device *device, unsigned *count, void *infos);
typedef const char *nvml_error_fn(int code);

struct os_nvml {
    void *library;
    nvml_plain_fn *init, *shutdown;
    nvml_text_fn *driver;
    nvml_count_fn *count;
    nvml_handle_fn *handle;
    nvml_device_text_fn *name, *uuid, *node; /* node: a stand-in's only */
    nvml_device_number_fn *minor;
    nvml_memory_fn *memory;
    nvml_pci_fn *pci;
    nvml_p2p_fn *p2p;
    nvml_ecc_fn *ecc;
    nvml_remap_fn *remapped;
    nvml_processes_fn *compute, *graphics;
    size_t process_size;
    nvml_error_fn *error;
};

/* The newest of NAME_v3, NAME_v2, NAME; *ret_version (may be NULL) tells which. */
static void *find(void *library, const char *name, int *ret_version)
{
    char versioned[96];
    for (int version = 3; version >= 2; version--) {
        snprintf(versioned, sizeof(versioned), "%s_v%d", name, version);
        void *fn = dlsym(library, versioned);
        if (fn != NULL) {
            if (ret_version != NULL)
                *ret_version = version;
            return fn;
        }
    }
    if (ret_version != NULL)
        *ret_version = 1;
    return dlsym(library, name);
}

static void find_processes(struct os_nvml *n)
{
    int compute = 1, graphics = 1;
    n->compute = find(n->library, "nvmlDeviceGetComputeRunningProcesses", &compute);
    n->graphics = find(n->library, "nvmlDeviceGetGraphicsRunningProcesses", &graphics);
    n->process_size = compute >= 2 ? sizeof(struct nvml_process) : sizeof(struct nvml_process_v1);
    if (compute != graphics) /* one size serves both, or only the first is asked */
        n->graphics = NULL;
}

static int find_all(struct os_nvml *n, struct err *err)
{
    n->init = find(n->library, "nvmlInit", NULL);
    n->shutdown = find(n->library, "nvmlShutdown", NULL);
    n->count = find(n->library, "nvmlDeviceGetCount", NULL);
    n->handle = find(n->library, "nvmlDeviceGetHandleByIndex", NULL);
    n->uuid = find(n->library, "nvmlDeviceGetUUID", NULL);
    n->minor = find(n->library, "nvmlDeviceGetMinorNumber", NULL);
    n->driver = find(n->library, "nvmlSystemGetDriverVersion", NULL);
    n->name = find(n->library, "nvmlDeviceGetName", NULL);
    /* _v2 of this one has another struct; the plain one is everywhere */
    n->memory = (nvml_memory_fn *)dlsym(n->library, "nvmlDeviceGetMemoryInfo");
    n->pci = find(n->library, "nvmlDeviceGetPciInfo", NULL);
    n->p2p = find(n->library, "nvmlDeviceGetP2PStatus", NULL);
    n->ecc = find(n->library, "nvmlDeviceGetTotalEccErrors", NULL);
    n->remapped = find(n->library, "nvmlDeviceGetRemappedRows", NULL);
    n->error = (nvml_error_fn *)dlsym(n->library, "nvmlErrorString");
    n->node = (nvml_device_text_fn *)dlsym(n->library, "nvmlBerthDeviceNode");
    find_processes(n);
    if (n->init == NULL || n->shutdown == NULL || n->count == NULL || n->handle == NULL ||
        n->uuid == NULL || n->minor == NULL)
        return err_set(err, BERR_UNAVAILABLE, "the NVIDIA management library lacks functions");
    return 0;
}

static const char *words(const struct os_nvml *n, int code, char dst[32])
{
    const char *text = n->error == NULL ? NULL : n->error(code);
    if (text != NULL)
        return text;
    snprintf(dst, 32, "error %d", code);
    return dst;
}

int os_nvml_open(const char *path, struct os_nvml **ret, struct err *err)
{
    char number[32];
    if (path == NULL)
        path = getenv("BERTH_NVML");
    if (path == NULL || path[0] == '\0')
        path = "libnvidia-ml.so.1";
    struct os_nvml *n = mem_calloc(1, sizeof(*n));
    if (n == NULL)
        return err_set(err, BERR_NOMEM, "no memory for the GPU library");
    n->library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (n->library == NULL) {
        os_nvml_close(n);
        return err_set(err, BERR_NOT_FOUND, "no NVIDIA driver library (%s)", path);
    }
    int rc = find_all(n, err);
    if (rc == 0) {
        int code = n->init();
        if (code != NVML_SUCCESS) {
            n->init = NULL;
            rc = err_set(err, BERR_UNAVAILABLE, "the NVIDIA driver does not answer: %s",
                         words(n, code, number));
        }
    } else {
        n->init = NULL;
    }
    if (rc != 0) {
        os_nvml_close(n);
        return rc;
    }
    *ret = n;
    return 0;
}

struct os_nvml *os_nvml_close(struct os_nvml *n)
{
    if (n == NULL)
        return NULL;
    if (n->init != NULL)
        n->shutdown();
    if (n->library != NULL)
        dlclose(n->library);
    mem_free(n);
    return NULL;
}

/* ---- one GPU ---- */

static void unhealthy(struct os_gpu *g, const char *why)
{
    if (g->healthy)
        str_copy(g->why, sizeof(g->why), why);
    g->healthy = false;
}

/* Remembers the first thing that does not work; "not supported" is no fault. */
static bool works(const struct os_nvml *n, struct os_gpu *g, int code)
{
    char number[32];
    if (code == NVML_GPU_IS_LOST)
        unhealthy(g, "it has fallen off the bus");
    else if (code != NVML_SUCCESS && code != NVML_NOT_SUPPORTED)
        unhealthy(g, words(n, code, number));
    return code == NVML_SUCCESS;
}

static void read_bus(const struct os_nvml *n, struct nvml_device *device, struct os_gpu *g)
{
    struct nvml_pci pci = {0};
    char path[96], text[16] = "";
    g->numa = -1;
    if (n->pci == NULL || !works(n, g, n->pci(device, &pci)))
        return;
    snprintf(g->bus_id, sizeof(g->bus_id), "%04x:%02x:%02x.0", pci.domain & 0xffff, pci.bus & 0xff,
             pci.device & 0xff);
    snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/numa_node", g->bus_id);
    cleanup(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && read(fd, text, sizeof(text) - 1) > 0)
        g->numa = (int16_t)strtol(text, NULL, 10);
}

static void read_node(const struct os_nvml *n, struct nvml_device *device, struct os_gpu *g)
{
    unsigned number = 0;
    if (n->node != NULL) {
        if (!works(n, g, n->node(device, g->node, sizeof(g->node))))
            return;
    } else if (works(n, g, n->minor(device, &number))) {
        snprintf(g->node, sizeof(g->node), "/dev/nvidia%u", number);
    } else {
        return;
    }
    if (!os_device_numbers(g->node, &g->major, &g->minor))
        unhealthy(g, "its device node is missing");
}

static void read_health(const struct os_nvml *n, struct nvml_device *device, struct os_gpu *g)
{
    unsigned long long errors = 0;
    unsigned corrected = 0, uncorrected = 0, pending = 0, failed = 0;
    char text[96];
    if (n->ecc != NULL &&
        works(n, g, n->ecc(device, NVML_ERROR_UNCORRECTED, NVML_VOLATILE_ECC, &errors)) &&
        errors > 0) {
        snprintf(text, sizeof(text), "%llu uncorrected memory errors since the driver was loaded",
                 errors);
        unhealthy(g, text);
    }
    if (n->remapped != NULL &&
        works(n, g, n->remapped(device, &corrected, &uncorrected, &pending, &failed)) && failed)
        unhealthy(g, "bad memory rows could not be replaced");
}

static bool read_gpu(const struct os_nvml *n, unsigned index, struct os_gpu *g,
                     struct nvml_device **ret_device)
{
    struct nvml_memory memory = {0};
    struct nvml_device *device = NULL;
    char number[32];
    g->index = (uint16_t)index;
    g->healthy = true;
    g->numa = -1;
    int code = n->handle(index, &device);
    if (code != NVML_SUCCESS) {
        unhealthy(g,
                  code == NVML_GPU_IS_LOST ? "it has fallen off the bus" : words(n, code, number));
        return false;
    }
    works(n, g, n->uuid(device, g->uuid, sizeof(g->uuid)));
    if (n->name != NULL)
        works(n, g, n->name(device, g->model, sizeof(g->model)));
    if (n->memory != NULL && works(n, g, n->memory(device, &memory)))
        g->memory_bytes = memory.total;
    read_bus(n, device, g);
    read_node(n, device, g);
    read_health(n, device, g);
    *ret_device = device;
    return true;
}

/* Groups of GPUs with NVLink between them. A GPU joins the group of the first one that it
 * reaches; on real machines links are all-to-all within a group. */
static void read_links(const struct os_nvml *n, struct nvml_device *const *devices,
                       struct os_gpus *gpus)
{
    uint16_t groups = 0;
    if (n->p2p == NULL)
        return;
    for (uint32_t i = 1; i < gpus->count; i++) {
        for (uint32_t k = 0; k < i && gpus->gpu[i].link_group == 0; k++) {
            int status = -1;
            if (devices[i] == NULL || devices[k] == NULL ||
                n->p2p(devices[i], devices[k], NVML_P2P_NVLINK, &status) != NVML_SUCCESS ||
                status != NVML_P2P_OK)
                continue;
            if (gpus->gpu[k].link_group == 0)
                gpus->gpu[k].link_group = ++groups;
            gpus->gpu[i].link_group = gpus->gpu[k].link_group;
        }
    }
}

void os_nvml_read(struct os_nvml *n, struct os_gpus *ret)
{
    struct nvml_device *devices[LIMIT_GPUS_PER_NODE] = {NULL};
    unsigned count = 0;
    char number[32];
    memset(ret, 0, sizeof(*ret));
    if (n->driver != NULL && n->driver(ret->driver, sizeof(ret->driver)) != NVML_SUCCESS)
        ret->driver[0] = '\0';
    int code = n->count(&count);
    if (code != NVML_SUCCESS) {
        snprintf(ret->reason, sizeof(ret->reason), "the NVIDIA driver does not count GPUs: %s",
                 words(n, code, number));
        return;
    }
    if (count == 0)
        str_copy(ret->reason, sizeof(ret->reason), "the NVIDIA driver sees no GPU");
    ret->count = count < LIMIT_GPUS_PER_NODE ? count : LIMIT_GPUS_PER_NODE;
    for (uint32_t i = 0; i < ret->count; i++)
        read_gpu(n, i, &ret->gpu[i], &devices[i]);
    read_links(n, devices, ret);
}

void os_gpus_read(struct os_gpus *ret)
{
    struct os_nvml *n = NULL;
    struct err err;
    if (os_nvml_open(NULL, &n, &err) != 0) {
        memset(ret, 0, sizeof(*ret));
        str_copy(ret->reason, sizeof(ret->reason), err.text);
        return;
    }
    os_nvml_read(n, ret);
    os_nvml_close(n);
}

/* ---- who uses it ---- */

static int processes_of(const struct os_nvml *n, nvml_processes_fn *fn, struct nvml_device *device,
                        pid_t *pids, uint32_t max, int so_far, struct err *err)
{
    unsigned char infos[256 * sizeof(struct nvml_process)];
    unsigned count = 256;
    char number[32];
    int code = fn(device, &count, infos);
    if (code == NVML_NOT_SUPPORTED)
        return so_far;
    if (code != NVML_SUCCESS && code != NVML_INSUFFICIENT_SIZE)
        return err_set(err, BERR_UNAVAILABLE, "the NVIDIA driver does not tell its processes: %s",
                       words(n, code, number));
    for (unsigned i = 0; i < count && code == NVML_SUCCESS; i++) {
        unsigned pid;
        memcpy(&pid, infos + i * n->process_size, sizeof(pid));
        if ((uint32_t)so_far + i < max)
            pids[(uint32_t)so_far + i] = (pid_t)pid;
    }
    return so_far + (int)count;
}

int os_nvml_processes(struct os_nvml *n, uint16_t index, pid_t *ret_pids, uint32_t max,
                      struct err *err)
{
    struct nvml_device *device = NULL;
    char number[32];
    int total = 0, code = n->handle(index, &device);
    if (code != NVML_SUCCESS)
        return err_set(err, BERR_UNAVAILABLE, "GPU %u does not answer: %s", index,
                       words(n, code, number));
    if (n->compute != NULL)
        total = processes_of(n, n->compute, device, ret_pids, max, total, err);
    if (total >= 0 && n->graphics != NULL)
        total = processes_of(n, n->graphics, device, ret_pids, max, total, err);
    return total;
}

/* ---- libraries ---- */

int os_gpu_libraries(struct os_nvml *n, os_gpu_library_fn *fn, void *arg, struct err *err)
{
    char version[32] = "", path[PATH_MAX];
    Dl_info info;
    if (n->driver == NULL || n->driver(version, sizeof(version)) != NVML_SUCCESS)
        return err_set(err, BERR_UNAVAILABLE, "the NVIDIA driver does not tell its version");
    if (dladdr(dlsym(n->library, "nvmlErrorString"), &info) == 0 ||
        realpath(info.dli_fname, path) == NULL)
        return err_set(err, BERR_NOT_FOUND, "the NVIDIA driver's libraries were not found");
    *strrchr(path, '/') = '\0';
    return os_gpu_libraries_in(path, version, fn, arg, err);
}
