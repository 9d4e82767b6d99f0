/*
 * net: projects' slots and bridges, tasks' devices, and the rules between them.
 *
 * A slot is one of WIRE_SLOTS /22 networks of the instance's /16, a bridge bTAGslot and a range of
 * user ids; DIR/nets/SLOT.json says whose it is. All rules are in one nft table berth_TAG, which
 * is written whole whenever a slot changes: tasks of one bridge reach each other; nothing else
 * reaches them but the host; they reach neither the host nor another bridge nor 169.254.0.0/16;
 * those of projects with internet reach the rest by NAT.
 */
#ifndef BERTH_RUNNER_NET_H
#define BERTH_RUNNER_NET_H

#include "runner/work.h"

/* Slots change under the exclusive lock; who relies on one until a task's record says so holds the
 * shared one. Goes with the descriptor. */
int net_lock(const struct instance *in, bool exclusive, int *ret_fd, struct err *err);
/* The project's slot, or NOT_FOUND. */
int net_slot(const struct instance *in, uint64_t project, unsigned *ret_slot, struct err *err);
/* CONFLICT unless the address is one of the slot's that tasks may have. */
int net_check_address(const struct instance *in, unsigned slot, const char *address,
                      struct err *err);
/* Gives the container of this PID its eth0. */
int net_attach(const struct instance *in, unsigned slot, const char *address, pid_t pid,
               struct err *err);
/* What a reboot has taken: bridges and rules of all slots that are in use. */
int net_restore(const struct instance *in, struct err *err);
/* Removes the bridges, the rules and all slots: the instance is taken down. */
int net_clear(const struct instance *in, struct err *err);

#endif
