/* A manifest: what is accepted stays inside, is canonical, and reads back as the same. */
#include <stdint.h>
#include <string.h>
#include "ship/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = ARENA(64u << 20);
    struct buf text = BUF(SHIP_MANIFEST_BYTES);
    struct ship_manifest m, back;
    struct err err;
    if (ship_manifest_parse((const char *)data, size, &arena, &m, &err) != 0) {
        check(err.code != BERR_OK && err.text[0] != '\0');
    } else {
        for (size_t i = 0; i < m.count; i++) {
            check(m.entries[i].path[0] != '/' && strstr(m.entries[i].path, "/../") == NULL);
            check(i == 0 || strcmp(m.entries[i - 1].path, m.entries[i].path) < 0);
        }
        ship_manifest_write(&m, &text);
        check(ship_manifest_parse(buf_str(&text), text.len, &arena, &back, &err) == 0);
        check(digest_is_equal(&m.digest, &back.digest));
    }
    buf_done(&text);
    arena_done(&arena);
    return 0;
}
