/* What a pretended task does, from the FAKE_ variables of its environment. */
#include "engine/fake/world.h"

#include <stdio.h>
#include <string.h>
#include "base/str.h"

/* The value for this attempt: NAME_N goes before NAME. NULL: not set. */
static const char *script_value(const struct engine_start *order, const struct engine_task *task,
                                const char *name)
{
    char own[64];
    const char *found = NULL;
    snprintf(own, sizeof(own), "%s_%u", name, order->key.number);
    for (size_t i = 0; i < task->env.len; i++) {
        const struct js_pair *pair = &task->env.items[i];
        if (str_is_equal(pair->key, own))
            return pair->value;
        if (str_is_equal(pair->key, name))
            found = pair->value;
    }
    return found;
}

static int script_number(const struct engine_start *order, const struct engine_task *task,
                         const char *name, int64_t *value, struct err *err)
{
    const char *text = script_value(order, task, name);
    int64_t parsed;
    if (text == NULL)
        return 0;
    if (!str_parse_i64(text, &parsed) || parsed < 0 || parsed > INT64_MAX / 4)
        return err_set(err, BERR_INVALID, "%s must be a number, not \"%s\"", name, text);
    *value = parsed;
    return 0;
}

static int script_int(const struct engine_start *order, const struct engine_task *task,
                      const char *name, int *value, struct err *err)
{
    int64_t wide = *value;
    int rc = script_number(order, task, name, &wide, err);
    if (rc == 0 && wide > 255)
        rc = err_set(err, BERR_INVALID, "%s must be at most 255", name);
    if (rc == 0)
        *value = (int)wide;
    return rc;
}

static void script_text(const struct engine_start *order, const struct engine_task *task,
                        const char *name, char *dst, size_t size)
{
    const char *text = script_value(order, task, name);
    if (text != NULL)
        str_copy(dst, size, text);
}

static bool script_flag(const struct engine_start *order, const struct engine_task *task,
                        const char *name)
{
    const char *text = script_value(order, task, name);
    return text != NULL && !str_is_equal(text, "0");
}

static int script_run(const struct engine_start *order, const struct engine_task *task,
                      struct fake_script *s, struct err *err)
{
    s->run_ms = order->kind == KIND_NOTEBOOK ? FAKE_FOREVER : 1000;
    if (str_is_equal(script_value(order, task, "FAKE_RUN_MS"), "forever")) {
        s->run_ms = FAKE_FOREVER;
        return 0;
    }
    return script_number(order, task, "FAKE_RUN_MS", &s->run_ms, err);
}

/* How it ends, unless another rank of its role is meant. */
static int script_end(const struct engine_start *order, const struct engine_task *task,
                      struct fake_script *s, struct err *err)
{
    int64_t rank = task->rank;
    int rc = script_number(order, task, "FAKE_RANK", &rank, err);
    if (rc != 0 || rank != task->rank)
        return rc;
    s->out_of_memory = script_flag(order, task, "FAKE_OOM");
    s->disk_full = script_flag(order, task, "FAKE_DISK_FULL");
    if (s->disk_full)
        s->exit_code = 1;
    if (s->out_of_memory)
        s->signal = 9;
    rc = script_int(order, task, "FAKE_EXIT", &s->exit_code, err);
    return rc != 0 ? rc : script_int(order, task, "FAKE_SIGNAL", &s->signal, err);
}

int fake_script_read(const struct engine_start *order, const struct engine_task *task,
                     struct fake_script *ret, struct err *err)
{
    struct fake_script s = {.prepare_ms = 10, .start_ms = 10, .term_ms = 10, .term_exit = -1};
    int rc;
    if ((rc = script_number(order, task, "FAKE_PREPARE_MS", &s.prepare_ms, err)) != 0 ||
        (rc = script_number(order, task, "FAKE_START_MS", &s.start_ms, err)) != 0 ||
        (rc = script_number(order, task, "FAKE_TERM_MS", &s.term_ms, err)) != 0 ||
        (rc = script_number(order, task, "FAKE_LOG_LINES", &s.log_lines, err)) != 0 ||
        (rc = script_int(order, task, "FAKE_TERM_EXIT", &s.term_exit, err)) != 0 ||
        (rc = script_run(order, task, &s, err)) != 0 ||
        (rc = script_end(order, task, &s, err)) != 0)
        return rc;
    s.ignore_term = script_flag(order, task, "FAKE_IGNORE_TERM");
    script_text(order, task, "FAKE_IMAGE_ERROR", s.image_error, sizeof(s.image_error));
    script_text(order, task, "FAKE_START_ERROR", s.start_error, sizeof(s.start_error));
    script_text(order, task, "FAKE_ENGINE_ERROR", s.engine_error, sizeof(s.engine_error));
    script_text(order, task, "FAKE_ADDRESS", s.address, sizeof(s.address));
    script_text(order, task, "FAKE_LOG", s.log, sizeof(s.log));
    if (s.log[0] == '\0')
        snprintf(s.log, sizeof(s.log), "hello from %s-%u", task->role, task->rank);
    const char *hang = script_value(order, task, "FAKE_HANG");
    if (str_is_equal(hang, "prepare"))
        s.hang = HANG_PREPARE;
    else if (str_is_equal(hang, "start"))
        s.hang = HANG_START;
    else if (hang != NULL)
        return err_set(err, BERR_INVALID, "FAKE_HANG must be prepare or start, not \"%s\"", hang);
    *ret = s;
    return 0;
}
