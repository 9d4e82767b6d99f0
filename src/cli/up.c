/*
 * up: from nothing, or from whatever a crash has left, to a berth that answers. Every step is left
 * out when it is done already, so that `berth up` is also the way to mend.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>
#include "base/alloc.h"
#include "base/str.h"
#include "cli/daemons.h"
#include "cli/machine.h"
#include "cli/prepare.h"
#include "js/js.h"
#include "os/file.h"
#include "os/sock.h"

#define DEFAULT_LISTEN "127.0.0.1:8443"
#define ANSWER_MS      30000
#define LOOK_MS        50

struct starting {
    struct cli *cli;
    struct cli_instance in;
    struct cli_users users;
    bool is_new;               /* no instance.json so far */
    bool changed;              /* options say something else than it */
    bool started[CLI_DAEMONS]; /* by us, now */
    int lock_fd;
    char bin_dir[CLI_PATH_MAX]; /* of the daemons' programs */
};

int cli_need_root(const char *what, struct err *err)
{
    if (geteuid() == 0)
        return 0;
    err_set(err, BERR_FORBIDDEN, "`berth %s` must run as root", what);
    return err_hint(err, "try `sudo berth %s`", what);
}

bool cli_kernel_is_enough(const char *release)
{
    int major = 0, minor = 0;
    if (sscanf(release, "%d.%d", &major, &minor) != 2)
        return false;
    return major > CLI_KERNEL_MAJOR || (major == CLI_KERNEL_MAJOR && minor >= CLI_KERNEL_MINOR);
}

/* ---- what it is to be ---- */

static bool is_loopback(const char *host)
{
    return str_has_prefix(host, "127.") || str_is_equal(host, "::1");
}

static bool is_domain(const char *s)
{
    char label[64];
    if (!s[0] || strlen(s) > 200)
        return false;
    for (const char *at = s; *at;) {
        size_t len = strcspn(at, ".");
        if (!len || len >= sizeof(label))
            return false;
        memcpy(label, at, len);
        label[len] = '\0';
        if (!str_is_label(label))
            return false;
        at += len + (at[len] == '.');
    }
    return s[strlen(s) - 1] != '.';
}

static int take_options(struct starting *s, struct err *err)
{
    const struct cli_args *a = &s->cli->args;
    struct cli_instance was = s->in;
    const char *listen = cli_text(a, "listen"), *domain = cli_text(a, "domain");
    const char *engine = cli_text(a, "engine");
    int rc = 0;
    if (listen || s->is_new)
        rc = cli_instance_listen(listen ? listen : DEFAULT_LISTEN, &s->in, err);
    if (rc < 0)
        return rc;
    if (cli_has(a, "plain"))
        s->in.plain = true;
    if (domain && !is_domain(domain)) {
        err_set(err, BERR_INVALID, "--domain needs a name, found \"%.100s\"", domain);
        return err_hint(err, "like berth.example.org, in lower case");
    }
    if (domain || s->is_new)
        str_copy(s->in.domain, sizeof(s->in.domain), domain ? domain : "localhost");
    if (engine || s->is_new)
        str_copy(s->in.engine, sizeof(s->in.engine), engine ? engine : "local");
    if (s->in.plain && !is_loopback(s->in.host)) {
        err_set(err, BERR_INVALID, "--plain works on a loopback address only, not on %s",
                s->in.host);
        return err_hint(err, "leave --plain out: passwords must not cross a network in clear");
    }
    s->changed = !str_is_equal(was.host, s->in.host) || was.port != s->in.port ||
                 was.plain != s->in.plain || !str_is_equal(was.domain, s->in.domain) ||
                 !str_is_equal(was.engine, s->in.engine);
    return 0;
}

static int check_machine(struct err *err)
{
    struct utsname name;
    if (uname(&name) == 0 && !cli_kernel_is_enough(name.release)) {
        err_set(err, BERR_UNSUPPORTED, "the kernel %s is too old, berth needs %d.%d", name.release,
                CLI_KERNEL_MAJOR, CLI_KERNEL_MINOR);
        return err_hint(err, "see `berth doctor`");
    }
    return 0;
}

static int check_programs(const struct starting *s, struct err *err)
{
    char path[CLI_PATH_MAX];
    int rc = 0;
    for (int d = 0; rc == 0 && d < CLI_DAEMONS; d++)
        if (cli_daemon_is_wanted(&s->in, (enum cli_daemon)d))
            rc = cli_find_program(cli_daemon_name((enum cli_daemon)d), path, err);
    return rc;
}

static int check_port(const struct starting *s, struct err *err)
{
    int fd;
    if (cli_daemon_pid(s->in.data, CLI_GATEWAY))
        return 0;
    int rc = os_sock_listen_tcp(s->in.host, s->in.port, &fd, err);
    if (rc == 0) {
        close(fd);
        return 0;
    }
    if (rc == -(int)BERR_CONFLICT)
        err_set(err, BERR_CONFLICT, "port %u of %s is taken by another program", s->in.port,
                s->in.host);
    return err_hint(err, "see `ss -ltnp`, or choose another with --listen %s:PORT", s->in.host);
}

static bool is_running(const struct starting *s)
{
    for (int d = 0; d < CLI_DAEMONS; d++)
        if (cli_daemon_pid(s->in.data, (enum cli_daemon)d))
            return true;
    return false;
}

static int read_instance(struct starting *s, struct err *err)
{
    char data[CLI_PATH_MAX];
    const char *dir = cli_data_dir(cli_text(&s->cli->args, "data"));
    struct err why = {0};
    int rc = cli_instance_read(dir, &s->in, &why);
    if (rc == 0)
        return take_options(s, err);
    if (rc != -(int)BERR_NOT_FOUND) {
        if (err)
            *err = why;
        return rc;
    }
    s->is_new = true;
    s->in = (struct cli_instance){.schema = CLI_SCHEMA};
    rc = take_options(s, err);
    if (rc == 0)
        rc = check_port(s, err); /* before anything is made */
    if (rc == 0)
        rc = cli_data_make(dir, data, err);
    if (rc == 0)
        str_copy(s->in.data, sizeof(s->in.data), data);
    return rc;
}

/* ---- making and starting ---- */

static int prepare(struct starting *s, struct err *err)
{
    bool running = is_running(s);
    if (running && s->changed && !s->is_new) {
        err_set(err, BERR_CONFLICT, "berth runs with other options already");
        return err_hint(err, "`berth down --keep-running` first; tasks go on meanwhile");
    }
    bool starts = !cli_has(&s->cli->args, "prepare"); /* else somebody has the port rightly */
    int rc = starts ? check_port(s, err) : 0;
    if (rc == 0 && starts)
        rc = check_programs(s, err);
    if (rc == 0)
        rc = cli_users_make(&s->users, err);
    if (rc == 0)
        rc = cli_tree_make(&s->in, &s->users, err);
    if (rc == 0 && starts)
        rc = cli_programs_place(&s->in, s->bin_dir, err);
    if (rc == 0 && !running)
        rc = cli_instance_choose(&s->in, err);
    if (rc == 0)
        rc = cli_instance_write(&s->in, err);
    if (rc == 0 && !s->in.plain)
        rc = cli_certificate_make(&s->in, err);
    return rc;
}

static int start_missing(struct starting *s, struct err *err)
{
    const char *level = cli_text(&s->cli->args, "log-level");
    for (int i = 0; i < CLI_DAEMONS; i++) {
        enum cli_daemon d = (enum cli_daemon)i;
        if (!cli_daemon_is_wanted(&s->in, d) || cli_daemon_pid(s->in.data, d))
            continue;
        int rc = cli_daemon_start(&s->in, d, s->bin_dir, &s->users, level, err);
        if (rc < 0)
            return rc;
        s->started[d] = true;
    }
    return 0;
}

/* ---- waiting ---- */

/* Where we ourselves reach it. */
static void own_url(const struct cli_instance *in, char *dst, size_t size)
{
    const char *host = str_is_equal(in->host, "0.0.0.0") ? "127.0.0.1"
                       : str_is_equal(in->host, "::")    ? "::1"
                                                         : in->host;
    snprintf(dst, size, strchr(host, ':') ? "%s://[%s]:%u" : "%s://%s:%u",
             in->plain ? "http" : "https", host, in->port);
}

static int ask_health(struct cli_net *net, struct err *err)
{
    cleanup(buf_done) struct buf body = BUF(64 * 1024);
    cleanup(js_doc_freep) struct js_doc *doc = NULL;
    struct cli_request req = {.method = "GET", .target = "/api/v1/health", .answer_ms = 2000};
    int rc = cli_net_call(net, &req, &body, err);
    if (rc == 0)
        rc = js_parse_json(buf_str(&body), body.len, &doc, err);
    if (rc == 0 && js_get_i64(js_root(doc), "nodes_ready", 0) < 1)
        return err_set(err, BERR_UNAVAILABLE, "berthd answers, but no machine is ready yet");
    return rc;
}

/* CONFLICT when one of them is gone again. */
static int check_alive(const struct starting *s, enum cli_daemon *ret_dead, struct err *err)
{
    for (int i = 0; i < CLI_DAEMONS; i++) {
        enum cli_daemon d = (enum cli_daemon)i;
        if (cli_daemon_is_wanted(&s->in, d) && !cli_daemon_pid(s->in.data, d)) {
            *ret_dead = d;
            return err_set(err, BERR_UNAVAILABLE, "%s ended at once", cli_daemon_name(d));
        }
    }
    return 0;
}

static int wait_answers(struct starting *s, enum cli_daemon *ret_culprit, struct err *err)
{
    char url[160], ca[CLI_PATH_MAX + 32];
    struct cli_net *net = NULL;
    own_url(&s->in, url, sizeof(url));
    snprintf(ca, sizeof(ca), "%s/tls/cert.pem", s->in.data);
    struct cli_net_config cfg = {.url = url, .ca_path = s->in.plain ? NULL : ca};
    int rc = cli_net_open(&cfg, &net, err);
    if (rc < 0)
        return rc;
    int64_t begun = cli_now_ms();
    *ret_culprit = CLI_BERTHD;
    for (;;) {
        struct err why = {0};
        rc = check_alive(s, ret_culprit, err);
        if (rc < 0 || (rc = ask_health(net, &why)) == 0)
            break;
        if (cli_now_ms() - begun > ANSWER_MS) {
            rc = err_set(err, BERR_TIMEOUT, "berth does not answer: %s", why.text);
            break;
        }
        cli_progress(s->cli, "waiting for berth to answer");
        if ((rc = cli_net_sleep(net, LOOK_MS, err)) < 0)
            break;
    }
    cli_progress_end(s->cli);
    cli_net_close(net);
    return rc;
}

/* What was started now is ended again: a half of berth helps nobody. */
static void give_up(struct starting *s, enum cli_daemon culprit)
{
    struct buf log = BUF(64 * 1024);
    cli_daemon_put_log(s->in.data, culprit, &log);
    if (log.len)
        fprintf(stderr, "%s", buf_str(&log));
    buf_done(&log);
    for (int d = CLI_DAEMONS - 1; d >= 0; d--)
        if (s->started[d])
            cli_daemon_stop(s->in.data, (enum cli_daemon)d, &(struct err){0});
}

/* ---- telling ---- */

struct first_login {
    struct js_doc *doc; /* NULL: none */
    char path[CLI_PATH_MAX + 32];
};

static void read_first_login(const struct cli_instance *in, struct first_login *ret)
{
    cleanup(mem_freep) char *text = NULL;
    size_t len;
    *ret = (struct first_login){0};
    snprintf(ret->path, sizeof(ret->path), "%s/db/first-login", in->data);
    if (os_file_read(AT_FDCWD, ret->path, 65536, &text, &len, &(struct err){0}) == 0)
        js_parse_json(text, len, &ret->doc, &(struct err){0});
}

static void put_json(const struct starting *s, const char *url, const struct first_login *first,
                     struct buf *out)
{
    struct js_writer w;
    char ca[CLI_PATH_MAX + 32];
    snprintf(ca, sizeof(ca), "%s/tls/cert.pem", s->in.data);
    js_w_init(&w, out);
    js_w_object(&w, NULL);
    js_w_str(&w, "url", url);
    js_w_str(&w, "data", s->in.data);
    js_w_str(&w, "ca", s->in.plain ? NULL : ca);
    js_w_array(&w, "started");
    for (int d = 0; d < CLI_DAEMONS; d++)
        if (s->started[d])
            js_w_str(&w, NULL, cli_daemon_name((enum cli_daemon)d));
    js_w_end_array(&w);
    if (first->doc) {
        yyjson_val *root = js_root(first->doc);
        js_w_object(&w, "first_login");
        js_w_str(&w, "name", js_get_str(root, "name"));
        js_w_str(&w, "password", js_get_str(root, "password"));
        js_w_str(&w, "token", js_get_str(root, "token"));
        js_w_end_object(&w);
    }
    js_w_end_object(&w);
    buf_putc(out, '\n');
}

static void put_words(const struct starting *s, const char *url, const struct first_login *first,
                      struct buf *out)
{
    bool started = false;
    for (int d = 0; d < CLI_DAEMONS; d++)
        started = started || s->started[d];
    if (cli_has(&s->cli->args, "prepare"))
        buf_printf(out, "%s is ready for a berth at %s\n", s->in.data, url);
    else if (!started)
        buf_printf(out, "berth is running already at %s\n", url);
    else if (s->started[CLI_BERTHD] && s->started[CLI_GATEWAY])
        buf_printf(out, "berth is up at %s\n", url);
    else
        buf_printf(out, "berth is whole again at %s\n", url);
    if (first->doc) {
        yyjson_val *root = js_root(first->doc);
        const char *name = js_get_str(root, "name");
        buf_printf(out,
                   "\nthe first login, shown only now:\n  name      %s\n  password  %s\n"
                   "  token     %s\n",
                   name ? name : "", js_get_str(root, "password"), js_get_str(root, "token"));
        buf_printf(out, "\nlog in with: berth login %s --name %s", url, name ? name : "");
        if (!s->in.plain && !str_is_equal(s->in.data, CLI_DATA_DEFAULT))
            buf_printf(out, " --ca %s/tls/cert.pem", s->in.data);
        buf_putc(out, '\n');
    }
}

static int tell(struct starting *s, struct err *err)
{
    char url[400];
    struct buf out = BUF(64 * 1024);
    struct first_login first;
    cli_instance_url(&s->in, url, sizeof(url));
    read_first_login(&s->in, &first);
    if (s->cli->output == CLI_OUTPUT_JSON || s->cli->output == CLI_OUTPUT_YAML)
        put_json(s, url, &first, &out);
    else
        put_words(s, url, &first, &out);
    cli_flush(&out);
    fflush(stdout);
    int rc = first.doc ? os_file_remove(AT_FDCWD, first.path, err) : 0;
    js_doc_free(first.doc);
    return rc;
}

int cli_run_up(struct cli *cli, struct err *err)
{
    struct starting s = {.cli = cli, .lock_fd = -1};
    char lock[CLI_PATH_MAX + 32];
    enum cli_daemon culprit = CLI_RUNNER;
    int rc = cli_need_root("up", err);
    if (rc == 0)
        rc = check_machine(err);
    if (rc == 0)
        rc = read_instance(&s, err);
    if (rc < 0)
        return rc;
    snprintf(lock, sizeof(lock), "%s/up.lock", s.in.data);
    rc = os_file_lock(AT_FDCWD, lock, &s.lock_fd, err);
    if (rc == 0)
        rc = prepare(&s, err);
    if (rc == 0 && !cli_has(&cli->args, "prepare")) {
        rc = start_missing(&s, err);
        if (rc == 0)
            rc = wait_answers(&s, &culprit, err);
        if (rc < 0)
            give_up(&s, culprit);
    }
    if (rc == 0)
        rc = tell(&s, err);
    fd_closep(&s.lock_fd);
    return rc;
}
