/* What the runner says of a task becomes facts; facts become events. */
#include "engine/local/state.h"

#include <arpa/inet.h>
#include <string.h>
#include "base/alloc.h"
#include "base/check.h"
#include "base/str.h"

enum end_reason facts_reason(int wire_failure)
{
    switch ((enum wire_failure)wire_failure) {
    case WIRE_FAILURE_NONE:
        return END_NONE;
    case WIRE_FAILURE_START:
        return END_START_ERROR;
    case WIRE_FAILURE_IMAGE:
        return END_IMAGE_ERROR;
    case WIRE_FAILURE_ENGINE:
        return END_ENGINE_ERROR;
    case WIRE_FAILURE_NODE:
        return END_NODE_LOST;
    }
    return END_ENGINE_ERROR;
}

static void take_end(struct local_task *t, const struct wire_task *w)
{
    t->facts.ended = true;
    t->facts.signal = (int)w->signal;
    t->facts.exit_code = w->signal != 0 ? -1 : (int)w->exit_code;
    t->facts.out_of_memory = w->out_of_memory;
    t->facts.disk_full = w->disk_full;
    t->facts.ended_ms = w->ended_ms;
    t->facts.log_bytes = w->log_bytes;
    t->failure = w->failure;
    str_copy(t->text, sizeof(t->text), w->text == NULL ? "" : w->text);
}

void facts_take(struct local_attempt *a, const struct wire_task *w)
{
    struct in_addr address;
    if (w->key.index >= a->task_count)
        return;
    struct local_task *t = &a->tasks[w->key.index];
    t->asked = true;
    if (w->state == WIRE_TASK_PREPARING)
        return; /* being made, or being undone: the answer tells */
    if (t->is_known && w->state < t->state)
        return; /* older than what is known: lists and events overtake each other */
    t->is_known = true;
    t->is_deleted = false;
    t->state = w->state;
    t->is_frozen = w->frozen;
    if (w->address != NULL && w->address[0] != '\0') {
        str_copy(t->facts.address, sizeof(t->facts.address), w->address);
        if (inet_pton(AF_INET, w->address, &address) == 1)
            t->address = ntohl(address.s_addr);
    }
    if (w->started_ms != 0) {
        t->facts.started = true;
        t->facts.started_ms = w->started_ms;
    }
    if (w->state == WIRE_TASK_ENDED)
        take_end(t, w);
}

/* ---- telling ---- */

void facts_tell(struct local_attempt *a, enum engine_event_kind kind, const char *text)
{
    struct engine_event event = {.kind = kind, .key = a->key, .text = text};
    if (a->engine->listed)
        a->engine->listener(a->engine->arg, &event);
}

static void tell_task(struct local_attempt *a, enum engine_event_kind kind,
                      const struct engine_task_facts *facts)
{
    struct engine_event event = {.kind = kind, .key = a->key, .tasks = facts, .task_count = 1};
    a->engine->listener(a->engine->arg, &event);
}

void facts_tell_started(struct local_attempt *a)
{
    for (uint32_t i = 0; a->engine->listed && i < a->task_count; i++) {
        struct local_task *t = &a->tasks[i];
        if (t->told_started || !t->facts.started)
            continue;
        struct engine_task_facts facts = t->facts;
        facts.ended = false; /* that is the next event's to say */
        t->told_started = true;
        tell_task(a, ENGINE_EV_TASK_STARTED, &facts);
    }
}

void facts_tell_ended(struct local_attempt *a)
{
    for (uint32_t i = 0; a->engine->listed && i < a->task_count; i++) {
        struct local_task *t = &a->tasks[i];
        if (!t->told_started || t->told_ended || !t->facts.ended)
            continue;
        t->told_ended = true;
        tell_task(a, ENGINE_EV_TASK_ENDED, &t->facts);
    }
}

void facts_tell_gone(struct local_attempt *a)
{
    struct engine_event event = {.kind = ENGINE_EV_GONE,
                                 .key = a->key,
                                 .reason = a->reason,
                                 .text = a->text[0] == '\0' ? NULL : a->text};
    if (a->engine->listed)
        a->engine->listener(a->engine->arg, &event);
}

/* Everything of it at once; so all of it is told. */
void facts_tell_seen(struct local_attempt *a)
{
    struct engine_event event = {.kind = ENGINE_EV_ATTEMPT_SEEN,
                                 .key = a->key,
                                 .task_count = a->task_count,
                                 .prepared = a->prepared,
                                 .suspended = a->is_suspended,
                                 .gone = a->phase >= LOCAL_GONE,
                                 .reason = a->phase >= LOCAL_GONE ? a->reason : END_NONE,
                                 .text = a->text[0] == '\0' ? NULL : a->text};
    cleanup(mem_freep) struct engine_task_facts *facts =
        mem_calloc(a->task_count == 0 ? 1 : a->task_count, sizeof(*facts));
    if (facts == NULL) { /* without the list nothing may go on: read it again */
        local_link_reset(a->engine->link, "no memory for the list of tasks");
        return;
    }
    for (uint32_t i = 0; i < a->task_count; i++) {
        struct local_task *t = &a->tasks[i];
        facts[i] = t->facts;
        t->told_started = t->facts.started;
        t->told_ended = t->facts.ended;
    }
    event.tasks = facts;
    a->told_prepared = a->prepared;
    a->engine->listener(a->engine->arg, &event);
}
