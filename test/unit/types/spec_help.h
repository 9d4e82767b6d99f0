/* spec_help: a job file as text, decoded and checked in one call. For the spec tests only. */
#ifndef BERTH_TEST_TYPES_SPEC_HELP_H
#define BERTH_TEST_TYPES_SPEC_HELP_H

#include <testlib.h>
#include "types/spec.h"

/* Decodes and validates YAML into *ret, whose strings live in arena. */
static inline int spec_read(const char *yaml, struct arena *arena, struct workload_spec *ret,
                            struct err *err)
{
    struct js_doc *doc = NULL;
    spec_defaults(ret);
    err_clear(err);
    int rc = js_parse_yaml(yaml, strlen(yaml), &doc, err);
    if (rc == 0)
        rc = js_decode(doc, js_root(doc), &spec_table, arena, ret, err);
    if (rc == 0)
        rc = spec_validate(ret, doc, err);
    js_doc_free(doc);
    return rc;
}

/* The text is refused with this field, position, and these parts of text and hint. */
static inline void spec_refuses(const char *yaml, const char *field, int line, int col,
                                const char *text, const char *hint)
{
    struct arena arena = ARENA(1 << 20);
    struct workload_spec spec;
    struct err err = {0};
    int rc = spec_read(yaml, &arena, &spec, &err);
    if (rc != -BERR_INVALID || strcmp(err.field, field) != 0 || err.line != line ||
        err.col != col || strstr(err.text, text) == NULL || strstr(err.hint, hint) == NULL)
        fail_msg("for\n%s\ngot %d %s:%d:%d %s (%s)", yaml, rc, err.field, err.line, err.col,
                 err.text, err.hint);
    arena_done(&arena);
}

#endif
