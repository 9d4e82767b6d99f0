/*
 * sse_in: lines first, then fields.
 */
#include "cli/sse_in.h"
#include <string.h>
#include "base/str.h"

#define LINE_MAX_BYTES (1u << 20)

void cli_events_init(struct cli_events *e, cli_event_fn *fn, void *arg)
{
    *e = (struct cli_events){
        .fn = fn, .arg = arg, .line = BUF(LINE_MAX_BYTES), .data = BUF(LINE_MAX_BYTES), .id = -1};
}

void cli_events_done(struct cli_events *e)
{
    buf_done(&e->line);
    buf_done(&e->data);
}

void cli_events_restart(struct cli_events *e)
{
    buf_clear(&e->line);
    buf_clear(&e->data);
    e->type[0] = '\0';
}

static int take_field(struct cli_events *e, const char *name, const char *value)
{
    uint64_t id;
    if (str_is_equal(name, "data")) {
        if (e->data.len)
            buf_putc(&e->data, '\n');
        buf_puts(&e->data, value);
    } else if (str_is_equal(name, "event")) {
        str_copy(e->type, sizeof(e->type), value);
    } else if (str_is_equal(name, "id") && str_parse_u64(value, &id) && id <= INT64_MAX) {
        e->id = (int64_t)id;
    }
    return 0;
}

static int take_line(struct cli_events *e, char *line)
{
    if (!line[0]) {
        struct cli_event event = {
            .id = e->id, .type = e->type[0] ? e->type : "message", .data = buf_str(&e->data)};
        int rc = e->data.len && !buf_is_failed(&e->data) ? e->fn(e->arg, &event) : 0;
        buf_clear(&e->data);
        e->type[0] = '\0';
        return rc;
    }
    char *colon = strchr(line, ':');
    if (colon == line)
        return 0; /* a comment */
    if (!colon)
        return take_field(e, line, "");
    *colon = '\0';
    return take_field(e, line, colon + 1 + (colon[1] == ' '));
}

int cli_events_feed(struct cli_events *e, const char *data, size_t len)
{
    while (len) {
        const char *end = memchr(data, '\n', len);
        size_t n = end ? (size_t)(end - data) : len;
        buf_append(&e->line, data, n);
        if (!end)
            return 0;
        if (e->line.len && e->line.data[e->line.len - 1] == '\r')
            buf_truncate(&e->line, e->line.len - 1);
        int rc = buf_is_failed(&e->line) || !e->line.data ? 0 : take_line(e, e->line.data);
        if (!e->line.data && !buf_is_failed(&e->line)) { /* an empty first line */
            char empty[1] = "";
            rc = take_line(e, empty);
        }
        buf_clear(&e->line);
        if (rc)
            return rc;
        data += n + 1;
        len -= n + 1;
    }
    return 0;
}
