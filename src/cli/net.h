/*
 * net: requests to the API, one after another, each until its answer is there. Runs its own loop
 * (ev/) only inside these calls.
 *
 * Answers of 400 and more become errors by their problem+json: code, words, field, position, hint.
 * One thread.
 */
#ifndef BERTH_CLI_NET_H
#define BERTH_CLI_NET_H

#include <stdbool.h>
#include <stdint.h>
#include <yyjson.h>
#include "base/buf.h"
#include "base/err.h"
#include "http/url.h"

struct cli_net;

struct cli_net_config {
    const char *url;     /* "https://host:port" */
    const char *ca_path; /* PEM file of authorities beside the system's; NULL: none */
    const char *token;   /* NULL: none */
};

int cli_net_open(const struct cli_net_config *cfg, struct cli_net **ret, struct err *err);
struct cli_net *cli_net_close(struct cli_net *net); /* NULL allowed */

struct cli_request {
    const char *method, *target;
    const void *body; /* JSON unless `type` says otherwise */
    size_t body_len;
    const char *type;
    const char *key;   /* Idempotency-Key; NULL: none */
    int64_t answer_ms; /* 0: 60 s */
};
/* ret_body (may be NULL) is appended to. */
int cli_net_call(struct cli_net *net, const struct cli_request *req, struct buf *ret_body,
                 struct err *err);

/* Sends files as the bodies of PUT requests, several at a time. */
struct cli_file {
    const char *target;
    int fd; /* closed here */
    uint64_t size_bytes;
};
/* 1: *ret is the next one; 0: there are no more; negative: give up. */
typedef int cli_next_file_fn(void *arg, struct cli_file *ret, struct err *err);
int cli_net_send_files(struct cli_net *net, cli_next_file_fn *next, void *arg, struct err *err);

/* Gives an answer's body piece by piece; nonzero from fn ends it, without an error. */
typedef int cli_net_piece_fn(void *arg, const char *data, size_t len);
int cli_net_stream(struct cli_net *net, const char *target, int64_t last_event_id,
                   cli_net_piece_fn *fn, void *arg, struct err *err);

/* From now on Ctrl-C ends a call, stream or sleep with CANCELED, once each time. */
int cli_net_catch_interrupt(struct cli_net *net, struct err *err);
/* CANCELED when interrupted. */
int cli_net_sleep(struct cli_net *net, int64_t ms, struct err *err);

/* Fills *err from an answer's status and body; returns -err->code. */
int cli_problem(int status, const char *body, size_t len, struct err *err);

/* SHA-256 of the certificate that a server shows, "AA:BB:…", whether trusted or not. */
#define CLI_FINGERPRINT_SIZE 96
int cli_fingerprint(const struct url_base *base, char ret[CLI_FINGERPRINT_SIZE], struct err *err);

#endif
