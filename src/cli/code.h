/*
 * code: sends a directory (or one script) to berth, once: only what is not there already.
 */
#ifndef BERTH_CLI_CODE_H
#define BERTH_CLI_CODE_H

#include "cli/cli.h"
#include "cli/jobfile.h"

/* Ships what the job wants shipped and puts the digest into its `code`. */
int cli_ship_job(struct cli *cli, struct cli_job *job, struct err *err);

#endif
