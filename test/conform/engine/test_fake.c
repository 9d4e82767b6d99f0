/* The suite against the fake, in virtual time; with the argument `real` on a loop in real time. */
#include "suite.h"

#include "base/str.h"
#include "engine/fake/fake.h"
#include "ev/timer.h"
#include "os/clock.h"

struct driver {
    int64_t now_ms;
    struct os_clock clock;
    struct fake_world *world;
    struct ev_loop *loop; /* NULL: virtual time */
    struct ev_timer *timer;
};

static int64_t clock_mono(void *arg)
{
    return ((struct driver *)arg)->now_ms;
}

static int64_t clock_wall(void *arg)
{
    return ((struct driver *)arg)->now_ms + 1700000000000;
}

static int64_t now_ms(struct fixture *f)
{
    return f->config.clock->mono_ms(f->config.clock->arg);
}

static int open_fake(struct fixture *f, struct err *err)
{
    struct driver *d = f->driver;
    f->config.fake_world = d->world;
    return f->ops->open(&f->config, d->loop, fx_listen, f, &f->e, err);
}

static void close_fake(struct fixture *f)
{
    f->ops->close(f->e);
}

static void stop_loop(void *arg)
{
    ev_loop_stop(arg);
}

/* To the next thing that happens, by at most 10 ms. */
static void turn(struct fixture *f)
{
    struct driver *d = f->driver;
    if (d->loop != NULL) {
        ev_timer_start(d->timer, 2, 0);
        ev_loop_run(d->loop);
        return;
    }
    int64_t next_ms = fake_next_ms(d->world), most_ms = d->now_ms + 10;
    d->now_ms = next_ms > most_ms ? most_ms : next_ms <= d->now_ms ? d->now_ms + 1 : next_ms;
    fake_advance(d->world);
}

static void break_connection(struct fixture *f)
{
    fake_disconnect(((struct driver *)f->driver)->world);
}

static void mend_connection(struct fixture *f)
{
    fake_reconnect(((struct driver *)f->driver)->world);
}

static const char *leftovers(struct fixture *f, struct attempt_key key)
{
    struct driver *d = f->driver;
    (void)key;
    return fake_running(d->world) > 0 ? "an attempt" : fake_broken_rule(d->world);
}

static void reset(struct fixture *f)
{
    struct driver *d = f->driver;
    const char *rule = fake_broken_rule(d->world);
    if (rule != NULL)
        fail_msg("broken rule: %s", rule);
}

int main(int argc, char **argv)
{
    struct driver d = {.now_ms = 1000};
    struct err err;
    d.clock = (struct os_clock){.mono_ms = clock_mono, .wall_ms = clock_wall, .arg = &d};
    if (argc > 1 && str_is_equal(argv[1], "real")) {
        d.clock = *os_clock_real();
        if (ev_loop_new(&d.loop, &err) != 0)
            return 1;
        d.timer = ev_timer_new(d.loop, stop_loop, d.loop);
    }
    d.world = fake_world_new(&d.clock);
    if (d.world == NULL || fake_node_add(d.world, "node-a", 8, 32, 2) != 0)
        return 1;
    struct fixture f = {
        .ops = &engine_fake,
        .config = {.site = "test", .clock = &d.clock},
        .driver = &d,
        .open = open_fake,
        .close = close_fake,
        .turn = turn,
        .now_ms = now_ms,
        .break_connection = break_connection,
        .mend_connection = mend_connection,
        .leftovers = leftovers,
        .reset = reset,
    };
    int failed = suite_run(&f, d.loop == NULL ? "fake" : "fake-real");
    ev_timer_free(d.timer);
    if (d.loop != NULL)
        ev_loop_free(d.loop);
    fake_world_free(d.world);
    return failed != 0;
}
