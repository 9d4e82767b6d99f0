#include "image/recipe.h"
#include "testlib.h"

static struct js_strs strs(const char **items, size_t len)
{
    return (struct js_strs){.items = items, .len = len};
}

static void same_recipe_same_layer(void **state)
{
    (void)state;
    cleanup(arena_done) struct arena a = ARENA(1 << 20);
    const char *x[] = {"python3-numpy", "curl", "curl"}, *y[] = {"curl", "python3-numpy"};
    const char *pip[] = {"rich==13.7.0", "Tomli"};
    struct image_build_spec one = {
        .from = "debian:bookworm", .packages = strs(x, 3), .pip = strs(pip, 2)};
    struct image_build_spec two = {
        .from = "debian:bookworm", .packages = strs(y, 2), .pip = strs(pip, 2)};
    struct recipe r, s;
    struct err err;
    assert_int_equal(recipe_make(&one, 0, &a, &r, &err), 0);
    assert_int_equal(recipe_make(&two, 0, &a, &s, &err), 0);
    assert_string_equal(r.layer, s.layer);
    assert_string_equal(r.suite, "bookworm");
    assert_int_equal(r.packages.len, 2);
    assert_string_equal(r.text,
                        "{\"from\":\"debian:bookworm\",\"packages\":[\"curl\",\"python3-numpy\"],"
                        "\"pip\":[\"rich==13.7.0\",\"Tomli\"]}");
    assert_int_equal(recipe_make(&two, 7, &a, &s, &err), 0);
    assert_string_not_equal(r.layer, s.layer);
    struct recipe back;
    assert_int_equal(recipe_read(s.text, &a, &back, &err), 0);
    assert_string_equal(back.layer, s.layer);
    two.from = "debian:trixie";
    assert_int_equal(recipe_make(&two, 0, &a, &s, &err), 0);
    assert_string_not_equal(r.layer, s.layer);
}

static void names_are_names(void **state)
{
    (void)state;
    static const char *const bad_debs[] = {
        "", "a", "-o", "Curl", "curl=1", "../x", "a b", "curl,wget", "/etc/passwd", "a;b", "x\n"};
    static const char *const bad_pips[] = {
        "",    "-r",     "--index-url", "./x", "a/b",  "x @ http://y", "git+https://x", "x>=1",
        "x==", "x==1.*", "x==1;y",      "-e.", "x[y]", "x.",           "x==1 2"};
    cleanup(arena_done) struct arena a = ARENA(1 << 20);
    struct recipe r;
    struct err err;
    for (size_t i = 0; i < ARRAY_LEN(bad_debs); i++) {
        const char *items[] = {"curl", bad_debs[i]};
        struct image_build_spec spec = {.from = "debian:bookworm", .packages = strs(items, 2)};
        if (recipe_make(&spec, 0, &a, &r, &err) != -BERR_INVALID)
            fail_msg("accepted package %s", bad_debs[i]);
        assert_string_equal(err.field, "packages[1]");
    }
    for (size_t i = 0; i < ARRAY_LEN(bad_pips); i++) {
        const char *items[] = {bad_pips[i]};
        struct image_build_spec spec = {.from = "debian:bookworm", .pip = strs(items, 1)};
        if (recipe_make(&spec, 0, &a, &r, &err) != -BERR_INVALID)
            fail_msg("accepted pip name %s", bad_pips[i]);
        assert_string_equal(err.field, "pip[0]");
    }
    struct image_build_spec spec = {.from = "ubuntu:noble"};
    assert_int_equal(recipe_make(&spec, 0, &a, &r, &err), -BERR_INVALID);
    assert_string_equal(err.field, "from");
    assert_non_null(strstr(err.hint, "debian:bookworm"));
}

static void references(void **state)
{
    (void)state;
    char name[64], tag[129];
    struct err err;
    assert_int_equal(image_ref_parse("ml:2026-11", name, tag, &err), 0);
    assert_string_equal(name, "ml");
    assert_string_equal(tag, "2026-11");
    assert_int_equal(image_ref_parse("ml", name, tag, &err), 0);
    assert_string_equal(tag, "latest");
    static const char *const bads[] = {"",       ":x",    "ml:", "ML",   "a/b",
                                       "ml:a:b", "ml:-x", "..",  "ml:.."};
    for (size_t i = 0; i < ARRAY_LEN(bads); i++) {
        if (image_ref_parse(bads[i], name, tag, &err) != -BERR_INVALID)
            fail_msg("accepted %s", bads[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_recipe_same_layer),
        cmocka_unit_test(names_are_names),
        cmocka_unit_test(references),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
