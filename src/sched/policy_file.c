/* The policy file: text -> structs of field tables -> what sched_run takes. */
#include "sched/policy_file.h"

#include <stdio.h>
#include "base/str.h"

#define MINUTE_MS  (60ll * 1000)
#define DAY_MS     (24 * 60 * MINUTE_MS)
#define QUEUES_MAX 4096

struct amount_text { /* -1: not written */
    int64_t cpu_milli, gpu_milli;
    uint64_t memory_bytes; /* UINT64_MAX: not written */
};

struct queue_text {
    const char *parent;
    struct amount_text guarantee, limit;
    double weight;
    int64_t user_gpu_milli;
};

struct reserve_text {
    int64_t cpu_milli;
    uint64_t memory_bytes;
};

struct file_text {
    int order;
    bool skip, preempt;
    int64_t min_run_ms, preempt_cost_ms, half_life_ms, wait_bound_ms, backfill_depth;
    struct reserve_text reserve;
    struct js_objects queues;
};

static const char *const order_names[] = {
#define X(sym, name) name,
    SCHED_ORDER_LIST(X) NULL
#undef X
};

static const struct js_field amount_fields[] = {
    {"gpu", JS_GPU_SHARE, offsetof(struct amount_text, gpu_milli), .doc = "GPUs of all models"},
    {"cpu", JS_CPU, offsetof(struct amount_text, cpu_milli), .doc = "cores"},
    {"memory", JS_BYTES, offsetof(struct amount_text, memory_bytes), .max = 1ll << 60,
     .doc = "memory"},
};
static const struct js_table amount_table =
    JS_TABLE("QueueAmount", struct amount_text, amount_fields);

static const struct js_field queue_fields[] = {
    {"parent", JS_LABEL, offsetof(struct queue_text, parent), .flags = JS_OMIT_EMPTY,
     .doc = "the queue it belongs to; absent: at the top"},
    {"guarantee", JS_STRUCT, offsetof(struct queue_text, guarantee), .sub = &amount_table,
     .doc = "what it gets back when it wants it; idle guarantee is lent"},
    {"limit", JS_STRUCT, offsetof(struct queue_text, limit), .sub = &amount_table,
     .doc = "never more than this"},
    {"weight", JS_F64, offsetof(struct queue_text, weight), .min = 0, .max = 1000,
     .doc = "share of what is over the guarantees", .example = "2"},
    {"user_gpu", JS_GPU_SHARE, offsetof(struct queue_text, user_gpu_milli),
     .doc = "most GPUs of one user in this queue"},
};

static void queue_defaults(void *dst)
{
    *(struct queue_text *)dst = (struct queue_text){
        .guarantee = {-1, -1, UINT64_MAX},
        .limit = {-1, -1, UINT64_MAX},
        .weight = 1,
        .user_gpu_milli = -1,
    };
}

static const struct js_table queue_table = {.name = "QueuePolicy",
                                            .size = sizeof(struct queue_text),
                                            .fields = queue_fields,
                                            .count = ARRAY_LEN(queue_fields),
                                            .defaults = queue_defaults};

static const struct js_field reserve_fields[] = {
    {"cpu", JS_CPU, offsetof(struct reserve_text, cpu_milli), .doc = "cores for each idle GPU"},
    {"memory", JS_BYTES, offsetof(struct reserve_text, memory_bytes), .max = 1ll << 60,
     .doc = "memory for each idle GPU"},
};
static const struct js_table reserve_table =
    JS_TABLE("GpuReserve", struct reserve_text, reserve_fields);

#define AT(member) offsetof(struct file_text, member)
static const struct js_field file_fields[] = {
    {"order", JS_ENUM, AT(order), .names = order_names, .doc = "fifo or fair"},
    {"skip", JS_BOOL, AT(skip), .doc = "work that fits may pass work that does not"},
    {"preempt", JS_BOOL, AT(preempt), .doc = "stop work that allows it, or is over its guarantee"},
    {"min_run", JS_DURATION, AT(min_run_ms), .max = 30 * DAY_MS, .doc = "nobody is stopped before",
     .example = "\"10m\""},
    {"preempt_cost", JS_DURATION, AT(preempt_cost_ms), .max = DAY_MS,
     .doc = "what a stop costs beside lost work"},
    {"half_life", JS_DURATION, AT(half_life_ms), .min = MINUTE_MS, .max = 3650 * DAY_MS,
     .doc = "of past use", .example = "\"7d\""},
    {"wait_bound", JS_DURATION, AT(wait_bound_ms), .max = 365 * DAY_MS,
     .doc = "who has waited so long in all goes first; 0s: nobody", .example = "\"24h\""},
    {"backfill_depth", JS_I64, AT(backfill_depth), .max = 1000,
     .doc = "pieces of waiting work that get room kept; 0: none"},
    {"gpu_reserve", JS_STRUCT, AT(reserve), .sub = &reserve_table,
     .doc = "kept from CPU-only work for each idle GPU; absent: the GPU's share of its node"},
    {"queues", JS_OBJECTS, AT(queues), .max = QUEUES_MAX, .sub = &queue_table,
     .doc = "by name; absent: one queue without bounds"},
};
const struct js_table sched_policy_file_table =
    JS_TABLE("SchedulerPolicy", struct file_text, file_fields);

/* ---- queues ---- */

static int fail(const struct js_doc *doc, const char *queue, const char *key, struct err *err,
                const char *text)
{
    char path[ERR_FIELD_MAX];
    yyjson_val *val = yyjson_obj_get(yyjson_obj_get(js_root(doc), "queues"), queue);
    snprintf(path, sizeof(path), "queues.%s%s%s", queue, key == NULL ? "" : ".",
             key == NULL ? "" : key);
    if (key != NULL)
        val = yyjson_obj_get(val, key);
    return js_fail(doc, val, path, err, "%s", text);
}

static int find_parent(const struct js_doc *doc, const struct file_text *file, size_t index,
                       uint32_t *ret, struct err *err)
{
    const struct queue_text *text = (const struct queue_text *)file->queues.items + index;
    *ret = SCHED_NONE;
    if (text->parent == NULL)
        return 0;
    for (size_t q = 0; q < file->queues.len; q++) {
        if (str_is_equal(file->queues.keys[q], text->parent)) {
            *ret = (uint32_t)q;
            return 0;
        }
    }
    fail(doc, file->queues.keys[index], "parent", err, "there is no such queue");
    const char *nearest = str_nearest(text->parent, file->queues.keys, file->queues.len);
    return nearest == NULL ? -BERR_INVALID : err_hint(err, "did you mean \"%s\"?", nearest);
}

static struct sched_amount amount_of(const struct amount_text *text, int64_t otherwise)
{
    return (struct sched_amount){
        .cpu_milli = text->cpu_milli < 0 ? otherwise : text->cpu_milli,
        .memory_bytes = text->memory_bytes == UINT64_MAX ? otherwise : (int64_t)text->memory_bytes,
        .gpu_milli = text->gpu_milli < 0 ? otherwise : text->gpu_milli,
    };
}

static int fill_queues(const struct js_doc *doc, const struct file_text *file, struct arena *arena,
                       struct sched_policy_file *ret, struct err *err)
{
    ret->queue_count = (uint32_t)file->queues.len;
    ret->queues = arena_array(arena, file->queues.len, sizeof(*ret->queues));
    if (ret->queues == NULL)
        return err_set(err, BERR_NOMEM, "out of memory while reading the policy");
    for (size_t q = 0; q < file->queues.len; q++) {
        const struct queue_text *text = (const struct queue_text *)file->queues.items + q;
        struct sched_queue *queue = &ret->queues[q];
        *queue = (struct sched_queue){
            .name = file->queues.keys[q],
            .guarantee = amount_of(&text->guarantee, 0),
            .limit = amount_of(&text->limit, -1),
            .weight_milli = (int64_t)(text->weight * 1000),
            .user_limit_gpu_milli = text->user_gpu_milli,
        };
        int rc = find_parent(doc, file, q, &queue->parent, err);
        if (rc != 0)
            return rc;
        if (queue->limit.gpu_milli >= 0 && queue->guarantee.gpu_milli > queue->limit.gpu_milli)
            return fail(doc, queue->name, "guarantee", err, "the guarantee is above the limit");
    }
    for (uint32_t q = 0; q < ret->queue_count; q++) {
        uint32_t steps = 0;
        for (uint32_t up = q; up != SCHED_NONE; up = ret->queues[up].parent) {
            if (steps++ > ret->queue_count)
                return fail(doc, ret->queues[q].name, "parent", err,
                            "the queues above it form a circle");
        }
    }
    return 0;
}

/* ---- all of it ---- */

static void fill_defaults(struct file_text *file)
{
    struct sched_policy policy;
    sched_policy_default(&policy);
    *file = (struct file_text){
        .order = policy.order,
        .skip = policy.skip,
        .preempt = policy.preempt,
        .min_run_ms = policy.min_run_ms,
        .preempt_cost_ms = policy.preempt_cost_ms,
        .half_life_ms = policy.half_life_ms,
        .wait_bound_ms = policy.wait_bound_ms,
        .backfill_depth = policy.backfill_depth,
        .reserve = {-1, UINT64_MAX},
    };
}

int sched_policy_parse(const char *yaml, size_t len, struct arena *arena,
                       struct sched_policy_file *ret, struct err *err)
{
    struct js_doc *doc = NULL;
    struct file_text file;
    struct sched_policy_file made = {.queue_count = 0};
    fill_defaults(&file);
    int rc = js_parse_yaml(yaml, len, &doc, err);
    if (rc == 0)
        rc = js_decode(doc, js_root(doc), &sched_policy_file_table, arena, &file, err);
    if (rc == 0)
        rc = fill_queues(doc, &file, arena, &made, err);
    js_doc_free(doc);
    if (rc != 0)
        return rc;
    made.policy = (struct sched_policy){
        .order = file.order,
        .skip = file.skip,
        .preempt = file.preempt,
        .min_run_ms = file.min_run_ms,
        .preempt_cost_ms = file.preempt_cost_ms,
        .half_life_ms = file.half_life_ms,
        .wait_bound_ms = file.wait_bound_ms,
        .backfill_depth = (uint32_t)file.backfill_depth,
        .gpu_cpu_reserve_milli = file.reserve.cpu_milli,
        .gpu_memory_reserve_bytes =
            file.reserve.memory_bytes == UINT64_MAX ? -1 : (int64_t)file.reserve.memory_bytes,
    };
    *ret = made;
    return 0;
}
