/* What a registry may send: index, manifest, config. The first byte chooses. */
#include <stdint.h>
#include "image/oci.h"
#include "js/js.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err = {0};
    struct digest d;
    struct oci_manifest m;
    struct buf out = BUF(65536);
    int rc = 0;
    if (size == 0)
        return 0;
    const char *text = (const char *)data + 1;
    if (data[0] % 3 == 0)
        rc = oci_index_parse(text, size - 1, &d, &err);
    else if (data[0] % 3 == 1)
        rc = oci_manifest_parse(text, size - 1, &m, &err);
    else
        rc = oci_config_parse(text, size - 1, &out, &err);
    check(rc == 0 || (err.code != BERR_OK && err.text[0] != '\0'));
    if (rc == 0 && data[0] % 3 == 1)
        check(m.layer_count > 0 && m.layer_count <= IMAGE_LAYERS_MAX);
    if (rc == 0 && data[0] % 3 == 2) { /* what is kept is a document again */
        struct js_doc *doc = NULL;
        check(js_parse_json(buf_str(&out), out.len, &doc, &err) == 0);
        js_doc_free(doc);
    }
    buf_done(&out);
    return 0;
}
