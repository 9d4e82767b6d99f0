/* YAML into a document: every value has a place, and written as JSON it reads back as the same. */
#include <stdint.h>
#include <stdlib.h>
#include "base/limits.h"
#include "js/js.h"

static void check_same_as_json(const struct js_doc *doc)
{
    size_t len;
    char *text = yyjson_val_write(js_root(doc), YYJSON_WRITE_NOFLAG, &len);
    check(text != NULL);
    struct js_doc *back = NULL;
    if (len <= LIMIT_DOC_BYTES) {
        check(js_parse_json(text, len, &back, NULL) == 0);
        check(yyjson_equals(js_root(doc), js_root(back)));
    }
    js_doc_free(back);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct js_doc *doc = NULL;
    struct err err;
    if (js_parse_yaml((const char *)data, size, &doc, &err) != 0) {
        check(err.code != BERR_OK && err.text[0] != '\0');
        return 0;
    }
    int line, col;
    js_where(doc, js_root(doc), &line, &col);
    check(line > 0 && col > 0);
    check_same_as_json(doc);
    js_doc_free(doc);
    return 0;
}
