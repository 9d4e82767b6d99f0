/* The machine: what the runner's inventory says, as one node. Read anew every half a minute, which
 * also finds a runner that hangs. */
#include "engine/local/state.h"

#include <ctype.h>
#include <string.h>
#include "base/str.h"
#include "os/clock.h"

/* A host name as a label: lower case, its first part, other characters as dashes. */
static void name_make(char dst[64], const char *hostname)
{
    size_t len = 0;
    for (const char *s = hostname == NULL ? "" : hostname; *s != '\0' && *s != '.' && len < 63;
         s++) {
        char c = (char)tolower((unsigned char)*s);
        dst[len++] = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ? c : '-';
    }
    while (len > 0 && dst[len - 1] == '-')
        len--;
    dst[len] = '\0';
    if (!str_is_label(dst))
        str_copy(dst, 64, "local");
}

static void copy(char *dst, size_t size, const char *src)
{
    str_copy(dst, size, src == NULL ? "" : src);
}

static void gpu_take(struct gpu *g, const struct wire_gpu *w)
{
    *g = (struct gpu){.index = (uint16_t)w->index,
                      .memory_bytes = w->memory_bytes,
                      .numa = (int16_t)w->numa,
                      .link_group = (uint16_t)w->link_group,
                      .major = (uint32_t)w->major,
                      .minor = (uint32_t)w->minor,
                      .healthy = w->healthy};
    copy(g->uuid, sizeof(g->uuid), w->uuid);
    copy(g->model, sizeof(g->model), w->model);
    copy(g->bus_id, sizeof(g->bus_id), w->bus_id);
    copy(g->path, sizeof(g->path), w->path);
    /* A GPU is free only when nobody holds its node: not a stranger either. */
    copy(g->quarantine, sizeof(g->quarantine), !w->healthy ? w->why : w->foreign);
}

void node_take(struct engine *e, const struct wire_inventory *inv)
{
    struct node *n = &e->node;
    const struct wire_gpu *gpus = inv->gpus.items;
    memset(n, 0, sizeof(*n));
    name_make(n->name, inv->hostname);
    copy(n->site, sizeof(n->site), e->site);
    copy(n->kernel, sizeof(n->kernel), inv->kernel);
    copy(n->os, sizeof(n->os), inv->os);
    copy(n->driver, sizeof(n->driver), inv->driver);
    n->ready = true;
    n->cpu_milli = inv->cpu_milli;
    n->memory_bytes = inv->memory_bytes - inv->memory_bytes / 16; /* the host lives too */
    n->disk_bytes = inv->disk_bytes;
    n->seen_ms = e->clock->wall_ms(e->clock->arg);
    for (size_t i = 0; i < inv->gpus.len && n->gpu_count < LIMIT_GPUS_PER_NODE; i++)
        gpu_take(&n->gpus[n->gpu_count++], &gpus[i]);
}

void node_tell(struct engine *e)
{
    struct engine_event event = {.kind = ENGINE_EV_NODE, .node = &e->node};
    e->listener(e->arg, &event);
}

void node_ask(struct engine *e, local_reply_fn *fn)
{
    struct wire_none none = {0};
    struct err err;
    int rc = local_link_ask(e->link, WIRE_INVENTORY, &none, fn, NULL, e, &err);
    if (rc == 0)
        e->inventory_sent_ms = ev_now_ms(e->loop);
    else if (rc != -BERR_UNAVAILABLE)
        local_link_reset(e->link, err.text);
}

static void on_inventory(void *arg, int rc, const void *reply, const struct err *err)
{
    struct engine *e = arg;
    e->inventory_sent_ms = 0;
    (void)err;
    if (rc != 0)
        return; /* the next one may do */
    node_take(e, reply);
    if (e->listed)
        node_tell(e);
}

void node_timer(void *engine)
{
    struct engine *e = engine;
    if (e->inventory_sent_ms != 0 && ev_now_ms(e->loop) - e->inventory_sent_ms >= LOCAL_HANG_MS)
        local_link_reset(e->link, "the runner does not answer");
    else if (e->inventory_sent_ms == 0 && e->listed)
        node_ask(e, on_inventory);
}
