/*
 * run: one command as a job, its output here, its exit code ours.
 */
#include <string.h>
#include "base/alloc.h"
#include "cli/code.h"
#include "cli/workload.h"

#define SPEC_MAX (1u << 20)

static int fill(struct cli *cli, struct cli_job *job, struct err *err)
{
    const struct cli_args *a = &cli->args;
    const char *value;
    int rc = cli_job_put(job, "kind", "job", err);
    if (rc == 0)
        rc = cli_job_put(job, "name", cli_text(a, "name"), err);
    if (rc == 0)
        rc = cli_job_put(job, "project", cli_text(a, "project"), err);
    if (rc == 0)
        rc = cli_job_put(job, "image", cli_text(a, "image"), err);
    if (rc == 0)
        rc = cli_job_put(job, "time_limit", cli_text(a, "time-limit"), err);
    if (rc == 0)
        rc = cli_job_put_number(job, "roles.worker.gpu", cli_text(a, "gpu"), err);
    if (rc == 0)
        rc = cli_job_put_number(job, "roles.worker.cpu", cli_text(a, "cpu"), err);
    if (rc == 0)
        rc = cli_job_put(job, "roles.worker.memory", cli_text(a, "memory"), err);
    for (size_t i = 0; rc == 0 && (value = cli_each(a, "env", &i));)
        rc = cli_job_put_env(job, value, err);
    if (rc == 0)
        rc = cli_job_put_list(job, "command", a->operands, a->operand_count, err);
    job->code_dir = cli_text(a, "code");
    return rc;
}

static int run_run(struct cli *cli, struct err *err)
{
    struct cli_job job;
    cleanup(buf_done) struct buf spec = BUF(SPEC_MAX);
    yyjson_val *w;
    int rc = cli_job_init(&job, err);
    if (rc == 0)
        rc = fill(cli, &job, err);
    if (rc == 0)
        rc = cli_job_check(&job, err);
    if (rc == 0)
        rc = cli_ship_job(cli, &job, err);
    if (rc == 0)
        rc = cli_job_write(&job, &spec, err);
    cli_job_done(&job);
    if (rc == 0)
        rc = cli_submit(cli, "/api/v1/jobs", &spec, &w, err);
    if (rc < 0)
        return rc;
    if (cli_has(&cli->args, "no-follow")) {
        struct buf out = BUF(256);
        buf_printf(&out, "%s\n", cli_str(w, "id"));
        cli_flush(&out);
        return 0;
    }
    cli_say(cli, "job %s (%s)", cli_str(w, "name"), cli_str(w, "id"));
    struct cli_follow f = {.id = cli_str(w, "id"), .stop_on_interrupt = true};
    return cli_follow(cli, &f, err);
}

static const struct cli_option run_options[] = {
    {"image", 'i', CLI_TEXT, "NAME", NULL, "image, as in `berth image ls`"},
    {"gpu", 'g', CLI_TEXT, "N", NULL, "GPUs: 1, 0.5, A100:1"},
    {"cpu", 'c', CLI_TEXT, "N", NULL, "CPUs: 2, 0.5, 500m (default 1)"},
    {"memory", 'M', CLI_TEXT, "SIZE", NULL, "memory, like 4G (default 1G)"},
    {"project", 'p', CLI_TEXT, "NAME", NULL, "project; default: my own"},
    {"env", 'e', CLI_LIST, "KEY=VALUE", NULL, "a variable; KEY alone takes the value from here"},
    {"time-limit", 't', CLI_TEXT, "TIME", NULL, "stop it after this time, like 4h"},
    {"name", 'n', CLI_TEXT, "NAME", NULL, "name of the job"},
    {"code", 0, CLI_TEXT, "DIR", NULL, "ship this directory; it becomes /code"},
    {"no-follow", 0, CLI_FLAG, NULL, NULL, "print its id and return at once"},
};

const struct cli_command cli_run_commands[] = {
    {"run", "-- COMMAND...", "run a command as a job and follow its output",
     "Ends with the command's own exit code. Ctrl-C stops the job, a second one leaves it running.",
     run_options, ARRAY_LEN(run_options), run_run},
};
const size_t cli_run_command_count = ARRAY_LEN(cli_run_commands);
