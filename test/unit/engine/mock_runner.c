#include "mock_runner.h"

#include "base/id.h"

#include <signal.h>

/* ---- model ---- */

struct mock_task *mock_find(struct mock *m, const struct wire_key *key)
{
    for (size_t i = 0; i < m->tasks.len; i++)
        if (wire_key_is_equal(&m->tasks.items[i].facts.key, key))
            return &m->tasks.items[i];
    return NULL;
}

struct mock_task *mock_add(struct mock *m, struct wire_key key, enum wire_task_state state,
                           uint64_t gang)
{
    struct mock_task *t = mock_find(m, &key);
    if (t == NULL)
        t = vec_push(&m->tasks);
    assert_non_null(t);
    t->facts = (struct wire_task){.key = key,
                                  .state = state,
                                  .project = id_from_random(5),
                                  .gang = gang,
                                  .address = "10.9.4.9",
                                  .text = "",
                                  .created_ms = 1000,
                                  .started_ms = state >= WIRE_TASK_RUNNING ? 2000 : 0,
                                  .ended_ms = state >= WIRE_TASK_ENDED ? 3000 : 0};
    return t;
}

uint32_t mock_count(const struct mock *m, enum wire_verb verb)
{
    uint32_t count = 0;
    for (size_t i = 0; i < m->requests.len; i++)
        count += m->requests.items[i].verb == verb;
    return count;
}

/* ---- saying ---- */

void mock_say(struct mock *m, const void *bytes, size_t len)
{
    if (m->stream != NULL)
        ev_stream_write(m->stream, bytes, len);
}

static void say_task(struct mock *m, enum wire_event_kind kind, struct mock_task *t)
{
    cleanup(buf_done) struct buf out = BUF(1 << 16);
    struct wire_event event = {.kind = kind, .seq = 1, .task = &t->facts};
    assert_int_equal(wire_put_event(&out, &event, NULL), 0);
    mock_say(m, out.data, out.len);
}

void mock_end(struct mock *m, struct mock_task *t, int exit_code, int signal)
{
    t->facts.state = WIRE_TASK_ENDED;
    t->facts.ended_ms = 3000;
    t->facts.exit_code = exit_code;
    t->facts.signal = signal;
    say_task(m, WIRE_EV_TASK_ENDED, t);
}

static void reply(struct mock *m, const struct wire_request *req, const void *result)
{
    cleanup(buf_done) struct buf out = BUF(1 << 18);
    struct err err;
    if (wire_put_reply(&out, req->id, req->verb, result, &err) != 0)
        fail_msg("the mock's reply: %s", err.text);
    mock_say(m, out.data, out.len);
}

static void refuse(struct mock *m, uint64_t id, enum berr code, const char *field)
{
    cleanup(buf_done) struct buf out = BUF(1 << 16);
    struct err err;
    err_set(&err, code, "the mock was told to fail");
    if (field != NULL)
        err_at(&err, field, 0, 0);
    assert_int_equal(wire_put_error(&out, id, &err, NULL), 0);
    mock_say(m, out.data, out.len);
}

/* ---- verbs ---- */

static void do_list(struct mock *m, const struct wire_request *req)
{
    struct wire_task tasks[64];
    struct wire_page page = {.tasks = {.items = tasks, .len = m->tasks.len}};
    assert_true(m->tasks.len <= ARRAY_LEN(tasks));
    for (size_t i = 0; i < m->tasks.len; i++)
        tasks[i] = m->tasks.items[i].facts;
    reply(m, req, &page);
}

static void do_inventory(struct mock *m, const struct wire_request *req)
{
    struct wire_gpu gpus[2] = {{.index = 0, .uuid = "GPU-aa", .model = "Test", .healthy = true},
                               {.index = 1,
                                .uuid = "GPU-bb",
                                .model = "Test",
                                .healthy = true,
                                .foreign = "process 7 (x), not berth's, uses it"}};
    struct wire_inventory inv = {.hostname = "Host_1.example.org",
                                 .kernel = "6",
                                 .os = "Debian",
                                 .cpu_milli = 8000,
                                 .memory_bytes = 16ull << 30,
                                 .disk_bytes = 1ull << 40,
                                 .gpus = {.items = gpus, .len = 2}};
    reply(m, req, &inv);
}

static void do_create(struct mock *m, const struct wire_request *req)
{
    const struct wire_task_create *c = req->args;
    struct mock_task *t = mock_find(m, &c->key);
    if (t == NULL)
        t = mock_add(m, c->key, WIRE_TASK_CREATED, c->gang);
    snprintf(t->address, sizeof(t->address), "%s", c->address);
    snprintf(m->address, sizeof(m->address), "%s", c->address);
    m->gpus[0] = m->hosts[0] = '\0';
    for (size_t i = 0; i < c->gpus.len; i++)
        snprintf(m->gpus, sizeof(m->gpus), "%s", c->gpus.items[i]);
    for (size_t i = 0; i < c->hosts.len; i++) {
        size_t len = strlen(m->hosts);
        snprintf(m->hosts + len, sizeof(m->hosts) - len, "%s=%s ", c->hosts.items[i].key,
                 c->hosts.items[i].value);
    }
    t->facts.address = m->address;
    reply(m, req, &t->facts);
    t->facts.address = "10.9.4.9";
}

static void do_start(struct mock *m, const struct wire_request *req, struct mock_task *t)
{
    if (t->facts.state == WIRE_TASK_CREATED) {
        t->facts.state = WIRE_TASK_RUNNING;
        t->facts.started_ms = 2000;
        say_task(m, WIRE_EV_TASK_STARTED, t);
    }
    if (m->dies_at_start && t->facts.key.index == 1) {
        t->facts.failure = WIRE_FAILURE_START;
        t->facts.text = "no-such-command: not found";
        mock_end(m, t, 127, 0);
    }
    reply(m, req, &t->facts);
}

static void do_delete(struct mock *m, const struct wire_request *req, const struct wire_key *key)
{
    struct wire_none none = {0};
    struct mock_task *t = mock_find(m, key);
    if (t != NULL)
        vec_remove(&m->tasks, (size_t)(t - m->tasks.items));
    reply(m, req, &none);
}

static void do_task(struct mock *m, const struct wire_request *req, const struct wire_key *key)
{
    struct mock_task *t = mock_find(m, key);
    struct wire_none none = {0};
    struct wire_stat stat = {.cpu_ms = 5, .processes = 1};
    if (req->verb == WIRE_TASK_DELETE) {
        do_delete(m, req, key);
    } else if (t == NULL) {
        refuse(m, req->id, BERR_NOT_FOUND, NULL);
    } else if (req->verb == WIRE_TASK_START) {
        do_start(m, req, t);
    } else if (req->verb == WIRE_STAT) {
        reply(m, req, &stat);
    } else {
        if (req->verb == WIRE_TASK_FREEZE || req->verb == WIRE_TASK_THAW)
            t->facts.frozen = req->verb == WIRE_TASK_FREEZE;
        reply(m, req, &none);
        if (req->verb == WIRE_TASK_SIGNAL &&
            ((const struct wire_task_signal *)req->args)->signal == SIGKILL)
            mock_end(m, t, 0, SIGKILL);
    }
}

static void remember(struct mock *m, const struct wire_request *req)
{
    struct mock_request *r = vec_push(&m->requests);
    assert_non_null(r);
    r->verb = req->verb;
    if (req->verb >= WIRE_TASK_CREATE && req->verb <= WIRE_TASK_DELETE)
        r->key = *(const struct wire_key *)req->args; /* each begins with it */
    if (req->verb == WIRE_TASK_SIGNAL)
        r->signal = ((const struct wire_task_signal *)req->args)->signal;
}

static void dispatch(struct mock *m, const struct wire_request *req)
{
    struct wire_welcome welcome = {.version = WIRE_VERSION, .tag = "abcdef", .boot_id = "b"};
    struct wire_net net = {.slot = 1, .network = m->network, .gateway = "10.9.4.1"};
    struct wire_none none = {0};
    remember(m, req);
    if (m->holds && m->hold_verb == req->verb)
        return;
    if (m->fail_times > 0 && m->fail_verb == req->verb) {
        m->fail_times--;
        refuse(m, req->id, m->fail_code, m->fail_field);
        return;
    }
    if (req->verb == WIRE_HELLO)
        reply(m, req, &welcome);
    else if (req->verb == WIRE_LIST)
        do_list(m, req);
    else if (req->verb == WIRE_INVENTORY)
        do_inventory(m, req);
    else if (req->verb == WIRE_NET_PROJECT)
        reply(m, req, &net);
    else if (req->verb == WIRE_TASK_CREATE)
        do_create(m, req);
    else if (req->verb == WIRE_VOLUME_MAKE || req->verb == WIRE_LOG_REMOVE)
        reply(m, req, &none);
    else
        do_task(m, req, req->args);
}

/* ---- the socket ---- */

static void on_data(void *arg, const char *data, size_t len)
{
    struct mock *m = arg;
    struct err err;
    size_t message;
    buf_append(&m->in, data, len);
    while (m->stream != NULL && wire_frame(m->in.data, m->in.len, &message, &err) == 0 &&
           message > 0) {
        struct arena arena = ARENA(4 << 20);
        struct wire_request req;
        uint64_t id;
        if (wire_parse_request(m->in.data + 4, message, &arena, &req, &id, &err) != 0)
            fail_msg("the mock got nonsense: %s %s", err.text, err.field);
        buf_consume(&m->in, message + 4);
        dispatch(m, &req);
        arena_done(&arena);
    }
}

void mock_break(struct mock *m)
{
    if (m->stream != NULL)
        ev_stream_close(m->stream);
    m->stream = NULL;
    buf_clear(&m->in);
}

static void on_eof(void *arg)
{
    mock_break(arg);
}

static void on_error(void *arg, const struct err *err)
{
    (void)err;
    mock_break(arg);
}

static const struct ev_stream_events events = {
    .on_data = on_data, .on_eof = on_eof, .on_error = on_error};

static void on_accept(void *arg, struct ev_stream *s)
{
    struct mock *m = arg;
    mock_break(m);
    m->stream = s;
    ev_stream_set(s, &events, m);
    ev_stream_read(s, true);
}

void mock_open(struct mock *m, struct ev_loop *loop)
{
    struct err err;
    m->loop = loop;
    m->network = "10.9.4.0/22";
    buf_init(&m->in, 1 << 20);
    test_tmpdir_make(m->dir);
    snprintf(m->socket, sizeof(m->socket), "%s/r.sock", m->dir);
    struct ev_address at = {.unix_path = m->socket};
    if (ev_listen(loop, &at, 0600, NULL, on_accept, m, &m->listener, &err) != 0)
        fail_msg("the mock can't listen: %s", err.text);
}

void mock_close(struct mock *m)
{
    mock_break(m);
    ev_listener_close(m->listener);
    buf_done(&m->in);
    vec_done(&m->tasks);
    vec_done(&m->requests);
    test_tmpdir_remove(m->dir);
}
