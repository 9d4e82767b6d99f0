/*
 * cli: what a command runs with — its arguments, where to print and how, the connection.
 *
 * One struct for the life of the process; strings of a command live in its arena. Results go to
 * standard output, everything said on the way (progress, hints) to standard error.
 */
#ifndef BERTH_CLI_CLI_H
#define BERTH_CLI_CLI_H

#include "base/arena.h"
#include "cli/command.h"
#include "cli/context.h"
#include "cli/net.h"
#include "cli/out.h"

struct cli {
    struct arena arena;
    struct cli_args args;
    enum cli_output output;
    bool is_terminal;           /* standard error shows a person what goes on */
    struct cli_context context; /* whom to talk to; read by cli_connect */
    struct cli_net *net;        /* NULL before cli_connect */
};

/* Reads the login and opens the connection, once. UNAUTHENTICATED without a login, unless
 * `anonymous`. */
int cli_connect(struct cli *cli, bool anonymous, struct err *err);

/* cli_connect and one call; the answer's document lives as long as the process. body NULL: none.
 * ret_val may be NULL. */
int cli_get(struct cli *cli, struct yyjson_val **ret_val, struct err *err, const char *target_fmt,
            ...) PRINTF_LIKE(4, 5);
int cli_send(struct cli *cli, const char *method, const char *target, const struct buf *body,
             struct yyjson_val **ret_val, struct err *err);

/* A path with one name in it, escaped: "/api/v1/jobs/%s/stop". Lives in the arena. */
const char *cli_path(struct cli *cli, const char *fmt, const char *name);

/* A line to standard error, for people. */
void cli_say(const struct cli *cli, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* A line that replaces itself on a terminal; elsewhere a line of its own whenever it differs. */
void cli_progress(const struct cli *cli, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Ends a line that cli_progress has left open. */
void cli_progress_end(const struct cli *cli);

int64_t cli_now_ms(void);

/* `berth: TEXT`, field, position and hint. */
void cli_put_error(struct buf *out, const struct err *err);

/* A secret from standard input: from a terminal without echo after the question, else its first
 * line. Lives in the arena. */
int cli_ask_secret(struct cli *cli, const char *question, bool from_stdin, const char **ret,
                   struct err *err);
/* A line from the terminal; `otherwise` for an empty one. */
int cli_ask(struct cli *cli, const char *question, const char *otherwise, const char **ret,
            struct err *err);

#endif
