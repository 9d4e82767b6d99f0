/* Fields that may be written in more than one way. */
#include "spec_help.h"

static const struct role_spec *role_of(const char *role_yaml, struct arena *arena,
                                       struct workload_spec *spec)
{
    char yaml[512];
    struct err err = {0};
    snprintf(yaml, sizeof(yaml), "command: [a]\nroles:\n  w: {%s}\n", role_yaml);
    int rc = spec_read(yaml, arena, spec, &err);
    if (rc != 0)
        fail_msg("%s: %d:%d %s (%s)", role_yaml, err.line, err.col, err.text, err.hint);
    return spec_role(spec, 0, NULL);
}

static void test_replicas(void **state)
{
    static const struct {
        const char *text;
        int64_t low, high;
    } cases[] = {
        {"4", 4, 4}, {"\"4\"", 4, 4}, {"2..8", 2, 8}, {"3..3", 3, 3}, {"4096", 4096, 4096}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct arena arena = ARENA(1 << 20);
        struct workload_spec spec;
        char text[64];
        snprintf(text, sizeof(text), "replicas: %s", cases[i].text);
        const struct role_spec *role = role_of(text, &arena, &spec);
        assert_int_equal(role->replicas, cases[i].low);
        assert_int_equal(role->replicas_max, cases[i].high);
        arena_done(&arena);
    }
    const char *wrong[] = {"0",         "-1",     "1.5",     "4097",
                           "\"\"",      "\"..\"", "\"2..\"", "\"..2\"",
                           "\"2...4\"", "[1]",    "true",    "99999999999999999999"};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        char yaml[128];
        snprintf(yaml, sizeof(yaml), "command: [a]\nroles:\n  w: {replicas: %s}\n", wrong[i]);
        spec_refuses(yaml, "roles.w.replicas", 3, 17, "from 1 to 4096", "2..8");
    }
    spec_refuses("command: [a]\nroles:\n  w: {replicas: 8..2}\n", "roles.w.replicas", 3, 17,
                 "backwards", "2..8");
}

static void test_gpu(void **state)
{
    static const struct {
        const char *text;
        int64_t milli;
        const char *model;
        uint64_t memory_gib;
    } cases[] = {
        {"1", 1000, NULL, 0},
        {"0.5", 500, NULL, 0},
        {"0", 0, NULL, 0},
        {"\"0.25\"", 250, NULL, 0},
        {"A100", 1000, "A100", 0},
        {"\"A100:2\"", 2000, "A100", 0},
        {"\"A100:0.5\"", 500, "A100", 0},
        {"\"NVIDIA A100-SXM4-40GB:1\"", 1000, "NVIDIA A100-SXM4-40GB", 0},
        {"{model: A100, count: 4, memory: 40G..}", 4000, "A100", 40},
        {"{memory: 80G}", 1000, NULL, 80},
        {"{count: 0.5}", 500, NULL, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct arena arena = ARENA(1 << 20);
        struct workload_spec spec;
        char text[128];
        snprintf(text, sizeof(text), "gpu: %s", cases[i].text);
        const struct role_spec *role = role_of(text, &arena, &spec);
        assert_int_equal(role->gpu.milli, cases[i].milli);
        if (cases[i].model == NULL)
            assert_null(role->gpu.model);
        else
            assert_string_equal(role->gpu.model, cases[i].model);
        assert_true(role->gpu.memory_min_bytes == cases[i].memory_gib << 30);
        arena_done(&arena);
    }
}

static void test_gpu_refused(void **state)
{
    static const struct {
        const char *text, *field, *part, *hint;
        int col;
    } cases[] = {
        {"-1", "roles.w.gpu", "expected GPUs", "A100:1", 12},
        {"1.5", "roles.w.gpu", "whole number", "write 1 or 2", 12},
        {"0.3333", "roles.w.gpu", "three decimals", "0.333", 12},
        {"65", "roles.w.gpu", "expected GPUs", "", 12},
        {"\"A100:x\"", "roles.w.gpu", "no number of GPUs", "A100:1", 12},
        {"\":1\"", "roles.w.gpu", "expected GPUs", "", 12},
        {"[1]", "roles.w.gpu", "expected GPUs", "", 12},
        {"{modell: A}", "roles.w.gpu.modell", "unknown key", "model", 13},
        {"{memory: 40}", "roles.w.gpu.memory", "least size", "40G..", 21},
        {"{memory: 40G..80G}", "roles.w.gpu.memory", "lower end only", "40G..", 21},
        {"{memory: much}", "roles.w.gpu.memory", "", "40G..", 21},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char yaml[128];
        snprintf(yaml, sizeof(yaml), "command: [a]\nroles:\n  w: {gpu: %s}\n", cases[i].text);
        spec_refuses(yaml, cases[i].field, 3, cases[i].col, cases[i].part, cases[i].hint);
    }
}

static void test_sizes(void **state)
{
    struct arena arena = ARENA(1 << 20);
    struct workload_spec spec;
    const struct role_spec *role = role_of("memory: 512Mi, disk: 1T, shm: 0", &arena, &spec);
    assert_true(role->memory_bytes == 512ull << 20);
    assert_true(role->disk_bytes == 1ull << 40);
    assert_true(role->shm_bytes == 0);
    arena_done(&arena);
    spec_refuses("command: [a]\nroles:\n  w: {memory: 16}\n", "roles.w.memory", 3, 15,
                 "expected a size like 16G", "write 16G or 16M");
    spec_refuses("command: [a]\nroles:\n  w: {memory: 1.5}\n", "roles.w.memory", 3, 15,
                 "expected a size like 16G", "512M");
    spec_refuses("command: [a]\nroles:\n  w: {memory: 16Q}\n", "roles.w.memory", 3, 15, "", "16G");
    spec_refuses("command: [a]\nroles:\n  w: {memory: 0}\n", "roles.w.memory", 3, 15, "size", "");
    spec_refuses("command: [a]\nroles:\n  w: {disk: 2048T}\n", "roles.w.disk", 3, 13,
                 "must be between 1M and 1P", "");
}

static void test_priority(void **state)
{
    static const struct {
        const char *text;
        int64_t value;
    } cases[] = {{"low", -100}, {"normal", 0}, {"high", 100}, {"-1000", -1000}, {"17", 17}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct arena arena = ARENA(1 << 20);
        struct workload_spec spec;
        struct err err;
        char yaml[64];
        snprintf(yaml, sizeof(yaml), "command: [a]\npriority: %s\n", cases[i].text);
        assert_int_equal(spec_read(yaml, &arena, &spec, &err), 0);
        assert_int_equal(spec.priority, cases[i].value);
        arena_done(&arena);
    }
    spec_refuses("command: [a]\npriority: urgent\n", "priority", 2, 11, "low, normal, high", "");
    spec_refuses("command: [a]\npriority: 1001\n", "priority", 2, 11, "-1000 to 1000", "");
    spec_refuses("command: [a]\npriority: \"5\"\n", "priority", 2, 11, "", "quotes away: 5");
}

static void test_together(void **state)
{
    struct arena arena = ARENA(1 << 20);
    struct workload_spec spec;
    struct err err;
    const char *soft = "command: [a]\nplacement: {together: room}\n";
    assert_int_equal(spec_read(soft, &arena, &spec, &err), 0);
    assert_int_equal(spec.placement.together, LEVEL_ROOM);
    assert_false(spec.placement.together_hard);
    arena_done(&arena);
    spec_refuses("command: [a]\nplacement: {together: shelf}\n", "placement.together", 2, 23,
                 "host, rack", "hard: true");
    spec_refuses("command: [a]\nplacement: {together: {level: shelf}}\n",
                 "placement.together.level", 2, 31, "", "");
    spec_refuses("command: [a]\nplacement: {together: {hard: true}}\n", "placement.together.level",
                 2, 23, "missing", "rack");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_replicas),    cmocka_unit_test(test_gpu),
        cmocka_unit_test(test_gpu_refused), cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_priority),    cmocka_unit_test(test_together),
    };
    return cmocka_run_group_tests_name("types/spec_custom", tests, NULL, NULL);
}
