/*
 * context: the file of logins, read and written whole.
 */
#include "cli/context.h"
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/alloc.h"
#include "base/buf.h"
#include "base/str.h"
#include "http/url.h"
#include "js/js.h"
#include "os/file.h"

#define FILE_MAX (256u << 10)

static const char *config_dir(struct arena *arena)
{
    const char *xdg = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    if (xdg && xdg[0] == '/')
        return arena_printf(arena, "%s/berth", xdg);
    if (!home || home[0] != '/') {
        const struct passwd *pw = getpwuid(geteuid());
        home = pw ? pw->pw_dir : "/";
    }
    return arena_printf(arena, "%s/.config/berth", home);
}

const char *cli_context_path(struct arena *arena)
{
    const char *dir = config_dir(arena);
    return dir ? arena_printf(arena, "%s/config.json", dir) : NULL;
}

static int read_doc(struct arena *arena, struct js_doc **ret, struct err *err)
{
    cleanup(mem_freep) char *text = NULL;
    size_t len = 0;
    struct err why = {0};
    const char *path = cli_context_path(arena);
    if (!path)
        return err_set(err, BERR_NOMEM, "out of memory");
    int rc = os_file_read(AT_FDCWD, path, FILE_MAX, &text, &len, &why);
    if (rc == -(int)BERR_NOT_FOUND) {
        *ret = NULL;
        return 0;
    }
    if (rc == 0)
        rc = js_parse_json(text, len, ret, &why);
    if (rc < 0) {
        if (err)
            *err = why;
        err_wrap(err, rc, "%s", path);
        return err_hint(err, "remove the file and log in again");
    }
    return 0;
}

int cli_context_read(const char *url, struct arena *arena, struct cli_context *ret, struct err *err)
{
    cleanup(js_doc_freep) struct js_doc *doc = NULL;
    struct cli_context ctx = {0};
    const char *env_url = getenv("BERTH_URL"), *token = getenv("BERTH_TOKEN");
    const char *ca = getenv("BERTH_CA");
    int rc = 0;
    if (!url && env_url && env_url[0])
        url = env_url;
    if (url)
        rc = cli_context_url(url, arena, &url, err);
    if (rc == 0)
        rc = read_doc(arena, &doc, err);
    if (rc < 0)
        return rc;
    yyjson_val *root = doc ? js_root(doc) : NULL;
    if (!url)
        url = js_get_str(root, "current");
    if (url) {
        yyjson_val *own = yyjson_obj_get(yyjson_obj_get(root, "contexts"), url);
        ctx.url = arena_strdup(arena, url);
        ctx.name = arena_strdup(arena, js_get_str(own, "name"));
        ctx.token = arena_strdup(arena, js_get_str(own, "token"));
        ctx.ca = arena_strdup(arena, js_get_str(own, "ca"));
    }
    if (token && token[0]) {
        ctx.token = token;
        ctx.name = NULL;
    }
    if (ca && ca[0])
        ctx.ca = ca;
    *ret = ctx;
    return 0;
}

/* ---- writing ---- */

static void put_context(struct js_writer *w, const struct cli_context *ctx)
{
    js_w_object(w, ctx->url);
    if (ctx->name)
        js_w_str(w, "name", ctx->name);
    if (ctx->token)
        js_w_str(w, "token", ctx->token);
    if (ctx->ca)
        js_w_str(w, "ca", ctx->ca);
    js_w_end_object(w);
}

/* The file's text with everything but the context of `url`, then `add`. */
static void put_file(struct buf *out, yyjson_val *root, const char *url,
                     const struct cli_context *add)
{
    struct js_writer w;
    size_t i, max;
    yyjson_val *key, *val;
    const char *current = add ? add->url : js_get_str(root, "current");
    js_w_init(&w, out);
    js_w_object(&w, NULL);
    if (current && (add || !str_is_equal(current, url)))
        js_w_str(&w, "current", current);
    js_w_object(&w, "contexts");
    yyjson_obj_foreach(yyjson_obj_get(root, "contexts"), i, max, key, val)
    {
        struct cli_context ctx = {.url = yyjson_get_str(key),
                                  .name = js_get_str(val, "name"),
                                  .token = js_get_str(val, "token"),
                                  .ca = js_get_str(val, "ca")};
        if (!str_is_equal(ctx.url, url))
            put_context(&w, &ctx);
    }
    if (add)
        put_context(&w, add);
    js_w_end_object(&w);
    js_w_end_object(&w);
    buf_putc(out, '\n');
}

static int rewrite(const char *url, const struct cli_context *add, struct err *err)
{
    struct arena arena = ARENA(1u << 20);
    cleanup(js_doc_freep) struct js_doc *doc = NULL;
    cleanup(buf_done) struct buf out = BUF(FILE_MAX);
    const char *dir = config_dir(&arena), *path = cli_context_path(&arena);
    int rc = dir && path ? read_doc(&arena, &doc, err) : err_set(err, BERR_NOMEM, "out of memory");
    if (rc == 0)
        put_file(&out, doc ? js_root(doc) : NULL, url, add);
    if (rc == 0 && buf_is_failed(&out))
        rc = err_set(err, BERR_NOMEM, "out of memory");
    if (rc == 0)
        rc = os_dir_make(AT_FDCWD, dir, 0700, NULL, err);
    if (rc == 0)
        rc = os_file_write(AT_FDCWD, path, out.data, out.len, 0600, err);
    arena_done(&arena);
    return rc;
}

int cli_context_write(const struct cli_context *ctx, struct err *err)
{
    return rewrite(ctx->url, ctx, err);
}

int cli_context_remove(const char *url, struct err *err)
{
    return rewrite(url, NULL, err);
}

int cli_context_url(const char *text, struct arena *arena, const char **ret, struct err *err)
{
    struct url_base base;
    size_t len = strlen(text);
    while (len && text[len - 1] == '/')
        len--;
    const char *scheme = strstr(text, "://") ? "" : "https://";
    char *url = arena_printf(arena, "%s%.*s", scheme, (int)len, text);
    if (!url)
        return err_set(err, BERR_NOMEM, "out of memory");
    if (url_parse_base(url, &base, &(struct err){0}) < 0) {
        err_set(err, BERR_INVALID, "\"%.200s\" is not the address of a berth", text);
        return err_hint(err, "it looks like https://host:8443");
    }
    *ret = url;
    return 0;
}
