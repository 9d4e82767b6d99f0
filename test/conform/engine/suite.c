/* The common part: events kept, orders made, waiting. */
#include "suite.h"

#include "base/alloc.h"
#include "base/arena.h"
#include "base/str.h"
#include <stdio.h>
#include <string.h>

/* ---- events ---- */

void fx_listen(void *arg, const struct engine_event *event)
{
    struct fixture *f = arg;
    assert_false(f->in_order); /* facts never come from inside an order */
    struct seen *s = mem_calloc(1, sizeof(*s));
    struct seen **slot = vec_push(&f->seen);
    assert_non_null(s);
    assert_non_null(slot);
    *slot = s;
    s->kind = event->kind;
    s->key = event->key;
    s->prepared = event->prepared;
    s->suspended = event->suspended;
    s->gone = event->gone;
    s->reason = event->reason;
    str_copy(s->text, sizeof(s->text), event->text == NULL ? "" : event->text);
    if (event->node != NULL) {
        s->node = mem_alloc(sizeof(*s->node));
        assert_non_null(s->node);
        *s->node = *event->node;
    }
    if (event->task_count > 0) {
        s->tasks = mem_calloc(event->task_count, sizeof(*s->tasks));
        assert_non_null(s->tasks);
        memcpy(s->tasks, event->tasks, event->task_count * sizeof(*s->tasks));
        s->task_count = event->task_count;
    }
}

static void seen_clear(struct fixture *f)
{
    for (size_t i = 0; i < f->seen.len; i++) {
        mem_free(f->seen.items[i]->node);
        mem_free(f->seen.items[i]->tasks);
        mem_free(f->seen.items[i]);
    }
    vec_clear(&f->seen);
    f->mark = 0;
}

static bool seen_is(const struct seen *s, struct attempt_key key, enum engine_event_kind kind)
{
    return s->kind == kind && (key.workload.v == 0 || attempt_key_is_equal(s->key, key));
}

const struct seen *fx_find(struct fixture *f, struct attempt_key key, enum engine_event_kind kind)
{
    for (size_t i = 0; i < f->seen.len; i++)
        if (seen_is(f->seen.items[i], key, kind))
            return f->seen.items[i];
    return NULL;
}

size_t fx_count(struct fixture *f, struct attempt_key key, enum engine_event_kind kind)
{
    size_t count = 0;
    for (size_t i = 0; i < f->seen.len; i++)
        count += seen_is(f->seen.items[i], key, kind);
    return count;
}

static void fail_waiting(struct fixture *f, struct attempt_key key, const char *what)
{
    char text[ATTEMPT_KEY_TEXT_SIZE];
    print_error("waited in vain for %s of %s; seen:\n", what, attempt_key_format(text, key));
    for (size_t i = 0; i < f->seen.len; i++) {
        const struct seen *s = f->seen.items[i];
        print_error("  %s%s %s %s %s\n", i == f->mark ? "> " : "", engine_event_names[s->kind],
                    attempt_key_format(text, s->key), end_reason_names[s->reason], s->text);
    }
    fail();
}

const struct seen *fx_wait(struct fixture *f, struct attempt_key key, enum engine_event_kind kind)
{
    int64_t deadline_ms = f->now_ms(f) + SUITE_DEADLINE_MS;
    for (;;) {
        for (size_t i = f->mark; i < f->seen.len; i++) {
            if (seen_is(f->seen.items[i], key, kind)) {
                f->mark = i + 1;
                return f->seen.items[i];
            }
        }
        if (f->now_ms(f) > deadline_ms)
            fail_waiting(f, key, engine_event_names[kind]);
        f->turn(f);
    }
}

/* ---- orders ---- */

struct attempt_key fx_key(struct fixture *f)
{
    struct attempt_key key = {
        .workload = {id_from_random(++f->next_workload)}, .number = 1, .fence = ++f->next_fence};
    return key;
}

struct attempt_key fx_next_attempt(struct fixture *f, struct attempt_key key)
{
    key.number++;
    key.fence = ++f->next_fence;
    return key;
}

static struct arena order_arena = {.max_bytes = 16 << 20};

static void env_add(struct js_pairs *env, const char *key, const char *value)
{
    env->items[env->len++] = (struct js_pair){.key = key, .value = value};
}

/* "A=1 B=2" into pairs; a value ends at a blank. */
static void env_split(struct js_pairs *env, const char *text)
{
    while (text != NULL && *text != '\0') {
        const char *end = strchr(text, ' '), *equals = strchr(text, '=');
        size_t len = end == NULL ? strlen(text) : (size_t)(end - text);
        assert_non_null(equals);
        env_add(env, arena_strndup(&order_arena, text, (size_t)(equals - text)),
                arena_strndup(&order_arena, equals + 1, len - (size_t)(equals + 1 - text)));
        text = end == NULL ? NULL : end + 1;
    }
}

static void order_task(struct fixture *f, struct engine_task *t, const struct job *job,
                       uint32_t index)
{
    const char **command = arena_array(&order_arena, 3, sizeof(char *));
    assert_non_null(command);
    command[0] = "/bin/sh";
    command[1] = "-c";
    command[2] = job->sh;
    t->index = index;
    t->role = job->role == NULL ? "worker" : job->role;
    t->rank = job->role == NULL ? index : job->rank;
    t->node = f->node;
    t->cpu_milli = 500;
    t->memory_bytes = job->memory_bytes == 0 ? 128 << 20 : job->memory_bytes;
    t->disk_bytes = job->disk_bytes == 0 ? 128 << 20 : job->disk_bytes;
    t->command = (struct js_strs){.items = command, .len = 3};
    t->env.items = arena_array(&order_arena, 32, sizeof(struct js_pair));
    assert_non_null(t->env.items);
    env_add(&t->env, "PATH", "/usr/local/bin:/usr/bin:/bin");
    env_add(&t->env, "SUITE_WORD", "a b\"c");
    env_split(&t->env, job->fake);
    t->hostname = arena_printf(&order_arena, "%s-%u", t->role, t->rank);
}

struct engine_start *fx_order(struct fixture *f, struct attempt_key key, const struct job *jobs,
                              uint32_t count)
{
    arena_reset(&order_arena);
    struct engine_start *order = arena_alloc(&order_arena, sizeof(*order));
    struct engine_task *tasks = arena_array(&order_arena, count, sizeof(*tasks));
    assert_non_null(order);
    assert_non_null(tasks);
    for (uint32_t i = 0; i < count; i++)
        order_task(f, &tasks[i], &jobs[i], i);
    *order = (struct engine_start){
        .key = key,
        .kind = KIND_JOB,
        .project = {id_from_random(77)},
        .project_name = "suite",
        .subnet = 5,
        .user_name = "anna",
        .image = &f->image,
        .tasks = tasks,
        .task_count = count,
        .log_max_bytes = 1 << 20,
    };
    return order;
}

int fx_give(struct fixture *f, const struct engine_start *order, struct err *err)
{
    f->in_order = true;
    int rc = f->ops->start(f->e, order, err);
    f->in_order = false;
    return rc;
}

int fx_start(struct fixture *f, struct attempt_key key, const struct job *jobs, uint32_t count,
             struct err *err)
{
    return fx_give(f, fx_order(f, key, jobs, count), err);
}

int fx_stop(struct fixture *f, struct attempt_key key, int64_t grace_ms, struct err *err)
{
    f->in_order = true;
    int rc = f->ops->stop(f->e, key, grace_ms, err);
    f->in_order = false;
    return rc;
}

struct attempt_key fx_running(struct fixture *f, const struct job *job)
{
    struct attempt_key key = fx_key(f);
    struct err err;
    err_clear(&err);
    int rc = fx_start(f, key, job, 1, &err);
    if (rc != 0)
        fail_msg("start was refused: %s", err.text);
    fx_wait(f, key, ENGINE_EV_TASK_STARTED);
    return key;
}

struct engine_task_facts fx_end(struct fixture *f, struct attempt_key key)
{
    struct engine_task_facts none = {0};
    fx_wait(f, key, ENGINE_EV_GONE);
    const struct seen *ended = fx_find(f, key, ENGINE_EV_TASK_ENDED);
    return ended == NULL ? none : ended->tasks[0];
}

void fx_forget(struct fixture *f, struct attempt_key key)
{
    struct err err;
    f->in_order = true;
    int rc = f->ops->forget(f->e, key, &err);
    f->in_order = false;
    if (rc != 0)
        fail_msg("forget was refused: %s", err.text);
}

void fx_barrier(struct fixture *f)
{
    struct job quick = JOB_QUICK;
    struct attempt_key key = fx_running(f, &quick);
    fx_end(f, key);
    fx_forget(f, key);
}

/* ---- the connection ---- */

void fx_open(struct fixture *f)
{
    struct err err;
    int rc = f->open(f, &err);
    if (rc != 0)
        fail_msg("open failed: %s", err.text);
    fx_wait(f, (struct attempt_key){0}, ENGINE_EV_LIST_END);
    const struct seen *node = fx_find(f, (struct attempt_key){0}, ENGINE_EV_NODE);
    assert_non_null(node);
    str_copy(f->node, sizeof(f->node), node->node->name);
}

void fx_close(struct fixture *f)
{
    f->close(f);
    f->e = NULL;
    seen_clear(f);
}

void fx_reopen(struct fixture *f)
{
    fx_close(f);
    fx_open(f);
}

/* ---- questions ---- */

struct log_answer {
    bool done;
    int rc;
    char *data;
    size_t len;
    uint64_t next_offset;
    bool at_end;
};

static void log_came(void *arg, int rc, const struct engine_log_chunk *chunk, const struct err *err)
{
    struct log_answer *a = arg;
    assert_false(a->done); /* exactly once */
    a->done = true;
    a->rc = rc;
    if (rc != 0) {
        assert_non_null(err);
        return;
    }
    a->data = mem_strndup(chunk->data, chunk->len);
    a->len = chunk->len;
    a->next_offset = chunk->next_offset;
    a->at_end = chunk->at_end;
}

static struct log_answer log_ask(struct fixture *f, struct attempt_key key, uint32_t task,
                                 uint64_t offset, size_t max)
{
    struct log_answer a = {0};
    struct err err;
    int64_t deadline_ms = f->now_ms(f) + SUITE_DEADLINE_MS;
    int rc = f->ops->log_read(f->e, key, task, offset, max, log_came, &a, &err);
    if (rc != 0)
        fail_msg("log_read was refused: %s", err.text);
    assert_false(a.done);
    while (!a.done) {
        if (f->now_ms(f) > deadline_ms)
            fail_waiting(f, key, "an answer to log_read");
        f->turn(f);
    }
    return a;
}

int fx_log_rc(struct fixture *f, struct attempt_key key, uint32_t task, uint64_t offset)
{
    struct log_answer a = log_ask(f, key, task, offset, 4096);
    mem_free(a.data);
    return a.rc;
}

char *fx_log(struct fixture *f, struct attempt_key key, uint32_t task, size_t max,
             uint64_t *ret_end)
{
    cleanup(buf_done) struct buf text = BUF(16 << 20);
    uint64_t offset = 0;
    for (;;) {
        struct log_answer a = log_ask(f, key, task, offset, max);
        if (a.rc != 0)
            fail_msg("log_read failed at %llu", (unsigned long long)offset);
        assert_true(a.len <= max);
        assert_true(a.at_end || a.next_offset > offset); /* it gets on */
        buf_append(&text, a.data, a.len);
        mem_free(a.data);
        offset = a.next_offset;
        if (a.at_end)
            break;
    }
    if (ret_end != NULL)
        *ret_end = offset;
    char *whole = text.len == 0 ? mem_strdup("") : buf_take(&text);
    assert_non_null(whole);
    return whole;
}

void fx_wait_log(struct fixture *f, struct attempt_key key, const char *text)
{
    int64_t deadline_ms = f->now_ms(f) + SUITE_DEADLINE_MS;
    for (;;) {
        char *log = fx_log(f, key, 0, 4096, NULL);
        bool found = strstr(log, text) != NULL;
        if (!found && f->now_ms(f) > deadline_ms)
            fail_msg("waited in vain for \"%s\" in the log, which is: %s", text, log);
        mem_free(log);
        if (found)
            return;
        f->turn(f);
    }
}

struct stats_answer {
    bool done;
    int rc;
    struct engine_stats stats;
};

static void stats_came(void *arg, int rc, const struct engine_stats *stats, const struct err *err)
{
    struct stats_answer *a = arg;
    (void)err;
    assert_false(a->done);
    a->done = true;
    a->rc = rc;
    if (rc == 0)
        a->stats = *stats;
}

int fx_stats(struct fixture *f, struct attempt_key key, struct engine_stats *ret)
{
    struct stats_answer a = {0};
    struct err err;
    int64_t deadline_ms = f->now_ms(f) + SUITE_DEADLINE_MS;
    int rc = f->ops->stats(f->e, key, stats_came, &a, &err);
    if (rc != 0)
        return rc;
    while (!a.done) {
        if (f->now_ms(f) > deadline_ms)
            fail_waiting(f, key, "an answer to stats");
        f->turn(f);
    }
    *ret = a.stats;
    return a.rc;
}

bool fx_can(const struct fixture *f, enum engine_ability_bit bit)
{
    return (f->ops->abilities & (1u << bit)) != 0;
}

void fx_need(const struct fixture *f, enum engine_ability_bit bit)
{
    if (!fx_can(f, bit))
        skip();
}

/* ---- running ---- */

static struct fixture *suite_fixture;

static int test_setup(void **state)
{
    struct fixture *f = suite_fixture;
    *state = f;
    f->in_order = false;
    seen_clear(f);
    fx_open(f);
    return 0;
}

static int test_teardown(void **state)
{
    struct fixture *f = *state;
    if (f->e != NULL)
        fx_close(f);
    if (f->reset != NULL)
        f->reset(f);
    return 0;
}

static int group_run(const char *driver, const char *group, const struct CMUnitTest *tests,
                     size_t count)
{
    char name[64];
    struct CMUnitTest with_fixture[64];
    assert_true(count <= ARRAY_LEN(with_fixture));
    for (size_t i = 0; i < count; i++) {
        with_fixture[i] = tests[i];
        with_fixture[i].setup_func = test_setup;
        with_fixture[i].teardown_func = test_teardown;
    }
    snprintf(name, sizeof(name), "engine/%s/%s", driver, group);
    return _cmocka_run_group_tests(name, with_fixture, count, NULL, NULL);
}

int suite_run(struct fixture *f, const char *name)
{
    int failed = 0;
    suite_fixture = f;
    failed += group_run(name, "lists", suite_lists, suite_lists_count);
    failed += group_run(name, "orders", suite_orders, suite_orders_count);
    failed += group_run(name, "ends", suite_ends, suite_ends_count);
    failed += group_run(name, "logs", suite_logs, suite_logs_count);
    seen_clear(f);
    vec_done(&f->seen);
    arena_done(&order_arena);
    return failed;
}
