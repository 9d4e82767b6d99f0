/*
 * berth: the command line.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "base/alloc.h"
#include "base/str.h"
#include "cli/cli.h"

#define ARENA_MAX (1u << 30)

/* "job submit" of the words before the first option. */
static const char *words_of(int argc, char *const *argv, struct arena *arena)
{
    const char *words = "";
    for (int i = 0; i < argc && argv[i][0] != '-' && words; i++)
        words = arena_printf(arena, "%s%s%s", words, words[0] ? " " : "", argv[i]);
    return words ? words : "";
}

static int show_help(const char *words, struct err *err)
{
    struct buf out = BUF(1u << 20);
    int rc = cli_put_help(&out, words, err);
    cli_flush(&out);
    return rc;
}

static int run(struct cli *cli, int argc, char *const *argv, struct err *err)
{
    int words = 0;
    const struct cli_command *c = cli_find_command(argc, argv, &words);
    if (!c)
        return show_help(words_of(argc, argv, &cli->arena), err);
    int rc = cli_parse(c, argc - words, argv + words, &cli->arena, &cli->args, err);
    if (rc < 0)
        return rc;
    if (cli_has(&cli->args, "help"))
        return show_help(c->path, err);
    const char *output = cli_text(&cli->args, "output");
    if (output)
        rc = cli_output_parse(output, &cli->output, err);
    return rc < 0 ? rc : c->run(cli, err);
}

int main(int argc, char **argv)
{
    struct cli cli = {.arena = ARENA(ARENA_MAX), .is_terminal = isatty(2)};
    struct err err = {0};
    signal(SIGPIPE, SIG_IGN);
    int rc = run(&cli, argc - 1, argv + 1, &err);
    cli_progress_end(&cli);
    cli_net_close(cli.net);
    if (rc < 0) {
        struct buf out = BUF(16384);
        fflush(stdout);
        cli_put_error(&out, &err);
        fputs(buf_str(&out), stderr);
        buf_done(&out);
        rc = err.code == BERR_CANCELED ? 130 : berr_exit(err.code);
    }
    arena_done(&cli.arena);
    if (fflush(stdout) != 0 && rc == 0)
        rc = berr_exit(BERR_IO);
    return rc;
}
