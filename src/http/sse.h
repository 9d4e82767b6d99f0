/*
 * sse: server-sent events (WHATWG HTML 9.2) on a streamed answer.
 */
#ifndef BERTH_HTTP_SSE_H
#define BERTH_HTTP_SSE_H

#include "http/server.h"

void sse_begin(struct http_request *req);
/* data may hold newlines; event NULL: "message". */
void sse_send(struct http_request *req, uint64_t id, const char *event, const char *data);
void sse_heartbeat(struct http_request *req); /* a comment, against idle time-outs on the way */
/* The position a client resumes from: Last-Event-ID, or ?after; `otherwise` without one. INVALID
 * when it is no number. */
int sse_position(const struct http_request *req, uint64_t otherwise, uint64_t *ret,
                 struct err *err);

#endif
