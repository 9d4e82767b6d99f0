/*
 * spec_custom: the fields of a job file that may be written in more than one way. Decoders and
 * encoders for js field tables (JS_CUSTOM), with the schema of each. Used by spec.c only.
 */
#ifndef BERTH_TYPES_SPEC_CUSTOM_H
#define BERTH_TYPES_SPEC_CUSTOM_H

#include "js/js.h"

/* `4` or `"2..8"`: dst is the address of role_spec.replicas; replicas_max goes with it. */
js_decode_fn spec_get_replicas;
js_encode_fn spec_put_replicas;
#define SPEC_REPLICAS_SCHEMA                                             \
    "{\"anyOf\":[{\"type\":\"integer\",\"minimum\":1,\"maximum\":4096}," \
    "{\"type\":\"string\",\"pattern\":\"^[0-9]+(\\\\.\\\\.[0-9]+)?$\"}]}"

/* `1`, `0.5`, `"A100"`, `"A100:2"` or {model, count, memory}: a struct gpu_request. */
js_decode_fn spec_get_gpu;
js_encode_fn spec_put_gpu;
extern const struct js_table spec_gpu_table;
#define SPEC_GPU_SCHEMA                               \
    "{\"anyOf\":[{\"type\":[\"number\",\"string\"]}," \
    "{\"$ref\":\"#/components/schemas/GpuRequest\"}]}"

/* A size with its unit: uint64_t bytes. Bare numbers below 1 MiB are mistakes (`memory: 16`). */
js_decode_fn spec_get_size;
js_encode_fn spec_put_size;
#define SPEC_SIZE_SCHEMA                                \
    "{\"type\":[\"string\",\"integer\"],\"minimum\":0," \
    "\"pattern\":\"^[0-9]+(\\\\.[0-9]{1,3})?([KMGTP]i?)?$\"}"

/* `low`, `normal`, `high` or a number: int64_t. */
js_decode_fn spec_get_priority;
js_encode_fn spec_put_priority;
#define SPEC_PRIORITY_SCHEMA                                                    \
    "{\"anyOf\":[{\"type\":\"string\",\"enum\":[\"low\",\"normal\",\"high\"]}," \
    "{\"type\":\"integer\",\"minimum\":-1000,\"maximum\":1000}]}"

/* `host` or {level, hard}: dst is the address of placement_spec.together; together_hard goes
 * with it. */
js_decode_fn spec_get_together;
js_encode_fn spec_put_together;
extern const struct js_table spec_together_table;
#define SPEC_TOGETHER_SCHEMA                                                                     \
    "{\"anyOf\":[{\"type\":\"string\",\"enum\":[\"none\",\"host\",\"rack\",\"room\",\"site\"]}," \
    "{\"$ref\":\"#/components/schemas/Together\"}]}"

#endif
