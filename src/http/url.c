/*
 * url: one pass of decoding, then the checks on what came out of it.
 */
#include "http/url.h"
#include <string.h>
#include "base/buf.h"
#include "base/str.h"

#define QUERY_MAX 64

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* Decodes len bytes; plus: '+' is a blank (form encoding, in queries). NULL with err. */
static const char *decode(const char *s, size_t len, bool plus, struct arena *arena,
                          struct err *err)
{
    char *out = arena_alloc(arena, len + 1);
    size_t n = 0;
    if (!out) {
        err_set(err, BERR_NOMEM, "out of memory");
        return NULL;
    }
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)s[i];
        if (c == '%') {
            int hi = i + 2 < len ? hex_digit(s[i + 1]) : -1;
            int lo = hi >= 0 ? hex_digit(s[i + 2]) : -1;
            if (hi < 0 || lo < 0) {
                err_set(err, BERR_INVALID, "a %% in the address is not followed by two hex digits");
                return NULL;
            }
            c = (unsigned char)(hi * 16 + lo);
            i += 2;
        } else if (c == '+' && plus) {
            c = ' ';
        }
        if (c == 0 || c == 0x7f || c < 0x20) {
            err_set(err, BERR_INVALID, "the address holds a control character");
            return NULL;
        }
        out[n++] = (char)c;
    }
    if (!str_is_utf8(out, n)) {
        err_set(err, BERR_INVALID, "the address is not UTF-8");
        return NULL;
    }
    return out;
}

static int check_path(const char *path, struct err *err)
{
    for (const char *at = path; *at;) {
        size_t len = strcspn(at + 1, "/");
        const char *segment = at + 1;
        bool last = segment[len] == '\0';
        if ((len == 0 && !last) || (len == 1 && segment[0] == '.') ||
            (len == 2 && segment[0] == '.' && segment[1] == '.') || memchr(segment, '\\', len))
            return err_set(err, BERR_INVALID, "the address has an empty, \".\" or \"..\" part");
        at = segment + len;
    }
    return 0;
}

static int parse_query(const char *s, struct arena *arena, struct url_target *ret, struct err *err)
{
    ret->query = arena_array(arena, QUERY_MAX, sizeof(*ret->query));
    if (!ret->query)
        return err_set(err, BERR_NOMEM, "out of memory");
    while (*s) {
        size_t len = strcspn(s, "&");
        size_t name_len = strcspn(s, "=&");
        if (len) {
            if (ret->query_count == QUERY_MAX)
                return err_set(err, BERR_INVALID, "more than %d parameters", QUERY_MAX);
            struct url_query *q = &ret->query[ret->query_count++];
            q->name = decode(s, name_len, true, arena, err);
            q->value = name_len < len
                           ? decode(s + name_len + 1, len - name_len - 1, true, arena, err)
                           : "";
            if (!q->name || !q->value)
                return -(int)BERR_INVALID;
        }
        s += len + (s[len] == '&');
    }
    return 0;
}

int url_parse_target(const char *target, struct arena *arena, struct url_target *ret,
                     struct err *err)
{
    struct url_target t = {0};
    if (target[0] != '/')
        return err_set(err, BERR_INVALID, "the request target must begin with /");
    size_t len = strcspn(target, "?#");
    t.path = decode(target, len, false, arena, err);
    if (!t.path)
        return err && err->code == BERR_NOMEM ? -(int)BERR_NOMEM : -(int)BERR_INVALID;
    int rc = check_path(t.path, err);
    if (rc == 0 && target[len] == '?')
        rc = parse_query(target + len + 1, arena, &t, err);
    if (rc == 0)
        *ret = t;
    return rc;
}

const char *url_query(const struct url_target *t, const char *name)
{
    for (size_t i = 0; i < t->query_count; i++)
        if (str_is_equal(t->query[i].name, name))
            return t->query[i].value;
    return NULL;
}

static bool host_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
}

int url_parse_authority(const char *text, char ret_host[256], uint16_t *ret_port, struct err *err)
{
    char host[256];
    const char *rest;
    size_t len;
    uint64_t port = 0;
    if (text[0] == '[') {
        len = strcspn(text + 1, "]");
        rest = text + 1 + len + (text[1 + len] == ']');
        text++;
        if (rest == text + len || strspn(text, "0123456789abcdefABCDEF:.") < len)
            return err_set(err, BERR_INVALID, "malformed host");
    } else {
        len = strcspn(text, ":");
        rest = text + len;
    }
    if (len == 0 || len >= sizeof(host))
        return err_set(err, BERR_INVALID, "malformed host");
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        host[i] = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
        if (!host_char(host[i]) && host[i] != ':')
            return err_set(err, BERR_INVALID, "malformed host");
    }
    host[len] = '\0';
    if (rest[0] == ':' && rest[1] && (!str_parse_u64(rest + 1, &port) || port == 0 || port > 65535))
        return err_set(err, BERR_INVALID, "malformed port");
    if (rest[0] && rest[0] != ':')
        return err_set(err, BERR_INVALID, "malformed host");
    memcpy(ret_host, host, len + 1);
    *ret_port = (uint16_t)port;
    return 0;
}

int url_parse_base(const char *text, struct url_base *ret, struct err *err)
{
    struct url_base base = {0};
    char authority[300];
    if (str_has_prefix(text, "https://"))
        base.tls = true;
    else if (!str_has_prefix(text, "http://"))
        return err_set(err, BERR_INVALID, "\"%s\" does not begin with http:// or https://", text);
    const char *at = text + (base.tls ? 8 : 7);
    size_t len = strcspn(at, "/?#");
    if (len >= sizeof(authority))
        return err_set(err, BERR_INVALID, "malformed host");
    memcpy(authority, at, len);
    authority[len] = '\0';
    int rc = url_parse_authority(authority, base.host, &base.port, err);
    if (rc < 0)
        return rc;
    if (!base.port)
        base.port = base.tls ? 443 : 80;
    *ret = base;
    return 0;
}

void url_put_escaped(struct buf *out, const char *s)
{
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    for (; *s; s++) {
        if (strchr(plain, *s))
            buf_putc(out, *s);
        else
            buf_printf(out, "%%%02X", (unsigned char)*s);
    }
}
