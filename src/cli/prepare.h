/*
 * prepare: what `berth up` makes before it starts anything — users, directories, instance.json, the
 * certificate. Each is left alone when it is right already. Needs root.
 */
#ifndef BERTH_CLI_PREPARE_H
#define BERTH_CLI_PREPARE_H

#include "cli/daemons.h"
#include "cli/local.h"

/* The system users berth and berth-gateway, each in the other's group. */
int cli_users_make(struct cli_users *ret, struct err *err);
int cli_users_find(struct cli_users *ret, struct err *err); /* NOT_FOUND */

/* DATA itself; checks that the path is short enough and open to other users. */
int cli_data_make(const char *data, char ret_real[CLI_PATH_MAX], struct err *err);
/* What lies in it. */
int cli_tree_make(const struct cli_instance *in, const struct cli_users *users, struct err *err);

/* Where the daemons' programs are run from: beside our own, or, when other users can't get there (a
 * build folder below /root), DATA/bin, into which they are copied. */
int cli_programs_place(const struct cli_instance *in, char ret_dir[CLI_PATH_MAX], struct err *err);

/* Tag, network and ids of a new instance; of one that is there, the network again when somebody
 * else has taken it. */
int cli_instance_choose(struct cli_instance *in, struct err *err);
int cli_instance_write(const struct cli_instance *in, struct err *err);

/* DATA/tls: a certificate for the instance's names that signs itself, unless the administrator has
 * put one there. */
int cli_certificate_make(const struct cli_instance *in, struct err *err);

#endif
