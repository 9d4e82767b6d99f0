/* Things that hang together, and the syntax inside texts. */
#include "spec_help.h"

static void test_refused(void **state)
{
    spec_refuses("name: x\n", "command", 0, 0, "needs a command", "train.py");
    spec_refuses("command: []\n", "command", 1, 10, "needs a command", "");
    spec_refuses("command: [\"\"]\n", "command", 1, 10, "name is empty", "");
    spec_refuses("command: [a]\nroles: {}\n", "roles", 2, 8, "at least 1", "");
    spec_refuses("command: [a]\nroles: {w: {replicas: 4096}, x: {}}\n", "roles", 2, 8, "4097 tasks",
                 "");
    spec_refuses("command: [a]\nroles: {w: {memory: 1G, shm: 2G}}\n", "roles.w.shm", 2, 30,
                 "/dev/shm", "roles.w.memory");
    spec_refuses("command: [a]\nstop_when: worke\n", "stop_when", 2, 12, "no role \"worke\"",
                 "worker");
    spec_refuses("command: [a]\nplacement: {apart: [worker, ps]}\n", "placement.apart[1]", 2, 29,
                 "no role \"ps\"", "");
    spec_refuses("command: [a]\nimage: UPPER\n", "image", 2, 8, "NAME or NAME:TAG", "image ls");
    spec_refuses("command: [a]\nimage: \"a:\"\n", "image", 2, 8, "NAME or NAME:TAG", "");
    spec_refuses("command: [a]\nenv: {1X: a}\n", "env", 2, 6, "\"1X\"", "digit");
    spec_refuses("command: [a]\nroles: {w: {env: {A-B: a}}}\n", "roles.w.env", 2, 18, "\"A-B\"",
                 "");
    spec_refuses("command: [a]\nretry: {on: [node, never]}\n", "retry.on[1]", 2, 20, "never",
                 "exit:75");
    spec_refuses("command: [a]\nretry: {on: [\"exit:0\"]}\n", "retry.on[0]", 2, 14, "exit:0", "");
    spec_refuses("command: [a]\nworkdir: src\n", "workdir", 2, 10, "absolute path", "");
    spec_refuses("command: [a]\nworkdir: /a/../b\n", "workdir", 2, 10, "absolute path", "");
    spec_refuses("command: [a]\napp: classic\n", "app", 2, 6, "only notebooks", "");
    spec_refuses("kind: notebook\nroles: {w: {replicas: 2}}\n", "roles.w", 2, 12, "one task", "");
    spec_refuses("command: [a]\nvolumes: [home, home]\n", "volumes[1]", 2, 17, "same place", "");
    spec_refuses("command: [a]\nvolumes: [corpus]\n", "volumes[0]", 2, 11, "needs a path",
                 "corpus:/data");
}

static void test_accepted(void **state)
{
    static const char *const texts[] = {
        "kind: notebook\n",
        "framework: pytorch\n",
        "roles: {a: {command: [x]}, b: {command: [y]}}\n",
        "command: [a]\nretry: {on: [node, preempted, image, engine, start, failed, oom]}\n",
        "command: [a]\nretry: {on: [\"exit:75\", \"signal:9\"]}\n",
        "command: [a]\nworkdir: /\n",
        "command: [a]\nvolumes: [home, \"a:/x\", \"a:/y:ro\", \"b:/z:rw\"]\n",
    };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct arena arena = ARENA(1 << 20);
        struct workload_spec spec;
        struct err err = {0};
        if (spec_read(texts[i], &arena, &spec, &err) != 0)
            fail_msg("%s: %s %s", texts[i], err.field, err.text);
        arena_done(&arena);
    }
}

static void test_too_long_a_command(void **state)
{
    struct arena arena = ARENA(1 << 20);
    struct workload_spec spec;
    struct err err = {0};
    char *long_text = mem_alloc(130 * 1024);
    memset(long_text, 'x', 130 * 1024);
    long_text[130 * 1024 - 1] = '\0';
    spec_defaults(&spec);
    spec.command = (struct js_strs){.items = (const char *[]){"a", long_text}, .len = 2};
    assert_int_equal(spec_validate(&spec, NULL, &err), -BERR_INVALID);
    test_expect_err(&err, BERR_INVALID, "bytes long");
    mem_free(long_text);
    arena_done(&arena);
}

static void test_volume_refs(void **state)
{
    struct volume_ref ref;
    struct err err = {0};
    assert_int_equal(volume_ref_parse("corpus:/data/set:ro", &ref, &err), 0);
    assert_string_equal(ref.name, "corpus");
    assert_string_equal(ref.path, "/data/set");
    assert_true(ref.read_only);
    assert_int_equal(volume_ref_parse("home", &ref, &err), 0);
    assert_string_equal(ref.path, "");
    assert_false(ref.read_only);
    assert_int_equal(volume_ref_parse("home::ro", &ref, &err), 0);
    assert_true(ref.read_only);
    const char *wrong[] = {"",      ":",       "a",        "a:",    "a:b",     "a:/",
                           "a:/x:", "a:/x:wr", "a:/x:ro:", "A:/x",  "a:/../x", "a:/x/./y",
                           "a://x", "a:/x/",   "a:/x//y",  "a:/..", "../a:/x"};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        if (volume_ref_parse(wrong[i], &ref, &err) != -BERR_INVALID)
            fail_msg("accepted: %s", wrong[i]);
        assert_true(err.text[0] != '\0');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_accepted),
        cmocka_unit_test(test_too_long_a_command),
        cmocka_unit_test(test_volume_refs),
    };
    return cmocka_run_group_tests_name("types/spec_validate", tests, NULL, NULL);
}
