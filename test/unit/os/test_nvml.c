/* GPUs through the stand-in driver library: what is there, what is sick, who uses it, and a
 * machine without any. argv[1]: the stand-in. */
#include "testlib.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include "os/nvml.h"

static const char *stand_in;

struct ctx {
    char dir[TEST_PATH_MAX], file[TEST_PATH_MAX + 16];
    struct os_gpus gpus;
};

static int setup(void **state)
{
    struct ctx *c = mem_calloc(1, sizeof(*c));
    assert_non_null(c);
    test_tmpdir_make(c->dir);
    snprintf(c->file, sizeof(c->file), "%s/gpus", c->dir);
    setenv("BERTH_FAKE_GPUS", c->file, 1);
    setenv("BERTH_NVML", stand_in, 1);
    *state = c;
    return 0;
}

static int teardown(void **state)
{
    struct ctx *c = *state;
    test_tmpdir_remove(c->dir);
    mem_free(c);
    return 0;
}

#define TWO_GPUS                                                                    \
    "driver 550.54.15\n"                                                            \
    "gpu\nmodel NVIDIA A100-SXM4-40GB\nuuid GPU-aaaa\nmemory 42949672960\nbus 1\n"  \
    "node /dev/null\nlink 1\n"                                                      \
    "gpu\nmodel NVIDIA A100-SXM4-40GB\nuuid GPU-bbbb\nmemory 42949672960\nbus 65\n" \
    "node /dev/zero\nlink 1\n"

static void test_reads_gpus(void **state)
{
    struct ctx *c = *state;
    test_write_file(c->file, TWO_GPUS);
    os_gpus_read(&c->gpus);
    assert_string_equal(c->gpus.reason, "");
    assert_string_equal(c->gpus.driver, "550.54.15");
    assert_int_equal(c->gpus.count, 2);
    const struct os_gpu *g = &c->gpus.gpu[1];
    assert_int_equal(g->index, 1);
    assert_string_equal(g->uuid, "GPU-bbbb");
    assert_string_equal(g->model, "NVIDIA A100-SXM4-40GB");
    assert_int_equal(g->memory_bytes, 42949672960);
    assert_string_equal(g->bus_id, "0000:41:00.0");
    assert_string_equal(g->node, "/dev/zero");
    assert_int_equal(g->major, 1);
    assert_int_equal(g->minor, 5);
    assert_true(g->healthy);
    assert_string_equal(g->why, "");
}

static void test_link_groups(void **state)
{
    struct ctx *c = *state;
    test_write_file(c->file, "gpu\nnode /dev/null\nlink 7\ngpu\nnode /dev/null\n"
                             "gpu\nnode /dev/null\nlink 9\ngpu\nnode /dev/null\nlink 7\n"
                             "gpu\nnode /dev/null\nlink 9\ngpu\nnode /dev/null\nlink 8\n");
    os_gpus_read(&c->gpus);
    assert_int_equal(c->gpus.count, 6);
    assert_int_not_equal(c->gpus.gpu[0].link_group, 0);
    assert_int_equal(c->gpus.gpu[0].link_group, c->gpus.gpu[3].link_group);
    assert_int_equal(c->gpus.gpu[2].link_group, c->gpus.gpu[4].link_group);
    assert_int_not_equal(c->gpus.gpu[0].link_group, c->gpus.gpu[2].link_group);
    assert_int_equal(c->gpus.gpu[1].link_group, 0);
    assert_int_equal(c->gpus.gpu[5].link_group, 0); /* alone: linked to nobody */
}

static void test_sick_gpus_say_why(void **state)
{
    struct ctx *c = *state;
    test_write_file(c->file, "gpu\nnode /dev/null\necc 3\ngpu\nnode /dev/null\nlost 1\n"
                             "gpu\nnode /no/such\ngpu\nnode /dev/null\nremap-failed 1\n"
                             "gpu\nnode /dev/null\n");
    os_gpus_read(&c->gpus);
    assert_int_equal(c->gpus.count, 5);
    for (int i = 0; i < 4; i++)
        assert_false(c->gpus.gpu[i].healthy);
    assert_non_null(strstr(c->gpus.gpu[0].why, "3 uncorrected"));
    assert_non_null(strstr(c->gpus.gpu[1].why, "bus"));
    assert_non_null(strstr(c->gpus.gpu[2].why, "device node"));
    assert_non_null(strstr(c->gpus.gpu[3].why, "rows"));
    assert_true(c->gpus.gpu[4].healthy);
}

static void test_no_driver_is_no_gpu_and_a_reason(void **state)
{
    struct ctx *c = *state;
    setenv("BERTH_NVML", "/no/such/library.so", 1);
    os_gpus_read(&c->gpus);
    assert_int_equal(c->gpus.count, 0);
    assert_non_null(strstr(c->gpus.reason, "/no/such/library.so"));
    setenv("BERTH_NVML", "libyyjson.so.0", 1); /* a library, but another one */
    os_gpus_read(&c->gpus);
    assert_int_equal(c->gpus.count, 0);
    assert_true(c->gpus.reason[0] != '\0');
}

static void test_sleeping_driver_is_no_gpu_and_a_reason(void **state)
{
    struct ctx *c = *state;
    test_write_file(c->file, "fail 9\n");
    os_gpus_read(&c->gpus);
    assert_int_equal(c->gpus.count, 0);
    assert_non_null(strstr(c->gpus.reason, "Driver Not Loaded"));
    test_write_file(c->file, "driver 1\n");
    os_gpus_read(&c->gpus);
    assert_int_equal(c->gpus.count, 0);
    assert_non_null(strstr(c->gpus.reason, "no GPU"));
}

static void test_health_is_read_anew(void **state)
{
    struct ctx *c = *state;
    struct os_nvml *n = NULL;
    struct err err;
    test_write_file(c->file, TWO_GPUS);
    assert_int_equal(os_nvml_open(NULL, &n, &err), 0);
    os_nvml_read(n, &c->gpus);
    assert_true(c->gpus.gpu[1].healthy);
    test_write_file(c->file, TWO_GPUS "ecc 1\n");
    os_nvml_read(n, &c->gpus);
    assert_true(c->gpus.gpu[0].healthy);
    assert_false(c->gpus.gpu[1].healthy);
    os_nvml_close(n);
}

static void test_processes(void **state)
{
    struct ctx *c = *state;
    struct os_nvml *n = NULL;
    struct err err;
    pid_t pids[2] = {0};
    test_write_file(c->file, TWO_GPUS "pids 12 13 14\n");
    assert_int_equal(os_nvml_open(NULL, &n, &err), 0);
    assert_int_equal(os_nvml_processes(n, 0, pids, 2, &err), 0);
    assert_int_equal(os_nvml_processes(n, 1, pids, 2, &err), 3);
    assert_int_equal(pids[0], 12);
    assert_int_equal(pids[1], 13);
    assert_true(os_nvml_processes(n, 5, pids, 2, &err) < 0);
    os_nvml_close(n);
}

static bool holds(uint32_t major_number, uint32_t minor_number)
{
    pid_t pids[512];
    struct err err;
    int count = os_device_holders(major_number, minor_number, pids, ARRAY_LEN(pids), &err);
    assert_true(count >= 0);
    for (int i = 0; i < count && i < (int)ARRAY_LEN(pids); i++)
        if (pids[i] == getpid())
            return true;
    return false;
}

static void test_holders_are_found(void **state)
{
    struct stat st;
    (void)state;
    assert_int_equal(stat("/dev/full", &st), 0);
    assert_false(holds(major(st.st_rdev), minor(st.st_rdev)));
    int fd = open("/dev/full", O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_true(holds(major(st.st_rdev), minor(st.st_rdev)));
    close(fd);
    assert_false(holds(major(st.st_rdev), minor(st.st_rdev)));
}

static int count_library(void *arg, const char *path)
{
    int *count = arg;
    assert_non_null(strstr(path, ".so.550.54.15"));
    return ++*count == 10 ? 5 : 0;
}

static void test_libraries_of_one_version(void **state)
{
    struct ctx *c = *state;
    struct err err;
    char path[TEST_PATH_MAX + 64];
    static const char *const names[] = {"libcuda.so.550.54.15", "libnvidia-ml.so.550.54.15",
                                        "libcuda.so.1", "libz.so.1", "libcuda.so.1550.54.15x"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        snprintf(path, sizeof(path), "%s/%s", c->dir, names[i]);
        test_write_file(path, "");
    }
    int count = 0;
    assert_int_equal(os_gpu_libraries_in(c->dir, "550.54.15", count_library, &count, &err), 0);
    assert_int_equal(count, 2);
    count = 9;
    assert_int_equal(os_gpu_libraries_in(c->dir, "550.54.15", count_library, &count, &err), 5);
    assert_true(os_gpu_libraries_in("/no/such", "1", count_library, &count, &err) < 0);
}

int main(int argc, char **argv)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_reads_gpus),
        T(test_link_groups),
        T(test_sick_gpus_say_why),
        T(test_no_driver_is_no_gpu_and_a_reason),
        T(test_sleeping_driver_is_no_gpu_and_a_reason),
        T(test_health_is_read_anew),
        T(test_processes),
        T(test_holders_are_found),
        T(test_libraries_of_one_version),
    };
#undef T
    if (argc < 2) {
        fprintf(stderr, "usage: %s libfakenvml.so\n", argv[0]);
        return 2;
    }
    stand_in = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
