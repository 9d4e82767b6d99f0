/*
 * js internal: the document behind struct js_doc, shared by the parsers and the decoder.
 *
 * The values of an immutable yyjson document stand in one array in the order of the text (keys
 * included), so the n-th value is the n-th token: `offsets[n]` is where it starts in the source.
 */
#ifndef BERTH_JS_INTERNAL_H
#define BERTH_JS_INTERNAL_H

#include "js/js.h"

struct js_offsets {
    uint32_t *items; /* one a value; NULL until somebody asks (JSON) */
    size_t len;
};

struct js_doc {
    yyjson_doc *tree;
    char *source; /* a copy, source_len bytes and a NUL */
    size_t source_len;
    struct js_offsets *offsets; /* behind a pointer: filled on demand in a const document */
};

/* yyjson on top of base/alloc.h. */
extern const yyjson_alc js_alc;

/* A document with a copy of the text and no tree yet; TOO_LARGE, INVALID (no UTF-8) or NOMEM. */
int js_doc_new(const char *text, size_t len, struct js_doc **ret, struct err *err);
/* Checks depth, number of values, duplicate keys and NULs. */
int js_doc_check(const struct js_doc *doc, struct err *err);

size_t js_bom_bytes(const struct js_doc *doc); /* 3 when the source starts with a UTF-8 mark */
int js_nomem(struct err *err);
void js_line_col(const struct js_doc *doc, size_t offset, int *ret_line, int *ret_col);
/* A number or literal as the user wrote it ("1.10", "0x1F"); NULL when unknown. */
const char *js_token(const struct js_doc *doc, yyjson_val *val, size_t *ret_len);

/* ---- a decode on its way ---- */

struct js_ctx {
    const struct js_doc *doc; /* NULL: no positions */
    struct arena *arena;
    struct err *err;
    bool is_own; /* text that berth wrote, see js_decode_own */
    char path[ERR_FIELD_MAX];
    size_t path_len;
};

/* Adds ".name" (or "name" at the top), or "[index]", and returns the length to go back to. */
size_t js_ctx_push(struct js_ctx *ctx, const char *name);
size_t js_ctx_push_index(struct js_ctx *ctx, size_t index);
void js_ctx_pop(struct js_ctx *ctx, size_t before);
/* What a value looks like, for "found …"; secrets never show. Returns dst or a constant. */
const char *js_ctx_describe(struct js_ctx *ctx, const struct js_field *f, yyjson_val *val,
                            char *dst, size_t dst_size);
int js_ctx_fail_type(struct js_ctx *ctx, const struct js_field *f, yyjson_val *val,
                     const char *expected);
/* The types that end in a number: JS_I64 to JS_F64 and all with units. */
int js_decode_amount(struct js_ctx *ctx, const struct js_field *f, yyjson_val *val, void *dst);

/* Whether `null` stands for the absence of this field, on the way in and out. */
bool js_field_is_nullable(const struct js_field *f);

#endif
