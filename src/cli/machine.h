/*
 * machine: berth on this machine — up.c, down.c, doctor.c; their rows are in cmd_machine.c.
 */
#ifndef BERTH_CLI_MACHINE_H
#define BERTH_CLI_MACHINE_H

#include "cli/cli.h"

int cli_run_up(struct cli *cli, struct err *err);
int cli_run_down(struct cli *cli, struct err *err);
int cli_run_doctor(struct cli *cli, struct err *err);

/* FORBIDDEN unless we are root. */
int cli_need_root(const char *what, struct err *err);

/* Oldest kernel that id-maps an overlay's layers (5.19). */
#define CLI_KERNEL_MAJOR 5
#define CLI_KERNEL_MINOR 19
bool cli_kernel_is_enough(const char *release);

#endif
