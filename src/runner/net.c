#include "runner/net.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>
#include "base/alloc.h"
#include "base/str.h"
#include "js/js.h"
#include "os/link.h"
#include "os/nft.h"
#include "runner/files.h"
#include "runner/record.h"
#include "runner/tasks_on_disk.h"

#define PREFIX 22

struct slot {
    bool used;
    uint64_t project;
    bool internet;
};

struct slots {
    struct slot items[WIRE_SLOTS];
};

static uint32_t slot_network(const struct instance *in, unsigned slot)
{
    return in->network + slot * WIRE_SLOT_ADDRESSES;
}

static const char *bridge_name(char dst[16], const struct instance *in, unsigned slot)
{
    snprintf(dst, 16, "b%s%u", in->tag, slot);
    return dst;
}

/* ---- slots on disk ---- */

static int slots_load(const struct instance *in, struct slots *ret, struct err *err)
{
    *ret = (struct slots){0};
    for (unsigned i = 0; i < WIRE_SLOTS; i++) {
        char name[16];
        cleanup(buf_done) struct buf text = BUF(4096);
        cleanup(js_doc_freep) struct js_doc *doc = NULL;
        snprintf(name, sizeof(name), "%u.json", i);
        int rc = file_read(in->nets_fd, name, &text, err);
        if (rc == -BERR_NOT_FOUND)
            continue;
        if (rc == 0)
            rc = js_parse_json(text.data, text.len, &doc, err);
        if (rc != 0)
            return err_wrap(err, rc, "nets/%s", name);
        struct slot *s = &ret->items[i];
        s->project = js_get_id(js_root(doc), "project");
        s->internet = js_get_bool(js_root(doc), "internet", false);
        s->used = s->project != 0;
    }
    return 0;
}

static int slot_save(const struct instance *in, unsigned i, const struct slot *s, struct err *err)
{
    char name[16];
    cleanup(buf_done) struct buf text = BUF(4096);
    struct js_writer w;
    snprintf(name, sizeof(name), "%u.json", i);
    if (!s->used)
        return tree_remove(in->nets_fd, name, err);
    js_w_init(&w, &text);
    js_w_object(&w, NULL);
    js_w_id(&w, "project", s->project);
    js_w_bool(&w, "internet", s->internet);
    js_w_end_object(&w);
    return file_write(in->nets_fd, name, text.data, text.len, 0600, true, err);
}

int net_slot(const struct instance *in, uint64_t project, unsigned *ret_slot, struct err *err)
{
    struct slots slots;
    int rc = slots_load(in, &slots, err);
    if (rc != 0)
        return rc;
    for (unsigned i = 0; i < WIRE_SLOTS; i++) {
        if (slots.items[i].used && slots.items[i].project == project) {
            *ret_slot = i;
            return 0;
        }
    }
    return err_set(err, BERR_NOT_FOUND, "the project has no network on this machine yet");
}

int net_lock(const struct instance *in, bool exclusive, int *ret_fd, struct err *err)
{
    cleanup(fd_closep) int fd = -1;
    int rc = dir_open(in->nets_fd, ".", &fd, err);
    if (rc != 0)
        return rc;
    while (flock(fd, exclusive ? LOCK_EX : LOCK_SH) != 0) {
        if (errno != EINTR)
            return err_errno(err, errno, "cannot lock the networks");
    }
    *ret_fd = TAKE_FD(fd);
    return 0;
}

/* ---- rules ---- */

static bool has_internet(const struct slots *slots)
{
    for (unsigned i = 0; i < WIRE_SLOTS; i++) {
        if (slots->items[i].used && slots->items[i].internet)
            return true;
    }
    return false;
}

static void rules_write(const struct instance *in, const struct slots *slots, struct buf *out)
{
    char net[16];
    const char *tag = in->tag;
    /* Declared, emptied and filled in one transaction: there is no moment without rules. */
    buf_printf(out, "table inet berth_%s {}\ndelete table inet berth_%s\n", tag, tag);
    buf_printf(out, "table inet berth_%s {\n", tag);
    buf_puts(out, " set same { type ifname . ifname; }\n set internet { type ifname; }\n");
    buf_puts(out, " chain from_task {\n  ct state established,related accept\n"
                  "  iifname . oifname @same accept\n  meta nfproto ipv6 drop\n"
                  "  ip daddr 169.254.0.0/16 drop\n");
    buf_printf(out, "  ip daddr %s/16 drop\n", os_ipv4_format(net, in->network));
    buf_printf(out, "  iifname @internet oifname != \"b%s*\" accept\n  drop\n }\n", tag);
    buf_puts(out, " chain to_task { ct state established,related accept; "
                  "iifname . oifname @same accept; drop; }\n");
    buf_puts(out, " chain to_host { ct state established,related accept; drop; }\n");
    buf_printf(out,
               " chain forward { type filter hook forward priority -5; policy accept;\n"
               "  iifname \"b%s*\" jump from_task\n  oifname \"b%s*\" jump to_task\n }\n",
               tag, tag);
    buf_printf(out,
               " chain input { type filter hook input priority -5; policy accept;\n"
               "  iifname \"b%s*\" jump to_host\n }\n",
               tag);
    if (has_internet(slots)) /* kernels without NAT can do the rest */
        buf_printf(out,
                   " chain post { type nat hook postrouting priority 100; policy accept;\n"
                   "  ip saddr %s/16 oifname != \"b%s*\" masquerade\n }\n",
                   net, tag);
    buf_puts(out, "}\n");
    for (unsigned i = 0; i < WIRE_SLOTS; i++) {
        char name[16];
        if (!slots->items[i].used)
            continue;
        bridge_name(name, in, i);
        buf_printf(out, "add element inet berth_%s same { %s . %s }\n", tag, name, name);
        if (slots->items[i].internet)
            buf_printf(out, "add element inet berth_%s internet { %s }\n", tag, name);
    }
}

static int rules_set(const struct instance *in, const struct slots *slots, struct err *err)
{
    cleanup(buf_done) struct buf rules = BUF(64 * 1024);
    rules_write(in, slots, &rules);
    if (buf_is_failed(&rules))
        return err_set(err, BERR_NOMEM, "no memory for the network's rules");
    return os_nft_run(rules.data, err);
}

/* ---- bridges ---- */

static void sysctl_write(const char *path, const char *value)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return; /* a kernel without it needs no setting */
    (void)!write(fd, value, strlen(value));
    close(fd);
}

static void bridge_sysctl(const char *version, const char *bridge, const char *name,
                          const char *value)
{
    char path[128];
    snprintf(path, sizeof(path), "/proc/sys/net/%s/conf/%s/%s", version, bridge, name);
    sysctl_write(path, value);
}

static int bridge_make(const struct instance *in, unsigned i, const struct slot *s, struct err *err)
{
    char name[16];
    bridge_name(name, in, i);
    int rc = os_link_bridge(name, slot_network(in, i) + 1, PREFIX, err);
    if (rc != 0)
        return rc;
    bridge_sysctl("ipv6", name, "disable_ipv6", "1");
    /* A task that takes an address of another network is not heard. */
    bridge_sysctl("ipv4", name, "rp_filter", "1");
    if (s->internet)
        sysctl_write("/proc/sys/net/ipv4/ip_forward", "1");
    return 0;
}

int net_restore(const struct instance *in, struct err *err)
{
    struct slots slots;
    int rc = slots_load(in, &slots, err);
    if (rc == 0)
        rc = rules_set(in, &slots, err);
    for (unsigned i = 0; rc == 0 && i < WIRE_SLOTS; i++) {
        if (slots.items[i].used)
            rc = bridge_make(in, i, &slots.items[i], err);
    }
    return rc;
}

int net_clear(const struct instance *in, struct err *err)
{
    char name[16], rules[128];
    int rc = 0;
    for (unsigned i = 0; rc == 0 && i < WIRE_SLOTS; i++) {
        struct slot none = {0};
        rc = os_link_remove(bridge_name(name, in, i), err);
        if (rc == 0)
            rc = slot_save(in, i, &none, err);
    }
    snprintf(rules, sizeof(rules), "table inet berth_%s {}\ndelete table inet berth_%s\n", in->tag,
             in->tag);
    return rc != 0 ? rc : os_nft_run(rules, err);
}

/* ---- the verb ---- */

/* One whose project has no task here, so that its network and ids are free of others. */
static int slot_choose(const struct instance *in, const struct slots *slots, uint64_t want,
                       unsigned *ret, struct err *err)
{
    for (unsigned n = 0; n < 2 * WIRE_SLOTS; n++) {
        unsigned i = (unsigned)((want + n) % WIRE_SLOTS);
        const struct slot *s = &slots->items[i];
        bool is_second_round = n >= WIRE_SLOTS;
        if (!s->used || (is_second_round && !tasks_on_disk(in, s->project))) {
            *ret = i;
            return 0;
        }
    }
    return err_set(err, BERR_BUSY, "all %d project networks of this machine are in use",
                   WIRE_SLOTS);
}

static int slot_give_back(const struct instance *in, struct slots *slots, unsigned i,
                          struct err *err)
{
    char name[16];
    if (tasks_on_disk(in, slots->items[i].project))
        return err_set(err, BERR_BUSY, "the project has tasks on this machine");
    slots->items[i] = (struct slot){0};
    int rc = slot_save(in, i, &slots->items[i], err);
    if (rc == 0)
        rc = os_link_remove(bridge_name(name, in, i), err);
    return rc == 0 ? rules_set(in, slots, err) : rc;
}

int work_net_project(const struct work *w, const void *args, void *reply, struct err *err)
{
    const struct instance *in = w->in;
    const struct wire_net_project *want = args;
    struct wire_net *net = reply;
    struct slots slots;
    char network[16], gateway[16];
    unsigned i = 0;
    cleanup(fd_closep) int lock = -1;
    int rc = net_lock(in, true, &lock, err);
    if (rc == 0)
        rc = slots_load(in, &slots, err);
    if (rc != 0)
        return rc;
    bool is_new = net_slot(in, want->project, &i, NULL) != 0;
    if (is_new && !want->remove)
        rc = slot_choose(in, &slots, want->want, &i, err);
    if (rc != 0)
        return rc;
    if (want->remove) {
        rc = is_new ? 0 : slot_give_back(in, &slots, i, err);
        net->network = net->gateway = "";
        return rc;
    }
    struct slot *s = &slots.items[i], slot = {true, want->project, want->internet};
    char name[16];
    bool is_same =
        !is_new && s->internet == slot.internet && os_link_exists(bridge_name(name, in, i));
    *s = slot;
    if (!is_same) {
        rc = slot_save(in, i, s, err);
        if (rc == 0)
            rc = rules_set(in, &slots, err); /* before the bridge, so that none is without */
        if (rc == 0)
            rc = bridge_make(in, i, s, err);
        if (rc != 0)
            return rc;
    }
    net->slot = i;
    os_ipv4_format(network, slot_network(in, i));
    net->network = arena_printf(w->arena, "%s/%d", network, PREFIX);
    net->gateway = arena_strdup(w->arena, os_ipv4_format(gateway, slot_network(in, i) + 1));
    if (net->network == NULL || net->gateway == NULL)
        return err_set(err, BERR_NOMEM, "no memory for a reply");
    return 0;
}

/* ---- tasks ---- */

int net_check_address(const struct instance *in, unsigned slot, const char *address,
                      struct err *err)
{
    uint32_t a = 0;
    if (!os_ipv4_parse(address, &a))
        return err_set(err, BERR_INVALID, "%s is no address", address);
    uint32_t host = a - slot_network(in, slot);
    if (a < slot_network(in, slot) || host < 2 || host > WIRE_SLOT_ADDRESSES - 2)
        return err_set(err, BERR_CONFLICT, "%s is not in the project's network", address);
    return 0;
}

int net_attach(const struct instance *in, unsigned slot, const char *address, pid_t pid,
               struct err *err)
{
    char path[64], bridge[16], veth[16];
    uint32_t a = 0;
    snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
    cleanup(fd_closep) int netns = open(path, O_RDONLY | O_CLOEXEC);
    if (netns < 0 || !os_ipv4_parse(address, &a))
        return err_errno(err, errno, "cannot open the task's network");
    veth_of_task(veth, in, address);
    /* Left by a task that is dead but whose namespace the kernel has not taken down yet. */
    int rc = os_link_remove(veth, err);
    if (rc == 0)
        rc = os_link_veth(veth, bridge_name(bridge, in, slot), "eth0", netns, a, err);
    if (rc != 0)
        return rc;
    /* The worker moves into the task's network; it has nothing to do in the host's any more. */
    if (setns(netns, CLONE_NEWNET) != 0)
        return err_errno(err, errno, "cannot enter the task's network");
    sysctl_write("/proc/sys/net/ipv6/conf/all/disable_ipv6", "1");
    sysctl_write("/proc/sys/net/ipv4/ping_group_range",
                 "0 2147483647"); /* ping without raw sockets */
    rc = os_link_configure("lo", 0, 0, 0, err);
    return rc != 0 ? rc : os_link_configure("eth0", a, PREFIX, slot_network(in, slot) + 1, err);
}
