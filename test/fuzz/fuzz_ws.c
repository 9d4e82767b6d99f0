/* WebSocket frames: the cutting is no matter, and messages keep within the maximum. */
#include <stdint.h>
#include <string.h>
#include "http/ws_frame.h"

#define MESSAGE_MAX 1000

static int on_message(void *arg, enum ws_op op, const char *data, size_t len)
{
    check(len <= (op < WS_CLOSE ? MESSAGE_MAX : WS_CONTROL_MAX));
    check(op != WS_CONTINUE);
    buf_printf(arg, "%d %zu:", (int)op, len);
    buf_append(arg, data, len);
    return 0;
}

static int decode(const char *data, size_t len, bool masked, size_t step, struct buf *out)
{
    struct ws_decoder d;
    struct err err = {0};
    int rc = 0;
    ws_decoder_init(&d, masked, MESSAGE_MAX, on_message, out);
    for (size_t at = 0; at < len && rc == 0; at += step)
        rc = ws_decoder_feed(&d, data + at, len - at < step ? len - at : step, &err);
    check(rc == 0 || (err.text[0] && d.code >= 1000));
    ws_decoder_done(&d);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf one = BUF(1 << 20), all = BUF(1 << 20);
    if (size < 1)
        return 0;
    const char *text = (const char *)data + 1;
    int rc = decode(text, size - 1, data[0] & 1, 1, &one);
    check(rc == decode(text, size - 1, data[0] & 1, size, &all));
    check(one.len == all.len && (one.len == 0 || memcmp(one.data, all.data, one.len) == 0));
    buf_done(&one);
    buf_done(&all);
    return 0;
}
