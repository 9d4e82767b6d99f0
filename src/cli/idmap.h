/*
 * idmap: tries, in a process and mount namespace of its own, what every task's root file system
 * needs: an overlay whose lower layer is id-mapped. Leaves nothing behind. Needs root.
 */
#ifndef BERTH_CLI_IDMAP_H
#define BERTH_CLI_IDMAP_H

#include <stdbool.h>
#include <stddef.h>

/* why: in words, when it does not work. */
bool cli_try_idmapped_overlay(char *why, size_t size);

#endif
