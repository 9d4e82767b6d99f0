/*
 * SIGKILL at random moments: a child keeps many commits in flight and says through a pipe which
 * were answered; the parent kills it, opens the store and looks: everything answered is there,
 * every batch whole, no event missing in between.
 */
#include "suite.h"
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/rand.h"
#include "ev/loop.h"

#define ROUNDS    12
#define IN_FLIGHT 24

struct writer {
    struct store *store;
    int pipe_fd;
    uint64_t next; /* number of the next batch, from 1 */
};

static void commit_next(struct writer *w);

static void on_done(void *arg, int rc, const struct err *err)
{
    static uint64_t answered;
    struct writer *w = arg;
    if (rc < 0)
        _exit(3);
    if (answered == 0)
        answered = w->next - IN_FLIGHT;
    if (write(w->pipe_fd, &answered, sizeof(answered)) != (ssize_t)sizeof(answered))
        _exit(4);
    answered++;
    commit_next(w);
}

/* Batch i: workload i, its attempt with fence i, events 2i-1 and 2i. */
static void commit_next(struct writer *w)
{
    uint64_t i = w->next++;
    struct store_batch *b = store_batch_new(w->store);
    struct workload row = make_workload(i, 1, 1, (int64_t)i);
    struct attempt a = make_attempt(i, 1, i, 1);
    struct event e1 = make_event(2 * i - 1, "a"), e2 = make_event(2 * i, "b");
    store_append_event(b, &e1);
    store_put_workload(b, &row);
    store_put_attempt(b, &a);
    store_append_event(b, &e2);
    store_commit(w->store, b, on_done, w);
}

static void child(const struct store_config *cfg, int pipe_fd, uint64_t first)
{
    struct ev_loop *loop;
    struct writer w = {.pipe_fd = pipe_fd, .next = first};
    if (ev_loop_new(&loop, NULL) < 0 || store_open(cfg, loop, &w.store, NULL) < 0)
        _exit(2);
    for (int i = 0; i < IN_FLIGHT; i++)
        commit_next(&w);
    ev_loop_run(loop);
    _exit(5); /* never: each answer brings a new commit */
}

/* Kills the child after so many answers; returns the last answered number, all read. */
static uint64_t run_and_kill(struct fix *f, uint64_t first, uint64_t kill_after)
{
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        close(fds[0]);
        child(&f->cfg, fds[1], first);
    }
    close(fds[1]);
    uint64_t answered = first - 1, number, count = 0;
    while (read(fds[0], &number, sizeof(number)) == (ssize_t)sizeof(number)) {
        assert_int_equal(number, answered + 1);
        answered = number;
        if (++count == kill_after)
            kill(pid, SIGKILL);
    }
    close(fds[0]);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    return answered;
}

struct seen {
    uint64_t workloads, attempts, last_event;
};

static int see_workload(void *arg, const struct workload *w, const char *spec_json)
{
    struct seen *s = arg;
    assert_int_equal(w->id.v, ++s->workloads);
    return 0;
}

static int see_attempt(void *arg, const struct attempt *a)
{
    struct seen *s = arg;
    assert_int_equal(a->key.fence, ++s->attempts);
    return 0;
}

static void see_events(void *arg, int rc, const struct event *events, size_t count, uint64_t oldest,
                       const struct err *err)
{
    struct seen *s = arg;
    assert_int_equal(rc, 0);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(events[i].seq, ++s->last_event);
}

static uint64_t expect_whole(struct fix *f)
{
    struct seen s = {0};
    const struct store_visitor v = {.arg = &s, .workload = see_workload, .attempt = see_attempt};
    struct store_heads h;
    assert_int_equal(store_load(f->store, 0, &v, &h, NULL), 0);
    uint64_t before;
    do {
        before = s.last_event;
        store_read_events(f->store, before, 1000, see_events, &s);
    } while (s.last_event != before);
    assert_int_equal(s.attempts, s.workloads);
    assert_int_equal(s.last_event, 2 * s.workloads);
    assert_int_equal(h.event_seq, s.last_event);
    assert_int_equal(h.fence, s.workloads);
    return s.workloads;
}

static void killed_at_random(void **state)
{
    struct fix *f = *state;
    struct rnd rnd;
    rnd_seed(&rnd, test_seed());
    put_people(f->store);
    uint64_t there = 0;
    for (int i = 0; i < ROUNDS; i++) {
        f->store = store_close(f->store);
        uint64_t answered = run_and_kill(f, there + 1, 1 + rnd_below(&rnd, 150));
        fix_reopen(f);
        there = expect_whole(f);
        assert_true(there >= answered);
        assert_true(there <= answered + IN_FLIGHT);
    }
}

int main(void)
{
    suite_driver = "sqlite";
    const struct CMUnitTest tests[] = {SUITE_TEST(killed_at_random)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
