/* JSON text into a document: yyjson reads, js_doc_check adds what RFC 8259 leaves open. */
#include "js/internal.h"

#include "base/alloc.h"

static int fail_at_offset(const struct js_doc *doc, const yyjson_read_err *why, struct err *err)
{
    if (why->code == YYJSON_READ_ERROR_MEMORY_ALLOCATION)
        return js_nomem(err);
    int line, col;
    js_line_col(doc, why->pos, &line, &col);
    if (why->code == YYJSON_READ_ERROR_EMPTY_CONTENT)
        err_set(err, BERR_INVALID, "the document is empty");
    else
        err_set(err, BERR_INVALID, "bad JSON: %s", why->msg);
    err_at(err, "", line, col);
    return -BERR_INVALID;
}

int js_parse_json(const char *text, size_t len, struct js_doc **ret, struct err *err)
{
    cleanup(js_doc_freep) struct js_doc *doc = NULL;
    int rc = js_doc_new(text, len, &doc, err);
    if (rc != 0)
        return rc;
    if (len == 0) /* yyjson calls this a bad parameter */
        return fail_at_offset(doc, &(yyjson_read_err){.code = YYJSON_READ_ERROR_EMPTY_CONTENT},
                              err);
    yyjson_read_err why;
    doc->tree = yyjson_read_opts(doc->source, doc->source_len, YYJSON_READ_NOFLAG, &js_alc, &why);
    if (doc->tree == NULL)
        return fail_at_offset(doc, &why, err);
    rc = js_doc_check(doc, err);
    if (rc != 0)
        return rc;
    *ret = TAKE_PTR(doc);
    return 0;
}
