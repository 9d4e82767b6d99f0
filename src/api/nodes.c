/*
 * nodes: machines, their GPUs and who holds them; volumes.
 */
#include <string.h>
#include "api/call.h"
#include "base/str.h"
#include "base/units.h"

static void put_amount(struct js_writer *w, const char *key, const char *used, const char *all)
{
    js_w_object(w, key);
    js_w_str(w, "used", used);
    js_w_str(w, "total", all);
    js_w_end_object(w);
}

static void put_node(struct js_writer *w, const struct control_node *n)
{
    char used[UNITS_TEXT_MAX], all[UNITS_TEXT_MAX];
    int64_t gpu_used = 0;
    js_w_object(w, NULL);
    js_w_str(w, "name", n->node->name);
    js_w_str(w, "site", n->node->site);
    js_w_bool(w, "ready", n->node->ready && n->connected);
    js_w_bool(w, "drained", n->drained);
    put_amount(w, "cpu", units_format_cpu(used, n->cpu_used_milli),
               units_format_cpu(all, n->node->cpu_milli));
    put_amount(w, "memory", units_human_bytes(used, n->memory_used_bytes),
               units_human_bytes(all, n->node->memory_bytes));
    put_amount(w, "disk", units_human_bytes(used, n->disk_used_bytes),
               units_human_bytes(all, n->node->disk_bytes));
    for (uint32_t g = 0; g < n->node->gpu_count; g++)
        gpu_used += n->gpu_used_milli[g];
    put_amount(w, "gpu", units_format_gpu(used, gpu_used),
               units_format_gpu(all, (int64_t)n->node->gpu_count * 1000));
    js_w_str(w, "gpu_model", n->node->gpu_count ? n->node->gpus[0].model : NULL);
    js_w_str(w, "kernel", n->node->kernel);
    js_w_str(w, "os", n->node->os);
    js_w_str(w, "driver", n->node->driver);
    js_w_array(w, "abilities");
    for (int bit = 0; engine_ability_names[bit]; bit++)
        if (n->abilities & (1u << bit))
            js_w_str(w, NULL, engine_ability_names[bit]);
    js_w_end_array(w);
    js_w_end_object(w);
}

static void get_nodes(struct http_request *req, void *arg)
{
    struct api *api = arg;
    struct api_call *call = api_call(req);
    struct buf out = BUF(16u << 20);
    struct js_writer w;
    struct control_node n;
    js_w_init(&w, &out);
    js_w_object(&w, NULL);
    js_w_array(&w, "items");
    for (size_t i = 0; control_next_node(api->cfg.control, &i, &n);)
        put_node(&w, &n);
    js_w_end_array(&w);
    js_w_end_object(&w);
    api_reply_json(call, 200, &out);
}

/* Who holds a GPU is told to those who may see the workload; others learn that it is held. */
static void put_holder(struct js_writer *w, struct api_call *call, uint64_t id)
{
    const struct workload *wl = control_find(call->api->cfg.control, (struct workload_id){id});
    if (!wl)
        return;
    struct auth_target target = {
        .kind = AUTH_KIND_WORKLOAD, .project = wl->project, .owner = wl->owner, .id = wl->id.v};
    const struct user *owner = auth_find_user(call->api->cfg.auth, wl->owner);
    js_w_time(w, "since", wl->attempt ? wl->attempt->placed_ms : 0);
    js_w_str(w, "user", owner ? owner->name : NULL);
    if (auth_check(call->api->cfg.auth, &call->who, AUTH_VIEW, &target, NULL) < 0)
        return;
    js_w_id(w, "workload", wl->id.v);
    js_w_str(w, "name", wl->spec->name);
}

static void get_gpus(struct http_request *req, void *arg)
{
    struct api *api = arg;
    struct api_call *call = api_call(req);
    struct buf out = BUF(16u << 20);
    struct js_writer w;
    struct control_node n;
    char text[UNITS_TEXT_MAX];
    js_w_init(&w, &out);
    js_w_object(&w, NULL);
    js_w_array(&w, "items");
    for (size_t i = 0; control_next_node(api->cfg.control, &i, &n);)
        for (uint32_t g = 0; g < n.node->gpu_count; g++) {
            const struct gpu *gpu = &n.node->gpus[g];
            js_w_object(&w, NULL);
            js_w_str(&w, "node", n.node->name);
            js_w_i64(&w, "gpu", gpu->index);
            js_w_str(&w, "model", gpu->model);
            js_w_str(&w, "uuid", gpu->uuid);
            js_w_str(&w, "memory", units_human_bytes(text, gpu->memory_bytes));
            js_w_bool(&w, "healthy", gpu->healthy && !gpu->quarantine[0]);
            if (gpu->quarantine[0])
                js_w_str(&w, "quarantine", gpu->quarantine);
            js_w_i64(&w, "used_milli", n.gpu_used_milli[g]);
            if (n.gpu_holder[g])
                put_holder(&w, call, n.gpu_holder[g]);
            js_w_end_object(&w);
        }
    js_w_end_array(&w);
    js_w_end_object(&w);
    api_reply_json(call, 200, &out);
}

static void drain(struct http_request *req, bool on)
{
    struct api_call *call = api_call(req);
    struct err err = {0};
    struct auth_target target = {.kind = AUTH_KIND_NODE};
    if (auth_check(call->api->cfg.auth, &call->who, AUTH_CHANGE, &target, &err) < 0)
        api_fail(call, &err);
    else
        control_drain(call->api->cfg.control, req->params[0], on, call->who.user, api_done_empty,
                      call);
}

static void post_drain(struct http_request *req, void *arg)
{
    (void)arg;
    drain(req, true);
}

static void post_undrain(struct http_request *req, void *arg)
{
    (void)arg;
    drain(req, false);
}

static void get_volumes(struct http_request *req, void *arg)
{
    struct api *api = arg;
    struct api_call *call = api_call(req);
    struct buf out = BUF(16u << 20);
    struct js_writer w;
    const struct volume_row *v;
    char text[UNITS_TEXT_MAX];
    js_w_init(&w, &out);
    js_w_object(&w, NULL);
    js_w_array(&w, "items");
    for (size_t i = 0; (v = control_next_volume(api->cfg.control, &i));) {
        struct auth_target target = {
            .kind = AUTH_KIND_VOLUME, .project = v->project, .owner = v->owner, .id = v->id.v};
        const struct user *owner = auth_find_user(api->cfg.auth, v->owner);
        if (auth_check(api->cfg.auth, &call->who, AUTH_VIEW, &target, NULL) < 0)
            continue;
        js_w_object(&w, NULL);
        js_w_id(&w, "id", v->id.v);
        js_w_str(&w, "name", v->name);
        js_w_str(&w, "owner", owner ? owner->name : NULL);
        js_w_str(&w, "size", units_format_bytes(text, v->size_bytes));
        js_w_time(&w, "created", v->created_ms);
        js_w_end_object(&w);
    }
    js_w_end_array(&w);
    js_w_end_object(&w);
    api_reply_json(call, 200, &out);
}

const struct http_route api_node_routes[] = {
    {"GET", "/api/v1/nodes", get_nodes, ACCESS_USER, NULL, NULL, true, "Machines", NULL, 0},
    {"POST", "/api/v1/nodes/:name/drain", post_drain, ACCESS_USER, NULL, NULL, false,
     "Give it no new work", NULL, 204},
    {"POST", "/api/v1/nodes/:name/undrain", post_undrain, ACCESS_USER, NULL, NULL, false,
     "Give it work again", NULL, 204},
    {"GET", "/api/v1/gpus", get_gpus, ACCESS_USER, NULL, NULL, true, "GPUs and who holds them",
     NULL, 0},
    {"GET", "/api/v1/volumes", get_volumes, ACCESS_USER, NULL, NULL, true, "Volumes that I may see",
     NULL, 0},
};
const size_t api_node_route_count = ARRAY_LEN(api_node_routes);
