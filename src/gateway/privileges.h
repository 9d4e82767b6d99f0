/*
 * privileges: what the gateway needs root for, and how it gets rid of it. At start, before any byte
 * of the outside is read.
 */
#ifndef BERTH_GATEWAY_PRIVILEGES_H
#define BERTH_GATEWAY_PRIVILEGES_H

#include <stddef.h>
#include "base/err.h"

/* As many open files as the hard limit allows; returns how many. */
size_t privileges_raise_files(void);
/* Started as root: becomes this user for good, with its groups. Otherwise nothing. NOT_FOUND: no
 * such user; INVALID: that user is root. */
int privileges_drop(const char *user, struct err *err);

#endif
