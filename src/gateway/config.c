/*
 * config: options, the instance's file, and what must hold between them.
 */
#include "gateway/config.h"
#include <arpa/inet.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include "base/alloc.h"
#include "base/str.h"
#include "http/url.h"
#include "js/js.h"
#include "os/file.h"

const char gw_config_usage[] =
    "usage: berth-gateway --data DIR [--listen ADDR:PORT] [--plain] [--cert FILE --key FILE]\n"
    "                     [--domain NAME] [--user NAME] [--log debug|info|warn|error]\n"
    "What is not given comes from DIR/instance.json. `berth up` starts this program.\n";

#define INSTANCE_BYTES 65536

static int put(char *dst, size_t size, const char *value, const char *option, struct err *err)
{
    if (value[0] && str_copy(dst, size, value))
        return 0;
    return err_set(err, BERR_INVALID, "%s is empty or too long", option);
}

static int set_listen(struct gw_config *cfg, const char *text, struct err *err)
{
    char host[256];
    struct in6_addr unused;
    uint16_t port = 0;
    if (url_parse_authority(text, host, &port, NULL) < 0 || !port ||
        !str_copy(cfg->host, sizeof(cfg->host), host) ||
        (inet_pton(AF_INET, host, &unused) != 1 && inet_pton(AF_INET6, host, &unused) != 1)) {
        err_set(err, BERR_INVALID, "\"%s\" is no address and port to listen on", text);
        return err_hint(err, "write it like 127.0.0.1:8443 or [::]:443");
    }
    cfg->port = port;
    return 0;
}

static int read_options(int argc, char *const *argv, struct gw_config *cfg, bool *ret_help,
                        struct err *err)
{
    static const struct option options[] = {
        {"data", required_argument, NULL, 'd'}, {"listen", required_argument, NULL, 'l'},
        {"plain", no_argument, NULL, 'p'},      {"cert", required_argument, NULL, 'c'},
        {"key", required_argument, NULL, 'k'},  {"domain", required_argument, NULL, 'n'},
        {"user", required_argument, NULL, 'u'}, {"log", required_argument, NULL, 'o'},
        {"help", no_argument, NULL, 'h'},       {NULL, 0, NULL, 0},
    };
    int rc = 0, c;
    optind = 1;
    opterr = 0;
    while (rc == 0 && (c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (c == 'd')
            rc = put(cfg->data, sizeof(cfg->data), optarg, "--data", err);
        else if (c == 'l')
            rc = set_listen(cfg, optarg, err);
        else if (c == 'p')
            cfg->plain = true;
        else if (c == 'c')
            rc = put(cfg->cert, sizeof(cfg->cert), optarg, "--cert", err);
        else if (c == 'k')
            rc = put(cfg->key, sizeof(cfg->key), optarg, "--key", err);
        else if (c == 'n')
            rc = put(cfg->domain, sizeof(cfg->domain), optarg, "--domain", err);
        else if (c == 'u')
            rc = put(cfg->user, sizeof(cfg->user), optarg, "--user", err);
        else if (c == 'o' && !log_level_parse(optarg, &cfg->log_level))
            rc = err_set(err, BERR_INVALID, "--log must be debug, info, warn or error");
        else if (c == 'h')
            *ret_help = true;
        else if (c == '?')
            rc =
                err_set(err, BERR_INVALID, "unknown option or missing value: %s", argv[optind - 1]);
    }
    if (rc == 0 && optind < argc)
        rc = err_set(err, BERR_INVALID, "unexpected argument \"%s\"", argv[optind]);
    if (rc == 0 && !*ret_help && !cfg->data[0])
        rc = err_set(err, BERR_INVALID, "--data DIR is needed");
    return rc;
}

static int read_instance(struct gw_config *cfg, struct err *err)
{
    cleanup(mem_freep) char *text = NULL;
    cleanup(js_doc_freep) struct js_doc *doc = NULL;
    char path[GW_PATH_MAX + 32];
    size_t len = 0;
    snprintf(path, sizeof(path), "%s/instance.json", cfg->data);
    int rc = os_file_read(AT_FDCWD, path, INSTANCE_BYTES, &text, &len, err);
    if (rc == -(int)BERR_NOT_FOUND && cfg->port)
        return 0; /* the command line said enough */
    if (rc == 0)
        rc = js_parse_json(text, len, &doc, err);
    if (rc < 0)
        return err_wrap(err, rc, "%s", path);
    yyjson_val *root = js_root(doc);
    const char *listen = js_get_str(root, "listen"), *domain = js_get_str(root, "domain");
    if (!cfg->port && listen) {
        rc = set_listen(cfg, listen, err);
        cfg->plain = cfg->plain || js_get_bool(root, "plain", false);
    }
    if (rc == 0 && !cfg->domain[0] && domain)
        rc = put(cfg->domain, sizeof(cfg->domain), domain, "domain", err);
    return rc < 0 ? err_wrap(err, rc, "%s", path) : 0;
}

static bool is_loopback(const char *host)
{
    return strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0;
}

static int check_config(struct gw_config *cfg, struct err *err)
{
    if (!cfg->port)
        return err_set(err, BERR_INVALID, "there is no address to listen on: give --listen");
    if (!!cfg->cert[0] != !!cfg->key[0])
        return err_set(err, BERR_INVALID, "--cert and --key belong together");
    if (cfg->plain && cfg->cert[0])
        return err_set(err, BERR_INVALID, "--plain means no TLS: leave --cert and --key out");
    if (cfg->plain && !is_loopback(cfg->host)) {
        err_set(err, BERR_INVALID, "--plain works on a loopback address only, not on %s",
                cfg->host);
        return err_hint(err, "leave --plain out, or listen on 127.0.0.1");
    }
    return 0;
}

int gw_config_read(int argc, char *const *argv, struct gw_config *ret, bool *ret_help,
                   struct err *err)
{
    struct gw_config cfg = {.log_level = LOG_INFO};
    uint16_t unused;
    char lower[256];
    *ret_help = false;
    int rc = read_options(argc, argv, &cfg, ret_help, err);
    if (rc < 0 || *ret_help)
        return rc;
    rc = read_instance(&cfg, err);
    if (rc == 0)
        rc = check_config(&cfg, err);
    if (rc < 0)
        return rc;
    if (!cfg.domain[0])
        str_copy(cfg.domain, sizeof(cfg.domain), "localhost");
    if (url_parse_authority(cfg.domain, lower, &unused, NULL) < 0 || unused)
        return err_set(err, BERR_INVALID, "\"%s\" is no domain name", cfg.domain);
    str_copy(cfg.domain, sizeof(cfg.domain), lower);
    if (!cfg.user[0])
        str_copy(cfg.user, sizeof(cfg.user), GW_USER_DEFAULT);
    cfg.own_certificate = cfg.cert[0] != '\0';
    if (!cfg.own_certificate) {
        snprintf(cfg.cert, sizeof(cfg.cert), "%.900s/tls/cert.pem", cfg.data);
        snprintf(cfg.key, sizeof(cfg.key), "%.900s/tls/key.pem", cfg.data);
    }
    snprintf(cfg.api_socket, sizeof(cfg.api_socket), "%.900s/run/berthd.sock", cfg.data);
    snprintf(cfg.control_socket, sizeof(cfg.control_socket), "%.900s/run/control.sock", cfg.data);
    *ret = cfg;
    return 0;
}
