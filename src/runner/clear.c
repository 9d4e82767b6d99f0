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

/* A running task ends with the instance, so it is deleted like any other. */
static bool remove_one(const struct record *rec, void *arg)
{
    struct progress *p = arg;
    p->rc = task_undo(p->in, &rec->facts.key, p->err);
    return p->rc == 0;
}

int clear_instance(const struct instance *in, struct err *err)
{
    struct progress p = {.in = in, .err = err};
    char group[32];
    int rc = tasks_each(in, remove_one, &p, err);
    if (rc == 0)
        rc = p.rc;
    if (rc == 0)
        rc = net_clear(in, err);
    snprintf(group, sizeof(group), "/berth-%s", in->tag);
    if (rc == 0)
        rc = os_cgroup_remove(group, err);
    return rc == 0 ? tree_remove(AT_FDCWD, in->run, err) : rc;
}
