/* A request becomes an answer at once, or a job: the table says how each verb is carried out. */
#include <stdio.h>
#include <string.h>
#include "base/alloc.h"
#include "base/id.h"
#include "base/limits.h"
#include "base/log.h"
#include "runner/server.h"

#define ARENA_MAX (4 * 1024 * 1024)
#define MINUTE_MS (60 * 1000)

/* Where the lane's name comes from. */
enum lane_of { LANE_OWN, LANE_TASK, LANE_VOLUME, LANE_VERB };

struct verb_rule {
    work_fn *fn; /* NULL: answered by the loop */
    enum lane_of lane;
    enum job_class class;
    int64_t deadline_ms;
    bool has_fence; /* refused when the key's fence is old */
};

static const struct verb_rule rules[WIRE_VERB_COUNT] = {
    [WIRE_HELLO] = {.fn = NULL},
    [WIRE_LIST] = {.fn = NULL},
    [WIRE_INVENTORY] = {work_inventory, LANE_VERB, JOB_EXEC, MINUTE_MS, false},
    [WIRE_IMAGE_ADD] = {work_image_add, LANE_OWN, JOB_LONG, 240 * MINUTE_MS, false},
    [WIRE_IMAGE_BUILD] = {work_image_build, LANE_OWN, JOB_LONG, 240 * MINUTE_MS, false},
    [WIRE_IMAGE_REMOVE] = {work_image_remove, LANE_VERB, JOB_QUICK, 5 * MINUTE_MS, false},
    [WIRE_VOLUME_MAKE] = {work_volume_make, LANE_VOLUME, JOB_QUICK, 5 * MINUTE_MS, false},
    [WIRE_VOLUME_GROW] = {work_volume_grow, LANE_VOLUME, JOB_QUICK, 5 * MINUTE_MS, false},
    [WIRE_NET_PROJECT] = {work_net_project, LANE_VERB, JOB_QUICK, MINUTE_MS, false},
    [WIRE_TASK_CREATE] = {work_task_create, LANE_TASK, JOB_QUICK, 2 * MINUTE_MS, true},
    [WIRE_TASK_START] = {work_task_start, LANE_TASK, JOB_QUICK, MINUTE_MS, true},
    [WIRE_TASK_SIGNAL] = {work_task_signal, LANE_TASK, JOB_QUICK, MINUTE_MS, false},
    [WIRE_TASK_FREEZE] = {work_task_freeze, LANE_TASK, JOB_QUICK, MINUTE_MS, false},
    [WIRE_TASK_THAW] = {work_task_thaw, LANE_TASK, JOB_QUICK, MINUTE_MS, false},
    [WIRE_TASK_DELETE] = {work_task_delete, LANE_TASK, JOB_QUICK, MINUTE_MS, false},
    [WIRE_EXEC] = {work_exec, LANE_OWN, JOB_EXEC, 11 * MINUTE_MS, false},
    [WIRE_STAT] = {work_stat, LANE_OWN, JOB_QUICK, MINUTE_MS, false},
    [WIRE_LOG_REMOVE] = {work_log_remove, LANE_VERB, JOB_QUICK, MINUTE_MS, false},
};

/* Requests on a task begin with its key. */
static const struct wire_key *key_of(enum wire_verb verb, const void *args)
{
    switch (verb) {
    case WIRE_TASK_CREATE:
        return &((const struct wire_task_create *)args)->key;
    case WIRE_TASK_START:
    case WIRE_TASK_FREEZE:
    case WIRE_TASK_THAW:
    case WIRE_TASK_DELETE:
    case WIRE_STAT:
        return &((const struct wire_task_ref *)args)->key;
    case WIRE_TASK_SIGNAL:
        return &((const struct wire_task_signal *)args)->key;
    case WIRE_EXEC:
        return &((const struct wire_exec *)args)->key;
    case WIRE_HELLO:
    case WIRE_LIST:
    case WIRE_INVENTORY:
    case WIRE_IMAGE_ADD:
    case WIRE_IMAGE_BUILD:
    case WIRE_IMAGE_REMOVE:
    case WIRE_VOLUME_MAKE:
    case WIRE_VOLUME_GROW:
    case WIRE_NET_PROJECT:
    case WIRE_LOG_REMOVE:
        return NULL;
    }
    return NULL;
}

static void lane_name(char *dst, size_t size, enum lane_of lane, uint64_t client,
                      const struct wire_request *req)
{
    char text[WIRE_KEY_TEXT_SIZE];
    switch (lane) {
    case LANE_TASK:
        snprintf(dst, size, "%s", wire_key_format(text, key_of(req->verb, req->args)));
        return;
    case LANE_VOLUME:
        snprintf(dst, size, "volume %s",
                 id_format(text, ((const struct wire_volume *)req->args)->id));
        return;
    case LANE_VERB:
        snprintf(dst, size, "verb %s", wire_verbs[req->verb].name);
        return;
    case LANE_OWN:
        snprintf(dst, size, "own %llu %llu", (unsigned long long)client,
                 (unsigned long long)req->id);
        return;
    }
}

/* ---- answered by the loop ---- */

static void reply(struct runner *r, uint64_t client, const struct wire_request *req,
                  const void *result)
{
    cleanup(buf_done) struct buf frame = BUF(LIMIT_RUNNER_MESSAGE_BYTES + 4);
    struct err err = {0};
    if (wire_put_reply(&frame, req->id, req->verb, result, &err) != 0)
        client_error(r, client, req->id, &err);
    else
        client_send(r, client, frame.data, frame.len);
}

static int hello(struct runner *r, uint64_t client, const struct wire_request *req, struct err *err)
{
    const struct wire_hello *h = req->args;
    struct wire_welcome welcome = {
        .version = WIRE_VERSION, .tag = r->in.tag, .boot_id = r->in.boot_id, .seq = r->seq};
    if (h->version != WIRE_VERSION)
        return err_set(err, BERR_UNSUPPORTED, "the runner speaks version %d, not %llu",
                       WIRE_VERSION, (unsigned long long)h->version);
    client_greeted(r, client);
    reply(r, client, req, &welcome);
    return 0;
}

static int answer(struct runner *r, uint64_t client, const struct wire_request *req,
                  struct arena *arena, struct err *err)
{
    struct wire_page page;
    if (req->verb == WIRE_HELLO)
        return hello(r, client, req, err);
    task_page(r, ((const struct wire_list *)req->args)->after, arena, &page);
    reply(r, client, req, &page);
    return 0;
}

/* ---- dispatch ---- */

static int queue(struct runner *r, uint64_t client, const struct wire_request *req,
                 struct arena *arena, struct err *err)
{
    const struct verb_rule *rule = &rules[req->verb];
    const struct wire_key *key = key_of(req->verb, req->args);
    char lane[WIRE_KEY_TEXT_SIZE + 16];
    if (rule->has_fence) {
        int rc = fence_check(&r->in, key, err);
        if (rc != 0)
            return rc;
    }
    if (req->verb == WIRE_TASK_DELETE) {
        int rc = fence_close(&r->in, key, err);
        if (rc != 0 && rc != -BERR_NO_SPACE) /* a full disk must not keep what would free it */
            return rc;
    }
    lane_name(lane, sizeof(lane), rule->lane, client, req);
    struct job_order order = {.fn = rule->fn,
                              .verb = req->verb,
                              .class = rule->class,
                              .lane = lane,
                              .deadline_ms = rule->deadline_ms,
                              .client = client,
                              .request = req->id,
                              .has_key = rule->lane == LANE_TASK,
                              .args = req->args};
    if (key != NULL)
        order.key = *key;
    order.arena = *arena; /* goes over */
    *arena = ARENA(ARENA_MAX);
    return job_add(r, &order, err);
}

void verb_dispatch(struct runner *r, uint64_t client, const char *text, size_t len)
{
    struct arena arena = ARENA(ARENA_MAX);
    struct wire_request req;
    struct err err = {0};
    uint64_t id;
    int rc = wire_parse_request(text, len, &arena, &req, &id, &err);
    if (rc == 0)
        rc = rules[req.verb].fn != NULL ? queue(r, client, &req, &arena, &err)
                                        : answer(r, client, &req, &arena, &err);
    if (rc != 0)
        client_error(r, client, id, &err);
    arena_done(&arena);
}
