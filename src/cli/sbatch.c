/*
 * sbatch: scripts with #SBATCH lines (sbatch(1)). What berth has no word for is left out and told.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/alloc.h"
#include "base/limits.h"
#include "base/str.h"
#include "base/units.h"
#include "cli/jobfile.h"
#include "os/file.h"

struct option {
    const char *name;
    char letter;
    int (*take)(struct cli_job *job, const char *value, struct err *err);
    bool is_ignored; /* known, and without a meaning here */
};

/* ---- values ---- */

bool cli_sbatch_time(const char *s, int64_t *ret_ms)
{
    int64_t parts[3] = {0}, days = 0;
    int count = 0;
    char text[64], *at = text;
    if (!str_copy(text, sizeof(text), s))
        return false;
    char *dash = strchr(text, '-');
    if (dash) {
        *dash = '\0';
        if (!str_parse_i64(text, &days) || days < 0)
            return false;
        at = dash + 1;
    }
    for (char *next; at; at = next) {
        next = strchr(at, ':');
        if (next)
            *next++ = '\0';
        if (count == 3 || !str_parse_i64(at, &parts[count]) || parts[count] < 0 ||
            parts[count] > 1000000)
            return false;
        count++;
    }
    int64_t seconds;
    if (dash) /* D-H[:M[:S]] */
        seconds = parts[0] * 3600 + parts[1] * 60 + parts[2];
    else if (count == 3)
        seconds = parts[0] * 3600 + parts[1] * 60 + parts[2];
    else /* M[:S] */
        seconds = parts[0] * 60 + parts[1];
    if (days > 100000)
        return false;
    *ret_ms = (days * 86400 + seconds) * 1000;
    return true;
}

static int bad(const char *option, const char *value, const char *want, struct err *err)
{
    err_set(err, BERR_INVALID, "--%s can't be \"%.100s\"", option, value);
    return err_hint(err, "%s", want);
}

static int take_name(struct cli_job *job, const char *value, struct err *err)
{
    char name[LIMIT_NAME + 1];
    size_t n = 0;
    /* Slurm takes any text; a name here is a label. */
    for (const char *at = value; *at && n < sizeof(name) - 1; at++) {
        char c = *at >= 'A' && *at <= 'Z' ? (char)(*at | 0x20) : *at;
        bool is_good = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (is_good || (n && name[n - 1] != '-'))
            name[n++] = is_good ? c : '-';
    }
    while (n && name[n - 1] == '-')
        n--;
    name[n] = '\0';
    return n ? cli_job_put(job, "name", name, err)
             : bad("job-name", value, "letters and digits", err);
}

static int take_time(struct cli_job *job, const char *value, struct err *err)
{
    int64_t ms;
    char text[UNITS_TEXT_MAX];
    if (!cli_sbatch_time(value, &ms))
        return bad("time", value, "minutes, H:M:S or D-H:M:S", err);
    return ms ? cli_job_put(job, "time_limit", units_format_duration(text, ms), err) : 0;
}

static int take_cpus(struct cli_job *job, const char *value, struct err *err)
{
    return cli_job_put_number(job, "roles.worker.cpu", value, err);
}

static int take_memory(struct cli_job *job, const char *value, struct err *err)
{
    char text[64];
    bool is_bare = value[0] && strspn(value, "0123456789") == strlen(value);
    if (strlen(value) >= sizeof(text) - 2)
        return bad("mem", value, "like 16G", err);
    snprintf(text, sizeof(text), "%s%s", value, is_bare ? "M" : ""); /* sbatch: megabytes */
    return cli_job_put(job, "roles.worker.memory", text, err);
}

static int take_ntasks(struct cli_job *job, const char *value, struct err *err)
{
    return cli_job_put_number(job, "roles.worker.replicas", value, err);
}

/* "gpu", "gpu:2", "gpu:a100:2", also "gres:gpu:2" (--tres-per-task style) */
static int take_gres(struct cli_job *job, const char *value, struct err *err)
{
    char model[64];
    if (strchr(value, ',') || (strncmp(value, "gpu", 3) != 0) || (value[3] && value[3] != ':'))
        return bad("gres", value, "like gpu:2 or gpu:a100:2", err);
    const char *what = value[3] ? value + 4 : "1";
    if (strspn(what, "0123456789") == strlen(what))
        return cli_job_put_number(job, "roles.worker.gpu", what, err);
    if (!str_copy(model, sizeof(model), what))
        return bad("gres", value, "like gpu:2 or gpu:a100:2", err);
    return cli_job_put(job, "roles.worker.gpu", model, err);
}

static int take_gpus(struct cli_job *job, const char *value, struct err *err)
{
    bool is_number = value[0] && strspn(value, "0123456789") == strlen(value);
    return is_number ? cli_job_put_number(job, "roles.worker.gpu", value, err)
                     : cli_job_put(job, "roles.worker.gpu", value, err);
}

static int take_chdir(struct cli_job *job, const char *value, struct err *err)
{
    return cli_job_put(job, "workdir", value, err);
}

static int take_account(struct cli_job *job, const char *value, struct err *err)
{
    return cli_job_put(job, "project", value, err);
}

static const struct option options[] = {
    {"job-name", 'J', take_name, false},
    {"time", 't', take_time, false},
    {"cpus-per-task", 'c', take_cpus, false},
    {"mem", 0, take_memory, false},
    {"gres", 0, take_gres, false},
    {"gpus-per-task", 0, take_gpus, false},
    {"gpus", 'G', take_gpus, false},
    {"ntasks", 'n', take_ntasks, false},
    {"chdir", 'D', take_chdir, false},
    {"account", 'A', take_account, false},
    {"output", 'o', NULL, true},
    {"error", 'e', NULL, true},
    {"partition", 'p', NULL, true},
    {"nodes", 'N', NULL, true},
    {"mail-type", 0, NULL, true},
    {"mail-user", 0, NULL, true},
};

/* ---- lines ---- */

static const struct option *find(const char *name, size_t len, char letter)
{
    for (size_t i = 0; i < ARRAY_LEN(options); i++)
        if (letter ? options[i].letter == letter
                   : strlen(options[i].name) == len && strncmp(options[i].name, name, len) == 0)
            return &options[i];
    return NULL;
}

/* One option of a line; *at is moved behind it. */
static int take_option(struct cli_job *job, char **at, int line, const char *path, struct err *err)
{
    char *word = *at, *end = word + strcspn(word, " \t");
    const char *value = NULL;
    *at = *end ? end + 1 : end;
    *end = '\0';
    const struct option *o = NULL;
    if (str_has_prefix(word, "--")) {
        size_t len = strcspn(word + 2, "=");
        o = find(word + 2, len, 0);
        value = word[2 + len] ? word + 2 + len + 1 : NULL;
    } else if (word[0] == '-' && word[1]) {
        o = find(NULL, 0, word[1]);
        value = word[2] ? word + 2 : NULL;
    }
    if (!o || o->is_ignored) {
        buf_printf(&job->notes, "%s:%d: %s has no meaning in berth and is left out\n", path, line,
                   word);
        if (o && !value) /* its value goes with it */
            *at += strcspn(*at, " \t");
        return 0;
    }
    if (!value) {
        *at += strspn(*at, " \t");
        value = *at;
        end = *at + strcspn(*at, " \t");
        *at = *end ? end + 1 : end;
        *end = '\0';
    }
    int rc = value[0] ? o->take(job, value, err)
                      : err_set(err, BERR_INVALID, "--%s needs a value", o->name);
    return rc < 0 ? err_wrap(err, rc, "%s:%d", path, line) : 0;
}

static int take_line(struct cli_job *job, const char *begin, size_t len, int line, const char *path,
                     struct arena *arena, struct err *err)
{
    char *text = arena_strndup(arena, begin, len);
    if (!text)
        return err_set(err, BERR_NOMEM, "out of memory");
    text[strcspn(text, "\r")] = '\0';
    int rc = 0;
    char *at = text + strspn(text, " \t");
    while (rc == 0 && *at && *at != '#') {
        rc = take_option(job, &at, line, path, err);
        at += strspn(at, " \t");
    }
    return rc;
}

bool cli_job_is_script(const char *text)
{
    return str_has_prefix(text, "#!");
}

static int put_command(struct cli_job *job, const char *path, const char *const *args,
                       size_t arg_count, struct arena *arena, struct err *err)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    const char **words = arena_array(arena, arg_count + 1, sizeof(*words));
    char *script = arena_printf(arena, "/code/%s", name);
    if (!words || !script)
        return err_set(err, BERR_NOMEM, "out of memory");
    words[0] = script;
    for (size_t i = 0; i < arg_count; i++)
        words[i + 1] = args[i];
    return cli_job_put_list(job, "command", words, arg_count + 1, err);
}

int cli_job_parse_script(const char *path, const char *text, const char *const *args,
                         size_t arg_count, struct arena *arena, struct cli_job *job,
                         struct err *err)
{
    static const char mark[] = "#SBATCH";
    int rc = cli_job_put(job, "kind", "job", err);
    if (rc == 0)
        rc = put_command(job, path, args, arg_count, arena, err);
    int line = 1;
    for (const char *at = text; rc == 0 && *at; line++) {
        size_t len = strcspn(at, "\n");
        if (str_has_prefix(at, mark))
            rc = take_line(job, at + sizeof(mark) - 1, len - (sizeof(mark) - 1), line, path, arena,
                           err);
        else if (len && at[0] != '#' && strspn(at, " \t\r") < len)
            break; /* Slurm stops at the first command as well */
        at += len + (at[len] == '\n');
    }
    job->code_file = arena_strdup(arena, path);
    return rc;
}

int cli_job_read_script(const char *path, const char *const *args, size_t arg_count,
                        struct arena *arena, struct cli_job *job, struct err *err)
{
    cleanup(mem_freep) char *text = NULL;
    int rc = os_file_read(AT_FDCWD, path, LIMIT_DOC_BYTES, &text, NULL, err);
    return rc == 0 ? cli_job_parse_script(path, text, args, arg_count, arena, job, err) : rc;
}
