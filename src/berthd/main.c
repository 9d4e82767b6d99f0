/*
 * berthd: options, then the loop.
 */
#include <getopt.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/log.h"
#include "base/str.h"
#include "berthd/wiring.h"

static int usage(const char *why, const char *what)
{
    fprintf(stderr,
            "berthd: %s%s\nusage: berthd --data DIR [--engine local|fake] [--log-level "
            "debug|info|warn|error]\n",
            why, what ? what : "");
    return berr_exit(BERR_INVALID);
}

int main(int argc, char **argv)
{
    umask(022); /* modes that are written here are meant, whoever started us */
    static const struct option longs[] = {
        {"data", required_argument, NULL, 'd'},
        {"engine", required_argument, NULL, 'e'},
        {"log-level", required_argument, NULL, 'l'},
        {NULL, 0, NULL, 0},
    };
    struct berthd_options opt = {.engine = "local"};
    enum log_level level = LOG_INFO;
    for (int c; (c = getopt_long(argc, argv, "", longs, NULL)) != -1;) {
        if (c == 'd')
            opt.data_dir = optarg;
        else if (c == 'e')
            opt.engine = optarg;
        else if (c != 'l' || !log_level_parse(optarg, &level))
            return usage("unknown option or level", NULL);
    }
    if (!opt.data_dir)
        return usage("--data is needed", NULL);
    if (!engine_find(opt.engine))
        return usage("there is no engine ", opt.engine);
    log_open(STDERR_FILENO, "berthd", level, isatty(STDERR_FILENO));

    struct berthd d;
    struct err err = {0};
    if (berthd_init(&d, &opt, &err) < 0) {
        log_err(LOG_ERROR, &err, "berthd could not start", NULL);
        berthd_done(&d);
        return berr_exit(err.code);
    }
    berthd_run(&d);
    int code = d.exit_code;
    if (code) /* what could not be written is not waited for */
        _exit(code);
    berthd_done(&d);
    return 0;
}
