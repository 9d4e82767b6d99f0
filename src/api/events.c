/*
 * events: what happened, as a page or as a stream that resumes by number.
 */
#include "api/call.h"
#include "base/alloc.h"
#include "base/str.h"
#include "ev/timer.h"
#include "http/sse.h"

#define BATCH        256
#define HEARTBEAT_MS 15000
#define PAUSE_BYTES  (512 * 1024)

/* One watch. Sends from memory while it can, from the store when it is behind. */
struct watch {
    struct api_call *call;
    uint64_t next; /* number of the next event to look at */
    bool reading, gone;
    struct ev_timer *heartbeat;
};

static bool may_see(struct api_call *call, const struct event *ev)
{
    struct auth_target target = {.kind = AUTH_KIND_EVENT, .project = {ev->project}, .id = ev->seq};
    if (ev->project == 0 && ev->actor == call->who.user.v && ev->actor != 0)
        return true; /* what somebody did is no secret to them */
    return auth_check(call->api->cfg.auth, &call->who, AUTH_VIEW, &target, NULL) == 0;
}

static void put_event(struct js_writer *w, struct api_call *call, const struct event *ev)
{
    char id[ID_TEXT_SIZE];
    const struct auth *auth = call->api->cfg.auth;
    const struct user *actor = auth_find_user(auth, (struct user_id){ev->actor});
    const struct project *project = auth_find_project(auth, (struct project_id){ev->project});
    js_w_object(w, NULL);
    js_w_u64(w, "seq", ev->seq);
    js_w_time(w, "time", ev->time_ms);
    js_w_str(w, "type", ev->type);
    js_w_str(w, "subject", ev->subject ? id_format(id, ev->subject) : NULL);
    js_w_str(w, "subject_kind", ev->subject_kind);
    js_w_str(w, "project", project ? project->name : NULL);
    js_w_str(w, "actor", actor ? actor->name : NULL);
    js_w_str(w, "text", ev->text);
    if (ev->data)
        js_w_raw(w, "data", ev->data);
    js_w_end_object(w);
}

/* ---- a page ---- */

static void page_read(void *arg, int rc, const struct event *events, size_t count, uint64_t oldest,
                      const struct err *err)
{
    struct api_call *call = arg;
    if (rc < 0) {
        api_fail(call, err);
        return;
    }
    struct buf out = BUF(16u << 20);
    struct js_writer w;
    uint64_t last = 0;
    js_w_init(&w, &out);
    js_w_object(&w, NULL);
    js_w_array(&w, "items");
    /* The store may be a commit ahead of us; what we don't know of yet nobody may come back with. */
    uint64_t known = control_last_event(call->api->cfg.control);
    for (size_t i = 0; i < count && events[i].seq <= known; i++) {
        last = events[i].seq;
        if (may_see(call, &events[i]))
            put_event(&w, call, &events[i]);
    }
    js_w_end_array(&w);
    js_w_u64(&w, "next", last ? last : known);
    js_w_u64(&w, "oldest", oldest);
    js_w_end_object(&w);
    api_reply_json(call, 200, &out);
}

/* ---- a watch ---- */

static void watch_more(struct watch *w);

static void watch_end(struct watch *w, const struct err *err);

static void on_events(void *arg, uint64_t last)
{
    (void)last;
    watch_more(arg);
}

static void watch_send(struct watch *w, const struct event *ev)
{
    struct buf out = BUF(64 * 1024);
    struct js_writer writer;
    w->next = ev->seq + 1;
    if (!may_see(w->call, ev))
        return;
    js_w_init(&writer, &out);
    put_event(&writer, w->call, ev);
    if (!buf_is_failed(&out))
        sse_send(w->call->req, ev->seq, NULL, buf_str(&out));
    buf_done(&out);
}

static void watch_read(void *arg, int rc, const struct event *events, size_t count, uint64_t oldest,
                       const struct err *err)
{
    struct watch *w = arg;
    struct err gone = {0};
    w->reading = false;
    if (w->gone || rc < 0) {
        watch_end(w, rc < 0 ? err : NULL);
        return;
    }
    if (w->next < oldest) {
        err_set(&gone, BERR_GONE, "event %llu is no longer kept", (unsigned long long)w->next);
        watch_end(w, &gone);
        return;
    }
    uint64_t known = control_last_event(w->call->api->cfg.control);
    for (size_t i = 0; i < count && events[i].seq <= known; i++)
        watch_send(w, &events[i]);
    if (count == 0)
        return; /* the next commit calls again */
    watch_more(w);
}

static void watch_more(struct watch *w)
{
    const struct event *ev;
    if (w->reading || w->gone)
        return;
    while (w->next <= control_last_event(w->call->api->cfg.control)) {
        if (http_stream_queued(w->call->req) > PAUSE_BYTES)
            return; /* on_drain goes on */
        if (!control_recent_event(w->call->api->cfg.control, w->next, &ev)) {
            w->reading = true;
            store_read_events(w->call->api->cfg.store, w->next - 1, BATCH, watch_read, w);
            return;
        }
        watch_send(w, ev);
    }
}

static void on_drain(void *arg)
{
    watch_more(arg);
}

static void on_heartbeat(void *arg)
{
    struct watch *w = arg;
    struct err err = {0};
    /* The right to watch ends with the token. */
    if (auth_check(w->call->api->cfg.auth, &w->call->who, AUTH_VIEW,
                   &(struct auth_target){.kind = AUTH_KIND_TOKEN,
                                         .owner = w->call->who.user,
                                         .id = w->call->who.token.v},
                   &err) < 0 ||
        !auth_find_token(w->call->api->cfg.auth, w->call->who.token)) {
        err_set(&err, BERR_UNAUTHENTICATED, "the login has ended");
        watch_end(w, &err);
        return;
    }
    sse_heartbeat(w->call->req);
}

static void watch_end(struct watch *w, const struct err *err)
{
    struct http_request *req = w->call->req;
    if (w->reading) { /* its answer comes back here */
        w->gone = true;
        return;
    }
    control_unwatch(w->call->api->cfg.control, on_events, w);
    ev_timer_free(w->heartbeat);
    if (err && err->code) {
        struct buf out = BUF(4096);
        struct js_writer writer;
        js_w_init(&writer, &out);
        js_w_object(&writer, NULL);
        js_w_str(&writer, "code", berr_name(err->code));
        js_w_str(&writer, "detail", err->text);
        js_w_end_object(&writer);
        sse_send(req, w->next - 1, "error", buf_str(&out));
        buf_done(&out);
    }
    mem_free(w);
    http_stream_end(req);
}

static void on_gone(void *arg)
{
    struct watch *w = arg;
    w->gone = true;
    watch_end(w, NULL);
}

static void start_watch(struct api_call *call, uint64_t after)
{
    struct err err = {0};
    struct watch *w = mem_calloc(1, sizeof(*w));
    if (w) {
        *w = (struct watch){.call = call, .next = after + 1};
        w->heartbeat = ev_timer_new(call->api->cfg.loop, on_heartbeat, w);
    }
    int rc = w && w->heartbeat ? control_watch(call->api->cfg.control, on_events, w, &err)
                               : err_set(&err, BERR_NOMEM, "out of memory");
    if (rc < 0) {
        if (w)
            ev_timer_free(w->heartbeat);
        mem_free(w);
        api_fail(call, &err);
        return;
    }
    sse_begin(call->req);
    http_request_on_gone(call->req, on_gone, w);
    http_stream_on_drain(call->req, on_drain, w);
    ev_timer_start(w->heartbeat, HEARTBEAT_MS, HEARTBEAT_MS);
    watch_more(w);
}

static void get_events(struct http_request *req, void *arg)
{
    struct api_call *call = api_call(req);
    struct err err = {0};
    bool watch = false;
    uint64_t after = 0, limit = LIMIT_PAGE_DEFAULT;
    uint64_t last = control_last_event(call->api->cfg.control);
    (void)arg;
    int rc = api_query_bool(call, "watch", &watch, &err);
    if (rc == 0)
        rc = api_query_u64(call, "limit", LIMIT_PAGE_DEFAULT, &limit, &err);
    if (limit > LIMIT_PAGE_ITEMS || limit == 0)
        limit = LIMIT_PAGE_ITEMS;
    /* Without a position a watch begins now, and a page is the latest one. */
    if (rc == 0)
        rc = sse_position(req, watch ? last : last > limit ? last - limit : 0, &after, &err);
    if (rc == 0 && after > last) {
        err_set(&err, BERR_INVALID, "event %llu has not happened yet, the last one is %llu",
                (unsigned long long)after, (unsigned long long)last);
        rc = err_at(&err, "after", 0, 0);
    }
    if (rc < 0)
        api_fail(call, &err);
    else if (watch)
        start_watch(call, after);
    else
        store_read_events(call->api->cfg.store, after, (uint32_t)limit, page_read, call);
}

static const struct http_param event_query[] = {
    {"watch", "as server-sent events, as they happen", "boolean"},
    {"after", "only events with a higher number (also: Last-Event-ID)", "integer"},
    {"limit", "of a page, 1000 at most", "integer"},
    {NULL, NULL, NULL},
};

const struct http_route api_event_routes[] = {
    {"GET", "/api/v1/events", get_events, ACCESS_USER, NULL, &event_table, true,
     "What happened, in order; a stream with ?watch=true", event_query, 0},
};
const size_t api_event_route_count = ARRAY_LEN(api_event_routes);
