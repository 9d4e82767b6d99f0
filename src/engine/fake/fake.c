/* The fake's connection: orders in, events out, lists, and everything that can go wrong between. */
#include "engine/fake/fake.h"

#include <string.h>
#include "base/alloc.h"
#include "base/check.h"
#include "base/str.h"
#include "engine/fake/pulse.h"
#include "engine/fake/world.h"
#include "os/clock.h"

struct engine {
    struct fake_world *world;
    bool own_world;
    char site[64];
    engine_listener_fn *listener;
    void *arg;
    struct fake_pulse *pulse;           /* advances it in real time; NULL without a loop */
    uint64_t connection;                /* number of the present one; events of others are lost */
    bool connected, listed, lists;      /* lists: inside one, stop and forget are taken */
    bool tell_down, tell_up, tell_list; /* what the listener must hear first */
};

/* ---- telling ---- */

static void connection_begin(struct engine *e)
{
    e->connection++;
    e->listed = false;
    e->tell_list = true;
}

static void poke(struct fake_world *w)
{
    if (w->changed != NULL && !w->advancing)
        w->changed(w->changed_arg);
}

static void put_on_the_way(struct fake_world *w, const struct fake_entry *from, int64_t late_ms)
{
    struct fake_entry *entry = fake_plan(w, late_ms, STEP_DELIVER, 0, 0);
    if (entry == NULL) { /* an event would be missing: a full list makes up for it */
        connection_begin(w->engine);
        return;
    }
    entry->event = from->event;
    entry->facts = from->facts;
    entry->key = from->key;
    memcpy(entry->text, from->text, sizeof(entry->text));
    entry->connection = w->engine->connection;
}

static bool chance(struct fake_world *w, uint32_t per_mille)
{
    return per_mille != 0 && rnd_below(&w->rnd, 1000) < per_mille;
}

static void send_event(struct fake_world *w, const struct fake_entry *entry)
{
    const struct fake_chaos *c = &w->chaos;
    struct engine *e = w->engine;
    if (e == NULL || !e->connected || e->tell_list)
        return; /* the list will say it */
    int64_t late_ms =
        chance(w, c->late_per_mille) ? (int64_t)rnd_below(&w->rnd, c->late_max_ms + 1) : 0;
    put_on_the_way(w, entry, late_ms);
    if (chance(w, c->repeat_per_mille))
        put_on_the_way(w, entry, late_ms + (int64_t)rnd_below(&w->rnd, c->late_max_ms + 1));
}

static void tell_key(struct fake_world *w, struct attempt_key key, enum engine_event_kind kind,
                     const struct engine_task_facts *facts, enum end_reason reason,
                     const char *text)
{
    struct fake_entry entry = {.event = {.kind = kind, .key = key, .reason = reason}};
    if (facts != NULL) {
        entry.facts = *facts;
        entry.event.task_count = 1;
    }
    if (text != NULL)
        str_copy(entry.text, sizeof(entry.text), text);
    send_event(w, &entry);
}

void fake_tell(struct fake_world *w, const struct fake_attempt *a, enum engine_event_kind kind,
               const struct engine_task_facts *facts, enum end_reason reason, const char *text)
{
    if (!a->lost)
        tell_key(w, a->key, kind, facts, reason, text);
}

void fake_tell_node(struct fake_world *w, const struct fake_node *n)
{
    struct fake_entry entry = {.event = {.kind = ENGINE_EV_NODE}};
    str_copy(entry.text, sizeof(entry.text), n->node.name);
    send_event(w, &entry);
}

static void hear_node(struct engine *e, struct fake_node *n)
{
    struct engine_event event = {.kind = ENGINE_EV_NODE, .node = &n->node};
    str_copy(n->node.site, sizeof(n->node.site), e->site);
    n->node.seen_ms = e->world->wall_ms;
    e->listener(e->arg, &event);
}

size_t fake_deliver(struct fake_world *w, struct fake_entry *entry)
{
    struct engine *e = w->engine;
    if (e == NULL || !e->connected || entry->connection != e->connection)
        return 0;
    if (entry->event.kind == ENGINE_EV_NODE) {
        struct fake_node *n = fake_node_of(w, entry->text);
        if (n != NULL)
            hear_node(e, n);
        return n != NULL;
    }
    if (entry->event.task_count == 1)
        entry->event.tasks = &entry->facts;
    if (entry->text[0] != '\0')
        entry->event.text = entry->text;
    e->listener(e->arg, &entry->event);
    return 1;
}

/* ---- lists ---- */

/* What happened out of sight is not in the list yet. */
static struct engine_task_facts facts_in_sight(const struct fake_task *t)
{
    struct engine_task_facts facts = t->facts;
    if (t->unseen_end) {
        facts.ended = facts.out_of_memory = facts.disk_full = false;
        facts.exit_code = -1;
        facts.signal = 0;
        facts.ended_ms = 0;
        facts.log_bytes = 0;
    }
    return facts;
}

static void hear_attempt(struct engine *e, const struct fake_attempt *a)
{
    struct engine_event event = {
        .kind = ENGINE_EV_ATTEMPT_SEEN,
        .key = a->key,
        .task_count = a->task_count,
        .prepared = a->prepared,
        .suspended = a->suspended,
        .gone = a->phase == PHASE_GONE && !a->unseen_gone,
    };
    struct engine_task_facts *facts = mem_calloc(a->task_count, sizeof(*facts));
    if (facts == NULL)
        facts = mem_calloc(a->task_count, sizeof(*facts)); /* see fake_plan */
    check(facts != NULL);
    for (uint32_t i = 0; i < a->task_count; i++)
        facts[i] = facts_in_sight(&a->tasks[i]);
    event.tasks = facts;
    if (event.gone) {
        event.reason = a->reason;
        event.text = a->text[0] == '\0' ? NULL : a->text;
    }
    e->listener(e->arg, &event);
    mem_free(facts);
}

static size_t hear_list(struct engine *e)
{
    struct fake_world *w = e->world;
    struct engine_event event = {.kind = ENGINE_EV_CONNECTED};
    size_t count = 2;
    void *value;
    if (e->tell_up) {
        e->tell_up = false;
        count++;
        e->listener(e->arg, &event);
    }
    for (size_t i = 0; i < w->nodes.len; i++, count++)
        hear_node(e, w->nodes.items[i]);
    event.kind = ENGINE_EV_LIST_BEGIN;
    e->listener(e->arg, &event);
    e->lists = true;
    for (size_t i = 0; map_next_u64(&w->by_serial, &i, NULL, &value);) {
        const struct fake_attempt *a = value;
        if (a->forgotten)
            continue;
        hear_attempt(e, a);
        count++;
    }
    e->lists = false;
    e->listed = true;
    event.kind = ENGINE_EV_LIST_END;
    e->listener(e->arg, &event);
    for (size_t i = 0; map_next_u64(&w->by_serial, &i, NULL, &value);) {
        const struct fake_attempt *a = value;
        if (a->lost && !a->forgotten)
            tell_key(w, a->key, ENGINE_EV_LOST, NULL, END_NONE, "its node does not answer");
    }
    return count;
}

bool fake_connection_waits(const struct fake_world *w)
{
    const struct engine *e = w->engine;
    return e != NULL && (e->tell_down || (e->connected && e->tell_list));
}

size_t fake_connection_work(struct fake_world *w)
{
    struct engine *e = w->engine;
    if (e->tell_down) {
        struct engine_event event = {.kind = ENGINE_EV_DISCONNECTED,
                                     .text = "the connection to the fake broke"};
        e->tell_down = false;
        e->listener(e->arg, &event);
        return 1;
    }
    e->tell_list = false;
    return hear_list(e);
}

void fake_list_again(struct fake_world *w)
{
    if (w->engine != NULL && w->engine->connected)
        connection_begin(w->engine);
    poke(w);
}

void fake_disconnect(struct fake_world *w)
{
    struct engine *e = w->engine;
    if (e == NULL || !e->connected)
        return;
    e->connected = e->listed = false;
    e->tell_down = true;
    poke(w);
}

void fake_reconnect(struct fake_world *w)
{
    struct engine *e = w->engine;
    if (e == NULL || e->connected)
        return;
    e->connected = e->tell_up = true;
    connection_begin(e);
    poke(w);
}

struct fake_world *fake_world_of(struct engine *e)
{
    return e->world;
}

/* ---- open, close ---- */

static int own_world_make(struct engine *e, const struct os_clock *clock)
{
    e->world = fake_world_new(clock);
    e->own_world = true;
    if (e->world == NULL || fake_node_add(e->world, "fake-1", 64, 256, 4) != 0 ||
        fake_node_add(e->world, "fake-2", 64, 256, 4) != 0)
        return -BERR_NOMEM;
    return 0;
}

static void engine_free(struct engine *e)
{
    fake_pulse_free(e->pulse);
    if (e->world != NULL) {
        e->world->engine = NULL;
        e->world->changed = NULL;
    }
    if (e->own_world)
        fake_world_free(e->world);
    mem_free(e);
}

static int fake_open(const struct engine_config *cfg, struct ev_loop *loop,
                     engine_listener_fn *listener, void *arg, struct engine **ret, struct err *err)
{
    struct engine *e = mem_calloc(1, sizeof(*e));
    if (e == NULL)
        return err_set(err, BERR_NOMEM, "no memory for the fake engine");
    str_copy(e->site, sizeof(e->site), cfg->site == NULL ? "fake" : cfg->site);
    e->listener = listener;
    e->arg = arg;
    e->connected = e->tell_up = true;
    connection_begin(e);
    if (cfg->fake_world != NULL) {
        check(cfg->fake_world->engine == NULL);
        e->world = cfg->fake_world;
    } else if (own_world_make(e, cfg->clock) != 0) {
        engine_free(e);
        return err_set(err, BERR_NOMEM, "no memory for the fake engine");
    }
    e->world->engine = e;
    if (loop != NULL) {
        int rc = fake_pulse_new(e->world, loop, &e->pulse, err);
        if (rc != 0) {
            engine_free(e);
            return rc;
        }
    }
    *ret = e;
    return 0;
}

static void answer_none(struct fake_entry *entry, enum berr code, const char *why)
{
    struct fake_question q = entry->question;
    struct err err;
    entry->question = (struct fake_question){0};
    err_set(&err, code, "%s", why);
    if (q.log_fn != NULL)
        q.log_fn(q.arg, -(int)code, NULL, &err);
    if (q.stats_fn != NULL)
        q.stats_fn(q.arg, -(int)code, NULL, &err);
}

static void fake_close(struct engine *e)
{
    if (e == NULL)
        return;
    struct fake_world *w = e->world;
    for (size_t i = 0; i < w->timeline.len; i++)
        answer_none(w->timeline.items[i], BERR_CANCELED, "the engine is closed");
    engine_free(e);
}

/* ---- orders ---- */

/* Is an order taken at all, and which fault strikes it? *ret_done: nothing more is to be done. */
static int order_begin(struct engine *e, bool in_list, bool *ret_done, bool *ret_break,
                       struct err *err)
{
    struct fake_world *w = e->world;
    *ret_done = *ret_break = false;
    if (!e->connected || !(e->listed || (in_list && e->lists)))
        return err_set(err, BERR_UNAVAILABLE, "the fake engine is not connected");
    fake_clock_read(w);
    if (w->fail_order == 0 || --w->fail_order != 0)
        return 0;
    switch (w->fault) {
    case FAKE_REFUSE:
        return err_set(err, w->fault_code, "the fake engine was told to fail this order");
    case FAKE_LOSE:
        fake_disconnect(w);
        *ret_done = true;
        return 0;
    case FAKE_BREAK:
        *ret_break = true;
        return 0;
    }
    return 0;
}

static int order_end(struct engine *e, int rc, bool breaks)
{
    if (breaks && rc == 0)
        fake_disconnect(e->world);
    poke(e->world);
    return rc;
}

static struct fake_attempt *known_attempt(struct engine *e, struct attempt_key key)
{
    struct fake_attempt *a = fake_attempt_of(e->world, key);
    return a == NULL || a->forgotten ? NULL : a;
}

static int check_fence(struct engine *e, struct attempt_key key, struct fake_fence **ret,
                       struct err *err)
{
    struct fake_fence *fence = fake_fence_of(e->world, key.workload, true);
    if (fence == NULL)
        return err_set(err, BERR_NOMEM, "no memory for the fence");
    if (key.fence < fence->seen)
        return err_set(err, BERR_CONFLICT, "fence %llu is older than %llu, which was seen",
                       (unsigned long long)key.fence, (unsigned long long)fence->seen);
    *ret = fence;
    return 0;
}

static int do_start(struct engine *e, const struct engine_start *order, struct err *err)
{
    struct fake_attempt *a = known_attempt(e, order->key);
    struct fake_fence *fence;
    if (a != NULL) {
        if (a->phase == PHASE_GONE)
            fake_tell(e->world, a, ENGINE_EV_GONE, NULL, a->reason, a->text);
        return 0;
    }
    int rc = check_fence(e, order->key, &fence, err);
    if (rc != 0)
        return rc;
    if (order->key.fence <= fence->closed)
        return err_set(err, BERR_CONFLICT, "the attempt with fence %llu is gone",
                       (unsigned long long)order->key.fence);
    for (uint32_t i = 0; i < order->task_count; i++) {
        const struct fake_node *n = fake_node_of(e->world, order->tasks[i].node);
        if (n != NULL && n->away)
            return err_set(err, BERR_UNAVAILABLE, "node %s does not answer", n->node.name);
    }
    rc = fake_life_start(e->world, order, err);
    if (rc == 0)
        fence->seen = order->key.fence;
    return rc;
}

static int fake_start(struct engine *e, const struct engine_start *order, struct err *err)
{
    bool done, breaks;
    int rc = order_begin(e, false, &done, &breaks, err);
    return rc != 0 || done ? rc : order_end(e, do_start(e, order, err), breaks);
}

static int do_stop(struct engine *e, struct attempt_key key, int64_t grace_ms, struct err *err)
{
    struct fake_attempt *a = known_attempt(e, key);
    struct fake_fence *fence;
    if (grace_ms < 0)
        return err_set(err, BERR_INVALID, "the grace must not be negative");
    if (a != NULL && a->phase != PHASE_GONE) {
        fake_life_stop(e->world, a, grace_ms);
        return 0;
    }
    if (a != NULL) {
        fake_tell(e->world, a, ENGINE_EV_GONE, NULL, a->reason, a->text);
        return 0;
    }
    if (!e->listed)
        return err_set(err, BERR_UNAVAILABLE, "the fake engine is not connected");
    int rc = check_fence(e, key, &fence, err);
    if (rc != 0)
        return rc;
    fence->seen = key.fence;
    if (fence->closed < key.fence)
        fence->closed = key.fence;
    tell_key(e->world, key, ENGINE_EV_GONE, NULL, END_NONE, NULL);
    return 0;
}

static int fake_stop(struct engine *e, struct attempt_key key, int64_t grace_ms, struct err *err)
{
    bool done, breaks;
    int rc = order_begin(e, true, &done, &breaks, err);
    return rc != 0 || done ? rc : order_end(e, do_stop(e, key, grace_ms, err), breaks);
}

static int do_suspend(struct engine *e, struct attempt_key key, bool suspend, struct err *err)
{
    struct fake_attempt *a = known_attempt(e, key);
    struct fake_fence *fence;
    if (a == NULL) {
        int rc = check_fence(e, key, &fence, err);
        return rc != 0 ? rc : err_set(err, BERR_NOT_FOUND, "no such attempt");
    }
    if (a->phase != PHASE_RUNNING || a->stopping)
        return err_set(err, BERR_CONFLICT, "the attempt does not run");
    if (a->lost)
        return err_set(err, BERR_UNAVAILABLE, "its node does not answer");
    if (fake_plan(e->world, 1, suspend ? STEP_SUSPEND : STEP_RESUME, a->serial, 0) == NULL)
        return err_set(err, BERR_NOMEM, "no memory for the order");
    return 0;
}

static int fake_suspend(struct engine *e, struct attempt_key key, struct err *err)
{
    bool done, breaks;
    int rc = order_begin(e, false, &done, &breaks, err);
    return rc != 0 || done ? rc : order_end(e, do_suspend(e, key, true, err), breaks);
}

static int fake_resume(struct engine *e, struct attempt_key key, struct err *err)
{
    bool done, breaks;
    int rc = order_begin(e, false, &done, &breaks, err);
    return rc != 0 || done ? rc : order_end(e, do_suspend(e, key, false, err), breaks);
}

static int do_forget(struct engine *e, struct attempt_key key, struct err *err)
{
    struct fake_attempt *a = known_attempt(e, key);
    if (a == NULL)
        return 0;
    if (a->phase != PHASE_GONE || a->unseen_gone)
        return err_set(err, BERR_CONFLICT, "the attempt is not gone");
    a->forgotten = true;
    if (a->log_removed)
        fake_attempt_drop(e->world, a);
    return 0;
}

static int fake_forget(struct engine *e, struct attempt_key key, struct err *err)
{
    bool done, breaks;
    int rc = order_begin(e, true, &done, &breaks, err);
    return rc != 0 || done ? rc : order_end(e, do_forget(e, key, err), breaks);
}

/* ---- questions ---- */

static int ask(struct engine *e, struct attempt_key key, uint32_t task,
               const struct fake_question *q, struct err *err)
{
    if (!e->connected)
        return err_set(err, BERR_UNAVAILABLE, "the fake engine is not connected");
    fake_clock_read(e->world);
    struct fake_entry *entry = fake_plan(e->world, 0, STEP_ANSWER, 0, task);
    if (entry == NULL)
        return err_set(err, BERR_NOMEM, "no memory for the question");
    entry->question = *q;
    entry->key = key;
    return 0;
}

static int fake_log_read(struct engine *e, struct attempt_key key, uint32_t task, uint64_t offset,
                         size_t max, engine_log_fn *fn, void *arg, struct err *err)
{
    struct fake_question q = {.log_fn = fn, .arg = arg, .offset = offset, .max = max};
    return ask(e, key, task, &q, err);
}

static int fake_stats(struct engine *e, struct attempt_key key, engine_stats_fn *fn, void *arg,
                      struct err *err)
{
    struct fake_question q = {.stats_fn = fn, .arg = arg};
    return ask(e, key, 0, &q, err);
}

static void answer_log(struct fake_world *w, const struct fake_attempt *a, uint32_t task,
                       struct fake_entry *entry)
{
    cleanup(buf_done) struct buf text = BUF(64 << 20);
    struct fake_question q = entry->question;
    if (a == NULL || a->log_removed || task >= a->task_count) {
        answer_none(entry, BERR_NOT_FOUND, "no such log");
        return;
    }
    if (fake_log_text(w, a, &a->tasks[task], &text) != 0) {
        answer_none(entry, BERR_NOMEM, "no memory for the log");
        return;
    }
    size_t from = q.offset < text.len ? (size_t)q.offset : text.len;
    size_t len = text.len - from < q.max ? text.len - from : q.max;
    struct engine_log_chunk chunk = {.data = buf_str(&text) + from,
                                     .len = len,
                                     .next_offset = from + len,
                                     .at_end = from + len == text.len};
    q.log_fn(q.arg, 0, &chunk, NULL);
}

static void answer_stats(struct fake_world *w, const struct fake_attempt *a,
                         struct fake_entry *entry)
{
    struct engine_stats stats = {0};
    struct fake_question q = entry->question;
    if (a == NULL || a->forgotten) {
        answer_none(entry, BERR_NOT_FOUND, "no such attempt");
        return;
    }
    for (uint32_t i = 0; i < a->task_count; i++) {
        const struct fake_task *t = &a->tasks[i];
        stats.cpu_ms += fake_task_ran_ms(w, a, t);
        if (!t->facts.started || t->facts.ended || a->phase == PHASE_GONE)
            continue;
        stats.memory_bytes += t->memory_bytes / 2;
        stats.memory_peak_bytes += t->memory_bytes / 2;
        stats.processes++;
    }
    q.stats_fn(q.arg, 0, &stats, NULL);
}

size_t fake_answer(struct fake_world *w, struct fake_entry *entry)
{
    const struct fake_attempt *a = fake_attempt_of(w, entry->key);
    if (w->engine == NULL || !w->engine->connected)
        answer_none(entry, BERR_UNAVAILABLE, "the fake engine is not connected");
    else if (entry->question.log_fn != NULL)
        answer_log(w, a, entry->task, entry);
    else if (entry->question.stats_fn != NULL)
        answer_stats(w, a, entry);
    return 1;
}

static int fake_log_remove(struct engine *e, struct attempt_key key, struct err *err)
{
    struct fake_attempt *a = fake_attempt_of(e->world, key);
    if (!e->connected || !e->listed)
        return err_set(err, BERR_UNAVAILABLE, "the fake engine is not connected");
    if (a == NULL)
        return 0;
    if (a->phase != PHASE_GONE)
        return err_set(err, BERR_CONFLICT, "the attempt is not gone");
    a->log_removed = true;
    if (a->forgotten)
        fake_attempt_drop(e->world, a);
    return 0;
}

const struct engine_ops engine_fake = {
    .name = "fake",
    .abilities = ENGINE_CAN_GANG | ENGINE_CAN_PLACE | ENGINE_CAN_SUSPEND | ENGINE_CAN_LOGS |
                 ENGINE_CAN_DISK_LIMIT,
    .open = fake_open,
    .close = fake_close,
    .start = fake_start,
    .stop = fake_stop,
    .suspend = fake_suspend,
    .resume = fake_resume,
    .forget = fake_forget,
    .log_read = fake_log_read,
    .log_remove = fake_log_remove,
    .stats = fake_stats,
};
