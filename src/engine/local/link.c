/* See link.h. One stream at a time; a request is known by its number until its answer. */
#include "engine/local/link.h"

#include <string.h>
#include "base/alloc.h"
#include "base/limits.h"
#include "base/map.h"
#include "base/str.h"
#include "ev/stream.h"
#include "ev/timer.h"

#define LINK_CONNECT_MS     5000
#define LINK_PAUSE_LEAST_MS 50
#define LINK_PAUSE_MOST_MS  2000
#define LINK_ARENA_BYTES    (8u << 20)
#define LINK_IN_BYTES       (LIMIT_RUNNER_MESSAGE_BYTES + 64 * 1024 + 4)
#define LINK_QUEUE_BYTES    (64u << 20) /* unsent orders: a runner that reads nothing */

struct ask {
    enum wire_verb verb;
    local_reply_fn *fn;
    local_progress_fn *progress;
    void *arg;
};

struct local_link {
    struct ev_loop *loop;
    char *socket, *program;
    struct local_link_events events;
    void *arg;
    struct ev_connect *connecting;
    struct ev_stream *stream;
    struct ev_timer *timer; /* until the next try, or the next round after a break */
    int64_t pause_ms;
    bool is_up, told_down, breaks;
    struct err why; /* of the break under way */
    struct buf in;
    struct map asks; /* number → struct ask */
    uint64_t next_id;
};

static void link_try(struct local_link *l);

/* ---- breaking ---- */

static void answer(struct ask *a, int rc, const void *reply, const struct err *err)
{
    struct ask taken = *a;
    mem_free(a);
    if (taken.fn != NULL)
        taken.fn(taken.arg, rc, reply, err);
}

/* A callback may ask anew, but is told UNAVAILABLE; so the map only shrinks here. */
static void answer_all(struct local_link *l, const struct err *why)
{
    struct err err;
    err_set(&err, BERR_UNAVAILABLE, "%s", why->text);
    while (l->asks.len > 0) {
        uint64_t id;
        void *value;
        size_t i = 0;
        map_next_u64(&l->asks, &i, &id, &value);
        map_remove_u64(&l->asks, id);
        answer(value, -BERR_UNAVAILABLE, NULL, &err);
    }
}

static void link_broken(struct local_link *l)
{
    struct err why = l->why;
    l->breaks = false;
    l->is_up = false;
    if (l->stream != NULL)
        ev_stream_close(l->stream);
    l->stream = NULL;
    buf_clear(&l->in);
    answer_all(l, &why);
    if (!l->told_down) {
        l->told_down = true;
        l->events.down(l->arg, &why);
    }
    ev_timer_start(l->timer, l->pause_ms, 0);
    l->pause_ms = l->pause_ms * 2 > LINK_PAUSE_MOST_MS ? LINK_PAUSE_MOST_MS : l->pause_ms * 2;
}

/* Breaks in the next round: callers may be in the middle of a call of the owner's. */
static void link_break(struct local_link *l, const struct err *why)
{
    if (l->breaks)
        return;
    l->why = *why;
    l->breaks = true;
    l->is_up = false;
    if (l->stream != NULL)
        ev_stream_read(l->stream, false);
    ev_timer_start(l->timer, 0, 0);
}

static void on_timer(void *arg)
{
    struct local_link *l = arg;
    if (l->breaks)
        link_broken(l);
    else
        link_try(l);
}

/* ---- what arrives ---- */

static void take_progress(struct local_link *l, const struct wire_event *event)
{
    const struct ask *a = map_get_u64(&l->asks, event->request);
    if (a != NULL && a->progress != NULL)
        a->progress(a->arg, event->text == NULL ? "" : event->text);
}

static void take_answer(struct local_link *l, struct wire_answer *w)
{
    if (w->kind == WIRE_ANSWER_EVENT) {
        if (w->event.kind == WIRE_EV_PROGRESS)
            take_progress(l, &w->event);
        else if (l->is_up && l->events.event != NULL)
            l->events.event(l->arg, &w->event);
        return;
    }
    struct ask *a = map_get_u64(&l->asks, w->id);
    if (a == NULL || (w->kind == WIRE_ANSWER_REPLY && w->verb != a->verb)) {
        struct err err;
        err_set(&err, BERR_PROTOCOL, "the runner answered what was not asked");
        link_break(l, &err);
        return;
    }
    map_remove_u64(&l->asks, w->id);
    if (w->kind == WIRE_ANSWER_REPLY)
        answer(a, 0, w->result, NULL);
    else
        answer(a, -(int)w->error.code, NULL, &w->error);
}

static void on_data(void *arg, const char *data, size_t len)
{
    struct local_link *l = arg;
    struct err err = {0};
    size_t used = 0;
    buf_append(&l->in, data, len);
    if (buf_is_failed(&l->in)) {
        err_set(&err, BERR_NOMEM, "no memory for the runner's messages");
        link_break(l, &err);
        return;
    }
    while (!l->breaks) {
        size_t message = 0;
        struct wire_answer w = {0};
        struct arena arena = ARENA(LINK_ARENA_BYTES);
        int rc = wire_frame(l->in.data + used, l->in.len - used, &message, &err);
        if (rc == 0 && message == 0)
            break;
        if (rc == 0)
            rc = wire_parse_answer(l->in.data + used + 4, message, &arena, &w, &err);
        if (rc == 0)
            take_answer(l, &w);
        else
            link_break(l, &err);
        arena_done(&arena);
        used += 4 + message;
    }
    if (!l->breaks)
        buf_consume(&l->in, used);
}

static void on_eof(void *arg)
{
    struct err err;
    err_set(&err, BERR_UNAVAILABLE, "the runner closed the connection");
    link_break(arg, &err);
}

static void on_error(void *arg, const struct err *err)
{
    link_break(arg, err);
}

static const struct ev_stream_events stream_events = {
    .on_data = on_data, .on_eof = on_eof, .on_error = on_error};

/* ---- asking ---- */

static int link_send(struct local_link *l, enum wire_verb verb, const void *args,
                     local_reply_fn *fn, local_progress_fn *progress, void *arg, struct err *err)
{
    cleanup(buf_done) struct buf out = BUF(LIMIT_RUNNER_MESSAGE_BYTES + 4);
    uint64_t id = ++l->next_id;
    int rc = wire_put_request(&out, id, verb, args, err);
    if (rc != 0)
        return rc;
    if (ev_stream_queued(l->stream) > LINK_QUEUE_BYTES)
        return err_set(err, BERR_UNAVAILABLE, "the runner does not read its orders");
    struct ask *a = mem_calloc(1, sizeof(*a));
    if (a == NULL || map_put_u64(&l->asks, id, a) != 0) {
        mem_free(a);
        return err_set(err, BERR_NOMEM, "no memory for an order to the runner");
    }
    *a = (struct ask){.verb = verb, .fn = fn, .progress = progress, .arg = arg};
    rc = ev_stream_write(l->stream, out.data, out.len);
    if (rc == 0)
        return 0;
    map_remove_u64(&l->asks, id);
    mem_free(a);
    rc = err_set(err, BERR_UNAVAILABLE, "cannot write to the runner");
    struct err why;
    err_set(&why, BERR_UNAVAILABLE, "cannot write to the runner");
    link_break(l, &why);
    return rc;
}

int local_link_ask(struct local_link *l, enum wire_verb verb, const void *args, local_reply_fn *fn,
                   local_progress_fn *progress, void *arg, struct err *err)
{
    if (!l->is_up || l->breaks)
        return err_set(err, BERR_UNAVAILABLE, "the runner is not connected");
    return link_send(l, verb, args, fn, progress, arg, err);
}

/* ---- connecting ---- */

static void on_welcome(void *arg, int rc, const void *reply, const struct err *err)
{
    struct local_link *l = arg;
    if (rc != 0) {
        if (!l->breaks && l->stream != NULL) /* refused, not broken */
            link_break(l, err);
        return;
    }
    l->is_up = true;
    l->told_down = false;
    l->pause_ms = LINK_PAUSE_LEAST_MS;
    l->events.up(l->arg, reply);
}

static void on_connected(void *arg, struct ev_stream *s, const struct err *why)
{
    struct local_link *l = arg;
    struct wire_hello hello = {.version = WIRE_VERSION, .program = l->program};
    struct err err;
    l->connecting = NULL;
    if (s == NULL) {
        link_break(l, why);
        return;
    }
    l->stream = s;
    ev_stream_set(s, &stream_events, l);
    if (link_send(l, WIRE_HELLO, &hello, on_welcome, NULL, l, &err) != 0)
        link_break(l, &err);
    else
        ev_stream_read(s, true);
}

static void link_try(struct local_link *l)
{
    struct ev_address to = {.unix_path = l->socket};
    struct err err;
    l->connecting = ev_connect(l->loop, &to, NULL, LINK_CONNECT_MS, on_connected, l, &err);
    if (l->connecting == NULL)
        link_break(l, &err);
}

/* ---- life ---- */

int local_link_new(struct ev_loop *loop, const char *socket, const char *program,
                   const struct local_link_events *events, void *arg, struct local_link **ret,
                   struct err *err)
{
    struct local_link *l = mem_calloc(1, sizeof(*l));
    if (l == NULL)
        return err_set(err, BERR_NOMEM, "no memory for the runner's connection");
    l->loop = loop;
    l->events = *events;
    l->arg = arg;
    l->pause_ms = LINK_PAUSE_LEAST_MS;
    l->asks = MAP_U64;
    buf_init(&l->in, LINK_IN_BYTES);
    l->socket = mem_strdup(socket);
    l->program = mem_strdup(program);
    l->timer = ev_timer_new(loop, on_timer, l);
    if (l->socket == NULL || l->program == NULL || l->timer == NULL) {
        local_link_free(l);
        return err_set(err, BERR_NOMEM, "no memory for the runner's connection");
    }
    ev_timer_start(l->timer, 0, 0);
    *ret = l;
    return 0;
}

struct local_link *local_link_free(struct local_link *l)
{
    void *value;
    if (l == NULL)
        return NULL;
    if (l->connecting != NULL)
        ev_connect_cancel(l->connecting);
    if (l->stream != NULL)
        ev_stream_close(l->stream);
    ev_timer_free(l->timer);
    for (size_t i = 0; map_next_u64(&l->asks, &i, NULL, &value);)
        mem_free(value);
    map_done(&l->asks);
    buf_done(&l->in);
    mem_free(l->socket);
    mem_free(l->program);
    mem_free(l);
    return NULL;
}

bool local_link_is_up(const struct local_link *l)
{
    return l->is_up && !l->breaks;
}

void local_link_reset(struct local_link *l, const char *why)
{
    struct err err;
    err_set(&err, BERR_UNAVAILABLE, "%s", why);
    if (l->stream != NULL)
        link_break(l, &err);
}
