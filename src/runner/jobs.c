/*
 * Jobs: orders carried out by workers. Jobs of one lane run one after the other; lanes of a class
 * share its number of workers. A worker writes frames into a pipe: progress at any time, the
 * answer last. The answer goes out after the worker is dead and the task's record is read again,
 * so that whoever has the answer sees its effect in `list`.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/alloc.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/str.h"
#include "runner/server.h"
#include "runner/task.h"

#define JOBS_MAX  16384
#define FRAME_MAX (LIMIT_RUNNER_MESSAGE_BYTES + 4)

struct job {
    struct runner *runner;
    struct job_order order;
    struct lane *lane;
    struct job *next; /* in its lane */
    pid_t pid;
    struct watch pipe;
    struct buf frames; /* from the worker; at the end the answer */
    struct buf answer; /* held until the undoing is done */
    int64_t dies_ms;   /* monotonic */
    bool is_overdue;
};

struct lane {
    struct job *first, *last; /* the first one runs when is_running */
    bool is_running;
    enum job_class class;
    char name[WIRE_KEY_TEXT_SIZE + 16];
};

/* ---- queue ---- */

static void job_free(struct runner *r, struct job *job)
{
    watch_remove(r, &job->pipe);
    buf_done(&job->frames);
    buf_done(&job->answer);
    arena_done(&job->order.arena);
    r->job_count--;
    runner_discard(r, job);
}

static struct lane *lane_get(struct runner *r, const char *name, enum job_class class)
{
    struct lane *lane = map_get(&r->lanes, name);
    if (lane != NULL)
        return lane;
    lane = mem_calloc(1, sizeof(*lane));
    if (lane == NULL)
        return NULL;
    lane->class = class;
    str_copy(lane->name, sizeof(lane->name), name);
    if (map_put(&r->lanes, name, lane) != 0) {
        mem_free(lane);
        return NULL;
    }
    return lane;
}

static int lane_offer(struct runner *r, struct lane *lane)
{
    struct lane **place = vec_push(&r->ready[lane->class]);
    if (place == NULL)
        return -BERR_NOMEM;
    *place = lane;
    return 0;
}

int job_add(struct runner *r, struct job_order *order, struct err *err)
{
    struct job *job = NULL;
    struct lane *lane = NULL;
    if (r->job_count >= JOBS_MAX && !order->is_internal) {
        arena_done(&order->arena);
        return err_set(err, BERR_BUSY, "the runner has too much to do");
    }
    job = mem_calloc(1, sizeof(*job));
    lane = job != NULL ? lane_get(r, order->lane, order->class) : NULL;
    bool is_idle = lane != NULL && lane->first == NULL;
    if (lane == NULL || (is_idle && lane_offer(r, lane) != 0)) {
        if (lane != NULL) {
            map_remove(&r->lanes, lane->name);
            mem_free(lane);
        }
        mem_free(job);
        arena_done(&order->arena);
        return err_set(err, BERR_NOMEM, "no memory for an order");
    }
    *job = (struct job){.runner = r, .order = *order, .lane = lane, .pipe = {.fd = -1}};
    job->order.lane = lane->name;
    buf_init(&job->frames, 2 * FRAME_MAX);
    buf_init(&job->answer, FRAME_MAX);
    if (lane->last != NULL)
        lane->last->next = job;
    else
        lane->first = job;
    lane->last = job;
    r->job_count++;
    return 0;
}

/* ---- the worker's side ---- */

static void worker_main(struct job *job, int out_fd, pid_t parent)
{
    const struct job_order *o = &job->order;
    struct buf frame = BUF(FRAME_MAX);
    struct err err = {0};
    sigset_t none;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    const struct js_table *form = wire_verbs[o->verb].reply;
    struct work work = {.in = &job->runner->in,
                        .arena = &job->order.arena,
                        .request = o->request,
                        .progress_fd = o->is_internal ? -1 : out_fd};
    void *reply = arena_alloc(
        work.arena, form->size > sizeof(struct wire_task) ? form->size : sizeof(struct wire_task));
    int rc = reply != NULL ? o->fn(&work, o->args, reply, &err)
                           : err_set(&err, BERR_NOMEM, "no memory for an order");
    if (!o->is_internal && rc == 0)
        rc = wire_put_reply(&frame, o->request, o->verb, reply, &err);
    if (!o->is_internal && rc != 0)
        (void)wire_put_error(&frame, o->request, &err, NULL);
    if (o->is_internal && rc != 0)
        log_err(LOG_ERROR, &err, "an errand failed", "lane", o->lane, NULL);
    for (size_t at = 0; at < frame.len;) {
        ssize_t n = write(out_fd, frame.data + at, frame.len - at);
        if (n <= 0)
            _exit(1);
        at += (size_t)n;
    }
    _exit(rc == 0 ? 0 : 1);
}

/* ---- the loop's side ---- */

/* Progress goes out at once; the last whole frame stays as the answer. */
static void frames_take(struct job *job)
{
    struct buf *b = &job->frames;
    size_t len;
    while (wire_frame(b->data, b->len, &len, NULL) == 0 && len > 0) {
        bool is_event = len > 9 && memcmp(b->data + 4, "{\"event\":", 9) == 0;
        if (is_event) {
            client_send(job->runner, job->order.client, b->data, len + 4);
        } else {
            buf_clear(&job->answer);
            buf_append(&job->answer, b->data, len + 4);
        }
        buf_consume(b, len + 4);
    }
}

static void pipe_ready(struct watch *w, uint32_t events)
{
    struct job *job = w->owner;
    char chunk[16 * 1024];
    (void)events;
    ssize_t n = read(w->fd, chunk, sizeof(chunk));
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        watch_remove(job->runner, w);
        return;
    }
    buf_append(&job->frames, chunk, (size_t)n);
    frames_take(job);
}

static int job_start(struct runner *r, struct job *job, struct err *err)
{
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) != 0)
        return err_errno(err, errno, "cannot make a pipe");
    pid_t parent = getpid(), pid = fork();
    if (pid == 0) {
        close(fds[0]);
        worker_main(job, fds[1], parent);
    }
    close(fds[1]);
    if (pid < 0) {
        close(fds[0]);
        return err_errno(err, errno, "cannot start a worker");
    }
    job->pid = pid;
    job->dies_ms = runner_mono_ms() + job->order.deadline_ms;
    if (map_put_u64(&r->by_pid, (uint64_t)pid, job) != 0 ||
        watch_add(r, &job->pipe, fds[0], EPOLLIN, pipe_ready, job, err) != 0) {
        kill(pid, SIGKILL);
        close(fds[0]);
        map_remove_u64(&r->by_pid, (uint64_t)pid);
        waitpid(pid, NULL, 0);
        return err_set(err, BERR_NOMEM, "cannot watch a worker");
    }
    return 0;
}

static void answer_send(struct job *job)
{
    if (job->answer.len > 0)
        client_send(job->runner, job->order.client, job->answer.data, job->answer.len);
}

/* Takes the job off its lane and lets the next one come. */
static void job_finish(struct runner *r, struct job *job)
{
    struct lane *lane = job->lane;
    lane->first = job->next;
    if (lane->first == NULL)
        lane->last = NULL;
    lane->is_running = false;
    job_free(r, job);
    if (lane->first != NULL && lane_offer(r, lane) == 0)
        return;
    if (lane->first == NULL) {
        map_remove(&r->lanes, lane->name);
        runner_discard(r, lane);
    }
}

static void answer_error(struct job *job, enum berr code, const char *text)
{
    struct err err = {0};
    err_set(&err, code, "%s", text);
    buf_clear(&job->answer);
    (void)wire_put_error(&job->answer, job->order.request, &err, NULL);
}

/* The same job goes on as the undoing of what it made, and keeps its answer for the end. */
static bool job_turn_to_undo(struct runner *r, struct job *job)
{
    if (job->order.fn != work_task_create)
        return false;
    job->order.fn = work_task_undo;
    job->order.is_internal = true;
    job->order.deadline_ms = 60000;
    job->order.args = arena_copy(&job->order.arena, &job->order.key, sizeof(job->order.key));
    job->is_overdue = false;
    buf_clear(&job->frames);
    return job->order.args != NULL && job_start(r, job, NULL) == 0;
}

/* False when the job goes on, with another worker in the same place. */
static bool job_ended(struct runner *r, struct job *job, int status)
{
    bool is_ok = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    while (job->pipe.fd >= 0) /* what is still in the pipe; its writer is dead */
        pipe_ready(&job->pipe, 0);
    /* Killed after it had answered: what the answer says may be undone below. */
    bool has_no_word = job->answer.len == 0 || job->is_overdue || !WIFEXITED(status);
    if (!is_ok && !job->order.is_internal && has_no_word)
        answer_error(job, job->is_overdue ? BERR_TIMEOUT : BERR_INTERNAL,
                     job->is_overdue ? "the order took too long" : "the worker of the order died");
    if (!is_ok && job_turn_to_undo(r, job))
        return false;
    struct wire_key key = job->order.key;
    work_fn *fn = job->order.fn;
    bool has_key = job->order.has_key, is_errand = job->order.is_internal;
    if (has_key)
        task_refresh(r, &key);
    answer_send(job);
    job_finish(r, job);
    if (!is_ok && is_errand && has_key)
        task_errand_failed(r, &key, fn);
    if (!is_ok && fn == work_task_start) /* it may have died between saying so and doing it */
        task_errand(r, &key, TASK_RESTART);
    return true;
}

void jobs_reap(struct runner *r)
{
    int status;
    for (;;) {
        pid_t pid = waitpid(-1, &status, WNOHANG);
        if (pid <= 0)
            return;
        struct job *job = map_remove_u64(&r->by_pid, (uint64_t)pid);
        if (job == NULL)
            continue;
        enum job_class class = job->order.class;
        if (job_ended(r, job, status))
            r->running[class]--;
    }
}

static void job_start_failed(struct runner *r, struct job *job, const struct err *err)
{
    struct wire_key key = job->order.key;
    work_fn *fn = job->order.fn;
    bool is_errand = job->order.is_internal && job->order.has_key;
    log_err(LOG_ERROR, err, "an order could not be begun", NULL);
    if (!job->order.is_internal)
        client_error(r, job->order.client, job->order.request, err);
    job_finish(r, job);
    if (is_errand)
        task_errand_failed(r, &key, fn);
}

void jobs_start(struct runner *r)
{
    for (int c = 0; c < JOB_CLASSES; c++) {
        size_t taken = 0;
        while (taken < r->ready[c].len && r->running[c] < r->running_max[c]) {
            struct lane *lane = r->ready[c].items[taken++];
            struct job *job = lane->first;
            struct err err = {0};
            if (job_start(r, job, &err) == 0) {
                lane->is_running = true;
                r->running[c]++;
                continue;
            }
            job_start_failed(r, job, &err);
        }
        if (taken > 0) {
            memmove(r->ready[c].items, r->ready[c].items + taken,
                    (r->ready[c].len - taken) * sizeof(*r->ready[c].items));
            r->ready[c].len -= taken;
        }
    }
}

void jobs_check_deadlines(struct runner *r)
{
    int64_t now_ms = runner_mono_ms();
    void *value;
    for (size_t i = 0; map_next_u64(&r->by_pid, &i, NULL, &value);) {
        struct job *job = value;
        if (now_ms >= job->dies_ms) {
            job->is_overdue = true;
            kill(job->pid, SIGKILL);
        }
    }
}
