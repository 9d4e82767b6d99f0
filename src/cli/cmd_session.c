/*
 * session: logging in and out, who I am, what is going on.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/alloc.h"
#include "base/str.h"
#include "cli/cli.h"
#include "cli/local.h"
#include "cli/workload.h"
#include "js/js.h"

#ifndef BERTH_VERSION
#define BERTH_VERSION "0.1.0"
#endif

/* ---- login ---- */

/* The berth of this machine when nobody said which. */
static int choose_url(struct cli *cli, struct err *err)
{
    char url[400];
    struct cli_instance in;
    const char *given = cli_operand(&cli->args, 0);
    if (!given)
        given = cli_text(&cli->args, "url");
    int rc = cli_context_read(given, &cli->arena, &cli->context, err);
    if (rc < 0 || cli->context.url)
        return rc;
    if (cli_instance_read(cli_data_dir(NULL), &in, &(struct err){0}) == 0) {
        cli_instance_url(&in, url, sizeof(url));
        return cli_context_read(url, &cli->arena, &cli->context, err);
    }
    const char *text;
    rc = cli_ask(cli, "address of the berth (https://host:port)", NULL, &text, err);
    return rc < 0 ? rc : cli_context_read(text, &cli->arena, &cli->context, err);
}

/* The file of authorities: told, known, or the self-made certificate of this machine's berth. */
static int choose_ca(struct cli *cli, struct err *err)
{
    struct cli_instance in;
    char real[4096];
    const char *ca = cli_text(&cli->args, "ca");
    if (ca) {
        if (!realpath(ca, real))
            return err_set(err, BERR_NOT_FOUND, "there is no file %s", ca);
        cli->context.ca = arena_strdup(&cli->arena, real);
    } else if (!cli->context.ca &&
               cli_instance_read(cli_data_dir(NULL), &in, &(struct err){0}) == 0 && !in.plain &&
               cli_instance_is_at(&in, cli->context.url)) {
        cli->context.ca = arena_printf(&cli->arena, "%s/tls/cert.pem", in.data);
    }
    return 0;
}

/* A server whose certificate nobody vouches for: how to trust it. */
static int explain_certificate(struct cli *cli, int rc, struct err *err)
{
    char print[CLI_FINGERPRINT_SIZE];
    struct url_base base;
    if (!strstr(err->text, "certificate") ||
        url_parse_base(cli->context.url, &base, &(struct err){0}) < 0 ||
        cli_fingerprint(&base, print, &(struct err){0}) < 0)
        return rc;
    err_set(err, BERR_UNAVAILABLE, "the certificate of %s is signed by nobody known here",
            cli->context.url);
    return err_hint(err,
                    "its fingerprint (SHA-256) is %s; if the administrator confirms it, get "
                    "DATA/tls/cert.pem from there and add --ca FILE",
                    print);
}

static int login_by_token(struct cli *cli, struct err *err)
{
    const char *token;
    int rc = cli_ask_secret(cli, "token", true, &token, err);
    if (rc == 0)
        cli->context.token = token;
    return rc;
}

static int login_by_password(struct cli *cli, struct err *err)
{
    cleanup(buf_done) struct buf body = BUF(8192), answer = BUF(64 * 1024);
    cleanup(js_doc_freep) struct js_doc *doc = NULL;
    char host[64] = "", label[64];
    struct js_writer w;
    const char *name = cli_text(&cli->args, "name"), *password;
    const char *known = cli->context.name ? cli->context.name : getenv("USER");
    int rc = name ? 0 : cli_ask(cli, "name", known, &name, err);
    if (rc == 0)
        rc = cli_ask_secret(cli, "password", cli_has(&cli->args, "password-stdin"), &password, err);
    if (rc < 0)
        return rc;
    gethostname(host, sizeof(host) - 1);
    snprintf(label, sizeof(label), "berth login on %.40s", host);
    js_w_init(&w, &body);
    js_w_object(&w, NULL);
    js_w_str(&w, "name", name);
    js_w_str(&w, "password", password);
    js_w_str(&w, "label", label);
    js_w_end_object(&w);
    struct cli_request req = {
        .method = "POST", .target = "/api/v1/login", .body = body.data, .body_len = body.len};
    cli->context.token = NULL;
    rc = cli_connect(cli, true, err);
    if (rc == 0)
        rc = cli_net_call(cli->net, &req, &answer, err);
    if (body.data)
        explicit_bzero(body.data, body.len);
    if (rc == 0)
        rc = js_parse_json(answer.data, answer.len, &doc, err);
    if (rc < 0)
        return rc;
    cli->context.token = arena_strdup(&cli->arena, js_get_str(js_root(doc), "token"));
    return cli->context.token ? 0 : err_set(err, BERR_PROTOCOL, "the server gave no token");
}

/* Opens the connection anew with what the context says by now. */
static int reconnect(struct cli *cli, struct err *err)
{
    struct cli_net_config cfg = {
        .url = cli->context.url, .ca_path = cli->context.ca, .token = cli->context.token};
    cli->net = cli_net_close(cli->net);
    return cli_net_open(&cfg, &cli->net, err);
}

static int run_login(struct cli *cli, struct err *err)
{
    yyjson_val *me;
    if (cli_has(&cli->args, "token-stdin") && cli_has(&cli->args, "password-stdin"))
        return err_set(err, BERR_INVALID, "either --token-stdin or --password-stdin");
    int rc = choose_url(cli, err);
    if (rc == 0)
        rc = choose_ca(cli, err);
    if (rc == 0 && cli_has(&cli->args, "token-stdin"))
        rc = login_by_token(cli, err);
    else if (rc == 0 && (rc = reconnect(cli, err)) == 0)
        rc = login_by_password(cli, err);
    if (rc == 0)
        rc = reconnect(cli, err);
    if (rc == 0)
        rc = cli_get(cli, &me, err, "/api/v1/me");
    if (rc < 0)
        return explain_certificate(cli, rc, err);
    cli->context.name = cli_str(me, "name");
    rc = cli_context_write(&cli->context, err);
    if (rc == 0)
        cli_say(cli, "logged in to %s as %s", cli->context.url, cli->context.name);
    return rc;
}

static int run_logout(struct cli *cli, struct err *err)
{
    struct err why = {0};
    int rc = cli_connect(cli, false, err);
    if (rc < 0)
        return rc;
    rc = cli_send(cli, "POST", "/api/v1/logout", NULL, NULL, &why);
    if (rc < 0 && rc != -(int)BERR_UNAUTHENTICATED) {
        if (err)
            *err = why;
        return rc;
    }
    rc = cli_context_remove(cli->context.url, err);
    if (rc == 0)
        cli_say(cli, "logged out of %s", cli->context.url);
    return rc;
}

/* ---- who and what ---- */

static void put_projects(struct buf *out, yyjson_val *item, int64_t now_ms)
{
    size_t i, max;
    yyjson_val *p;
    (void)now_ms;
    yyjson_arr_foreach(cli_at(item, "projects"), i, max, p)
    {
        buf_puts(out, i ? ", " : "");
        cli_put_safe(out, cli_str(p, "name"));
        buf_printf(out, " (%s)", cli_str(p, "role"));
    }
}

static const struct cli_column me_columns[] = {
    {"NAME", "name", CLI_PLAIN, false, NULL},
    {"ID", "id", CLI_PLAIN, false, NULL},
    {"ADMIN", "cluster_admin", CLI_YES, false, NULL},
    {"PROJECTS", NULL, CLI_PLAIN, false, put_projects},
    {"LOGIN ENDS", "expires", CLI_TIME, false, NULL},
};

static int run_whoami(struct cli *cli, struct err *err)
{
    yyjson_val *me;
    int rc = cli_get(cli, &me, err, "/api/v1/me");
    if (rc == 0)
        cli_show_one(cli, me, me_columns, ARRAY_LEN(me_columns));
    return rc;
}

static int run_status(struct cli *cli, struct err *err)
{
    yyjson_val *health, *nodes, *mine;
    struct buf out = BUF(1u << 20);
    int rc = cli_get(cli, &health, err, "/api/v1/health");
    if (rc == 0)
        rc = cli_get(cli, &nodes, err, "/api/v1/nodes");
    if (rc == 0)
        rc = cli_get(cli, &mine, err, "/api/v1/workloads?mine=true&limit=20");
    if (rc < 0)
        return rc;
    if (cli->output == CLI_OUTPUT_JSON || cli->output == CLI_OUTPUT_YAML) {
        cli_show_list(cli, mine, NULL, 0);
        return 0;
    }
    buf_printf(&out, "%s  version %s  nodes ready %lld/%zu%s\n", cli->context.url,
               cli_str(health, "version"), (long long)cli_num(health, "nodes_ready", 0),
               yyjson_arr_size(cli_at(nodes, "items")),
               js_get_bool(health, "disk_full", false) ? "  THE DISK IS FULL" : "");
    cli_flush(&out);
    cli_show_list(cli, mine, cli_workload_columns, cli_workload_column_count);
    return 0;
}

static int run_version(struct cli *cli, struct err *err)
{
    yyjson_val *health = NULL;
    struct buf out = BUF(4096);
    (void)err;
    buf_printf(&out, "berth %s\n", BERTH_VERSION);
    if (cli_connect(cli, true, &(struct err){0}) == 0 &&
        cli_get(cli, &health, &(struct err){0}, "/api/v1/health") == 0)
        buf_printf(&out, "%s %s\n", cli->context.url, cli_str(health, "version"));
    cli_flush(&out);
    return 0;
}

static const struct cli_option login_options[] = {
    {"name", 'n', CLI_TEXT, "NAME", NULL, "user; asked for when absent"},
    {"password-stdin", 0, CLI_FLAG, NULL, NULL, "read the password from standard input"},
    {"token-stdin", 0, CLI_FLAG, NULL, NULL, "log in with a token, read from standard input"},
    {"ca", 0, CLI_TEXT, "FILE", NULL, "trust this certificate (PEM); remembered"},
};

const struct cli_command cli_session_commands[] = {
    {"login", "[URL]", "log in to a berth and remember it",
     "Without a URL: the current one, or the one of this machine. Logins are kept in\n"
     "~/.config/berth/config.json; BERTH_URL, BERTH_TOKEN and BERTH_CA come before it.",
     login_options, ARRAY_LEN(login_options), run_login},
    {"logout", NULL, "end the login here", NULL, NULL, 0, run_logout},
    {"whoami", NULL, "who I am, and my projects", NULL, NULL, 0, run_whoami},
    {"status", NULL, "the installation and my workloads", NULL, NULL, 0, run_status},
    {"version", NULL, "the version of this program and of the server", NULL, NULL, 0, run_version},
};
const size_t cli_session_command_count = ARRAY_LEN(cli_session_commands);
