/*
 * follow: a workload's log as it grows, over its attempts and over broken connections, until it
 * has ended.
 */
#include <stdio.h>
#include <string.h>
#include "base/alloc.h"
#include "base/str.h"
#include "base/units.h"
#include "cli/sse_in.h"
#include "cli/workload.h"
#include "js/js.h"
#include "types/workload.h"

#define LOOK_MIN_MS   50
#define LOOK_MAX_MS   1000
#define AWAY_MAX_MS   120000 /* how long berth may be away before we give up */
#define LOG_TRIES_MAX 20

bool cli_is_final(const char *state)
{
    for (int s = 0; s < STATE_MAX; s++)
        if (str_is_equal(workload_state_names[s], state))
            return workload_state_is_final((enum workload_state)s);
    return false;
}

int cli_exit_code(yyjson_val *w)
{
    const char *end = cli_str(w, "attempt.end");
    int code = (int)cli_num(w, "attempt.end_code", 0);
    if (str_is_equal(cli_str(w, "state"), workload_state_names[STATE_SUCCEEDED]))
        return 0;
    if (str_is_equal(end, end_reason_names[END_EXIT_CODE]))
        return code > 0 && code < 256 ? code : 125;
    if (str_is_equal(end, end_reason_names[END_SIGNAL]))
        return code > 0 && code < 65 ? 128 + code : 125;
    if (str_is_equal(end, end_reason_names[END_OUT_OF_MEMORY]))
        return 137;
    if (str_is_equal(end, end_reason_names[END_TIME_LIMIT]))
        return 124;
    if (str_is_equal(end, end_reason_names[END_START_ERROR]))
        return 126;
    if (str_is_equal(cli_str(w, "state"), workload_state_names[STATE_STOPPED]))
        return 143;
    return 125;
}

void cli_put_outcome(struct buf *out, yyjson_val *w)
{
    const char *reason = cli_str(w, "reason");
    if (!reason[0])
        reason = cli_str(w, "attempt.end_text");
    cli_put_safe(out, cli_str(w, "name"));
    buf_printf(out, " %s", cli_str(w, "state"));
    if (reason[0]) {
        buf_puts(out, ": ");
        cli_put_safe(out, reason);
    }
}

/* ---- one log ---- */

struct log_reader {
    struct cli_events events;
    bool ended;
    char failure[256];
};

static int on_event(void *arg, const struct cli_event *e)
{
    struct log_reader *r = arg;
    struct js_doc *doc = NULL;
    if (str_is_equal(e->type, "end")) {
        r->ended = true;
        return 1;
    }
    if (js_parse_json(e->data, strlen(e->data), &doc, &(struct err){0}) < 0)
        return 0;
    yyjson_val *root = js_root(doc);
    if (str_is_equal(e->type, "error")) {
        str_copy(r->failure, sizeof(r->failure),
                 yyjson_is_str(root) ? yyjson_get_str(root) : cli_str(root, "detail"));
        js_doc_free(doc);
        return 1;
    }
    const char *text = js_get_str(root, "text");
    if (text)
        fputs(text, stdout);
    fflush(stdout);
    js_doc_free(doc);
    return 0;
}

static int on_piece(void *arg, const char *data, size_t len)
{
    struct log_reader *r = arg;
    return cli_events_feed(&r->events, data, len);
}

/* Up to the end of the log; resumes where it was after a broken connection. */
static int read_log(struct cli *cli, struct log_reader *r, const char *id, int64_t task,
                    int64_t attempt, struct err *err)
{
    const char *path = cli_path(cli, "/api/v1/workloads/%s/logs", id);
    const char *target =
        path ? arena_printf(&cli->arena, "%s?follow=true&events=true&task=%lld%s%lld", path,
                            (long long)task, attempt ? "&attempt=" : "&offset=", (long long)attempt)
             : NULL;
    if (!target)
        return err_set(err, BERR_NOMEM, "out of memory");
    r->failure[0] = '\0';
    r->ended = false;
    cli_events_restart(&r->events);
    int rc = cli_connect(cli, false, err);
    if (rc == 0)
        rc = cli_net_stream(cli->net, target, r->events.id, on_piece, r, err);
    if (rc == 0 && !r->ended && !r->failure[0])
        return err_set(err, BERR_UNAVAILABLE, "the connection was closed in the middle of the log");
    return rc;
}

static bool is_away(int rc)
{
    return rc == -(int)BERR_UNAVAILABLE || rc == -(int)BERR_TIMEOUT;
}

/* ---- the whole ---- */

struct following {
    struct cli *cli;
    const struct cli_follow *f;
    struct log_reader reader;
    int64_t attempt; /* whose log is being read; 0: none yet */
    bool log_done;   /* of that attempt */
    bool interrupted, gone;
    int64_t away_since_ms, begun_ms, pause_ms;
    int log_tries;
    yyjson_val *w;
};

/* The first Ctrl-C stops the job, the second leaves it alone. */
static int on_interrupt(struct following *at, int rc, struct err *err)
{
    struct cli *cli = at->cli;
    if (rc != -(int)BERR_CANCELED)
        return rc;
    if (!at->f->stop_on_interrupt || at->interrupted) {
        cli_say(cli, "%s goes on: `berth job logs -f %s`, `berth job stop %s`",
                cli_str(at->w, "name"), at->f->id, at->f->id);
        return rc;
    }
    at->interrupted = true;
    cli_say(cli, "stopping %s; press Ctrl-C again to leave it running", cli_str(at->w, "name"));
    return cli_send(cli, "POST", cli_path(cli, "/api/v1/workloads/%s/stop", at->f->id), NULL, NULL,
                    err);
}

/* Tolerates that berth is away for a while; 0: look again. */
static int on_away(struct following *at, int rc, struct err *err)
{
    int64_t now = cli_now_ms();
    if (!is_away(rc))
        return on_interrupt(at, rc, err);
    if (!at->away_since_ms)
        at->away_since_ms = now;
    if (now - at->away_since_ms > AWAY_MAX_MS)
        return rc;
    cli_progress(at->cli, "berth does not answer; waiting");
    return cli_net_sleep(at->cli->net, 500, err);
}

static int follow_log(struct following *at, struct err *err)
{
    struct err why = {0};
    int64_t before = at->reader.events.id, tasks = cli_num(at->w, "asked.tasks", 1);
    if (tasks > 1 && before < 0 && at->log_tries == 0)
        cli_say(at->cli, "the log of task %lld of %lld; of others: `berth job logs %s --task N`",
                (long long)at->f->task, (long long)tasks, at->f->id);
    cli_progress_end(at->cli);
    int rc = read_log(at->cli, &at->reader, at->f->id, at->f->task, at->attempt, &why);
    if (rc == 0 && at->reader.ended) {
        at->log_done = true;
        return 0;
    }
    bool is_final = cli_is_final(cli_str(at->w, "state"));
    bool is_stuck = is_away(rc) && is_final && at->reader.events.id == before;
    if (rc == 0 || is_stuck || (!is_away(rc) && rc != -(int)BERR_CANCELED)) {
        /* Nothing there yet, or it can't be read: again a few times, then without. */
        if ((is_final && !is_stuck) || ++at->log_tries > LOG_TRIES_MAX) {
            cli_say(at->cli, "its log can't be read: %s", rc == 0 ? at->reader.failure : why.text);
            at->log_done = true;
            return 0;
        }
        return on_interrupt(at, cli_net_sleep(at->cli->net, 250, err), err);
    }
    int after = on_away(at, rc, err);
    if (after == rc && err)
        *err = why;
    return after;
}

/* One look: > 0 it has ended. */
static int look(struct following *at, struct err *err)
{
    struct cli *cli = at->cli;
    const char *path = cli_path(cli, "/api/v1/workloads/%s", at->f->id);
    int rc = cli_get(cli, &at->w, err, "%s", path ? path : "");
    if (rc < 0)
        return on_away(at, rc, err);
    at->away_since_ms = 0;
    bool is_final = cli_is_final(cli_str(at->w, "state"));
    int64_t number = cli_num(at->w, "attempt.number", 0);
    if (number != at->attempt) {
        if (at->attempt && !at->f->quiet)
            cli_say(cli, "attempt %lld", (long long)number);
        at->attempt = number;
        at->log_done = false;
        at->log_tries = 0;
        at->reader.events.id = -1;
    }
    bool has_log = number && (is_final || cli_at(at->w, "attempt.started") == NULL ||
                              cli_str(at->w, "attempt.started")[0]);
    if (!at->f->quiet && has_log && !at->log_done) {
        at->pause_ms = LOOK_MIN_MS;
        return follow_log(at, err);
    }
    if (is_final)
        return 1;
    const char *reason = cli_str(at->w, "reason");
    if (!at->log_done)
        cli_progress(cli, "%s %s%s%s", cli_str(at->w, "name"), cli_str(at->w, "state"),
                     reason[0] ? ": " : "", reason);
    at->pause_ms = at->pause_ms * 2 > LOOK_MAX_MS ? LOOK_MAX_MS : at->pause_ms * 2;
    return on_interrupt(at, cli_net_sleep(cli->net, at->pause_ms, err), err);
}

int cli_follow(struct cli *cli, const struct cli_follow *f, struct err *err)
{
    struct following at = {.cli = cli, .f = f, .pause_ms = LOOK_MIN_MS, .begun_ms = cli_now_ms()};
    int rc = cli_connect(cli, false, err);
    if (rc == 0)
        rc = cli_net_catch_interrupt(cli->net, err);
    cli_events_init(&at.reader.events, on_event, &at.reader);
    while (rc == 0) {
        rc = look(&at, err);
        if (rc == 0 && f->give_up_ms && cli_now_ms() - at.begun_ms >= f->give_up_ms)
            rc = err_set(err, BERR_TIMEOUT, "%s has not ended in time, it is %s",
                         cli_str(at.w, "name"), cli_str(at.w, "state"));
    }
    cli_events_done(&at.reader.events);
    cli_progress_end(cli);
    if (rc < 0)
        return rc;
    struct buf out = BUF(8192);
    cli_put_outcome(&out, at.w);
    cli_say(cli, "%s", buf_str(&out));
    buf_done(&out);
    return cli_exit_code(at.w);
}

int cli_wait_running(struct cli *cli, const char *id, yyjson_val **ret, struct err *err)
{
    int64_t pause = LOOK_MIN_MS;
    const char *path = cli_path(cli, "/api/v1/workloads/%s", id);
    for (;;) {
        yyjson_val *w;
        int rc = cli_get(cli, &w, err, "%s", path ? path : "");
        if (rc < 0)
            return rc;
        const char *state = cli_str(w, "state"), *reason = cli_str(w, "reason");
        if (cli_is_final(state) || str_is_equal(state, workload_state_names[STATE_RUNNING])) {
            cli_progress_end(cli);
            *ret = w;
            return 0;
        }
        cli_progress(cli, "%s %s%s%s", cli_str(w, "name"), state, reason[0] ? ": " : "", reason);
        pause = pause * 2 > LOOK_MAX_MS ? LOOK_MAX_MS : pause * 2;
        rc = cli_net_sleep(cli->net, pause, err);
        if (rc < 0)
            return rc;
    }
}

/* ---- `logs` ---- */

static int print_piece(void *arg, const char *data, size_t len)
{
    (void)arg;
    return fwrite(data, 1, len, stdout) == len ? 0 : 1;
}

int cli_log(struct cli *cli, const struct cli_log *log, struct err *err)
{
    struct log_reader reader = {0};
    int rc = cli_connect(cli, false, err);
    if (rc < 0)
        return rc;
    if (!log->follow) {
        const char *path = cli_path(cli, "/api/v1/workloads/%s/logs", log->id);
        const char *target =
            path ? arena_printf(&cli->arena, "%s?task=%lld%s%lld", path, (long long)log->task,
                                log->attempt ? "&attempt=" : "&offset=", (long long)log->attempt)
                 : NULL;
        return target ? cli_net_stream(cli->net, target, -1, print_piece, NULL, err)
                      : err_set(err, BERR_NOMEM, "out of memory");
    }
    cli_events_init(&reader.events, on_event, &reader);
    int64_t away_since = 0;
    for (;;) {
        struct err why = {0};
        rc = read_log(cli, &reader, log->id, log->task, log->attempt, &why);
        if (rc == 0 && reader.failure[0])
            rc = err_set(&why, BERR_UNAVAILABLE, "%s", reader.failure);
        if (!is_away(rc) || (away_since && cli_now_ms() - away_since > AWAY_MAX_MS)) {
            if (rc < 0 && err)
                *err = why;
            break;
        }
        away_since = away_since ? away_since : cli_now_ms();
        rc = cli_net_sleep(cli->net, 500, err);
        if (rc < 0)
            break;
    }
    cli_events_done(&reader.events);
    return rc;
}

const struct cli_option cli_log_options[CLI_LOG_OPTIONS] = {
    {"follow", 'f', CLI_FLAG, NULL, NULL, "go on as more comes, until its end"},
    {"task", 't', CLI_TEXT, "N", NULL, "number of the task (default 0)"},
    {"attempt", 'a', CLI_TEXT, "N", NULL, "number of the attempt (default: the latest)"},
};

static int take_number(const struct cli *cli, const char *name, int64_t *ret, struct err *err)
{
    const char *text = cli_text(&cli->args, name);
    if (!text || (str_parse_i64(text, ret) && *ret >= 0))
        return 0;
    return err_set(err, BERR_INVALID, "--%s needs a number, found \"%.50s\"", name, text);
}

int cli_logs_command(struct cli *cli, const char *plural, struct err *err)
{
    struct cli_log log = {.id = cli_operand(&cli->args, 0),
                          .follow = cli_has(&cli->args, "follow")};
    (void)plural;
    int rc = take_number(cli, "task", &log.task, err);
    if (rc == 0)
        rc = take_number(cli, "attempt", &log.attempt, err);
    return rc == 0 ? cli_log(cli, &log, err) : rc;
}
