/* The field tables of the runner's verbs: what wire/verbs.h declares, once for both sides. */
#include "base/limits.h"
#include "wire/tables.h"

#define F(type, member) offsetof(struct type, member)
#define REQ             JS_REQUIRED
#define OPT             (JS_OMIT_EMPTY | JS_NULLABLE)
#define BYTES_MAX       ((int64_t)1 << 50)
#define MS_MAX          ((int64_t)1 << 45)

const char *const wire_task_state_names[] = {
#define X(sym, name) name,
    WIRE_TASK_STATE_LIST(X)
#undef X
        NULL,
};
const char *const wire_failure_names[] = {
#define X(sym, name) name,
    WIRE_FAILURE_LIST(X)
#undef X
        NULL,
};
const char *const wire_event_names[] = {
#define X(sym, name) name,
    WIRE_EVENT_LIST(X)
#undef X
        NULL,
};

static const struct js_table wire_none_table = {.name = "None", .size = sizeof(struct wire_none)};

static const struct js_field hello_fields[] = {
    {"version", JS_U64, F(wire_hello, version), REQ},
    {"program", JS_LABEL, F(wire_hello, program), REQ},
};
static const struct js_table wire_hello_table = JS_TABLE("Hello", struct wire_hello, hello_fields);

static const struct js_field welcome_fields[] = {
    {"version", JS_U64, F(wire_welcome, version), REQ},
    {"tag", JS_STR, F(wire_welcome, tag), REQ},
    {"boot_id", JS_STR, F(wire_welcome, boot_id), REQ},
    {"seq", JS_U64, F(wire_welcome, seq), REQ},
};
static const struct js_table wire_welcome_table =
    JS_TABLE("Welcome", struct wire_welcome, welcome_fields);

static const struct js_field key_fields[] = {
    {"workload", JS_ID, F(wire_key, workload), REQ},
    {"number", JS_U64, F(wire_key, number), REQ, .min = 1, .max = UINT32_MAX},
    {"fence", JS_U64, F(wire_key, fence), REQ, .min = 1, .max = INT64_MAX},
    {"index", JS_U64, F(wire_key, index), REQ, .min = 0, .max = LIMIT_TASKS_PER_ATTEMPT - 1},
};
const struct js_table wire_key_table = JS_TABLE("Key", struct wire_key, key_fields);

static const struct js_field task_ref_fields[] = {
    {"key", JS_STRUCT, F(wire_task_ref, key), REQ, .sub = &wire_key_table},
};
static const struct js_table wire_task_ref_table =
    JS_TABLE("TaskRef", struct wire_task_ref, task_ref_fields);

static const struct js_field task_fields[] = {
    {"key", JS_STRUCT, F(wire_task, key), REQ, .sub = &wire_key_table},
    {"state", JS_ENUM, F(wire_task, state), REQ, .names = wire_task_state_names},
    {"project", JS_ID, F(wire_task, project), OPT},
    {"gang", JS_U64, F(wire_task, gang), OPT, .max = LIMIT_TASKS_PER_ATTEMPT},
    {"address", JS_STR, F(wire_task, address), OPT, .max = 48},
    {"frozen", JS_BOOL, F(wire_task, frozen), OPT},
    {"created_ms", JS_I64, F(wire_task, created_ms), OPT},
    {"started_ms", JS_I64, F(wire_task, started_ms), OPT},
    {"ended_ms", JS_I64, F(wire_task, ended_ms), OPT},
    {"exit_code", JS_I64, F(wire_task, exit_code), OPT},
    {"signal", JS_I64, F(wire_task, signal), OPT},
    {"out_of_memory", JS_BOOL, F(wire_task, out_of_memory), OPT},
    {"disk_full", JS_BOOL, F(wire_task, disk_full), OPT},
    {"failure", JS_ENUM, F(wire_task, failure), OPT, .names = wire_failure_names},
    {"text", JS_STR, F(wire_task, text), OPT, .max = ERR_TEXT_MAX},
    {"log_bytes", JS_U64, F(wire_task, log_bytes), OPT},
    {"log_cut", JS_BOOL, F(wire_task, log_cut), OPT},
};
const struct js_table wire_task_table = JS_TABLE("Task", struct wire_task, task_fields);

static const struct js_field list_fields[] = {
    {"after", JS_STR, F(wire_list, after), OPT, .max = WIRE_KEY_TEXT_SIZE},
};
static const struct js_table wire_list_table = JS_TABLE("List", struct wire_list, list_fields);

static const struct js_field page_fields[] = {
    {"tasks", JS_LIST, F(wire_page, tasks), REQ, .max = WIRE_LIST_PAGE, .sub = &wire_task_table},
    {"more", JS_BOOL, F(wire_page, more), REQ},
};
static const struct js_table wire_page_table = JS_TABLE("Page", struct wire_page, page_fields);

static const struct js_field gpu_fields[] = {
    {"index", JS_U64, F(wire_gpu, index), REQ, .max = LIMIT_GPUS_PER_NODE},
    {"uuid", JS_STR, F(wire_gpu, uuid), REQ},
    {"model", JS_STR, F(wire_gpu, model), REQ},
    {"bus_id", JS_STR, F(wire_gpu, bus_id), OPT},
    {"path", JS_STR, F(wire_gpu, path), OPT},
    {"memory_bytes", JS_U64, F(wire_gpu, memory_bytes), REQ},
    {"numa", JS_I64, F(wire_gpu, numa), REQ},
    {"link_group", JS_U64, F(wire_gpu, link_group), OPT},
    {"major", JS_U64, F(wire_gpu, major), REQ},
    {"minor", JS_U64, F(wire_gpu, minor), REQ},
    {"healthy", JS_BOOL, F(wire_gpu, healthy), REQ},
    {"why", JS_STR, F(wire_gpu, why), OPT},
    {"foreign", JS_STR, F(wire_gpu, foreign), OPT},
};
static const struct js_table wire_gpu_table = JS_TABLE("Gpu", struct wire_gpu, gpu_fields);

static const struct js_field inventory_fields[] = {
    {"hostname", JS_STR, F(wire_inventory, hostname), OPT},
    {"kernel", JS_STR, F(wire_inventory, kernel), OPT},
    {"os", JS_STR, F(wire_inventory, os), OPT},
    {"driver", JS_STR, F(wire_inventory, driver), OPT},
    {"cgroup", JS_STR, F(wire_inventory, cgroup), OPT},
    {"runtime", JS_STR, F(wire_inventory, runtime), OPT},
    {"cpu_milli", JS_I64, F(wire_inventory, cpu_milli), REQ},
    {"memory_bytes", JS_U64, F(wire_inventory, memory_bytes), REQ},
    {"disk_bytes", JS_U64, F(wire_inventory, disk_bytes), REQ},
    {"disk_free_bytes", JS_U64, F(wire_inventory, disk_free_bytes), REQ},
    {"gpus", JS_LIST, F(wire_inventory, gpus), .max = LIMIT_GPUS_PER_NODE, .sub = &wire_gpu_table},
};
static const struct js_table wire_inventory_table =
    JS_TABLE("Inventory", struct wire_inventory, inventory_fields);

static const struct js_field image_add_fields[] = {
    {"folder", JS_LABEL, F(wire_image_add, folder), REQ},
    {"layer", JS_STR, F(wire_image_add, layer), REQ},
};
static const struct js_table wire_image_add_table =
    JS_TABLE("ImageAdd", struct wire_image_add, image_add_fields);

static const struct js_field image_build_fields[] = {
    {"layer", JS_STR, F(wire_image_build, layer), REQ},
    {"suite", JS_LABEL, F(wire_image_build, suite), REQ},
    {"packages", JS_STRS, F(wire_image_build, packages), .max = 1000},
    {"pip", JS_STRS, F(wire_image_build, pip), .max = 1000},
};
static const struct js_table wire_image_build_table =
    JS_TABLE("ImageBuild", struct wire_image_build, image_build_fields);

static const struct js_field image_remove_fields[] = {
    {"layer", JS_STR, F(wire_image_remove, layer), REQ},
};
static const struct js_table wire_image_remove_table =
    JS_TABLE("ImageRemove", struct wire_image_remove, image_remove_fields);

static const struct js_field layer_fields[] = {
    {"digest", JS_STR, F(wire_layer, digest), REQ},
    {"size_bytes", JS_U64, F(wire_layer, size_bytes), REQ},
};
static const struct js_table wire_layer_table = JS_TABLE("Layer", struct wire_layer, layer_fields);

static const struct js_field volume_fields[] = {
    {"id", JS_ID, F(wire_volume, id), REQ},
    {"size_bytes", JS_U64, F(wire_volume, size_bytes), REQ, .min = 16 << 20, .max = BYTES_MAX},
};
static const struct js_table wire_volume_table =
    JS_TABLE("Volume", struct wire_volume, volume_fields);

static const struct js_field net_project_fields[] = {
    {"project", JS_ID, F(wire_net_project, project), REQ},
    {"want", JS_U64, F(wire_net_project, want), .max = WIRE_SLOTS - 1},
    {"internet", JS_BOOL, F(wire_net_project, internet)},
    {"remove", JS_BOOL, F(wire_net_project, remove), OPT},
};
static const struct js_table wire_net_project_table =
    JS_TABLE("NetProject", struct wire_net_project, net_project_fields);

static const struct js_field net_fields[] = {
    {"slot", JS_U64, F(wire_net, slot), REQ},
    {"network", JS_STR, F(wire_net, network), REQ},
    {"gateway", JS_STR, F(wire_net, gateway), REQ},
};
static const struct js_table wire_net_table = JS_TABLE("Net", struct wire_net, net_fields);

static const struct js_field mount_fields[] = {
    {"volume", JS_ID, F(wire_mount, volume), REQ},
    {"path", JS_STR, F(wire_mount, path), REQ, .min = 2, .max = 255},
    {"read_only", JS_BOOL, F(wire_mount, read_only), OPT},
};
static const struct js_table wire_mount_table = JS_TABLE("Mount", struct wire_mount, mount_fields);

static const struct js_field task_create_fields[] = {
    {"key", JS_STRUCT, F(wire_task_create, key), REQ, .sub = &wire_key_table},
    {"project", JS_ID, F(wire_task_create, project), REQ},
    {"gang", JS_U64, F(wire_task_create, gang), OPT, .max = LIMIT_TASKS_PER_ATTEMPT},
    {"user_name", JS_LABEL, F(wire_task_create, user_name), REQ},
    {"hostname", JS_LABEL, F(wire_task_create, hostname), REQ},
    {"layers", JS_STRS, F(wire_task_create, layers), REQ, .min = 1, .max = 64},
    {"command", JS_STRS, F(wire_task_create, command), REQ, .min = 1, .max = LIMIT_COMMAND_ARGS},
    {"env", JS_PAIRS, F(wire_task_create, env), .max = LIMIT_ENV_VARS},
    {"workdir", JS_STR, F(wire_task_create, workdir), OPT, .max = 255},
    {"code", JS_STR, F(wire_task_create, code), OPT},
    {"volumes", JS_LIST, F(wire_task_create, volumes), .max = LIMIT_VOLUMES_PER_WORKLOAD,
     .sub = &wire_mount_table},
    {"gpus", JS_STRS, F(wire_task_create, gpus), .max = LIMIT_GPUS_PER_NODE},
    {"cpu_milli", JS_I64, F(wire_task_create, cpu_milli), REQ, .min = 10, .max = 4096000},
    {"memory_bytes", JS_U64, F(wire_task_create, memory_bytes), REQ, .min = 8 << 20,
     .max = BYTES_MAX},
    {"disk_bytes", JS_U64, F(wire_task_create, disk_bytes), REQ, .min = 16 << 20, .max = BYTES_MAX},
    {"shm_bytes", JS_U64, F(wire_task_create, shm_bytes), .max = BYTES_MAX},
    {"pids", JS_U64, F(wire_task_create, pids), .max = 1 << 22},
    {"address", JS_STR, F(wire_task_create, address), OPT},
    {"hosts", JS_PAIRS, F(wire_task_create, hosts), .max = WIRE_SLOT_ADDRESSES},
    {"log_max_bytes", JS_U64, F(wire_task_create, log_max_bytes), REQ, .min = 4096,
     .max = BYTES_MAX},
};
const struct js_table wire_task_create_table =
    JS_TABLE("TaskCreate", struct wire_task_create, task_create_fields);

static const struct js_field task_signal_fields[] = {
    {"key", JS_STRUCT, F(wire_task_signal, key), REQ, .sub = &wire_key_table},
    {"signal", JS_U64, F(wire_task_signal, signal), REQ, .min = 1, .max = 64},
};
static const struct js_table wire_task_signal_table =
    JS_TABLE("TaskSignal", struct wire_task_signal, task_signal_fields);

static const struct js_field exec_fields[] = {
    {"key", JS_STRUCT, F(wire_exec, key), REQ, .sub = &wire_key_table},
    {"command", JS_STRS, F(wire_exec, command), REQ, .min = 1, .max = LIMIT_COMMAND_ARGS},
    {"env", JS_PAIRS, F(wire_exec, env), .max = LIMIT_ENV_VARS},
    {"workdir", JS_STR, F(wire_exec, workdir), OPT, .max = 255},
    {"as_root", JS_BOOL, F(wire_exec, as_root), OPT},
    {"timeout_ms", JS_I64, F(wire_exec, timeout_ms), REQ, .min = 1, .max = 600000},
};
static const struct js_table wire_exec_table = JS_TABLE("Exec", struct wire_exec, exec_fields);

static const struct js_field exec_result_fields[] = {
    {"exit_code", JS_I64, F(wire_exec_result, exit_code), REQ},
    {"output", JS_STR, F(wire_exec_result, output), .max = 4 * WIRE_EXEC_OUTPUT_BYTES},
    {"output_cut", JS_BOOL, F(wire_exec_result, output_cut), OPT},
};
static const struct js_table wire_exec_result_table =
    JS_TABLE("ExecResult", struct wire_exec_result, exec_result_fields);

static const struct js_field stat_fields[] = {
    {"cpu_ms", JS_I64, F(wire_stat, cpu_ms), REQ},
    {"memory_bytes", JS_U64, F(wire_stat, memory_bytes), REQ},
    {"memory_peak_bytes", JS_U64, F(wire_stat, memory_peak_bytes), REQ},
    {"disk_bytes", JS_U64, F(wire_stat, disk_bytes), REQ},
    {"processes", JS_U64, F(wire_stat, processes), REQ},
};
static const struct js_table wire_stat_table = JS_TABLE("Stat", struct wire_stat, stat_fields);

static const struct js_field log_remove_fields[] = {
    {"workload", JS_ID, F(wire_log_remove, workload), REQ},
    {"number", JS_U64, F(wire_log_remove, number), REQ, .min = 1, .max = UINT32_MAX},
};
static const struct js_table wire_log_remove_table =
    JS_TABLE("LogRemove", struct wire_log_remove, log_remove_fields);

static const struct js_field event_fields[] = {
    {"event", JS_ENUM, F(wire_event, kind), REQ, .names = wire_event_names},
    {"seq", JS_U64, F(wire_event, seq), REQ},
    {"request", JS_U64, F(wire_event, request), OPT},
    {"text", JS_STR, F(wire_event, text), OPT, .max = ERR_TEXT_MAX},
    {"task", JS_PTR, F(wire_event, task), OPT, .sub = &wire_task_table},
};
const struct js_table wire_event_table = JS_TABLE("Event", struct wire_event, event_fields);

const struct wire_verb_info wire_verbs[WIRE_VERB_COUNT] = {
#define X(sym, name, request, reply) {name, &request##_table, &reply##_table},
    WIRE_VERB_LIST(X)
#undef X
};
