/*
 * os/link: network devices and addresses, by rtnetlink. Addresses are IPv4 in host byte order.
 * Works in the calling process's network namespace unless said otherwise; needs CAP_NET_ADMIN.
 * One thread.
 *
 * Hardware addresses of bridges and peers follow from their IPv4 addresses: what neighbours remember
 * of an address stays true when another device takes it over, or when a bridge gets a new port.
 */
#ifndef BERTH_OS_LINK_H
#define BERTH_OS_LINK_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"

bool os_link_exists(const char *name);
/* Makes the bridge with its address and brings it up; one that is there is brought to that state. */
int os_link_bridge(const char *name, uint32_t address, unsigned prefix, struct err *err);
/* A pair: `name` here, a port of the bridge and up; `peer` in the namespace of netns_fd, down and
 * without `address` as yet. */
int os_link_veth(const char *name, const char *bridge, const char *peer, int netns_fd,
                 uint32_t address, struct err *err);
/* Brings a device up with an address, and a default route when gateway is not 0. */
int os_link_configure(const char *name, uint32_t address, unsigned prefix, uint32_t gateway,
                      struct err *err);
/* No such device: done. */
int os_link_remove(const char *name, struct err *err);

const char *os_ipv4_format(char dst[16], uint32_t address);
bool os_ipv4_parse(const char *s, uint32_t *ret);

#endif
