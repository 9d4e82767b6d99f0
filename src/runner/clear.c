#include "runner/clear.h"
#include <stdio.h>
#include <fcntl.h>
#include "base/log.h"
#include "os/cgroup.h"
#include "runner/files.h"
#include "runner/net.h"
#include "runner/task.h"
#include "runner/tasks_on_disk.h"

struct progress {
    const struct instance *in;
    struct err *err;
    int rc;
};

/* Half-made tasks go; of the others the record stays, so that the next runner tells how they ended. */
static bool clear_one(const struct record *found, void *arg)
{
    struct progress *p = arg;
    struct record rec = *found;
    bool is_half = rec.facts.state == WIRE_TASK_PREPARING || rec.facts.state == WIRE_TASK_DELETING;
    p->rc = is_half ? task_undo(p->in, &rec.facts.key, p->err) : task_release(p->in, &rec, p->err);
    if (p->rc == 0 && !is_half)
        p->rc = task_end_as_lost(p->in, &rec, "berth was taken down on this machine", p->err);
    return p->rc == 0;
}

int clear_instance(const struct instance *in, struct err *err)
{
    struct progress p = {.in = in, .err = err};
    char group[32];
    int rc = tasks_each(in, clear_one, &p, err);
    if (rc == 0)
        rc = p.rc;
    if (rc == 0)
        rc = net_clear(in, err);
    snprintf(group, sizeof(group), "/berth-%s", in->tag);
    if (rc == 0)
        rc = os_cgroup_remove(group, err);
    return rc == 0 ? tree_remove(AT_FDCWD, in->run, err) : rc;
}
