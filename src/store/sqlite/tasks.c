/*
 * The tasks of an attempt as one JSON text: a list with, for each task, the list of its values in
 * the order of the code below. Without keys because all finished attempts are kept.
 */
#include "store/sqlite/codec.h"

#include <string.h>
#include <yyjson.h>
#include "base/limits.h"
#include "base/str.h"

#define VALUES_PER_TASK 14

void tasks_encode(const struct task *tasks, uint32_t count, struct buf *out)
{
    struct js_writer w;
    js_w_init(&w, out);
    js_w_array(&w, NULL);
    for (uint32_t i = 0; i < count; i++) {
        const struct task *t = &tasks[i];
        js_w_array(&w, NULL);
        js_w_i64(&w, NULL, t->index);
        js_w_i64(&w, NULL, t->role);
        js_w_i64(&w, NULL, t->rank);
        js_w_str(&w, NULL, t->node);
        js_w_str(&w, NULL, t->address);
        js_w_i64(&w, NULL, t->gpu_count);
        js_w_array(&w, NULL);
        for (uint32_t g = 0; g < t->gpu_count && g < ARRAY_LEN(t->gpus); g++)
            js_w_i64(&w, NULL, t->gpus[g]);
        js_w_end_array(&w);
        js_w_i64(&w, NULL, t->exit_code);
        js_w_i64(&w, NULL, t->signal);
        js_w_i64(&w, NULL, t->running | t->ended << 1);
        js_w_i64(&w, NULL, t->out_of_memory | t->disk_full << 1);
        js_w_i64(&w, NULL, t->started_ms);
        js_w_i64(&w, NULL, t->ended_ms);
        js_w_u64(&w, NULL, t->log_bytes);
        js_w_end_array(&w);
    }
    js_w_end_array(&w);
}

static bool copy_text(char *dst, size_t size, yyjson_val *val)
{
    const char *s = yyjson_get_str(val);
    return s != NULL && str_copy(dst, size, s);
}

static bool decode_gpus(yyjson_val *list, struct task *t)
{
    if (!yyjson_is_arr(list) || yyjson_arr_size(list) > ARRAY_LEN(t->gpus))
        return false;
    size_t i, max;
    yyjson_val *val;
    yyjson_arr_foreach(list, i, max, val) t->gpus[i] = (uint16_t)yyjson_get_int(val);
    return true;
}

static bool decode_task(yyjson_val *list, struct task *t)
{
    if (!yyjson_is_arr(list) || yyjson_arr_size(list) != VALUES_PER_TASK)
        return false;
    yyjson_val *v[VALUES_PER_TASK];
    size_t i, max;
    yyjson_val *val;
    yyjson_arr_foreach(list, i, max, val) v[i] = val;
    t->index = (uint32_t)yyjson_get_int(v[0]);
    t->role = (uint32_t)yyjson_get_int(v[1]);
    t->rank = (uint32_t)yyjson_get_int(v[2]);
    t->gpu_count = (uint32_t)yyjson_get_int(v[5]);
    t->exit_code = yyjson_get_int(v[7]);
    t->signal = yyjson_get_int(v[8]);
    t->running = (yyjson_get_int(v[9]) & 1) != 0;
    t->ended = (yyjson_get_int(v[9]) & 2) != 0;
    t->out_of_memory = (yyjson_get_int(v[10]) & 1) != 0;
    t->disk_full = (yyjson_get_int(v[10]) & 2) != 0;
    t->started_ms = yyjson_get_sint(v[11]);
    t->ended_ms = yyjson_get_sint(v[12]);
    t->log_bytes = yyjson_get_uint(v[13]);
    return copy_text(t->node, sizeof(t->node), v[3]) &&
           copy_text(t->address, sizeof(t->address), v[4]) && decode_gpus(v[6], t);
}

static int decode_all(yyjson_val *root, struct arena *arena, struct task **ret, uint32_t *ret_count)
{
    size_t count = yyjson_arr_size(root);
    if (!yyjson_is_arr(root) || count > LIMIT_TASKS_PER_ATTEMPT)
        return -BERR_INVALID;
    struct task *tasks = arena_array(arena, count + 1, sizeof(*tasks));
    if (tasks == NULL)
        return -BERR_NOMEM;
    size_t i, max;
    yyjson_val *val;
    yyjson_arr_foreach(root, i, max, val) if (!decode_task(val, &tasks[i])) return -BERR_INVALID;
    *ret = tasks;
    *ret_count = (uint32_t)count;
    return 0;
}

int tasks_decode(const char *json, struct arena *arena, struct task **ret, uint32_t *ret_count)
{
    yyjson_read_err why;
    yyjson_doc *doc = yyjson_read_opts((char *)(uintptr_t)json, strlen(json), 0, NULL, &why);
    if (doc == NULL)
        return why.code == YYJSON_READ_ERROR_MEMORY_ALLOCATION ? -BERR_NOMEM : -BERR_INVALID;
    int rc = decode_all(yyjson_doc_get_root(doc), arena, ret, ret_count);
    yyjson_doc_free(doc);
    return rc;
}
