/*
 * choose: a network and a range of user ids that nobody else uses. The tag (a digest of the data
 * directory) says where to look first, so that an instance gets the same again.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cli/local.h"

#define NETWORKS 254 /* 10.1.0.0/16 to 10.254.0.0/16 */

static unsigned start_of(const char *tag, unsigned slots)
{
    return (unsigned)(strtoul(tag, NULL, 16) % slots);
}

bool cli_overlaps(uint32_t network, const struct cli_net_range *r)
{
    unsigned prefix = r->prefix < 16 ? r->prefix : 16;
    uint32_t mask = prefix ? ~0u << (32 - prefix) : 0;
    return (network & mask) == (r->address & mask);
}

/* Wide routes (10.0.0.0/8 of a company's network) are avoided when anything else is left, and
 * taken a piece of otherwise: a /16 of our own goes before them in the routing table. */
static bool find_network(const char *tag, const struct cli_net_range *used, size_t count,
                         unsigned widest_prefix, uint32_t *ret)
{
    unsigned first = start_of(tag, NETWORKS);
    for (unsigned i = 0; i < NETWORKS; i++) {
        uint32_t network = 10u << 24 | (1 + (first + i) % NETWORKS) << 16;
        bool is_free = true;
        for (size_t k = 0; k < count && is_free; k++)
            is_free = used[k].prefix < widest_prefix || !cli_overlaps(network, &used[k]);
        if (is_free) {
            *ret = network;
            return true;
        }
    }
    return false;
}

int cli_choose_network(const char *tag, const struct cli_net_range *used, size_t count,
                       uint32_t *ret, struct err *err)
{
    if (find_network(tag, used, count, 0, ret) || find_network(tag, used, count, 16, ret))
        return 0;
    err_set(err, BERR_CONFLICT, "every network 10.X.0.0/16 is in use on this machine");
    return err_hint(err, "see `ip route`; berth needs one of them for its tasks");
}

int cli_choose_uids(const char *tag, const uint64_t *used, size_t count, uint64_t *ret,
                    struct err *err)
{
    unsigned first = start_of(tag, CLI_UID_SLOTS);
    for (unsigned i = 0; i < CLI_UID_SLOTS; i++) {
        uint64_t base = CLI_UID_FIRST + (uint64_t)((first + i) % CLI_UID_SLOTS) * CLI_UID_COUNT;
        bool is_free = true;
        for (size_t k = 0; k < count && is_free; k++)
            is_free = base + CLI_UID_COUNT <= used[k] || used[k] + CLI_UID_COUNT <= base;
        if (is_free) {
            *ret = base;
            return 0;
        }
    }
    return err_set(err, BERR_CONFLICT, "no range of user ids is free");
}

size_t cli_parse_routes(const char *text, struct cli_net_range *ranges, size_t count, size_t max)
{
    /* Iface Destination Gateway Flags RefCnt Use Metric Mask …, addresses in hex as they lie in
     * memory: the lowest byte is the first. */
    for (const char *line = text; line && *line && count < max;) {
        unsigned destination, mask;
        if (sscanf(line, "%*s %8x %*s %*s %*s %*s %*s %8x", &destination, &mask) == 2 && mask) {
            ranges[count++] = (struct cli_net_range){
                .address = __builtin_bswap32(destination),
                .prefix = (unsigned)__builtin_popcount(mask),
            };
        }
        line = strchr(line, '\n');
        line = line ? line + 1 : NULL;
    }
    return count;
}
