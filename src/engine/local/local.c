/* The driver's table: orders change what is wanted, open and close the connection. */
#include "engine/local/local.h"

#include <string.h>
#include "base/alloc.h"
#include "base/check.h"
#include "base/str.h"
#include "engine/local/state.h"

/* ---- open and close ---- */

static void on_down(void *arg, const struct err *why)
{
    struct engine *e = arg;
    struct engine_event event = {.kind = ENGINE_EV_DISCONNECTED, .text = why->text};
    e->listed = false;
    e->inventory_sent_ms = 0;
    e->listener(e->arg, &event);
}

static const struct local_link_events link_events = {
    .up = list_up, .down = on_down, .event = list_event};

static void local_close(struct engine *e)
{
    void *value;
    if (e == NULL)
        return;
    ask_close(e);
    local_link_free(e->link);
    for (size_t i = 0; map_next(&e->attempts, &i, NULL, &value);)
        attempt_free(value); /* the current entry may go */
    for (size_t i = 0; map_next_u64(&e->fences, &i, NULL, &value);)
        mem_free(value);
    map_done(&e->attempts);
    map_done(&e->fences);
    map_done(&e->volumes);
    vec_done(&e->nets);
    ev_timer_free(e->inventory_timer);
    mem_free(e->data_dir);
    mem_free(e);
}

static int local_open(const struct engine_config *cfg, struct ev_loop *loop,
                      engine_listener_fn *listener, void *arg, struct engine **ret, struct err *err)
{
    struct engine *e = mem_calloc(1, sizeof(*e));
    if (e == NULL)
        return err_set(err, BERR_NOMEM, "no memory for the local engine");
    check(loop != NULL && cfg->socket != NULL && cfg->data_dir != NULL);
    e->loop = loop;
    e->clock = cfg->clock;
    e->listener = listener;
    e->arg = arg;
    e->attempts = MAP_STR;
    e->fences = e->volumes = MAP_U64;
    str_copy(e->site, sizeof(e->site), cfg->site == NULL ? "local" : cfg->site);
    e->data_dir = mem_strdup(cfg->data_dir);
    e->inventory_timer = ev_timer_new(loop, node_timer, e);
    int rc = e->data_dir == NULL || e->inventory_timer == NULL
                 ? err_set(err, BERR_NOMEM, "no memory for the local engine")
                 : local_link_new(loop, cfg->socket, "berthd", &link_events, e, &e->link, err);
    if (rc != 0) {
        local_close(e);
        return rc;
    }
    ev_timer_start(e->inventory_timer, LOCAL_INVENTORY_MS, LOCAL_INVENTORY_MS);
    *ret = e;
    return 0;
}

/* ---- orders ---- */

static int not_connected(struct err *err)
{
    return err_set(err, BERR_UNAVAILABLE, "the runner is not connected");
}

static int check_fence(struct engine *e, struct attempt_key key, struct err *err)
{
    const struct local_fence *fence = fence_of(e, key.workload, false);
    if (fence != NULL && key.fence < fence->seen)
        return err_set(err, BERR_CONFLICT, "fence %llu is older than %llu, which was seen",
                       (unsigned long long)key.fence, (unsigned long long)fence->seen);
    return 0;
}

/* GONE again, from the next round of the loop. */
static void tell_gone_soon(struct local_attempt *a)
{
    a->tells_gone = true;
    attempt_wake(a, 0);
}

/* Its order came again after a restart of berthd. */
static int adopt(struct local_attempt *a, const struct engine_start *order, struct err *err)
{
    int rc = a->task_count == order->task_count
                 ? order_take(a, order, err)
                 : err_set(err, BERR_CONFLICT, "the attempt had %u tasks, not %u", a->task_count,
                           order->task_count);
    if (rc != 0)
        return rc;
    a->embryo_until_ms = LOCAL_NEVER;
    a->phase = LOCAL_NET;
    attempt_wake(a, 0);
    return 0;
}

static int local_start(struct engine *e, const struct engine_start *order, struct err *err)
{
    if (!e->listed)
        return not_connected(err);
    if (order->task_count == 0 || order->task_count > LIMIT_TASKS_PER_ATTEMPT)
        return err_set(err, BERR_INVALID, "an attempt has 1 to %d tasks", LIMIT_TASKS_PER_ATTEMPT);
    struct local_attempt *a = attempt_find(e, order->key);
    if (a != NULL && a->phase == LOCAL_EMBRYO)
        return adopt(a, order, err);
    if (a != NULL && a->phase == LOCAL_GONE)
        tell_gone_soon(a);
    if (a != NULL && a->phase != LOCAL_FORGET)
        return 0;
    if (a != NULL)
        return err_set(err, BERR_CONFLICT, "the attempt is gone");
    int rc = check_fence(e, order->key, err);
    if (rc != 0)
        return rc;
    const struct local_fence *fence = fence_of(e, order->key.workload, false);
    if (fence != NULL && order->key.fence <= fence->closed)
        return err_set(err, BERR_CONFLICT, "the attempt with fence %llu is gone",
                       (unsigned long long)order->key.fence);
    struct local_attempt trial = {.engine = e};
    arena_init(&trial.arena, LOCAL_ORDER_BYTES);
    rc = order_take(&trial, order, err);
    if (rc != 0)
        return rc;
    a = attempt_new(e, order->key, order->task_count);
    if (a == NULL) {
        arena_done(&trial.arena);
        return err_set(err, BERR_NOMEM, "no memory for the attempt");
    }
    order_move(a, &trial);
    a->phase = LOCAL_NET;
    attempt_wake(a, 0);
    return 0;
}

/* Nothing is known of it. It may still be on its way from an earlier connection, so it is made
 * sure by deleting its first task: from then on the runner refuses the key. */
static int stop_unknown(struct engine *e, struct attempt_key key, struct err *err)
{
    int rc = check_fence(e, key, err);
    if (rc != 0)
        return rc;
    struct local_attempt *a = attempt_new(e, key, 1);
    if (a == NULL)
        return err_set(err, BERR_NOMEM, "no memory for the order");
    a->tasks[0].asked = true;
    a->phase = LOCAL_UNDO;
    attempt_wake(a, 0);
    return 0;
}

static int local_stop(struct engine *e, struct attempt_key key, int64_t grace_ms, struct err *err)
{
    if (grace_ms < 0)
        return err_set(err, BERR_INVALID, "the grace must not be negative");
    if (!e->listed && !e->lists)
        return not_connected(err);
    struct local_attempt *a = attempt_find(e, key);
    if (a == NULL)
        return e->listed ? stop_unknown(e, key, err) : not_connected(err);
    if (a->phase == LOCAL_GONE) {
        tell_gone_soon(a);
    } else if (a->phase == LOCAL_RUN) {
        int64_t kill_at_ms = ev_now_ms(e->loop) + grace_ms;
        a->stops = true;
        a->wants_suspend = false;
        if (kill_at_ms < a->kill_at_ms)
            a->kill_at_ms = kill_at_ms;
    } else if (a->phase < LOCAL_RUN) {
        attempt_fail(a, END_NONE, NULL);
    }
    attempt_wake(a, 0);
    return 0;
}

static int set_suspended(struct engine *e, struct attempt_key key, bool suspend, struct err *err)
{
    if (!e->listed)
        return not_connected(err);
    struct local_attempt *a = attempt_find(e, key);
    if (a == NULL || a->phase == LOCAL_EMBRYO || a->phase == LOCAL_FORGET) {
        int rc = check_fence(e, key, err);
        return rc != 0 ? rc : err_set(err, BERR_NOT_FOUND, "no such attempt");
    }
    if (a->phase != LOCAL_RUN || a->stops)
        return err_set(err, BERR_CONFLICT, "the attempt does not run");
    a->wants_suspend = suspend;
    attempt_wake(a, 0);
    return 0;
}

static int local_suspend(struct engine *e, struct attempt_key key, struct err *err)
{
    return set_suspended(e, key, true, err);
}

static int local_resume(struct engine *e, struct attempt_key key, struct err *err)
{
    return set_suspended(e, key, false, err);
}

static int local_forget(struct engine *e, struct attempt_key key, struct err *err)
{
    if (!e->listed && !e->lists)
        return not_connected(err);
    struct local_attempt *a = attempt_find(e, key);
    if (a == NULL || a->phase == LOCAL_FORGET)
        return 0;
    if (a->phase != LOCAL_GONE)
        return err_set(err, BERR_CONFLICT, "the attempt is not gone");
    a->phase = LOCAL_FORGET;
    a->tells_gone = false;
    attempt_wake(a, 0);
    return 0;
}

static void on_log_removed(void *arg, int rc, const void *reply, const struct err *err)
{
    (void)arg, (void)rc, (void)reply, (void)err;
}

static int local_log_remove(struct engine *e, struct attempt_key key, struct err *err)
{
    if (!e->listed)
        return not_connected(err);
    struct local_attempt *a = attempt_find(e, key);
    if (a != NULL && a->phase < LOCAL_GONE)
        return err_set(err, BERR_CONFLICT, "the attempt is not gone");
    if (a != NULL) {
        a->log_goes = true;
        return 0;
    }
    struct wire_log_remove order = {.workload = key.workload.v, .number = key.number};
    return local_link_ask(e->link, WIRE_LOG_REMOVE, &order, on_log_removed, NULL, NULL, err);
}

const struct engine_ops engine_local = {
    .name = "local",
    .abilities = ENGINE_CAN_GANG | ENGINE_CAN_PLACE | ENGINE_CAN_SUSPEND | ENGINE_CAN_LOGS |
                 ENGINE_CAN_NET_ISOLATION | ENGINE_CAN_DISK_LIMIT,
    .open = local_open,
    .close = local_close,
    .start = local_start,
    .stop = local_stop,
    .suspend = local_suspend,
    .resume = local_resume,
    .forget = local_forget,
    .log_read = ask_log,
    .log_remove = local_log_remove,
    .stats = ask_stats,
};
