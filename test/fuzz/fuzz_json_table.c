/*
 * JSON by a table with a field of every type. What decodes must encode to good JSON, which decodes
 * and encodes to the same text again.
 */
#include <stdint.h>
#include "base/limits.h"
#include "sample.h"

#define ARENA_BYTES (8 << 20)

static int decode_and_encode(const char *text, size_t len, bool is_own, struct buf *out)
{
    struct js_doc *doc = NULL;
    struct err err;
    int rc = js_parse_json(text, len, &doc, &err);
    if (rc != 0) {
        check(err.code != BERR_OK && err.text[0] != '\0');
        return rc;
    }
    struct arena arena = ARENA(ARENA_BYTES);
    struct sample sample = {0};
    rc = is_own ? js_decode_own(doc, js_root(doc), &sample_table, &arena, &sample, &err)
                : js_decode(doc, js_root(doc), &sample_table, &arena, &sample, &err);
    if (rc == 0)
        js_encode(&sample_table, &sample, out);
    else if (err.code == BERR_INVALID) /* every mistake has its place */
        check(err.text[0] != '\0' && err.line > 0 && err.col > 0);
    arena_done(&arena);
    js_doc_free(doc);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf first = BUF(8 << 20), second = BUF(8 << 20);
    int rc = decode_and_encode((const char *)data, size, false, &first);
    check(!buf_is_failed(&first));
    if (rc == 0 && first.len <= LIMIT_DOC_BYTES) {
        rc = decode_and_encode(buf_str(&first), first.len, true, &second);
        check(rc == 0);
        check(strcmp(buf_str(&first), buf_str(&second)) == 0);
    }
    buf_done(&first);
    buf_done(&second);
    return 0;
}
