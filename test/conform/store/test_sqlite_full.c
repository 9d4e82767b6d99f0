/*
 * A disk that is really full: a small tmpfs of our own. Commits are held, reads go on, room heals
 * it. Skipped where mounting is not allowed.
 */
#include "suite.h"
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>
#include "ev/loop.h"
#include "ev/timer.h"

#define COMMITS     200
#define DEADLINE_MS 60000

struct full {
    struct fix f;
    struct ev_loop *loop;
    struct ev_timer *timer;
    char ballast[TEST_PATH_MAX + 16];
    int given, answered, answered_when_full;
    bool was_full, reads_went_on;
    int64_t start_ms;
};

static bool make_small_disk(const char *dir)
{
    return unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("tmpfs", dir, "tmpfs", 0, "size=2m") == 0;
}

static void fill(const char *path, size_t leave_bytes)
{
    cleanup(fd_closep) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    static const char block[4096];
    off_t len = 0;
    while (write(fd, block, sizeof(block)) == (ssize_t)sizeof(block))
        len += (off_t)sizeof(block);
    assert_int_equal(ftruncate(fd, len - (off_t)leave_bytes), 0);
}

static void on_done(void *arg, int rc, const struct err *err)
{
    struct full *t = arg;
    if (rc < 0)
        fail_msg("commit %d: %s", t->answered, err->text);
    t->answered++;
}

static void give(struct full *t)
{
    struct store_batch *b = store_batch_new(t->f.store);
    struct event e =
        make_event((uint64_t)++t->given, "a text of some length, so that a page fills up "
                                         "after a few dozen of them and more are needed");
    struct workload w = make_workload((uint64_t)t->given, 1, 1, 5);
    store_append_event(b, &e);
    store_put_workload(b, &w);
    store_commit(t->f.store, b, on_done, t);
}

static void on_read(void *arg, int rc, const struct event *events, size_t count, uint64_t oldest,
                    const struct err *err)
{
    struct full *t = arg;
    assert_int_equal(rc, 0);
    t->reads_went_on = true;
}

static void on_tick(void *arg)
{
    struct full *t = arg;
    assert_true(ev_now_ms(t->loop) - t->start_ms < DEADLINE_MS);
    if (!t->was_full) {
        if (t->given < COMMITS)
            give(t);
        if (store_is_full(t->f.store)) {
            t->was_full = true;
            t->answered_when_full = t->answered;
            store_read_events(t->f.store, 0, 10, on_read, t);
        }
    } else if (t->reads_went_on) {
        unlink(t->ballast); /* room again */
        if (t->given < COMMITS)
            give(t);
        if (t->answered == COMMITS)
            ev_timer_stop(t->timer);
    }
}

static void held_until_there_is_room(void **state)
{
    static struct full t;
    struct err err;
    test_tmpdir_make(t.f.dir);
    if (!make_small_disk(t.f.dir)) {
        test_tmpdir_remove(t.f.dir);
        print_message("skipped: cannot mount a tmpfs here\n");
        skip();
    }
    snprintf(t.f.path, sizeof(t.f.path), "%s/store.db", t.f.dir);
    snprintf(t.ballast, sizeof(t.ballast), "%s/ballast", t.f.dir);
    t.f.cfg = (struct store_config){.driver = "sqlite", .path = t.f.path};
    assert_int_equal(ev_loop_new(&t.loop, NULL), 0);
    assert_int_equal(store_open(&t.f.cfg, t.loop, &t.f.store, &err), 0);
    fill(t.ballast, 64 << 10);
    t.start_ms = ev_now_ms(t.loop);
    t.timer = ev_timer_new(t.loop, on_tick, &t);
    ev_timer_start(t.timer, 0, 1);
    ev_loop_run(t.loop);
    assert_true(t.was_full);
    assert_true(t.answered_when_full < t.given);
    assert_int_equal(t.answered, COMMITS);
    assert_false(store_is_full(t.f.store));
    struct store_metrics m;
    store_get_metrics(t.f.store, &m);
    assert_true(m.no_space > 0);
    ev_timer_free(t.timer);
    store_close(t.f.store);
    ev_loop_free(t.loop);
    assert_int_equal(store_open(&t.f.cfg, NULL, &t.f.store, &err), 0);
    assert_int_equal(heads(t.f.store).event_seq, COMMITS);
    store_close(t.f.store);
    assert_int_equal(umount(t.f.dir), 0);
    test_tmpdir_remove(t.f.dir);
}

int main(void)
{
    suite_driver = "sqlite";
    const struct CMUnitTest tests[] = {cmocka_unit_test(held_until_there_is_room)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
