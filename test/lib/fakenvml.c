/*
 * A stand-in for NVIDIA's libnvidia-ml.so.1: GPUs as told by the text file in BERTH_FAKE_GPUS,
 * read anew at every call, so that a test may change a GPU's health or processes while berth
 * looks on. Build as a shared object and point BERTH_NVML to it. Lines:
 *
 *     driver 550.54.15          version
 *     fail 9                    nvmlInit answers this code
 *     gpu                       a new GPU; the lines below are its
 *     model NVIDIA A100-SXM4-40GB
 *     uuid GPU-…                memory 42949672960      (bytes)
 *     bus 1                     minor 0                 node /tmp/x/nvidia0
 *     link 1                    GPUs with the same number have NVLink
 *     ecc 2                     uncorrected errors      remap-failed 1
 *     lost 1                    fell off the bus        pids 12 13
 *
 * It plays the driver only as far as src/os/nvml.c asks. Functions and codes are NVML's.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GPUS 64
#define PIDS 16

struct fake_gpu {
    char model[96], uuid[96], node[256];
    unsigned long long memory, ecc;
    unsigned index, bus, minor, link, lost, remap_failed, pids[PIDS], pid_count;
};

static struct fake_gpu gpus[GPUS];
static unsigned gpu_count;
static char driver[64];
static int fail_code;

static void read_line(char *line)
{
    char *value = strchr(line, ' ');
    struct fake_gpu *g = gpu_count == 0 ? NULL : &gpus[gpu_count - 1];
    if (value != NULL)
        *value++ = '\0';
    else
        value = line + strlen(line);
    unsigned long long number = strtoull(value, NULL, 10);
    if (strcmp(line, "driver") == 0) {
        snprintf(driver, sizeof(driver), "%s", value);
    } else if (strcmp(line, "fail") == 0) {
        fail_code = (int)number;
    } else if (strcmp(line, "gpu") == 0 && gpu_count < GPUS) {
        memset(&gpus[gpu_count], 0, sizeof(gpus[0]));
        gpus[gpu_count].index = gpu_count;
        gpus[gpu_count].bus = gpus[gpu_count].minor = gpu_count;
        gpu_count++;
    } else if (g == NULL) {
        return;
    } else if (strcmp(line, "model") == 0) {
        snprintf(g->model, sizeof(g->model), "%s", value);
    } else if (strcmp(line, "uuid") == 0) {
        snprintf(g->uuid, sizeof(g->uuid), "%s", value);
    } else if (strcmp(line, "node") == 0) {
        snprintf(g->node, sizeof(g->node), "%s", value);
    } else if (strcmp(line, "memory") == 0) {
        g->memory = number;
    } else if (strcmp(line, "ecc") == 0) {
        g->ecc = number;
    } else if (strcmp(line, "bus") == 0) {
        g->bus = (unsigned)number;
    } else if (strcmp(line, "minor") == 0) {
        g->minor = (unsigned)number;
    } else if (strcmp(line, "link") == 0) {
        g->link = (unsigned)number;
    } else if (strcmp(line, "lost") == 0) {
        g->lost = (unsigned)number;
    } else if (strcmp(line, "remap-failed") == 0) {
        g->remap_failed = (unsigned)number;
    } else if (strcmp(line, "pids") == 0) {
        for (char *end; g->pid_count < PIDS; value = end) {
            unsigned long pid = strtoul(value, &end, 10);
            if (end == value)
                break;
            g->pids[g->pid_count++] = (unsigned)pid;
        }
    }
}

static void read_file(void)
{
    const char *path = getenv("BERTH_FAKE_GPUS");
    char line[512];
    gpu_count = 0;
    fail_code = 0;
    snprintf(driver, sizeof(driver), "0.0");
    FILE *file = path == NULL ? NULL : fopen(path, "re");
    if (file == NULL)
        return;
    while (fgets(line, sizeof(line), file) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        read_line(line);
    }
    fclose(file);
}

#define EXPORT __attribute__((visibility("default")))
/* Prototypes come from the callers' side, which declares none by name. */
#pragma GCC diagnostic ignored "-Wmissing-prototypes"

enum { OK = 0, INVALID = 2, NOT_SUPPORTED = 3, TOO_SMALL = 7, LOST = 15 };

static int text_out(const char *text, char *dst, unsigned len)
{
    if (strlen(text) + 1 > len)
        return TOO_SMALL;
    snprintf(dst, len, "%s", text);
    return OK;
}

/* A handle is the GPU's number plus one, so that it survives reading anew. */
static const struct fake_gpu *gpu_of(void *device, int *ret_code)
{
    size_t number = (size_t)device;
    read_file();
    *ret_code = number == 0 || number > gpu_count ? INVALID : gpus[number - 1].lost ? LOST : OK;
    return *ret_code == OK ? &gpus[number - 1] : NULL;
}

EXPORT int nvmlInit_v2(void)
{
    read_file();
    return fail_code;
}

EXPORT int nvmlShutdown(void)
{
    return OK;
}

EXPORT const char *nvmlErrorString(int code)
{
    return code == 9 ? "Driver Not Loaded" : code == LOST ? "GPU is lost" : "Unknown Error";
}

EXPORT int nvmlSystemGetDriverVersion(char *text, unsigned len)
{
    read_file();
    return text_out(driver, text, len);
}

EXPORT int nvmlDeviceGetCount_v2(unsigned *count)
{
    read_file();
    *count = gpu_count;
    return OK;
}

EXPORT int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **device)
{
    read_file();
    if (index >= gpu_count)
        return INVALID;
    *device = (void *)(size_t)(index + 1);
    return gpus[index].lost ? LOST : OK;
}

EXPORT int nvmlDeviceGetName(void *device, char *text, unsigned len)
{
    int code;
    const struct fake_gpu *g = gpu_of(device, &code);
    return g == NULL ? code : text_out(g->model, text, len);
}

EXPORT int nvmlDeviceGetUUID(void *device, char *text, unsigned len)
{
    int code;
    const struct fake_gpu *g = gpu_of(device, &code);
    return g == NULL ? code : text_out(g->uuid, text, len);
}

EXPORT int nvmlDeviceGetMinorNumber(void *device, unsigned *number)
{
    int code;
    const struct fake_gpu *g = gpu_of(device, &code);
    if (g != NULL)
        *number = g->minor;
    return code;
}

EXPORT int nvmlBerthDeviceNode(void *device, char *text, unsigned len)
{
    int code;
    const struct fake_gpu *g = gpu_of(device, &code);
    return g == NULL ? code : text_out(g->node, text, len);
}

EXPORT int nvmlDeviceGetMemoryInfo(void *device, unsigned long long memory[3])
{
    int code;
    const struct fake_gpu *g = gpu_of(device, &code);
    if (g != NULL) {
        memory[0] = memory[1] = g->memory;
        memory[2] = 0;
    }
    return code;
}

struct pci {
    char legacy[16];
    unsigned domain, bus, device, id, subsystem;
    char bus_id[32];
};

EXPORT int nvmlDeviceGetPciInfo_v3(void *device, struct pci *pci)
{
    int code;
    const struct fake_gpu *g = gpu_of(device, &code);
    if (g != NULL) {
        memset(pci, 0, sizeof(*pci));
        pci->bus = g->bus;
    }
    return code;
}

EXPORT int nvmlDeviceGetP2PStatus(void *a, void *b, int index, int *status)
{
    int code;
    const struct fake_gpu *x = gpu_of(a, &code);
    unsigned link = x == NULL ? 0 : x->link;
    const struct fake_gpu *y = x == NULL ? NULL : gpu_of(b, &code);
    if (y != NULL)
        *status = index == 2 && link != 0 && link == y->link ? 0 : 1;
    return code;
}

EXPORT int nvmlDeviceGetTotalEccErrors(void *device, int type, int counter,
                                       unsigned long long *count)
{
    int code;
    const struct fake_gpu *g = gpu_of(device, &code);
    (void)counter;
    if (g != NULL)
        *count = type == 1 ? g->ecc : 0;
    return code;
}

EXPORT int nvmlDeviceGetRemappedRows(void *device, unsigned *corrected, unsigned *uncorrected,
                                     unsigned *pending, unsigned *failed)
{
    int code;
    const struct fake_gpu *g = gpu_of(device, &code);
    if (g != NULL) {
        *corrected = *uncorrected = *pending = 0;
        *failed = g->remap_failed;
    }
    return code;
}

struct process {
    unsigned pid;
    unsigned long long memory;
    unsigned instance, compute_instance;
};

EXPORT int nvmlDeviceGetComputeRunningProcesses_v3(void *device, unsigned *count,
                                                   struct process *infos)
{
    int code;
    const struct fake_gpu *g = gpu_of(device, &code);
    if (g == NULL)
        return code;
    if (*count < g->pid_count) {
        *count = g->pid_count;
        return TOO_SMALL;
    }
    *count = g->pid_count;
    for (unsigned i = 0; i < g->pid_count; i++)
        infos[i] = (struct process){.pid = g->pids[i]};
    return OK;
}
