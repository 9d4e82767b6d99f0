/*
 * hosts: names by their ending.
 */
#include "gateway/hosts.h"
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include "base/id.h"
#include "base/str.h"
#include "http/url.h"

static bool is_address(const char *name)
{
    struct in6_addr unused;
    return inet_pton(AF_INET, name, &unused) == 1 || inet_pton(AF_INET6, name, &unused) == 1;
}

/* "ID.suffix" */
static bool is_below(const char *name, const char *suffix, uint64_t *ret)
{
    char label[ID_TEXT_SIZE];
    if (strlen(name) != ID_TEXT_LEN + 1 + strlen(suffix) || name[ID_TEXT_LEN] != '.' ||
        !str_is_equal(name + ID_TEXT_LEN + 1, suffix))
        return false;
    memcpy(label, name, ID_TEXT_LEN);
    label[ID_TEXT_LEN] = '\0';
    return id_parse(label, ret);
}

void host_classify(const char *text, const char *domain, struct host *ret)
{
    char name[256];
    uint16_t port = 0;
    *ret = (struct host){.kind = HOST_UNKNOWN};
    if (!text || url_parse_authority(text, name, &port, NULL) < 0)
        return;
    if (is_below(name, domain, &ret->route) || is_below(name, "localhost", &ret->route))
        ret->kind = HOST_NOTEBOOK;
    else if (str_is_equal(name, "localhost") || str_is_equal(name, domain) || is_address(name))
        ret->kind = HOST_CONSOLE;
    int n = (int)strlen(name);
    if (strchr(name, ':'))
        n = snprintf(ret->authority, sizeof(ret->authority), "[%s]", name);
    else
        memcpy(ret->authority, name, (size_t)n + 1);
    if (port)
        snprintf(ret->authority + n, sizeof(ret->authority) - (size_t)n, ":%u", port);
}
