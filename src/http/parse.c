/*
 * parse: llhttp finds the pieces; here they are collected, counted and judged.
 */
#include "http/parse.h"
#include <stddef.h>
#include <string.h>
#include "base/str.h"

#define STOP_ERROR    -1
#define TRAILER_BYTES 4096
#define KEEP_BYTES    1024

static int fail(struct http_parser *p, enum berr code, const char *text)
{
    if (!p->err.code) {
        err_set(&p->err, code, "%s", text);
        p->status = code == BERR_TOO_LARGE ? 431 : 400;
    }
    return STOP_ERROR;
}

/* Appends to the piece being collected. */
static int collect(struct http_parser *p, const char *at, size_t len)
{
    buf_append(&p->text, at, len);
    if (buf_is_failed(&p->text))
        return fail(p, BERR_TOO_LARGE, "the request head is too large");
    return 0;
}

static int end_piece(struct http_parser *p)
{
    return collect(p, "", 1);
}

static int on_url(llhttp_t *ll, const char *at, size_t len)
{
    struct http_parser *p = ll->data;
    if (p->text.len + len > LIMIT_HTTP_URL_BYTES) {
        int rc = fail(p, BERR_TOO_LARGE, "the request target is too long");
        p->status = 414;
        return rc;
    }
    return collect(p, at, len);
}

static int on_url_end(llhttp_t *ll)
{
    return end_piece(ll->data);
}

static int skip_trailer(struct http_parser *p, size_t len)
{
    p->trailer_bytes += len;
    return p->trailer_bytes > TRAILER_BYTES ? fail(p, BERR_TOO_LARGE, "the trailers are too large")
                                            : 0;
}

/* While reading, names and values are offsets into text (it may move). */
static int on_field(llhttp_t *ll, const char *at, size_t len)
{
    struct http_parser *p = ll->data;
    if (p->head_done)
        return skip_trailer(p, len);
    if (p->in_value || p->head.header_count == 0) {
        if (p->head.header_count == LIMIT_HTTP_HEADERS)
            return fail(p, BERR_TOO_LARGE, "too many headers");
        p->head.headers[p->head.header_count++].name = (const char *)(uintptr_t)p->text.len;
        p->in_value = false;
    }
    return collect(p, at, len);
}

static int on_field_end(llhttp_t *ll)
{
    struct http_parser *p = ll->data;
    if (p->head_done)
        return 0;
    int rc = end_piece(p);
    p->in_value = true;
    if (p->head.header_count)
        p->head.headers[p->head.header_count - 1].value = (const char *)(uintptr_t)p->text.len;
    return rc;
}

static int on_value(llhttp_t *ll, const char *at, size_t len)
{
    struct http_parser *p = ll->data;
    if (p->head_done)
        return skip_trailer(p, len);
    if (memchr(at, '\0', len))
        return fail(p, BERR_INVALID, "a header holds a NUL");
    return collect(p, at, len);
}

static int on_value_end(llhttp_t *ll)
{
    struct http_parser *p = ll->data;
    return p->head_done ? 0 : end_piece(p);
}

static void resolve(struct http_parser *p)
{
    char *base = p->text.data;
    p->head.target = p->is_response ? NULL : base;
    for (size_t i = 0; i < p->head.header_count; i++) {
        struct http_header *h = &p->head.headers[i];
        h->name = base + (uintptr_t)h->name;
        char *value = base + (uintptr_t)h->value;
        while (*value == ' ' || *value == '\t')
            value++;
        size_t len = strlen(value);
        while (len && (value[len - 1] == ' ' || value[len - 1] == '\t'))
            value[--len] = '\0';
        h->value = value;
    }
}

const char *http_head_get(const struct http_head *head, const char *name)
{
    for (size_t i = 0; i < head->header_count; i++)
        if (str_is_equal_ci(head->headers[i].name, name))
            return head->headers[i].value;
    return NULL;
}

bool http_head_has_token(const struct http_head *head, const char *name, const char *token)
{
    size_t want = strlen(token);
    for (size_t i = 0; i < head->header_count; i++) {
        if (!str_is_equal_ci(head->headers[i].name, name))
            continue;
        for (const char *at = head->headers[i].value; *at;) {
            at += strspn(at, " \t,");
            size_t len = strcspn(at, " \t,;");
            char word[64];
            if (len == want && len < sizeof(word)) {
                memcpy(word, at, len);
                word[len] = '\0';
                if (str_is_equal_ci(word, token))
                    return true;
            }
            at += strcspn(at, ",");
        }
    }
    return false;
}

static size_t count_headers(const struct http_head *head, const char *name)
{
    size_t count = 0;
    for (size_t i = 0; i < head->header_count; i++)
        count += str_is_equal_ci(head->headers[i].name, name);
    return count;
}

static int judge_lengths(struct http_parser *p)
{
    const struct http_head *head = &p->head;
    size_t te = count_headers(head, "transfer-encoding");
    size_t cl = count_headers(head, "content-length");
    if (te && cl)
        return fail(p, BERR_INVALID, "both Content-Length and Transfer-Encoding");
    if (te > 1 || (te && !str_is_equal_ci(http_head_get(head, "transfer-encoding"), "chunked")))
        return fail(p, BERR_INVALID, "unknown Transfer-Encoding");
    if (te && head->minor == 0)
        return fail(p, BERR_INVALID, "Transfer-Encoding in an HTTP/1.0 message");
    uint64_t length;
    if (cl > 1 || (cl && !str_parse_u64(http_head_get(head, "content-length"), &length)))
        return fail(p, BERR_INVALID, "malformed Content-Length");
    p->head.chunked = te == 1;
    p->head.content_length = cl ? (int64_t)length : -1;
    if (cl && length > INT64_MAX)
        return fail(p, BERR_INVALID, "malformed Content-Length");
    return 0;
}

static int judge_request(struct http_parser *p)
{
    size_t hosts = count_headers(&p->head, "host");
    if (hosts > 1 || (hosts == 0 && p->head.minor == 1))
        return fail(p, BERR_INVALID, "exactly one Host header is needed");
    p->head.method = llhttp_method_name((llhttp_method_t)llhttp_get_method(&p->ll));
    p->head.upgrade = http_head_get(&p->head, "upgrade") != NULL &&
                      http_head_has_token(&p->head, "connection", "upgrade");
    p->head.expect_continue =
        p->head.minor == 1 && http_head_has_token(&p->head, "expect", "100-continue");
    p->head.has_body = p->head.chunked || p->head.content_length > 0;
    return 0;
}

static int on_headers_complete(llhttp_t *ll)
{
    struct http_parser *p = ll->data;
    if (llhttp_get_http_major(ll) != 1 || llhttp_get_http_minor(ll) > 1)
        return fail(p, BERR_INVALID, "only HTTP/1.0 and HTTP/1.1 are spoken here");
    if (!p->text.data && end_piece(p) < 0)
        return STOP_ERROR;
    resolve(p);
    p->head_done = true;
    p->head.minor = llhttp_get_http_minor(ll);
    if (judge_lengths(p) < 0 || (!p->is_response && judge_request(p) < 0))
        return STOP_ERROR;
    p->head.keep_alive = llhttp_should_keep_alive(ll);
    if (p->is_response) {
        p->head.status = llhttp_get_status_code(ll);
        if (p->head.status < 100 || p->head.status > 599)
            return fail(p, BERR_INVALID, "a status that is none");
        p->head.upgrade = p->head.status == 101;
        p->head.has_body = !p->no_body && p->head.status >= 200 && p->head.status != 204 &&
                           p->head.status != 304 && p->head.content_length != 0;
    }
    int rc = p->events->on_head(p->arg, &p->head);
    if (rc < 0) {
        p->stop = rc;
        return STOP_ERROR;
    }
    if (p->head.upgrade && (p->is_response || !p->head.has_body)) {
        p->upgraded = true;
        return 2;
    }
    if (p->is_response && p->no_body)
        return 1;
    return 0;
}

static int on_body(llhttp_t *ll, const char *at, size_t len)
{
    struct http_parser *p = ll->data;
    int rc = p->events->on_body(p->arg, at, len);
    if (rc < 0) {
        p->stop = rc;
        return STOP_ERROR;
    }
    return 0;
}

static int on_chunk_extension(llhttp_t *ll, const char *at, size_t len)
{
    (void)at, (void)len;
    return fail(ll->data, BERR_INVALID, "chunk extensions are not accepted");
}

static int on_message_complete(llhttp_t *ll)
{
    struct http_parser *p = ll->data;
    p->complete = true;
    return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
    .on_url = on_url,
    .on_url_complete = on_url_end,
    .on_header_field = on_field,
    .on_header_field_complete = on_field_end,
    .on_header_value = on_value,
    .on_header_value_complete = on_value_end,
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_chunk_extension_name = on_chunk_extension,
    .on_message_complete = on_message_complete,
};

static void start(struct http_parser *p)
{
    llhttp_init(&p->ll, p->is_response ? HTTP_RESPONSE : HTTP_REQUEST, &settings);
    p->ll.data = p;
    p->head.header_count = 0;
    p->head.content_length = -1;
    p->head.upgrade = p->head.chunked = p->head.expect_continue = p->head.has_body = false;
    p->head.status = 0;
    p->head_done = p->in_value = p->complete = p->upgraded = p->no_body = false;
    p->stop = 0;
    p->status = 400;
    p->head_bytes = p->trailer_bytes = 0;
    p->err.code = BERR_OK;
}

void http_parser_init(struct http_parser *p, bool is_response,
                      const struct http_parser_events *events, void *arg)
{
    memset(p, 0, sizeof(*p));
    p->is_response = is_response;
    p->events = events;
    p->arg = arg;
    buf_init(&p->text, LIMIT_HTTP_HEAD_BYTES);
    start(p);
}

void http_parser_done(struct http_parser *p)
{
    buf_done(&p->text);
}

void http_parser_expect_no_body(struct http_parser *p)
{
    p->no_body = true;
}

void http_parser_next(struct http_parser *p)
{
    if (p->text.cap > KEEP_BYTES || p->text.failed) { /* an idle connection keeps no large head */
        buf_done(&p->text);
        buf_init(&p->text, LIMIT_HTTP_HEAD_BYTES);
    }
    buf_clear(&p->text);
    start(p);
}

bool http_parser_is_complete(const struct http_parser *p)
{
    return p->complete;
}

bool http_parser_is_upgraded(const struct http_parser *p)
{
    return p->upgraded;
}

bool http_parser_is_idle(const struct http_parser *p)
{
    return p->text.len == 0 && !p->complete && p->head.header_count == 0;
}

static int failed(struct http_parser *p, llhttp_errno_t code, struct err *err)
{
    if (p->stop)
        return p->stop;
    if (p->err.code) {
        if (err)
            *err = p->err;
        return -(int)p->err.code;
    }
    return err_set(err, BERR_INVALID, "malformed HTTP: %s",
                   p->ll.reason && p->ll.reason[0] ? p->ll.reason : llhttp_errno_name(code));
}

int http_parser_feed(struct http_parser *p, const char *data, size_t len, size_t *ret_used,
                     struct err *err)
{
    llhttp_errno_t code = llhttp_execute(&p->ll, data, len);
    *ret_used = len;
    if (code == HPE_OK) {
        /* Blanks and empty lines that llhttp drops without a word count too. */
        p->head_bytes += p->head_done ? 0 : len;
        if (p->head_bytes <= LIMIT_HTTP_HEAD_BYTES)
            return 0;
        fail(p, BERR_TOO_LARGE, "the request head is too large");
    }
    if (code == HPE_PAUSED || code == HPE_PAUSED_UPGRADE) {
        *ret_used = (size_t)(llhttp_get_error_pos(&p->ll) - data);
        p->complete = true;
        return 0;
    }
    return failed(p, code, err);
}

int http_parser_eof(struct http_parser *p, struct err *err)
{
    if (p->complete)
        return 0;
    llhttp_errno_t code = llhttp_finish(&p->ll);
    if (p->complete || code == HPE_PAUSED)
        return 0;
    if (code != HPE_OK)
        return failed(p, code, err);
    if (!http_parser_is_idle(p))
        return err_set(err, BERR_PROTOCOL, "the connection ended in the middle of a message");
    return 0;
}
