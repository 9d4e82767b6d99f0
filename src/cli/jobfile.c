/*
 * jobfile: job files, and changing a job's document.
 */
#include "cli/jobfile.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "base/alloc.h"
#include "base/limits.h"
#include "base/str.h"
#include "cli/out.h"
#include "js/js.h"
#include "os/digest.h"
#include "os/file.h"
#include "types/spec.h"

#define DECODE_MAX (64u << 20)
#define NOTES_MAX  (16u << 10)

static int nomem(struct err *err)
{
    return err_set(err, BERR_NOMEM, "out of memory");
}

int cli_job_init(struct cli_job *job, struct err *err)
{
    *job = (struct cli_job){.doc = yyjson_mut_doc_new(NULL), .notes = BUF(NOTES_MAX)};
    yyjson_mut_val *root = job->doc ? yyjson_mut_obj(job->doc) : NULL;
    if (!root)
        return nomem(err);
    yyjson_mut_doc_set_root(job->doc, root);
    return 0;
}

void cli_job_done(struct cli_job *job)
{
    yyjson_mut_doc_free(job->doc);
    buf_done(&job->notes);
    job->doc = NULL;
}

/* ---- changing it ---- */

/* The object that the last key of the path is in; objects on the way are made. */
static yyjson_mut_val *walk_to(struct cli_job *job, const char *path, const char **ret_key,
                               struct err *err)
{
    yyjson_mut_val *at = yyjson_mut_doc_get_root(job->doc);
    for (const char *dot; (dot = strchr(path, '.')); path = dot + 1) {
        yyjson_mut_val *next = yyjson_mut_obj_getn(at, path, (size_t)(dot - path));
        if (!next) {
            yyjson_mut_val *key = yyjson_mut_strncpy(job->doc, path, (size_t)(dot - path));
            next = yyjson_mut_obj(job->doc);
            if (!key || !next || !yyjson_mut_obj_put(at, key, next)) {
                nomem(err);
                return NULL;
            }
        }
        if (!yyjson_mut_is_obj(next) || dot == path) {
            err_set(err, BERR_INVALID, "%.*s is no group of fields", (int)(dot - path), path);
            return NULL;
        }
        at = next;
    }
    *ret_key = path;
    return at;
}

static int put_value(struct cli_job *job, const char *path, yyjson_mut_val *val, struct err *err)
{
    const char *key;
    yyjson_mut_val *at = walk_to(job, path, &key, err);
    if (!at)
        return err ? -(int)err->code : -(int)BERR_INVALID;
    yyjson_mut_val *name = yyjson_mut_strcpy(job->doc, key);
    if (!name || !val || !yyjson_mut_obj_put(at, name, val))
        return nomem(err);
    return 0;
}

int cli_job_put(struct cli_job *job, const char *path, const char *value, struct err *err)
{
    return value ? put_value(job, path, yyjson_mut_strcpy(job->doc, value), err) : 0;
}

int cli_job_put_number(struct cli_job *job, const char *path, const char *value, struct err *err)
{
    char *end;
    if (!value)
        return 0;
    double number = strtod(value, &end);
    if (!value[0] || *end || strspn(value, "0123456789.") != strlen(value))
        return cli_job_put(job, path, value, err);
    if (number < 1e15 && number == (double)(uint64_t)number)
        return put_value(job, path, yyjson_mut_uint(job->doc, (uint64_t)number), err);
    return put_value(job, path, yyjson_mut_real(job->doc, number), err);
}

int cli_job_put_list(struct cli_job *job, const char *path, const char *const *items, size_t count,
                     struct err *err)
{
    yyjson_mut_val *list = yyjson_mut_arr(job->doc);
    for (size_t i = 0; list && i < count; i++)
        if (!yyjson_mut_arr_add_strcpy(job->doc, list, items[i]))
            return nomem(err);
    return put_value(job, path, list, err);
}

int cli_job_put_env(struct cli_job *job, const char *assignment, struct err *err)
{
    const char *equals = strchr(assignment, '=');
    size_t len = equals ? (size_t)(equals - assignment) : strlen(assignment);
    const char *value = equals ? equals + 1 : getenv(assignment);
    yyjson_mut_val *root = yyjson_mut_doc_get_root(job->doc);
    if (!len || !value) {
        err_set(err, BERR_INVALID, "--env needs KEY=VALUE, found \"%.100s\"", assignment);
        return len ? err_hint(err, "it is not set in the environment here either")
                   : -(int)BERR_INVALID;
    }
    yyjson_mut_val *env = yyjson_mut_obj_get(root, "env");
    if (!env) {
        env = yyjson_mut_obj(job->doc);
        if (!env || !yyjson_mut_obj_add_val(job->doc, root, "env", env))
            return nomem(err);
    }
    yyjson_mut_val *key = yyjson_mut_strncpy(job->doc, assignment, len);
    yyjson_mut_val *val = yyjson_mut_strcpy(job->doc, value);
    return key && val && yyjson_mut_obj_put(env, key, val) ? 0 : nomem(err);
}

int cli_job_set(struct cli_job *job, const char *assignment, struct err *err)
{
    cleanup(js_doc_freep) struct js_doc *doc = NULL;
    char path[256];
    const char *equals = strchr(assignment, '=');
    if (!equals || equals == assignment || (size_t)(equals - assignment) >= sizeof(path)) {
        err_set(err, BERR_INVALID, "--set needs key=value, found \"%.100s\"", assignment);
        return err_hint(err, "like --set roles.worker.gpu=2");
    }
    memcpy(path, assignment, (size_t)(equals - assignment));
    path[equals - assignment] = '\0';
    if (!equals[1])
        return cli_job_put(job, path, "", err);
    int rc = js_parse_yaml(equals + 1, strlen(equals + 1), &doc, err);
    if (rc < 0) {
        err_wrap(err, rc, "--set %s", path);
        return err_at(err, "", 0, 0);
    }
    return put_value(job, path, yyjson_val_mut_copy(job->doc, js_root(doc)), err);
}

/* ---- checking ---- */

static int check_doc(const struct js_doc *doc, yyjson_val *root, struct err *err)
{
    struct arena arena = ARENA(DECODE_MAX);
    struct workload_spec spec;
    spec_defaults(&spec);
    int rc = js_decode(doc, root, &spec_table, &arena, &spec, err);
    if (rc == 0)
        rc = spec_validate(&spec, doc, err);
    arena_done(&arena);
    return rc;
}

int cli_job_check(const struct cli_job *job, struct err *err)
{
    yyjson_doc *doc = yyjson_mut_doc_imut_copy(job->doc, NULL);
    int rc = doc ? check_doc(NULL, yyjson_doc_get_root(doc), err) : nomem(err);
    yyjson_doc_free(doc);
    return rc;
}

int cli_job_write(const struct cli_job *job, struct buf *out, struct err *err)
{
    size_t room = out->max - out->len, len = cli_put_compact(out, job->doc);
    if (!buf_is_failed(out))
        return 0;
    return len > room ? err_set(err, BERR_TOO_LARGE, "the job is too large") : nomem(err);
}

/* ---- files ---- */

/* "FILE:LINE:COL: field: text", as editors and compilers do. */
static int in_file(struct err *err, int rc, const char *name)
{
    if (!err)
        return rc;
    struct err was = *err;
    char field[ERR_FIELD_MAX + 4] = "", place[48] = "";
    if (was.field[0])
        snprintf(field, sizeof(field), "%s: ", was.field);
    if (was.line)
        snprintf(place, sizeof(place), ":%d:%d", was.line, was.col);
    err_set(err, was.code, "%s%s: %s%s", name, place, field, was.text);
    if (was.hint[0])
        err_hint(err, "%s", was.hint);
    return rc;
}

static bool is_remote(const char *code)
{
    struct digest digest;
    return strstr(code, "://") || digest_parse(code, &digest);
}

/* `code: ./src` is shipped from here: out of the document. */
static int take_code(const char *name, const char *dir, const struct js_doc *doc,
                     struct arena *arena, struct cli_job *job, struct err *err)
{
    yyjson_val *val = yyjson_obj_get(js_root(doc), "code");
    const char *code = yyjson_get_str(val);
    struct stat st;
    if (!code || is_remote(code))
        return 0;
    char *path =
        code[0] == '/' ? arena_strdup(arena, code) : arena_printf(arena, "%s/%s", dir, code);
    if (!path)
        return nomem(err);
    if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode)) {
        js_fail(doc, val, "code", err, "there is no directory %s", path);
        err_hint(err, "it is looked for beside the job file");
        return in_file(err, -(int)BERR_INVALID, name);
    }
    job->code_dir = path;
    yyjson_mut_obj_remove_key(yyjson_mut_doc_get_root(job->doc), "code");
    return 0;
}

int cli_job_parse_yaml(const char *name, const char *text, size_t len, const char *dir,
                       struct arena *arena, struct cli_job *job, struct err *err)
{
    cleanup(js_doc_freep) struct js_doc *doc = NULL;
    int rc = js_parse_yaml(text, len, &doc, err);
    if (rc == 0)
        rc = check_doc(doc, js_root(doc), err);
    if (rc < 0)
        return in_file(err, rc, name);
    yyjson_mut_val *root = yyjson_val_mut_copy(job->doc, js_root(doc));
    if (!root)
        return nomem(err);
    yyjson_mut_doc_set_root(job->doc, root);
    return take_code(name, dir, doc, arena, job, err);
}

/* What a path is in: "." for a plain name. */
static const char *dir_of(const char *path, struct arena *arena)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return ".";
    return slash == path ? "/" : arena_strndup(arena, path, (size_t)(slash - path));
}

int cli_job_read_yaml(const char *path, struct arena *arena, struct cli_job *job, struct err *err)
{
    cleanup(mem_freep) char *text = NULL;
    size_t len;
    const char *dir = dir_of(path, arena);
    int rc = os_file_read(AT_FDCWD, path, LIMIT_DOC_BYTES, &text, &len, err);
    if (rc == 0 && !dir)
        rc = nomem(err);
    return rc == 0 ? cli_job_parse_yaml(path, text, len, dir, arena, job, err) : rc;
}
