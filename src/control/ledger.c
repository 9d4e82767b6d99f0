/*
 * ledger: what belongs to one attempt only. A whole GPU has one row in the store, named
 * site/node/index; taking it twice fails the transaction. Shares of a GPU, CPU, memory and disk are
 * amounts and are counted in memory from the attempts themselves.
 */
#include "control/state.h"
#include <stdio.h>
#include "base/str.h"

static const struct role_spec *task_role(const struct item *it, const struct task *task)
{
    return spec_role(it->w.spec, task->role, NULL);
}

static int64_t share_milli(const struct role_spec *role)
{
    return role->gpu.milli >= 1000 ? 1000 : role->gpu.milli;
}

static void row_name(char dst[80], const struct attempt *a, const struct task *task, uint16_t gpu)
{
    snprintf(dst, 80, "%.30s/%.40s/%u", a->site, task->node, gpu);
}

static void count_task(struct node_entry *n, const struct item *it, const struct task *task,
                       int sign)
{
    const struct role_spec *role = task_role(it, task);
    n->use.cpu_milli += sign * role->cpu_milli;
    n->use.memory_bytes += (uint64_t)sign * role->memory_bytes;
    n->use.disk_bytes += (uint64_t)sign * role->disk_bytes;
    for (uint32_t g = 0; g < task->gpu_count && g < ARRAY_LEN(task->gpus); g++) {
        uint16_t index = task->gpus[g];
        if (index >= LIMIT_GPUS_PER_NODE)
            continue;
        n->use.gpu_used_milli[index] += sign * share_milli(role);
        if (sign > 0)
            n->use.gpu_holder[index] = it->w.id.v;
        else if (n->use.gpu_used_milli[index] == 0)
            n->use.gpu_holder[index] = 0;
    }
}

void ledger_count_on(const struct item *it, struct node_entry *n, int sign)
{
    const struct attempt *a = it->w.attempt;
    if (!str_is_equal(a->site, n->site->name))
        return;
    for (uint32_t i = 0; i < a->task_count; i++)
        if (str_is_equal(a->tasks[i].node, n->node.name))
            count_task(n, it, &a->tasks[i], sign);
}

static void ledger_count(struct control *c, const struct item *it, int sign)
{
    const struct attempt *a = it->w.attempt;
    for (uint32_t i = 0; i < a->task_count; i++) {
        struct node_entry *n = control_node_entry(c, a->site, a->tasks[i].node);
        if (n)
            count_task(n, it, &a->tasks[i], sign);
    }
}

/* Refuses what the node no longer has: the plan was made on an older picture. */
static int check_task(struct control *c, const struct item *it, const struct task *task,
                      struct err *err)
{
    const struct role_spec *role = task_role(it, task);
    const struct node_entry *n = control_node_entry(c, it->w.attempt->site, task->node);
    if (!n || !n->node.ready || n->drained)
        return err_set(err, BERR_CONFLICT, "node %s takes no work", task->node);
    if (n->use.cpu_milli + role->cpu_milli > n->node.cpu_milli ||
        n->use.memory_bytes + role->memory_bytes > n->node.memory_bytes)
        return err_set(err, BERR_CONFLICT, "node %s has no room left", task->node);
    for (uint32_t g = 0; g < task->gpu_count; g++) {
        uint16_t index = task->gpus[g];
        if (index >= n->node.gpu_count || n->use.gpu_used_milli[index] + share_milli(role) > 1000 ||
            !n->node.gpus[index].healthy || n->node.gpus[index].quarantine[0])
            return err_set(err, BERR_CONFLICT, "gpu %u of node %s is taken", index, task->node);
    }
    return 0;
}

int ledger_take(struct txn *t, struct item *it, struct err *err)
{
    struct attempt *a = it->w.attempt;
    struct control *c = control_of(t);
    for (uint32_t i = 0; i < a->task_count; i++) {
        int rc = check_task(c, it, &a->tasks[i], err);
        if (rc < 0)
            return rc;
    }
    for (uint32_t i = 0; i < a->task_count; i++) {
        const struct task *task = &a->tasks[i];
        if (share_milli(task_role(it, task)) < 1000)
            continue;
        for (uint32_t g = 0; g < task->gpu_count; g++) {
            struct ledger_row row = {.kind = "gpu", .state = "held", .holder = a->key};
            row_name(row.name, a, task, task->gpus[g]);
            store_ledger_take(txn_batch(t), &row);
        }
    }
    ledger_count(c, it, +1);
    return 0;
}

void ledger_free(struct txn *t, struct item *it)
{
    const struct attempt *a = it->w.attempt;
    ledger_count(control_of(t), it, -1);
    for (uint32_t i = 0; i < a->task_count; i++) {
        const struct task *task = &a->tasks[i];
        if (share_milli(task_role(it, task)) < 1000)
            continue;
        for (uint32_t g = 0; g < task->gpu_count; g++) {
            char name[80];
            row_name(name, a, task, task->gpus[g]);
            store_ledger_free(txn_batch(t), "gpu", name);
        }
    }
}
