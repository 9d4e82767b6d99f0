/*
 * ws_frame: one pass over the bytes; a frame's head is collected, its data unmasked on its way into
 * the message.
 */
#include "http/ws_frame.h"
#include <openssl/evp.h>
#include <string.h>
#include "base/str.h"
#include "os/entropy.h"

/* ---- keys ---- */

void ws_key_make(char ret[WS_KEY_SIZE])
{
    unsigned char random[16];
    os_random_bytes(random, sizeof(random));
    EVP_EncodeBlock((unsigned char *)ret, random, sizeof(random));
}

bool ws_key_is_valid(const char *key)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    return key && strlen(key) == WS_KEY_SIZE - 1 && strspn(key, digits) == 22 &&
           str_is_equal(key + 22, "==");
}

void ws_key_accept(const char *key, char ret[WS_ACCEPT_SIZE])
{
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    char text[WS_KEY_SIZE + sizeof(guid)];
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    size_t key_len = strlen(key);
    check(key_len < WS_KEY_SIZE);
    memcpy(text, key, key_len);
    memcpy(text + key_len, guid, sizeof(guid) - 1);
    int ok = EVP_Digest(text, key_len + sizeof(guid) - 1, digest, &len, EVP_sha1(), NULL);
    check(ok == 1 && len == 20);
    EVP_EncodeBlock((unsigned char *)ret, digest, 20);
}

/* ---- writing ---- */

size_t ws_frame_head(char ret[WS_FRAME_HEAD_MAX], enum ws_op op, bool final, uint64_t len,
                     const uint8_t mask[4])
{
    uint8_t *out = (uint8_t *)ret;
    size_t n = 2, wide = len < 126 ? 0 : len <= UINT16_MAX ? 2 : 8;
    out[0] = (uint8_t)((final ? 0x80 : 0) | op);
    out[1] = (uint8_t)((mask ? 0x80 : 0) | (wide == 0 ? len : wide == 2 ? 126 : 127));
    for (size_t i = 0; i < wide; i++)
        out[n++] = (uint8_t)(len >> (8 * (wide - 1 - i)));
    if (mask) {
        memcpy(out + n, mask, 4);
        n += 4;
    }
    return n;
}

void ws_mask(char *data, size_t len, const uint8_t mask[4], size_t offset)
{
    for (size_t i = 0; i < len; i++)
        data[i] = (char)(data[i] ^ mask[(offset + i) & 3]);
}

void ws_frame_put(struct buf *out, enum ws_op op, const void *data, size_t len,
                  const uint8_t mask[4])
{
    char head[WS_FRAME_HEAD_MAX];
    buf_append(out, head, ws_frame_head(head, op, true, len, mask));
    size_t start = out->len;
    buf_append(out, data, len);
    if (mask && !buf_is_failed(out))
        ws_mask(out->data + start, len, mask, 0);
}

/* ---- reading ---- */

void ws_decoder_init(struct ws_decoder *d, bool masked, size_t message_max,
                     int (*on_message)(void *arg, enum ws_op op, const char *data, size_t len),
                     void *arg)
{
    memset(d, 0, sizeof(*d));
    d->masked = masked;
    d->on_message = on_message;
    d->arg = arg;
    buf_init(&d->message, message_max);
}

void ws_decoder_done(struct ws_decoder *d)
{
    buf_done(&d->message);
}

static int fail(struct ws_decoder *d, int ws_code, enum berr code, const char *text,
                struct err *err)
{
    d->code = ws_code;
    return err_set(err, code, "%s", text);
}

static int broken(struct ws_decoder *d, const char *text, struct err *err)
{
    return fail(d, WS_CODE_PROTOCOL, BERR_PROTOCOL, text, err);
}

/* UTF-8 in which NUL is a character like others. */
static bool is_text(const char *data, size_t len)
{
    while (len) {
        const char *nul = memchr(data, '\0', len);
        size_t part = nul ? (size_t)(nul - data) : len;
        if (!str_is_utf8(data, part))
            return false;
        data += part + (nul != NULL);
        len -= part + (nul != NULL);
    }
    return true;
}

/* Bytes of the head from its second byte on, as far as that is known. */
static size_t head_needs(const struct ws_decoder *d)
{
    if (d->head_len < 2)
        return 2;
    size_t len = d->head[1] & 0x7f;
    return 2 + (len == 126 ? 2 : len == 127 ? 8 : 0) + (d->head[1] & 0x80 ? 4 : 0);
}

static int check_first_two(struct ws_decoder *d, struct err *err)
{
    int op = d->head[0] & 0x0f;
    bool final = d->head[0] & 0x80, masked = d->head[1] & 0x80;
    if (d->head[0] & 0x70)
        return broken(d, "a WebSocket frame with reserved bits", err);
    if (masked != d->masked)
        return broken(d,
                      masked ? "a WebSocket frame of a server is masked"
                             : "a WebSocket frame of a client is not masked",
                      err);
    if (op >= WS_CLOSE) {
        if (op > WS_PONG)
            return broken(d, "an unknown WebSocket frame", err);
        if (!final || (d->head[1] & 0x7f) > WS_CONTROL_MAX)
            return broken(d, "a WebSocket control frame is too long or in pieces", err);
        return 0;
    }
    if (op > WS_BINARY)
        return broken(d, "an unknown WebSocket frame", err);
    if ((op == WS_CONTINUE) != (d->op != WS_CONTINUE))
        return broken(d, "pieces of WebSocket messages are mixed up", err);
    return 0;
}

static int begin_frame(struct ws_decoder *d, struct err *err)
{
    uint64_t len = d->head[1] & 0x7f;
    size_t wide = len == 126 ? 2 : len == 127 ? 8 : 0;
    if (wide) {
        len = 0;
        for (size_t i = 0; i < wide; i++)
            len = len << 8 | d->head[2 + i];
        if (len < 126 || (wide == 8 && (len <= UINT16_MAX || len > INT64_MAX)))
            return broken(d, "a WebSocket length is not in its shortest form", err);
    }
    if (d->masked)
        memcpy(d->mask, d->head + 2 + wide, 4);
    d->frame_op = (enum ws_op)(d->head[0] & 0x0f);
    d->final = d->head[0] & 0x80;
    d->left = len;
    d->at = 0;
    d->head_len = 0;
    d->in_data = true;
    if (d->frame_op < WS_CLOSE) {
        if (d->op == WS_CONTINUE)
            d->op = d->frame_op;
        if (len > d->message.max - d->message.len)
            return fail(d, WS_CODE_TOO_BIG, BERR_TOO_LARGE, "a WebSocket message is too large",
                        err);
    }
    return 0;
}

/* RFC 6455 7.4: what may be sent. */
static bool code_is_valid(int code)
{
    return (code >= 1000 && code <= 1014 && code != 1004 && code != WS_CODE_NONE &&
            code != WS_CODE_LOST) ||
           (code >= 3000 && code <= 4999);
}

static int end_control(struct ws_decoder *d, struct err *err)
{
    if (d->frame_op == WS_CLOSE && d->at) {
        int code = d->at < 2 ? 0 : (uint8_t)d->control[0] << 8 | (uint8_t)d->control[1];
        if (!code_is_valid(code))
            return broken(d, "a WebSocket close frame with a code that may not be sent", err);
        if (!is_text(d->control + 2, d->at - 2))
            return fail(d, WS_CODE_BAD_DATA, BERR_INVALID, "a WebSocket text is not UTF-8", err);
    }
    return d->on_message(d->arg, d->frame_op, d->control, d->at);
}

static int end_message(struct ws_decoder *d, struct err *err)
{
    enum ws_op op = d->op;
    d->op = WS_CONTINUE;
    if (op == WS_TEXT && !is_text(buf_str(&d->message), d->message.len))
        return fail(d, WS_CODE_BAD_DATA, BERR_INVALID, "a WebSocket text is not UTF-8", err);
    struct buf whole = d->message;
    buf_init(&d->message, whole.max); /* an idle connection holds no memory */
    int rc = d->on_message(d->arg, op, buf_str(&whole), whole.len);
    buf_done(&whole);
    return rc;
}

static int take_data(struct ws_decoder *d, const char *data, size_t len, struct err *err)
{
    char *to;
    if (d->frame_op >= WS_CLOSE) {
        to = d->control + d->at;
        memcpy(to, data, len);
    } else {
        size_t start = d->message.len;
        buf_append(&d->message, data, len);
        if (buf_is_failed(&d->message))
            return fail(d, WS_CODE_INTERNAL, BERR_NOMEM, "out of memory", err);
        to = d->message.data + start;
    }
    if (d->masked)
        ws_mask(to, len, d->mask, d->at);
    d->at += len;
    d->left -= len;
    return 0;
}

int ws_decoder_feed(struct ws_decoder *d, const char *data, size_t len, struct err *err)
{
    int rc = 0;
    while (rc == 0 && (len || (d->in_data && d->left == 0))) {
        if (!d->in_data) {
            d->head[d->head_len++] = (uint8_t)*data++;
            len--;
            if (d->head_len == 2)
                rc = check_first_two(d, err);
            if (rc == 0 && d->head_len == head_needs(d))
                rc = begin_frame(d, err);
            continue;
        }
        size_t part = d->left < len ? (size_t)d->left : len;
        if (part)
            rc = take_data(d, data, part, err);
        data += part;
        len -= part;
        if (rc == 0 && d->left == 0) {
            d->in_data = false;
            if (d->frame_op >= WS_CLOSE)
                rc = end_control(d, err);
            else if (d->final)
                rc = end_message(d, err);
        }
    }
    return rc;
}
