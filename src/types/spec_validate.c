/* What a table cannot check: things that hang together, and the syntax inside texts. */
#include "types/spec.h"

#include <stdio.h>
#include <string.h>
#include "base/limits.h"
#include "base/str.h"

struct checker {
    const struct js_doc *doc;
    struct err *err;
};

/* The value a path like "roles.worker.env" or "volumes[1]" names; NULL when the user left it out. */
static yyjson_val *find(const struct js_doc *doc, const char *path)
{
    yyjson_val *val = doc == NULL ? NULL : js_root(doc);
    while (val != NULL && *path != '\0') {
        if (*path == '[') {
            size_t index = 0;
            for (path++; *path >= '0' && *path <= '9'; path++)
                index = index * 10 + (size_t)(*path - '0');
            val = yyjson_arr_get(val, index);
            path++; /* ] */
        } else {
            size_t len = strcspn(path, ".[");
            val = yyjson_obj_getn(val, path, len);
            path += len;
        }
        path += *path == '.' ? 1 : 0;
    }
    return val;
}

static int fail(const struct checker *c, const char *path, const char *fmt, ...) PRINTF_LIKE(3, 4);

static int fail(const struct checker *c, const char *path, const char *fmt, ...)
{
    char text[ERR_TEXT_MAX];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    return js_fail(c->doc, find(c->doc, path), path, c->err, "%s", text);
}

/* ---- texts ---- */

static int check_image(const struct checker *c, const char *image)
{
    char name[LIMIT_NAME + 1];
    if (image == NULL)
        return 0;
    const char *colon = strchr(image, ':');
    size_t len = colon == NULL ? strlen(image) : (size_t)(colon - image);
    bool is_valid = len <= LIMIT_NAME;
    if (is_valid) {
        memcpy(name, image, len);
        name[len] = '\0';
        is_valid = str_is_label(name) && (colon == NULL || str_is_tag(colon + 1));
    }
    if (is_valid)
        return 0;
    fail(c, "image", "expected an image as NAME or NAME:TAG, found \"%.80s\"", image);
    return err_hint(c->err, "`berth image ls` shows the images; `berth image pull` brings others");
}

static bool is_env_name(const char *s)
{
    for (size_t i = 0; s[i] != '\0'; i++) {
        char ch = s[i];
        bool is_letter = (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || ch == '_';
        if (!is_letter && !(i > 0 && ch >= '0' && ch <= '9'))
            return false;
    }
    return s[0] != '\0';
}

static int check_env(const struct checker *c, const char *path, const struct js_pairs *env)
{
    for (size_t i = 0; i < env->len; i++) {
        if (is_env_name(env->items[i].key))
            continue;
        fail(c, path, "\"%.80s\" is no name of a variable", env->items[i].key);
        return err_hint(c->err, "letters, digits and _ only, not starting with a digit");
    }
    return 0;
}

static int check_command(const struct checker *c, const char *path, const struct js_strs *command)
{
    size_t bytes = 0;
    for (size_t i = 0; i < command->len; i++)
        bytes += strlen(command->items[i]) + 1;
    if (bytes > LIMIT_COMMAND_BYTES)
        return fail(c, path, "the command is %zu bytes long, at most %d are allowed", bytes,
                    LIMIT_COMMAND_BYTES);
    if (command->len > 0 && command->items[0][0] == '\0')
        return fail(c, path, "the program's name is empty");
    return 0;
}

static bool is_retry_word(const char *word)
{
    static const char *const words[] = {"node",  "preempted", "image", "engine",
                                        "start", "failed",    "oom"};
    uint64_t number;
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (str_is_equal(word, words[i]))
            return true;
    }
    if (str_has_prefix(word, "exit:"))
        return str_parse_u64(word + 5, &number) && number >= 1 && number <= 255;
    if (str_has_prefix(word, "signal:"))
        return str_parse_u64(word + 7, &number) && number >= 1 && number <= 64;
    return false;
}

static int check_retry(const struct checker *c, const struct js_strs *on)
{
    char path[32];
    for (size_t i = 0; i < on->len; i++) {
        if (is_retry_word(on->items[i]))
            continue;
        snprintf(path, sizeof(path), "retry.on[%zu]", i);
        fail(c, path, "\"%.80s\" is nothing a retry can be for", on->items[i]);
        return err_hint(c->err, "node, preempted, image, engine, start, failed, oom, exit:75 or "
                                "signal:9");
    }
    return 0;
}

static bool is_clean_path(const char *path)
{
    if (path[0] != '/' || strlen(path) > 255)
        return false;
    for (const char *part = path; part != NULL; part = strchr(part, '/')) {
        part++;
        size_t len = strcspn(part, "/");
        bool is_dots = (len == 1 && part[0] == '.') || (len == 2 && memcmp(part, "..", 2) == 0);
        if (is_dots || (len == 0 && path[1] != '\0'))
            return false;
    }
    return true;
}

int volume_ref_parse(const char *s, struct volume_ref *ret, struct err *err)
{
    struct volume_ref ref = {0};
    size_t name_len = strcspn(s, ":"), path_len = 0;
    const char *rest = s + name_len;
    bool is_valid = name_len < sizeof(ref.name);
    if (is_valid) {
        memcpy(ref.name, s, name_len);
        is_valid = str_is_label(ref.name);
    }
    if (is_valid && *rest == ':') {
        rest++;
        path_len = strcspn(rest, ":");
        is_valid = path_len < sizeof(ref.path);
    }
    if (is_valid && path_len > 0) {
        memcpy(ref.path, rest, path_len);
        rest += path_len;
    }
    if (is_valid && *rest == ':') {
        ref.read_only = str_is_equal(rest, ":ro");
        is_valid = ref.read_only || str_is_equal(rest, ":rw");
    }
    if (!is_valid) {
        err_set(err, BERR_INVALID, "\"%.80s\" is no volume", s);
        return err_hint(err, "write NAME, NAME:PATH or NAME:PATH:ro, like corpus:/data:ro");
    }
    bool is_home = str_is_equal(ref.name, "home");
    if (ref.path[0] == '\0' && !is_home) {
        err_set(err, BERR_INVALID, "the volume \"%s\" needs a path to be mounted at", ref.name);
        return err_hint(err, "write %s:/data", ref.name);
    }
    if (ref.path[0] != '\0' && !is_clean_path(ref.path)) {
        err_set(err, BERR_INVALID, "\"%.80s\" is no absolute path without \"..\"", ref.path);
        return err_hint(err, "write %s:/data", ref.name);
    }
    if (str_is_equal(ref.path, "/"))
        return err_set(err, BERR_INVALID, "a volume cannot be mounted over /");
    *ret = ref;
    return 0;
}

static int check_volumes(const struct checker *c, const struct js_strs *volumes)
{
    char path[32];
    struct volume_ref refs[LIMIT_VOLUMES_PER_WORKLOAD];
    for (size_t i = 0; i < volumes->len; i++) {
        struct err ref_err = {0};
        snprintf(path, sizeof(path), "volumes[%zu]", i);
        if (i >= LIMIT_VOLUMES_PER_WORKLOAD)
            return fail(c, path, "at most %d volumes are allowed", LIMIT_VOLUMES_PER_WORKLOAD);
        if (volume_ref_parse(volumes->items[i], &refs[i], &ref_err) != 0) {
            fail(c, path, "%s", ref_err.text);
            return err_hint(c->err, "%s", ref_err.hint);
        }
        for (size_t k = 0; k < i; k++) {
            if (str_is_equal(refs[k].path, refs[i].path))
                return fail(c, path, "two volumes at the same place (%s)",
                            refs[i].path[0] == '\0' ? "home" : refs[i].path);
        }
    }
    return 0;
}

/* ---- roles ---- */

static bool has_role(const struct workload_spec *spec, const char *name)
{
    for (size_t i = 0; i < spec->roles.len; i++) {
        if (str_is_equal(spec->roles.keys[i], name))
            return true;
    }
    return false;
}

static int check_role_known(const struct checker *c, const struct workload_spec *spec,
                            const char *path, const char *name)
{
    if (name == NULL || has_role(spec, name))
        return 0;
    fail(c, path, "there is no role \"%.63s\"", name);
    const char *nearest = str_nearest(name, spec->roles.keys, spec->roles.len);
    if (nearest != NULL)
        return err_hint(c->err, "did you mean \"%s\"?", nearest);
    return err_hint(c->err, "roles are the keys below `roles`; without any there is \"worker\"");
}

static int check_role(const struct checker *c, const struct workload_spec *spec, size_t index)
{
    char path[ERR_FIELD_MAX], at_role[ERR_FIELD_MAX];
    const char *name;
    const struct role_spec *role = spec_role(spec, index, &name);
    snprintf(at_role, sizeof(at_role), "roles.%.63s", name);
    snprintf(path, sizeof(path), "roles.%.63s.command", name);
    int rc = check_command(c, path, &role->command);
    if (rc != 0)
        return rc;
    bool has_command = role->command.len > 0 || spec->command.len > 0 || spec->framework != NULL;
    if (spec->kind == KIND_JOB && !has_command) {
        fail(c, spec->roles.len > 1 ? path : "command", "a job needs a command");
        return err_hint(c->err, "for example: command: [python3, train.py]");
    }
    if (role->shm_bytes > role->memory_bytes) {
        snprintf(path, sizeof(path), "roles.%.63s.shm", name);
        fail(c, path, "/dev/shm is part of the memory and cannot be larger");
        return err_hint(c->err, "raise roles.%.63s.memory", name);
    }
    if (spec->kind == KIND_NOTEBOOK && (role->replicas_max != 1 || spec->roles.len != 1))
        return fail(c, spec->roles.len == 1 ? at_role : "roles",
                    "a notebook is one task: one role with one replica");
    snprintf(path, sizeof(path), "roles.%.63s.env", name);
    return check_env(c, path, &role->env);
}

static int check_roles(const struct checker *c, const struct workload_spec *spec)
{
    int64_t most = 0;
    char path[32];
    if (spec->roles.len == 0)
        return fail(c, "roles", "there must be at least one role");
    for (size_t i = 0; i < spec->roles.len; i++) {
        int rc = check_role(c, spec, i);
        if (rc != 0)
            return rc;
        most += spec_role(spec, i, NULL)->replicas_max;
    }
    if (most > LIMIT_TASKS_PER_ATTEMPT)
        return fail(c, "roles", "all roles together have %lld tasks, at most %d are allowed",
                    (long long)most, LIMIT_TASKS_PER_ATTEMPT);
    for (size_t i = 0; i < spec->placement.apart.len; i++) {
        snprintf(path, sizeof(path), "placement.apart[%zu]", i);
        int rc = check_role_known(c, spec, path, spec->placement.apart.items[i]);
        if (rc != 0)
            return rc;
    }
    return check_role_known(c, spec, "stop_when", spec->stop_when);
}

int spec_validate(const struct workload_spec *spec, const struct js_doc *doc, struct err *err)
{
    const struct checker c = {doc, err};
    int rc = check_roles(&c, spec);
    if (rc == 0)
        rc = check_image(&c, spec->image);
    if (rc == 0)
        rc = check_command(&c, "command", &spec->command);
    if (rc == 0)
        rc = check_env(&c, "env", &spec->env);
    if (rc == 0)
        rc = check_volumes(&c, &spec->volumes);
    if (rc == 0)
        rc = check_retry(&c, &spec->retry.on);
    if (rc == 0 && spec->workdir != NULL && !is_clean_path(spec->workdir))
        rc = fail(&c, "workdir", "expected an absolute path without \"..\"");
    if (rc == 0 && spec->app != APP_LAB && spec->kind != KIND_NOTEBOOK)
        rc = fail(&c, "app", "only notebooks have an app");
    return rc;
}
