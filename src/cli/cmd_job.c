/*
 * job: jobs from files and scripts.
 */
#include <stdlib.h>
#include <string.h>
#include "base/alloc.h"
#include "base/limits.h"
#include "base/str.h"
#include "base/units.h"
#include "cli/code.h"
#include "cli/workload.h"
#include "os/file.h"

#define SPEC_MAX (1u << 20)

/* ---- submit ---- */

static int read_job(struct cli *cli, struct cli_job *job, struct err *err)
{
    cleanup(mem_freep) char *text = NULL;
    const char *path = cli_operand(&cli->args, 0), *value;
    const char *const *rest = cli->args.operands + 1;
    size_t rest_count = cli->args.operand_count - 1;
    int rc = os_file_read(AT_FDCWD, path, LIMIT_DOC_BYTES, &text, NULL, err);
    if (rc == -(int)BERR_NOT_FOUND)
        rc = err_set(err, BERR_NOT_FOUND, "there is no file %s", path);
    if (rc < 0)
        return rc;
    if (cli_job_is_script(text)) {
        rc = cli_job_parse_script(path, text, rest, rest_count, &cli->arena, job, err);
    } else if (rest_count) {
        err_set(err, BERR_INVALID, "unexpected argument \"%.100s\"", rest[0]);
        rc = err_hint(err, "only scripts take arguments; the file has no #! line");
    } else {
        rc = cli_job_read_yaml(path, &cli->arena, job, err);
    }
    for (size_t i = 0; rc == 0 && (value = cli_each(&cli->args, "set", &i));)
        rc = cli_job_set(job, value, err);
    return rc;
}

/* --code DIR: of a script, it must lie in there. */
static int take_code_option(struct cli *cli, struct cli_job *job, struct err *err)
{
    char dir[4096], script[4096];
    const char *code = cli_text(&cli->args, "code");
    if (!code)
        return 0;
    job->code_dir = code;
    if (!job->code_file)
        return 0;
    if (!realpath(code, dir))
        return err_set(err, BERR_NOT_FOUND, "there is no directory %s", code);
    if (!realpath(job->code_file, script) || !str_has_prefix(script, dir) ||
        script[strlen(dir)] != '/')
        return err_set(err, BERR_INVALID, "the script %s does not lie in %s", job->code_file, code);
    job->code_file = NULL;
    const char *word = arena_printf(&cli->arena, "/code/%s", script + strlen(dir) + 1);
    yyjson_mut_val *command = yyjson_mut_obj_get(yyjson_mut_doc_get_root(job->doc), "command");
    yyjson_mut_val *val = word ? yyjson_mut_strcpy(job->doc, word) : NULL;
    if (!val || !yyjson_mut_arr_replace(command, 0, val))
        return err_set(err, BERR_NOMEM, "out of memory");
    return 0;
}

static const struct cli_column plan_columns[] = {
    {"STARTS NOW", "starts_now", CLI_PLAIN, false, NULL},
    {"START", "start", CLI_TIME, false, NULL},
    {"REASON", "reason", CLI_PLAIN, false, NULL},
    {"WOULD HELP", "remedy", CLI_PLAIN, false, NULL},
    {"PLACE", "place", CLI_PLAIN, false, NULL},
};
static const struct cli_column slot_columns[] = {
    {"TASK", "task", CLI_PLAIN, false, NULL},
    {"NODE", "node", CLI_PLAIN, false, NULL},
    {"GPUS", "gpus", CLI_PLAIN, false, NULL},
};

static int show_plan(struct cli *cli, const struct buf *spec, struct err *err)
{
    yyjson_val *plan;
    struct buf out = BUF(1u << 20);
    int rc = cli_send(cli, "POST", "/api/v1/workloads?dry_run=true", spec, &plan, err);
    if (rc < 0)
        return rc;
    cli_show_one(cli, plan, plan_columns, ARRAY_LEN(plan_columns));
    yyjson_val *tasks = cli_at(plan, "tasks");
    if ((cli->output == CLI_OUTPUT_TABLE || cli->output == CLI_OUTPUT_WIDE) &&
        yyjson_arr_size(tasks)) {
        buf_putc(&out, '\n');
        cli_put_table(&out, tasks, slot_columns, ARRAY_LEN(slot_columns), false, 0);
    }
    cli_flush(&out);
    return 0;
}

static int run_submit(struct cli *cli, struct err *err)
{
    struct cli_job job;
    cleanup(buf_done) struct buf spec = BUF(SPEC_MAX);
    bool dry = cli_has(&cli->args, "dry-run");
    yyjson_val *w;
    int rc = cli_job_init(&job, err);
    if (rc == 0)
        rc = read_job(cli, &job, err);
    if (rc == 0)
        rc = take_code_option(cli, &job, err);
    if (rc == 0)
        rc = cli_job_check(&job, err);
    if (rc == 0 && job.notes.len)
        cli_say(cli, "%.*s", (int)job.notes.len - 1, buf_str(&job.notes));
    if (rc == 0 && !dry)
        rc = cli_ship_job(cli, &job, err);
    if (rc == 0)
        rc = cli_job_write(&job, &spec, err);
    cli_job_done(&job);
    if (rc < 0 || dry)
        return rc < 0 ? rc : show_plan(cli, &spec, err);
    rc = cli_submit(cli, "/api/v1/workloads", &spec, &w, err);
    if (rc < 0)
        return rc;
    if (!cli_has(&cli->args, "follow")) {
        struct buf out = BUF(SPEC_MAX);
        if (cli->output == CLI_OUTPUT_TABLE || cli->output == CLI_OUTPUT_WIDE)
            buf_printf(&out, "%s %s (%s) %s\n", cli_str(w, "kind"), cli_str(w, "name"),
                       cli_str(w, "id"), cli_str(w, "state"));
        else
            cli_show_one(cli, w, NULL, 0);
        cli_flush(&out);
        return 0;
    }
    cli_say(cli, "job %s (%s)", cli_str(w, "name"), cli_str(w, "id"));
    struct cli_follow f = {.id = cli_str(w, "id"), .stop_on_interrupt = true};
    return cli_follow(cli, &f, err);
}

/* ---- the others ---- */

static int run_ls(struct cli *cli, struct err *err)
{
    return cli_list_workloads(cli, "jobs", err);
}

static int run_show(struct cli *cli, struct err *err)
{
    return cli_show_workload(cli, "jobs", err);
}

static int run_logs(struct cli *cli, struct err *err)
{
    return cli_logs_command(cli, "jobs", err);
}

static int run_stop(struct cli *cli, struct err *err)
{
    return cli_verb_workloads(cli, "jobs", "stop", err);
}

static int run_wait(struct cli *cli, struct err *err)
{
    struct cli_follow f = {.id = cli_operand(&cli->args, 0), .quiet = true};
    const char *timeout = cli_text(&cli->args, "timeout");
    int rc = timeout ? units_parse_duration(timeout, &f.give_up_ms, err) : 0;
    return rc < 0 ? err_at(err, "--timeout", 0, 0) : cli_follow(cli, &f, err);
}

/* Why it is in the state it is in: one sentence, the one that counts. */
static int run_why(struct cli *cli, struct err *err)
{
    yyjson_val *w;
    struct buf out = BUF(8192);
    const char *path = cli_path(cli, "/api/v1/jobs/%s", cli_operand(&cli->args, 0));
    int rc = cli_get(cli, &w, err, "%s", path ? path : "");
    if (rc < 0)
        return rc;
    cli_put_outcome(&out, w);
    buf_putc(&out, '\n');
    if (cli_str(w, "hold")[0])
        buf_printf(&out, "hold: %s\n", cli_str(w, "hold"));
    const char *details = cli_str(w, "attempt.end_text");
    if (details[0] && !str_is_equal(details, cli_str(w, "reason"))) {
        cli_put_safe(&out, details);
        buf_putc(&out, '\n');
    }
    cli_flush(&out);
    return 0;
}

static const struct cli_option submit_options[] = {
    {"dry-run", 0, CLI_FLAG, NULL, NULL, "only say where and when it would start"},
    {"code", 0, CLI_TEXT, "DIR", NULL, "ship this directory instead of the file's `code`"},
    {"follow", 'f', CLI_FLAG, NULL, NULL, "follow its log and end with its exit code"},
    {"set", 0, CLI_LIST, "KEY=VALUE", NULL, "change a field, like roles.worker.gpu=2"},
};
static const struct cli_option wait_options[] = {
    {"timeout", 0, CLI_TEXT, "TIME", NULL, "give up after this time, like 10m"},
};

const struct cli_command cli_job_commands[] = {
    {"job submit", "FILE [ARG...]", "submit a job from a YAML file or a script",
     "A local `code:` directory (relative to the file) is shipped, without what .gitignore and\n"
     ".berthignore exclude. A file that begins with #! is a script: its #SBATCH lines are read\n"
     "(--job-name --time --cpus-per-task --mem --gres --ntasks), ARGs are given to it.",
     submit_options, ARRAY_LEN(submit_options), run_submit},
    {"job ls", NULL, "list jobs", NULL, cli_list_options, CLI_LIST_OPTIONS, run_ls},
    {"job show", "JOB", "show one job, by id or name", NULL, NULL, 0, run_show},
    {"job logs", "JOB", "print a task's log", NULL, cli_log_options, CLI_LOG_OPTIONS, run_logs},
    {"job why", "JOB", "why it waits, or how it ended", NULL, NULL, 0, run_why},
    {"job wait", "JOB", "wait for its end; ends with its exit code", NULL, wait_options,
     ARRAY_LEN(wait_options), run_wait},
    {"job stop", "JOB...", "stop jobs", NULL, cli_stop_options, CLI_STOP_OPTIONS, run_stop},
};
const size_t cli_job_command_count = ARRAY_LEN(cli_job_commands);
