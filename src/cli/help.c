/*
 * help: texts made from the table of commands, and the reference for docs/cli.
 */
#include <stdio.h>
#include <string.h>
#include "base/str.h"
#include "cli/command.h"

static const char overview[] = "berth - a shared machine-learning cloud on this machine\n"
                               "\n"
                               "usage: berth COMMAND [OPTIONS]\n";

static const char exit_codes_head[] =
    "Exit codes\n"
    "\n"
    "`berth run`, `berth job wait` and `berth job submit --follow` end with the job's own exit\n"
    "code; when it has none:\n"
    "\n"
    "  128+N  killed by signal N\n"
    "  137    went over its memory limit\n"
    "  124    reached its time limit\n"
    "  143    was stopped\n"
    "  126    its command could not be started\n"
    "  125    failed for another reason: `berth job show` tells it\n"
    "\n"
    "All commands end with 0 when all is well, 130 when interrupted, and by error:\n"
    "\n";

/* ---- one command ---- */

static void put_option_names(struct buf *out, const struct cli_option *o)
{
    if (o->letter)
        buf_printf(out, "-%c, ", o->letter);
    buf_printf(out, "--%s", o->name);
    if (o->value)
        buf_printf(out, " %s", o->value);
}

static void put_options(struct buf *out, const struct cli_option *options, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t begin = out->len;
        buf_puts(out, "  ");
        put_option_names(out, &options[i]);
        for (size_t width = out->len - begin; width < 26; width++)
            buf_putc(out, ' ');
        buf_printf(out, "  %s", options[i].doc);
        if (options[i].words)
            buf_printf(out, " (%s)", options[i].words);
        buf_putc(out, '\n');
    }
}

void cli_put_usage(struct buf *out, const struct cli_command *c)
{
    buf_printf(out, "%s\n\nusage: berth %s", c->summary, c->path);
    if (c->option_count)
        buf_puts(out, " [OPTIONS]");
    if (c->operands)
        buf_printf(out, " %s", c->operands);
    buf_putc(out, '\n');
    if (c->more)
        buf_printf(out, "\n%s\n", c->more);
    if (c->option_count) {
        buf_puts(out, "\noptions:\n");
        put_options(out, c->options, c->option_count);
    }
    buf_puts(out, "\nfor every command:\n");
    put_options(out, cli_common_options, cli_common_option_count);
}

/* ---- several ---- */

static void put_summary(struct buf *out, const struct cli_command *c)
{
    char words[128];
    snprintf(words, sizeof(words), "%s%s%s", c->path, c->operands ? " " : "",
             c->operands ? c->operands : "");
    buf_printf(out, "  %-40s  %s\n", words, c->summary);
}

static void put_overview(struct buf *out)
{
    buf_puts(out, overview);
#define X(name)                                             \
    buf_putc(out, '\n');                                    \
    for (size_t i = 0; i < cli_##name##_command_count; i++) \
        put_summary(out, &cli_##name##_commands[i]);
    CLI_TABLE_LIST(X)
#undef X
    buf_puts(out, "\nMore: `berth help COMMAND`, `berth help exit-codes`\n");
}

static void put_exit_codes(struct buf *out)
{
    buf_puts(out, exit_codes_head);
#define X(sym, name, http, exit, retry) \
    buf_printf(out, "  %-4d %-20s%s\n", exit, name, (retry) ? "trying again may help" : "");
    BERR_LIST(X)
#undef X
}

static int unknown(const char *words, struct err *err)
{
    const char *paths[256];
    const struct cli_command *c;
    size_t count = 0;
    for (size_t i = 0; count < 256 && (c = cli_next_command(&i));)
        paths[count++] = c->path;
    err_set(err, BERR_INVALID, "there is no command \"%.100s\"", words);
    const char *near = str_nearest(words, paths, count);
    if (near)
        return err_hint(err, "did you mean `berth %s`?", near);
    return err_hint(err, "see `berth help`");
}

int cli_put_help(struct buf *out, const char *words, struct err *err)
{
    const struct cli_command *c, *exact = NULL;
    size_t len = strlen(words), below = 0;
    if (!len) {
        put_overview(out);
        return 0;
    }
    if (str_is_equal(words, "exit-codes")) {
        put_exit_codes(out);
        return 0;
    }
    for (size_t i = 0; (c = cli_next_command(&i));) {
        if (str_is_equal(c->path, words))
            exact = c;
        else if (str_has_prefix(c->path, words) && c->path[len] == ' ')
            below++;
    }
    if (!exact && !below)
        return unknown(words, err);
    if (exact)
        cli_put_usage(out, exact);
    if (below)
        buf_printf(out, exact ? "\nmore:\n" : "usage: berth %s COMMAND\n\n", words);
    for (size_t i = 0; (c = cli_next_command(&i));)
        if (str_has_prefix(c->path, words) && c->path[len] == ' ')
            put_summary(out, c);
    return 0;
}

/* ---- the reference ---- */

/* A "|" would end a cell. */
static void put_cell(struct buf *out, const char *s)
{
    for (; *s; s++) {
        if (*s == '|')
            buf_putc(out, '\\');
        buf_putc(out, *s);
    }
}

static void put_markdown_options(struct buf *out, const struct cli_option *options, size_t count)
{
    buf_puts(out, "| option | |\n|---|---|\n");
    for (size_t i = 0; i < count; i++) {
        buf_puts(out, "| `");
        put_option_names(out, &options[i]);
        buf_puts(out, "` | ");
        put_cell(out, options[i].doc);
        if (options[i].words)
            buf_printf(out, " (%s)", options[i].words);
        buf_puts(out, " |\n");
    }
    buf_putc(out, '\n');
}

void cli_put_reference(struct buf *out)
{
    const struct cli_command *c;
    buf_puts(out, "<!-- made by `berth help --markdown`; don't edit -->\n# berth: commands\n\n"
                  "Every command takes:\n\n");
    put_markdown_options(out, cli_common_options, cli_common_option_count);
    for (size_t i = 0; (c = cli_next_command(&i));) {
        buf_printf(out, "## berth %s\n%s.\n\n```\nberth %s%s%s%s\n```\n\n", c->path, c->summary,
                   c->path, c->option_count ? " [OPTIONS]" : "", c->operands ? " " : "",
                   c->operands ? c->operands : "");
        if (c->more)
            buf_printf(out, "%s\n\n", c->more);
        if (c->option_count)
            put_markdown_options(out, c->options, c->option_count);
    }
    buf_puts(out, "## Exit codes\n```\n");
    put_exit_codes(out);
    buf_puts(out, "```\n");
}
