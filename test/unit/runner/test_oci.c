#include "testlib.h"

#include "js/js.h"
#include "runner/oci.h"

static const char *layers[] = {"x"};
static const char *command[] = {"python3", "a b.py"};
static struct js_pair env[] = {{"A", "1"}};
static struct wire_mount mounts[] = {{.volume = 1, .path = "/home/ada"},
                                     {.volume = 2, .path = "/data", .read_only = true}};

static struct wire_task_create order = {
    .key = {1, 1, 1, 0},
    .user_name = "ada",
    .hostname = "worker-0",
    .layers = {layers, 1},
    .command = {command, 2},
    .env = {env, 1},
    .code = "y",
    .volumes = {mounts, 2},
    .cpu_milli = 1500,
    .memory_bytes = 1 << 30,
    .shm_bytes = 5 << 20,
};

static struct js_doc *write_config(void)
{
    struct js_doc *doc = NULL;
    struct err err = {0};
    cleanup(buf_done) struct buf out = BUF(1 << 20);
    const struct oci_input input = {.order = &order,
                                    .mnt = "/run/x/mnt",
                                    .init = "/run/x/mnt/init",
                                    .cgroup = "/berth-x/k",
                                    .range = 131072,
                                    .files_max = 1024};
    oci_write(&input, &out);
    assert_false(buf_is_failed(&out));
    if (js_parse_json(out.data, out.len, &doc, &err) != 0)
        fail_msg("%s", err.text);
    return doc;
}

static yyjson_val *at(const struct js_doc *doc, const char *path)
{
    char name[64];
    yyjson_val *v = js_root(doc);
    for (const char *part = path; *part != '\0';) {
        size_t len = strcspn(part, ".");
        snprintf(name, sizeof(name), "%.*s", (int)len, part);
        v = yyjson_obj_get(v, name);
        part += len + (part[len] == '.');
    }
    if (v == NULL)
        fail_msg("there is no %s", path);
    return v;
}

static void test_limits(void **state)
{
    cleanup(js_doc_freep) struct js_doc *doc = write_config();
    assert_int_equal(yyjson_get_int(at(doc, "linux.resources.cpu.quota")), 150000);
    assert_int_equal(yyjson_get_int(at(doc, "linux.resources.memory.limit")), 1 << 30);
    assert_int_equal(yyjson_get_int(at(doc, "linux.resources.memory.swap")), 1 << 30);
    assert_int_equal(yyjson_get_int(at(doc, "linux.resources.pids.limit")), 4096);
    yyjson_val *rule = yyjson_arr_get(at(doc, "linux.resources.devices"), 0);
    assert_false(js_get_bool(rule, "allow", true)); /* nothing that is not named */
    assert_int_equal(yyjson_arr_size(at(doc, "linux.resources.devices")), 1);
}

static void test_ids(void **state)
{
    cleanup(js_doc_freep) struct js_doc *doc = write_config();
    static const char *const maps[] = {"linux.uidMappings", "linux.gidMappings"};
    for (size_t i = 0; i < ARRAY_LEN(maps); i++) {
        yyjson_val *map = yyjson_arr_get(at(doc, maps[i]), 0);
        assert_int_equal(js_get_i64(map, "containerID", -1), 0);
        assert_int_equal(js_get_i64(map, "hostID", -1), 131072);
        assert_int_equal(js_get_i64(map, "size", -1), 65536);
    }
}

/* The namespaces that keep tasks apart are all there. */
static void test_namespaces(void **state)
{
    cleanup(js_doc_freep) struct js_doc *doc = write_config();
    static const char *const want[] = {"user", "pid", "mount", "network", "ipc", "uts", "cgroup"};
    for (size_t i = 0; i < ARRAY_LEN(want); i++) {
        size_t k, max;
        yyjson_val *ns;
        bool found = false;
        yyjson_arr_foreach(at(doc, "linux.namespaces"), k, max, ns)
        {
            found = found || strcmp(js_get_str(ns, "type"), want[i]) == 0;
            assert_null(js_get_str(ns, "path"));
        }
        if (!found)
            fail_msg("no %s namespace", want[i]);
    }
}

static void test_capabilities(void **state)
{
    cleanup(js_doc_freep) struct js_doc *doc = write_config();
    static const char *const never[] = {"CAP_SYS_ADMIN", "CAP_SYS_PTRACE", "CAP_NET_ADMIN",
                                        "CAP_NET_RAW",   "CAP_MKNOD",      "CAP_SYS_MODULE"};
    size_t k, max;
    yyjson_val *cap;
    yyjson_arr_foreach(at(doc, "process.capabilities.bounding"), k, max, cap)
    {
        for (size_t i = 0; i < ARRAY_LEN(never); i++)
            assert_string_not_equal(yyjson_get_str(cap), never[i]);
    }
    assert_null(yyjson_obj_get(at(doc, "process.capabilities"), "inheritable"));
    assert_null(yyjson_obj_get(at(doc, "process.capabilities"), "ambient"));
}

static void test_process(void **state)
{
    cleanup(js_doc_freep) struct js_doc *doc = write_config();
    yyjson_val *args = at(doc, "process.args"), *vars = at(doc, "process.env");
    assert_string_equal(yyjson_get_str(yyjson_arr_get(args, 0)), "/.berth/init");
    assert_string_equal(yyjson_get_str(yyjson_arr_get(args, 2)), "a b.py");
    assert_int_equal(yyjson_arr_size(args), 3);
    assert_string_equal(yyjson_get_str(yyjson_arr_get(vars, 0)), "A=1");
    assert_string_equal(yyjson_get_str(yyjson_arr_get(vars, 1)), "HOME=/home/ada");
}

static bool has_option(yyjson_val *mount, const char *option)
{
    size_t k, max;
    yyjson_val *v;
    yyjson_arr_foreach(yyjson_obj_get(mount, "options"), k, max, v)
    {
        if (strcmp(yyjson_get_str(v), option) == 0)
            return true;
    }
    return false;
}

static void test_mounts(void **state)
{
    cleanup(js_doc_freep) struct js_doc *doc = write_config();
    size_t k, max, seen = 0;
    yyjson_val *m;
    yyjson_arr_foreach(at(doc, "mounts"), k, max, m)
    {
        const char *to = js_get_str(m, "destination"), *from = js_get_str(m, "source");
        seen += strcmp(to, "/home/ada") == 0 && strcmp(from, "/run/x/mnt/v0") == 0 &&
                !has_option(m, "ro") && has_option(m, "nosuid");
        seen +=
            strcmp(to, "/data") == 0 && strcmp(from, "/run/x/mnt/v1") == 0 && has_option(m, "ro");
        seen += strcmp(to, "/sys") == 0 && has_option(m, "ro");
        seen += strcmp(to, "/.berth/init") == 0 && has_option(m, "ro");
        seen += strcmp(to, "/code") == 0;
        seen += strcmp(to, "/dev/shm") == 0 && has_option(m, "size=5242880");
    }
    assert_int_equal(seen, 6);
}

static void test_seccomp(void **state)
{
    cleanup(js_doc_freep) struct js_doc *doc = write_config();
    static const char *const must[] = {
        "mount",      "bpf",     "keyctl",           "init_module",
        "setns",      "unshare", "userfaultfd",      "perf_event_open",
        "kexec_load", "clone3",  "open_by_handle_at"};
    yyjson_val *rules = at(doc, "linux.seccomp.syscalls"), *rule, *name;
    for (size_t i = 0; i < ARRAY_LEN(must); i++) {
        size_t k, kmax, n, nmax;
        bool found = false;
        yyjson_arr_foreach(rules, k, kmax, rule)
        {
            yyjson_arr_foreach(yyjson_obj_get(rule, "names"), n, nmax, name) found =
                found || strcmp(yyjson_get_str(name), must[i]) == 0;
            assert_string_equal(js_get_str(rule, "action"), "SCMP_ACT_ERRNO");
        }
        if (!found)
            fail_msg("%s is allowed", must[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limits),     cmocka_unit_test(test_ids),
        cmocka_unit_test(test_namespaces), cmocka_unit_test(test_capabilities),
        cmocka_unit_test(test_process),    cmocka_unit_test(test_mounts),
        cmocka_unit_test(test_seccomp),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
