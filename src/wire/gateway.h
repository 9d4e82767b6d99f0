/*
 * wire/gateway: what berthd and berth-gateway say to each other over the control socket: one JSON
 * object a line, each a struct gw_message of some kind.
 *
 * The gateway connects and says HELLO; berthd answers FULL, then one ROUTE for each route, then
 * FULL_END: after it, routes that were not named are gone. From then on ROUTE, ROUTE_GONE and
 * REVOKE come as things change. The gateway asks ASK for a token it holds no verdict for, and
 * tells ACTIVITY now and then. A lost connection changes nothing for open streams and for
 * verdicts that have not run out.
 *
 * The token itself never crosses this socket: only its SHA-256.
 *
 * Memory: a parsed message's strings live in the caller's arena. Pure, any thread.
 */
#ifndef BERTH_WIRE_GATEWAY_H
#define BERTH_WIRE_GATEWAY_H

#include "js/js.h"

#define GW_MESSAGE_LIST(X)                                                                      \
    X(HELLO, "hello") /* g->b: version */                                                       \
    X(FULL, "full")   /* b->g: a full list of routes begins */                                  \
    X(FULL_END, "full-end")                                                                     \
    X(ROUTE, "route")           /* b->g: route, target, inject, title */                        \
    X(ROUTE_GONE, "route-gone") /* b->g: route */                                               \
    X(ASK, "ask")               /* g->b: question, digest, route */                             \
    X(VERDICT, "verdict")   /* b->g: question, allow, until_ms, user; code and text when not */ \
    X(REVOKE, "revoke")     /* b->g: digest; empty: every verdict */                            \
    X(ACTIVITY, "activity") /* g->b: route, time_ms, open */
enum gw_message_kind {
#define X(sym, name) GW_##sym,
    GW_MESSAGE_LIST(X)
#undef X
};
extern const char *const gw_message_names[];

#define GW_VERSION  1
#define GW_LINE_MAX 16384

struct gw_message {
    int kind; /* enum gw_message_kind */
    int64_t version;
    uint64_t route;     /* workload id */
    const char *target; /* "10.1.0.5:8888" */
    const char *inject; /* a header line the gateway adds: "Authorization: token …" */
    const char *title;  /* shown when it does not answer */
    uint64_t question;
    const char *digest; /* 64 hex digits, SHA-256 of the token's text */
    bool allow;
    int64_t until_ms; /* wall time until which the verdict may be kept */
    const char *user;
    const char *code, *text; /* a refusal: berr name and words */
    int64_t time_ms;         /* of the last byte */
    int64_t open;            /* open streams */
};

/* Appends one line. */
void gw_put(struct buf *out, const struct gw_message *m);
/* One line without its newline. PROTOCOL with the field when something is missing or wrong. */
int gw_parse(const char *line, size_t len, struct arena *arena, struct gw_message *ret,
             struct err *err);

#endif
