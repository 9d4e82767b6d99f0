/*
 * notebook: commands of the apps. Jupyter reads its token from JUPYTER_TOKEN (set from the
 * workload's secret in control/order.c), so that it never shows in a process list.
 */
#include "session/notebook.h"
#include <stdio.h>

/* Falls back to the other app where the image lacks the first: better a plain notebook than none.
 * The flags are common to Notebook 6, Notebook 7 and JupyterLab. */
#define JUPYTER(first, second)                                                   \
    "app=" first "; command -v jupyter-" first " >/dev/null 2>&1 || app=" second \
    "; exec jupyter \"$app\" --ip=0.0.0.0 --port=8888 --no-browser --notebook-dir=\"$HOME\""

static const char *const app_commands[] = {
    [APP_LAB] = JUPYTER("lab", "notebook"),
    [APP_CLASSIC] = JUPYTER("notebook", "lab"),
};

int notebook_prepare(struct workload *w, struct workload_spec *spec, struct arena *arena,
                     uint64_t (*random)(void *arg), void *random_arg, struct err *err)
{
    snprintf(w->secret, sizeof(w->secret), "%016llx%016llx", (unsigned long long)random(random_arg),
             (unsigned long long)random(random_arg));
    if (spec->command.len)
        return 0;
    const char **args = arena_array(arena, 3, sizeof(*args));
    if (!args)
        return err_set(err, BERR_NOMEM, "out of memory");
    args[0] = "sh";
    args[1] = "-c";
    args[2] = app_commands[spec->app];
    spec->command = (struct js_strs){.items = args, .len = 3};
    return 0;
}

bool notebook_target(const struct workload *w, char dst[64])
{
    const struct attempt *a = w->attempt;
    if (w->spec->kind != KIND_NOTEBOOK || w->state != STATE_RUNNING || !a || a->gone ||
        !a->task_count || !a->tasks[0].address[0])
        return false;
    snprintf(dst, 64, "%.48s:%d", a->tasks[0].address, NOTEBOOK_PORT);
    return true;
}
