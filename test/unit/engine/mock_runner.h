/*
 * mock_runner: the other end of the runner's socket, in the test's own loop. It plays a runner
 * whose containers always work at once, and goes wrong as told. Loop thread.
 */
#ifndef BERTH_TEST_UNIT_ENGINE_MOCK_RUNNER_H
#define BERTH_TEST_UNIT_ENGINE_MOCK_RUNNER_H

#include "base/vec.h"
#include "ev/stream.h"
#include "testlib.h"
#include "wire/runner.h"

struct mock_task {
    struct wire_task facts;
    char address[48];
};

struct mock_request { /* one that came, in order */
    enum wire_verb verb;
    struct wire_key key; /* of TASK_* */
    uint64_t signal;
};

struct mock {
    struct ev_loop *loop;
    struct ev_listener *listener;
    struct ev_stream *stream;
    char dir[TEST_PATH_MAX], socket[TEST_PATH_MAX + 16];
    struct buf in;
    VEC(struct mock_task) tasks;
    VEC(struct mock_request) requests;
    /* the last task-create, in parts */
    char gpus[64], address[48], hosts[512];
    /* what goes wrong */
    const char *network;      /* "10.9.4.0/22" */
    enum wire_verb fail_verb; /* fails so many times with this */
    uint32_t fail_times;
    enum berr fail_code;
    const char *fail_field;
    bool dies_at_start; /* a started task has ended at once: its command is not there */
    bool holds;         /* answers hold_verb never */
    enum wire_verb hold_verb;
};

void mock_open(struct mock *m, struct ev_loop *loop);
void mock_close(struct mock *m);
/* A task that was there before the client came. */
struct mock_task *mock_add(struct mock *m, struct wire_key key, enum wire_task_state state,
                           uint64_t gang);
struct mock_task *mock_find(struct mock *m, const struct wire_key *key);
/* Ends a task and tells. */
void mock_end(struct mock *m, struct mock_task *t, int exit_code, int signal);
void mock_break(struct mock *m);                              /* hangs up */
void mock_say(struct mock *m, const void *bytes, size_t len); /* any bytes */
uint32_t mock_count(const struct mock *m, enum wire_verb verb);

#endif
