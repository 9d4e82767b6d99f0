/*
 * context: whom to talk to, and as whom — ~/.config/berth/config.json (0600), one context a URL:
 *
 *     {"current": "https://host:8443",
 *      "contexts": {"https://host:8443": {"name": "ada", "token": "…", "ca": "/path/cert.pem"}}}
 *
 * BERTH_URL, BERTH_TOKEN and BERTH_CA come before what the file says. XDG_CONFIG_HOME is honoured.
 */
#ifndef BERTH_CLI_CONTEXT_H
#define BERTH_CLI_CONTEXT_H

#include "base/arena.h"
#include "base/err.h"

struct cli_context {
    const char *url;   /* NULL: none */
    const char *name;  /* user; NULL: unknown */
    const char *token; /* NULL: not logged in */
    const char *ca;    /* NULL: the system's authorities only */
};

/* The current context, or the one of `url`. A missing file is no error. */
int cli_context_read(const char *url, struct arena *arena, struct cli_context *ret,
                     struct err *err);
/* Puts it into the file and makes it the current one. */
int cli_context_write(const struct cli_context *ctx, struct err *err);
/* Takes the context of a URL out of the file. */
int cli_context_remove(const char *url, struct err *err);
/* "https://host:port": adds https:// and drops a slash at the end. INVALID. */
int cli_context_url(const char *text, struct arena *arena, const char **ret, struct err *err);
/* The file, for messages. */
const char *cli_context_path(struct arena *arena);

#endif
