/*
 * berth-gateway: see gateway.h. Reads its key and binds its port as whoever started it, then becomes
 * the user without rights before it reads a byte of the outside.
 */
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/log.h"
#include "gateway/gateway.h"
#include "gateway/privileges.h"
#include "os/clock.h"

static void on_signal(void *arg, int signum)
{
    (void)signum;
    ev_loop_stop(arg);
}

static int fail(const struct err *err)
{
    log_err(LOG_ERROR, err, "berth-gateway cannot start", NULL);
    if (isatty(2))
        fprintf(stderr, "berth-gateway: %s%s%s\n", err->text, err->hint[0] ? "\n  " : "",
                err->hint);
    return berr_exit(err->code);
}

static int run(const struct gw_config *cfg, struct err *err)
{
    struct ev_loop *loop = NULL;
    struct gateway *gw = NULL;
    int rc = ev_loop_new(&loop, err);
    if (rc == 0)
        rc = gateway_new(loop, cfg, os_clock_real(), &gw, err);
    if (rc == 0)
        rc = privileges_drop(cfg->user, err);
    if (rc == 0)
        rc = ev_signal(loop, SIGTERM, on_signal, loop, err);
    if (rc == 0)
        rc = ev_signal(loop, SIGINT, on_signal, loop, err);
    if (rc == 0)
        rc = gateway_start(gw, err);
    if (rc == 0) {
        log_info("listening", "address", cfg->host, "scheme", cfg->plain ? "http" : "https", NULL);
        ev_loop_run(loop);
        log_info("stopped", NULL);
    }
    gateway_free(gw);
    ev_loop_free(loop);
    return rc;
}

int main(int argc, char **argv)
{
    umask(022); /* modes that are written here are meant, whoever started us */
    struct gw_config cfg;
    struct err err = {0};
    bool help = false;
    log_open(2, "berth-gateway", LOG_INFO, false);
    if (gw_config_read(argc, argv, &cfg, &help, &err) < 0)
        return fail(&err);
    if (help) {
        fputs(gw_config_usage, stdout);
        return 0;
    }
    log_open(2, "berth-gateway", cfg.log_level, false);
    cfg.files_max = privileges_raise_files();
    return run(&cfg, &err) < 0 ? fail(&err) : 0;
}
