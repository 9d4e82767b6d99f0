/*
 * fake: an engine whose containers are pretended, for simulation, tests and API work.
 *
 * Two parts. A `fake_world` is the machines and what runs on them: it lives on while nobody is
 * connected, as real containers do. An engine opened with engine_fake.open is a connection to a
 * world: the one in engine_config.fake_world, or a world of its own (2 nodes of 64 CPUs, 256 GiB
 * and 4 GPUs) that ends with the engine.
 *
 * Time is the clock's. With loop NULL nothing happens until fake_advance, which does all that is
 * due and delivers the events; with a loop the engine advances itself by a timer. Everything is
 * deterministic: the same calls at the same times give the same events.
 *
 * What a task does is scripted by the environment of the order; the same name with _N at the end
 * holds for attempt number N only (FAKE_EXIT_1=3: the first attempt fails), and goes first:
 *   FAKE_PREPARE_MS  until PREPARED (default 10)     FAKE_START_MS   then until it runs (10)
 *   FAKE_RUN_MS      how long it runs; "forever" is the default of notebooks, 1000 that of jobs
 *   FAKE_EXIT        exit code at its end (0)        FAKE_SIGNAL     dies of this signal instead
 *   FAKE_OOM=1       goes over its memory            FAKE_DISK_FULL=1  fills its disk, exits 1
 *   FAKE_RANK        the four above hit only the task with this rank in its role
 *   FAKE_IMAGE_ERROR FAKE_START_ERROR FAKE_ENGINE_ERROR  words: the attempt fails that way
 *   FAKE_HANG=prepare|start  gets stuck there        FAKE_TERM_MS    from SIGTERM to its end (10)
 *   FAKE_IGNORE_TERM=1       only SIGKILL ends it    FAKE_TERM_EXIT  exit code after SIGTERM
 *   FAKE_LOG         first line of its log           FAKE_LOG_LINES  more lines, spread over the run
 *   FAKE_ADDRESS     its address (10.99.x.y)
 *
 * One thread: the loop's or the test's.
 */
#ifndef BERTH_ENGINE_FAKE_FAKE_H
#define BERTH_ENGINE_FAKE_FAKE_H

#include "engine/engine.h"

extern const struct engine_ops engine_fake;

struct fake_world;

struct fake_world *fake_world_new(const struct os_clock *clock); /* no nodes; NULL: no memory */
struct fake_world *fake_world_free(struct fake_world *w);        /* no engine may be open on it */
/* The world an engine is connected to. */
struct fake_world *fake_world_of(struct engine *e);

/* Adds a node, or changes the one of that name; told by a NODE event. `node` is copied; `ready`
 * and `site` are set by the world. 0 or -BERR_NOMEM. */
int fake_node_put(struct fake_world *w, const struct node *node);
/* A plain node of so many cores, GiB and GPUs (40 GiB each, all linked in pairs). */
int fake_node_add(struct fake_world *w, const char *name, uint32_t cores, uint32_t memory_gib,
                  uint32_t gpus);
/* Out of sight: its attempts are LOST, the node not ready; what runs there runs on unseen. */
void fake_node_lose(struct fake_world *w, const char *name);
/* Seen again: node ready, and a full list follows. */
void fake_node_return(struct fake_world *w, const char *name);
/* Proof of its death: every attempt with a task there is GONE with node-lost, its tasks elsewhere
 * are killed. The node stays away until fake_node_return. */
void fake_node_kill(struct fake_world *w, const char *name);

/* Does all that is due by the clock's now, delivers the events of it; returns how many. */
size_t fake_advance(struct fake_world *w);
/* Monotonic milliseconds when something is due next; INT64_MAX: nothing will happen by itself. */
int64_t fake_next_ms(const struct fake_world *w);

/* The connection breaks (DISCONNECTED; events until the return are lost; orders UNAVAILABLE)
 * and comes back (CONNECTED, nodes, full list). */
void fake_disconnect(struct fake_world *w);
void fake_reconnect(struct fake_world *w);

/* What goes wrong with the n-th order from now (1: the next; start stop suspend resume forget). */
enum fake_fault {
    FAKE_REFUSE, /* it fails with `code`, nothing is done */
    FAKE_LOSE,   /* accepted, then the connection breaks before it is carried out */
    FAKE_BREAK,  /* accepted and carried out, but the connection breaks before any event of it */
};
void fake_fail_order(struct fake_world *w, uint32_t n, enum fake_fault fault, enum berr code);

/* How events travel: each is repeated with this chance, and late by up to so many milliseconds
 * (later ones of the same attempt may then overtake it). Lists are never disturbed, and a
 * broken connection loses what is under way. All zero: at once and in order. */
struct fake_chaos {
    uint64_t seed;
    uint32_t repeat_per_mille;
    uint32_t late_per_mille, late_max_ms;
};
void fake_chaos_set(struct fake_world *w, const struct fake_chaos *chaos);

/* ---- what a test asks ---- */

/* Attempts that hold something (started, not gone). */
size_t fake_running(const struct fake_world *w);
/* Attempts the world still knows (not forgotten). */
size_t fake_known(const struct fake_world *w);
/* How often an attempt was really started: more than once is a fault of the fake. */
uint32_t fake_starts(const struct fake_world *w, struct attempt_key key);
/* The first broken rule in words, NULL when all is well: a GPU in two attempts at once, a node
 * given more CPU, memory or GPUs than it has, two attempts of one workload at once, an order for
 * a node or GPU that does not exist. Kept until read. */
const char *fake_broken_rule(struct fake_world *w);

#endif
