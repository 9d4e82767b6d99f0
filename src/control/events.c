/*
 * events: the latest events in memory, and who wants to hear that there are new ones.
 */
#include "control/state.h"
#include <string.h>
#include "base/alloc.h"

static struct kept_event *ring_slot(struct control *c, uint64_t seq)
{
    return &c->events[seq % CONTROL_EVENTS_KEPT];
}

/* Copies an event and its strings, those in one piece of memory. */
bool event_keep_copy(struct kept_event *dst, const struct event *src)
{
    const char *const parts[] = {src->type, src->subject_kind, src->text, src->data};
    size_t size = 1;
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        size += parts[i] ? strlen(parts[i]) + 1 : 0;
    char *at = mem_alloc(size);
    if (!at)
        return false;
    *dst = (struct kept_event){.event = *src, .memory = at};
    const char **const fields[] = {&dst->event.type, &dst->event.subject_kind, &dst->event.text,
                                   &dst->event.data};
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        if (!parts[i])
            continue;
        size_t len = strlen(parts[i]) + 1;
        memcpy(at, parts[i], len);
        *fields[i] = at;
        at += len;
    }
    return true;
}

/* A copy that cannot be had leaves a hole, and readers of it ask the store. */
void events_keep(struct control *c, const struct event *ev)
{
    struct kept_event *slot = ring_slot(c, ev->seq);
    mem_free(slot->memory);
    memset(slot, 0, sizeof(*slot));
    event_keep_copy(slot, ev);
}

void events_publish(struct control *c, uint64_t durable)
{
    if (durable > c->event_durable)
        c->event_durable = durable;
    /* Watchers may come and go inside a call: walk backwards over what was there. */
    for (size_t i = c->watchers.len; i-- > 0;)
        if (i < c->watchers.len)
            c->watchers.items[i].fn(c->watchers.items[i].arg, c->event_durable);
}

void events_done(struct control *c)
{
    for (size_t i = 0; i < CONTROL_EVENTS_KEPT; i++)
        mem_free(c->events[i].memory);
    vec_done(&c->watchers);
}

uint64_t control_last_event(const struct control *c)
{
    return c->event_durable;
}

int control_watch(struct control *c, control_events_fn *fn, void *arg, struct err *err)
{
    if (c->watchers.len >= LIMIT_WATCHERS)
        return err_set(err, BERR_BUSY, "%d watches are open, which is the limit", LIMIT_WATCHERS);
    struct watcher *w = vec_push(&c->watchers);
    if (!w)
        return err_set(err, BERR_NOMEM, "out of memory");
    *w = (struct watcher){.fn = fn, .arg = arg};
    return 0;
}

void control_unwatch(struct control *c, control_events_fn *fn, void *arg)
{
    for (size_t i = 0; i < c->watchers.len; i++)
        if (c->watchers.items[i].fn == fn && c->watchers.items[i].arg == arg) {
            vec_remove(&c->watchers, i);
            return;
        }
}

bool control_recent_event(const struct control *c, uint64_t seq, const struct event **ret)
{
    const struct kept_event *slot = &c->events[seq % CONTROL_EVENTS_KEPT];
    if (seq == 0 || seq > c->event_durable || slot->event.seq != seq)
        return false;
    *ret = &slot->event;
    return true;
}
