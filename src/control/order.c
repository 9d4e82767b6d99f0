/*
 * order: what an engine needs to know to start an attempt, made from the workload's durable facts.
 */
#include "control/state.h"
#include <stdio.h>
#include <string.h>
#include "base/str.h"

#define ORDER_ARENA_BYTES (8u << 20)

struct env_list {
    struct js_pair *items;
    size_t len, cap;
    struct arena *arena;
    bool failed;
};

/* Sets a variable; the later value wins, as when a role adds to the workload's own. */
static void env_put(struct env_list *env, const char *key, const char *value)
{
    for (size_t i = 0; i < env->len; i++)
        if (str_is_equal(env->items[i].key, key)) {
            env->items[i].value = value;
            return;
        }
    if (env->len == env->cap || !value) {
        env->failed = true;
        return;
    }
    env->items[env->len++] = (struct js_pair){.key = key, .value = value};
}

static void env_putf(struct env_list *env, const char *key, const char *fmt, ...) PRINTF_LIKE(3, 4);

static void env_putf(struct env_list *env, const char *key, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    env_put(env, key, arena_vprintf(env->arena, fmt, ap));
    va_end(ap);
}

static const char *all_hosts(const struct item *it, struct arena *arena)
{
    struct buf out = BUF(1u << 20);
    const struct attempt *a = it->w.attempt;
    for (uint32_t i = 0; i < a->task_count; i++) {
        const char *role = NULL;
        spec_role(it->w.spec, a->tasks[i].role, &role);
        buf_printf(&out, "%s%s-%u", i ? "," : "", role, a->tasks[i].rank);
    }
    const char *copy = buf_is_failed(&out) ? NULL : arena_strdup(arena, buf_str(&out));
    buf_done(&out);
    return copy;
}

/* berth's own variables come last, so that nobody can pretend another identity. */
static int task_env(const struct item *it, const struct task *task, const char *hosts,
                    const char *project, const char *user, struct arena *arena,
                    struct js_pairs *ret)
{
    const struct workload_spec *spec = it->w.spec;
    const char *role_name = NULL;
    const struct role_spec *role = spec_role(spec, task->role, &role_name);
    struct env_list env = {.arena = arena, .cap = spec->env.len + role->env.len + 32};
    char id[ID_TEXT_SIZE];
    env.items = arena_array(arena, env.cap, sizeof(*env.items));
    if (!env.items)
        return -BERR_NOMEM;
    for (size_t i = 0; i < spec->env.len; i++)
        env_put(&env, spec->env.items[i].key, spec->env.items[i].value);
    for (size_t i = 0; i < role->env.len; i++)
        env_put(&env, role->env.items[i].key, role->env.items[i].value);
    env_putf(&env, "HOME", "/home/%s", user);
    env_putf(&env, "USER", "%s", user);
    env_putf(&env, "LOGNAME", "%s", user);
    env_putf(&env, "BERTH_PROJECT", "%s", project);
    env_putf(&env, "BERTH_USER", "%s", user);
    env_putf(&env, "BERTH_WORKLOAD", "%s", id_format(id, it->w.id.v));
    env_putf(&env, "BERTH_NAME", "%s", spec->name);
    env_putf(&env, "BERTH_ATTEMPT", "%u", it->w.attempt->key.number);
    env_putf(&env, "BERTH_ROLE", "%s", role_name);
    env_putf(&env, "BERTH_RANK", "%u", task->rank);
    env_putf(&env, "BERTH_WORLD_SIZE", "%lld", (long long)role->replicas);
    env_putf(&env, "BERTH_TASK", "%u", task->index);
    env_putf(&env, "BERTH_TASKS", "%u", it->w.attempt->task_count);
    env_put(&env, "BERTH_HOSTS", hosts);
    env_putf(&env, "SLURM_JOB_ID", "%s", id_format(id, it->w.id.v));
    env_putf(&env, "SLURM_JOB_NAME", "%s", spec->name);
    env_putf(&env, "SLURM_PROCID", "%u", task->index);
    env_putf(&env, "SLURM_NTASKS", "%u", it->w.attempt->task_count);
    env_put(&env, "SLURM_NODELIST", hosts);
    if (it->w.secret[0])
        env_putf(&env, "JUPYTER_TOKEN", "%s", it->w.secret);
    ret->items = env.items;
    ret->len = env.len;
    return env.failed ? -BERR_NOMEM : 0;
}

static int make_tasks(struct item *it, const char *project, const char *user, struct arena *arena,
                      struct engine_start *order)
{
    const struct attempt *a = it->w.attempt;
    struct engine_task *tasks = arena_array(arena, a->task_count, sizeof(*tasks));
    const char *hosts = all_hosts(it, arena);
    if (!tasks || !hosts)
        return -BERR_NOMEM;
    for (uint32_t i = 0; i < a->task_count; i++) {
        const struct task *task = &a->tasks[i];
        const char *role_name = NULL;
        const struct role_spec *role = spec_role(it->w.spec, task->role, &role_name);
        tasks[i] = (struct engine_task){
            .index = i,
            .rank = task->rank,
            .role = role_name,
            .node = task->node,
            .gpu_count = task->gpu_count,
            .gpus = task->gpus,
            .cpu_milli = role->cpu_milli,
            .memory_bytes = role->memory_bytes,
            .disk_bytes = role->disk_bytes,
            .shm_bytes = role->shm_bytes,
            .command = role->command.len ? role->command : it->w.spec->command,
            .hostname = arena_printf(arena, "%s-%u", role_name, task->rank),
        };
        if (!tasks[i].hostname ||
            task_env(it, task, hosts, project, user, arena, &tasks[i].env) < 0)
            return -BERR_NOMEM;
    }
    order->tasks = tasks;
    order->task_count = a->task_count;
    return 0;
}

/* The user's home, in every task of theirs. */
static int make_volumes(struct control *c, const struct item *it, const char *user,
                        struct arena *arena, struct engine_start *order)
{
    const struct volume_row *home = map_get_u64(&c->homes, it->w.owner.v);
    if (!home)
        return 0;
    struct engine_volume *v = arena_alloc(arena, sizeof(*v));
    if (!v)
        return -BERR_NOMEM;
    *v = (struct engine_volume){
        .id = home->id,
        .size_bytes = home->size_bytes,
        .path = arena_printf(arena, "/home/%s", user),
    };
    if (!v->path)
        return -BERR_NOMEM;
    order->volumes = v;
    order->volume_count = 1;
    return 0;
}

int order_start(struct control *c, struct item *it, struct site *s, struct err *err)
{
    struct arena arena = ARENA(ORDER_ARENA_BYTES);
    const struct user *user = auth_find_user(c->cfg.auth, it->w.owner);
    const struct project *project = map_get_u64(&c->projects, it->w.project.v);
    if (!user || !project)
        return err_set(err, BERR_INVALID, "its owner or project is no longer there");
    const struct image *image = c->cfg.hooks.image_find(c->cfg.hooks.arg, it->w.spec->image, err);
    if (!image || image->state != IMAGE_READY)
        return err_set(err, BERR_UNAVAILABLE, "image %s is not ready", it->w.spec->image);
    if (!it->image_id.v) {
        it->image_id = image->id;
        c->cfg.hooks.image_use(c->cfg.hooks.arg, image->id, it->w.id, true);
    }
    char home[80];
    snprintf(home, sizeof(home), "/home/%s", user->name);
    struct engine_start order = {
        .key = it->w.attempt->key,
        .kind = it->w.spec->kind,
        .project = it->w.project,
        .project_name = project->name,
        .subnet = project->subnet,
        .internet = project->internet,
        .user_name = user->name,
        .image = image,
        .code_digest = it->w.spec->code,
        .workdir = it->w.spec->workdir ? it->w.spec->workdir
                   : it->w.spec->code  ? "/code"
                                       : home,
        .log_max_bytes = c->cfg.log_max_bytes,
    };
    int rc = make_tasks(it, project->name, user->name, &arena, &order);
    if (rc == 0)
        rc = make_volumes(c, it, user->name, &arena, &order);
    rc = rc < 0 ? err_set(err, BERR_NOMEM, "out of memory while making a start order")
                : s->ops->start(s->engine, &order, err);
    arena_done(&arena);
    return rc;
}
