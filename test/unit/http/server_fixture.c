#include "server_fixture.h"
#include <unistd.h>
#include "http/sse.h"

struct fixture f;

/* ---- the handler: what to do is the path ---- */

void take_body(struct http_request *req, const char *data, size_t len, int rc,
               const struct err *err)
{
    f.body_rc = rc;
    f.body_len = len;
    if (rc < 0)
        http_reply_err(req, err);
    else
        http_reply(req, 200, "text/plain", data, len);
}

static int take_piece(void *arg, const char *data, size_t len)
{
    if (data) {
        f.pieces++;
        f.piece_bytes += len;
        return strcmp(((struct http_request *)arg)->target.path, "/paused") == 0 ? 1 : 0;
    }
    f.body_end = len == 0;
    f.body_broken = len != 0;
    if (f.body_end) {
        char text[40];
        snprintf(text, sizeof(text), "%zu bytes", f.piece_bytes);
        http_reply_str(arg, 200, "text/plain", text);
    } else {
        http_stream_abort(arg);
    }
    return 0;
}

static void on_gone(void *arg)
{
    (void)arg;
    f.gone++;
}

void on_drain(void *arg)
{
    (void)arg;
    f.drained++;
}

static void stream_answer(struct http_request *req)
{
    http_stream_begin(req, 200, "text/plain", -1);
    http_stream_write(req, "one", 3);
    http_stream_write(req, "", 0);
    http_stream_write(req, "twentytwentytwenty", 18);
    http_stream_end(req);
}

static void say(struct http_request *req)
{
    char text[300];
    snprintf(text, sizeof(text), "%s %s from %s", req->method,
             req->target.path ? req->target.path : "", req->peer);
    http_reply_header(req, "X-Own", "yes");
    http_reply_header(req, "X-Bad", "a\r\nInjected: b");
    http_reply_str(req, 200, "text/plain", text);
}

static void handle(struct http_request *req, void *arg)
{
    const char *path = req->target.path ? req->target.path : req->head->target;
    (void)arg;
    f.handled++;
    if (str_is_equal(path, "/body") || str_is_equal(path, "/small")) {
        http_request_read_body(req, path[1] == 's' ? 10 : 1 << 20, take_body);
    } else if (str_is_equal(path, "/later") || str_is_equal(path, "/latebody")) {
        f.kept = req;
        http_request_on_gone(req, on_gone, NULL);
    } else if (str_is_equal(path, "/pieces") || str_is_equal(path, "/paused")) {
        f.kept = req;
        http_request_stream_body(req, take_piece, req);
    } else if (str_is_equal(path, "/stream")) {
        stream_answer(req);
    } else if (str_is_equal(path, "/forever")) {
        f.kept = req;
        http_request_on_gone(req, on_gone, NULL);
        http_stream_begin(req, 200, "text/plain", -1);
        http_stream_write(req, "begun", 5);
    } else if (str_is_equal(path, "/upgrade")) {
        f.stream = http_hijack(req, &f.rest);
        f.hijacked = true;
    } else if (str_is_equal(path, "/nothing")) {
        http_reply(req, 204, NULL, NULL, 0);
    } else if (str_is_equal(path, "/events")) {
        sse_begin(req);
        sse_send(req, 7, "job", "one\ntwo");
        sse_heartbeat(req);
        http_stream_end(req);
    } else if (str_is_equal(path, "/error")) {
        struct err err = {0};
        err_set(&err, BERR_INVALID, "no \"such\" thing");
        err_at(&err, "a.b", 3, 4);
        err_hint(&err, "try another");
        http_reply_err(req, &err);
    } else {
        say(req);
    }
}

static void on_done(const struct http_request *req, int64_t ms, void *arg)
{
    (void)arg;
    assert_true(ms >= 0);
    f.last_status = req->status;
    f.done++;
}

/* ---- fixture ---- */

int setup_with(struct http_server_config cfg)
{
    struct ev_address at = {.host = "127.0.0.1"};
    memset(&f, 0, sizeof(f));
    f.cfg = cfg;
    f.cfg.handler = handle;
    f.cfg.done = on_done;
    assert_int_equal(ev_loop_new(&f.loop, NULL), 0);
    f.server = http_server_new(f.loop, &f.cfg);
    assert_non_null(f.server);
    return http_server_listen(f.server, &at, 0, NULL, &f.port, NULL);
}

int setup(void **state)
{
    (void)state;
    return setup_with((struct http_server_config){0});
}

int teardown(void **state)
{
    (void)state;
    http_server_free(f.server);
    ev_stream_close(f.stream);
    buf_done(&f.rest);
    ev_loop_free(f.loop);
    return 0;
}

const char *ask(const char *request, const char *part)
{
    static char text[1 << 16];
    struct buf in = BUF(1 << 20);
    int fd = loopback_connect(f.port);
    loopback_puts(f.loop, fd, request);
    if (part)
        assert_true(loopback_read_until(f.loop, fd, &in, part));
    else
        loopback_read_all(f.loop, fd, &in);
    str_copy(text, sizeof(text), buf_str(&in));
    close(fd);
    buf_done(&in);
    loopback_settle(f.loop);
    return text;
}

void expect_part(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("\"%s\" is not in \"%s\"", part, text);
}

size_t count_parts(const char *text, const char *part)
{
    size_t n = 0;
    while ((text = strstr(text, part)) != NULL) {
        n++;
        text += strlen(part);
    }
    return n;
}
