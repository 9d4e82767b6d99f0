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

/* Whether `null` stands for the absence of this field, on the way in and out. */
bool js_field_is_nullable(const struct js_field *f);

#endif
