/* A start order becomes the runner's requests, kept until every task is made.
 */
#include "engine/local/state.h"

#include "base/alloc.h"
#include "base/check.h"
#include "base/str.h"
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

static int no_memory(struct err *err)
{
    return err_set(err, BERR_NOMEM, "no memory for the start order");
}

static int copy_strs(struct arena *arena, const struct js_strs *from, struct js_strs *to)
{
    to->len = from->len;
    to->items = arena_array(arena, from->len + 1, sizeof(*to->items));
    if (to->items == NULL)
        return -BERR_NOMEM;
    for (size_t i = 0; i < from->len; i++)
        if ((to->items[i] = arena_strdup(arena, from->items[i])) == NULL)
            return -BERR_NOMEM;
    return 0;
}

static int copy_pairs(struct arena *arena, const struct js_pairs *from, struct js_pairs *to)
{
    to->len = from->len;
    to->items = arena_array(arena, from->len + 1, sizeof(*to->items));
    if (to->items == NULL)
        return -BERR_NOMEM;
    for (size_t i = 0; i < from->len; i++) {
        to->items[i].key = arena_strdup(arena, from->items[i].key);
        to->items[i].value = arena_strdup(arena, from->items[i].value);
        if (to->items[i].key == NULL || to->items[i].value == NULL)
            return -BERR_NOMEM;
    }
    return 0;
}

static int copy_layers(struct arena *arena, const struct image *image, struct js_strs *to)
{
    to->len = image->layer_count;
    to->items = arena_array(arena, to->len + 1, sizeof(*to->items));
    if (to->items == NULL)
        return -BERR_NOMEM;
    for (uint32_t i = 0; i < image->layer_count; i++)
        if ((to->items[i] = arena_strdup(arena, image->layers[i])) == NULL)
            return -BERR_NOMEM;
    return 0;
}

static int copy_volumes(struct local_attempt *a, const struct engine_start *order,
                        struct js_list *mounts)
{
    struct wire_mount *items =
        arena_array(&a->arena, order->volume_count + 1, sizeof(struct wire_mount));
    a->volumes = arena_array(&a->arena, order->volume_count + 1, sizeof(struct wire_volume));
    if (items == NULL || a->volumes == NULL)
        return -BERR_NOMEM;
    for (uint32_t i = 0; i < order->volume_count; i++) {
        const struct engine_volume *v = &order->volumes[i];
        a->volumes[i] = (struct wire_volume){.id = v->id.v, .size_bytes = v->size_bytes};
        items[i] = (struct wire_mount){
            .volume = v->id.v, .path = arena_strdup(&a->arena, v->path), .read_only = v->read_only};
        if (items[i].path == NULL)
            return -BERR_NOMEM;
    }
    a->volume_count = order->volume_count;
    *mounts = (struct js_list){.items = items, .len = order->volume_count};
    return 0;
}

static int gpu_uuids(struct local_attempt *a, const struct engine_task *task, struct js_strs *to,
                     struct err *err)
{
    const struct node *node = &a->engine->node;
    to->items = arena_array(&a->arena, task->gpu_count + 1, sizeof(*to->items));
    if (to->items == NULL)
        return no_memory(err);
    for (uint32_t i = 0; i < task->gpu_count; i++) {
        uint16_t index = task->gpus[i];
        if (index >= node->gpu_count)
            return err_set(err, BERR_INVALID, "node %s has no GPU %u", node->name, index);
        to->items[to->len] = arena_strdup(&a->arena, node->gpus[index].uuid);
        if (to->items[to->len++] == NULL)
            return no_memory(err);
    }
    return 0;
}

static int take_task(struct local_attempt *a, const struct engine_start *order,
                     const struct engine_task *task, struct wire_task_create *c, struct err *err)
{
    struct arena *arena = &a->arena;
    if (task->node != NULL && !str_is_equal(task->node, a->engine->node.name))
        return err_set(err, BERR_INVALID, "this machine is node %s, not %s", a->engine->node.name,
                       task->node);
    c->key = (struct wire_key){.workload = order->key.workload.v,
                               .number = order->key.number,
                               .fence = order->key.fence,
                               .index = task->index};
    c->project = order->project.v;
    c->gang = order->task_count;
    c->user_name = arena_strdup(arena, order->user_name);
    c->hostname = arena_strdup(arena, task->hostname);
    c->workdir = arena_strdup(arena, order->workdir);
    c->code = arena_strdup(arena, order->code_digest);
    c->cpu_milli = task->cpu_milli;
    c->memory_bytes = task->memory_bytes;
    c->disk_bytes = task->disk_bytes;
    c->shm_bytes = task->shm_bytes;
    c->log_max_bytes = order->log_max_bytes;
    if (c->user_name == NULL || c->hostname == NULL ||
        (c->workdir == NULL) != (order->workdir == NULL) ||
        (c->code == NULL) != (order->code_digest == NULL) ||
        copy_strs(arena, &task->command, &c->command) != 0 ||
        copy_pairs(arena, &task->env, &c->env) != 0)
        return no_memory(err);
    return gpu_uuids(a, task, &c->gpus, err);
}

int order_take(struct local_attempt *a, const struct engine_start *order, struct err *err)
{
    struct js_list mounts;
    struct js_strs layers;
    struct wire_task_create *creates =
        arena_array(&a->arena, order->task_count, sizeof(struct wire_task_create));
    if (creates == NULL || copy_volumes(a, order, &mounts) != 0 ||
        copy_layers(&a->arena, order->image, &layers) != 0) {
        order_drop(a);
        return no_memory(err);
    }
    for (uint32_t i = 0; i < order->task_count; i++) {
        const struct engine_task *task = &order->tasks[i];
        int rc = task->index == i
                     ? take_task(a, order, task, &creates[i], err)
                     : err_set(err, BERR_INVALID, "task %u stands in place %u", task->index, i);
        if (rc != 0) {
            order_drop(a);
            return rc;
        }
        creates[i].volumes = mounts;
        creates[i].layers = layers;
    }
    a->creates = creates;
    a->project = order->project;
    a->subnet = order->subnet;
    a->internet = order->internet;
    return 0;
}

void order_move(struct local_attempt *to, struct local_attempt *from)
{
    arena_done(&to->arena);
    to->arena = from->arena;
    arena_init(&from->arena, LOCAL_ORDER_BYTES);
    to->creates = TAKE_PTR(from->creates);
    to->volumes = TAKE_PTR(from->volumes);
    to->volume_count = from->volume_count;
    to->project = from->project;
    to->subnet = from->subnet;
    to->internet = from->internet;
}

void order_drop(struct local_attempt *a)
{
    a->creates = NULL;
    a->volumes = NULL;
    a->volume_count = 0;
    arena_done(&a->arena);
}

/* ---- addresses ---- */

#define HOST_FIRST 2u

/* Addresses of this network that some task still has. */
static void mark_used(const struct engine *e, uint32_t base, uint32_t count, uint8_t *used)
{
    void *value;
    for (size_t i = 0; map_next(&e->attempts, &i, NULL, &value);) {
        const struct local_attempt *a = value;
        for (uint32_t t = 0; t < a->task_count; t++) {
            const struct local_task *task = &a->tasks[t];
            bool is_over = task->is_deleted || (a->phase >= LOCAL_GONE && !task->is_known);
            if (!is_over && task->address >= base && task->address - base < count)
                used[task->address - base] = 1;
        }
    }
}

static int give_addresses(struct local_attempt *a, uint32_t base, uint32_t count,
                          const uint8_t *used, struct err *err)
{
    struct engine *e = a->engine;
    uint32_t usable = count - HOST_FIRST - 1, tried = 0;
    for (uint32_t i = 0; i < a->task_count; i++) {
        struct local_task *t = &a->tasks[i];
        if (t->address >= base && t->address - base < count)
            continue; /* made before the connection broke */
        uint32_t host;
        do {
            if (tried++ == usable)
                return err_set(err, BERR_CONFLICT, "the project's network has no %u free addresses",
                               a->task_count);
            host = HOST_FIRST + e->next_address++ % usable;
        } while (used[host]);
        t->address = base + host;
    }
    return 0;
}

int order_address(struct local_attempt *a, const struct local_net *net, struct err *err)
{
    uint32_t base = net->base, count = net->count;
    cleanup(mem_freep) uint8_t *used = mem_calloc(count, 1);
    struct js_pairs hosts = {0};
    hosts.items = arena_array(&a->arena, a->task_count, sizeof(*hosts.items));
    if (used == NULL || hosts.items == NULL)
        return no_memory(err);
    mark_used(a->engine, base, count, used);
    int rc = give_addresses(a, base, count, used, err);
    if (rc != 0)
        return rc;
    for (uint32_t i = 0; i < a->task_count; i++) {
        struct local_task *t = &a->tasks[i];
        struct in_addr address = {htonl(t->address)};
        inet_ntop(AF_INET, &address, t->facts.address, sizeof(t->facts.address));
        a->creates[i].address = arena_strdup(&a->arena, t->facts.address);
        if (a->creates[i].address == NULL)
            return no_memory(err);
        hosts.items[hosts.len++] =
            (struct js_pair){.key = a->creates[i].hostname, .value = a->creates[i].address};
    }
    for (uint32_t i = 0; i < a->task_count; i++)
        a->creates[i].hosts = hosts;
    return 0;
}
