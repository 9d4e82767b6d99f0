/*
 * local: the instance of berth on this machine — DATA/instance.json, written by `berth up` and read
 * by everybody:
 *
 *     {"schema": 1, "tag": "3fa901", "network": "10.77.0.0/16", "uid_base": 268435456,
 *      "listen": "127.0.0.1:8443", "plain": false, "domain": "localhost", "engine": "local"}
 *
 * Values; strings are inside. Any thread.
 */
#ifndef BERTH_CLI_LOCAL_H
#define BERTH_CLI_LOCAL_H

#include <stdbool.h>
#include <stdint.h>
#include "base/buf.h"
#include "base/err.h"

#define CLI_DATA_DEFAULT "/var/lib/berth"
#define CLI_SCHEMA       1
#define CLI_PATH_MAX     512

struct cli_instance {
    char data[CLI_PATH_MAX]; /* real path */
    int64_t schema;
    char tag[8];
    uint32_t network; /* host order; a /16 */
    uint64_t uid_base;
    char host[64]; /* numeric */
    uint16_t port;
    bool plain;
    char domain[256];
    char engine[16]; /* local, fake */
};

/* NOT_FOUND when there is none; INVALID; CONFLICT when it is of a newer version. */
int cli_instance_read(const char *data, struct cli_instance *ret, struct err *err);
void cli_instance_put(const struct cli_instance *in, struct buf *out);
/* "127.0.0.1:8443", "[::1]:8443" -> host and port. INVALID. */
int cli_instance_listen(const char *text, struct cli_instance *in, struct err *err);

/* "https://localhost:8443" as a browser of this machine would open it. */
void cli_instance_url(const struct cli_instance *in, char *dst, size_t size);
/* Whether a URL means this instance: a loopback name and its port. */
bool cli_instance_is_at(const struct cli_instance *in, const char *url);

/* --data, else BERTH_DATA, else the default. */
const char *cli_data_dir(const char *option);

/* ---- choosing what is free (choose.c; pure) ---- */

/* A network of the machine in use: first address and prefix length. */
struct cli_net_range {
    uint32_t address;
    unsigned prefix;
};
/* Whether a /16 and a network have addresses in common. */
bool cli_overlaps(uint32_t network, const struct cli_net_range *r);
/* The first free 10.X.0.0/16, beginning at a place that the tag gives. CONFLICT: none. */
int cli_choose_network(const char *tag, const struct cli_net_range *used, size_t count,
                       uint32_t *ret, struct err *err);
/* The same for ranges of user ids of CLI_UID_COUNT each. */
#define CLI_UID_FIRST 0x10000000u
#define CLI_UID_COUNT (65u * 65536u) /* layers and volumes, and 64 projects */
#define CLI_UID_SLOTS 900u
int cli_choose_uids(const char *tag, const uint64_t *used, size_t count, uint64_t *ret,
                    struct err *err);
/* Lines of /proc/net/route (IPv4): appends their networks, at most max; the default route is
 * none. Returns how many there are now. */
size_t cli_parse_routes(const char *text, struct cli_net_range *ranges, size_t count, size_t max);

#endif
