/*
 * What the main loop knows of every task. The records on disk are the truth; this is a copy for
 * `list`, plus a pidfd of each living task's monitor. When that fires the task is over: conmon has
 * drained the output, written the exit file and gone.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>
#include "base/alloc.h"
#include "base/log.h"
#include "base/str.h"
#include "os/pidfd.h"
#include "runner/monitor.h"
#include "runner/server.h"
#include "runner/task.h"
#include "runner/tasks_on_disk.h"

#define RETRY_FIRST_MS 500
#define RETRY_LAST_MS  30000

struct task {
    struct runner *runner;
    struct wire_task facts; /* address and text point below */
    char address[16], text[ERR_TEXT_MAX];
    char name[WIRE_KEY_TEXT_SIZE];
    struct watch monitor;
    bool is_end_queued;
};

struct retry {
    struct wire_key key;
    enum task_errand what;
    int64_t due_ms, wait_ms;
};

/* ---- errands ---- */

static work_fn *const errand_fns[] = {
    [TASK_END] = work_task_end, [TASK_UNDO] = work_task_undo, [TASK_RESTART] = work_task_restart};

static void retry_later(struct runner *r, const struct wire_key *key, enum task_errand what)
{
    char name[WIRE_KEY_TEXT_SIZE];
    struct retry *retry = map_get(&r->retries, wire_key_format(name, key));
    if (retry == NULL) {
        retry = mem_calloc(1, sizeof(*retry));
        if (retry == NULL || map_put(&r->retries, name, retry) != 0) {
            log_error("no memory to try again", "task", name, NULL);
            mem_free(retry);
            return;
        }
        retry->wait_ms = RETRY_FIRST_MS;
        retry->what = what;
    } else if (retry->wait_ms < RETRY_LAST_MS) {
        retry->wait_ms *= 2;
    }
    retry->key = *key;
    if (what != TASK_RESTART) /* an end or an undoing that waits is never lost for it */
        retry->what = what;
    retry->due_ms = runner_mono_ms() + retry->wait_ms;
}

void task_errand(struct runner *r, const struct wire_key *key, enum task_errand what)
{
    char name[WIRE_KEY_TEXT_SIZE];
    struct err err = {0};
    struct job_order order = {.fn = errand_fns[what],
                              .verb = WIRE_TASK_START, /* its reply has the form of facts */
                              .is_internal = true,
                              .class = JOB_QUICK,
                              .lane = wire_key_format(name, key),
                              .deadline_ms = 60000,
                              .has_key = true,
                              .key = *key,
                              .arena = ARENA(256 * 1024)};
    order.args = arena_copy(&order.arena, key, sizeof(*key));
    if (order.args == NULL || job_add(r, &order, &err) != 0)
        retry_later(r, key, what);
}

static void retry_forget(struct runner *r, const char *name)
{
    mem_free(map_remove(&r->retries, name));
}

/* The one to be let go has been: nothing to try again. */
static bool retry_is_over(struct runner *r, const struct retry *retry)
{
    return retry->what == TASK_RESTART && !monitor_is_waiting(&r->in, &retry->key);
}

void task_errand_failed(struct runner *r, const struct wire_key *key, work_fn *fn)
{
    for (int what = TASK_END; what <= TASK_RESTART; what++) {
        if (errand_fns[what] == fn)
            retry_later(r, key, (enum task_errand)what);
    }
}

void tasks_retry(struct runner *r)
{
    int64_t now_ms = runner_mono_ms();
    void *value;
    const char *name;
    for (size_t i = 0; map_next(&r->retries, &i, &name, &value);) {
        struct retry *retry = value;
        if (retry_is_over(r, retry)) {
            retry_forget(r, name);
        } else if (now_ms >= retry->due_ms) {
            retry->due_ms = INT64_MAX; /* until it has failed again */
            task_errand(r, &retry->key, retry->what);
        }
    }
}

/* ---- the table ---- */

static void facts_keep(struct task *t, const struct wire_task *facts)
{
    t->facts = *facts;
    str_copy(t->address, sizeof(t->address), facts->address != NULL ? facts->address : "");
    str_copy(t->text, sizeof(t->text), facts->text != NULL ? facts->text : "");
    t->facts.address = t->address[0] != '\0' ? t->address : NULL;
    t->facts.text = t->text[0] != '\0' ? t->text : NULL;
}

static struct task *task_get(struct runner *r, const struct wire_key *key)
{
    char name[WIRE_KEY_TEXT_SIZE];
    struct task *t = map_get(&r->tasks, wire_key_format(name, key));
    if (t != NULL)
        return t;
    t = mem_calloc(1, sizeof(*t));
    if (t == NULL)
        return NULL;
    *t = (struct task){.runner = r, .monitor = {.fd = -1}};
    t->facts.key = *key;
    t->facts.state = WIRE_TASK_PREPARING;
    str_copy(t->name, sizeof(t->name), name);
    if (map_put(&r->tasks, name, t) != 0) {
        mem_free(t);
        return NULL;
    }
    return t;
}

static void task_drop(struct runner *r, const char *name)
{
    struct task *t = map_remove(&r->tasks, name);
    retry_forget(r, name);
    if (t == NULL)
        return;
    watch_remove(r, &t->monitor);
    runner_discard(r, t);
}

/* ---- watching ---- */

static void end_queue(struct task *t)
{
    if (t->is_end_queued)
        return;
    t->is_end_queued = true;
    task_errand(t->runner, &t->facts.key, TASK_END);
}

static void monitor_ready(struct watch *w, uint32_t events)
{
    struct task *t = w->owner;
    (void)events;
    watch_remove(t->runner, w);
    end_queue(t);
}

static void monitor_watch(struct task *t, const struct record *rec)
{
    struct err err = {0};
    bool is_alive = rec->facts.state == WIRE_TASK_CREATED || rec->facts.state == WIRE_TASK_RUNNING;
    if (!is_alive) {
        watch_remove(t->runner, &t->monitor);
        return;
    }
    if (t->monitor.fd >= 0)
        return;
    bool is_this_boot = strcmp(rec->boot_id, t->runner->in.boot_id) == 0;
    int fd = is_this_boot ? os_pidfd_open((pid_t)rec->monitor_pid, rec->monitor_start) : -1;
    if (fd < 0) {
        end_queue(t);
        return;
    }
    if (watch_add(t->runner, &t->monitor, fd, EPOLLIN, monitor_ready, t, &err) != 0) {
        close(fd);
        log_err(LOG_ERROR, &err, "a task is not watched", "task", t->name, NULL);
    }
}

static void tell(struct runner *r, struct task *t, enum wire_event_kind kind)
{
    struct wire_event event = {.kind = kind, .seq = ++r->seq, .task = &t->facts};
    log_info(wire_event_names[kind], "task", t->name, NULL);
    clients_event(r, &event);
}

void task_refresh(struct runner *r, const struct wire_key *key)
{
    struct arena arena = ARENA(64 * 1024);
    struct record rec = {0};
    struct err err = {0};
    char name[WIRE_KEY_TEXT_SIZE];
    wire_key_format(name, key);
    int rc = record_load(&r->in, key, &arena, &rec, &err);
    if (rc == -BERR_NOT_FOUND) {
        task_drop(r, name);
        arena_done(&arena);
        return;
    }
    struct task *t = rc == 0 ? task_get(r, key) : NULL;
    if (t == NULL) {
        log_err(LOG_ERROR, &err, "a task's record cannot be read", "task", name, NULL);
        arena_done(&arena);
        return;
    }
    int before = t->facts.state;
    facts_keep(t, &rec.facts);
    if (t->facts.state == WIRE_TASK_ENDED)
        retry_forget(r, name);
    if (t->facts.state != before && t->facts.state == WIRE_TASK_RUNNING)
        tell(r, t, WIRE_EV_TASK_STARTED);
    if (t->facts.state != before && t->facts.state == WIRE_TASK_ENDED)
        tell(r, t, WIRE_EV_TASK_ENDED);
    monitor_watch(t, &rec);
    arena_done(&arena);
}

/* ---- recovery ---- */

static bool recover_one(const struct record *rec, void *arg)
{
    struct runner *r = arg;
    const struct wire_key *key = &rec->facts.key;
    struct task *t = task_get(r, key);
    if (t == NULL)
        return false;
    facts_keep(t, &rec->facts);
    switch ((enum wire_task_state)rec->facts.state) {
    case WIRE_TASK_PREPARING:
    case WIRE_TASK_DELETING:
        task_errand(r, key, TASK_UNDO);
        return true;
    case WIRE_TASK_RUNNING:
        if (strcmp(rec->boot_id, r->in.boot_id) == 0 && monitor_is_waiting(&r->in, key))
            task_errand(r, key, TASK_RESTART);
        break;
    case WIRE_TASK_CREATED:
    case WIRE_TASK_ENDED:
        break;
    }
    monitor_watch(t, rec);
    return true;
}

int tasks_recover(struct runner *r, struct err *err)
{
    return tasks_each(&r->in, recover_one, r, err);
}

/* ---- list ---- */

static int name_compare(const void *a, const void *b)
{
    return strcmp((*(struct task *const *)a)->name, (*(struct task *const *)b)->name);
}

void task_page(struct runner *r, const char *after, struct arena *arena, struct wire_page *ret)
{
    struct task **all = arena_array(arena, r->tasks.len + 1, sizeof(struct task *));
    struct wire_task *page = arena_array(arena, WIRE_LIST_PAGE, sizeof(*page));
    size_t count = 0, len = 0;
    void *value;
    *ret = (struct wire_page){0};
    if (all == NULL || page == NULL)
        return;
    for (size_t i = 0; map_next(&r->tasks, &i, NULL, &value);) {
        struct task *t = value;
        if (after == NULL || strcmp(t->name, after) > 0)
            all[count++] = t;
    }
    qsort(all, count, sizeof(struct task *), name_compare);
    for (; len < count && len < WIRE_LIST_PAGE; len++)
        page[len] = all[len]->facts;
    ret->tasks = (struct js_list){.items = page, .len = len};
    ret->more = len < count;
}
