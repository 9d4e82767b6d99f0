/* How an event looks in the API and in the watch stream. */
#include "types/event.h"

#include <string.h>

static void *arena_yy_malloc(void *ctx, size_t size)
{
    return arena_alloc(ctx, size);
}

static void *arena_yy_realloc(void *ctx, void *ptr, size_t old_size, size_t size)
{
    void *bigger = arena_alloc(ctx, size);
    if (bigger != NULL && ptr != NULL)
        memcpy(bigger, ptr, old_size < size ? old_size : size);
    return bigger;
}

static void arena_yy_free(void *ctx, void *ptr)
{
}

static void put_data(const struct js_field *f, const void *src, struct buf *out)
{
    const char *data = *(const char *const *)src;
    if (data != NULL)
        buf_puts(out, data);
}

/* The object's text again, compact. */
static int get_data(struct js_ctx *ctx, const struct js_field *f, yyjson_val *val, void *dst)
{
    if (!yyjson_is_obj(val))
        return js_ctx_fail(ctx, val, "expected an object");
    const yyjson_alc alc = {.malloc = arena_yy_malloc,
                            .realloc = arena_yy_realloc,
                            .free = arena_yy_free,
                            .ctx = js_ctx_arena(ctx)};
    char *text = yyjson_val_write_opts(val, YYJSON_WRITE_NOFLAG, &alc, NULL, NULL);
    if (text == NULL)
        return js_ctx_nomem(ctx);
    *(const char **)dst = text;
    return 0;
}

static const struct js_field event_fields[] = {
    {"seq", JS_U64, offsetof(struct event, seq), .flags = JS_REQUIRED,
     .doc = "its number: 1, 2, 3, … over the whole installation, without gaps"},
    {"time", JS_TIME, offsetof(struct event, time_ms)},
    {"type", JS_STR, offsetof(struct event, type), .flags = JS_REQUIRED,
     .doc = "what kind of thing happened", .example = "\"workload.state\""},
    {"subject", JS_ID, offsetof(struct event, subject),
     .doc = "the thing it happened to; null: the installation"},
    {"subject_kind", JS_STR, offsetof(struct event, subject_kind), .example = "\"workload\""},
    {"project", JS_ID, offsetof(struct event, project),
     .doc = "whose members may read it; null: cluster admins only"},
    {"actor", JS_ID, offsetof(struct event, actor), .doc = "the user; null: berth itself"},
    {"text", JS_STR, offsetof(struct event, text), .max = 4096, .doc = "in words"},
    {"data", JS_CUSTOM, offsetof(struct event, data), .flags = JS_NULLABLE, .decode = get_data,
     .encode = put_data, .schema = "{\"type\":[\"object\",\"null\"]}", .doc = "details, by type"},
};
const struct js_table event_table = JS_TABLE("Event", struct event, event_fields);
