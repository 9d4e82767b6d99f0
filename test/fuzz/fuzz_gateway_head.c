/*
 * A request's head as the gateway takes it apart: whatever a client sends, what goes on to a notebook
 * is one well-formed head again, without identity, cookies and hop-by-hop lines of ours.
 */
#include <stdint.h>
#include <string.h>
#include <strings.h>
#include "base/alloc.h"
#include "base/id.h"
#include "base/str.h"
#include "gateway/hosts.h"
#include "gateway/identity.h"
#include "proxy/headers.h"

static void check_host(const struct http_head *head)
{
    struct host host;
    char id[ID_TEXT_SIZE];
    host_classify(http_head_get(head, "host"), "hub.example", &host);
    if (host.kind == HOST_UNKNOWN)
        return;
    check(host.authority[0] && !strpbrk(host.authority, " /\\@#?\r\n"));
    if (host.kind == HOST_NOTEBOOK)
        check(strncmp(host.authority, id_format(id, host.route), ID_TEXT_LEN) == 0 &&
              host.authority[ID_TEXT_LEN] == '.');
}

static void check_identity(const struct http_head *head)
{
    char digest[DIGEST_HEX_SIZE];
    struct err err = {0};
    for (int tls = 0; tls < 2; tls++)
        if (identity_token(head, tls, digest) != TOKEN_NONE)
            check(strlen(digest) == 64);
    int rc = identity_check_origin(head, "https://a123456789.hub.example", &err);
    check(rc == 0 || err.text[0]);
}

/* No cookie of ours is left in a Cookie value. */
static void check_cookies(const char *value)
{
    struct buf again = BUF(LIMIT_HTTP_HEAD_BYTES);
    proxy_put_cookies(value, identity_cookies, &again);
    check(!buf_is_failed(&again) && str_is_equal(buf_str(&again), value));
    buf_done(&again);
}

static int on_forwarded(void *arg, const struct http_head *head)
{
    for (size_t i = 0; i < head->header_count; i++) {
        const char *name = head->headers[i].name;
        check(strncasecmp(name, "x-berth-", 8) != 0 && strncasecmp(name, "x-forwarded-", 12) != 0);
        check(strcasecmp(name, "authorization") != 0 && strcasecmp(name, "transfer-encoding") != 0);
        check(strcasecmp(name, "x-request-id") != 0 && strcasecmp(name, "content-length") != 0);
        if (strcasecmp(name, "cookie") == 0)
            check_cookies(head->headers[i].value);
    }
    return 0;
}

static int on_bytes(void *arg, const char *data, size_t len)
{
    return 0;
}

static void on_complete(void *arg)
{
}

static int on_head(void *arg, const struct http_head *head)
{
    static const struct http_parser_events forwarded = {on_forwarded, on_bytes, on_complete};
    const struct proxy_rules rules = {
        .strip = identity_headers, .strip_cookies = identity_cookies, .strip_one = "Authorization"};
    struct buf out = BUF(4 * LIMIT_HTTP_HEAD_BYTES);
    struct http_parser p;
    struct err err = {0};
    size_t used = 0;
    check_host(head);
    check_identity(head);
    buf_puts(&out, "GET / HTTP/1.1\r\nHost: x\r\n");
    proxy_put_request_headers(head, &rules, head->upgrade, &out);
    buf_puts(&out, "\r\n");
    http_parser_init(&p, false, &forwarded, NULL);
    int rc = http_parser_feed(&p, buf_str(&out), out.len, &used, &err);
    /* ours may be too large where the client's just was not */
    check(rc == 0 ? http_parser_is_complete(&p) && used == out.len : rc == -BERR_TOO_LARGE);
    http_parser_done(&p);
    buf_done(&out);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct http_parser_events events = {on_head, on_bytes, on_complete};
    struct http_parser p;
    struct err err = {0};
    size_t used = 0;
    http_parser_init(&p, false, &events, NULL);
    http_parser_feed(&p, (const char *)data, size, &used, &err);
    http_parser_done(&p);
    return 0;
}
