/*
 * user: accounts, passwords, tokens.
 */
#include <string.h>
#include "base/alloc.h"
#include "base/str.h"
#include "cli/cli.h"
#include "js/js.h"

#define BODY_MAX 8192

/* ---- users ---- */

static const struct cli_column user_columns[] = {
    {"NAME", "name", CLI_PLAIN, false, NULL},
    {"ID", "id", CLI_PLAIN, true, NULL},
    {"ADMIN", "cluster_admin", CLI_YES, false, NULL},
    {"PASSWORD", "has_password", CLI_YES, false, NULL},
    {"DISABLED", "disabled", CLI_YES, false, NULL},
    {"AGE", "created", CLI_AGE, false, NULL},
};

/* Twice on a terminal, so that a slip of the finger locks nobody out. */
static int ask_new_password(struct cli *cli, const char **ret, struct err *err)
{
    const char *again;
    bool from_stdin = cli_has(&cli->args, "password-stdin");
    int rc = cli_ask_secret(cli, "new password", from_stdin, ret, err);
    if (rc < 0 || from_stdin)
        return rc;
    rc = cli_ask_secret(cli, "again", false, &again, err);
    if (rc == 0 && !str_is_equal(*ret, again))
        return err_set(err, BERR_INVALID, "the two passwords differ");
    return rc;
}

/* Sends a body that holds a secret, and wipes it. */
static int send_secret(struct cli *cli, const char *method, const char *target, struct buf *body,
                       yyjson_val **ret, struct err *err)
{
    int rc = cli_send(cli, method, target, body, ret, err);
    if (body->data)
        explicit_bzero(body->data, body->len);
    buf_done(body);
    return rc;
}

static int run_add(struct cli *cli, struct err *err)
{
    struct buf body = BUF(BODY_MAX);
    struct js_writer w;
    yyjson_val *user;
    const char *name = cli_operand(&cli->args, 0), *password = NULL;
    int rc = cli_has(&cli->args, "no-password") ? 0 : ask_new_password(cli, &password, err);
    if (rc < 0)
        return rc;
    js_w_init(&w, &body);
    js_w_object(&w, NULL);
    js_w_str(&w, "name", name);
    if (password)
        js_w_str(&w, "password", password);
    js_w_bool(&w, "admin", cli_has(&cli->args, "admin"));
    js_w_end_object(&w);
    rc = send_secret(cli, "POST", "/api/v1/users", &body, &user, err);
    if (rc < 0)
        return rc;
    if (cli->output == CLI_OUTPUT_TABLE)
        cli_say(cli, "user %s added", cli_str(user, "name"));
    else
        cli_show_one(cli, user, user_columns, ARRAY_LEN(user_columns));
    return 0;
}

static int run_passwd(struct cli *cli, struct err *err)
{
    struct buf body = BUF(BODY_MAX);
    struct js_writer w;
    yyjson_val *me;
    const char *name = cli_operand(&cli->args, 0), *password;
    int rc = 0;
    if (!name) {
        rc = cli_get(cli, &me, err, "/api/v1/me");
        name = rc == 0 ? cli_str(me, "name") : NULL;
    }
    if (rc == 0)
        rc = ask_new_password(cli, &password, err);
    if (rc < 0)
        return rc;
    js_w_init(&w, &body);
    js_w_object(&w, NULL);
    js_w_str(&w, "password", password);
    js_w_end_object(&w);
    rc =
        send_secret(cli, "PUT", cli_path(cli, "/api/v1/users/%s/password", name), &body, NULL, err);
    if (rc == 0)
        cli_say(cli, "the password of %s is changed", name);
    return rc;
}

static int run_users(struct cli *cli, struct err *err)
{
    yyjson_val *answer;
    int rc = cli_get(cli, &answer, err, "/api/v1/users");
    if (rc == 0)
        cli_show_list(cli, answer, user_columns, ARRAY_LEN(user_columns));
    return rc;
}

static int set_disabled(struct cli *cli, const char *verb, struct err *err)
{
    const char *name = cli_operand(&cli->args, 0);
    const char *base = cli_path(cli, "/api/v1/users/%s", name);
    const char *target = base ? arena_printf(&cli->arena, "%s/%s", base, verb) : NULL;
    int rc = cli_send(cli, "POST", target, NULL, NULL, err);
    if (rc == 0)
        cli_say(cli, "user %s is %sd", name, verb);
    return rc;
}

static int run_disable(struct cli *cli, struct err *err)
{
    return set_disabled(cli, "disable", err);
}

static int run_enable(struct cli *cli, struct err *err)
{
    return set_disabled(cli, "enable", err);
}

/* ---- tokens ---- */

static const struct cli_column token_columns[] = {
    {"ID", "id", CLI_PLAIN, false, NULL},         {"LABEL", "label", CLI_PLAIN, false, NULL},
    {"BROWSER", "session", CLI_YES, false, NULL}, {"AGE", "created", CLI_AGE, false, NULL},
    {"ENDS", "expires", CLI_TIME, false, NULL},   {"THIS", "this", CLI_YES, false, NULL},
};

static int run_tokens(struct cli *cli, struct err *err)
{
    yyjson_val *answer;
    int rc = cli_get(cli, &answer, err, "/api/v1/tokens");
    if (rc == 0)
        cli_show_list(cli, answer, token_columns, ARRAY_LEN(token_columns));
    return rc;
}

static int run_token_create(struct cli *cli, struct err *err)
{
    cleanup(buf_done) struct buf body = BUF(BODY_MAX);
    struct js_writer w;
    struct buf out = BUF(BODY_MAX);
    yyjson_val *token;
    js_w_init(&w, &body);
    js_w_object(&w, NULL);
    js_w_str(&w, "label", cli_operand(&cli->args, 0));
    if (cli_text(&cli->args, "lifetime"))
        js_w_str(&w, "lifetime", cli_text(&cli->args, "lifetime"));
    js_w_end_object(&w);
    int rc = cli_send(cli, "POST", "/api/v1/tokens", &body, &token, err);
    if (rc < 0)
        return rc;
    if (cli->output == CLI_OUTPUT_JSON || cli->output == CLI_OUTPUT_YAML) {
        cli_show_one(cli, token, NULL, 0);
        return 0;
    }
    buf_printf(&out, "%s\n", cli_str(token, "token"));
    cli_flush(&out);
    cli_say(cli, "it is shown only now; `berth token rm %s` ends it", cli_str(token, "id"));
    return 0;
}

static int run_token_rm(struct cli *cli, struct err *err)
{
    int rc = 0;
    for (size_t i = 0; i < cli->args.operand_count && rc == 0; i++)
        rc = cli_send(cli, "DELETE", cli_path(cli, "/api/v1/tokens/%s", cli->args.operands[i]),
                      NULL, NULL, err);
    return rc;
}

static const struct cli_option add_options[] = {
    {"admin", 0, CLI_FLAG, NULL, NULL, "an administrator of the whole installation"},
    {"password-stdin", 0, CLI_FLAG, NULL, NULL, "read the password from standard input"},
    {"no-password", 0, CLI_FLAG, NULL, NULL, "without one: no login by password"},
};
static const struct cli_option passwd_options[] = {
    {"password-stdin", 0, CLI_FLAG, NULL, NULL, "read the password from standard input"},
};
static const struct cli_option token_options[] = {
    {"lifetime", 0, CLI_TEXT, "TIME", NULL, "how long it is good, like 30d (default 90d)"},
};

#define TOKEN_COMMANDS(prefix)                                                          \
    {prefix "token create",                                                             \
     "LABEL",                                                                           \
     "make a token; its text is shown once",                                            \
     NULL,                                                                              \
     token_options,                                                                     \
     ARRAY_LEN(token_options),                                                          \
     run_token_create},                                                                 \
        {prefix "token ls", NULL, "list my tokens", NULL, NULL, 0, run_tokens},         \
    {                                                                                   \
        prefix "token rm", "TOKEN...", "end tokens, by id", NULL, NULL, 0, run_token_rm \
    }

const struct cli_command cli_user_commands[] = {
    {"user add", "NAME", "add a user", NULL, add_options, ARRAY_LEN(add_options), run_add},
    {"user passwd", "[NAME]", "set a password; without a name my own", NULL, passwd_options,
     ARRAY_LEN(passwd_options), run_passwd},
    {"user ls", NULL, "list users", NULL, NULL, 0, run_users},
    {"user disable", "NAME", "end all logins of a user and allow no new ones", NULL, NULL, 0,
     run_disable},
    {"user enable", "NAME", "allow logins again", NULL, NULL, 0, run_enable},
    TOKEN_COMMANDS(""),
    TOKEN_COMMANDS("user "),
};
const size_t cli_user_command_count = ARRAY_LEN(cli_user_commands);
