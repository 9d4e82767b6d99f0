/*
 * config: what the command line and DIR/instance.json say. Values; one thread at start.
 */
#ifndef BERTH_GATEWAY_CONFIG_H
#define BERTH_GATEWAY_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "base/log.h"

#define GW_PATH_MAX     1024
#define GW_USER_DEFAULT "berth-gateway"

struct gw_config {
    char data[GW_PATH_MAX]; /* DIR */
    char host[64];          /* numeric, without brackets */
    uint16_t port;
    bool plain;           /* no TLS; only on a loopback address */
    bool own_certificate; /* --cert: not the self-made one */
    char cert[GW_PATH_MAX], key[GW_PATH_MAX];
    char domain[256]; /* lower case */
    char user[64];    /* to become when started as root */
    char api_socket[GW_PATH_MAX], control_socket[GW_PATH_MAX];
    enum log_level log_level;
    size_t files_max; /* open at once; set by main */
};

extern const char gw_config_usage[];

/* Options first, then instance.json where they say nothing, then defaults. INVALID with a hint.
 * *ret_help: --help was asked for and nothing else matters. */
int gw_config_read(int argc, char *const *argv, struct gw_config *ret, bool *ret_help,
                   struct err *err);

#endif
