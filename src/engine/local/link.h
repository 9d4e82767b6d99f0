/*
 * link: the connection to berth-runner — requests with answers, events, and coming back after a
 * break. Used by the local engine; images and others that speak to the runner may open their own.
 *
 * It connects by itself, tries again with growing pauses, says hello, and then tells `up`. Every
 * request that was accepted is answered exactly once by its callback: with the reply, the
 * runner's error, or UNAVAILABLE when the connection broke (whether it was carried out is then
 * unknown; every order is safe to repeat). Answers come before `down`. local_link_free answers
 * nothing.
 *
 * Replies and events live during the callback. No callback is ever made from inside a call. Loop
 * thread. local_link_free must not be called from a callback.
 */
#ifndef BERTH_ENGINE_LOCAL_LINK_H
#define BERTH_ENGINE_LOCAL_LINK_H

#include "wire/runner.h"

struct ev_loop;
struct local_link;

struct local_link_events {
    void (*up)(void *arg, const struct wire_welcome *welcome);
    void (*down)(void *arg,
                 const struct err *why); /* also when the first try fails; once a break */
    void (*event)(void *arg, const struct wire_event *event); /* not PROGRESS; may be NULL */
};

/* socket: path of the runner's; program: our name in its log. Strings are copied. */
int local_link_new(struct ev_loop *loop, const char *socket, const char *program,
                   const struct local_link_events *events, void *arg, struct local_link **ret,
                   struct err *err);
struct local_link *local_link_free(struct local_link *l); /* returns NULL; NULL allowed */

bool local_link_is_up(const struct local_link *l);

/* reply: the verb's reply struct when rc is 0. */
typedef void local_reply_fn(void *arg, int rc, const void *reply, const struct err *err);
typedef void local_progress_fn(void *arg, const char *text);

/* progress may be NULL. UNAVAILABLE when not up, TOO_LARGE, NOMEM: then fn is not called. */
int local_link_ask(struct local_link *l, enum wire_verb verb, const void *args, local_reply_fn *fn,
                   local_progress_fn *progress, void *arg, struct err *err);
/* Breaks the connection, as if the runner had; it is made anew. For a runner that hangs. */
void local_link_reset(struct local_link *l, const char *why);

#endif
