/* berth-sim: the scheduler on traces, in virtual time. */
#include <stdio.h>
#include "base/str.h"
#include "sim/sim.h"

static const struct {
    const char *name, *help;
    int (*run)(int argc, char **argv, struct buf *out, struct err *err);
} commands[] = {
    {"place", "put pods one by one onto a cluster and tell how much of its GPUs got used",
     sim_place},
    {"replay", "run a trace of jobs and tell how long they took", sim_replay},
    {"fuzz", "random clusters and faults; tells the first broken promise", sim_fuzz},
    {"bench", "how fast one pass is on a large cluster", sim_bench},
};

static int usage(void)
{
    fputs("usage: berth-sim COMMAND [--OPTION VALUE]...\n", stderr);
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        fprintf(stderr, "  %-8s %s\n", commands[i].name, commands[i].help);
    return berr_exit(BERR_INVALID);
}

int main(int argc, char **argv)
{
    struct err err = {0};
    struct buf out = BUF(64u << 20);
    for (size_t i = 0; argc > 1 && i < ARRAY_LEN(commands); i++) {
        if (!str_is_equal(argv[1], commands[i].name))
            continue;
        int rc = commands[i].run(argc - 2, argv + 2, &out, &err);
        if (rc == 0 && buf_is_failed(&out))
            rc = err_set(&err, BERR_NOMEM, "out of memory");
        fputs(buf_str(&out), stdout);
        buf_done(&out);
        if (rc == 0)
            return 0;
        fprintf(stderr, "berth-sim %s: %s\n", commands[i].name, err.text);
        if (err.hint[0] != '\0')
            fprintf(stderr, "  %s\n", err.hint);
        return berr_exit(err.code);
    }
    return usage();
}
