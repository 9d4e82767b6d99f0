/* What the runner has said in this connection and need not be asked before each attempt. */
#include "engine/local/state.h"

#include <arpa/inet.h>
#include <string.h>
#include "base/str.h"

/* "10.7.4.0/22" */
static bool network_parse(const char *text, uint32_t *ret_base, uint32_t *ret_count)
{
    char base[32];
    struct in_addr address;
    uint64_t bits;
    const char *slash = text == NULL ? NULL : strchr(text, '/');
    if (slash == NULL || (size_t)(slash - text) >= sizeof(base) ||
        !str_parse_u64(slash + 1, &bits) || bits < 16 || bits > 29)
        return false;
    memcpy(base, text, (size_t)(slash - text));
    base[slash - text] = '\0';
    if (inet_pton(AF_INET, base, &address) != 1)
        return false;
    *ret_base = ntohl(address.s_addr);
    *ret_count = 1u << (32 - bits);
    return true;
}

static struct local_net *net_find(struct engine *e, struct project_id project)
{
    for (size_t i = 0; i < e->nets.len; i++)
        if (e->nets.items[i].project.v == project.v)
            return &e->nets.items[i];
    return NULL;
}

int known_net_put(struct local_attempt *a, const struct wire_net *said,
                  const struct local_net **ret, struct err *err)
{
    struct local_net net = {.project = a->project, .internet = a->internet};
    if (!network_parse(said->network, &net.base, &net.count))
        return err_set(err, BERR_PROTOCOL, "the runner named no network");
    struct local_net *place = net_find(a->engine, a->project);
    if (place == NULL)
        place = vec_push(&a->engine->nets);
    if (place == NULL)
        return err_set(err, BERR_NOMEM, "no memory for a network");
    *place = net;
    *ret = place;
    return 0;
}

/* Does the runner have a task of this project, so that its network can't go to another? */
static bool has_task(const struct engine *e, struct project_id project)
{
    void *value;
    for (size_t i = 0; map_next(&e->attempts, &i, NULL, &value);) {
        const struct local_attempt *a = value;
        if (a->project.v != project.v || a->phase < LOCAL_START || a->phase > LOCAL_GONE)
            continue;
        for (uint32_t t = 0; t < a->task_count; t++)
            if (a->tasks[t].is_known && !a->tasks[t].call.busy)
                return true;
    }
    return false;
}

const struct local_net *known_net(const struct local_attempt *a)
{
    const struct local_net *net = net_find(a->engine, a->project);
    if (net == NULL || net->internet != a->internet || !has_task(a->engine, a->project))
        return NULL;
    return net;
}

bool known_volume(const struct engine *e, uint64_t id)
{
    return map_get_u64(&e->volumes, id) != NULL;
}

void known_volume_put(struct engine *e, uint64_t id)
{
    static char here;
    (void)map_put_u64(&e->volumes, id, &here); /* without memory it is asked again */
}

void known_forget(struct engine *e)
{
    vec_clear(&e->nets);
    map_clear(&e->volumes);
}
