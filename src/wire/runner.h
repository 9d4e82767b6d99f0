/*
 * wire/runner: what berthd and berth-runner say to each other — the closed list of verbs, one
 * struct and field table for each request and reply, and the framing. Both sides link this.
 *
 * A message is a little-endian u32 length and that many bytes of one JSON object:
 *     request  {"id":7,"verb":"task-start","args":{…}}
 *     reply    {"id":7,"verb":"task-start","result":{…}}   or  {"id":7,"error":{code,text,field,hint}}
 *     event    {"event":"task-ended","seq":12,…}            pushed after `hello`
 * Ids are the client's and are only given back. Replies come in any order. Every order is safe to
 * repeat: the second finds its work done and answers the same. An order whose fence is lower than
 * one already seen for its workload is refused with CONFLICT, the error's field being "key.fence".
 *
 * Lists: `list` gives tasks in pages. A client says hello, which starts the events, then lists;
 * an event that comes between is newer than the page it does not appear in.
 *
 * Every field has a narrow grammar, checked by wire_parse_request before the runner looks at it:
 * labels, digests of 64 hex digits, absolute paths without "." and "..", addresses, bounded
 * numbers. Nothing here names a file of the host.
 *
 * Memory: parsed messages live in the caller's arena. Pure, any thread.
 */
#ifndef BERTH_WIRE_RUNNER_H
#define BERTH_WIRE_RUNNER_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "wire/verbs.h"

/* ---- events ---- */

#define WIRE_EVENT_LIST(X)                                              \
    X(PROGRESS, "progress") /* of a request under way: request, text */ \
    X(TASK_STARTED, "task-started")                                     \
    X(TASK_ENDED, "task-ended") /* facts are durable */
enum wire_event_kind {
#define X(sym, name) WIRE_EV_##sym,
    WIRE_EVENT_LIST(X)
#undef X
};
extern const char *const wire_event_names[];

struct wire_event {
    int kind;         /* enum wire_event_kind */
    uint64_t seq;     /* grows by one an event, since the runner's start; PROGRESS: 0 */
    uint64_t request; /* PROGRESS: the id of the client's request */
    const char *text;
    struct wire_task *task; /* TASK_* */
};

/* ---- messages ---- */

/* Each appends one whole message, length first. A message that would be longer than
 * LIMIT_RUNNER_MESSAGE_BYTES is TOO_LARGE and nothing is appended; NOMEM when the buffer fails. */
int wire_put_request(struct buf *out, uint64_t id, enum wire_verb verb, const void *request,
                     struct err *err);
int wire_put_reply(struct buf *out, uint64_t id, enum wire_verb verb, const void *reply,
                   struct err *err);
int wire_put_error(struct buf *out, uint64_t id, const struct err *error, struct err *err);
int wire_put_event(struct buf *out, const struct wire_event *event, struct err *err);

/* Is a whole message at the front of these bytes? 0 with *ret_len its length without the four
 * bytes before it, or 0 when more is to come; PROTOCOL when the length is out of bounds. */
int wire_frame(const char *data, size_t len, size_t *ret_len, struct err *err);

struct wire_request {
    uint64_t id;
    enum wire_verb verb;
    void *args; /* the verb's request struct */
};
/* text: one message without its length. On failure *ret_id is the request's id when it could be
 * read, else 0. */
int wire_parse_request(const char *text, size_t len, struct arena *arena, struct wire_request *ret,
                       uint64_t *ret_id, struct err *err);

enum wire_answer_kind { WIRE_ANSWER_REPLY, WIRE_ANSWER_ERROR, WIRE_ANSWER_EVENT };
struct wire_answer {
    enum wire_answer_kind kind;
    uint64_t id;             /* REPLY, ERROR */
    enum wire_verb verb;     /* REPLY */
    void *result;            /* REPLY: the verb's reply struct */
    struct err error;        /* ERROR */
    struct wire_event event; /* EVENT */
};
int wire_parse_answer(const char *text, size_t len, struct arena *arena, struct wire_answer *ret,
                      struct err *err);

#endif
