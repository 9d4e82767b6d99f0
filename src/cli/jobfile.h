/*
 * jobfile: what is submitted — made from a YAML file, from a script with #SBATCH lines or from
 * options — as the JSON that the API takes, checked here first, so that a mistake is told with the
 * file's line and column.
 *
 * A job owns its document; strings of `code_dir` and `code_file` live in the arena given.
 */
#ifndef BERTH_CLI_JOBFILE_H
#define BERTH_CLI_JOBFILE_H

#include <yyjson.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

struct cli_job {
    yyjson_mut_doc *doc;   /* an object */
    const char *code_dir;  /* to be shipped: a directory … */
    const char *code_file; /* … or one file; NULL: nothing */
    struct buf notes;      /* lines for the user: what was left out */
};

int cli_job_init(struct cli_job *job, struct err *err); /* an empty object */
void cli_job_done(struct cli_job *job);

/* A YAML job file. Errors begin with FILE:LINE:COL. A local `code:` directory becomes code_dir,
 * relative to the file, and leaves the document. */
int cli_job_read_yaml(const char *path, struct arena *arena, struct cli_job *job, struct err *err);
/* The same for text; dir: what `code:` is relative to. */
int cli_job_parse_yaml(const char *name, const char *text, size_t len, const char *dir,
                       struct arena *arena, struct cli_job *job, struct err *err);

/* A script with #SBATCH lines (sbatch.c): it becomes code_file and, with args, the command. */
int cli_job_read_script(const char *path, const char *const *args, size_t arg_count,
                        struct arena *arena, struct cli_job *job, struct err *err);
int cli_job_parse_script(const char *path, const char *text, const char *const *args,
                         size_t arg_count, struct arena *arena, struct cli_job *job,
                         struct err *err);
/* Whether text begins with #!, so that it is a script and no YAML. */
bool cli_job_is_script(const char *text);

/* "roles.worker.gpu=2": the value is read as YAML. INVALID. */
int cli_job_set(struct cli_job *job, const char *assignment, struct err *err);
/* One text at a path of keys; NULL does nothing. A number when `as_number` and it is one. */
int cli_job_put(struct cli_job *job, const char *path, const char *value, struct err *err);
int cli_job_put_number(struct cli_job *job, const char *path, const char *value, struct err *err);
int cli_job_put_list(struct cli_job *job, const char *path, const char *const *items, size_t count,
                     struct err *err);
/* "KEY=VALUE", or "KEY" for the value in our own environment. */
int cli_job_put_env(struct cli_job *job, const char *assignment, struct err *err);

/* Decodes and validates it as the server will. */
int cli_job_check(const struct cli_job *job, struct err *err);
/* The JSON to send. */
int cli_job_write(const struct cli_job *job, struct buf *out, struct err *err);

/* Minutes, M:S, H:M:S, D-H, D-H:M or D-H:M:S (sbatch(1), --time) to milliseconds; false otherwise. */
bool cli_sbatch_time(const char *s, int64_t *ret_ms);

#endif
