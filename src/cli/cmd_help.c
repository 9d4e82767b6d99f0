/*
 * help: what the table of commands says about itself.
 */
#include "cli/cli.h"

#define TEXT_MAX_BYTES (1u << 20)

static int run_help(struct cli *cli, struct err *err)
{
    struct buf out = BUF(TEXT_MAX_BYTES);
    const char *words = "";
    int rc = 0;
    for (size_t i = 0; i < cli->args.operand_count && words; i++)
        words = arena_printf(&cli->arena, "%s%s%s", words, i ? " " : "", cli->args.operands[i]);
    if (!words)
        return err_set(err, BERR_NOMEM, "out of memory");
    if (cli_has(&cli->args, "markdown"))
        cli_put_reference(&out);
    else
        rc = cli_put_help(&out, words, err);
    cli_flush(&out);
    return rc;
}

static int run_completion(struct cli *cli, struct err *err)
{
    struct buf out = BUF(TEXT_MAX_BYTES);
    int rc = cli_put_completion(&out, cli_operand(&cli->args, 0), err);
    cli_flush(&out);
    return rc;
}

static const struct cli_option help_options[] = {
    {"markdown", 0, CLI_FLAG, NULL, NULL, "the whole reference"},
};

const struct cli_command cli_help_commands[] = {
    {"help", "[WORD...]", "what a command does; `help exit-codes`", NULL, help_options,
     ARRAY_LEN(help_options), run_help},
    {"completion", "SHELL", "print a completion script for bash, zsh or fish",
     "bash: source <(berth completion bash)", NULL, 0, run_completion},
};
const size_t cli_help_command_count = ARRAY_LEN(cli_help_commands);
