/*
 * hooks: what the parts ask of each other, passed on.
 */
#include "berthd/wiring.h"
#include <stdio.h>
#include <string.h>
#include "base/alloc.h"
#include "base/log.h"
#include "base/str.h"
#include "os/entropy.h"
#include "session/notebook.h"

uint64_t berthd_random(void *arg)
{
    uint64_t v;
    (void)arg;
    os_random_bytes(&v, sizeof(v));
    return v;
}

/* ---- control's ---- */

static const struct image *hook_image_find(void *arg, const char *ref, struct err *err)
{
    return image_find(((struct berthd *)arg)->images, ref, err);
}

static void hook_image_use(void *arg, struct image_id id, struct workload_id w, bool in_use)
{
    image_use(((struct berthd *)arg)->images, id, w, in_use);
}

static bool hook_code_exists(void *arg, const char *digest)
{
    struct digest d;
    return digest_parse(digest, &d) && tree_set_has(((struct berthd *)arg)->trees, &d);
}

static int hook_prepare(void *arg, struct workload *w, struct workload_spec *spec,
                        struct arena *arena, struct err *err)
{
    if (spec->kind != KIND_NOTEBOOK)
        return 0;
    return notebook_prepare(w, spec, arena, berthd_random, arg, err);
}

static void hook_changed(void *arg, const struct workload *w)
{
    struct berthd *d = arg;
    if (d->link) /* while loading there is none yet: it lists everything on connection */
        link_workload_changed(d->link, w);
}

static void hook_wake(void *arg)
{
    struct berthd *d = arg;
    if (d->tick)
        ev_timer_start(d->tick, 0, 0);
}

static void hook_fatal(void *arg, const struct err *err)
{
    struct berthd *d = arg;
    log_err(LOG_ERROR, err, "the state can no longer be written: ending, recovery starts anew",
            NULL);
    d->exit_code = 74;
    ev_loop_stop(d->loop);
}

struct control_hooks berthd_hooks(struct berthd *d)
{
    return (struct control_hooks){
        .arg = d,
        .image_find = hook_image_find,
        .image_use = hook_image_use,
        .code_exists = hook_code_exists,
        .prepare = hook_prepare,
        .changed = hook_changed,
        .wake = hook_wake,
        .fatal = hook_fatal,
    };
}

/* ---- images' ---- */

struct saving {
    image_saved_fn *done;
    void *arg;
};

static void saved(void *arg, int rc, uint64_t id, const struct err *err)
{
    struct saving *s = arg;
    (void)id;
    s->done(s->arg, rc, err);
    mem_free(s);
}

static void image_persist(void *arg, const struct image *image, bool removed,
                          const char *event_type, const char *event_text, image_saved_fn *done,
                          void *done_arg)
{
    struct berthd *d = arg;
    struct err err = {0};
    struct saving *s = mem_alloc(sizeof(*s));
    struct store_batch *b = s ? control_batch(d->control) : NULL;
    if (!b) {
        mem_free(s);
        err_set(&err, BERR_NOMEM, "out of memory");
        done(done_arg, -(int)BERR_NOMEM, &err);
        return;
    }
    *s = (struct saving){.done = done, .arg = done_arg};
    if (removed)
        store_remove_image(b, image->id);
    else
        store_put_image(b, image);
    struct event ev = {
        .type = event_type,
        .subject = image->id.v,
        .subject_kind = "image",
        .actor = image->owner.v,
        .text = event_text,
    };
    control_commit_batch(d->control, b, event_type ? &ev : NULL, saved, s);
    control_news(d->control); /* work may have waited for it */
}

struct asking {
    image_reply_fn *done;
    image_text_fn *progress;
    void *arg;
};

static void asked(void *arg, int rc, const void *reply, const struct err *err)
{
    struct asking *a = arg;
    a->done(a->arg, rc, reply, err);
    mem_free(a);
}

static void told(void *arg, const char *text)
{
    struct asking *a = arg;
    if (a->progress)
        a->progress(a->arg, text);
}

/* Without a runner (engine fake) layers are pretended as well. */
static void pretend(enum wire_verb verb, const void *request, image_reply_fn *done, void *arg)
{
    struct wire_layer layer = {.size_bytes = 1};
    if (verb == WIRE_IMAGE_BUILD)
        layer.digest = ((const struct wire_image_build *)request)->layer;
    if (verb == WIRE_IMAGE_ADD)
        layer.digest = ((const struct wire_image_add *)request)->layer;
    done(arg, 0, &layer, NULL);
}

static void image_call(void *arg, enum wire_verb verb, const void *request, image_text_fn *progress,
                       image_reply_fn *done, void *done_arg)
{
    struct berthd *d = arg;
    struct err err = {0};
    if (str_is_equal(d->opt.engine, "fake")) {
        pretend(verb, request, done, done_arg);
        return;
    }
    struct asking *a = mem_alloc(sizeof(*a));
    int rc = a && d->runner ? 0 : err_set(&err, BERR_UNAVAILABLE, "the runner is away");
    if (rc == 0) {
        *a = (struct asking){.done = done, .progress = progress, .arg = done_arg};
        rc = local_link_ask(d->runner, verb, request, asked, told, a, &err);
    }
    if (rc < 0) {
        mem_free(a);
        done(done_arg, rc, NULL, &err);
    }
}

struct image_ops berthd_image_ops(struct berthd *d)
{
    return (struct image_ops){.arg = d, .persist = image_persist, .call = image_call};
}

/* ---- the runner, for images ---- */

static void runner_up(void *arg, const struct wire_welcome *welcome)
{
    struct berthd *d = arg;
    (void)welcome;
    image_mgr_start(d->images);
}

static void runner_down(void *arg, const struct err *why)
{
    (void)arg;
    (void)why; /* the engine's own connection says it */
}

int berthd_connect_runner(struct berthd *d, struct err *err)
{
    char path[4096];
    static const struct local_link_events events = {.up = runner_up, .down = runner_down};
    if (str_is_equal(d->opt.engine, "fake")) {
        image_mgr_start(d->images);
        return 0;
    }
    snprintf(path, sizeof(path), "%s/run/runner.sock", d->opt.data_dir);
    return local_link_new(d->loop, path, "berthd-images", &events, d, &d->runner, err);
}
