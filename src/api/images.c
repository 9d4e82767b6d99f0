/*
 * images: building, pulling, listing, removing.
 */
#include <string.h>
#include "api/call.h"
#include "base/alloc.h"
#include "base/str.h"
#include "base/units.h"
#include "image/image.h"

static void put_image(struct js_writer *w, struct api_call *call, const struct image *i)
{
    char text[UNITS_TEXT_MAX];
    const struct user *owner = auth_find_user(call->api->cfg.auth, i->owner);
    js_w_object(w, NULL);
    js_w_id(w, "id", i->id.v);
    js_w_str(w, "name", i->name);
    js_w_str(w, "tag", i->tag);
    js_w_str(w, "state", image_state_names[i->state]);
    js_w_str(w, "reason", i->reason);
    if (i->state == IMAGE_MAKING)
        js_w_str(w, "progress", image_progress(call->api->cfg.images, i->id));
    js_w_str(w, "source", i->source);
    js_w_str(w, "digest", i->digest[0] ? i->digest : NULL);
    js_w_i64(w, "layers", i->layer_count);
    js_w_u64(w, "size_bytes", i->size_bytes);
    js_w_str(w, "size", units_human_bytes(text, i->size_bytes));
    js_w_str(w, "owner", owner ? owner->name : NULL);
    js_w_time(w, "created", i->created_ms);
    js_w_time(w, "used", i->used_ms);
    js_w_end_object(w);
}

static int may(struct api_call *call, enum auth_verb verb, struct user_id owner, struct err *err)
{
    struct auth_target target = {.kind = AUTH_KIND_IMAGE, .owner = owner};
    return auth_check(call->api->cfg.auth, &call->who, verb, &target, err);
}

static void reply_image(void *arg, int rc, const struct image *image, const struct err *err)
{
    struct api_call *call = arg;
    if (rc < 0) {
        api_fail(call, err);
        return;
    }
    struct buf out = BUF(1u << 20);
    struct js_writer w;
    js_w_init(&w, &out);
    put_image(&w, call, image);
    api_reply_json(call, call->route->status ? call->route->status : 200, &out);
}

static void get_images(struct http_request *req, void *arg)
{
    struct api *api = arg;
    struct api_call *call = api_call(req);
    struct buf out = BUF(16u << 20);
    struct js_writer w;
    const struct image *i;
    js_w_init(&w, &out);
    js_w_object(&w, NULL);
    js_w_array(&w, "items");
    for (size_t n = 0; (i = image_next(api->cfg.images, &n));)
        if (may(call, AUTH_VIEW, i->owner, NULL) == 0)
            put_image(&w, call, i);
    js_w_end_array(&w);
    js_w_end_object(&w);
    api_reply_json(call, 200, &out);
}

/* By name, name:tag or id; NULL when the request has been answered. */
static const struct image *find(struct api_call *call, enum auth_verb verb)
{
    struct err err = {0};
    const struct image *i = image_find(call->api->cfg.images, call->req->params[0], &err);
    if (i && may(call, verb, i->owner, &err) == 0)
        return i;
    api_fail(call, &err);
    return NULL;
}

static void get_image(struct http_request *req, void *arg)
{
    struct api_call *call = api_call(req);
    const struct image *i = find(call, AUTH_VIEW);
    (void)arg;
    if (i)
        reply_image(call, 0, i, NULL);
}

static void removed(void *arg, int rc, const struct image *image, const struct err *err)
{
    (void)image;
    api_done_empty(arg, rc, 0, err);
}

static void delete_image(struct http_request *req, void *arg)
{
    struct api *api = arg;
    struct api_call *call = api_call(req);
    const struct image *i = find(call, AUTH_REMOVE);
    if (i)
        image_remove(api->cfg.images, i->id, removed, call);
}

/* ---- making ---- */

struct build_in {
    const char *name;
    struct image_build_spec spec;
};
static const struct js_field build_fields[] = {
    {.name = "name",
     .type = JS_STR,
     .offset = offsetof(struct build_in, name),
     .flags = JS_REQUIRED,
     .min = 1,
     .max = 192,
     .doc = "name or name:tag"},
    {.name = "from",
     .type = JS_STR,
     .offset = offsetof(struct build_in, spec.from),
     .flags = JS_REQUIRED,
     .max = 64,
     .doc = "debian:bookworm or debian:trixie"},
    {.name = "packages",
     .type = JS_STRS,
     .offset = offsetof(struct build_in, spec.packages),
     .doc = "Debian packages"},
    {.name = "pip",
     .type = JS_STRS,
     .offset = offsetof(struct build_in, spec.pip),
     .doc = "Python packages, name or name==version"},
    {.name = "no_cache",
     .type = JS_BOOL,
     .offset = offsetof(struct build_in, spec.no_cache),
     .doc = "build even when the same recipe has been built"},
};
static const struct js_table build_table = JS_TABLE("ImageBuild", struct build_in, build_fields);

struct pull_in {
    const char *reference, *name;
};
static const struct js_field pull_fields[] = {
    {.name = "reference",
     .type = JS_STR,
     .offset = offsetof(struct pull_in, reference),
     .flags = JS_REQUIRED,
     .min = 1,
     .max = 511,
     .doc = "registry/repository:tag"},
    {.name = "name",
     .type = JS_STR,
     .offset = offsetof(struct pull_in, name),
     .max = 192,
     .doc = "name or name:tag here; default: the last part of the reference"},
};
static const struct js_table pull_table = JS_TABLE("ImagePull", struct pull_in, pull_fields);

static void post_build(struct http_request *req, void *arg)
{
    struct api *api = arg;
    struct api_call *call = api_call(req);
    const struct build_in *in = call->in;
    struct err err = {0};
    if (may(call, AUTH_CREATE, call->who.user, &err) < 0)
        api_fail(call, &err);
    else
        image_build(api->cfg.images, in->name, &in->spec, call->who.user, reply_image, call);
}

static void post_pull(struct http_request *req, void *arg)
{
    struct api *api = arg;
    struct api_call *call = api_call(req);
    const struct pull_in *in = call->in;
    struct err err = {0};
    if (may(call, AUTH_CREATE, call->who.user, &err) < 0)
        api_fail(call, &err);
    else
        image_pull(api->cfg.images, in->reference, in->name, call->who.user, reply_image, call);
}

const struct http_route api_image_routes[] = {
    {"GET", "/api/v1/images", get_images, ACCESS_USER, NULL, NULL, true, "Images", NULL, 0},
    {"POST", "/api/v1/images/build", post_build, ACCESS_USER, &build_table, NULL, false,
     "Make an image from Debian and Python packages", NULL, 202},
    {"POST", "/api/v1/images/pull", post_pull, ACCESS_USER, &pull_table, NULL, false,
     "Copy an image from a registry", NULL, 202},
    {"GET", "/api/v1/images/:image", get_image, ACCESS_USER, NULL, NULL, false,
     "Show one, by name, name:tag or id", NULL, 0},
    {"DELETE", "/api/v1/images/:image", delete_image, ACCESS_USER, NULL, NULL, false,
     "Remove one that nobody uses", NULL, 204},
};
const size_t api_image_route_count = ARRAY_LEN(api_image_routes);
