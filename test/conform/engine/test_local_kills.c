/*
 * SIGKILL of the runner, or an end of the engine without a word, at random moments while jobs come
 * and go: each job runs exactly once, its exit code and log are right, none is lost, nothing stays. argv[1]: berth-runner, argv[2]: how
 * many kills (default 40).
 */
#include "local_fixture.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include "base/alloc.h"
#include "base/rand.h"
#include "base/str.h"

#define AT_ONCE            4
#define KILL_EVERY_MOST_MS 400

struct run {
    struct attempt_key key;
    int code;
    bool accepted, over;
};

static struct fixture f;
static struct local_driver d;
static uint64_t kills_wanted = 40;

/* Does the engine say that it is over, by an event or by a list? */
static const struct seen *find_end(struct attempt_key key)
{
    for (size_t i = 0; i < f.seen.len; i++) {
        const struct seen *s = f.seen.items[i];
        if ((s->kind == ENGINE_EV_GONE || (s->kind == ENGINE_EV_ATTEMPT_SEEN && s->gone)) &&
            attempt_key_is_equal(s->key, key))
            return s;
    }
    return NULL;
}

static int code_of(struct attempt_key key)
{
    int code = -2;
    for (size_t i = 0; i < f.seen.len; i++) {
        const struct seen *s = f.seen.items[i];
        if (attempt_key_is_equal(s->key, key) && s->task_count == 1 && s->tasks[0].ended)
            code = s->tasks[0].signal != 0 ? -s->tasks[0].signal : s->tasks[0].exit_code;
    }
    return code;
}

static void begin(struct run *r, struct rnd *rnd)
{
    r->key = fx_key(&f);
    r->code = (int)rnd_below(rnd, 200);
    r->accepted = r->over = false;
}

/* As control does: the start is repeated until it is taken, and after each list. */
static void give(struct run *r)
{
    char sh[128];
    struct err err;
    snprintf(sh, sizeof(sh), "echo ran; sleep 0.%u; exit %d", (unsigned)r->code, r->code);
    struct job job = {.sh = sh};
    int rc = fx_start(&f, r->key, &job, 1, &err);
    if (rc != 0 && rc != -BERR_UNAVAILABLE)
        fail_msg("start was refused: %s", err.text);
    r->accepted = rc == 0;
}

static void finish(struct run *r, const struct seen *end)
{
    if (end->reason != END_NONE)
        fail_msg("it ended by %s: %s", end_reason_names[end->reason], end->text);
    assert_int_equal(code_of(r->key), r->code);
    r->over = true;
}

static void check_log(const struct run *r)
{
    char *log = fx_log(&f, r->key, 0, 4096, NULL);
    assert_string_equal(log, "ran\n"); /* once */
    mem_free(log);
}

static void wait_for_list(void)
{
    size_t from = f.seen.len;
    int64_t until_ms = f.now_ms(&f) + SUITE_DEADLINE_MS;
    for (;;) {
        for (size_t i = from; i < f.seen.len; i++)
            if (f.seen.items[i]->kind == ENGINE_EV_LIST_END)
                return;
        assert_true(f.now_ms(&f) < until_ms);
        f.turn(&f);
    }
}

static void kill_once(struct run *runs, struct rnd *rnd)
{
    if (rnd_below(rnd, 3) == 0) {
        fx_reopen(&f);
    } else {
        f.break_connection(&f);
        f.mend_connection(&f);
        wait_for_list();
    }
    for (int i = 0; i < AT_ONCE; i++) /* a list replaces belief: half-made ones are asked anew */
        runs[i].accepted = false;
}

static void test_each_job_runs_once(void **state)
{
    struct run runs[AT_ONCE];
    struct rnd rnd;
    uint64_t kills = 0, ended = 0;
    (void)state;
    rnd_seed(&rnd, test_seed());
    fx_open(&f);
    for (int i = 0; i < AT_ONCE; i++)
        begin(&runs[i], &rnd);
    int64_t kill_ms = f.now_ms(&f) + 50, until_ms = f.now_ms(&f) + 600000;
    while (kills < kills_wanted) {
        assert_true(f.now_ms(&f) < until_ms);
        for (int i = 0; i < AT_ONCE; i++) {
            const struct seen *end = find_end(runs[i].key);
            if (end != NULL) {
                finish(&runs[i], end);
                check_log(&runs[i]);
                struct err err;
                if (f.ops->forget(f.e, runs[i].key, &err) != 0)
                    continue; /* not connected: later */
                ended++;
                begin(&runs[i], &rnd);
            } else if (!runs[i].accepted) {
                give(&runs[i]);
            }
        }
        f.turn(&f);
        if (f.now_ms(&f) >= kill_ms) {
            kill_once(runs, &rnd);
            kills++;
            kill_ms = f.now_ms(&f) + (int64_t)rnd_below(&rnd, KILL_EVERY_MOST_MS);
        }
    }
    print_message("%llu kills, %llu jobs\n", (unsigned long long)kills, (unsigned long long)ended);
    for (int i = 0; i < AT_ONCE; i++) {
        while (find_end(runs[i].key) == NULL) {
            assert_true(f.now_ms(&f) < until_ms);
            if (!runs[i].accepted)
                give(&runs[i]);
            f.turn(&f);
        }
        finish(&runs[i], find_end(runs[i].key));
        fx_forget(&f, runs[i].key);
    }
    fx_barrier(&f);
    assert_null(f.leftovers(&f, runs[0].key));
    fx_close(&f);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_each_job_runs_once)};
    if (argc < 2 || (argc > 2 && !str_parse_u64(argv[2], &kills_wanted))) {
        fprintf(stderr, "usage: %s berth-runner [kills]\n", argv[0]);
        return 2;
    }
    int rc = local_fixture_begin(&f, &d, argv[1]);
    return rc != 0 ? rc
                   : local_fixture_end(
                         &d, _cmocka_run_group_tests("engine/local/kills", tests, 1, NULL, NULL));
}
