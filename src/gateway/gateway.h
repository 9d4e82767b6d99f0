/*
 * gateway: the front door. One HTTP server whose requests go, by their Host, to the console (pages,
 * and berthd's API behind its socket) or to a notebook (after a verdict), or nowhere.
 *
 * What several files of this folder share. A visit is one request; it lies in the request's arena.
 * Loop thread.
 */
#ifndef BERTH_GATEWAY_GATEWAY_H
#define BERTH_GATEWAY_GATEWAY_H

#include "ev/tls.h"
#include "gateway/config.h"
#include "gateway/hosts.h"
#include "gateway/link.h"
#include "gateway/tunnels.h"
#include "http/client.h"
#include "http/server.h"
#include "http/static.h"
#include "proxy/pass.h"

struct gateway_counts {
    uint64_t requests_console, requests_api, requests_notebook, requests_refused;
    uint64_t by_class[6]; /* answers by the first digit of their status */
    uint64_t verdict_hits, verdict_misses, verdict_refusals;
    uint64_t bytes_sent;
};

struct gateway {
    const struct gw_config *cfg;
    const struct os_clock *clock;
    struct ev_loop *loop;
    struct ev_tls *tls;
    struct http_server *server;
    struct http_client *client;
    struct static_site *site;
    struct gw_link *link;
    struct routes routes;
    struct verdicts *verdicts;
    struct tunnels tunnels;
    struct gateway_counts counts;
};

struct visit {
    struct gateway *gw;
    struct http_request *req;
    struct host host;
    const char *class;            /* "console", "api", "notebook", "refused": for the log */
    char digest[DIGEST_HEX_SIZE]; /* of the token */
    char user[64];
};

/* Reads certificate and key, listens, and connects to berthd when that is there. */
int gateway_new(struct ev_loop *loop, const struct gw_config *cfg, const struct os_clock *clock,
                struct gateway **ret, struct err *err);
struct gateway *gateway_free(struct gateway *gw); /* NULL allowed */
uint16_t gateway_port(const struct gateway *gw);
/* Once privileges are dropped: begins to talk to berthd. */
int gateway_start(struct gateway *gw, struct err *err);

/* ---- between the files ---- */

void console_handle(struct visit *v);
void console_pass(struct visit *v, const char *target); /* on to berthd */
void notebook_handle(struct visit *v);
void metrics_put(const struct gateway *gw, struct buf *out);

const char *visit_scheme(const struct visit *v); /* "https" */
/* Appends what the next hop is told about us and the client: X-Forwarded-*, X-Request-Id. */
void visit_put_forwarded(const struct visit *v, struct buf *out);
/* Ends the request with an error: a page for browsers, problem+json for programs. */
void visit_fail(struct visit *v, const struct err *err);
/* Headers of every page of our own. */
void visit_page_headers(struct visit *v);

#endif
