/* The job file as a whole: defaults, round trip, copies, schema. */
#include "spec_help.h"
#include "base/str.h"

static const char full_job[] =
    "kind: job\n"
    "name: digits\n"
    "project: vision\n"
    "queue: research\n"
    "framework: tensorflow\n"
    "image: ml:2026-11\n"
    "roles:\n"
    "  ps:     {replicas: 2, cpu: 1, memory: 2G}\n"
    "  worker: {replicas: 2..8, gpu: {model: A100, count: 1, memory: 40G..}, cpu: 500m,\n"
    "           memory: 16G, env: {RANK: 1}, command: [run, it], shm: 1G}\n"
    "command: [python3, train.py, --epochs, \"3\"]\n"
    "code: ./src\n"
    "volumes: [home, \"corpus:/data:ro\"]\n"
    "inputs: {train: s3://bucket/train/}\n"
    "outputs: {model: s3://bucket/model/}\n"
    "env: {LR: \"0.1\", VERSION: 1.10}\n"
    "time_limit: 4h\n"
    "priority: high\n"
    "retry: {max: 3, on: [node, preempted, \"exit:75\"]}\n"
    "placement: {together: {level: rack, hard: true}, apart: [ps], node: n1, pool: p, site: s}\n"
    "stop_when: worker\n"
    "preemptible: true\n";

static void test_full_job(void **state)
{
    struct arena arena = ARENA(1 << 20);
    struct workload_spec spec;
    struct err err = {0};
    const char *name;
    assert_int_equal(spec_read(full_job, &arena, &spec, &err), 0);
    assert_int_equal(spec.kind, KIND_JOB);
    assert_string_equal(spec.image, "ml:2026-11");
    assert_int_equal(spec.roles.len, 2);
    const struct role_spec *ps = spec_role(&spec, 0, &name);
    assert_string_equal(name, "ps");
    assert_int_equal(ps->replicas_max, 2);
    assert_int_equal(ps->gpu.milli, 0);
    const struct role_spec *worker = spec_role(&spec, 1, &name);
    assert_string_equal(name, "worker");
    assert_int_equal(worker->replicas, 2);
    assert_int_equal(worker->replicas_max, 8);
    assert_int_equal(worker->cpu_milli, 500);
    assert_true(worker->memory_bytes == 16ull << 30);
    assert_int_equal(worker->gpu.milli, 1000);
    assert_string_equal(worker->gpu.model, "A100");
    assert_true(worker->gpu.memory_min_bytes == 40ull << 30);
    assert_true(worker->disk_bytes == 10ull << 30);
    assert_int_equal(spec.command.len, 4);
    assert_string_equal(spec.env.items[1].value, "1.10"); /* as written */
    assert_int_equal(spec.time_limit_ms, 4 * 3600 * 1000);
    assert_int_equal(spec.priority, 100);
    assert_int_equal(spec.retry.max, 3);
    assert_int_equal(spec.placement.together, LEVEL_RACK);
    assert_true(spec.placement.together_hard);
    assert_int_equal(spec_task_count(&spec), 4);
    arena_done(&arena);
}

static void test_defaults(void **state)
{
    struct arena arena = ARENA(1 << 20);
    struct workload_spec spec;
    struct err err = {0};
    const char *name;
    assert_int_equal(spec_read("command: [true]\nroles: {a: {}}\n", &arena, &spec, &err), 0);
    spec_defaults(&spec);
    const struct role_spec *role = spec_role(&spec, 0, &name);
    assert_string_equal(name, "worker");
    assert_int_equal(spec.roles.len, 1);
    assert_int_equal(role->replicas, 1);
    assert_int_equal(role->replicas_max, 1);
    assert_int_equal(role->cpu_milli, 1000);
    assert_true(role->memory_bytes == 1ull << 30);
    assert_true(role->disk_bytes == 10ull << 30);
    assert_true(role->shm_bytes == 64ull << 20);
    assert_int_equal(role->gpu.milli, 0);
    assert_int_equal(spec.retry.max, 2);
    assert_int_equal(spec.grace_ms, 30000);
    assert_int_equal(spec.priority, 0);
    assert_int_equal(spec.time_limit_ms, 0);
    arena_done(&arena);
}

static void encode(const struct workload_spec *spec, struct buf *out)
{
    buf_clear(out);
    js_encode(&spec_table, spec, out);
}

/* text -> spec -> JSON -> spec -> JSON: the two JSON texts are the same. */
static void test_round_trip(void **state)
{
    const char *const texts[] = {
        full_job, "command: [a]", "kind: notebook\napp: classic\nroles: {lab: {gpu: \"A100:0.5\"}}",
        "command: [a]\npriority: 7\nroles: {w: {gpu: 8, shm: 0}}\nplacement: {together: host}"};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct arena arena = ARENA(1 << 20);
        struct workload_spec spec, back;
        struct err err = {0};
        struct buf first = BUF(1 << 16), second = BUF(1 << 16);
        struct js_doc *doc = NULL;
        assert_int_equal(spec_read(texts[i], &arena, &spec, &err), 0);
        encode(&spec, &first);
        spec_defaults(&back);
        assert_int_equal(js_parse_json(buf_str(&first), first.len, &doc, &err), 0);
        assert_int_equal(js_decode(doc, js_root(doc), &spec_table, &arena, &back, &err), 0);
        assert_int_equal(spec_validate(&back, doc, &err), 0);
        encode(&back, &second);
        assert_string_equal(buf_str(&first), buf_str(&second));
        js_doc_free(doc);
        buf_done(&first);
        buf_done(&second);
        arena_done(&arena);
    }
}

static void test_copy_outlives_its_source(void **state)
{
    struct arena arena = ARENA(1 << 20), other = ARENA(1 << 20);
    struct workload_spec spec;
    struct err err = {0};
    struct buf first = BUF(1 << 16), second = BUF(1 << 16);
    assert_int_equal(spec_read(full_job, &arena, &spec, &err), 0);
    encode(&spec, &first);
    struct workload_spec *copy = spec_copy(&spec, &other);
    assert_non_null(copy);
    arena_done(&arena); /* valgrind and ASan see what still points there */
    encode(copy, &second);
    assert_string_equal(buf_str(&first), buf_str(&second));
    arena_done(&other);
    buf_done(&first);
    buf_done(&second);
}

static int read_and_copy(void *ctx)
{
    struct arena arena = ARENA(1 << 20), other = ARENA(1 << 20);
    struct workload_spec spec;
    struct err err = {0};
    int rc = spec_read(full_job, &arena, &spec, &err);
    if (rc == 0 && spec_copy(&spec, &other) == NULL)
        rc = -BERR_NOMEM;
    arena_done(&arena);
    arena_done(&other);
    return rc;
}

static void test_memory_short_anywhere(void **state)
{
    test_torture(read_and_copy, NULL);
}

/* The schema parses as JSON and names every field. */
static void test_schema(void **state)
{
    const struct js_table *tables[] = {&spec_table};
    struct buf out = BUF(1 << 20);
    struct js_doc *doc = NULL;
    struct err err = {0};
    buf_putc(&out, '{');
    js_schema_components(tables, 1, &out);
    buf_putc(&out, '}');
    assert_int_equal(js_parse_json(buf_str(&out), out.len, &doc, &err), 0);
    const char *components[] = {"Workload", "Role", "Retry", "Placement", "GpuRequest", "Together"};
    for (size_t i = 0; i < ARRAY_LEN(components); i++)
        assert_non_null(yyjson_obj_get(js_root(doc), components[i]));
    js_doc_free(doc);
    buf_done(&out);
}

static void test_unknown_keys_name_the_nearest(void **state)
{
    spec_refuses("comand: [a]\n", "comand", 1, 1, "unknown key", "command");
    spec_refuses("command: [a]\nroles:\n  w: {gpus: 1}\n", "roles.w.gpus", 3, 7, "unknown key",
                 "gpu");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_full_job),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_copy_outlives_its_source),
        cmocka_unit_test(test_memory_short_anywhere),
        cmocka_unit_test(test_schema),
        cmocka_unit_test(test_unknown_keys_name_the_nearest),
    };
    return cmocka_run_group_tests_name("types/spec", tests, NULL, NULL);
}
