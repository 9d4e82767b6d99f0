/*
 * command: the table of commands. It drives the parser, `berth help`, completion for three shells
 * and docs/cli: a command is one row, its options another table, and a function.
 *
 * Everything here is constant. A command's function gets a struct cli (cli.h) with its arguments
 * and returns the exit code (0 or more), or a negative enum berr with *err filled.
 */
#ifndef BERTH_CLI_COMMAND_H
#define BERTH_CLI_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

struct cli;

enum cli_option_kind {
    CLI_FLAG,
    CLI_TEXT, /* the last one counts */
    CLI_LIST, /* may be given again */
};

struct cli_option {
    const char *name; /* without the dashes */
    char letter;      /* 0: none */
    enum cli_option_kind kind;
    const char *value; /* how help calls the value: "FILE", "DIR" complete as such; NULL: flag */
    const char *words; /* the only values allowed, with blanks between; NULL: any */
    const char *doc;   /* one line, lower case */
};

typedef int cli_run_fn(struct cli *cli, struct err *err);

struct cli_command {
    const char *path;     /* "job submit" */
    const char *operands; /* "FILE", "NAME [ROLE]", "ID...", "-- COMMAND..."; NULL: none */
    const char *summary;  /* one line */
    const char *more;     /* further lines of help; NULL: none */
    const struct cli_option *options;
    size_t option_count;
    cli_run_fn *run;
};

/* Options that every command takes. */
extern const struct cli_option cli_common_options[];
extern const size_t cli_common_option_count;

/* All commands, in the order of help: for (size_t i = 0; (c = cli_next_command(&i));). */
const struct cli_command *cli_next_command(size_t *i);
/* The command that begins argv (argc words), and how many words it is long; NULL when none does. */
const struct cli_command *cli_find_command(int argc, char *const *argv, int *ret_words);
/* Whether a command begins with these words: "job". */
bool cli_is_noun(const char *words);
/* Of the command or common; name without dashes, or NULL to look for the letter. */
const struct cli_option *cli_find_option(const struct cli_command *c, const char *name,
                                         char letter);

/* ---- arguments, parsed ---- */

struct cli_given {
    const struct cli_option *option;
    const char *value; /* NULL: a flag */
};
struct cli_args {
    const struct cli_command *command;
    const char **operands;
    size_t operand_count;
    struct cli_given *given;
    size_t given_count;
};

/* argv: what follows the command's words. INVALID says which argument, with a hint. Strings point
 * into argv; lists live in the arena. Operands that begin with "--" after a lone "--" are taken as
 * they are; a command whose operands end in "-- X..." takes everything from its first operand on. */
int cli_parse(const struct cli_command *c, int argc, char *const *argv, struct arena *arena,
              struct cli_args *ret, struct err *err);

/* Questions about options; the name must be one of the command's (a mistake of ours ends us). */
bool cli_has(const struct cli_args *a, const char *name);
const char *cli_text(const struct cli_args *a, const char *name); /* NULL when not given */
/* for (size_t i = 0; (v = cli_each(a, "env", &i));) */
const char *cli_each(const struct cli_args *a, const char *name, size_t *i);
const char *cli_operand(const struct cli_args *a, size_t i); /* NULL when not given */

/* ---- made from the table ---- */

void cli_put_usage(struct buf *out, const struct cli_command *c);
/* `berth help [WORDS]`: overview, a noun's commands, one command, or a topic. NOT_FOUND. */
int cli_put_help(struct buf *out, const char *words, struct err *err);
/* bash, zsh, fish. */
int cli_put_completion(struct buf *out, const char *shell, struct err *err);
/* The whole reference, in Markdown. */
void cli_put_reference(struct buf *out);

/* ---- tables, one a file cmd_X.c ---- */

#define CLI_TABLE_LIST(X) \
    X(machine) X(session) X(run) X(job) X(notebook) X(image) X(user) X(project) X(node) X(help)
#define X(name)                                              \
    extern const struct cli_command cli_##name##_commands[]; \
    extern const size_t cli_##name##_command_count;
CLI_TABLE_LIST(X)
#undef X

#endif
