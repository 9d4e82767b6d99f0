/*
 * sample: a struct with a field of every type and its table, for the tests of js and the fuzz
 * target of decoding. Included by one .c of a program.
 */
#ifndef BERTH_TEST_UNIT_JS_SAMPLE_H
#define BERTH_TEST_UNIT_JS_SAMPLE_H

#include <string.h>
#include "base/str.h"
#include "js/js.h"

struct item {
    int64_t number;
    const char *label;
};

static void item_defaults(void *dst)
{
    ((struct item *)dst)->number = 5;
}

static const struct js_field item_fields[] = {
    {"number", JS_I64, offsetof(struct item, number), .min = -10, .max = 10, .doc = "a number"},
    {"label", JS_LABEL, offsetof(struct item, label), .flags = JS_REQUIRED, .example = "\"one\""},
};
static const struct js_table item_table = {.name = "Item",
                                           .size = sizeof(struct item),
                                           .fields = item_fields,
                                           .count = ARRAY_LEN(item_fields),
                                           .defaults = item_defaults};

struct sample {
    bool flag;
    int64_t i64;
    uint64_t u64;
    double f64;
    const char *str;
    const char *label;
    const char *tag;
    int kind;
    uint64_t bytes;
    int64_t cpu_milli, gpu_milli;
    int64_t duration_ms, time_ms;
    uint64_t id;
    struct item inner;
    struct item *ptr;
    struct js_list list;
    struct js_strs strs;
    struct js_pairs pairs;
    struct js_objects objects;
    yyjson_val *raw;
    int64_t custom;
    const char *secret;
    int64_t readonly;
    const char *omitted;
};

static const char *const sample_kinds[] = {"job", "notebook", "service", NULL};

/* "N items": a text that stands for a number. */
static int decode_custom(struct js_ctx *ctx, const struct js_field *f, yyjson_val *val, void *dst)
{
    const char *text = yyjson_get_str(val);
    if (text == NULL || !str_has_suffix(text, " items")) {
        js_ctx_fail(ctx, val, "expected a count like \"3 items\"");
        return js_ctx_hint(ctx, "add \" items\"");
    }
    char *number = arena_strndup(js_ctx_arena(ctx), text, strlen(text) - strlen(" items"));
    if (number == NULL)
        return js_ctx_nomem(ctx);
    if (!str_parse_i64(number, dst))
        return js_ctx_fail(ctx, val, "%s is no number", number);
    return 0;
}

static void encode_custom(const struct js_field *f, const void *src, struct buf *out)
{
    int64_t count = *(const int64_t *)src;
    if (count != 0)
        buf_printf(out, "\"%lld items\"", (long long)count);
}

static const struct js_field sample_fields[] = {
    {"flag", JS_BOOL, offsetof(struct sample, flag)},
    {"i64", JS_I64, offsetof(struct sample, i64), .min = 2, .max = 0, .doc = "no upper end"},
    {"u64", JS_U64, offsetof(struct sample, u64)},
    {"f64", JS_F64, offsetof(struct sample, f64), .min = -1, .max = 1},
    {"str", JS_STR, offsetof(struct sample, str), .min = 1, .max = 20, .doc = "a \"text\""},
    {"label", JS_LABEL, offsetof(struct sample, label)},
    {"tag", JS_TAG, offsetof(struct sample, tag)},
    {"kind", JS_ENUM, offsetof(struct sample, kind), .names = sample_kinds},
    {"bytes", JS_BYTES, offsetof(struct sample, bytes), .min = 1024, .max = 1ll << 40},
    {"cpu", JS_CPU, offsetof(struct sample, cpu_milli), .max = 128000},
    {"gpu", JS_GPU_SHARE, offsetof(struct sample, gpu_milli)},
    {"duration", JS_DURATION, offsetof(struct sample, duration_ms), .max = 3600000},
    {"time", JS_TIME, offsetof(struct sample, time_ms)},
    {"id", JS_ID, offsetof(struct sample, id)},
    {"inner", JS_STRUCT, offsetof(struct sample, inner), .sub = &item_table},
    {"ptr", JS_PTR, offsetof(struct sample, ptr), .sub = &item_table},
    {"list", JS_LIST, offsetof(struct sample, list), .sub = &item_table, .max = 3},
    {"strs", JS_STRS, offsetof(struct sample, strs)},
    {"pairs", JS_PAIRS, offsetof(struct sample, pairs), .max = 4},
    {"objects", JS_OBJECTS, offsetof(struct sample, objects), .sub = &item_table},
    {"raw", JS_RAW, offsetof(struct sample, raw)},
    {"custom", JS_CUSTOM, offsetof(struct sample, custom), .decode = decode_custom,
     .encode = encode_custom, .schema = "{\"type\":\"string\"}", .doc = "a count"},
    {"secret", JS_STR, offsetof(struct sample, secret), .flags = JS_SECRET},
    {"readonly", JS_I64, offsetof(struct sample, readonly), .flags = JS_READONLY},
    {"omitted", JS_STR, offsetof(struct sample, omitted), .flags = JS_OMIT_EMPTY},
};
static const struct js_table sample_table = JS_TABLE("Sample", struct sample, sample_fields);

/* Every key that may be given, as YAML: JSON is YAML, so it serves both. */
#define SAMPLE_FULL                                                                               \
    "{\"flag\":true,\"i64\":7,\"u64\":18446744073709551615,\"f64\":0.25,\"str\":\"t\xc3\xa4xt\"," \
    "\"label\":\"a-1\",\"tag\":\"v1.0_x\",\"kind\":\"service\",\"bytes\":\"4G\",\"cpu\":0.5,"     \
    "\"gpu\":2,\"duration\":\"1m30s\",\"time\":\"2025-11-25T01:28:00Z\",\"id\":\"abcdefghjk\","   \
    "\"inner\":{\"number\":1,\"label\":\"in\"},\"ptr\":{\"number\":5,\"label\":\"p\"},"           \
    "\"list\":[{\"number\":5,\"label\":\"l0\"},{\"number\":-1,\"label\":\"l1\"}],"                \
    "\"strs\":[\"a\",\"\"],\"pairs\":{\"k\":\"v\"},"                                              \
    "\"objects\":{\"o-1\":{\"number\":9,\"label\":\"x\"}},\"raw\":[1,{\"x\":null}],"              \
    "\"custom\":\"3 items\""

#endif
