/* berth-sim replay: a trace of jobs through a policy, and how long everybody took. */
#include "sim/replay.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/alloc.h"
#include "base/str.h"
#include "base/units.h"
#include "js/js.h"
#include "sim/replay_stats.h"

/* ---- who runs ---- */

static void list_add(struct replay *r, struct replay_list *list, uint32_t job)
{
    r->jobs[job].run_index = list->count;
    list->items[list->count++] = job;
}

static void list_drop(struct replay *r, struct replay_list *list, uint32_t job)
{
    uint32_t last = list->items[--list->count];
    list->items[r->jobs[job].run_index] = last;
    r->jobs[last].run_index = r->jobs[job].run_index;
}

int64_t replay_remaining(const struct replay *r, const struct replay_job *job)
{
    return job->is_running ? job->remaining_ms - (r->now_ms - job->since_ms) : job->remaining_ms;
}

int64_t replay_served(const struct replay *r, const struct replay_job *job)
{
    return job->is_running ? job->served_ms + (r->now_ms - job->since_ms) : job->served_ms;
}

void replay_start(struct replay *r, uint32_t index)
{
    struct replay_job *job = &r->jobs[index];
    check(!job->is_running && job->gpus <= r->free_gpus);
    list_drop(r, &r->waiting, index);
    list_add(r, &r->running, index);
    r->waiting_by_gpus[job->gpus]--;
    r->free_gpus -= job->gpus;
    job->waited_ms += r->now_ms - job->since_ms;
    job->since_ms = r->now_ms;
    job->is_running = true;
    if (job->first_ms < 0)
        job->first_ms = r->now_ms;
}

static void leave(struct replay *r, uint32_t index)
{
    struct replay_job *job = &r->jobs[index];
    int64_t ran_ms = r->now_ms - job->since_ms;
    check(job->is_running);
    r->busy_gpu_ms += ran_ms * job->gpus;
    job->remaining_ms -= ran_ms;
    job->served_ms += ran_ms;
    job->since_ms = r->now_ms;
    job->is_running = false;
    r->free_gpus += job->gpus;
    list_drop(r, &r->running, index);
    union { /* ours to free: keep_slots made it */
        const struct sched_slot *in;
        void *out;
    } slots = {.in = job->slots};
    mem_free(slots.out);
    job->slots = NULL;
    job->slot_count = 0;
}

void replay_stop(struct replay *r, uint32_t index)
{
    leave(r, index);
    r->jobs[index].remaining_ms += r->preempt_cost_ms;
    r->jobs[index].preempted++;
    r->preemptions++;
    r->waiting_by_gpus[r->jobs[index].gpus]++;
    list_add(r, &r->waiting, index);
}

/* ---- time ---- */

static int64_t next_event(const struct replay *r, uint32_t next)
{
    int64_t time_ms = next < r->job_count ? r->jobs[next].submit_ms : INT64_MAX;
    for (uint32_t i = 0; i < r->running.count; i++) {
        const struct replay_job *job = &r->jobs[r->running.items[i]];
        if (job->since_ms + job->remaining_ms < time_ms)
            time_ms = job->since_ms + job->remaining_ms;
    }
    if (r->wake_ms > r->now_ms && r->wake_ms < time_ms)
        time_ms = r->wake_ms;
    return time_ms;
}

static void finish_jobs(struct replay *r)
{
    for (uint32_t i = r->running.count; i-- > 0;) {
        uint32_t job = r->running.items[i];
        if (r->jobs[job].since_ms + r->jobs[job].remaining_ms > r->now_ms)
            continue;
        leave(r, job);
        r->jobs[job].end_ms = r->now_ms;
        replay_ours_ended(r, &r->jobs[job]);
    }
}

static int run(struct replay *r, replay_policy_fn *policy, struct err *err)
{
    uint32_t next = 0;
    int rc = 0;
    while (rc == 0 && (next < r->job_count || r->running.count > 0 || r->waiting.count > 0)) {
        int64_t time_ms = next_event(r, next);
        if (time_ms == INT64_MAX)
            return err_set(err, BERR_INTERNAL, "%u jobs wait and nothing will ever happen",
                           r->waiting.count);
        stats_sample(r, time_ms);
        r->now_ms = time_ms;
        finish_jobs(r);
        for (; next < r->job_count && r->jobs[next].submit_ms <= r->now_ms; next++) {
            r->jobs[next].since_ms = r->now_ms;
            r->waiting_by_gpus[r->jobs[next].gpus]++;
            list_add(r, &r->waiting, next);
        }
        rc = policy(r, err);
    }
    return rc;
}

/* ---- the trace ---- */

static int parse_time(const char *text, const char *path, size_t row, int64_t *ret_ms,
                      struct err *err)
{
    char rfc[40];
    str_copy(rfc, sizeof(rfc) - 1, text);
    if (strlen(rfc) == 19) { /* 2017-09-04 10:30:41 */
        rfc[10] = 'T';
        rfc[19] = 'Z';
        rfc[20] = '\0';
    }
    int rc = units_parse_time(rfc, ret_ms, err);
    return rc == 0 ? 0 : err_wrap(err, rc, "%s: line %zu", path, row + 2);
}

static int queue_number(struct replay *r, const char *name, uint32_t *ret, struct err *err)
{
    for (uint32_t q = 0; q < r->queue_count; q++) {
        if (str_is_equal(r->queue_names[q], name)) {
            *ret = q;
            return 0;
        }
    }
    if (r->queue_count == ARRAY_LEN(r->queue_names))
        return err_set(err, BERR_TOO_LARGE, "more than %zu clusters", ARRAY_LEN(r->queue_names));
    r->queue_names[r->queue_count] = name;
    *ret = r->queue_count++;
    return 0;
}

static int load_job(struct replay *r, const struct sim_csv *csv, const char *path,
                    const size_t columns[4], size_t row, struct err *err)
{
    struct replay_job *job = &r->jobs[r->job_count++];
    int64_t gpus = 0;
    int rc = parse_time(sim_csv_cell(csv, row, columns[0]), path, row, &job->submit_ms, err);
    if (rc == 0)
        rc = sim_csv_milli(csv, path, row, columns[1], &job->duration_ms, err);
    if (rc == 0)
        rc = sim_csv_i64(csv, path, row, columns[2], &gpus, err);
    if (rc == 0)
        rc = queue_number(r, sim_csv_cell(csv, row, columns[3]), &job->queue, err);
    if (rc == 0 && (gpus < 1 || gpus > 1024 || gpus > (int64_t)r->node_count * r->gpus_per_node))
        rc = err_set(err, BERR_INVALID, "%s: line %zu asks for %lld GPUs", path, row + 2,
                     (long long)gpus);
    job->gpus = (uint32_t)gpus;
    job->remaining_ms = job->duration_ms;
    job->first_ms = job->end_ms = -1;
    return rc;
}

static int compare_jobs(const void *a, const void *b)
{
    const struct replay_job *x = a, *y = b;
    if (x->submit_ms != y->submit_ms)
        return x->submit_ms < y->submit_ms ? -1 : 1;
    return x->run_index < y->run_index ? -1 : x->run_index > y->run_index;
}

static int load_jobs(struct replay *r, const char *path, struct err *err)
{
    struct sim_csv csv;
    size_t columns[4];
    static const char *const names[4] = {"timestamp", "duration", "num_gpus", "cluster"};
    int rc = sim_csv_read(path, r->arena, &csv, err);
    for (size_t i = 0; i < 4 && rc == 0; i++)
        rc = sim_csv_need(&csv, path, names[i], &columns[i], err);
    if (rc != 0)
        return rc;
    r->jobs = arena_array(r->arena, csv.row_count, sizeof(*r->jobs));
    r->running.items = arena_array(r->arena, csv.row_count, sizeof(uint32_t));
    r->waiting.items = arena_array(r->arena, csv.row_count, sizeof(uint32_t));
    if (r->jobs == NULL || r->running.items == NULL || r->waiting.items == NULL)
        return err_set(err, BERR_NOMEM, "out of memory");
    for (size_t i = 0; i < csv.row_count && rc == 0; i++)
        rc = load_job(r, &csv, path, columns, i, err);
    if (rc != 0 || r->job_count == 0)
        return rc;
    for (uint32_t i = 0; i < r->job_count; i++)
        r->jobs[i].run_index = i;
    qsort(r->jobs, r->job_count, sizeof(*r->jobs), compare_jobs);
    int64_t start_ms = r->jobs[0].submit_ms;
    for (uint32_t i = 0; i < r->job_count; i++)
        r->jobs[i].submit_ms -= start_ms;
    return 0;
}

static int parse_cluster(struct replay *r, const char *text, struct err *err)
{
    char nodes[16];
    const char *x = strchr(text, 'x');
    uint64_t node_count = 0, gpus = 0;
    size_t len = x == NULL ? 0 : (size_t)(x - text);
    if (len > 0 && len < sizeof(nodes)) {
        memcpy(nodes, text, len);
        nodes[len] = '\0';
        if (str_parse_u64(nodes, &node_count) && str_parse_u64(x + 1, &gpus) && node_count > 0 &&
            gpus > 0 && node_count <= 100000 && gpus <= 64) {
            r->node_count = (uint32_t)node_count;
            r->gpus_per_node = (uint32_t)gpus;
            r->free_gpus = r->node_count * r->gpus_per_node;
            return 0;
        }
    }
    return err_set(err, BERR_INVALID, "--cluster: expected NODESxGPUS like 80x8, found \"%s\"",
                   text);
}

int sim_replay(int argc, char **argv, struct buf *out, struct err *err)
{
    struct sim_option options[] = {
        {"jobs", NULL, "CSV with timestamp, duration, num_gpus, cluster"},
        {"cluster", "80x8", "nodes x GPUs of each"},
        {"policy", "berth", "fifo, fifo-skip, sjf, srsf, las or berth"},
        {"place", "", "count or nodes; berth always places on nodes, the others count"},
        {"preempt-cost", "0s", "what a preemption adds to the run time of who is preempted"},
        {"queues", "",
         "from-cluster-column: a queue for each cluster, guarantee = share of demand"},
        {"wait-bound", "", "berth: who has waited so long in all goes first; 0s: nobody"},
        {"report", "", "a file for a page to look at"},
        {"output", "json", "json"},
        {NULL, NULL, NULL},
    };
    struct arena arena = ARENA(1ull << 30);
    struct replay r = {.arena = &arena};
    int rc = sim_options(options, argc, argv, err);
    const char *policy_name = rc == 0 ? sim_option(options, "policy") : "";
    bool is_ours = str_is_equal(policy_name, "berth");
    replay_policy_fn *policy = is_ours ? replay_ours : replay_rival_find(policy_name);
    const char *place = rc == 0 ? sim_option(options, "place") : "";
    if (rc == 0 && policy == NULL)
        rc = err_set(err, BERR_INVALID, "unknown policy \"%s\"", policy_name);
    if (rc == 0 && place[0] != '\0' && !str_is_equal(place, is_ours ? "nodes" : "count"))
        rc = err_set(err, BERR_UNSUPPORTED, "%s places by %s only", policy_name,
                     is_ours ? "nodes" : "count");
    if (rc == 0)
        rc = sim_option_duration(options, "preempt-cost", &r.preempt_cost_ms, err);
    r.wait_bound_ms = -1;
    if (rc == 0 && sim_option(options, "wait-bound")[0] != '\0')
        rc = sim_option_duration(options, "wait-bound", &r.wait_bound_ms, err);
    if (rc == 0)
        rc = parse_cluster(&r, sim_option(options, "cluster"), err);
    if (rc == 0)
        rc = load_jobs(&r, sim_option(options, "jobs"), err);
    if (rc == 0) {
        r.has_queues = str_is_equal(sim_option(options, "queues"), "from-cluster-column");
        rc = stats_init(&r, err);
    }
    if (rc == 0)
        rc = run(&r, policy, err);
    if (rc == 0)
        rc = stats_print(&r, policy_name, sim_option(options, "report"), out, err);
    arena_done(&arena);
    return rc;
}
