/* Questions: pieces of logs are read by a worker thread, statistics come from the runner. Each is
 * answered once, also when the engine closes before. */
#include "engine/local/state.h"

#include <stdio.h>
#include <string.h>
#include "base/alloc.h"
#include "base/buf.h"
#include "base/check.h"
#include "engine/local/logfile.h"
#include "ev/work.h"

#define LOG_PIECE_BYTES (1u << 20)

struct local_question {
    struct engine *engine; /* NULL: answered already, because the engine closed */
    struct local_question *next;
    void *arg;
    int rc;
    struct err err;
    /* a log */
    engine_log_fn *log_fn;
    char *path;
    uint64_t offset;
    size_t max;
    struct buf text;
    struct logfile_piece piece;
    /* statistics */
    engine_stats_fn *stats_fn;
    uint32_t waits_for; /* replies */
    struct engine_stats stats;
};

static struct local_question *question_new(struct engine *e, void *arg)
{
    struct local_question *q = mem_calloc(1, sizeof(*q));
    if (q == NULL)
        return NULL;
    q->engine = e;
    q->arg = arg;
    q->next = e->questions;
    e->questions = q;
    return q;
}

static void question_unlink(struct local_question *q)
{
    struct local_question **at = &q->engine->questions;
    while (*at != q)
        at = &(*at)->next;
    *at = q->next;
    q->engine = NULL;
}

static void question_free(struct local_question *q)
{
    if (q->engine != NULL)
        question_unlink(q);
    buf_done(&q->text);
    mem_free(q->path);
    mem_free(q);
}

static void question_answer(struct local_question *q)
{
    const struct err *err = q->rc == 0 ? NULL : &q->err;
    question_unlink(q);
    if (q->log_fn != NULL) {
        struct engine_log_chunk chunk = {.data = buf_str(&q->text),
                                         .len = q->text.len,
                                         .next_offset = q->piece.next_offset,
                                         .at_end = q->piece.at_end};
        q->log_fn(q->arg, q->rc, q->rc == 0 ? &chunk : NULL, err);
    } else {
        q->stats_fn(q->arg, q->rc, q->rc == 0 ? &q->stats : NULL, err);
    }
}

/* A worker or the connection may still hold a question: it frees it later, unheard. Statistics
 * are freed here, for the connection answers nothing any more. */
void ask_close(struct engine *e)
{
    while (e->questions != NULL) {
        struct local_question *q = e->questions;
        bool is_log = q->log_fn != NULL;
        struct local_question cancel = {
            .engine = e, .arg = q->arg, .log_fn = q->log_fn, .stats_fn = q->stats_fn};
        question_unlink(q);
        cancel.next = e->questions;
        e->questions = &cancel;
        cancel.rc = err_set(&cancel.err, BERR_CANCELED, "the engine is closed");
        question_answer(&cancel);
        if (!is_log)
            question_free(q);
    }
}

/* ---- logs ---- */

static void log_work(void *message)
{
    struct local_question *q = message;
    q->rc = logfile_read(q->path, q->offset, q->max, &q->text, &q->piece, &q->err);
}

static void log_done(void *message)
{
    struct local_question *q = message;
    if (q->engine != NULL)
        question_answer(q);
    question_free(q);
}

int ask_log(struct engine *e, struct attempt_key key, uint32_t task, uint64_t offset, size_t max,
            engine_log_fn *fn, void *arg, struct err *err)
{
    char id[ID_TEXT_SIZE], path[1024];
    struct local_question *q = question_new(e, arg);
    if (q == NULL)
        return err_set(err, BERR_NOMEM, "no memory to read a log");
    snprintf(path, sizeof(path), "%s/logs/%s/%u/%u.log", e->data_dir, id_format(id, key.workload.v),
             key.number, task);
    q->log_fn = fn;
    q->path = mem_strdup(path);
    q->offset = offset;
    q->max = max < LOG_PIECE_BYTES ? max : LOG_PIECE_BYTES;
    buf_init(&q->text, LOG_PIECE_BYTES + 1);
    int rc = q->path == NULL ? err_set(err, BERR_NOMEM, "no memory to read a log")
                             : ev_work(e->loop, log_work, log_done, q, err);
    if (rc != 0)
        question_free(q);
    return rc;
}

/* ---- statistics ---- */

static void stat_came(void *arg, int rc, const void *reply, const struct err *err)
{
    struct local_question *q = arg;
    const struct wire_stat *stat = reply;
    if (rc == 0) {
        q->stats.cpu_ms += stat->cpu_ms;
        q->stats.memory_bytes += stat->memory_bytes;
        q->stats.memory_peak_bytes += stat->memory_peak_bytes;
        q->stats.disk_bytes += stat->disk_bytes;
        q->stats.processes += (uint32_t)stat->processes;
    } else if (q->rc == 0 && rc != -BERR_NOT_FOUND) {
        q->rc = rc;
        q->err = *err;
    }
    if (--q->waits_for > 0)
        return;
    question_answer(q);
    question_free(q);
}

static int stats_send(struct local_question *q, const struct local_attempt *a, struct err *err)
{
    for (uint32_t i = 0; i < a->task_count; i++) {
        struct wire_task_ref ref = {.key = {.workload = a->key.workload.v,
                                            .number = a->key.number,
                                            .fence = a->key.fence,
                                            .index = i}};
        if (!a->tasks[i].is_known)
            continue;
        int rc = local_link_ask(a->engine->link, WIRE_STAT, &ref, stat_came, NULL, q, err);
        if (rc != 0)
            return rc;
        q->waits_for++;
    }
    return q->waits_for > 0 ? 0 : err_set(err, BERR_CONFLICT, "nothing of the attempt runs yet");
}

int ask_stats(struct engine *e, struct attempt_key key, engine_stats_fn *fn, void *arg,
              struct err *err)
{
    const struct local_attempt *a = attempt_find(e, key);
    if (!e->listed)
        return err_set(err, BERR_UNAVAILABLE, "the runner is not connected");
    if (a == NULL || a->phase == LOCAL_FORGET)
        return err_set(err, BERR_NOT_FOUND, "no such attempt");
    struct local_question *q = question_new(e, arg);
    if (q == NULL)
        return err_set(err, BERR_NOMEM, "no memory for statistics");
    q->stats_fn = fn;
    int rc = stats_send(q, a, err);
    if (rc == 0)
        return 0;
    if (q->waits_for == 0) {
        question_free(q);
        return rc;
    }
    q->rc = rc; /* some are on their way: the answer says it */
    if (err != NULL)
        q->err = *err;
    return 0;
}
