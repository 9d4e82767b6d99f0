/*
 * net: each call runs the loop until its answer, an error or an interrupt.
 */
#include "cli/net.h"
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "base/alloc.h"
#include "base/str.h"
#include "ev/timer.h"
#include "ev/tls.h"
#include "http/client.h"
#include "js/js.h"

#define ANSWER_MS        60000
#define PROBLEM_MAX      (64u << 10)
#define SEND_AHEAD_BYTES (256u << 10)
#define FILES_AT_ONCE    8
#define PIECE_BYTES      (64u << 10)

struct cli_net {
    struct ev_loop *loop;
    struct http_client *client;
    struct ev_tls *tls;
    struct ev_timer *timer;
    struct url_base base;
    char *token, *url;
    bool interrupted, has_signal;
};

/* One request under way. */
struct exchange {
    struct cli_net *net;
    struct http_call *call; /* NULL once done */
    int status;
    struct buf *body;   /* of a good answer; NULL: thrown away */
    struct buf problem; /* of a bad one */
    cli_net_piece_fn *fn;
    void *arg;
    bool done, stopped;
    int rc;
    struct err err;
    int fd; /* body comes from here; -1: from memory */
    uint64_t left;
};

/* ---- answers ---- */

int cli_problem(int status, const char *body, size_t len, struct err *err)
{
    struct js_doc *doc = NULL;
    if (js_parse_json(body, len, &doc, &(struct err){0}) < 0 ||
        !js_get_str(js_root(doc), "detail")) {
        js_doc_free(doc);
        enum berr code = status >= 400 ? berr_from_http(status) : BERR_PROTOCOL;
        return err_set(err, code, "the server answered with status %d", status);
    }
    yyjson_val *root = js_root(doc);
    const char *code = js_get_str(root, "code"), *hint = js_get_str(root, "hint");
    const char *field = js_get_str(root, "field");
    err_set(err, code ? berr_from_name(code) : berr_from_http(status), "%s",
            js_get_str(root, "detail"));
    err_at(err, field ? field : "", (int)js_get_i64(root, "line", 0),
           (int)js_get_i64(root, "column", 0));
    if (hint)
        err_hint(err, "%s", hint);
    js_doc_free(doc);
    return -(int)err->code;
}

static void on_head(void *arg, const struct http_head *head)
{
    struct exchange *x = arg;
    x->status = head->status;
}

static int on_body(void *arg, const char *data, size_t len)
{
    struct exchange *x = arg;
    if (x->stopped)
        return 0;
    if (x->status >= 300) {
        buf_append(&x->problem, data, len);
    } else if (x->fn) {
        if (x->fn(x->arg, data, len)) {
            x->stopped = true;
            ev_loop_stop(x->net->loop);
        }
    } else if (x->body) {
        buf_append(x->body, data, len);
    }
    return 0;
}

static void on_done(void *arg, int rc, const struct err *err)
{
    struct exchange *x = arg;
    x->call = NULL;
    x->done = true;
    x->rc = rc;
    if (rc < 0)
        x->err = *err;
    ev_loop_stop(x->net->loop);
}

/* Keeps some of the file ahead of the connection. */
static void on_drain(void *arg)
{
    struct exchange *x = arg;
    char piece[PIECE_BYTES];
    while (x->call && x->left && http_call_queued(x->call) < SEND_AHEAD_BYTES) {
        size_t want = x->left < sizeof(piece) ? (size_t)x->left : sizeof(piece);
        ssize_t n = read(x->fd, piece, want);
        if (n <= 0) {
            x->rc = err_set(&x->err, BERR_CONFLICT, "the file became shorter while it was sent");
            x->done = true;
            ev_loop_stop(x->net->loop);
            return;
        }
        http_call_write(x->call, piece, (size_t)n);
        x->left -= (uint64_t)n;
    }
}

static const struct http_call_events events = {
    .on_head = on_head, .on_body = on_body, .on_done = on_done, .on_drain = on_drain};

/* ---- calls ---- */

static int interrupted(struct cli_net *net, struct err *err)
{
    net->interrupted = false;
    return err_set(err, BERR_CANCELED, "interrupted");
}

static void put_headers(struct cli_net *net, const struct cli_request *req, int64_t last_event_id,
                        struct buf *out)
{
    buf_puts(out, "Accept: application/json, text/event-stream, text/plain\r\n");
    if (net->token)
        buf_printf(out, "Authorization: Bearer %s\r\n", net->token);
    if (req->body_len || req->type)
        buf_printf(out, "Content-Type: %s\r\n", req->type ? req->type : "application/json");
    if (req->key)
        buf_printf(out, "Idempotency-Key: %s\r\n", req->key);
    if (last_event_id >= 0)
        buf_printf(out, "Last-Event-ID: %lld\r\n", (long long)last_event_id);
}

static int explain(struct exchange *x, struct err *err)
{
    struct cli_net *net = x->net;
    if (x->rc < 0) {
        /* Half an answer is a connection that broke, whatever the parser calls it. */
        if (x->rc == -(int)BERR_INVALID || x->rc == -(int)BERR_PROTOCOL)
            x->rc = err_set(&x->err, BERR_UNAVAILABLE, "the answer broke off");
        if (err)
            *err = x->err;
        if (x->rc == -(int)BERR_UNAVAILABLE || x->rc == -(int)BERR_TIMEOUT) {
            err_wrap(err, x->rc, "no berth answers at %s", net->url);
            err_hint(err, "is it running? `berth up` starts one on this machine; --url or "
                          "BERTH_URL name another");
        }
        return x->rc;
    }
    if (x->status >= 300)
        return cli_problem(x->status, buf_str(&x->problem), x->problem.len, err);
    if (x->body && buf_is_failed(x->body))
        return err_set(err, BERR_TOO_LARGE, "the answer is too large");
    return 0;
}

static int begin(struct exchange *x, const struct cli_request *req, int64_t body_len,
                 int64_t last_event_id, struct err *err)
{
    struct cli_net *net = x->net;
    cleanup(buf_done) struct buf headers = BUF(16 * 1024);
    put_headers(net, req, last_event_id, &headers);
    buf_init(&x->problem, PROBLEM_MAX);
    struct http_call_request call = {
        .to = {.host = net->base.host, .port = net->base.port},
        .tls = net->tls,
        .method = req->method,
        .target = req->target,
        .headers = buf_str(&headers),
        .body_length = body_len,
        .answer_ms = x->fn            ? 0
                     : req->answer_ms ? req->answer_ms
                                      : ANSWER_MS,
    };
    x->call = http_client_call(net->client, &call, &events, x, err);
    if (!x->call)
        return err ? -(int)err->code : -(int)BERR_NOMEM;
    if (x->fd >= 0)
        on_drain(x);
    else if (body_len > 0)
        http_call_write(x->call, req->body, req->body_len);
    return 0;
}

static int finish(struct exchange *x, struct err *err)
{
    int rc = 0;
    if (x->call)
        http_call_cancel(x->call);
    x->call = NULL;
    if (!x->done && !x->stopped)
        rc = interrupted(x->net, err);
    else if (!x->stopped)
        rc = explain(x, err);
    buf_done(&x->problem);
    return rc;
}

static int run(struct exchange *x, const struct cli_request *req, int64_t body_len,
               int64_t last_event_id, struct err *err)
{
    struct cli_net *net = x->net;
    if (net->interrupted)
        return interrupted(net, err);
    int rc = begin(x, req, body_len, last_event_id, err);
    if (rc < 0)
        return rc;
    while (!x->done && !x->stopped && !net->interrupted)
        ev_loop_run(net->loop);
    return finish(x, err);
}

int cli_net_call(struct cli_net *net, const struct cli_request *req, struct buf *ret_body,
                 struct err *err)
{
    struct exchange x = {.net = net, .body = ret_body, .fd = -1};
    return run(&x, req, (int64_t)req->body_len, -1, err);
}

/* ---- many files ---- */

static int send_next(struct cli_net *net, struct exchange *x, cli_next_file_fn *next, void *arg,
                     struct err *err)
{
    struct cli_file file;
    int rc = next(arg, &file, err);
    if (rc <= 0)
        return rc;
    struct cli_request req = {
        .method = "PUT", .target = file.target, .type = "application/octet-stream"};
    *x = (struct exchange){.net = net, .fd = file.fd, .left = file.size_bytes};
    rc = begin(x, &req, (int64_t)file.size_bytes, -1, err);
    if (rc == 0)
        return 1;
    fd_closep(&x->fd);
    return rc;
}

/* The answer of one, or how it is left unfinished. */
static int end_one(struct exchange *x, struct err *err)
{
    int rc = finish(x, err);
    fd_closep(&x->fd);
    x->net = NULL;
    return rc;
}

int cli_net_send_files(struct cli_net *net, cli_next_file_fn *next, void *arg, struct err *err)
{
    struct exchange xs[FILES_AT_ONCE] = {0};
    size_t open = 0;
    bool more = true;
    int rc = 0;
    while (rc == 0 && (more || open)) {
        for (size_t i = 0; i < ARRAY_LEN(xs) && rc == 0; i++) {
            if (xs[i].net && xs[i].done) {
                open--;
                rc = end_one(&xs[i], err);
            }
            if (rc < 0 || xs[i].net || !more)
                continue;
            int sent = send_next(net, &xs[i], next, arg, err);
            more = sent > 0;
            open += sent > 0;
            rc = sent < 0 ? sent : 0;
        }
        if (rc == 0 && net->interrupted)
            rc = interrupted(net, err);
        if (rc == 0 && open)
            ev_loop_run(net->loop); /* until one of them has its answer */
    }
    for (size_t i = 0; i < ARRAY_LEN(xs); i++)
        if (xs[i].net)
            end_one(&xs[i], &(struct err){0});
    return rc;
}

int cli_net_stream(struct cli_net *net, const char *target, int64_t last_event_id,
                   cli_net_piece_fn *fn, void *arg, struct err *err)
{
    struct exchange x = {.net = net, .fn = fn, .arg = arg, .fd = -1};
    struct cli_request req = {.method = "GET", .target = target};
    return run(&x, &req, 0, last_event_id, err);
}

/* ---- interrupts and waiting ---- */

static void on_signal(void *arg, int signum)
{
    struct cli_net *net = arg;
    (void)signum;
    net->interrupted = true;
    ev_loop_stop(net->loop);
}

int cli_net_catch_interrupt(struct cli_net *net, struct err *err)
{
    if (net->has_signal)
        return 0;
    net->has_signal = true;
    int rc = ev_signal(net->loop, SIGINT, on_signal, net, err);
    return rc < 0 ? rc : ev_signal(net->loop, SIGTERM, on_signal, net, err);
}

static void on_time(void *arg)
{
    struct cli_net *net = arg;
    ev_loop_stop(net->loop);
}

int cli_net_sleep(struct cli_net *net, int64_t ms, struct err *err)
{
    ev_timer_start(net->timer, ms, 0);
    while (ev_timer_is_active(net->timer) && !net->interrupted)
        ev_loop_run(net->loop);
    ev_timer_stop(net->timer);
    return net->interrupted ? interrupted(net, err) : 0;
}

/* ---- life ---- */

struct cli_net *cli_net_close(struct cli_net *net)
{
    if (!net)
        return NULL;
    ev_timer_free(net->timer);
    http_client_free(net->client);
    if (net->loop)
        ev_loop_free(net->loop);
    ev_tls_free(net->tls);
    mem_free(net->token);
    mem_free(net->url);
    mem_free(net);
    return NULL;
}

static int open_parts(struct cli_net *net, const struct cli_net_config *cfg, struct err *err)
{
    int rc = url_parse_base(cfg->url, &net->base, err);
    if (rc == 0)
        rc = ev_loop_new(&net->loop, err);
    if (rc == 0 && net->base.tls)
        rc = ev_tls_client(cfg->ca_path, &net->tls, err);
    if (rc < 0)
        return rc;
    net->client = http_client_new(net->loop);
    net->timer = ev_timer_new(net->loop, on_time, net);
    net->url = mem_strdup(cfg->url);
    net->token = cfg->token ? mem_strdup(cfg->token) : NULL;
    if (!net->client || !net->timer || !net->url || (cfg->token && !net->token))
        return err_set(err, BERR_NOMEM, "out of memory");
    return 0;
}

int cli_net_open(const struct cli_net_config *cfg, struct cli_net **ret, struct err *err)
{
    if (cfg->token && strpbrk(cfg->token, "\r\n"))
        return err_set(err, BERR_INVALID, "the token is malformed");
    struct cli_net *net = mem_calloc(1, sizeof(*net));
    int rc = net ? open_parts(net, cfg, err) : err_set(err, BERR_NOMEM, "out of memory");
    if (rc < 0)
        cli_net_close(net);
    else
        *ret = net;
    return rc;
}
