/* Loop, timers, workers, signals: order, threads, ends. */
#include <pthread.h>
#include <signal.h>
#include <unistd.h>
#include "loopback.h"
#include "ev/timer.h"
#include "ev/work.h"

static struct ev_loop *loop;
static char log_text[256];

static int setup(void **state)
{
    (void)state;
    log_text[0] = '\0';
    return ev_loop_new(&loop, NULL);
}

static int teardown(void **state)
{
    (void)state;
    loop = ev_loop_free(loop);
    return 0;
}

static void add(void *arg)
{
    size_t len = strlen(log_text);
    snprintf(log_text + len, sizeof(log_text) - len, "%s", (const char *)arg);
}

static bool note(const char *text)
{
    return ev_post(loop, add, (void *)(uintptr_t)text);
}

static void posts_keep_order(void **state)
{
    (void)state;
    assert_true(note("a"));
    assert_true(note("b"));
    assert_string_equal(log_text, ""); /* not from inside ev_post */
    assert_true(note("c"));
    ev_loop_poll(loop);
    assert_string_equal(log_text, "abc");
}

static void post_again(void *arg)
{
    add(arg);
    if (strlen(log_text) < 5)
        ev_post(loop, post_again, arg);
    else
        ev_loop_stop(loop);
}

static void posts_from_posts(void **state)
{
    (void)state;
    static char x[] = "x";
    ev_post(loop, post_again, x);
    ev_loop_run(loop); /* posts keep it running */
    assert_string_equal(log_text, "xxxxx");
    log_text[0] = '\0';
    note("y");
    ev_loop_run(loop); /* ends by itself */
    assert_string_equal(log_text, "y");
}

#define THREADS 4
#define POSTS   2000
static int counts[THREADS], total;

static void count(void *arg)
{
    ++*(int *)arg;
    ++total;
}

static void *post_many(void *arg)
{
    for (int i = 0; i < POSTS; i++)
        if (!ev_post(loop, count, arg))
            return arg;
    return NULL;
}

static void posts_from_threads(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    void *failed = NULL;
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, post_many, &counts[i]), 0);
    loopback_until_count(loop, &total, THREADS * POSTS);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], &failed);
        assert_null(failed);
        assert_int_equal(counts[i], POSTS);
    }
}

static struct ev_timer *timer;
static int fired;

static void fire(void *arg)
{
    const char *what = arg;
    fired++;
    if (strcmp(what, "free") == 0)
        timer = ev_timer_free(timer);
    else if (strcmp(what, "stop") == 0 && fired == 3)
        ev_timer_stop(timer);
    else if (strcmp(what, "start") == 0 && fired < 3)
        ev_timer_start(timer, 0, 0);
}

static void timers(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        int64_t repeat_ms;
        int times;
    } cases[] = {{"free", 1, 1}, {"stop", 1, 3}, {"start", 0, 3}, {"once", 0, 1}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        fired = 0;
        timer = ev_timer_new(loop, fire, (void *)(uintptr_t)cases[i].what);
        assert_false(ev_timer_is_active(timer));
        ev_timer_start(timer, 0, cases[i].repeat_ms);
        assert_true(ev_timer_is_active(timer));
        loopback_until_count(loop, &fired, cases[i].times);
        assert_true(timer == NULL || !ev_timer_is_active(timer) || cases[i].repeat_ms > 0);
        loopback_settle(loop);
        assert_int_equal(fired, cases[i].times);
        timer = ev_timer_free(timer);
    }
}

struct message {
    pthread_t ran_on;
    bool done;
};

static void run(void *arg)
{
    struct message *m = arg;
    m->ran_on = pthread_self();
}

static void done(void *arg)
{
    struct message *m = arg;
    m->done = true;
}

static void work(void **state)
{
    (void)state;
    struct message m = {0};
    assert_int_equal(ev_work(loop, run, done, &m, NULL), 0);
    assert_false(m.done);
    loopback_until(loop, &m.done);
    assert_false(pthread_equal(m.ran_on, pthread_self()));
}

static void free_message(void *arg)
{
    mem_free(arg);
}

/* Work under way and posts not yet run are finished, not lost, when the loop is freed. */
static void free_finishes(void **state)
{
    (void)state;
    struct ev_loop *other = NULL;
    int64_t before = mem_live();
    assert_int_equal(ev_loop_new(&other, NULL), 0);
    struct message *m = mem_calloc(1, sizeof(*m));
    assert_int_equal(ev_work(other, run, free_message, m, NULL), 0);
    ev_post(other, free_message, mem_calloc(1, 8));
    ev_loop_free(other);
    assert_int_equal(mem_live(), before);
}

static int got_signal;

static void on_signal(void *arg, int signum)
{
    (void)arg;
    got_signal = signum;
    fired++;
}

static void signals(void **state)
{
    (void)state;
    fired = 0;
    struct ev_timer *waits = ev_timer_new(loop, fire, (void *)(uintptr_t) "never");
    ev_timer_start(waits, 60000, 0);
    assert_int_equal(ev_signal(loop, SIGUSR1, on_signal, NULL, NULL), 0);
    kill(getpid(), SIGUSR1);
    loopback_until_count(loop, &fired, 1);
    assert_int_equal(got_signal, SIGUSR1);
    ev_timer_free(waits);
    assert_true(ev_signal(loop, SIGKILL, on_signal, NULL, NULL) < 0);
}

static int torture_body(void *ctx)
{
    (void)ctx;
    struct ev_loop *l = NULL;
    struct message m = {0};
    int rc = ev_loop_new(&l, NULL);
    if (rc < 0)
        return rc;
    struct ev_timer *t = ev_timer_new(l, fire, l);
    rc = t ? ev_work(l, run, done, &m, NULL) : -(int)BERR_NOMEM;
    if (rc == 0 && !ev_post(l, count, &counts[0]))
        rc = -(int)BERR_NOMEM;
    if (rc == 0)
        rc = ev_signal(l, SIGUSR2, on_signal, NULL, NULL);
    ev_timer_free(t);
    ev_loop_free(l);
    return rc;
}

static void torture(void **state)
{
    (void)state;
    test_torture(torture_body, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(posts_keep_order, setup, teardown),
        cmocka_unit_test_setup_teardown(posts_from_posts, setup, teardown),
        cmocka_unit_test_setup_teardown(posts_from_threads, setup, teardown),
        cmocka_unit_test_setup_teardown(timers, setup, teardown),
        cmocka_unit_test_setup_teardown(work, setup, teardown),
        cmocka_unit_test_setup_teardown(signals, setup, teardown),
        cmocka_unit_test(free_finishes),
        cmocka_unit_test(torture),
    };
    return cmocka_run_group_tests_name("ev/loop", tests, NULL, NULL);
}
