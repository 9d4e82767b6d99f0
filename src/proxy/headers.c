/*
 * headers: what stays on this hop, by name.
 */
#include "proxy/headers.h"
#include <string.h>
#include <strings.h>
#include "base/str.h"

static bool is_in(const char *name, const char *const *list)
{
    for (; *list; list++) {
        size_t len = strlen(*list);
        bool prefix = (*list)[len - 1] == '*';
        if (((*list)[0] | 32) != (name[0] | 32))
            continue; /* most differ here */
        if (prefix ? strncasecmp(name, *list, len - 1) == 0 : strcasecmp(name, *list) == 0)
            return true;
    }
    return false;
}

/* Of this connection alone. connection: its Connection header, or NULL. */
static bool is_hop(const struct http_head *head, const char *connection, const char *name)
{
    static const char *const hop[] = {"connection", "keep-alive",     "proxy-*",
                                      "te",         "trailer",        "transfer-encoding",
                                      "upgrade",    "content-length", NULL};
    return is_in(name, hop) || (connection && http_head_has_token(head, "connection", name));
}

static bool is_stripped(const struct proxy_rules *rules, const char *name)
{
    if (!rules)
        return false;
    return (rules->strip && is_in(name, rules->strip)) ||
           (rules->strip_one && strcasecmp(name, rules->strip_one) == 0);
}

static void put_line(struct buf *out, const char *name, const char *value)
{
    buf_append(out, name, strlen(name));
    buf_append(out, ": ", 2);
    buf_append(out, value, strlen(value));
    buf_append(out, "\r\n", 2);
}

void proxy_put_cookies(const char *value, const char *const *names, struct buf *out)
{
    bool first = true;
    while (*value) {
        value += strspn(value, " \t;");
        size_t len = strcspn(value, ";");
        size_t name_len = strcspn(value, "=;");
        bool strip = false;
        while (name_len && (value[name_len - 1] == ' ' || value[name_len - 1] == '\t'))
            name_len--;
        for (const char *const *n = names; *n && !strip; n++)
            strip = strlen(*n) == name_len && memcmp(*n, value, name_len) == 0;
        if (len && !strip) {
            if (!first)
                buf_append(out, "; ", 2);
            buf_append(out, value, len);
            first = false;
        }
        value += len;
    }
}

static void put_cookie_line(struct buf *out, const char *name, const char *value,
                            const char *const *names)
{
    struct buf left = BUF(LIMIT_HTTP_HEAD_BYTES);
    proxy_put_cookies(value, names, &left);
    if (buf_is_failed(&left))
        buf_fail(out);
    else if (left.len)
        put_line(out, name, left.data);
    buf_done(&left);
}

void proxy_put_request_headers(const struct http_head *head, const struct proxy_rules *rules,
                               bool upgrade, struct buf *out)
{
    const char *connection = http_head_get(head, "connection");
    for (size_t i = 0; i < head->header_count; i++) {
        const struct http_header *h = &head->headers[i];
        if (strcasecmp(h->name, "host") == 0 || strcasecmp(h->name, "expect") == 0 ||
            is_hop(head, connection, h->name) || is_stripped(rules, h->name))
            continue;
        if (rules && rules->strip_cookies && strcasecmp(h->name, "cookie") == 0)
            put_cookie_line(out, h->name, h->value, rules->strip_cookies);
        else
            put_line(out, h->name, h->value);
    }
    if (upgrade) {
        buf_puts(out, "Connection: Upgrade\r\n");
        put_line(out, "Upgrade", http_head_get(head, "upgrade"));
    }
}

static bool sets_cookie(const char *value, const char *const *names)
{
    value += strspn(value, " \t");
    size_t len = strcspn(value, "=; \t");
    for (; *names; names++)
        if (strlen(*names) == len && memcmp(*names, value, len) == 0)
            return true;
    return false;
}

bool proxy_is_answer_header(const struct http_head *head, const struct http_header *h,
                            const struct proxy_rules *rules)
{
    if (strcasecmp(h->name, "date") == 0 ||
        is_hop(head, http_head_get(head, "connection"), h->name))
        return false;
    return !(rules && rules->strip_cookies && strcasecmp(h->name, "set-cookie") == 0 &&
             sets_cookie(h->value, rules->strip_cookies));
}
