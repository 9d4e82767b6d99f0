/*
 * logs: a task's output as plain text, or as events that a client can resume by byte offset.
 */
#include <string.h>
#include "api/call.h"
#include "base/alloc.h"
#include "base/str.h"
#include "ev/timer.h"
#include "http/sse.h"

#define CHUNK_BYTES (64 * 1024)
#define FOLLOW_MS   100
#define PAUSE_BYTES (512 * 1024)

/* One reader of one log. Freed when its request has ended. */
struct follower {
    struct api_call *call;
    struct workload_id id;
    const struct workload *past; /* one that only the store knows: in the request's arena */
    uint32_t number, task;
    uint64_t offset;
    bool follow, events, gone, reading;
    struct ev_timer *timer;
};

static void read_more(void *arg);

static void follower_end(struct follower *f)
{
    struct http_request *req = f->call->req;
    if (f->events)
        sse_send(req, f->offset, "end", "{}");
    ev_timer_free(f->timer);
    mem_free(f);
    http_stream_end(req);
}

static void on_gone(void *arg)
{
    struct follower *f = arg;
    f->gone = true;
    if (!f->reading)
        follower_end(f);
}

static void send_chunk(struct follower *f, const struct engine_log_chunk *chunk)
{
    if (!f->events) {
        http_stream_write(f->call->req, chunk->data, chunk->len);
        return;
    }
    struct buf out = BUF(8 * CHUNK_BYTES);
    struct js_writer w;
    char *text = mem_strndup(chunk->data, chunk->len);
    js_w_init(&w, &out);
    js_w_object(&w, NULL);
    js_w_i64(&w, "task", f->task);
    js_w_str(&w, "text", text ? text : "");
    js_w_end_object(&w);
    sse_send(f->call->req, f->offset, NULL, buf_str(&out));
    mem_free(text);
    buf_done(&out);
}

/* Nothing more will ever come: its task, its attempt or the workload has ended. */
static bool is_over(const struct follower *f)
{
    const struct workload *w = control_find(f->call->api->cfg.control, f->id);
    if (!w || workload_state_is_final(w->state) || !w->attempt)
        return true;
    const struct attempt *a = w->attempt;
    if (f->number != a->key.number || a->gone)
        return true;
    return a->tasks[f->task].ended && f->offset >= a->tasks[f->task].log_bytes;
}

static void on_chunk(void *arg, int rc, const struct engine_log_chunk *chunk, const struct err *err)
{
    struct follower *f = arg;
    f->reading = false;
    if (rc < 0 && !f->gone) {
        if (f->events) {
            struct buf out = BUF(4096);
            js_put_string(&out, err->text);
            sse_send(f->call->req, f->offset, "error", buf_str(&out));
            buf_done(&out);
        }
        follower_end(f);
        return;
    }
    if (rc < 0 || f->gone) {
        follower_end(f);
        return;
    }
    bool over = is_over(f); /* asked before the read's answer is used: nothing falls between */
    f->offset = chunk->next_offset;
    if (chunk->len)
        send_chunk(f, chunk);
    if (chunk->at_end && (!f->follow || over)) {
        follower_end(f);
        return;
    }
    bool wait = chunk->at_end || http_stream_queued(f->call->req) > PAUSE_BYTES;
    ev_timer_start(f->timer, wait ? FOLLOW_MS : 0, 0);
}

static void read_more(void *arg)
{
    struct follower *f = arg;
    struct err err = {0};
    struct control *control = f->call->api->cfg.control;
    if (http_stream_queued(f->call->req) > PAUSE_BYTES) {
        ev_timer_start(f->timer, FOLLOW_MS, 0);
        return;
    }
    const struct workload *w = control_find(control, f->id);
    if (!w)
        w = f->past;
    if (!w) {
        follower_end(f);
        return;
    }
    f->reading = true;
    if (control_log_read(control, w, f->number, f->task, f->offset, CHUNK_BYTES, on_chunk, f,
                         &err) < 0) {
        f->reading = false;
        on_chunk(f, -(int)err.code, NULL, &err);
    }
}

static int take_position(struct api_call *call, const struct workload *w, struct follower *f,
                         struct err *err)
{
    uint64_t task = 0, number = 0;
    int rc = api_query_u64(call, "task", 0, &task, err);
    if (rc == 0)
        rc = api_query_u64(call, "attempt", w->attempt->key.number, &number, err);
    if (rc == 0)
        rc = api_query_u64(call, "offset", 0, &f->offset, err);
    if (rc == 0)
        rc = api_query_bool(call, "follow", &f->follow, err);
    if (rc == 0)
        rc = api_query_bool(call, "events", &f->events, err);
    if (rc == 0 && f->events)
        rc = sse_position(call->req, f->offset, &f->offset, err);
    if (rc < 0)
        return rc;
    if (task >= w->attempt->task_count) {
        err_set(err, BERR_INVALID, "%s has %u tasks, 0 to %u", w->spec->name,
                w->attempt->task_count, w->attempt->task_count - 1);
        return err_at(err, "task", 0, 0);
    }
    if (number < 1 || number > w->attempt->key.number) {
        err_set(err, BERR_INVALID, "%s has had %u attempts", w->spec->name, w->attempt->key.number);
        return err_at(err, "attempt", 0, 0);
    }
    f->task = (uint32_t)task;
    f->number = (uint32_t)number;
    return 0;
}

static void start(struct api_call *call, const struct workload *w)
{
    struct err err = {0};
    if (!w->attempt) {
        err_set(&err, BERR_CONFLICT, "%s has not been started yet: %s", w->spec->name, w->reason);
        api_fail(call, &err);
        return;
    }
    struct follower *f = mem_calloc(1, sizeof(*f));
    if (f) {
        *f = (struct follower){.call = call, .id = w->id};
        f->timer = ev_timer_new(call->api->cfg.loop, read_more, f);
    }
    int rc = f && f->timer ? take_position(call, w, f, &err)
                           : err_set(&err, BERR_NOMEM, "out of memory");
    if (rc < 0) {
        if (f)
            ev_timer_free(f->timer);
        mem_free(f);
        api_fail(call, &err);
        return;
    }
    f->past = control_find(call->api->cfg.control, w->id) ? NULL : w;
    if (f->events)
        sse_begin(call->req);
    else
        http_stream_begin(call->req, 200, "text/plain; charset=utf-8", -1);
    http_request_on_gone(call->req, on_gone, f);
    read_more(f);
}

static void get_logs(struct http_request *req, void *arg)
{
    (void)arg;
    api_with_workload(api_call(req), req->params[0], -1, AUTH_VIEW, start);
}

static const struct http_param log_query[] = {
    {"task", "number of the task, default 0", "integer"},
    {"attempt", "number of the attempt, default the latest", "integer"},
    {"offset", "begin at this byte", "integer"},
    {"follow", "go on as more comes, until its end", "boolean"},
    {"events", "as server-sent events whose id is the offset to resume from", "boolean"},
    {NULL, NULL, NULL},
};

const struct http_route api_log_routes[] = {
    {"GET", "/api/v1/workloads/:id/logs", get_logs, ACCESS_USER, NULL, NULL, false,
     "Read or follow the log of a task", log_query, 0},
    {"GET", "/api/v1/jobs/:id/logs", get_logs, ACCESS_USER, NULL, NULL, false,
     "Read or follow the log of a task", log_query, 0},
    {"GET", "/api/v1/notebooks/:id/logs", get_logs, ACCESS_USER, NULL, NULL, false,
     "Read or follow the log of a task", log_query, 0},
};
const size_t api_log_route_count = ARRAY_LEN(api_log_routes);
