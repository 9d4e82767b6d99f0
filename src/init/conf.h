/*
 * conf: what the runner tells berth-init, one word and its value a line, on descriptor CONF_FD:
 *
 *     user ada            name of uid and gid 1000
 *     hostname worker-0
 *     workdir /code       absent: the home
 *     host 10.7.4.2 worker-0      once for each task of the attempt
 *     dns 192.0.2.53              once for each nameserver
 *
 * The runner has checked every value; unknown words are skipped, so that either may be newer.
 * A conf keeps pointers into the text it was parsed from.
 */
#ifndef BERTH_INIT_CONF_H
#define BERTH_INIT_CONF_H

#include <stddef.h>

#define CONF_REPORT_FD 3
#define CONF_FD        4
#define CONF_BYTES_MAX (256 * 1024)
#define CONF_HOSTS_MAX 1024
#define CONF_DNS_MAX   8
#define CONF_UID       1000

struct conf_host {
    const char *address, *name;
};

struct conf {
    const char *user, *hostname, *workdir;
    char home[80];
    struct conf_host hosts[CONF_HOSTS_MAX];
    size_t host_count;
    const char *dns[CONF_DNS_MAX];
    size_t dns_count;
};

/* Cuts text into pieces. -1 when there is no user or no hostname. */
int conf_parse(char *text, struct conf *ret);

#endif
