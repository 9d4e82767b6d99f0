/*
 * hosts: whom a Host header means. The console has the instance's domain, localhost and any
 * address; a notebook has ID.DOMAIN or ID.localhost; everything else is nobody's here (421), so
 * that no foreign name can be pointed at us (DNS rebinding). Pure.
 */
#ifndef BERTH_GATEWAY_HOSTS_H
#define BERTH_GATEWAY_HOSTS_H

#include <stdint.h>

enum host_kind { HOST_UNKNOWN, HOST_CONSOLE, HOST_NOTEBOOK };

struct host {
    enum host_kind kind;
    uint64_t route;      /* HOST_NOTEBOOK: the workload's id */
    char authority[272]; /* lower case, with its port when it had one: "localhost:8443" */
};

/* text may be NULL. */
void host_classify(const char *text, const char *domain, struct host *ret);

#endif
