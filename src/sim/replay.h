/*
 * replay: a trace of jobs in virtual time. The world keeps who runs and who waits; a policy is
 * asked after every event and starts and stops jobs through replay_start and replay_stop.
 */
#ifndef BERTH_SIM_REPLAY_H
#define BERTH_SIM_REPLAY_H

#include "sched/sched.h"
#include "sim/sim.h"

struct replay_job {
    int64_t submit_ms, duration_ms; /* from the start of the trace */
    uint32_t gpus, queue;
    int64_t remaining_ms;     /* as of since_ms */
    int64_t served_ms;        /* of earlier runs */
    int64_t since_ms;         /* of this run or this wait */
    int64_t waited_ms;        /* of earlier waits */
    int64_t first_ms, end_ms; /* -1: not yet */
    int64_t eta_ms;           /* as told right after submission; 0: none */
    uint32_t preempted;
    bool is_running;
    const struct sched_slot *slots; /* of policies on nodes */
    uint32_t slot_count;
    uint32_t run_index; /* where in running or waiting */
};

struct replay_list {
    uint32_t *items;
    uint32_t count;
};

struct replay {
    struct replay_job *jobs;
    uint32_t job_count;
    uint32_t node_count, gpus_per_node, free_gpus;
    const char *queue_names[256];
    uint32_t queue_count;
    int64_t wait_bound_ms;                    /* -1: the policy's own */
    int64_t preempt_cost_ms, now_ms, wake_ms; /* wake_ms 0: only on events */
    struct replay_list running, waiting;      /* waiting: in order of arrival in the list */
    uint32_t waiting_by_gpus[1025];
    uint64_t preemptions;
    struct arena *arena;
    bool has_queues;
    void *state; /* the policy's */
    int64_t busy_gpu_ms;
    struct sim_series *series; /* for the report, or NULL */
    int64_t step_ms;
};

typedef int replay_policy_fn(struct replay *r, struct err *err);

int64_t replay_remaining(const struct replay *r, const struct replay_job *job);
int64_t replay_served(const struct replay *r, const struct replay_job *job);
void replay_start(struct replay *r, uint32_t job);
void replay_stop(struct replay *r, uint32_t job); /* preemption: costs the job preempt_cost_ms */

replay_policy_fn *replay_rival_find(const char *name);
/* Ours: sched_run on nodes. */
int replay_ours(struct replay *r, struct err *err);
/* A job has ended; ours learns its run time. */
void replay_ours_ended(struct replay *r, const struct replay_job *job);

#endif
