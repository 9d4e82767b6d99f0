/* The fields of a job file that people may write in more than one way. */
#include "types/spec_custom.h"

#include <stdio.h>
#include <string.h>
#include "base/limits.h"
#include "base/str.h"
#include "base/units.h"
#include "types/spec.h"

/* ---- replicas ---- */

static bool parse_count(const char *s, size_t len, int64_t *ret)
{
    char text[8];
    if (len == 0 || len >= sizeof(text))
        return false;
    memcpy(text, s, len);
    text[len] = '\0';
    return str_parse_i64(text, ret) && text[0] != '-' && *ret >= 1 && *ret <= LIMIT_REPLICAS;
}

int spec_get_replicas(struct js_ctx *ctx, const struct js_field *f, yyjson_val *val, void *dst)
{
    struct role_spec *role = CONTAINER_OF(dst, struct role_spec, replicas);
    int64_t low = 0, high = 0;
    bool is_valid = false;
    if (yyjson_is_uint(val) && yyjson_get_uint(val) <= LIMIT_REPLICAS) {
        low = high = yyjson_get_sint(val);
        is_valid = low >= 1;
    } else if (yyjson_is_str(val)) {
        const char *s = yyjson_get_str(val), *dots = strstr(s, "..");
        size_t low_len = dots == NULL ? strlen(s) : (size_t)(dots - s);
        is_valid = parse_count(s, low_len, &low);
        high = low;
        if (dots != NULL)
            is_valid = is_valid && parse_count(dots + 2, strlen(dots + 2), &high);
    }
    if (!is_valid) {
        js_ctx_fail(ctx, val, "expected a number of replicas from 1 to %d, or a range",
                    LIMIT_REPLICAS);
        return js_ctx_hint(ctx, "write 4, or \"2..8\" for a role that may grow");
    }
    if (high < low) {
        js_ctx_fail(ctx, val, "the range of replicas %lld..%lld runs backwards", (long long)low,
                    (long long)high);
        return js_ctx_hint(ctx, "write \"%lld..%lld\"", (long long)high, (long long)low);
    }
    role->replicas = low;
    role->replicas_max = high;
    return 0;
}

void spec_put_replicas(const struct js_field *f, const void *src, struct buf *out)
{
    const struct role_spec *role =
        (const struct role_spec *)((const char *)src - offsetof(struct role_spec, replicas));
    if (role->replicas_max == role->replicas)
        buf_printf(out, "%lld", (long long)role->replicas);
    else
        buf_printf(out, "\"%lld..%lld\"", (long long)role->replicas, (long long)role->replicas_max);
}

/* ---- gpu ---- */

#define GPU_MILLI_MAX ((int64_t)LIMIT_GPUS_PER_NODE * 1000)

/* "40G.." or "40G": at least so much memory on each GPU. */
static int get_gpu_memory(struct js_ctx *ctx, const struct js_field *f, yyjson_val *val, void *dst)
{
    char text[UNITS_TEXT_MAX];
    if (!yyjson_is_str(val)) {
        js_ctx_fail(ctx, val, "expected a least size like \"40G..\"");
        if (yyjson_is_uint(val) && yyjson_get_uint(val) < 1024)
            return js_ctx_hint(ctx, "add the unit: \"%lluG..\"",
                               (unsigned long long)yyjson_get_uint(val));
        return js_ctx_hint(ctx, "it means: GPUs with at least 40 GiB each");
    }
    str_copy(text, sizeof(text), yyjson_get_str(val));
    char *dots = strstr(text, "..");
    if (dots != NULL && dots[2] != '\0') {
        js_ctx_fail(ctx, val, "the memory of GPUs has a lower end only");
        *dots = '\0';
        return js_ctx_hint(ctx, "write \"%s..\"", text);
    }
    if (dots != NULL)
        *dots = '\0';
    uint64_t bytes;
    struct err unit_err = {0};
    if (units_parse_bytes(text, &bytes, &unit_err) != 0) {
        js_ctx_fail(ctx, val, "%s", unit_err.text);
        return js_ctx_hint(ctx, "write a least size like \"40G..\"");
    }
    *(uint64_t *)dst = bytes;
    return 0;
}

static void put_gpu_memory(const struct js_field *f, const void *src, struct buf *out)
{
    char text[UNITS_TEXT_MAX];
    uint64_t bytes = *(const uint64_t *)src;
    if (bytes != 0)
        buf_printf(out, "\"%s..\"", units_format_bytes(text, bytes));
}

static const struct js_field gpu_fields[] = {
    {"model", JS_STR, offsetof(struct gpu_request, model), .flags = JS_OMIT_EMPTY, .min = 1,
     .max = 47, .doc = "part of the model's name, as `berth gpus` shows it", .example = "\"A100\""},
    {"count", JS_GPU_SHARE, offsetof(struct gpu_request, milli), .max = GPU_MILLI_MAX,
     .doc = "GPUs of each task: a whole number, or a share of one", .example = "1"},
    {"memory", JS_CUSTOM, offsetof(struct gpu_request, memory_min_bytes), .decode = get_gpu_memory,
     .encode = put_gpu_memory,
     .schema = "{\"type\":\"string\",\"pattern\":\"^[0-9]+(\\\\.[0-9]{1,3})?([KMGTP]i?)?"
               "(\\\\.\\\\.)?$\"}",
     .doc = "least memory of each GPU", .example = "\"40G..\""},
};

/* Who writes an object without a count means one. */
static void gpu_defaults(void *dst)
{
    *(struct gpu_request *)dst = (struct gpu_request){.milli = 1000};
}

const struct js_table spec_gpu_table = {.name = "GpuRequest",
                                        .size = sizeof(struct gpu_request),
                                        .fields = gpu_fields,
                                        .count = ARRAY_LEN(gpu_fields),
                                        .defaults = gpu_defaults};

static int fail_gpu(struct js_ctx *ctx, yyjson_val *val)
{
    js_ctx_fail(ctx, val, "expected GPUs as a number, \"MODEL:NUMBER\" or an object");
    return js_ctx_hint(ctx, "write 1, 0.5, \"A100:1\" or {model: A100, count: 1, memory: 40G..}");
}

/* "A100:2", "A100" or "0.5". */
static int get_gpu_text(struct js_ctx *ctx, yyjson_val *val, struct gpu_request *ret)
{
    const char *s = yyjson_get_str(val), *colon = strrchr(s, ':');
    const char *count = colon == NULL ? NULL : colon + 1;
    size_t model_len = colon == NULL ? strlen(s) : (size_t)(colon - s);
    int64_t milli = 1000;
    if (units_parse_gpu(s, &milli, NULL) == 0) {
        ret->milli = milli;
        return 0;
    }
    if (model_len == 0 || model_len > 47)
        return fail_gpu(ctx, val);
    if (count != NULL && units_parse_gpu(count, &milli, NULL) != 0) {
        js_ctx_fail(ctx, val, "\"%.40s\" is no number of GPUs", count);
        return js_ctx_hint(ctx, "write \"%.*s:1\" or \"%.*s:0.5\"", (int)model_len, s,
                           (int)model_len, s);
    }
    ret->model = arena_strndup(js_ctx_arena(ctx), s, model_len);
    ret->milli = milli;
    return ret->model == NULL ? js_ctx_nomem(ctx) : 0;
}

int spec_get_gpu(struct js_ctx *ctx, const struct js_field *f, yyjson_val *val, void *dst)
{
    struct gpu_request gpu = {.milli = 1000};
    int rc = 0;
    if (yyjson_is_obj(val)) {
        rc = js_ctx_decode(ctx, val, &spec_gpu_table, &gpu);
    } else if (yyjson_is_str(val)) {
        rc = get_gpu_text(ctx, val, &gpu);
    } else if (yyjson_is_num(val)) {
        double milli = yyjson_get_num(val) * 1000;
        if (!(milli >= 0 && milli <= (double)GPU_MILLI_MAX))
            return fail_gpu(ctx, val);
        gpu.milli = (int64_t)(milli + 0.5);
        if (milli - (double)gpu.milli > 1e-6 || (double)gpu.milli - milli > 1e-6) {
            js_ctx_fail(ctx, val, "a share of a GPU has at most three decimals");
            return js_ctx_hint(ctx, "write 0.333 for a third");
        }
    } else {
        rc = fail_gpu(ctx, val);
    }
    if (rc != 0)
        return rc;
    if (gpu.milli > GPU_MILLI_MAX)
        return js_ctx_fail(ctx, val, "a task may have at most %d GPUs", LIMIT_GPUS_PER_NODE);
    if (gpu.milli > 1000 && gpu.milli % 1000 != 0) {
        js_ctx_fail(ctx, val, "more than one GPU must be a whole number");
        return js_ctx_hint(ctx, "write %lld or %lld", (long long)(gpu.milli / 1000),
                           (long long)(gpu.milli / 1000 + 1));
    }
    *(struct gpu_request *)dst = gpu;
    return 0;
}

void spec_put_gpu(const struct js_field *f, const void *src, struct buf *out)
{
    const struct gpu_request *gpu = src;
    char text[UNITS_TEXT_MAX];
    if (gpu->model == NULL && gpu->memory_min_bytes == 0)
        buf_puts(out, units_format_gpu(text, gpu->milli));
    else
        js_encode(&spec_gpu_table, gpu, out);
}

/* ---- sizes ---- */

#define SIZE_LEAST_BYTES (1024 * 1024) /* less is a forgotten unit */

int spec_get_size(struct js_ctx *ctx, const struct js_field *f, yyjson_val *val, void *dst)
{
    uint64_t bytes = 0;
    struct err unit_err = {0};
    char least[UNITS_TEXT_MAX], most[UNITS_TEXT_MAX];
    if (yyjson_is_uint(val)) {
        bytes = yyjson_get_uint(val);
    } else if (!yyjson_is_str(val)) {
        js_ctx_fail(ctx, val, "expected a size like 16G");
        return js_ctx_hint(ctx, "sizes are a number and a unit: 512M, 16G, 1T");
    } else if (units_parse_bytes(yyjson_get_str(val), &bytes, &unit_err) != 0) {
        js_ctx_fail(ctx, val, "%s", unit_err.text);
        return js_ctx_hint(ctx, "sizes are a number and a unit: 512M, 16G, 1T");
    }
    if (bytes == 0 && f->min == 0) {
        *(uint64_t *)dst = 0;
        return 0;
    }
    if (bytes < SIZE_LEAST_BYTES) {
        js_ctx_fail(ctx, val, "expected a size like 16G, found %llu bytes",
                    (unsigned long long)bytes);
        return bytes == 0 ? -BERR_INVALID
                          : js_ctx_hint(ctx, "a bare number is bytes: write %lluG or %lluM",
                                        (unsigned long long)bytes, (unsigned long long)bytes);
    }
    if (bytes < (uint64_t)f->min || bytes > (uint64_t)f->max)
        return js_ctx_fail(ctx, val, "must be between %s and %s",
                           units_format_bytes(least, (uint64_t)f->min),
                           units_format_bytes(most, (uint64_t)f->max));
    *(uint64_t *)dst = bytes;
    return 0;
}

void spec_put_size(const struct js_field *f, const void *src, struct buf *out)
{
    char text[UNITS_TEXT_MAX];
    buf_printf(out, "\"%s\"", units_format_bytes(text, *(const uint64_t *)src));
}

/* ---- priority ---- */

static const struct {
    const char *name;
    int64_t value;
} priorities[] = {{"low", -100}, {"normal", 0}, {"high", 100}};

int spec_get_priority(struct js_ctx *ctx, const struct js_field *f, yyjson_val *val, void *dst)
{
    int64_t number;
    if (yyjson_is_int(val) && yyjson_get_sint(val) >= -1000 && yyjson_get_sint(val) <= 1000) {
        *(int64_t *)dst = yyjson_get_sint(val);
        return 0;
    }
    for (size_t i = 0; yyjson_is_str(val) && i < ARRAY_LEN(priorities); i++) {
        if (str_is_equal(yyjson_get_str(val), priorities[i].name)) {
            *(int64_t *)dst = priorities[i].value;
            return 0;
        }
    }
    js_ctx_fail(ctx, val, "expected low, normal, high or a number from -1000 to 1000");
    if (yyjson_is_str(val) && str_parse_i64(yyjson_get_str(val), &number))
        return js_ctx_hint(ctx, "leave the quotes away: %lld", (long long)number);
    return -BERR_INVALID;
}

void spec_put_priority(const struct js_field *f, const void *src, struct buf *out)
{
    int64_t value = *(const int64_t *)src;
    for (size_t i = 0; i < ARRAY_LEN(priorities); i++) {
        if (priorities[i].value == value) {
            buf_printf(out, "\"%s\"", priorities[i].name);
            return;
        }
    }
    buf_printf(out, "%lld", (long long)value);
}

/* ---- placement.together ---- */

struct together {
    int level;
    bool is_hard;
};

static const struct js_field together_fields[] = {
    {"level", JS_ENUM, offsetof(struct together, level), .flags = JS_REQUIRED,
     .names = place_level_names, .doc = "what all tasks should share", .example = "\"rack\""},
    {"hard", JS_BOOL, offsetof(struct together, is_hard), .doc = "wait rather than spread"},
};
const struct js_table spec_together_table = JS_TABLE("Together", struct together, together_fields);

int spec_get_together(struct js_ctx *ctx, const struct js_field *f, yyjson_val *val, void *dst)
{
    struct placement_spec *placement = CONTAINER_OF(dst, struct placement_spec, together);
    struct together together = {0};
    if (yyjson_is_obj(val)) {
        int rc = js_ctx_decode(ctx, val, &spec_together_table, &together);
        if (rc != 0)
            return rc;
    } else {
        size_t level = 0;
        while (place_level_names[level] != NULL &&
               !(yyjson_is_str(val) && str_is_equal(place_level_names[level], yyjson_get_str(val))))
            level++;
        if (place_level_names[level] == NULL) {
            js_ctx_fail(ctx, val, "expected host, rack, room, site or none");
            return js_ctx_hint(ctx, "to wait rather than spread, write {level: rack, hard: true}");
        }
        together.level = (int)level;
    }
    placement->together = together.level;
    placement->together_hard = together.is_hard;
    return 0;
}

void spec_put_together(const struct js_field *f, const void *src, struct buf *out)
{
    const struct placement_spec *placement =
        (const struct placement_spec *)((const char *)src -
                                        offsetof(struct placement_spec, together));
    struct together together = {placement->together, placement->together_hard};
    check((unsigned)together.level < 5);
    if (together.is_hard)
        js_encode(&spec_together_table, &together, out);
    else
        js_put_string(out, place_level_names[together.level]);
}
