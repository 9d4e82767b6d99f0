/*
 * HTTP messages: however the bytes are cut, the parser sees the same, and what it lets through keeps
 * the promises that proxy and server build on. The first byte chooses request or response.
 */
#include <stdint.h>
#include <string.h>
#include "base/alloc.h"
#include "base/str.h"
#include "http/parse.h"

struct seen {
    struct buf text; /* heads and bodies, one after another */
    size_t heads;
};

/* What a message that was let through must be. */
static void check_head(const struct http_head *head, bool is_response)
{
    size_t hosts = 0, lengths = 0, codings = 0;
    check(head->minor == 0 || head->minor == 1);
    check(head->header_count <= LIMIT_HTTP_HEADERS);
    for (size_t i = 0; i < head->header_count; i++) {
        const char *name = head->headers[i].name, *value = head->headers[i].value;
        check(name[0] != '\0' && !strpbrk(name, " \t\r\n:"));
        check(!strpbrk(value, "\r\n"));
        check(value[0] != ' ' && value[0] != '\t');
        hosts += str_is_equal_ci(name, "host");
        lengths += str_is_equal_ci(name, "content-length");
        codings += str_is_equal_ci(name, "transfer-encoding");
    }
    check(lengths + codings <= 1);
    check(head->chunked == (codings == 1));
    check((head->content_length >= 0) == (lengths == 1));
    if (is_response) {
        check(head->status >= 100 && head->status <= 999);
        return;
    }
    check(head->method && head->target && head->target[0]);
    check(!strpbrk(head->target, " \t\r\n"));
    check(strlen(head->target) <= LIMIT_HTTP_URL_BYTES);
    check(hosts == 1 || (hosts == 0 && head->minor == 0));
}

static int on_head(void *arg, const struct http_head *head)
{
    struct seen *s = arg;
    s->heads++;
    check_head(head, head->method == NULL);
    buf_printf(&s->text, "[%s %s %d", head->method ? head->method : "-",
               head->target ? head->target : "-", head->status);
    for (size_t i = 0; i < head->header_count; i++)
        buf_printf(&s->text, "|%s=%s", head->headers[i].name, head->headers[i].value);
    buf_puts(&s->text, "]");
    return 0;
}

static int on_body(void *arg, const char *data, size_t len)
{
    struct seen *s = arg;
    buf_append(&s->text, data, len);
    return 0;
}

static void on_complete(void *arg)
{
    (void)arg;
}

static const struct http_parser_events events = {on_head, on_body, on_complete};

/* All messages in the bytes, fed in pieces of `step`; returns the code that ended it. */
static int parse_all(const char *data, size_t len, bool is_response, size_t step, struct seen *s)
{
    struct http_parser p;
    struct err err = {0};
    int rc = 0;
    http_parser_init(&p, is_response, &events, s);
    for (size_t at = 0; at < len && rc == 0;) {
        size_t n = len - at < step ? len - at : step, used = 0;
        rc = http_parser_feed(&p, data + at, n, &used, &err);
        if (rc < 0) {
            check(err.text[0] && err.code == (enum berr) - rc);
            check(p.status == 400 || p.status == 414 || p.status == 431);
            break;
        }
        check(used <= n);
        at += used;
        if (!http_parser_is_complete(&p))
            check(used == n);
        else if (http_parser_is_upgraded(&p))
            break;
        else
            http_parser_next(&p);
    }
    if (rc == 0)
        http_parser_eof(&p, &err);
    http_parser_done(&p);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const size_t steps[] = {1, 7, SIZE_MAX};
    struct seen first = {.text = BUF(1 << 20)};
    if (size < 1)
        return 0;
    bool is_response = data[0] == 'R';
    const char *text = (const char *)data + 1;
    int rc = parse_all(text, size - 1, is_response, steps[0], &first);
    for (size_t i = 1; i < ARRAY_LEN(steps); i++) {
        struct seen again = {.text = BUF(1 << 20)};
        int rc2 = parse_all(text, size - 1, is_response, steps[i], &again);
        /* when several rules are broken at once, which is seen first depends on the cut */
        check((rc < 0) == (rc2 < 0) && first.heads == again.heads);
        /* on an error the last body piece may or may not have been given out */
        size_t common = first.text.len < again.text.len ? first.text.len : again.text.len;
        check(rc < 0 || first.text.len == again.text.len);
        check(common == 0 || memcmp(first.text.data, again.text.data, common) == 0);
        buf_done(&again.text);
    }
    buf_done(&first.text);
    return 0;
}
