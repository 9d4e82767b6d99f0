/*
 * machine: the commands about berth on this machine.
 */
#include "cli/machine.h"

static const struct cli_option up_options[] = {
    {"data", 0, CLI_TEXT, "DIR", NULL, "where everything is kept (default /var/lib/berth)"},
    {"listen", 0, CLI_TEXT, "ADDR:PORT", NULL, "default 127.0.0.1:8443"},
    {"plain", 0, CLI_FLAG, NULL, NULL, "HTTP without TLS; on loopback only"},
    {"domain", 0, CLI_TEXT, "NAME", NULL,
     "of the console, with a wildcard below it for notebooks "
     "(default localhost)"},
    {"log-level", 0, CLI_TEXT, "LEVEL", "debug info warn error", "of the daemons"},
    {"engine", 0, CLI_TEXT, "NAME", "local fake", "what runs tasks; fake runs none (for trying)"},
    {"prepare", 0, CLI_FLAG, NULL, NULL, "only make what is missing: systemd starts the daemons"},
};
static const struct cli_option down_options[] = {
    {"data", 0, CLI_TEXT, "DIR", NULL, "which berth (default /var/lib/berth)"},
    {"purge", 0, CLI_FLAG, NULL, NULL, "remove the data directory too: users, volumes, everything"},
    {"keep-running", 0, CLI_FLAG, NULL, NULL, "leave jobs and notebooks alive"},
};
static const struct cli_option doctor_options[] = {
    {"data", 0, CLI_TEXT, "DIR", NULL, "which berth (default /var/lib/berth)"},
};

const struct cli_command cli_machine_commands[] = {
    {"up", NULL, "start berth on this machine, in the background",
     "Makes what is missing: the system users berth and berth-gateway, the data directory, a\n"
     "certificate. What runs already is left alone; what was killed is started again. Prints the\n"
     "address, and on the very first start the first login.",
     up_options, ARRAY_LEN(up_options), cli_run_up},
    {"down", NULL, "stop berth on this machine, with all it runs",
     "Jobs and notebooks are ended; their logs and volumes stay.", down_options,
     ARRAY_LEN(down_options), cli_run_down},
    {"doctor", NULL, "what this machine can and can't do, and how to mend it",
     "Ends with 1 when a check fails. Everything that it tries is undone at once.", doctor_options,
     ARRAY_LEN(doctor_options), cli_run_doctor},
};
const size_t cli_machine_command_count = ARRAY_LEN(cli_machine_commands);
