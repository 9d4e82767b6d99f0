/*
 * ws_frame: WebSocket frames and keys as bytes (RFC 6455), without a connection: ws.h has that.
 *
 * A decoder takes bytes as they come and gives whole messages (fragments put together) and control
 * frames. It refuses what the RFC says must fail the connection: reserved bits, unknown or broken
 * up control frames, a mask where none belongs or none where one does, lengths not in their
 * shortest form, text that is not UTF-8, close codes that may not be sent; and messages over the
 * maximum. Pure; one thread at a time per decoder.
 */
#ifndef BERTH_HTTP_WS_FRAME_H
#define BERTH_HTTP_WS_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/buf.h"
#include "base/err.h"

enum ws_op {
    WS_CONTINUE = 0,
    WS_TEXT = 1,
    WS_BINARY = 2,
    WS_CLOSE = 8,
    WS_PING = 9,
    WS_PONG = 10,
};

/* Codes of a close frame (RFC 6455 7.4.1). */
enum {
    WS_CODE_NORMAL = 1000,
    WS_CODE_AWAY = 1001,
    WS_CODE_PROTOCOL = 1002,
    WS_CODE_NONE = 1005, /* the frame had none; never sent */
    WS_CODE_LOST = 1006, /* there was no frame; never sent */
    WS_CODE_BAD_DATA = 1007,
    WS_CODE_POLICY = 1008,
    WS_CODE_TOO_BIG = 1009,
    WS_CODE_INTERNAL = 1011,
};

#define WS_CONTROL_MAX    125
#define WS_FRAME_HEAD_MAX 14

/* ---- keys ---- */

#define WS_KEY_SIZE    25 /* 24 characters of base64 */
#define WS_ACCEPT_SIZE 29
void ws_key_make(char ret[WS_KEY_SIZE]);
bool ws_key_is_valid(const char *key); /* base64 of 16 bytes */
void ws_key_accept(const char *key, char ret[WS_ACCEPT_SIZE]);

/* ---- writing ---- */

/* The head of a frame into ret; returns its length. mask: four bytes when a client sends, whose
 * data must then be masked with ws_mask; NULL when a server does. */
size_t ws_frame_head(char ret[WS_FRAME_HEAD_MAX], enum ws_op op, bool final, uint64_t len,
                     const uint8_t mask[4]);
/* data[i] ^= mask[(offset + i) % 4] */
void ws_mask(char *data, size_t len, const uint8_t mask[4], size_t offset);
/* Appends a whole frame. */
void ws_frame_put(struct buf *out, enum ws_op op, const void *data, size_t len,
                  const uint8_t mask[4]);

/* ---- reading ---- */

struct ws_decoder {
    bool masked; /* what comes must be masked: the other side is a client */
    struct buf message;
    /* TEXT, BINARY: a whole message. CLOSE, PING, PONG: a frame. Nonzero: stop with that code. */
    int (*on_message)(void *arg, enum ws_op op, const char *data, size_t len);
    void *arg;
    /* its own */
    enum ws_op op; /* of the message being put together; WS_CONTINUE: none */
    uint8_t head[WS_FRAME_HEAD_MAX];
    size_t head_len;
    uint64_t left; /* of the frame's data */
    size_t at;     /* into the frame's data */
    bool in_data, final;
    enum ws_op frame_op;
    uint8_t mask[4];
    char control[WS_CONTROL_MAX];
    int code; /* to close with after an error */
};

void ws_decoder_init(struct ws_decoder *d, bool masked, size_t message_max,
                     int (*on_message)(void *arg, enum ws_op op, const char *data, size_t len),
                     void *arg);
void ws_decoder_done(struct ws_decoder *d);
/* PROTOCOL, INVALID (text) or TOO_LARGE, after which d->code says what to close with; or what
 * on_message returned. No bytes may follow an error. */
int ws_decoder_feed(struct ws_decoder *d, const char *data, size_t len, struct err *err);

#endif
