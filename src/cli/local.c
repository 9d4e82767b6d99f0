/*
 * local: instance.json.
 */
#include "cli/local.h"
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/alloc.h"
#include "base/str.h"
#include "http/url.h"
#include "js/js.h"
#include "os/file.h"

#define FILE_MAX (64u << 10)

const char *cli_data_dir(const char *option)
{
    const char *env = getenv("BERTH_DATA");
    if (option)
        return option;
    return env && env[0] ? env : CLI_DATA_DEFAULT;
}

int cli_instance_listen(const char *text, struct cli_instance *in, struct err *err)
{
    char host[256];
    uint16_t port;
    int rc = url_parse_authority(text, host, &port, &(struct err){0});
    bool is_numeric = rc == 0 && (strspn(host, "0123456789.") == strlen(host) || strchr(host, ':'));
    if (rc < 0 || !port || !is_numeric || strlen(host) >= sizeof(in->host)) {
        err_set(err, BERR_INVALID, "--listen needs an address and a port, found \"%.100s\"", text);
        return err_hint(err, "it looks like 127.0.0.1:8443 or 0.0.0.0:443");
    }
    str_copy(in->host, sizeof(in->host), host);
    in->port = port;
    return 0;
}

static bool parse_network(const char *s, uint32_t *ret)
{
    unsigned a, b;
    char rest[16];
    if (!s || sscanf(s, "%3u.%3u.%15s", &a, &b, rest) != 3 || a > 255 || b > 255 ||
        !str_is_equal(rest, "0.0/16"))
        return false;
    *ret = a << 24 | b << 16;
    return true;
}

static int decode(yyjson_val *root, struct cli_instance *in, struct err *err)
{
    const char *tag = js_get_str(root, "tag"), *listen = js_get_str(root, "listen");
    const char *domain = js_get_str(root, "domain"), *engine = js_get_str(root, "engine");
    in->schema = js_get_i64(root, "schema", 0);
    if (in->schema > CLI_SCHEMA) {
        err_set(err, BERR_CONFLICT,
                "%s was made by a newer berth (version %lld, this one knows %d)", in->data,
                (long long)in->schema, CLI_SCHEMA);
        return err_hint(err, "install the newer berth again, or use another --data directory");
    }
    int64_t base = js_get_i64(root, "uid_base", 0);
    in->uid_base = base > 0 ? (uint64_t)base : 0;
    in->plain = js_get_bool(root, "plain", false);
    if (!tag || !str_copy(in->tag, sizeof(in->tag), tag) || !listen || !domain || !engine ||
        !str_copy(in->domain, sizeof(in->domain), domain) ||
        !str_copy(in->engine, sizeof(in->engine), engine) || !in->uid_base ||
        !parse_network(js_get_str(root, "network"), &in->network) ||
        cli_instance_listen(listen, in, &(struct err){0}) < 0)
        return err_set(err, BERR_INVALID, "%s/instance.json is damaged", in->data);
    return 0;
}

int cli_instance_read(const char *data, struct cli_instance *ret, struct err *err)
{
    cleanup(mem_freep) char *text = NULL;
    cleanup(js_doc_freep) struct js_doc *doc = NULL;
    char real[PATH_MAX], path[PATH_MAX + 32];
    struct cli_instance in = {0};
    size_t len = 0;
    if (!realpath(data, real) || !str_copy(in.data, sizeof(in.data), real)) {
        err_set(err, BERR_NOT_FOUND, "there is no berth in %s", data);
        return err_hint(err, "`berth up --data %s` makes one", data);
    }
    snprintf(path, sizeof(path), "%s/instance.json", real);
    int rc = os_file_read(AT_FDCWD, path, FILE_MAX, &text, &len, err);
    if (rc == -(int)BERR_NOT_FOUND) {
        err_set(err, BERR_NOT_FOUND, "there is no berth in %s", real);
        return err_hint(err, "`berth up --data %s` makes one", real);
    }
    if (rc == 0)
        rc = js_parse_json(text, len, &doc, err);
    if (rc == -(int)BERR_INVALID)
        rc = err_set(err, BERR_INVALID, "%s is damaged", path);
    if (rc == 0)
        rc = decode(js_root(doc), &in, err);
    if (rc == 0)
        *ret = in;
    return rc;
}

void cli_instance_put(const struct cli_instance *in, struct buf *out)
{
    struct js_writer w;
    char text[128];
    js_w_init(&w, out);
    js_w_object(&w, NULL);
    js_w_i64(&w, "schema", in->schema);
    js_w_str(&w, "tag", in->tag);
    snprintf(text, sizeof(text), "%u.%u.0.0/16", in->network >> 24, in->network >> 16 & 255);
    js_w_str(&w, "network", text);
    js_w_u64(&w, "uid_base", in->uid_base);
    snprintf(text, sizeof(text), strchr(in->host, ':') ? "[%s]:%u" : "%s:%u", in->host, in->port);
    js_w_str(&w, "listen", text);
    js_w_bool(&w, "plain", in->plain);
    js_w_str(&w, "domain", in->domain);
    js_w_str(&w, "engine", in->engine);
    js_w_end_object(&w);
    buf_putc(out, '\n');
}

void cli_instance_url(const struct cli_instance *in, char *dst, size_t size)
{
    snprintf(dst, size, "%s://%s:%u", in->plain ? "http" : "https", in->domain, in->port);
}

bool cli_instance_is_at(const struct cli_instance *in, const char *url)
{
    struct url_base base;
    if (url_parse_base(url, &base, &(struct err){0}) < 0 || base.port != in->port ||
        base.tls == in->plain)
        return false;
    return str_is_equal(base.host, "localhost") || str_has_suffix(base.host, ".localhost") ||
           str_is_equal(base.host, "127.0.0.1") || str_is_equal(base.host, "::1") ||
           str_is_equal(base.host, in->host) || str_is_equal(base.host, in->domain);
}
