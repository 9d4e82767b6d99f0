/* A job file as a user may send it: decoded, checked, copied, written out, and read back. */
#include <stddef.h>
#include <stdint.h>
#include "base/limits.h"
#include "types/spec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was accepted once must be accepted again as it was written out. */
static void check_round_trip(const struct workload_spec *spec, struct arena *arena)
{
    struct buf text = BUF(8u << 20);
    struct js_doc *doc = NULL;
    struct workload_spec back;
    struct err err = {0};
    struct workload_spec *copy = spec_copy(spec, arena);
    spec_defaults(&back);
    if (copy != NULL)
        js_encode(&spec_table, copy, &text);
    if (copy != NULL && !buf_is_failed(&text) && text.len <= LIMIT_DOC_BYTES) {
        check(js_parse_json(buf_str(&text), text.len, &doc, &err) == 0);
        int rc = js_decode(doc, js_root(doc), &spec_table, arena, &back, &err);
        check(rc == 0 || rc == -BERR_NOMEM);
        check(rc != 0 || spec_validate(&back, doc, &err) == 0);
    }
    js_doc_free(doc);
    buf_done(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = ARENA(16u << 20);
    struct js_doc *doc = NULL;
    struct workload_spec spec;
    struct err err = {0};
    spec_defaults(&spec);
    int rc = js_parse_yaml((const char *)data, size, &doc, &err);
    if (rc == 0)
        rc = js_decode(doc, js_root(doc), &spec_table, &arena, &spec, &err);
    if (rc == 0)
        rc = spec_validate(&spec, doc, &err);
    if (rc == 0)
        check_round_trip(&spec, &arena);
    else
        check(rc == -BERR_NOMEM || err.text[0] != '\0');
    js_doc_free(doc);
    arena_done(&arena);
    return 0;
}
