/*
 * The manager with stand-ins: a store that answers when told, a runner that keeps what it was
 * asked, and a shell script in skopeo's place. One loop; events are waited for with a deadline.
 */
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "image/image.h"
#include "testlib.h"

#define CALLS_MAX 64

struct call {
    enum wire_verb verb;
    char layer[65];
    image_text_fn *progress;
    image_reply_fn *done;
    void *arg;
    bool is_answered;
};
struct row_save {
    struct image row;
    bool removed;
    char type[32];
};
struct fixture {
    char dir[TEST_PATH_MAX];
    char skopeo[TEST_PATH_MAX + 16];
    struct ev_loop *loop;
    struct image_mgr *m;
    struct call calls[CALLS_MAX];
    size_t call_count;
    struct row_save saves[CALLS_MAX];
    size_t save_count;
    int fail_saves;    /* rc for the next persist; 0: none */
    bool holds_runner; /* calls stay unanswered */
    int runner_rc;     /* of answers */
    uint64_t random;
    int64_t now_ms;
    /* last done */
    int done_count, rc;
    struct image image;
    struct err err;
};

/* ---- stand-ins ---- */

static int64_t now(void *arg)
{
    return ((struct fixture *)arg)->now_ms;
}

static uint64_t next_random(void *arg)
{
    struct fixture *f = arg;
    f->random += 0x9e3779b97f4a7c15ull;
    return f->random;
}

static void persist(void *arg, const struct image *image, bool removed, const char *type,
                    const char *text, image_saved_fn *done, void *done_arg)
{
    struct fixture *f = arg;
    struct err err = {0};
    int rc = f->fail_saves;
    (void)text;
    f->fail_saves = 0;
    if (rc != 0) {
        err_set(&err, (enum berr) - rc, "the disk is full");
    } else {
        struct row_save *s = &f->saves[f->save_count++];
        check(f->save_count < CALLS_MAX);
        s->row = *image;
        s->removed = removed;
        snprintf(s->type, sizeof(s->type), "%s", type != NULL ? type : "");
    }
    done(done_arg, rc, &err);
}

static void answer(struct fixture *f, size_t i)
{
    struct call *c = &f->calls[i];
    struct wire_layer layer = {.digest = c->layer, .size_bytes = 100};
    struct wire_none none = {0};
    struct err err = {0};
    check(!c->is_answered);
    c->is_answered = true;
    if (f->runner_rc != 0)
        err_set(&err, (enum berr) - f->runner_rc, "the runner says no");
    const void *reply = c->verb == WIRE_IMAGE_REMOVE ? (const void *)&none : (const void *)&layer;
    c->done(c->arg, f->runner_rc, f->runner_rc == 0 ? reply : NULL, &err);
}

static void call(void *arg, enum wire_verb verb, const void *request, image_text_fn *progress,
                 image_reply_fn *done, void *done_arg)
{
    struct fixture *f = arg;
    struct call *c = &f->calls[f->call_count++];
    check(f->call_count < CALLS_MAX);
    *c = (struct call){.verb = verb, .progress = progress, .done = done, .arg = done_arg};
    const char *layer = verb == WIRE_IMAGE_ADD ? ((const struct wire_image_add *)request)->layer
                        : verb == WIRE_IMAGE_BUILD
                            ? ((const struct wire_image_build *)request)->layer
                            : ((const struct wire_image_remove *)request)->layer;
    snprintf(c->layer, sizeof(c->layer), "%s", layer);
    if (!f->holds_runner)
        answer(f, f->call_count - 1);
}

static void on_done(void *arg, int rc, const struct image *image, const struct err *err)
{
    struct fixture *f = arg;
    f->done_count++;
    f->rc = rc;
    if (rc == 0)
        f->image = *image;
    else
        f->err = *err;
}

/* ---- fixture ---- */

/* $9 is oci:DIR:image; a layout with the layers that files l1, l2 beside the script hold. */
static const char skopeo_script[] =
    "#!/bin/sh\nset -e\n"
    "here=$(dirname \"$0\"); echo run >> \"$here/runs\"\n"
    "if [ -e \"$here/fail\" ]; then echo 'time=\"x\" level=fatal msg=\"manifest unknown\"' >&2; "
    "exit 1; fi\n"
    "for last; do :; done; dir=${last#oci:}; dir=${dir%:image}; b=$dir/blobs/sha256; mkdir -p "
    "\"$b\"\n"
    "put() { d=$(sha256sum < \"$1\" | cut -c1-64); cp \"$1\" \"$b/$d\"; echo $d; }\n"
    "layers=\n"
    "for l in \"$here\"/l[0-9]; do echo \"Copying blob x\"; d=$(put \"$l\");"
    " layers=\"$layers,{\\\"mediaType\\\":\\\"x.layer.v1.tar\\\",\\\"digest\\\":\\\"sha256:$d\\\"}"
    "\"; done\n"
    "echo '{\"config\":{\"Env\":[\"A=1\"]}}' > \"$dir/c\"; c=$(put \"$dir/c\")\n"
    "echo \"{\\\"config\\\":{\\\"digest\\\":\\\"sha256:$c\\\"},\\\"layers\\\":[${layers#,}]}\" > "
    "\"$dir/m\"; m=$(put \"$dir/m\")\n"
    "if [ -e \"$here/lie\" ]; then echo ' ' >> \"$b/$m\"; fi\n"
    "echo \"{\\\"manifests\\\":[{\\\"digest\\\":\\\"sha256:$m\\\"}]}\" > \"$dir/index.json\"\n";

static void file(struct fixture *f, const char *name, const char *text)
{
    char path[TEST_PATH_MAX + 32];
    snprintf(path, sizeof(path), "%s/%s", f->dir, name);
    test_write_file(path, text);
}

static struct image_mgr *mgr_new(struct fixture *f)
{
    static struct os_clock clock;
    clock = (struct os_clock){.wall_ms = now, .mono_ms = now, .arg = f};
    struct image_config cfg = {
        .loop = f->loop,
        .data_dir = f->dir,
        .clock = &clock,
        .random = next_random,
        .random_arg = f,
        .ops = {.arg = f, .persist = persist, .call = call},
        .skopeo = f->skopeo,
    };
    struct image_mgr *m = NULL;
    assert_int_equal(image_mgr_new(&cfg, &m, &f->err), 0);
    return m;
}

static int setup(void **state)
{
    struct fixture *f = test_calloc(1, sizeof(*f));
    test_tmpdir_make(f->dir);
    snprintf(f->skopeo, sizeof(f->skopeo), "%s/skopeo", f->dir);
    file(f, "skopeo", skopeo_script);
    chmod(f->skopeo, 0755);
    file(f, "l1", "first layer");
    file(f, "l2", "second layer");
    f->random = 1;
    f->now_ms = 1800000000000;
    assert_int_equal(ev_loop_new(&f->loop, &f->err), 0);
    f->m = mgr_new(f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    image_mgr_free(f->m);
    ev_loop_run(f->loop); /* workers and children come to their end */
    ev_loop_free(f->loop);
    test_tmpdir_remove(f->dir);
    test_free(f);
    return 0;
}

static void wait_done(struct fixture *f, int count)
{
    for (int i = 0; f->done_count < count; i++) {
        ev_loop_poll(f->loop);
        usleep(1000); /* between looks, not instead of a condition */
        if (i > 30000)
            fail_msg("only %d of %d answers came", f->done_count, count);
    }
}

static const char *const packages[] = {"curl"};

static void build(struct fixture *f, const char *ref)
{
    union {
        const char *const *in;
        const char **out;
    } u = {packages};
    struct image_build_spec spec = {.from = "debian:bookworm",
                                    .packages = {.items = u.out, .len = 1}};
    image_build(f->m, ref, &spec, (struct user_id){7}, on_done, f);
}

static void pull(struct fixture *f, const char *reference, const char *name)
{
    image_pull(f->m, reference, name, (struct user_id){7}, on_done, f);
}

static struct image ready_pull(struct fixture *f, const char *reference, const char *name)
{
    int before = f->done_count;
    pull(f, reference, name);
    assert_int_equal(f->rc, 0);
    image_wait(f->m, f->image.id, on_done, f);
    wait_done(f, before + 2);
    assert_int_equal(f->rc, 0);
    assert_int_equal(f->image.state, IMAGE_READY);
    return f->image;
}

static size_t count_calls(const struct fixture *f, enum wire_verb verb)
{
    size_t n = 0;
    for (size_t i = 0; i < f->call_count; i++)
        n += f->calls[i].verb == verb;
    return n;
}

/* ---- tests ---- */

static void builds(void **state)
{
    struct fixture *f = *state;
    f->holds_runner = true;
    image_mgr_start(f->m);
    build(f, "ml:1");
    assert_int_equal(f->done_count, 1);
    assert_int_equal(f->image.state, IMAGE_MAKING);
    assert_int_equal(f->call_count, 1);
    assert_int_equal(f->calls[0].verb, WIRE_IMAGE_BUILD);
    f->calls[0].progress(f->calls[0].arg, "installing packages 3/9");
    assert_string_equal(image_progress(f->m, f->image.id), "installing packages 3/9");
    image_wait(f->m, f->image.id, on_done, f);
    image_wait(f->m, f->image.id, on_done, f);
    assert_int_equal(f->done_count, 1);
    answer(f, 0);
    assert_int_equal(f->done_count, 3);
    assert_int_equal(f->image.state, IMAGE_READY);
    assert_int_equal(f->image.size_bytes, 100);
    assert_string_equal(f->image.layers[0], f->calls[0].layer);
    assert_int_equal(strncmp(f->image.digest, "sha256:", 7), 0);
    assert_string_equal(f->saves[1].type, "image.ready");
    const struct image *found = image_find(f->m, "ml:1", &f->err);
    assert_non_null(found);
    assert_int_equal(found->state, IMAGE_READY);
    /* the same once more: nothing to do */
    build(f, "ml:1");
    assert_int_equal(f->image.state, IMAGE_READY);
    assert_int_equal(f->call_count, 1);
}

static void one_making_for_many(void **state)
{
    struct fixture *f = *state;
    f->holds_runner = true;
    image_mgr_start(f->m);
    build(f, "ml");
    struct image_id first = f->image.id;
    build(f, "ml");
    assert_int_equal(f->image.id.v, first.v);
    assert_int_equal(f->call_count, 1);
    pull(f, "localhost:5000/app:2", NULL);
    first = f->image.id;
    pull(f, "localhost:5000/app:2", NULL);
    assert_int_equal(f->image.id.v, first.v);
    answer(f, 0);
}

static void pulls(void **state)
{
    struct fixture *f = *state;
    image_mgr_start(f->m);
    struct image i = ready_pull(f, "docker://localhost:5000/team/My_App:2", NULL);
    assert_string_equal(i.name, "my-app");
    assert_string_equal(i.tag, "2");
    assert_string_equal(i.source, "localhost:5000/team/My_App:2");
    assert_int_equal(i.layer_count, 2);
    assert_int_equal(i.size_bytes, 200);
    assert_string_equal(
        i.config,
        "{\"env\":{\"A\":\"1\"},\"entrypoint\":[],\"cmd\":[],\"user\":\"\",\"workdir\":\"\"}");
    assert_int_equal(count_calls(f, WIRE_IMAGE_ADD), 2);
    assert_string_equal(f->calls[0].layer, i.layers[0]);
}

static void pull_failures_say_why(void **state)
{
    struct fixture *f = *state;
    image_mgr_start(f->m);
    file(f, "fail", "");
    pull(f, "localhost:5000/none:1", NULL);
    image_wait(f->m, f->image.id, on_done, f);
    wait_done(f, 2);
    assert_true(f->rc != 0);
    test_expect_err(&f->err, BERR_UNAVAILABLE, "manifest unknown");
    const struct image *i = image_find(f->m, "none:1", &f->err);
    assert_int_equal(i->state, IMAGE_FAILED);
    assert_string_equal(f->saves[f->save_count - 1].type, "image.failed");
    static const char *const bads[] = {"", "-x", "a b", "../x", "a//b", "/x", "x$(y)", "http://x"};
    for (size_t k = 0; k < ARRAY_LEN(bads); k++) {
        pull(f, bads[k], "n");
        if (f->rc != -BERR_INVALID)
            fail_msg("accepted %s", bads[k]);
        assert_string_equal(f->err.field, "reference");
    }
}

static void digests_are_checked(void **state)
{
    struct fixture *f = *state;
    image_mgr_start(f->m);
    file(f, "lie", "");
    pull(f, "localhost:5000/app:1", NULL);
    image_wait(f->m, f->image.id, on_done, f);
    wait_done(f, 2);
    assert_true(f->rc != 0);
    assert_non_null(strstr(f->err.text, "something else"));
    assert_int_equal(f->call_count, 0);
}

static void shared_layers_stay(void **state)
{
    struct fixture *f = *state;
    image_mgr_start(f->m);
    struct image a = ready_pull(f, "localhost:5000/a:1", NULL);
    file(f, "l2", "another second");
    struct image b = ready_pull(f, "localhost:5000/b:1", NULL);
    assert_string_equal(a.layers[0], b.layers[0]);
    assert_string_not_equal(a.layers[1], b.layers[1]);
    int before = f->done_count;
    image_remove(f->m, a.id, on_done, f);
    wait_done(f, before + 1);
    assert_int_equal(f->rc, 0);
    assert_int_equal(count_calls(f, WIRE_IMAGE_REMOVE), 1);
    assert_string_equal(f->calls[f->call_count - 1].layer, a.layers[1]);
    assert_true(f->saves[f->save_count - 1].removed);
    assert_null(image_find(f->m, "a:1", &f->err));
    image_remove(f->m, b.id, on_done, f);
    assert_int_equal(count_calls(f, WIRE_IMAGE_REMOVE), 3);
}

static void used_ones_stay(void **state)
{
    struct fixture *f = *state;
    char id[ID_TEXT_SIZE];
    struct workload_id w = {id_from_random(5)};
    image_mgr_start(f->m);
    build(f, "ml");
    image_use(f->m, f->image.id, w, true);
    image_use(f->m, f->image.id, w, true);
    image_remove(f->m, f->image.id, on_done, f);
    test_expect_err(&f->err, BERR_CONFLICT, id_format(id, w.v));
    image_use(f->m, f->image.id, w, false);
    image_remove(f->m, f->image.id, on_done, f);
    assert_int_equal(f->rc, 0);
    image_remove(f->m, f->image.id, on_done, f);
    assert_int_equal(f->rc, -BERR_NOT_FOUND);
}

static void newer_takes_the_name(void **state)
{
    struct fixture *f = *state;
    struct workload_id w = {9};
    image_mgr_start(f->m);
    struct image old = ready_pull(f, "localhost:5000/a:1", "app");
    image_use(f->m, old.id, w, true);
    file(f, "l1", "new first");
    struct image fresh = ready_pull(f, "localhost:5000/a:2", "app");
    assert_int_equal(image_find(f->m, "app", &f->err)->id.v, fresh.id.v);
    size_t i = 0;
    assert_int_equal(image_next(f->m, &i)->id.v, old.id.v); /* somebody uses it */
    image_use(f->m, old.id, w, false);
    image_collect(f->m);
    i = 0;
    assert_int_equal(image_next(f->m, &i)->id.v, fresh.id.v);
    assert_null(image_next(f->m, &i));
    assert_int_equal(count_calls(f, WIRE_IMAGE_REMOVE), 1); /* l2 is shared */
}

static void old_failures_go(void **state)
{
    struct fixture *f = *state;
    image_mgr_start(f->m);
    f->runner_rc = -BERR_INVALID;
    build(f, "ml");
    image_collect(f->m);
    assert_int_equal(image_find(f->m, "ml", &f->err)->state, IMAGE_FAILED);
    f->runner_rc = 0;
    f->now_ms += 8ll * 24 * 3600 * 1000;
    image_collect(f->m);
    assert_null(image_find(f->m, "ml", &f->err));
}

static void restart_goes_on(void **state)
{
    struct fixture *f = *state;
    f->holds_runner = true;
    image_mgr_start(f->m);
    build(f, "ml");
    struct image making = f->image;
    image_mgr_free(f->m);
    f->m = mgr_new(f);
    assert_int_equal(image_mgr_load(f->m, &making, &f->err), 0);
    struct image leaving = making;
    leaving.id.v++;
    leaving.state = IMAGE_FAILED;
    leaving.layer_count = 1;
    snprintf(leaving.name, sizeof(leaving.name), "gone");
    snprintf(leaving.layers[0], sizeof(leaving.layers[0]), "%064d", 5);
    snprintf(leaving.reason, sizeof(leaving.reason), "being removed");
    assert_int_equal(image_mgr_load(f->m, &leaving, &f->err), 0);
    image_mgr_start(f->m);
    assert_int_equal(count_calls(f, WIRE_IMAGE_BUILD), 2);
    assert_int_equal(count_calls(f, WIRE_IMAGE_REMOVE), 1);
    answer(f, 0); /* the late answer of before finds nobody */
    for (size_t i = 1; i < 3; i++)
        answer(f, i);
    assert_int_equal(image_find(f->m, "ml", &f->err)->state, IMAGE_READY);
    assert_null(image_find(f->m, "gone", &f->err));
}

static void a_runner_that_is_away_is_waited_for(void **state)
{
    struct fixture *f = *state;
    f->holds_runner = true;
    f->runner_rc = -BERR_UNAVAILABLE;
    image_mgr_start(f->m);
    build(f, "ml");
    answer(f, 0);
    assert_int_equal(image_find(f->m, "ml", &f->err)->state, IMAGE_MAKING);
    f->runner_rc = 0;
    f->holds_runner = false;
    image_wait(f->m, f->image.id, on_done, f);
    wait_done(f, 2);
    assert_int_equal(f->image.state, IMAGE_READY);
}

static void what_is_not_durable_was_not(void **state)
{
    struct fixture *f = *state;
    image_mgr_start(f->m);
    f->fail_saves = -BERR_NO_SPACE;
    build(f, "ml");
    assert_int_equal(f->rc, -BERR_NO_SPACE);
    assert_null(image_find(f->m, "ml", &f->err));
    assert_int_equal(f->call_count, 0);
}

static void hints_at_names(void **state)
{
    struct fixture *f = *state;
    image_mgr_start(f->m);
    build(f, "vision");
    assert_null(image_find(f->m, "vison", &f->err));
    assert_non_null(strstr(f->err.hint, "vision"));
    char id[ID_TEXT_SIZE];
    assert_non_null(image_find(f->m, id_format(id, f->image.id.v), &f->err));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(builds),
        TEST(one_making_for_many),
        TEST(pulls),
        TEST(pull_failures_say_why),
        TEST(digests_are_checked),
        TEST(shared_layers_stay),
        TEST(used_ones_stay),
        TEST(newer_takes_the_name),
        TEST(old_failures_go),
        TEST(restart_goes_on),
        TEST(a_runner_that_is_away_is_waited_for),
        TEST(what_is_not_durable_was_not),
        TEST(hints_at_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
