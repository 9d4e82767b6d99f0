/* The job file as a field table, its defaults, and copies of it. */
#include "types/spec.h"

#include <string.h>
#include "base/limits.h"
#include "types/spec_custom.h"

#define GIB     (1ull << 30)
#define MIB     (1ull << 20)
#define YEAR_MS (365ll * 24 * 3600 * 1000)

/* ---- roles ---- */

#define ROLE_DEFAULTS                                                             \
    {                                                                             \
        .replicas = 1, .replicas_max = 1, .cpu_milli = 1000, .memory_bytes = GIB, \
        .disk_bytes = 10 * GIB, .shm_bytes = 64 * MIB                             \
    }

static void role_defaults(void *dst)
{
    *(struct role_spec *)dst = (struct role_spec)ROLE_DEFAULTS;
}

static const struct js_field role_fields[] = {
    {"replicas", JS_CUSTOM, offsetof(struct role_spec, replicas), .decode = spec_get_replicas,
     .encode = spec_put_replicas, .schema = SPEC_REPLICAS_SCHEMA,
     .doc = "tasks of this role, or a range for a role that may grow", .example = "4"},
    {"cpu", JS_CPU, offsetof(struct role_spec, cpu_milli), .min = 1, .max = 4096000,
     .doc = "CPUs of each task", .example = "4"},
    {"memory", JS_CUSTOM, offsetof(struct role_spec, memory_bytes), .min = 1 << 20,
     .max = 1ll << 50, .decode = spec_get_size, .encode = spec_put_size, .schema = SPEC_SIZE_SCHEMA,
     .doc = "memory of each task; more is out of memory", .example = "\"16G\""},
    {"gpu", JS_CUSTOM, offsetof(struct role_spec, gpu), .sub = &spec_gpu_table,
     .decode = spec_get_gpu, .encode = spec_put_gpu, .schema = SPEC_GPU_SCHEMA,
     .doc = "GPUs of each task: 1, 0.5, \"A100:1\" or {model, count, memory}", .example = "1"},
    {"disk", JS_CUSTOM, offsetof(struct role_spec, disk_bytes), .min = 1 << 20, .max = 1ll << 50,
     .decode = spec_get_size, .encode = spec_put_size, .schema = SPEC_SIZE_SCHEMA,
     .doc = "writable root and /scratch of each task", .example = "\"10G\""},
    {"shm", JS_CUSTOM, offsetof(struct role_spec, shm_bytes), .max = 1ll << 50,
     .decode = spec_get_size, .encode = spec_put_size, .schema = SPEC_SIZE_SCHEMA,
     .doc = "/dev/shm of each task; counts as memory", .example = "\"64M\""},
    {"command", JS_STRS, offsetof(struct role_spec, command), .flags = JS_OMIT_EMPTY,
     .max = LIMIT_COMMAND_ARGS, .doc = "instead of the workload's"},
    {"env", JS_PAIRS, offsetof(struct role_spec, env), .flags = JS_OMIT_EMPTY,
     .max = LIMIT_ENV_VARS, .doc = "on top of the workload's"},
};
const struct js_table role_table = {.name = "Role",
                                    .size = sizeof(struct role_spec),
                                    .fields = role_fields,
                                    .count = ARRAY_LEN(role_fields),
                                    .defaults = role_defaults};

/* ---- the rest ---- */

static void retry_defaults(void *dst)
{
    *(struct retry_spec *)dst = (struct retry_spec){.max = 2};
}

static const struct js_field retry_fields[] = {
    {"max", JS_I64, offsetof(struct retry_spec, max), .max = LIMIT_RETRY_MAX,
     .doc = "tries after the first"},
    {"on", JS_STRS, offsetof(struct retry_spec, on), .flags = JS_OMIT_EMPTY, .max = 64,
     .doc = "beside lost nodes and failing engines, which are always tried again: node preempted "
            "image engine start failed oom exit:N signal:N",
     .example = "[\"exit:75\"]"},
};
static const struct js_table retry_table = {.name = "Retry",
                                            .size = sizeof(struct retry_spec),
                                            .fields = retry_fields,
                                            .count = ARRAY_LEN(retry_fields),
                                            .defaults = retry_defaults};

static const struct js_field placement_fields[] = {
    {"together", JS_CUSTOM, offsetof(struct placement_spec, together), .sub = &spec_together_table,
     .decode = spec_get_together, .encode = spec_put_together, .schema = SPEC_TOGETHER_SCHEMA,
     .doc = "what all tasks should share", .example = "\"host\""},
    {"apart", JS_STRS, offsetof(struct placement_spec, apart), .flags = JS_OMIT_EMPTY,
     .max = LIMIT_ROLES, .doc = "roles whose tasks go to different nodes", .example = "[\"ps\"]"},
    {"node", JS_STR, offsetof(struct placement_spec, node), .flags = JS_OMIT_EMPTY, .min = 1,
     .max = LIMIT_NAME, .doc = "only on this node"},
    {"pool", JS_LABEL, offsetof(struct placement_spec, pool), .flags = JS_OMIT_EMPTY,
     .doc = "only on nodes of this pool"},
    {"site", JS_LABEL, offsetof(struct placement_spec, site), .flags = JS_OMIT_EMPTY,
     .doc = "only at this site"},
};
static const struct js_table placement_table =
    JS_TABLE("Placement", struct placement_spec, placement_fields);

#define AT(member) offsetof(struct workload_spec, member)

static const struct js_field spec_fields[] = {
    {"kind", JS_ENUM, AT(kind), .names = workload_kind_names, .doc = "what it is"},
    {"name", JS_LABEL, AT(name), .flags = JS_OMIT_EMPTY, .doc = "made from kind and id when absent",
     .example = "\"digits\""},
    {"project", JS_LABEL, AT(project), .flags = JS_OMIT_EMPTY,
     .doc = "the user's default project when absent"},
    {"queue", JS_LABEL, AT(queue), .flags = JS_OMIT_EMPTY, .doc = "where it waits"},
    {"framework", JS_LABEL, AT(framework), .flags = JS_OMIT_EMPTY,
     .doc = "adds roles, ports, discovery and the rule for its end", .example = "\"pytorch\""},
    {"image", JS_STR, AT(image), .flags = JS_OMIT_EMPTY, .min = 1, .max = 192,
     .doc = "name or name:tag", .example = "\"ml:2026-11\""},
    {"roles", JS_OBJECTS, AT(roles), .min = 1, .max = LIMIT_ROLES, .sub = &role_table,
     .doc = "by name; absent: one worker"},
    {"command", JS_STRS, AT(command), .flags = JS_OMIT_EMPTY, .max = LIMIT_COMMAND_ARGS,
     .doc = "program and arguments; no shell in between", .example = "[\"python3\",\"train.py\"]"},
    {"code", JS_STR, AT(code), .flags = JS_OMIT_EMPTY, .min = 1, .max = LIMIT_TEXT,
     .doc = "a directory, git+https://…@ref or an archive; once shipped, its digest"},
    {"workdir", JS_STR, AT(workdir), .flags = JS_OMIT_EMPTY, .min = 1, .max = 255,
     .doc = "absent: /code for jobs with code, else home"},
    {"volumes", JS_STRS, AT(volumes), .flags = JS_OMIT_EMPTY, .max = LIMIT_VOLUMES_PER_WORKLOAD,
     .doc = "NAME, NAME:PATH or NAME:PATH:ro", .example = "[\"home\",\"corpus:/data:ro\"]"},
    {"inputs", JS_PAIRS, AT(inputs), .flags = JS_OMIT_EMPTY, .max = 64, .doc = "name: URI"},
    {"outputs", JS_PAIRS, AT(outputs), .flags = JS_OMIT_EMPTY, .max = 64, .doc = "name: URI"},
    {"env", JS_PAIRS, AT(env), .flags = JS_OMIT_EMPTY, .max = LIMIT_ENV_VARS,
     .doc = "variables of all tasks", .example = "{\"LR\":\"0.1\"}"},
    {"time_limit", JS_DURATION, AT(time_limit_ms), .flags = JS_OMIT_EMPTY, .min = 1000,
     .max = 10 * YEAR_MS, .doc = "from running on; absent: the project's default",
     .example = "\"4h\""},
    {"grace", JS_DURATION, AT(grace_ms), .max = 3600 * 1000, .doc = "between SIGTERM and SIGKILL",
     .example = "\"30s\""},
    {"priority", JS_CUSTOM, AT(priority), .decode = spec_get_priority, .encode = spec_put_priority,
     .schema = SPEC_PRIORITY_SCHEMA, .doc = "within its queue", .example = "\"normal\""},
    {"retry", JS_STRUCT, AT(retry), .sub = &retry_table, .doc = "when an attempt fails"},
    {"placement", JS_STRUCT, AT(placement), .sub = &placement_table, .doc = "where it may run"},
    {"stop_when", JS_LABEL, AT(stop_when), .flags = JS_OMIT_EMPTY,
     .doc = "it ends when every task of this role has ended; absent: of all roles"},
    {"preemptible", JS_BOOL, AT(preemptible), .flags = JS_OMIT_EMPTY,
     .doc = "may be stopped and tried again when others need the room"},
    {"app", JS_ENUM, AT(app), .flags = JS_OMIT_EMPTY, .names = notebook_app_names,
     .doc = "of a notebook: lab or classic"},
};

static const char *default_role_keys[] = {"worker"};
static struct role_spec default_roles[] = {ROLE_DEFAULTS}; /* never written: copies replace it */

void spec_defaults(struct workload_spec *spec)
{
    *spec = (struct workload_spec){
        .roles = {.keys = default_role_keys, .items = default_roles, .len = 1},
        .grace_ms = 30 * 1000,
    };
    retry_defaults(&spec->retry);
}

static void table_defaults(void *dst)
{
    spec_defaults(dst);
}

const struct js_table spec_table = {.name = "Workload",
                                    .size = sizeof(struct workload_spec),
                                    .fields = spec_fields,
                                    .count = ARRAY_LEN(spec_fields),
                                    .defaults = table_defaults};

int64_t spec_task_count(const struct workload_spec *spec)
{
    int64_t count = 0;
    for (size_t i = 0; i < spec->roles.len; i++)
        count += spec_role(spec, i, NULL)->replicas;
    return count;
}

const struct role_spec *spec_role(const struct workload_spec *spec, size_t index,
                                  const char **ret_name)
{
    check(index < spec->roles.len);
    if (ret_name != NULL)
        *ret_name = spec->roles.keys[index];
    return (const struct role_spec *)spec->roles.items + index;
}

/* ---- copies ---- */

/* Copies what a field points to; false when memory is short. NULL stays NULL. */
static bool copy_text(struct arena *arena, const char **text)
{
    if (*text == NULL)
        return true;
    *text = arena_strdup(arena, *text);
    return *text != NULL;
}

static bool copy_strs(struct arena *arena, struct js_strs *strs)
{
    if (strs->len == 0) {
        strs->items = NULL;
        return true;
    }
    strs->items = arena_copy(arena, strs->items, strs->len * sizeof(*strs->items));
    bool is_done = strs->items != NULL;
    for (size_t i = 0; is_done && i < strs->len; i++)
        is_done = copy_text(arena, &strs->items[i]);
    return is_done;
}

static bool copy_pairs(struct arena *arena, struct js_pairs *pairs)
{
    if (pairs->len == 0) {
        pairs->items = NULL;
        return true;
    }
    pairs->items = arena_copy(arena, pairs->items, pairs->len * sizeof(*pairs->items));
    bool is_done = pairs->items != NULL;
    for (size_t i = 0; is_done && i < pairs->len; i++)
        is_done =
            copy_text(arena, &pairs->items[i].key) && copy_text(arena, &pairs->items[i].value);
    return is_done;
}

static bool copy_roles(struct arena *arena, struct js_objects *roles)
{
    size_t len = roles->len;
    if (len == 0) {
        *roles = (struct js_objects){0};
        return true;
    }
    roles->keys = arena_copy(arena, roles->keys, len * sizeof(*roles->keys));
    roles->items = arena_copy(arena, roles->items, len * sizeof(struct role_spec));
    bool is_done = roles->keys != NULL && roles->items != NULL;
    for (size_t i = 0; is_done && i < len; i++) {
        struct role_spec *role = (struct role_spec *)roles->items + i;
        is_done = copy_text(arena, &roles->keys[i]) && copy_text(arena, &role->gpu.model) &&
                  copy_strs(arena, &role->command) && copy_pairs(arena, &role->env);
    }
    return is_done;
}

struct workload_spec *spec_copy(const struct workload_spec *spec, struct arena *arena)
{
    struct workload_spec *copy = arena_copy(arena, spec, sizeof(*spec));
    if (copy == NULL)
        return NULL;
    const char **texts[] = {
        &copy->name,           &copy->project,        &copy->queue,     &copy->framework,
        &copy->image,          &copy->code,           &copy->workdir,   &copy->placement.node,
        &copy->placement.pool, &copy->placement.site, &copy->stop_when,
    };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        if (!copy_text(arena, texts[i]))
            return NULL;
    }
    bool is_done = copy_roles(arena, &copy->roles) && copy_strs(arena, &copy->command) &&
                   copy_strs(arena, &copy->volumes) && copy_pairs(arena, &copy->inputs) &&
                   copy_pairs(arena, &copy->outputs) && copy_pairs(arena, &copy->env) &&
                   copy_strs(arena, &copy->retry.on) && copy_strs(arena, &copy->placement.apart);
    return is_done ? copy : NULL;
}
