/*
 * sse: one event is one write.
 */
#include "http/sse.h"
#include <string.h>
#include "base/str.h"

void sse_begin(struct http_request *req)
{
    http_reply_header(req, "Cache-Control", "no-store");
    http_reply_header(req, "X-Accel-Buffering", "no");
    http_stream_begin(req, 200, "text/event-stream", -1);
    http_stream_write(req, ":\n\n", 3);
}

void sse_send(struct http_request *req, uint64_t id, const char *event, const char *data)
{
    struct buf out = BUF(256 * 1024);
    buf_printf(&out, "id: %llu\n", (unsigned long long)id);
    if (event)
        buf_printf(&out, "event: %s\n", event);
    for (const char *at = data;;) {
        size_t len = strcspn(at, "\n");
        buf_printf(&out, "data: %.*s\n", (int)len, at);
        if (!at[len])
            break;
        at += len + 1;
    }
    buf_putc(&out, '\n');
    if (!buf_is_failed(&out))
        http_stream_write(req, out.data, out.len);
    buf_done(&out);
}

void sse_heartbeat(struct http_request *req)
{
    http_stream_write(req, ":\n\n", 3);
}

int sse_position(const struct http_request *req, uint64_t otherwise, uint64_t *ret, struct err *err)
{
    const char *text = http_head_get(req->head, "last-event-id");
    const char *field = "Last-Event-ID";
    if (!text) {
        text = url_query(&req->target, "after");
        field = "after";
    }
    if (!text) {
        *ret = otherwise;
        return 0;
    }
    if (!str_parse_u64(text, ret)) {
        err_set(err, BERR_INVALID, "expected the number of an event, found \"%s\"", text);
        return err_at(err, field, 0, 0);
    }
    return 0;
}
