#include "init/conf.h"
#include <stdio.h>
#include <string.h>

static void line_take(struct conf *c, char *line)
{
    char *value = strchr(line, ' ');
    if (value == NULL)
        return;
    *value++ = '\0';
    if (strcmp(line, "user") == 0) {
        c->user = value;
    } else if (strcmp(line, "hostname") == 0) {
        c->hostname = value;
    } else if (strcmp(line, "workdir") == 0) {
        c->workdir = value;
    } else if (strcmp(line, "dns") == 0) {
        if (c->dns_count < CONF_DNS_MAX)
            c->dns[c->dns_count++] = value;
    } else if (strcmp(line, "host") == 0) {
        char *name = strchr(value, ' ');
        if (name == NULL || c->host_count == CONF_HOSTS_MAX)
            return;
        *name++ = '\0';
        c->hosts[c->host_count++] = (struct conf_host){value, name};
    }
}

int conf_parse(char *text, struct conf *ret)
{
    struct conf *c = ret;
    memset(c, 0, sizeof(*c));
    while (text != NULL && *text != '\0') {
        char *end = strchr(text, '\n');
        if (end != NULL)
            *end++ = '\0';
        line_take(c, text);
        text = end;
    }
    if (c->user == NULL || c->hostname == NULL)
        return -1;
    snprintf(c->home, sizeof(c->home), "/home/%s", c->user);
    if (c->workdir == NULL)
        c->workdir = c->home;
    return 0;
}
