/*
 * world: control over the fake engine and the memory store in virtual time, for simulation tests.
 * One thread; everything happens inside world_run.
 */
#ifndef BERTH_TEST_SIM_WORLD_H
#define BERTH_TEST_SIM_WORLD_H

#include "base/rand.h"
#include "control/control.h"
#include "engine/fake/fake.h"
#include "testlib.h"

struct world {
    int64_t now_ms;
    struct os_clock clock;
    struct rnd rnd;
    struct store *store;
    struct auth *auth;
    struct control *control;
    struct fake_world *machines;
    struct image image;
    struct who user;
    bool image_missing;
    int fatal;
    uint64_t last_id;
    int last_rc;
    struct err last_err;
};

void world_init(struct world *w, uint64_t seed);
void world_done(struct world *w);
/* berthd dies and starts again: control is made anew from the store; machines live on. */
void world_restart(struct world *w);
/* Lets time pass up to now + ms, in steps of what is due. */
void world_run(struct world *w, int64_t ms);
/* Runs until every workload has ended, at most `ms`. False when some have not. */
bool world_settle(struct world *w, int64_t ms);

/* Submits YAML; last_id, last_rc, last_err say what came of it. */
uint64_t world_submit(struct world *w, const char *yaml);
const struct workload *world_find(struct world *w, uint64_t id);
void world_expect(struct world *w, uint64_t id, enum workload_state state, enum end_reason reason);
void world_print(struct world *w); /* what has not ended, to stderr */
void world_stop(struct world *w, uint64_t id, int64_t grace_ms);

#endif
