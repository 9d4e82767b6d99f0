/*
 * workload: showing, listing and stopping — the commands that jobs and notebooks share. Following
 * is in follow.c.
 */
#include "cli/workload.h"
#include <string.h>
#include "base/alloc.h"
#include "base/str.h"
#include "base/units.h"
#include "js/js.h"
#include "os/entropy.h"
#include "types/workload.h"

/* ---- how they look ---- */

static void put_running_time(struct buf *out, yyjson_val *item, int64_t now_ms)
{
    char text[UNITS_TEXT_MAX];
    int64_t from, to = now_ms;
    if (units_parse_time(cli_str(item, "started"), &from, NULL) < 0)
        return;
    units_parse_time(cli_str(item, "ended"), &to, NULL);
    buf_puts(out, units_human_duration(text, to > from ? to - from : 0));
}

static void put_asked(struct buf *out, yyjson_val *item, int64_t now_ms)
{
    const char *gpu = cli_str(item, "asked.gpu");
    (void)now_ms;
    buf_printf(out, "%s cpu, %s", cli_str(item, "asked.cpu"), cli_str(item, "asked.memory"));
    if (gpu[0] && !str_is_equal(gpu, "0"))
        buf_printf(out, ", %s gpu", gpu);
    if (cli_num(item, "asked.tasks", 1) > 1)
        buf_printf(out, " (%lld tasks)", (long long)cli_num(item, "asked.tasks", 1));
}

/* More than the reason says already. */
static void put_details(struct buf *out, yyjson_val *item, int64_t now_ms)
{
    const char *text = cli_str(item, "attempt.end_text");
    (void)now_ms;
    if (!str_is_equal(text, cli_str(item, "reason")))
        cli_put_safe(out, text);
}

const struct cli_column cli_workload_columns[] = {
    {"ID", "id", CLI_PLAIN, false, NULL},
    {"NAME", "name", CLI_PLAIN, false, NULL},
    {"KIND", "kind", CLI_PLAIN, false, NULL},
    {"STATE", "state", CLI_PLAIN, false, NULL},
    {"AGE", "submitted", CLI_AGE, false, NULL},
    {"TIME", NULL, CLI_PLAIN, false, put_running_time},
    {"ASKED", NULL, CLI_PLAIN, false, put_asked},
    {"PROJECT", "project", CLI_PLAIN, false, NULL},
    {"OWNER", "owner", CLI_PLAIN, false, NULL},
    {"IMAGE", "image", CLI_PLAIN, true, NULL},
    {"NODES", "attempt.nodes", CLI_PLAIN, true, NULL},
    {"ATTEMPTS", "attempts", CLI_PLAIN, true, NULL},
    {"REASON", "reason", CLI_PLAIN, false, NULL},
};
const size_t cli_workload_column_count = ARRAY_LEN(cli_workload_columns);

static const struct cli_column show_columns[] = {
    {"ID", "id", CLI_PLAIN, false, NULL},
    {"NAME", "name", CLI_PLAIN, false, NULL},
    {"KIND", "kind", CLI_PLAIN, false, NULL},
    {"STATE", "state", CLI_PLAIN, false, NULL},
    {"REASON", "reason", CLI_PLAIN, false, NULL},
    {"PROJECT", "project", CLI_PLAIN, false, NULL},
    {"OWNER", "owner", CLI_PLAIN, false, NULL},
    {"IMAGE", "image", CLI_PLAIN, false, NULL},
    {"COMMAND", "spec.command", CLI_PLAIN, false, NULL},
    {"CODE", "spec.code", CLI_PLAIN, false, NULL},
    {"ASKED", NULL, CLI_PLAIN, false, put_asked},
    {"SUBMITTED", "submitted", CLI_TIME, false, NULL},
    {"STARTED", "started", CLI_TIME, false, NULL},
    {"ENDED", "ended", CLI_TIME, false, NULL},
    {"TIME", NULL, CLI_PLAIN, false, put_running_time},
    {"TIME LIMIT", "spec.time_limit", CLI_PLAIN, false, NULL},
    {"ATTEMPTS", "attempts", CLI_PLAIN, false, NULL},
    {"NODES", "attempt.nodes", CLI_PLAIN, false, NULL},
    {"END", "attempt.end", CLI_PLAIN, false, NULL},
    {"END CODE", "attempt.end_code", CLI_PLAIN, false, NULL},
    {"DETAILS", NULL, CLI_PLAIN, false, put_details},
};

static void put_task_end(struct buf *out, yyjson_val *task, int64_t now_ms)
{
    int64_t signal = cli_num(task, "signal", 0);
    (void)now_ms;
    if (!js_get_bool(task, "ended", false))
        buf_puts(out, js_get_bool(task, "running", false) ? "running" : "");
    else if (js_get_bool(task, "out_of_memory", false))
        buf_puts(out, "out of memory");
    else if (signal)
        buf_printf(out, "signal %lld", (long long)signal);
    else
        buf_printf(out, "exit %lld", (long long)cli_num(task, "exit_code", 0));
}

static const struct cli_column task_columns[] = {
    {"TASK", "task", CLI_PLAIN, false, NULL},     {"ROLE", "role", CLI_PLAIN, false, NULL},
    {"RANK", "rank", CLI_PLAIN, false, NULL},     {"NODE", "node", CLI_PLAIN, false, NULL},
    {"GPUS", "gpus", CLI_PLAIN, false, NULL},     {"ADDRESS", "address", CLI_PLAIN, true, NULL},
    {"STARTED", "started", CLI_TIME, true, NULL}, {"END", NULL, CLI_PLAIN, false, put_task_end},
};

int cli_show_workload(struct cli *cli, const char *plural, struct err *err)
{
    yyjson_val *w, *tasks;
    struct buf out = BUF(16u << 20);
    const char *path = cli_path(cli, "%s", cli_operand(&cli->args, 0));
    int rc = cli_get(cli, &w, err, "/api/v1/%s/%s", plural, path ? path : "");
    if (rc < 0)
        return rc;
    cli_show_one(cli, w, show_columns, ARRAY_LEN(show_columns));
    tasks = cli_at(w, "attempt.tasks");
    bool is_text = cli->output == CLI_OUTPUT_TABLE || cli->output == CLI_OUTPUT_WIDE;
    if (is_text && yyjson_arr_size(tasks)) {
        buf_putc(&out, '\n');
        cli_put_table(&out, tasks, task_columns, ARRAY_LEN(task_columns),
                      cli->output == CLI_OUTPUT_WIDE, cli_now_ms());
        cli_flush(&out);
    }
    return 0;
}

/* ---- lists ---- */

const struct cli_option cli_list_options[CLI_LIST_OPTIONS] = {
    {"project", 'p', CLI_TEXT, "NAME", NULL, "only of this project"},
    {"state", 's', CLI_TEXT, "STATE", NULL, "only in this state, like RUNNING"},
    {"mine", 'm', CLI_FLAG, NULL, NULL, "only my own"},
    {"limit", 'l', CLI_TEXT, "N", NULL, "at most so many, newest first (default 50)"},
};

static void put_query(struct buf *out, const char *name, const char *value)
{
    if (!value)
        return;
    buf_printf(out, "%c%s=", strchr(buf_str(out), '?') ? '&' : '?', name);
    url_put_escaped(out, value);
}

int cli_list_workloads(struct cli *cli, const char *plural, struct err *err)
{
    yyjson_val *answer;
    cleanup(buf_done) struct buf target = BUF(8192);
    const char *limit = cli_text(&cli->args, "limit");
    buf_printf(&target, "/api/v1/%s", plural);
    put_query(&target, "project", cli_text(&cli->args, "project"));
    put_query(&target, "state", cli_text(&cli->args, "state"));
    put_query(&target, "mine", cli_has(&cli->args, "mine") ? "true" : NULL);
    put_query(&target, "limit", limit ? limit : "50");
    int rc = cli_get(cli, &answer, err, "%s", buf_str(&target));
    if (rc < 0)
        return rc;
    cli_show_list(cli, answer, cli_workload_columns, cli_workload_column_count);
    if (cli_at(answer, "next") && !limit)
        cli_say(cli, "there are more: see --limit");
    return 0;
}

/* ---- making ---- */

int cli_submit(struct cli *cli, const char *target, const struct buf *spec, yyjson_val **ret,
               struct err *err)
{
    uint8_t random[16];
    char key[33];
    cleanup(buf_done) struct buf answer = BUF(16u << 20);
    os_random_bytes(random, sizeof(random));
    str_to_hex(key, random, sizeof(random));
    struct cli_request req = {
        .method = "POST", .target = target, .body = spec->data, .body_len = spec->len, .key = key};
    if (buf_is_failed(spec))
        return err_set(err, BERR_TOO_LARGE, "the job is too large");
    int rc = cli_connect(cli, false, err);
    /* With its key a repeat is the same submission, so a lost answer costs nothing. */
    for (int tries = 0; rc == 0; tries++) {
        struct err why = {0};
        buf_clear(&answer);
        rc = cli_net_call(cli->net, &req, &answer, &why);
        if (rc != -(int)BERR_UNAVAILABLE || tries == 4) {
            if (rc < 0 && err)
                *err = why;
            break;
        }
        rc = cli_net_sleep(cli->net, 500 << tries, err);
    }
    if (rc < 0)
        return rc;
    yyjson_doc *doc = yyjson_read(buf_str(&answer), answer.len, 0); /* kept until the end */
    *ret = yyjson_doc_get_root(doc);
    return doc ? 0 : err_set(err, BERR_PROTOCOL, "the server's answer is no JSON");
}

/* ---- stop, suspend, resume ---- */

const struct cli_option cli_stop_options[CLI_STOP_OPTIONS] = {
    {"grace", 0, CLI_TEXT, "TIME", NULL, "between SIGTERM and SIGKILL, like 30s"},
    {"wait", 'w', CLI_FLAG, NULL, NULL, "until it has ended"},
};

static int verb_one(struct cli *cli, const char *plural, const char *verb, const char *id,
                    struct err *err)
{
    yyjson_val *w = NULL;
    cleanup(buf_done) struct buf target = BUF(8192);
    bool stops = str_is_equal(verb, "stop");
    buf_printf(&target, "/api/v1/%s/", plural);
    url_put_escaped(&target, id);
    buf_printf(&target, "/%s", verb);
    if (stops)
        put_query(&target, "grace", cli_text(&cli->args, "grace"));
    int rc = cli_send(cli, "POST", buf_str(&target), NULL, &w, err);
    if (rc < 0)
        return rc;
    cli_say(cli, "%s %s", cli_str(w, "name"), w ? cli_str(w, "state") : "STOPPED");
    if (!stops || !cli_has(&cli->args, "wait"))
        return 0;
    struct cli_follow f = {.id = id, .quiet = true};
    rc = cli_follow(cli, &f, err);
    return rc < 0 ? rc : 0;
}

int cli_verb_workloads(struct cli *cli, const char *plural, const char *verb, struct err *err)
{
    int rc = 0;
    for (size_t i = 0; i < cli->args.operand_count && rc == 0; i++)
        rc = verb_one(cli, plural, verb, cli->args.operands[i], err);
    return rc;
}
