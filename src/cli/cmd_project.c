/*
 * project: the tenants and who is in them.
 */
#include "base/alloc.h"
#include "base/str.h"
#include "cli/cli.h"
#include "js/js.h"

#define BODY_MAX 4096

static void put_members(struct buf *out, yyjson_val *item, int64_t now_ms)
{
    size_t i, max;
    yyjson_val *m;
    (void)now_ms;
    yyjson_arr_foreach(cli_at(item, "members"), i, max, m)
    {
        buf_puts(out, i ? ", " : "");
        cli_put_safe(out, cli_str(m, "user"));
        buf_printf(out, " (%s)", cli_str(m, "role"));
    }
}

static const struct cli_column columns[] = {
    {"NAME", "name", CLI_PLAIN, false, NULL},
    {"ID", "id", CLI_PLAIN, true, NULL},
    {"MY ROLE", "my_role", CLI_PLAIN, false, NULL},
    {"INTERNET", "internet", CLI_PLAIN, false, NULL},
    {"AGE", "created", CLI_AGE, false, NULL},
    {"MEMBERS", NULL, CLI_PLAIN, false, put_members},
};

static int run_ls(struct cli *cli, struct err *err)
{
    yyjson_val *answer;
    int rc = cli_get(cli, &answer, err, "/api/v1/projects");
    if (rc == 0)
        cli_show_list(cli, answer, columns, ARRAY_LEN(columns));
    return rc;
}

/* Sends and shows the project as it is now. */
static int send_change(struct cli *cli, const char *method, const char *target,
                       const struct buf *body, struct err *err)
{
    yyjson_val *project;
    int rc = cli_send(cli, method, target, body, &project, err);
    if (rc == 0)
        cli_show_one(cli, project, columns, ARRAY_LEN(columns));
    return rc;
}

static int run_create(struct cli *cli, struct err *err)
{
    cleanup(buf_done) struct buf body = BUF(BODY_MAX);
    struct js_writer w;
    js_w_init(&w, &body);
    js_w_object(&w, NULL);
    js_w_str(&w, "name", cli_operand(&cli->args, 0));
    if (cli_text(&cli->args, "admin"))
        js_w_str(&w, "admin", cli_text(&cli->args, "admin"));
    if (cli_text(&cli->args, "internet"))
        js_w_bool(&w, "internet", str_is_equal(cli_text(&cli->args, "internet"), "on"));
    js_w_end_object(&w);
    return send_change(cli, "POST", "/api/v1/projects", &body, err);
}

static int run_member(struct cli *cli, struct err *err)
{
    cleanup(buf_done) struct buf body = BUF(BODY_MAX);
    struct js_writer w;
    js_w_init(&w, &body);
    js_w_object(&w, NULL);
    js_w_str(&w, "user", cli_operand(&cli->args, 1));
    js_w_str(&w, "role", cli_operand(&cli->args, 2));
    js_w_end_object(&w);
    return send_change(cli, "PUT",
                       cli_path(cli, "/api/v1/projects/%s/members", cli_operand(&cli->args, 0)),
                       &body, err);
}

static int run_set(struct cli *cli, struct err *err)
{
    cleanup(buf_done) struct buf body = BUF(BODY_MAX);
    struct js_writer w;
    const char *internet = cli_text(&cli->args, "internet");
    if (!internet) {
        err_set(err, BERR_INVALID, "nothing to set");
        return err_hint(err, "like --internet off");
    }
    js_w_init(&w, &body);
    js_w_object(&w, NULL);
    js_w_bool(&w, "internet", str_is_equal(internet, "on"));
    js_w_end_object(&w);
    return send_change(
        cli, "PATCH", cli_path(cli, "/api/v1/projects/%s", cli_operand(&cli->args, 0)), &body, err);
}

static const struct cli_option create_options[] = {
    {"admin", 0, CLI_TEXT, "USER", NULL, "its first admin (default: me)"},
    {"internet", 0, CLI_TEXT, "WHICH", "on off", "its tasks reach the outside network"},
};
static const struct cli_option set_options[] = {
    {"internet", 0, CLI_TEXT, "WHICH", "on off", "its tasks reach the outside network"},
};

const struct cli_command cli_project_commands[] = {
    {"project create", "NAME", "make a project", NULL, create_options, ARRAY_LEN(create_options),
     run_create},
    {"project ls", NULL, "list the projects that I am in", NULL, NULL, 0, run_ls},
    {"project member", "PROJECT USER ROLE", "give somebody a role in a project",
     "ROLE is viewer, editor or admin; none takes it away.", NULL, 0, run_member},
    {"project set", "PROJECT", "change a project", NULL, set_options, ARRAY_LEN(set_options),
     run_set},
};
const size_t cli_project_command_count = ARRAY_LEN(cli_project_commands);
