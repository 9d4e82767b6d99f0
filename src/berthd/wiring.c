/*
 * wiring: birth in the order of the layers, death in the other.
 */
#include "berthd/wiring.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "base/alloc.h"
#include "base/log.h"
#include "base/str.h"
#include "ev/work.h"
#include "os/file.h"

#define HOME_BYTES      (50ull << 30)  /* of a new home: sparse, grows as it is filled */
#define LOG_MAX_BYTES   (256ull << 20) /* of a task */
#define FINISHED_KEPT   2000
#define HOUSEKEEPING_MS 60000
#define UNUSED_CODE_MS  (7 * 24 * 3600 * 1000ll)

static const char *path_in(const struct berthd *d, const char *rest, char dst[4096])
{
    snprintf(dst, 4096, "%s/%s", d->opt.data_dir, rest);
    return dst;
}

/* ---- configuration ---- */

static int read_instance(struct berthd *d, struct err *err)
{
    char *text = NULL;
    size_t len = 0;
    struct js_doc *doc = NULL;
    int dir = open(d->opt.data_dir, O_DIRECTORY | O_PATH | O_CLOEXEC);
    if (dir < 0)
        return err_errno(err, errno, "data directory %s", d->opt.data_dir);
    str_copy(d->domain, sizeof(d->domain), "localhost");
    int rc = os_file_read(dir, "instance.json", 65536, &text, &len, err);
    close(dir);
    if (rc == 0)
        rc = js_parse_json(text, len, &doc, err);
    if (rc == 0) {
        const char *domain = js_get_str(js_root(doc), "domain");
        if (domain)
            str_copy(d->domain, sizeof(d->domain), domain);
    }
    js_doc_free(doc);
    mem_free(text);
    return rc < 0 ? err_wrap(err, rc, "instance.json") : 0;
}

/* ---- parts ---- */

static int open_store(struct berthd *d, struct err *err)
{
    char path[4096];
    struct store_config cfg = {.driver = "sqlite", .path = path_in(d, "db/berth.db", path)};
    return store_open(&cfg, d->loop, &d->store, err);
}

static int open_images(struct berthd *d, struct err *err)
{
    char path[4096];
    struct image_config cfg = {
        .loop = d->loop,
        .data_dir = d->opt.data_dir,
        .clock = d->clock,
        .random = berthd_random,
        .ops = berthd_image_ops(d),
    };
    int rc = image_mgr_new(&cfg, &d->images, err);
    if (rc == 0)
        rc = blob_fs_open(path_in(d, "blobs", path), &d->blobs, err);
    if (rc == 0)
        rc = tree_set_open(path_in(d, "trees", path), d->blobs, &d->trees, err);
    return rc;
}

static int load_image(void *arg, const struct image *image)
{
    return image_mgr_load(((struct berthd *)arg)->images, image, NULL);
}

static int open_control(struct berthd *d, struct err *err)
{
    struct control_config cfg = {
        .clock = d->clock,
        .store = d->store,
        .auth = d->auth,
        .hooks = berthd_hooks(d),
        .random = berthd_random,
        .log_max_bytes = LOG_MAX_BYTES,
        .home_bytes = HOME_BYTES,
        .finished_kept = FINISHED_KEPT,
    };
    struct store_visitor others = {.arg = d, .image = load_image};
    sched_policy_default(&cfg.policy);
    int rc = control_new(&cfg, &d->control, err);
    if (rc == 0)
        rc = control_load(d->control, &others, err);
    return rc;
}

static int open_doors(struct berthd *d, struct err *err)
{
    char path[4096];
    struct link_config link = {.control = d->control,
                               .auth = d->auth,
                               .clock = d->clock,
                               .socket = path_in(d, "run/control.sock", path)};
    int rc = link_new(d->loop, &link, &d->link, err);
    struct api_config api = {
        .loop = d->loop,
        .control = d->control,
        .auth = d->auth,
        .store = d->store,
        .clock = d->clock,
        .link = d->link,
        .images = d->images,
        .blobs = d->blobs,
        .trees = d->trees,
        .data_dir = d->opt.data_dir,
        .version = BERTH_VERSION,
        .domain = d->domain,
        .random = berthd_random,
    };
    if (rc == 0)
        rc = api_new(&api, &d->api, err);
    struct http_server_config server = {.handler = api_handle, .arg = d->api, .trust_peer = true};
    if (rc == 0 && !(d->server = http_server_new(d->loop, &server)))
        rc = err_set(err, BERR_NOMEM, "out of memory");
    struct ev_address at = {.unix_path = path_in(d, "run/berthd.sock", path)};
    if (rc == 0)
        rc = http_server_listen(d->server, &at, 0660, NULL, NULL, err);
    return rc;
}

static int open_site(struct berthd *d, struct err *err)
{
    char path[4096];
    struct engine_config cfg = {
        .site = "local",
        .data_dir = d->opt.data_dir,
        .socket = path_in(d, "run/runner.sock", path),
        .clock = d->clock,
    };
    return control_add_site(d->control, d->opt.engine, &cfg, d->loop, err);
}

/* ---- life ---- */

static void on_tick(void *arg)
{
    struct berthd *d = arg;
    int64_t wait = control_tick(d->control);
    ev_timer_start(d->tick, wait, 0);
}

struct collecting {
    struct berthd *d;
    struct digest *used;
    size_t used_count;
    int64_t before_ms;
};

static bool is_used(void *arg, const struct digest *digest)
{
    const struct collecting *c = arg;
    for (size_t i = 0; i < c->used_count; i++)
        if (digest_is_equal(&c->used[i], digest))
            return true;
    return false;
}

static void collect_run(void *message)
{
    struct collecting *c = message;
    struct err err = {0};
    uint64_t freed = 0;
    if (tree_set_collect(c->d->trees, c->before_ms, is_used, c, &freed, &err) < 0)
        log_err(LOG_WARN, &err, "collecting old code", NULL);
}

static void collect_done(void *message)
{
    struct collecting *c = message;
    mem_free(c->used);
    mem_free(c);
}

/* Code that no live workload needs and nobody sent for a week. */
static void collect_code(struct berthd *d)
{
    struct err err = {0};
    struct collecting *c = mem_calloc(1, sizeof(*c));
    size_t count = 0;
    const struct workload *w;
    for (size_t i = 0; control_next(d->control, &i);)
        count++;
    struct digest *used = c ? mem_calloc(count + 1, sizeof(*used)) : NULL;
    if (!used) {
        mem_free(c);
        return;
    }
    *c = (struct collecting){
        .d = d, .used = used, .before_ms = d->clock->wall_ms(d->clock->arg) - UNUSED_CODE_MS};
    for (size_t i = 0; (w = control_next(d->control, &i));)
        if (w->spec->code && digest_parse(w->spec->code, &used[c->used_count]))
            c->used_count++;
    if (ev_work(d->loop, collect_run, collect_done, c, &err) < 0)
        collect_done(c);
}

static void on_housekeeping(void *arg)
{
    struct berthd *d = arg;
    image_collect(d->images);
    collect_code(d);
}

static void on_signal(void *arg, int signum)
{
    struct berthd *d = arg;
    (void)signum;
    log_info("ending", NULL);
    ev_loop_stop(d->loop);
}

static int start_timers(struct berthd *d, struct err *err)
{
    d->tick = ev_timer_new(d->loop, on_tick, d);
    d->housekeeping = ev_timer_new(d->loop, on_housekeeping, d);
    if (!d->tick || !d->housekeeping)
        return err_set(err, BERR_NOMEM, "out of memory");
    ev_timer_start(d->tick, 0, 0);
    ev_timer_start(d->housekeeping, HOUSEKEEPING_MS, HOUSEKEEPING_MS);
    int rc = ev_signal(d->loop, SIGTERM, on_signal, d, err);
    return rc < 0 ? rc : ev_signal(d->loop, SIGINT, on_signal, d, err);
}

int berthd_init(struct berthd *d, const struct berthd_options *opt, struct err *err)
{
    memset(d, 0, sizeof(*d));
    d->opt = *opt;
    d->clock = os_clock_real();
    struct auth_config auth_cfg = {0};
    int rc = read_instance(d, err);
    if (rc == 0)
        rc = ev_loop_new(&d->loop, err);
    if (rc == 0)
        rc = open_store(d, err);
    if (rc == 0)
        rc = auth_new(&auth_cfg, d->loop, &d->auth, err);
    if (rc == 0)
        rc = open_images(d, err);
    if (rc == 0)
        rc = open_control(d, err);
    if (rc == 0)
        rc = berthd_first_login(d, err);
    if (rc == 0)
        rc = open_doors(d, err);
    if (rc == 0)
        rc = start_timers(d, err);
    if (rc == 0)
        rc = open_site(d, err);
    if (rc == 0)
        rc = berthd_connect_runner(d, err);
    return rc;
}

void berthd_run(struct berthd *d)
{
    log_info("berthd answers", "data", d->opt.data_dir, "engine", d->opt.engine, NULL);
    ev_loop_run(d->loop);
}

/* Work and connections are left as they are: the next start finds them. */
void berthd_done(struct berthd *d)
{
    if (d->server)
        http_server_free(d->server);
    d->api = api_free(d->api);
    d->link = link_free(d->link);
    d->runner = local_link_free(d->runner);
    ev_timer_free(d->tick);
    ev_timer_free(d->housekeeping);
    d->tick = NULL;
    d->control = control_free(d->control);
    d->images = image_mgr_free(d->images);
    d->trees = tree_set_free(d->trees);
    d->blobs = blob_store_free(d->blobs);
    d->auth = auth_free(d->auth);
    if (d->store)
        d->store = store_close(d->store);
    d->loop = ev_loop_free(d->loop);
}
