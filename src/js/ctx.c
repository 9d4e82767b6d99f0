/* Where a decode is: the path to the value at hand, and errors that say so. */
#include "js/internal.h"

#include <stdio.h>

size_t js_ctx_push(struct js_ctx *ctx, const char *name)
{
    size_t before = ctx->path_len, room = sizeof(ctx->path) - before;
    int len = snprintf(ctx->path + before, room, "%s%s", before == 0 ? "" : ".", name);
    ctx->path_len += (size_t)len < room ? (size_t)len : room - 1;
    return before;
}

size_t js_ctx_push_index(struct js_ctx *ctx, size_t index)
{
    size_t before = ctx->path_len, room = sizeof(ctx->path) - before;
    int len = snprintf(ctx->path + before, room, "[%zu]", index);
    ctx->path_len += (size_t)len < room ? (size_t)len : room - 1;
    return before;
}

void js_ctx_pop(struct js_ctx *ctx, size_t before)
{
    ctx->path_len = before;
    ctx->path[before] = '\0';
}

int js_ctx_nomem(struct js_ctx *ctx)
{
    return js_nomem(ctx->err);
}

int js_ctx_fail(struct js_ctx *ctx, yyjson_val *val, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int rc = err_setv(ctx->err, BERR_INVALID, fmt, ap);
    va_end(ap);
    int line, col;
    js_where(ctx->doc, val, &line, &col);
    err_at(ctx->err, ctx->path, line, col);
    return rc;
}

int js_ctx_hint(struct js_ctx *ctx, const char *fmt, ...)
{
    char hint[ERR_TEXT_MAX];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(hint, sizeof(hint), fmt, ap);
    va_end(ap);
    err_hint(ctx->err, "%s", hint);
    return ctx->err == NULL ? -BERR_INVALID : -(int)ctx->err->code;
}

struct arena *js_ctx_arena(struct js_ctx *ctx)
{
    return ctx->arena;
}

const char *js_ctx_describe(struct js_ctx *ctx, const struct js_field *f, yyjson_val *val,
                            char *dst, size_t dst_size)
{
    size_t token_len;
    const char *token;
    switch (yyjson_get_type(val)) {
    case YYJSON_TYPE_NULL:
        return "null";
    case YYJSON_TYPE_ARR:
        return "a list";
    case YYJSON_TYPE_OBJ:
        return "an object";
    case YYJSON_TYPE_BOOL:
        return yyjson_get_bool(val) ? "true" : "false";
    case YYJSON_TYPE_NUM:
        if (f->flags & JS_SECRET)
            return "a number";
        token = js_token(ctx->doc, val, &token_len);
        if (token == NULL)
            return "a number";
        snprintf(dst, dst_size, "%.*s", token_len > 40 ? 40 : (int)token_len, token);
        return dst;
    default:
        if (f->flags & JS_SECRET)
            return "text";
        snprintf(dst, dst_size, "\"%.60s\"", yyjson_get_str(val));
        return dst;
    }
}

int js_ctx_fail_type(struct js_ctx *ctx, const struct js_field *f, yyjson_val *val,
                     const char *expected)
{
    char found[80];
    return js_ctx_fail(ctx, val, "expected %s, found %s", expected,
                       js_ctx_describe(ctx, f, val, found, sizeof(found)));
}
