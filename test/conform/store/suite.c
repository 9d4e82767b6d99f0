/* Fixture, rows and the dump of the store's conformance suite. */
#include "suite.h"

const char *suite_driver;

bool suite_is_durable(void)
{
    return strcmp(suite_driver, "memory") != 0;
}

int suite_setup(void **state)
{
    struct fix *f = mem_calloc(1, sizeof(*f));
    assert_non_null(f);
    test_tmpdir_make(f->dir);
    snprintf(f->path, sizeof(f->path), "%s/store.db", f->dir);
    f->cfg = (struct store_config){.driver = suite_driver, .path = f->path};
    struct err err;
    if (store_open(&f->cfg, NULL, &f->store, &err) < 0)
        fail_msg("open: %s", err.text);
    *state = f;
    return 0;
}

int suite_teardown(void **state)
{
    struct fix *f = *state;
    store_close(f->store);
    test_tmpdir_remove(f->dir);
    mem_free(f);
    return 0;
}

void fix_reopen(struct fix *f)
{
    struct err err;
    f->store = store_close(f->store);
    if (store_open(&f->cfg, NULL, &f->store, &err) < 0)
        fail_msg("reopen: %s", err.text);
}

/* ---- rows ---- */

static const char *const spec_command[] = {"python3", "train.py"};
struct workload_spec suite_spec = {
    .kind = KIND_JOB,
    .name = "digits",
    .project = "vision",
    .image = "ml:latest",
    .command = {(const char **)(uintptr_t)spec_command, 2},
};

struct user make_user(uint64_t id, const char *name)
{
    struct user u = {
        .id = {id}, .cluster_admin = id == 1, .created_ms = 1000 + (int64_t)id, .version = 1};
    snprintf(u.name, sizeof(u.name), "%s", name);
    snprintf(u.password_hash, sizeof(u.password_hash), "$argon2id$%llu", (unsigned long long)id);
    return u;
}

struct project make_project(uint64_t id, const char *name)
{
    struct project p = {
        .id = {id}, .internet = true, .subnet = (uint32_t)id, .created_ms = 2000, .version = 1};
    snprintf(p.name, sizeof(p.name), "%s", name);
    return p;
}

struct token make_token(uint64_t id, uint64_t user)
{
    struct token t = {.id = {id},
                      .user = {user},
                      .label = "laptop",
                      .created_ms = 3000,
                      .expires_ms = 4000,
                      .session = true,
                      .route = id * 7};
    memset(t.digest, (int)id, sizeof(t.digest));
    t.digest[5] = 0;
    return t;
}

struct image *make_image(uint64_t id)
{
    static struct image i;
    memset(&i, 0, sizeof(i));
    i = (struct image){.id = {id},
                       .name = "ml",
                       .tag = "latest",
                       .state = IMAGE_READY,
                       .source = "{\"from\":\"debian:bookworm\"}",
                       .digest = "sha256:ab",
                       .layer_count = 2,
                       .size_bytes = 1ull << 40,
                       .config = "{}",
                       .reason = "",
                       .owner = {1},
                       .created_ms = 5,
                       .used_ms = 6,
                       .version = 1};
    memset(i.layers[0], 'a', 64);
    memset(i.layers[1], 'b', 64);
    return &i;
}

struct workload make_workload(uint64_t id, uint64_t project, uint64_t owner, int64_t submitted_ms)
{
    struct workload w = {.id = {id},
                         .project = {project},
                         .owner = {owner},
                         .state = STATE_QUEUED,
                         .desired = DESIRED_RUN,
                         .stop_reason = END_NONE,
                         .spec = &suite_spec,
                         .version = 1,
                         .submitted_ms = submitted_ms,
                         .state_since_ms = submitted_ms,
                         .not_before_ms = 17,
                         .attempts = 3,
                         .retries_used = 2,
                         .reason = "waits for 4 GPUs",
                         .hold_code = "resources",
                         .secret = "0123456789abcdef0123456789abcdef"};
    return w;
}

struct attempt make_attempt(uint64_t workload, uint32_t number, uint64_t fence, uint32_t count)
{
    static struct task tasks[64];
    memset(tasks, 0, sizeof(tasks));
    assert_true(count <= ARRAY_LEN(tasks));
    for (uint32_t i = 0; i < count; i++)
        tasks[i] = (struct task){.index = i,
                                 .role = i % 2,
                                 .rank = i / 2,
                                 .node = "n\"1",
                                 .address = "10.0.0.1",
                                 .gpu_count = 2,
                                 .gpus = {3, (uint16_t)i},
                                 .exit_code = i == 0 ? -1 : 7,
                                 .signal = 9,
                                 .running = i == 0,
                                 .ended = i != 0,
                                 .out_of_memory = i == 1,
                                 .disk_full = i == 2,
                                 .started_ms = -5,
                                 .ended_ms = 1ll << 50,
                                 .log_bytes = 1ull << 60};
    return (struct attempt){.key = {{workload}, number, fence},
                            .site = "local",
                            .placed_ms = 1,
                            .started_ms = 2,
                            .ended_ms = 3,
                            .end_reason = END_EXIT_CODE,
                            .end_task = 1,
                            .end_code = 7,
                            .end_text = "ended with 7",
                            .tasks = tasks,
                            .task_count = count,
                            .gone = true};
}

struct event make_event(uint64_t seq, const char *text)
{
    return (struct event){.seq = seq,
                          .time_ms = 100 + (int64_t)seq,
                          .type = "workload.state",
                          .subject = 10,
                          .subject_kind = "workload",
                          .project = 1,
                          .actor = 1,
                          .text = text,
                          .data = seq % 2 == 0 ? "{\"a\":1}" : NULL};
}

struct ledger_row make_ledger(const char *name, struct attempt_key holder)
{
    struct ledger_row l = {.kind = "gpu", .state = "reserved", .holder = holder, .reason = "why"};
    snprintf(l.name, sizeof(l.name), "%s", name);
    return l;
}

/* ---- commits ---- */

struct answer {
    int rc, calls;
    struct err *err;
};

static void on_answer(void *arg, int rc, const struct err *err)
{
    struct answer *a = arg;
    a->rc = rc;
    a->calls++;
    assert_true((rc < 0) == (err != NULL));
    if (err != NULL && a->err != NULL)
        *a->err = *err;
}

int commit(struct store *s, struct store_batch *b, struct err *err)
{
    struct answer a = {.err = err};
    store_commit(s, b, on_answer, &a);
    assert_int_equal(a.calls, 1);
    return a.rc;
}

void commit_ok(struct store *s, struct store_batch *b)
{
    struct err err;
    if (commit(s, b, &err) < 0)
        fail_msg("commit: %s: %s", berr_name(err.code), err.text);
}

void commit_fails(struct store *s, struct store_batch *b, enum berr code, const char *part)
{
    struct err err;
    assert_int_equal(commit(s, b, &err), -(int)code);
    test_expect_err(&err, code, part);
}

void put_people(struct store *s)
{
    struct store_batch *b = store_batch_new(s);
    struct user u = make_user(1, "ada");
    struct project p = make_project(1, "vision");
    struct member m = {.project = p.id, .user = u.id, .role = ROLE_ADMIN};
    store_put_user(b, &u);
    store_put_project(b, &p);
    store_put_member(b, &m);
    commit_ok(s, b);
}

/* ---- the dump ---- */

#define U64(v) ((unsigned long long)(v))
#define I64(v) ((long long)(v))

static int dump_setting(void *out, const char *name, const char *value)
{
    buf_printf(out, "setting %s=%s\n", name, value);
    return 0;
}

static int dump_user(void *out, const struct user *u)
{
    buf_printf(out, "user %llu %s %d %d %s %lld v%llu\n", U64(u->id.v), u->name, u->cluster_admin,
               u->disabled, u->password_hash, I64(u->created_ms), U64(u->version));
    return 0;
}

static int dump_token(void *out, const struct token *t)
{
    char hex[65];
    str_to_hex(hex, t->digest, sizeof(t->digest));
    buf_printf(out, "token %llu of %llu %s %s %lld %lld %d %llu\n", U64(t->id.v), U64(t->user.v),
               hex, t->label, I64(t->created_ms), I64(t->expires_ms), t->session, U64(t->route));
    return 0;
}

static int dump_project(void *out, const struct project *p)
{
    buf_printf(out, "project %llu %s %d %u %lld v%llu\n", U64(p->id.v), p->name, p->internet,
               p->subnet, I64(p->created_ms), U64(p->version));
    return 0;
}

static int dump_member(void *out, const struct member *m)
{
    buf_printf(out, "member %llu %llu %s\n", U64(m->project.v), U64(m->user.v),
               role_names[m->role]);
    return 0;
}

static int dump_volume(void *out, const struct volume_row *v)
{
    buf_printf(out, "volume %llu %llu %llu %s %llu %lld v%llu\n", U64(v->id.v), U64(v->project.v),
               U64(v->owner.v), v->name, U64(v->size_bytes), I64(v->created_ms), U64(v->version));
    return 0;
}

static int dump_image(void *out, const struct image *i)
{
    buf_printf(out, "image %llu %s:%s %s %s %s %llu %s '%s' %llu %lld %lld v%llu", U64(i->id.v),
               i->name, i->tag, image_state_names[i->state], i->source, i->digest,
               U64(i->size_bytes), i->config, i->reason, U64(i->owner.v), I64(i->created_ms),
               I64(i->used_ms), U64(i->version));
    for (uint32_t k = 0; k < i->layer_count; k++)
        buf_printf(out, " %s", i->layers[k]);
    buf_putc(out, '\n');
    return 0;
}

static int dump_workload(void *out, const struct workload *w, const char *spec_json)
{
    buf_printf(
        out,
        "workload %llu %llu %llu %s %s %s %lld %lld %lld %lld %lld %u %u '%s' %s %s v%llu %s\n",
        U64(w->id.v), U64(w->project.v), U64(w->owner.v), workload_state_names[w->state],
        desired_names[w->desired], end_reason_names[w->stop_reason], I64(w->submitted_ms),
        I64(w->started_ms), I64(w->ended_ms), I64(w->state_since_ms), I64(w->not_before_ms),
        w->attempts, w->retries_used, w->reason, w->hold_code, w->secret, U64(w->version),
        spec_json);
    assert_null(w->spec);
    return 0;
}

static int dump_attempt(void *out, const struct attempt *a)
{
    buf_printf(out, "attempt %llu/%u/%llu %s %lld %lld %lld %s %u %d '%s' %d\n",
               U64(a->key.workload.v), a->key.number, U64(a->key.fence), a->site, I64(a->placed_ms),
               I64(a->started_ms), I64(a->ended_ms), end_reason_names[a->end_reason], a->end_task,
               a->end_code, a->end_text, a->gone);
    for (uint32_t i = 0; i < a->task_count; i++) {
        const struct task *t = &a->tasks[i];
        buf_printf(out, " task %u %u %u %s %s %u [%u %u] %d %d %d%d%d%d %lld %lld %llu\n", t->index,
                   t->role, t->rank, t->node, t->address, t->gpu_count, t->gpus[0], t->gpus[1],
                   t->exit_code, t->signal, t->running, t->ended, t->out_of_memory, t->disk_full,
                   I64(t->started_ms), I64(t->ended_ms), U64(t->log_bytes));
    }
    return 0;
}

static int dump_ledger(void *out, const struct ledger_row *l)
{
    buf_printf(out, "ledger %s %s %s %llu/%u/%llu %s\n", l->kind, l->name, l->state,
               U64(l->holder.workload.v), l->holder.number, U64(l->holder.fence), l->reason);
    return 0;
}

static int dump_idempotency(void *out, const struct idempotency_row *r)
{
    buf_printf(out, "idempotency %llu %s %llu %lld\n", U64(r->user.v), r->key, U64(r->made),
               I64(r->time_ms));
    return 0;
}

static void dump_events(void *arg, int rc, const struct event *events, size_t count,
                        uint64_t oldest, const struct err *err)
{
    struct buf *out = arg;
    assert_int_equal(rc, 0);
    buf_printf(out, "events from %llu\n", U64(oldest));
    for (size_t i = 0; i < count; i++)
        buf_printf(out, "event %llu %lld %s %llu %s %llu %llu %s %s\n", U64(events[i].seq),
                   I64(events[i].time_ms), events[i].type, U64(events[i].subject),
                   events[i].subject_kind, U64(events[i].project), U64(events[i].actor),
                   events[i].text, events[i].data == NULL ? "-" : events[i].data);
}

void dump(struct store *s, struct buf *out)
{
    const struct store_visitor v = {out,           dump_setting, dump_user,   dump_token,
                                    dump_project,  dump_member,  dump_volume, dump_image,
                                    dump_workload, dump_attempt, dump_ledger, dump_idempotency};
    struct store_heads h;
    struct err err;
    if (store_load(s, 0, &v, &h, &err) < 0)
        fail_msg("load: %s", err.text);
    buf_printf(out, "heads %llu %llu %llu\n", U64(h.event_seq), U64(h.fence),
               U64(h.workloads_total));
    store_read_events(s, 0, 1000, dump_events, out);
    assert_false(buf_is_failed(out));
}

struct store_heads heads(struct store *s)
{
    const struct store_visitor v = {0};
    struct store_heads h;
    assert_int_equal(store_load(s, 0, &v, &h, NULL), 0);
    return h;
}

/* ---- the suite ---- */

int suite_run(const char *driver)
{
    static struct CMUnitTest all[64];
    const struct {
        const struct CMUnitTest *tests;
        size_t count;
    } parts[] = {{row_tests, row_test_count},
                 {batch_tests, batch_test_count},
                 {list_tests, list_test_count},
                 {loop_tests, loop_test_count}};
    size_t count = 0;
    suite_driver = driver;
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        for (size_t k = 0; k < parts[i].count; k++) {
            check(count < ARRAY_LEN(all));
            all[count++] = parts[i].tests[k];
        }
    return _cmocka_run_group_tests(driver, all, count, NULL, NULL);
}
