#include "image/oci.h"
#include "testlib.h"

#define D   "sha256:00000000000000000000000000000000000000000000000000000000000000"
#define TAR "application/vnd.oci.image.layer.v1.tar+gzip"

static void index_names_one_manifest(void **state)
{
    (void)state;
    struct digest d;
    struct err err;
    const char *good = "{\"schemaVersion\":2,\"manifests\":[{\"digest\":\"" D "0a\",\"size\":3}]}";
    assert_int_equal(oci_index_parse(good, strlen(good), &d, &err), 0);
    assert_int_equal(d.bytes[31], 0x0a);
    static const char *const bads[] = {"",
                                       "[]",
                                       "{}",
                                       "{\"manifests\":[]}",
                                       "{\"manifests\":[{}]}",
                                       "{\"manifests\":[1]}",
                                       "{\"manifests\":[{\"digest\":\"sha512:00\"}]}",
                                       "{\"manifests\":[{\"digest\":\"../../etc\"}]}",
                                       "{\"manifests\":[{\"digest\":\"" D "0a\"},{\"digest\":\"" D
                                       "0b\"}]}"};
    for (size_t i = 0; i < ARRAY_LEN(bads); i++) {
        if (oci_index_parse(bads[i], strlen(bads[i]), &d, &err) != -BERR_INVALID)
            fail_msg("accepted %s", bads[i]);
    }
}

static int manifest(const char *layers, struct oci_manifest *m, struct err *err)
{
    char text[16384];
    snprintf(text, sizeof(text), "{\"config\":{\"digest\":\"" D "01\"},\"layers\":%s}", layers);
    return oci_manifest_parse(text, strlen(text), m, err);
}

static void manifest_lists_layers(void **state)
{
    (void)state;
    struct oci_manifest m;
    struct err err;
    assert_int_equal(
        manifest(
            "[{\"mediaType\":\"" TAR "\",\"digest\":\"" D "02\"},"
            "{\"mediaType\":\"application/vnd.docker.image.rootfs.diff.tar.gzip\",\"digest\":\"" D
            "03\"}]",
            &m, &err),
        0);
    assert_int_equal(m.layer_count, 2);
    assert_int_equal(m.config.bytes[31], 1);
    assert_int_equal(m.layers[1].bytes[31], 3);
    assert_int_equal(manifest("[]", &m, &err), -BERR_INVALID);
    assert_int_equal(manifest("[{\"mediaType\":\"" TAR "\",\"digest\":\"x\"}]", &m, &err),
                     -BERR_INVALID);
    assert_int_equal(manifest("[{\"digest\":\"" D "02\"}]", &m, &err), -BERR_UNSUPPORTED);
    assert_int_equal(
        manifest("[{\"mediaType\":\"application/vnd.wasm\",\"digest\":\"" D "02\"}]", &m, &err),
        -BERR_UNSUPPORTED);
    char many[16000] = "[";
    for (int i = 0; i <= IMAGE_LAYERS_MAX; i++)
        snprintf(many + strlen(many), sizeof(many) - strlen(many),
                 "%s{\"mediaType\":\"" TAR "\",\"digest\":\"" D "02\"}", i ? "," : "");
    snprintf(many + strlen(many), sizeof(many) - strlen(many), "]");
    assert_int_equal(manifest(many, &m, &err), -BERR_TOO_LARGE);
}

static void config_becomes_ours(void **state)
{
    (void)state;
    cleanup(buf_done) struct buf out = BUF(4096);
    struct err err;
    const char *text =
        "{\"os\":\"linux\",\"config\":{\"Env\":[\"A=1\",\"PATH=/bin\",\"A=2\",\"odd\",\"AB=x=y\"],"
        "\"Cmd\":[\"sh\"],\"Entrypoint\":null,\"WorkingDir\":\"/srv\",\"User\":\"1000\"}}";
    assert_int_equal(oci_config_parse(text, strlen(text), &out, &err), 0);
    assert_string_equal(buf_str(&out),
                        "{\"env\":{\"PATH\":\"/bin\",\"A\":\"2\",\"AB\":\"x=y\"},\"entrypoint\":[],"
                        "\"cmd\":[\"sh\"],\"user\":\"1000\",\"workdir\":\"/srv\"}");
    static const char *const bads[] = {
        "[]", "{\"config\":{\"Env\":{}}}", "{\"config\":{\"Env\":[1]}}",
        "{\"config\":{\"Cmd\":\"sh\"}}", "{\"config\":{\"Env\":[\"A=\\u0000\"]}}"};
    for (size_t i = 0; i < ARRAY_LEN(bads); i++) {
        buf_clear(&out);
        if (oci_config_parse(bads[i], strlen(bads[i]), &out, &err) != -BERR_INVALID)
            fail_msg("accepted %s", bads[i]);
    }
    const char *windows = "{\"os\":\"windows\"}", *other = "{\"architecture\":\"mips\"}";
    assert_int_equal(oci_config_parse(windows, strlen(windows), &out, &err), -BERR_UNSUPPORTED);
    assert_int_equal(oci_config_parse(other, strlen(other), &out, &err), -BERR_UNSUPPORTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(index_names_one_manifest),
        cmocka_unit_test(manifest_lists_layers),
        cmocka_unit_test(config_becomes_ours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
