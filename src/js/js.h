/*
 * js: documents (JSON or YAML text) and field tables (struct <-> JSON).
 *
 * Parsing: js_parse_json and js_parse_yaml both end in a read-only yyjson document inside a
 * struct js_doc that remembers the source, so that any value can be placed at its line and column
 * in the text the user wrote. YAML follows the 1.2 core schema (no yes/no booleans, no octal, no
 * tags, no merge keys; anchors and aliases within LIMIT_YAML_ALIASES). Duplicate keys are errors.
 *
 * Field tables: one static table describes a struct once and gives decoding (with path, line and
 * column of every error, unknown keys refused with the nearest known key as a hint, nothing stored
 * on failure beyond the arena), encoding, and the JSON Schema used in OpenAPI.
 *
 *     struct point { int64_t x; const char *label; };
 *     static const struct js_field point_fields[] = {
 *         {"x", JS_I64, offsetof(struct point, x), .flags = JS_REQUIRED, .min = 0, .max = 100,
 *          .doc = "column"},
 *         {"label", JS_STR, offsetof(struct point, label), .max = 64, .doc = "shown to people"},
 *     };
 *     const struct js_table point_table = JS_TABLE("Point", struct point, point_fields);
 *
 * Who owns what: a js_doc owns its tree; decoded strings and lists live in the arena given to
 * js_decode and do not point into the doc. Any thread, one at a time per object.
 */
#ifndef BERTH_JS_JS_H
#define BERTH_JS_JS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <yyjson.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

/* ---- documents ---- */

struct js_doc;

/* At most LIMIT_DOC_BYTES, LIMIT_DOC_DEPTH, LIMIT_DOC_NODES; UTF-8 only; one document. INVALID
 * with line and col on bad text, TOO_LARGE, NOMEM. */
int js_parse_json(const char *text, size_t len, struct js_doc **ret, struct err *err);
int js_parse_yaml(const char *text, size_t len, struct js_doc **ret, struct err *err);
struct js_doc *js_doc_free(struct js_doc *doc); /* returns NULL; NULL allowed */
void js_doc_freep(struct js_doc **doc);

yyjson_val *js_root(const struct js_doc *doc);
/* 1-based line and column of a value in the source; 0,0 when unknown. */
void js_where(const struct js_doc *doc, yyjson_val *val, int *ret_line, int *ret_col);
/* err_set + position and path of a value: for checks after decoding. */
int js_fail(const struct js_doc *doc, yyjson_val *val, const char *path, struct err *err,
            const char *fmt, ...) PRINTF_LIKE(5, 6);

/* ---- field tables ---- */

enum js_type {
    JS_BOOL,      /* bool */
    JS_I64,       /* int64_t, min..max */
    JS_U64,       /* uint64_t */
    JS_F64,       /* double, finite */
    JS_STR,       /* const char *, UTF-8; min..max bytes (max 0: LIMIT_TEXT) */
    JS_LABEL,     /* const char *, str_is_label */
    JS_TAG,       /* const char *, str_is_tag */
    JS_ENUM,      /* int, names table */
    JS_BYTES,     /* uint64_t, "4G" or a number of bytes; written as units_format_bytes */
    JS_CPU,       /* int64_t milli-cores, "500m", 2, 0.5; written as a number */
    JS_GPU_SHARE, /* int64_t thousandths, 1, 0.5; written as a number */
    JS_DURATION,  /* int64_t ms, "4h" */
    JS_TIME,      /* int64_t ms since 1970, RFC 3339; 0 is written as null */
    JS_ID,        /* uint64_t, 10 characters (base/id.h); 0 is written as null */
    JS_STRUCT,    /* embedded struct, .sub */
    JS_PTR,       /* struct *, .sub; NULL when absent */
    JS_LIST,      /* struct js_list of .sub structs */
    JS_STRS,      /* struct js_strs: list of strings; numbers and bools become text as written, */
    JS_PAIRS,     /* struct js_pairs: object of such; each at most LIMIT_LONG_TEXT_BYTES */
    JS_OBJECTS,   /* struct js_objects: object whose values are .sub structs; keys are labels */
    JS_RAW,       /* yyjson_val *, valid as long as the doc */
    JS_CUSTOM,    /* .decode and .encode */
};

struct js_list {
    void *items; /* len structs of .sub->size each */
    size_t len;
};
struct js_strs {
    const char **items;
    size_t len;
};
struct js_pair {
    const char *key, *value;
};
struct js_pairs {
    struct js_pair *items;
    size_t len;
};
struct js_objects {
    const char **keys;
    void *items;
    size_t len;
};

enum {
    JS_REQUIRED = 1,
    JS_SECRET = 2,     /* decoded, never written, never shown in an error */
    JS_READONLY = 4,   /* written, refused on input */
    JS_OMIT_EMPTY = 8, /* not written when 0, NULL or empty */
    JS_NULLABLE = 16,  /* null on input means absent */
};
/* Optional texts, ids, times and pointers without JS_OMIT_EMPTY are written as null when empty, and
 * null is accepted for them: what was answered can be sent back. */

struct js_ctx; /* of a decode: arena, doc, path, err */
struct js_field;
typedef int js_decode_fn(struct js_ctx *ctx, const struct js_field *f, yyjson_val *val, void *dst);
/* Appends one JSON value; nothing at all leaves the key out. dst and src: the field's address. */
typedef void js_encode_fn(const struct js_field *f, const void *src, struct buf *out);

struct js_table;
struct js_field {
    const char *name;
    enum js_type type;
    size_t offset;
    int flags;
    int64_t min, max;           /* of numbers and units (both 0: no check; min > max: no upper end),
                                 * bytes of text, items of lists and objects */
    const struct js_table *sub; /* JS_STRUCT to JS_OBJECTS; JS_CUSTOM for its schema */
    const char *const *names;   /* JS_ENUM: NULL-terminated, index is the value */
    js_decode_fn *decode;       /* JS_CUSTOM */
    js_encode_fn *encode;
    const char *schema;  /* JS_CUSTOM: its JSON Schema, as the text of a JSON object */
    const char *doc;     /* one line for help, OpenAPI and docs */
    const char *example; /* JSON text, optional */
};

struct js_table {
    const char *name; /* of the schema component */
    size_t size;
    const struct js_field *fields;
    size_t count;                /* at most 128 */
    void (*defaults)(void *dst); /* fills what decoding makes itself: items of lists and objects,
                                  * JS_PTR; NULL: zeros */
};

#define JS_TABLE(schema_name, type, fields_array)                              \
    {                                                                          \
        .name = (schema_name), .size = sizeof(type), .fields = (fields_array), \
        .count = sizeof(fields_array) / sizeof((fields_array)[0])              \
    }

/* Decodes an object into *dst, which the caller has filled with defaults. On failure *err has
 * field ("roles.worker.gpu", "volumes[1].name"), line and column, and *dst may be partly filled
 * (throw it away). doc may be NULL: then without positions. */
int js_decode(const struct js_doc *doc, yyjson_val *val, const struct js_table *table,
              struct arena *arena, void *dst, struct err *err);
/* The same for text that berth itself wrote (a stored record, an answer of the API): read-only
 * fields are accepted, unknown keys skipped, null is absent everywhere, and ranges and lengths are
 * not checked (yesterday's limits may differ from today's). */
int js_decode_own(const struct js_doc *doc, yyjson_val *val, const struct js_table *table,
                  struct arena *arena, void *dst, struct err *err);
/* For JS_CUSTOM decoders: err with the current path and position; the arena; a sub-table. */
int js_ctx_fail(struct js_ctx *ctx, yyjson_val *val, const char *fmt, ...) PRINTF_LIKE(3, 4);
int js_ctx_hint(struct js_ctx *ctx, const char *fmt, ...) PRINTF_LIKE(2, 3);
int js_ctx_nomem(struct js_ctx *ctx);
struct arena *js_ctx_arena(struct js_ctx *ctx);
int js_ctx_decode(struct js_ctx *ctx, yyjson_val *val, const struct js_table *table, void *dst);

/* Appends the JSON of a struct (compact; keys in table order). */
void js_encode(const struct js_table *table, const void *src, struct buf *out);
/* Appends the JSON Schema (2020-12, as used by OpenAPI 3.1) of a table; sub-tables are references
 * to #/components/schemas/NAME. */
void js_schema(const struct js_table *table, struct buf *out);
/* Appends `"NAME":{schema},…` of the tables and all below them, each once: the inside of
 * components.schemas. One name must stand for one table. */
void js_schema_components(const struct js_table *const *tables, size_t count, struct buf *out);

/* ---- writing by hand ---- */

/* A small writer that puts the commas; depth at most LIMIT_DOC_DEPTH. Keys and strings are escaped;
 * bytes that are not UTF-8 become U+FFFD. A NULL string is null. */
struct js_writer {
    struct buf *out;
    uint8_t depth;
    bool need_comma[34];
};
void js_w_init(struct js_writer *w, struct buf *out);
void js_w_object(struct js_writer *w, const char *key); /* key NULL inside arrays and at the top */
void js_w_array(struct js_writer *w, const char *key);
void js_w_end_object(struct js_writer *w);
void js_w_end_array(struct js_writer *w);
void js_w_str(struct js_writer *w, const char *key, const char *value);
void js_w_i64(struct js_writer *w, const char *key, int64_t value);
void js_w_u64(struct js_writer *w, const char *key, uint64_t value);
void js_w_f64(struct js_writer *w, const char *key, double value);
void js_w_bool(struct js_writer *w, const char *key, bool value);
void js_w_null(struct js_writer *w, const char *key);
void js_w_id(struct js_writer *w, const char *key, uint64_t id);       /* null when 0 */
void js_w_time(struct js_writer *w, const char *key, int64_t ms);      /* null when 0 */
void js_w_raw(struct js_writer *w, const char *key, const char *json); /* trusted JSON text */
void js_w_table(struct js_writer *w, const char *key, const struct js_table *t, const void *src);
void js_put_string(struct buf *out, const char *s); /* one escaped JSON string, quotes included */
void js_put_f64(struct buf *out, double value); /* shortest that reads back; null when not finite */

/* ---- reading by hand: small questions that never fail ---- */
const char *js_get_str(yyjson_val *obj, const char *key); /* NULL when absent or no string */
int64_t js_get_i64(yyjson_val *obj, const char *key, int64_t otherwise);
bool js_get_bool(yyjson_val *obj, const char *key, bool otherwise);
uint64_t js_get_id(yyjson_val *obj, const char *key); /* 0 when absent or not an id */

#endif
