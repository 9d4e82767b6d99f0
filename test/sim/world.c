#include "world.h"
#include "base/str.h"

static int64_t now_ms(void *arg)
{
    return ((struct world *)arg)->now_ms;
}

static uint64_t next_random(void *arg)
{
    return rnd_u64(&((struct world *)arg)->rnd);
}

static const struct image *image_find(void *arg, const char *ref, struct err *err)
{
    struct world *w = arg;
    if (str_has_prefix(ref, "test") && !w->image_missing)
        return &w->image;
    err_set(err, BERR_NOT_FOUND, "there is no image %s", ref);
    return NULL;
}

static void image_use(void *arg, struct image_id id, struct workload_id wl, bool in_use)
{
    (void)arg, (void)id, (void)wl, (void)in_use;
}

static bool code_exists(void *arg, const char *digest)
{
    (void)arg, (void)digest;
    return true;
}

static int prepare(void *arg, struct workload *wl, struct workload_spec *spec, struct arena *arena,
                   struct err *err)
{
    (void)arg, (void)wl, (void)spec, (void)arena, (void)err;
    return 0;
}

static void changed(void *arg, const struct workload *wl)
{
    (void)arg, (void)wl;
}

static void wake(void *arg)
{
    (void)arg;
}

static void fatal(void *arg, const struct err *err)
{
    struct world *w = arg;
    w->fatal++;
    w->last_err = *err;
}

static void start_control(struct world *w)
{
    struct err err = {0};
    struct auth_config auth_cfg = {.cost = PASSWORD_COST_TESTS};
    assert_int_equal(auth_new(&auth_cfg, NULL, &w->auth, &err), 0);
    struct control_config cfg = {
        .clock = &w->clock,
        .store = w->store,
        .auth = w->auth,
        .random = next_random,
        .random_arg = w,
        .log_max_bytes = 1 << 20,
        .home_bytes = 1ull << 30,
        .finished_kept = 100000,
        .hooks = {.arg = w,
                  .image_find = image_find,
                  .image_use = image_use,
                  .code_exists = code_exists,
                  .prepare = prepare,
                  .changed = changed,
                  .wake = wake,
                  .fatal = fatal},
    };
    sched_policy_default(&cfg.policy);
    assert_int_equal(control_new(&cfg, &w->control, &err), 0);
    struct store_visitor others = {0};
    assert_int_equal(control_load(w->control, &others, &err), 0);
    struct engine_config engine_cfg = {
        .site = "local", .clock = &w->clock, .fake_world = w->machines};
    assert_int_equal(control_add_site(w->control, "fake", &engine_cfg, NULL, &err), 0);
}

static void noted(void *arg, int rc, uint64_t id, const struct err *err)
{
    struct world *w = arg;
    w->last_rc = rc;
    w->last_id = id;
    if (err)
        w->last_err = *err;
}

void world_init(struct world *w, uint64_t seed)
{
    struct err err = {0};
    memset(w, 0, sizeof(*w));
    w->now_ms = 1700000000000;
    w->clock = (struct os_clock){.wall_ms = now_ms, .mono_ms = now_ms, .arg = w};
    rnd_seed(&w->rnd, seed);
    w->image = (struct image){.id = {7}, .name = "test", .tag = "latest", .state = IMAGE_READY};
    w->machines = fake_world_new(&w->clock);
    assert_int_equal(fake_node_add(w->machines, "n1", 8, 32, 2), 0);
    assert_int_equal(fake_node_add(w->machines, "n2", 8, 32, 0), 0);
    struct store_config store_cfg = {.driver = "memory"};
    assert_int_equal(store_open(&store_cfg, NULL, &w->store, &err), 0);
    start_control(w);
    struct user user = {.id = {11}, .name = "ada", .created_ms = 1};
    control_put_user(w->control, &user, user.id, noted, w);
    assert_int_equal(w->last_rc, 0);
    struct project project = {.id = {21}, .name = "vision", .internet = true, .created_ms = 1};
    control_put_project(w->control, &project, user.id, user.id, noted, w);
    assert_int_equal(w->last_rc, 0);
    w->user = (struct who){.user = user.id, .name = "ada"};
    world_run(w, 100);
}

void world_done(struct world *w)
{
    w->control = control_free(w->control);
    w->auth = auth_free(w->auth);
    w->store = store_close(w->store);
    w->machines = fake_world_free(w->machines);
}

void world_restart(struct world *w)
{
    w->control = control_free(w->control);
    w->auth = auth_free(w->auth);
    start_control(w);
}

void world_run(struct world *w, int64_t ms)
{
    int64_t until = w->now_ms + ms;
    for (int guard = 0;; guard++) {
        assert_true(guard < 1000000);
        size_t told = fake_advance(w->machines);
        int64_t wait = control_tick(w->control);
        const char *broken = fake_broken_rule(w->machines);
        if (broken)
            fail_msg("rule broken: %s", broken);
        assert_int_equal(w->fatal, 0);
        if (told || wait == 0)
            continue;
        int64_t next = w->now_ms + wait, due = fake_next_ms(w->machines);
        if (due < next)
            next = due > w->now_ms ? due : w->now_ms + 1;
        if (next > until)
            break;
        w->now_ms = next;
    }
    w->now_ms = until;
}

bool world_settle(struct world *w, int64_t ms)
{
    int64_t until = w->now_ms + ms;
    while (w->now_ms < until) {
        bool all = true;
        const struct workload *wl;
        for (size_t i = 0; (wl = control_next(w->control, &i));)
            all &= workload_state_is_final(wl->state);
        if (all)
            return true;
        world_run(w, 1000);
    }
    return false;
}

uint64_t world_submit(struct world *w, const char *yaml)
{
    struct arena arena = ARENA(1 << 20);
    struct js_doc *doc = NULL;
    struct workload_spec spec;
    memset(&spec, 0, sizeof(spec));
    w->last_id = 0;
    w->last_rc = js_parse_yaml(yaml, strlen(yaml), &doc, &w->last_err);
    spec_defaults(&spec);
    if (w->last_rc == 0)
        w->last_rc = js_decode(doc, js_root(doc), &spec_table, &arena, &spec, &w->last_err);
    if (w->last_rc == 0) {
        struct control_submit req = {.who = &w->user, .spec = &spec, .doc = doc};
        control_submit(w->control, &req, noted, w);
    }
    js_doc_free(doc);
    arena_done(&arena);
    return w->last_id;
}

const struct workload *world_find(struct world *w, uint64_t id)
{
    const struct workload *wl = control_find(w->control, (struct workload_id){id});
    assert_non_null(wl);
    return wl;
}

void world_expect(struct world *w, uint64_t id, enum workload_state state, enum end_reason reason)
{
    const struct workload *wl = world_find(w, id);
    assert_string_equal(workload_state_names[wl->state], workload_state_names[state]);
    if (wl->attempt)
        assert_string_equal(end_reason_names[wl->attempt->end_reason], end_reason_names[reason]);
}

void world_stop(struct world *w, uint64_t id, int64_t grace_ms)
{
    control_stop(w->control, (struct workload_id){id}, END_STOPPED, grace_ms, w->user.user, noted,
                 w);
}

void world_print(struct world *w)
{
    const struct workload *wl;
    char id[ID_TEXT_SIZE];
    struct control_node n;
    for (size_t i = 0; control_next_node(w->control, &i, &n);)
        fprintf(stderr, "node %s ready %d connected %d drained %d\n", n.node->name, n.node->ready,
                n.connected, n.drained);
    for (size_t i = 0; (wl = control_next(w->control, &i));)
        if (!workload_state_is_final(wl->state))
            fprintf(stderr, "%s %s attempt %u: %s [%s] %s\n", id_format(id, wl->id.v),
                    workload_state_names[wl->state], wl->attempts, wl->reason, wl->hold_code,
                    wl->attempt && wl->attempt->gone ? "gone" : "");
}
