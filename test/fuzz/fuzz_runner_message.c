/* What the runner reads from its socket: an accepted request is written and read again as the same
 * bytes; a refused one has words. Answers are only read: the other side is root. */
#include <stdint.h>
#include <string.h>
#include "base/alloc.h"
#include "base/limits.h"
#include "wire/runner.h"

static void request_try(const char *text, size_t len)
{
    struct arena arena = ARENA(8u << 20);
    cleanup(buf_done) struct buf first = BUF(LIMIT_RUNNER_MESSAGE_BYTES + 4);
    cleanup(buf_done) struct buf second = BUF(LIMIT_RUNNER_MESSAGE_BYTES + 4);
    struct wire_request req, back;
    struct err err = {0};
    uint64_t id;
    if (wire_parse_request(text, len, &arena, &req, &id, &err) != 0) {
        check(err.code != BERR_OK && err.text[0] != '\0');
    } else if (wire_put_request(&first, req.id, req.verb, req.args, &err) == 0) {
        check(wire_parse_request(first.data + 4, first.len - 4, &arena, &back, &id, &err) == 0);
        check(wire_put_request(&second, back.id, back.verb, back.args, &err) == 0);
        check(first.len == second.len && memcmp(first.data, second.data, first.len) == 0);
    } else {
        check(err.code == BERR_TOO_LARGE);
    }
    arena_done(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    struct arena arena = ARENA(8u << 20);
    struct wire_answer answer;
    struct wire_key key;
    struct err err = {0};
    size_t len;
    char name[WIRE_KEY_TEXT_SIZE] = "", again[WIRE_KEY_TEXT_SIZE];
    if (wire_frame(text, size, &len, &err) == 0 && len > 0)
        check(len + 4 <= size);
    request_try(text, size);
    if (wire_parse_answer(text, size, &arena, &answer, &err) != 0)
        check(err.text[0] != '\0');
    if (size < sizeof(name)) {
        memcpy(name, text, size);
        if (wire_key_parse(name, &key))
            check(strcmp(wire_key_format(again, &key), name) == 0);
    }
    arena_done(&arena);
    return 0;
}
