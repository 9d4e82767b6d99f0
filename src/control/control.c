/*
 * control: birth, the tick, sites, and what others may ask.
 */
#include "control/control.h"
#include "control/state.h"
#include <string.h>
#include "base/alloc.h"
#include "base/log.h"
#include "base/str.h"

#define TICK_MOST_MS     1000
#define PASS_ARENA_BYTES (1ull << 30)

int control_new(const struct control_config *cfg, struct control **ret, struct err *err)
{
    struct control *c = mem_calloc(1, sizeof(*c));
    if (!c)
        return err_set(err, BERR_NOMEM, "out of memory");
    c->cfg = *cfg;
    c->items = MAP_U64;
    c->volumes = MAP_U64;
    c->homes = MAP_U64;
    c->projects = MAP_U64;
    c->settings = MAP_STR;
    c->idempotency = MAP_STR;
    arena_init(&c->pass_arena, PASS_ARENA_BYTES);
    *ret = c;
    return 0;
}

static void free_values(struct map *m)
{
    size_t i = 0;
    void *value;
    if (m->is_u64)
        while (map_next_u64(m, &i, NULL, &value))
            mem_free(value);
    else
        while (map_next(m, &i, NULL, &value))
            mem_free(value);
    map_done(m);
}

struct control *control_free(struct control *c)
{
    if (!c)
        return NULL;
    for (size_t i = 0; i < c->site_count; i++)
        c->sites[i].ops->close(c->sites[i].engine);
    items_done(c);
    for (size_t i = 0; i < c->nodes.len; i++)
        mem_free(c->nodes.items[i]);
    vec_done(&c->nodes);
    struct timer_entry *entry;
    while ((entry = heap_pop(&c->timers)))
        mem_free(entry);
    heap_done(&c->timers);
    map_done(&c->homes);
    free_values(&c->volumes);
    free_values(&c->projects);
    free_values(&c->settings);
    free_values(&c->idempotency);
    events_done(c);
    arena_done(&c->pass_arena);
    mem_free(c);
    return NULL;
}

int control_add_site(struct control *c, const char *driver, const struct engine_config *cfg,
                     struct ev_loop *loop, struct err *err)
{
    const struct engine_ops *ops = engine_find(driver);
    if (!ops)
        return err_set(err, BERR_INVALID, "there is no engine \"%s\"", driver);
    if (c->site_count == CONTROL_SITES_MAX)
        return err_set(err, BERR_QUOTA, "at most %d sites", CONTROL_SITES_MAX);
    struct site *s = &c->sites[c->site_count];
    *s = (struct site){.ops = ops, .control = c};
    str_copy(s->name, sizeof(s->name), cfg->site);
    c->site_count++;
    int rc = ops->open(cfg, loop, observe_event, s, &s->engine, err);
    if (rc < 0) {
        c->site_count--;
        return err_wrap(err, rc, "site %s", cfg->site);
    }
    return 0;
}

void control_wake(struct control *c)
{
    c->cfg.hooks.wake(c->cfg.hooks.arg);
}

void control_news(struct control *c)
{
    c->pass_wanted = true;
    control_wake(c);
}

static int64_t sooner(int64_t wait, int64_t other)
{
    if (other < 0)
        other = 0;
    return other < wait ? other : wait;
}

#define PASS_REST 4 /* times as long as the last pass took */

int64_t control_tick(struct control *c)
{
    int64_t wait = TICK_MOST_MS;
    int64_t due = deadline_run(c);
    if (due >= 0)
        wait = sooner(wait, due);
    if (c->orders_retry_ms) {
        int64_t left = c->orders_retry_ms - control_mono(c);
        if (left <= 0) {
            c->orders_retry_ms = 0;
            sync_site(c, NULL);
        } else {
            wait = sooner(wait, left);
        }
    }
    if (c->pass_wake_ms && control_wall(c) >= c->pass_wake_ms)
        c->pass_wanted = true;
    /* A pass looks at all that waits: with a long queue, passes as often as there is news would
     * leave no time for anything else. They get a fifth of it. */
    int64_t rest = c->pass_rest_ms - control_mono(c);
    if (c->pass_wanted && rest <= 0) {
        int64_t begun = control_mono(c);
        pass_run(c);
        rest = (control_mono(c) - begun) * PASS_REST;
        c->pass_rest_ms = control_mono(c) + rest;
    }
    if (c->pass_wanted)
        return sooner(wait, rest);
    if (c->pass_wake_ms)
        wait = sooner(wait, c->pass_wake_ms - control_wall(c));
    return wait;
}

/* ---- asking engines ---- */

static struct site *site_of(struct control *c, const struct workload *w, struct err *err)
{
    struct site *s = w->attempt ? control_site(c, w->attempt->site) : NULL;
    if (!s)
        err_set(err, BERR_CONFLICT, "%s has not been started yet", w->spec->name);
    return s;
}

int control_log_read(struct control *c, const struct workload *w, uint32_t number, uint32_t task,
                     uint64_t offset, size_t max, engine_log_fn *fn, void *arg, struct err *err)
{
    struct site *s = site_of(c, w, err);
    if (!s)
        return -BERR_CONFLICT;
    struct attempt_key key = w->attempt->key;
    if (number > key.number || task >= w->attempt->task_count)
        return err_set(err, BERR_NOT_FOUND, "there is no task %u of attempt %u", task, number);
    if (number)
        key.number = number;
    return s->ops->log_read(s->engine, key, task, offset, max, fn, arg, err);
}

int control_stats(struct control *c, const struct workload *w, engine_stats_fn *fn, void *arg,
                  struct err *err)
{
    struct site *s = site_of(c, w, err);
    if (!s)
        return -BERR_CONFLICT;
    return s->ops->stats(s->engine, w->attempt->key, fn, arg, err);
}

bool control_next_node(const struct control *c, size_t *i, struct control_node *ret)
{
    if (*i >= c->nodes.len)
        return false;
    const struct node_entry *n = c->nodes.items[(*i)++];
    *ret = (struct control_node){
        .node = &n->node,
        .abilities = n->site->ops->abilities,
        .connected = n->site->connected,
        .drained = n->drained,
        .cpu_used_milli = n->use.cpu_milli,
        .memory_used_bytes = n->use.memory_bytes,
        .disk_used_bytes = n->use.disk_bytes,
    };
    memcpy(ret->gpu_used_milli, n->use.gpu_used_milli, sizeof(ret->gpu_used_milli));
    memcpy(ret->gpu_holder, n->use.gpu_holder, sizeof(ret->gpu_holder));
    return true;
}

const struct volume_row *control_next_volume(const struct control *c, size_t *i)
{
    void *value;
    return map_next_u64(&c->volumes, i, NULL, &value) ? value : NULL;
}
