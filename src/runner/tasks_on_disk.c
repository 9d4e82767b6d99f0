#include "runner/tasks_on_disk.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define RECORD_BYTES (64 * 1024)

int tasks_each(const struct instance *in, task_visit_fn *fn, void *arg, struct err *err)
{
    int fd = openat(in->tasks_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (dir == NULL)
        return err_errno(err, errno, "cannot list the tasks");
    struct arena arena = ARENA(RECORD_BYTES);
    struct dirent *ent;
    bool go_on = true;
    while (go_on && (ent = readdir(dir)) != NULL) {
        struct record rec = {0};
        struct wire_key key;
        if (!wire_key_parse(ent->d_name, &key))
            continue;
        if (record_load(in, &key, &arena, &rec, NULL) != 0)
            rec = (struct record){.facts.key = key};
        go_on = fn(&rec, arg);
        arena_reset(&arena);
    }
    arena_done(&arena);
    closedir(dir);
    return 0;
}

struct question {
    uint64_t project;
    bool found;
};

static bool has_project(const struct record *rec, void *arg)
{
    struct question *q = arg;
    /* A task without a record was not made for certain; its project is unknown: count it. */
    q->found = rec->facts.project == q->project || rec->facts.project == 0;
    return !q->found;
}

bool tasks_on_disk(const struct instance *in, uint64_t project)
{
    struct question q = {.project = project};
    return tasks_each(in, has_project, &q, NULL) != 0 || q.found;
}
