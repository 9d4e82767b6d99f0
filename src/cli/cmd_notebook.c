/*
 * notebook: start, open, stop, suspend.
 */
#include <string.h>
#include <unistd.h>
#include "base/alloc.h"
#include "base/str.h"
#include "cli/code.h"
#include "cli/workload.h"
#include "os/proc.h"
#include "types/workload.h"

#define SPEC_MAX (1u << 20)

static int fill(struct cli *cli, struct cli_job *job, struct err *err)
{
    const struct cli_args *a = &cli->args;
    const char *value;
    int rc = cli_job_put(job, "kind", "notebook", err);
    if (rc == 0)
        rc = cli_job_put(job, "name", cli_text(a, "name"), err);
    if (rc == 0)
        rc = cli_job_put(job, "project", cli_text(a, "project"), err);
    if (rc == 0)
        rc = cli_job_put(job, "image", cli_text(a, "image"), err);
    if (rc == 0)
        rc = cli_job_put_number(job, "roles.worker.gpu", cli_text(a, "gpu"), err);
    if (rc == 0)
        rc = cli_job_put_number(job, "roles.worker.cpu", cli_text(a, "cpu"), err);
    if (rc == 0)
        rc = cli_job_put(job, "roles.worker.memory", cli_text(a, "memory"), err);
    if (rc == 0 && cli_has(a, "classic"))
        rc = cli_job_put(job, "app", "classic", err);
    else if (rc == 0 && cli_has(a, "lab"))
        rc = cli_job_put(job, "app", "lab", err);
    for (size_t i = 0; rc == 0 && (value = cli_each(a, "env", &i));)
        rc = cli_job_put_env(job, value, err);
    job->code_dir = cli_text(a, "code");
    return rc;
}

/* An address that lets its opener in once. */
static int get_open_url(struct cli *cli, const char *id, const char **ret, struct err *err)
{
    yyjson_val *answer;
    int rc =
        cli_send(cli, "POST", cli_path(cli, "/api/v1/notebooks/%s/open", id), NULL, &answer, err);
    if (rc == 0)
        *ret = cli_str(answer, "url");
    return rc;
}

static int print_url(struct cli *cli, const char *id, struct err *err)
{
    const char *url;
    struct buf out = BUF(16384);
    int rc = get_open_url(cli, id, &url, err);
    if (rc < 0)
        return rc;
    cli_put_safe(&out, url);
    buf_putc(&out, '\n');
    cli_flush(&out);
    return 0;
}

static int run_start(struct cli *cli, struct err *err)
{
    struct cli_job job;
    cleanup(buf_done) struct buf spec = BUF(SPEC_MAX);
    yyjson_val *w;
    if (cli_has(&cli->args, "lab") && cli_has(&cli->args, "classic"))
        return err_set(err, BERR_INVALID, "either --lab or --classic");
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
        rc = cli_submit(cli, "/api/v1/notebooks", &spec, &w, err);
    if (rc < 0)
        return rc;
    cli_say(cli, "notebook %s (%s)", cli_str(w, "name"), cli_str(w, "id"));
    if (!cli_has(&cli->args, "wait")) {
        if (cli->output != CLI_OUTPUT_TABLE && cli->output != CLI_OUTPUT_WIDE)
            cli_show_one(cli, w, NULL, 0);
        else
            cli_say(cli, "open it with `berth notebook open %s`", cli_str(w, "name"));
        return 0;
    }
    const char *id = cli_str(w, "id");
    rc = cli_wait_running(cli, id, &w, err);
    if (rc < 0)
        return rc;
    if (!str_is_equal(cli_str(w, "state"), workload_state_names[STATE_RUNNING])) {
        struct buf text = BUF(8192);
        cli_put_outcome(&text, w);
        err_set(err, BERR_CONFLICT, "%s", buf_str(&text));
        buf_done(&text);
        return err_hint(err, "see `berth notebook logs %s`", id);
    }
    return print_url(cli, id, err);
}

/* Without a screen (or in a pipe) the address is printed; a browser is started where there is one. */
static int run_open(struct cli *cli, struct err *err)
{
    const char *url, *id = cli_operand(&cli->args, 0);
    yyjson_val *w;
    int rc = cli_has(&cli->args, "wait") ? cli_wait_running(cli, id, &w, err) : 0;
    if (rc < 0)
        return rc;
    if (!cli_has(&cli->args, "browser"))
        return print_url(cli, id, err);
    rc = get_open_url(cli, id, &url, err);
    if (rc < 0)
        return rc;
    /* The address stands in a command line for a moment: its ticket is good for one use. */
    const char *const argv[] = {"xdg-open", url, NULL};
    rc = os_spawn(&(struct os_spawn){.argv = argv, .session = true}, &(pid_t){0}, NULL, err);
    return rc < 0 ? err_hint(err, "without --browser the address is printed") : 0;
}

static int run_ls(struct cli *cli, struct err *err)
{
    return cli_list_workloads(cli, "notebooks", err);
}

static int run_show(struct cli *cli, struct err *err)
{
    return cli_show_workload(cli, "notebooks", err);
}

static int run_logs(struct cli *cli, struct err *err)
{
    return cli_logs_command(cli, "notebooks", err);
}

static int run_stop(struct cli *cli, struct err *err)
{
    return cli_verb_workloads(cli, "notebooks", "stop", err);
}

static int run_suspend(struct cli *cli, struct err *err)
{
    return cli_verb_workloads(cli, "notebooks", "suspend", err);
}

static int run_resume(struct cli *cli, struct err *err)
{
    return cli_verb_workloads(cli, "notebooks", "resume", err);
}

static const struct cli_option start_options[] = {
    {"image", 'i', CLI_TEXT, "NAME", NULL, "image, as in `berth image ls`"},
    {"gpu", 'g', CLI_TEXT, "N", NULL, "GPUs: 1, 0.5, A100:1"},
    {"cpu", 'c', CLI_TEXT, "N", NULL, "CPUs: 2, 0.5, 500m (default 1)"},
    {"memory", 'M', CLI_TEXT, "SIZE", NULL, "memory, like 4G (default 1G)"},
    {"name", 'n', CLI_TEXT, "NAME", NULL, "name of the notebook"},
    {"project", 'p', CLI_TEXT, "NAME", NULL, "project; default: my own"},
    {"env", 'e', CLI_LIST, "KEY=VALUE", NULL, "a variable; KEY alone takes the value from here"},
    {"code", 0, CLI_TEXT, "DIR", NULL, "ship this directory; it becomes /code"},
    {"lab", 0, CLI_FLAG, NULL, NULL, "JupyterLab (the default)"},
    {"classic", 0, CLI_FLAG, NULL, NULL, "the classic notebook"},
    {"wait", 'w', CLI_FLAG, NULL, NULL, "until it runs, then print its address"},
};
static const struct cli_option open_options[] = {
    {"wait", 'w', CLI_FLAG, NULL, NULL, "until it runs"},
    {"browser", 'b', CLI_FLAG, NULL, NULL, "start a browser instead of printing the address"},
};

const struct cli_command cli_notebook_commands[] = {
    {"notebook start", NULL, "start a notebook", NULL, start_options, ARRAY_LEN(start_options),
     run_start},
    {"notebook ls", NULL, "list notebooks", NULL, cli_list_options, CLI_LIST_OPTIONS, run_ls},
    {"notebook show", "NOTEBOOK", "show one notebook, by id or name", NULL, NULL, 0, run_show},
    {"notebook open", "NOTEBOOK", "print an address that opens it, without another login",
     "The address works once and for a short time.", open_options, ARRAY_LEN(open_options),
     run_open},
    {"notebook logs", "NOTEBOOK", "print its log", NULL, cli_log_options, CLI_LOG_OPTIONS,
     run_logs},
    {"notebook stop", "NOTEBOOK...", "stop notebooks", NULL, cli_stop_options, CLI_STOP_OPTIONS,
     run_stop},
    {"notebook suspend", "NOTEBOOK...", "freeze all its processes, memory kept", NULL, NULL, 0,
     run_suspend},
    {"notebook resume", "NOTEBOOK...", "let it go on", NULL, NULL, 0, run_resume},
};
const size_t cli_notebook_command_count = ARRAY_LEN(cli_notebook_commands);
