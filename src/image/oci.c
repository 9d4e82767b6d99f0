#include "image/oci.h"
#include <string.h>
#include <sys/utsname.h>
#include "base/alloc.h"
#include "base/str.h"
#include "js/js.h"

static int bad(const char *what, struct err *err)
{
    return err_set(err, BERR_INVALID, "the registry sent %s", what);
}

static int doc_parse(const char *text, size_t len, struct js_doc **ret, struct err *err)
{
    int rc = js_parse_json(text, len, ret, err);
    if (rc != 0)
        return rc == -BERR_NOMEM ? rc : err_wrap(err, rc, "the registry sent a bad document");
    if (yyjson_is_obj(js_root(*ret)))
        return 0;
    *ret = js_doc_free(*ret);
    return bad("a document that is no object", err);
}

static bool descriptor_digest(yyjson_val *descriptor, struct digest *ret)
{
    const char *s = js_get_str(descriptor, "digest");
    return s != NULL && str_has_prefix(s, "sha256:") && digest_parse(s, ret);
}

int oci_index_parse(const char *text, size_t len, struct digest *ret, struct err *err)
{
    cleanup(js_doc_freep) struct js_doc *doc = NULL;
    int rc = doc_parse(text, len, &doc, err);
    if (rc != 0)
        return rc;
    yyjson_val *list = yyjson_obj_get(js_root(doc), "manifests");
    if (!yyjson_is_arr(list) || yyjson_arr_size(list) != 1)
        return bad("an index without exactly one manifest", err);
    if (!descriptor_digest(yyjson_arr_get_first(list), ret))
        return bad("an index with a digest that is no SHA-256", err);
    return 0;
}

/* "application/vnd.oci.image.layer.v1.tar+gzip" and docker's "….rootfs.diff.tar.gzip". */
static bool is_tar(const char *type)
{
    return type != NULL && strstr(type, "layer") == NULL
               ? strstr(type, "rootfs.diff.tar") != NULL
               : type != NULL && strstr(type, ".tar") != NULL;
}

int oci_manifest_parse(const char *text, size_t len, struct oci_manifest *ret, struct err *err)
{
    cleanup(js_doc_freep) struct js_doc *doc = NULL;
    struct oci_manifest m = {0};
    int rc = doc_parse(text, len, &doc, err);
    if (rc != 0)
        return rc;
    if (!descriptor_digest(yyjson_obj_get(js_root(doc), "config"), &m.config))
        return bad("a manifest without the digest of its config", err);
    yyjson_val *list = yyjson_obj_get(js_root(doc), "layers"), *layer;
    if (!yyjson_is_arr(list) || yyjson_arr_size(list) == 0)
        return bad("a manifest without layers", err);
    if (yyjson_arr_size(list) > IMAGE_LAYERS_MAX)
        return err_set(err, BERR_TOO_LARGE, "the image has more than %d layers", IMAGE_LAYERS_MAX);
    size_t i, count;
    yyjson_arr_foreach(list, i, count, layer)
    {
        const char *type = js_get_str(layer, "mediaType");
        if (!is_tar(type))
            return err_set(err, BERR_UNSUPPORTED, "the image has a layer that is no tar but %.100s",
                           type != NULL ? type : "nothing known");
        if (!descriptor_digest(layer, &m.layers[i]))
            return bad("a layer with a digest that is no SHA-256", err);
    }
    m.layer_count = (uint32_t)count;
    *ret = m;
    return 0;
}

/* ---- config ---- */

/* Names as Go's GOARCH has them. */
static const char *machine_arch(void)
{
    static const char *const names[][2] = {{"x86_64", "amd64"},
                                           {"aarch64", "arm64"},
                                           {"ppc64le", "ppc64le"},
                                           {"s390x", "s390x"},
                                           {"riscv64", "riscv64"}};
    struct utsname un;
    if (uname(&un) != 0)
        return "";
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (strcmp(un.machine, names[i][0]) == 0)
            return names[i][1];
    }
    return "";
}

static int strings_check(yyjson_val *list, const char *what, struct err *err)
{
    size_t i, count;
    yyjson_val *val;
    if (list == NULL || yyjson_is_null(list))
        return 0;
    if (!yyjson_is_arr(list))
        return bad(what, err);
    yyjson_arr_foreach(list, i, count, val)
    {
        const char *s = yyjson_get_str(val);
        if (s == NULL || strlen(s) != yyjson_get_len(val))
            return bad(what, err);
    }
    return 0;
}

static void strings_write(struct js_writer *w, const char *key, yyjson_val *list)
{
    size_t i, count;
    yyjson_val *val;
    js_w_array(w, key);
    yyjson_arr_foreach(list, i, count, val)
    {
        js_w_str(w, NULL, yyjson_get_str(val));
    }
    js_w_end_array(w);
}

/* "KEY=VALUE" each; of a key that is there twice the last one counts. */
static void env_write(struct js_writer *w, yyjson_val *list)
{
    size_t count = yyjson_arr_size(list);
    js_w_object(w, "env");
    for (size_t i = 0; i < count; i++) {
        const char *s = yyjson_get_str(yyjson_arr_get(list, i)), *equals = strchr(s, '=');
        size_t key_len = equals != NULL ? (size_t)(equals - s) : 0;
        bool is_last = true;
        char key[256];
        for (size_t k = i + 1; k < count; k++)
            is_last &= strncmp(yyjson_get_str(yyjson_arr_get(list, k)), s, key_len + 1) != 0;
        if (key_len == 0 || key_len >= sizeof(key) || !is_last)
            continue;
        snprintf(key, sizeof(key), "%.*s", (int)key_len, s);
        js_w_str(w, key, equals + 1);
    }
    js_w_end_object(w);
}

int oci_config_parse(const char *text, size_t len, struct buf *out, struct err *err)
{
    cleanup(js_doc_freep) struct js_doc *doc = NULL;
    struct js_writer w;
    int rc = doc_parse(text, len, &doc, err);
    if (rc != 0)
        return rc;
    yyjson_val *root = js_root(doc), *config = yyjson_obj_get(root, "config");
    const char *arch = js_get_str(root, "architecture"), *os = js_get_str(root, "os");
    if (os != NULL && strcmp(os, "linux") != 0)
        return err_set(err, BERR_UNSUPPORTED, "the image is for %.40s", os);
    if (arch != NULL && arch[0] != '\0' && strcmp(arch, machine_arch()) != 0)
        return err_set(err, BERR_UNSUPPORTED,
                       "the image is for %.40s processors, this machine is %s", arch,
                       machine_arch());
    yyjson_val *env = yyjson_obj_get(config, "Env"), *entry = yyjson_obj_get(config, "Entrypoint"),
               *cmd = yyjson_obj_get(config, "Cmd");
    rc = strings_check(env, "a config with a bad Env", err);
    if (rc == 0)
        rc = strings_check(entry, "a config with a bad Entrypoint", err);
    if (rc == 0)
        rc = strings_check(cmd, "a config with a bad Cmd", err);
    if (rc != 0)
        return rc;
    js_w_init(&w, out);
    js_w_object(&w, NULL);
    env_write(&w, env);
    strings_write(&w, "entrypoint", entry);
    strings_write(&w, "cmd", cmd);
    const char *user = js_get_str(config, "User"), *workdir = js_get_str(config, "WorkingDir");
    js_w_str(&w, "user", user != NULL ? user : "");
    js_w_str(&w, "workdir", workdir != NULL ? workdir : "");
    js_w_end_object(&w);
    return buf_is_failed(out) ? err_set(err, BERR_TOO_LARGE, "the image's config is too large") : 0;
}
