#include "os/link.h"
#include <arpa/inet.h>
#include <linux/if.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/route/link/bridge.h>
#include <netlink/route/link/veth.h>
#include <netlink/route/nexthop.h>
#include <netlink/route/route.h>
#include "base/alloc.h"

extern unsigned if_nametoindex(const char *name); /* <net/if.h> and <linux/if.h> clash */

static void sock_freep(struct nl_sock **sock)
{
    if (*sock != NULL)
        nl_socket_free(*sock);
}

static int fail(struct err *err, int nl_rc, const char *what, const char *name)
{
    enum berr code = nl_rc == -NLE_EXIST   ? BERR_CONFLICT
                     : nl_rc == -NLE_NOMEM ? BERR_NOMEM
                     : nl_rc == -NLE_PERM  ? BERR_FORBIDDEN
                                           : BERR_IO;
    return err_set(err, code, "cannot %s %s: %s", what, name, nl_geterror(nl_rc));
}

static int sock_open(struct nl_sock **ret, struct err *err)
{
    struct nl_sock *sock = nl_socket_alloc();
    if (sock == NULL)
        return err_set(err, BERR_NOMEM, "no memory for a netlink socket");
    int rc = nl_connect(sock, NETLINK_ROUTE);
    if (rc < 0) {
        nl_socket_free(sock);
        return fail(err, rc, "open", "netlink");
    }
    *ret = sock;
    return 0;
}

bool os_link_exists(const char *name)
{
    return if_nametoindex(name) != 0;
}

static struct nl_addr *hardware_make(uint32_t address)
{
    const unsigned char mac[6] = {0x02,
                                  0xbe,
                                  (unsigned char)(address >> 24),
                                  (unsigned char)(address >> 16),
                                  (unsigned char)(address >> 8),
                                  (unsigned char)address};
    return nl_addr_build(AF_LLC, mac, sizeof(mac));
}

static int link_up(struct nl_sock *sock, const char *name, struct nl_addr *hardware,
                   struct err *err)
{
    struct rtnl_link *which = rtnl_link_alloc(), *change = rtnl_link_alloc();
    int rc = -NLE_NOMEM;
    if (which != NULL && change != NULL) {
        rtnl_link_set_ifindex(which, (int)if_nametoindex(name));
        rtnl_link_set_flags(change, IFF_UP);
        if (hardware != NULL)
            rtnl_link_set_addr(change, hardware);
        rc = rtnl_link_change(sock, which, change, 0);
    }
    rtnl_link_put(which);
    rtnl_link_put(change);
    return rc < 0 ? fail(err, rc, "bring up", name) : 0;
}

static struct nl_addr *addr_make(uint32_t address, unsigned prefix)
{
    uint32_t be = htonl(address);
    struct nl_addr *a = nl_addr_build(AF_INET, &be, sizeof(be));
    if (a != NULL)
        nl_addr_set_prefixlen(a, (int)prefix);
    return a;
}

static int addr_add(struct nl_sock *sock, const char *name, uint32_t address, unsigned prefix,
                    struct err *err)
{
    struct rtnl_addr *addr = rtnl_addr_alloc();
    struct nl_addr *local = addr_make(address, prefix);
    int rc = -NLE_NOMEM;
    if (addr != NULL && local != NULL) {
        rtnl_addr_set_ifindex(addr, (int)if_nametoindex(name));
        rc = rtnl_addr_set_local(addr, local);
        if (rc >= 0)
            rc = rtnl_addr_add(sock, addr, 0);
    }
    nl_addr_put(local);
    rtnl_addr_put(addr);
    return rc < 0 && rc != -NLE_EXIST ? fail(err, rc, "give an address to", name) : 0;
}

static int route_add(struct nl_sock *sock, const char *name, uint32_t gateway, struct err *err)
{
    struct rtnl_route *route = rtnl_route_alloc();
    struct rtnl_nexthop *hop = rtnl_route_nh_alloc();
    struct nl_addr *all = addr_make(0, 0), *via = addr_make(gateway, 32);
    int rc = -NLE_NOMEM;
    if (route != NULL && hop != NULL && all != NULL && via != NULL) {
        rtnl_route_set_dst(route, all);
        rtnl_route_nh_set_gateway(hop, via);
        rtnl_route_nh_set_ifindex(hop, (int)if_nametoindex(name));
        rtnl_route_add_nexthop(route, TAKE_PTR(hop));
        rc = rtnl_route_add(sock, route, 0);
    }
    nl_addr_put(all);
    nl_addr_put(via);
    if (hop != NULL)
        rtnl_route_nh_free(hop);
    rtnl_route_put(route);
    return rc < 0 && rc != -NLE_EXIST ? fail(err, rc, "add the route of", name) : 0;
}

int os_link_bridge(const char *name, uint32_t address, unsigned prefix, struct err *err)
{
    cleanup(sock_freep) struct nl_sock *sock = NULL;
    int rc = sock_open(&sock, err);
    if (rc != 0)
        return rc;
    if (!os_link_exists(name)) {
        rc = rtnl_link_bridge_add(sock, name);
        if (rc < 0 && rc != -NLE_EXIST)
            return fail(err, rc, "make the bridge", name);
    }
    struct nl_addr *hardware = hardware_make(address);
    if (hardware == NULL)
        return err_set(err, BERR_NOMEM, "no memory for a network device");
    rc = addr_add(sock, name, address, prefix, err);
    if (rc == 0)
        rc = link_up(sock, name, hardware, err);
    nl_addr_put(hardware);
    return rc;
}

int os_link_veth(const char *name, const char *bridge, const char *peer, int netns_fd,
                 uint32_t address, struct err *err)
{
    cleanup(sock_freep) struct nl_sock *sock = NULL;
    int rc = sock_open(&sock, err);
    if (rc != 0)
        return rc;
    int master = (int)if_nametoindex(bridge);
    struct rtnl_link *link = rtnl_link_veth_alloc();
    if (link == NULL)
        return err_set(err, BERR_NOMEM, "no memory for a network device");
    struct nl_addr *hardware = hardware_make(address);
    if (hardware == NULL) {
        rtnl_link_put(link);
        return err_set(err, BERR_NOMEM, "no memory for a network device");
    }
    struct rtnl_link *other = rtnl_link_veth_get_peer(link);
    rtnl_link_set_addr(other, hardware);
    rtnl_link_set_name(link, name);
    rtnl_link_set_master(link, master);
    rtnl_link_set_flags(link, IFF_UP);
    rtnl_link_set_name(other, peer);
    rtnl_link_set_ns_fd(other, netns_fd);
    rc = rtnl_link_add(sock, link, NLM_F_CREATE | NLM_F_EXCL);
    nl_addr_put(hardware);
    rtnl_link_put(other);
    rtnl_link_put(link);
    return rc < 0 ? fail(err, rc, "make the device", name) : 0;
}

int os_link_configure(const char *name, uint32_t address, unsigned prefix, uint32_t gateway,
                      struct err *err)
{
    cleanup(sock_freep) struct nl_sock *sock = NULL;
    int rc = sock_open(&sock, err);
    if (rc == 0 && address != 0)
        rc = addr_add(sock, name, address, prefix, err);
    if (rc == 0)
        rc = link_up(sock, name, NULL, err);
    if (rc == 0 && gateway != 0)
        rc = route_add(sock, name, gateway, err);
    return rc;
}

int os_link_remove(const char *name, struct err *err)
{
    cleanup(sock_freep) struct nl_sock *sock = NULL;
    if (!os_link_exists(name))
        return 0;
    int rc = sock_open(&sock, err);
    if (rc != 0)
        return rc;
    struct rtnl_link *link = rtnl_link_alloc();
    if (link == NULL)
        return err_set(err, BERR_NOMEM, "no memory for a network device");
    rtnl_link_set_name(link, name);
    rc = rtnl_link_delete(sock, link);
    rtnl_link_put(link);
    bool is_gone = rc >= 0 || rc == -NLE_NODEV || rc == -NLE_OBJ_NOTFOUND;
    return is_gone ? 0 : fail(err, rc, "remove the device", name);
}

const char *os_ipv4_format(char dst[16], uint32_t address)
{
    struct in_addr in = {.s_addr = htonl(address)};
    return inet_ntop(AF_INET, &in, dst, 16);
}

bool os_ipv4_parse(const char *s, uint32_t *ret)
{
    struct in_addr in;
    if (inet_pton(AF_INET, s, &in) != 1)
        return false;
    *ret = ntohl(in.s_addr);
    return true;
}
