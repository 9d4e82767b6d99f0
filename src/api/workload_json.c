/*
 * workload_json: how a workload looks from outside.
 */
#include "api/call.h"
#include "base/str.h"
#include "base/units.h"

static void put_task(struct js_writer *w, const struct workload *wl, const struct task *task)
{
    const char *role = NULL;
    spec_role(wl->spec, task->role, &role);
    js_w_object(w, NULL);
    js_w_i64(w, "task", task->index);
    js_w_str(w, "role", role);
    js_w_i64(w, "rank", task->rank);
    js_w_str(w, "node", task->node);
    js_w_array(w, "gpus");
    for (uint32_t g = 0; g < task->gpu_count && g < ARRAY_LEN(task->gpus); g++)
        js_w_i64(w, NULL, task->gpus[g]);
    js_w_end_array(w);
    js_w_bool(w, "running", task->running);
    js_w_bool(w, "ended", task->ended);
    if (task->address[0])
        js_w_str(w, "address", task->address);
    js_w_time(w, "started", task->started_ms);
    js_w_time(w, "ended_at", task->ended_ms);
    if (task->ended) {
        js_w_i64(w, "exit_code", task->exit_code);
        js_w_i64(w, "signal", task->signal);
        js_w_bool(w, "out_of_memory", task->out_of_memory);
        js_w_u64(w, "log_bytes", task->log_bytes);
    }
    js_w_end_object(w);
}

static void put_attempt(struct js_writer *w, const struct workload *wl, bool brief)
{
    const struct attempt *a = wl->attempt;
    js_w_object(w, "attempt");
    js_w_i64(w, "number", a->key.number);
    js_w_str(w, "site", a->site);
    js_w_time(w, "placed", a->placed_ms);
    js_w_time(w, "started", a->started_ms);
    js_w_time(w, "ended", a->ended_ms);
    if (a->end_reason != END_NONE) {
        js_w_str(w, "end", end_reason_names[a->end_reason]);
        js_w_i64(w, "end_code", a->end_code);
        js_w_i64(w, "end_task", a->end_task);
        js_w_str(w, "end_text", a->end_text);
    }
    js_w_array(w, "nodes");
    for (uint32_t i = 0; i < a->task_count; i++) {
        bool seen = false;
        for (uint32_t k = 0; k < i && !seen; k++)
            seen = str_is_equal(a->tasks[k].node, a->tasks[i].node);
        if (!seen)
            js_w_str(w, NULL, a->tasks[i].node);
    }
    js_w_end_array(w);
    if (!brief) {
        js_w_array(w, "tasks");
        for (uint32_t i = 0; i < a->task_count; i++)
            put_task(w, wl, &a->tasks[i]);
        js_w_end_array(w);
    }
    js_w_end_object(w);
}

/* What all its tasks ask for together. */
static void put_asked(struct js_writer *w, const struct workload_spec *spec)
{
    int64_t cpu = 0, gpu = 0;
    uint64_t memory = 0;
    char text[UNITS_TEXT_MAX];
    for (size_t r = 0; r < spec->roles.len; r++) {
        const struct role_spec *role = spec_role(spec, r, NULL);
        cpu += role->cpu_milli * role->replicas;
        memory += role->memory_bytes * (uint64_t)role->replicas;
        gpu += role->gpu.milli * role->replicas;
    }
    js_w_object(w, "asked");
    js_w_i64(w, "tasks", spec_task_count(spec));
    js_w_str(w, "cpu", units_format_cpu(text, cpu));
    js_w_str(w, "memory", units_format_bytes(text, memory));
    js_w_str(w, "gpu", units_format_gpu(text, gpu));
    js_w_end_object(w);
}

void api_put_workload(struct js_writer *w, struct api_call *call, const struct workload *wl,
                      bool brief)
{
    const struct user *owner = auth_find_user(call->api->cfg.auth, wl->owner);
    js_w_object(w, NULL);
    js_w_id(w, "id", wl->id.v);
    js_w_str(w, "name", wl->spec->name);
    js_w_str(w, "kind", workload_kind_names[wl->spec->kind]);
    js_w_str(w, "project", wl->spec->project);
    js_w_str(w, "owner", owner ? owner->name : NULL);
    js_w_str(w, "image", wl->spec->image);
    js_w_str(w, "state", workload_state_names[wl->state]);
    js_w_str(w, "desired", desired_names[wl->desired]);
    js_w_str(w, "reason", wl->reason);
    if (wl->hold_code[0] && wl->state == STATE_QUEUED)
        js_w_str(w, "hold", wl->hold_code);
    js_w_time(w, "submitted", wl->submitted_ms);
    js_w_time(w, "started", wl->started_ms);
    js_w_time(w, "ended", wl->ended_ms);
    js_w_time(w, "state_since", wl->state_since_ms);
    js_w_i64(w, "attempts", wl->attempts);
    js_w_u64(w, "version", wl->version);
    put_asked(w, wl->spec);
    if (wl->attempt)
        put_attempt(w, wl, brief);
    if (!brief)
        js_w_table(w, "spec", &spec_table, wl->spec);
    js_w_end_object(w);
}
