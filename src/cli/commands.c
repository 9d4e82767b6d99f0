/*
 * commands: the tables of all files in one, and questions about them.
 */
#include <string.h>
#include "base/check.h"
#include "base/str.h"
#include "cli/command.h"

static const struct {
    const struct cli_command *commands;
    const size_t *count;
} tables[] = {
#define X(name) {cli_##name##_commands, &cli_##name##_command_count},
    CLI_TABLE_LIST(X)
#undef X
};

const struct cli_option cli_common_options[] = {
    {"output", 'o', CLI_TEXT, "FORMAT", "table wide json yaml", "how to print the answer"},
    {"url", 0, CLI_TEXT, "URL", NULL, "talk to this berth instead of the current one"},
    {"help", 'h', CLI_FLAG, NULL, NULL, "what the command does"},
};
const size_t cli_common_option_count = ARRAY_LEN(cli_common_options);

const struct cli_command *cli_next_command(size_t *i)
{
    size_t at = *i;
    for (size_t t = 0; t < ARRAY_LEN(tables); t++) {
        if (at < *tables[t].count) {
            ++*i;
            return &tables[t].commands[at];
        }
        at -= *tables[t].count;
    }
    return NULL;
}

/* Number of words of path that argv begins with, when it has all of them; 0 otherwise. */
static int match_words(const char *path, int argc, char *const *argv)
{
    int words = 0;
    for (const char *at = path; *at;) {
        size_t len = strcspn(at, " ");
        if (words >= argc || strlen(argv[words]) != len || strncmp(argv[words], at, len) != 0)
            return 0;
        words++;
        at += len + (at[len] == ' ');
    }
    return words;
}

const struct cli_command *cli_find_command(int argc, char *const *argv, int *ret_words)
{
    const struct cli_command *c, *best = NULL;
    int most = 0;
    for (size_t i = 0; (c = cli_next_command(&i));) {
        int words = match_words(c->path, argc, argv);
        if (words > most) {
            most = words;
            best = c;
        }
    }
    *ret_words = most;
    return best;
}

bool cli_is_noun(const char *words)
{
    const struct cli_command *c;
    size_t len = strlen(words);
    for (size_t i = 0; (c = cli_next_command(&i));)
        if (str_has_prefix(c->path, words) && c->path[len] == ' ')
            return true;
    return false;
}

static const struct cli_option *find_in(const struct cli_option *options, size_t count,
                                        const char *name, char letter)
{
    for (size_t i = 0; i < count; i++)
        if (name ? str_is_equal(options[i].name, name) : letter && options[i].letter == letter)
            return &options[i];
    return NULL;
}

const struct cli_option *cli_find_option(const struct cli_command *c, const char *name, char letter)
{
    const struct cli_option *o = find_in(c->options, c->option_count, name, letter);
    return o ? o : find_in(cli_common_options, cli_common_option_count, name, letter);
}
