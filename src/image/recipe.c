#include "image/recipe.h"
#include <stdlib.h>
#include <string.h>
#include "base/alloc.h"
#include "base/str.h"

#define RECIPE_BYTES 512 /* what a row's source holds */
#define PACKAGES_MAX 500

/* Of the canonical text; the request's own table is the API's. */
static const struct js_field build_fields[] = {
    {"from", JS_STR, offsetof(struct image_build_spec, from), .flags = JS_REQUIRED, .max = 64},
    {"packages", JS_STRS, offsetof(struct image_build_spec, packages), .max = PACKAGES_MAX},
    {"pip", JS_STRS, offsetof(struct image_build_spec, pip), .max = PACKAGES_MAX},
};
static const struct js_table recipe_table =
    JS_TABLE("Recipe", struct image_build_spec, build_fields);

static const char *const froms[] = {"debian:bookworm", "debian:trixie"};

static int no_memory(struct err *err)
{
    return err_set(err, BERR_NOMEM, "out of memory");
}

static int from_check(const char *from, const char **ret_suite, struct err *err)
{
    for (size_t i = 0; i < ARRAY_LEN(froms); i++) {
        if (str_is_equal(from, froms[i])) {
            *ret_suite = strchr(froms[i], ':') + 1;
            return 0;
        }
    }
    int rc = err_set(err, BERR_INVALID, "cannot build from %.60s", from != NULL ? from : "nothing");
    err_at(err, "from", 0, 0);
    err_hint(err, "use debian:bookworm or debian:trixie");
    return rc;
}

static int names_check(const struct js_strs *names, bool (*is_name)(const char *),
                       const char *field, const char *want, struct err *err)
{
    if (names->len > PACKAGES_MAX)
        return err_set(err, BERR_TOO_LARGE, "more than %d %s", PACKAGES_MAX, field);
    for (size_t i = 0; i < names->len; i++) {
        if (is_name(names->items[i]))
            continue;
        char at[64];
        int rc = err_set(err, BERR_INVALID, "%.80s is not %s", names->items[i], want);
        snprintf(at, sizeof(at), "%s[%zu]", field, i);
        err_at(err, at, 0, 0);
        return rc;
    }
    return 0;
}

static int name_compare(const void *a, const void *b)
{
    const char *const *x = a, *const *y = b;
    return strcmp(*x, *y);
}

/* A copy, with each name once. */
static int names_copy(const struct js_strs *from, bool sorted, struct arena *arena,
                      struct js_strs *ret, struct err *err)
{
    const char **items = arena_array(arena, from->len + 1, sizeof(*items));
    size_t count = 0;
    if (items == NULL)
        return no_memory(err);
    for (size_t i = 0; i < from->len; i++) {
        size_t k = 0;
        while (k < count && strcmp(items[k], from->items[i]) != 0)
            k++;
        if (k == count && (items[count++] = arena_strdup(arena, from->items[i])) == NULL)
            return no_memory(err);
    }
    if (sorted && count > 1)
        qsort(items, count, sizeof(*items), name_compare);
    *ret = (struct js_strs){.items = items, .len = count};
    return 0;
}

static void list_write(struct js_writer *w, const char *key, const struct js_strs *list)
{
    js_w_array(w, key);
    for (size_t i = 0; i < list->len; i++)
        js_w_str(w, NULL, list->items[i]);
    js_w_end_array(w);
}

static int recipe_name(struct recipe *r, const char *from, uint64_t nonce, struct arena *arena,
                       struct err *err)
{
    cleanup(buf_done) struct buf text = BUF(64 * 1024);
    struct js_writer w;
    struct digest d;
    js_w_init(&w, &text);
    js_w_object(&w, NULL);
    js_w_str(&w, "from", from);
    list_write(&w, "packages", &r->packages);
    list_write(&w, "pip", &r->pip);
    if (nonce != 0)
        js_w_u64(&w, "nonce", nonce);
    js_w_end_object(&w);
    if (buf_is_failed(&text))
        return no_memory(err);
    if (text.len >= RECIPE_BYTES) {
        int rc = err_set(err, BERR_TOO_LARGE, "the list of packages has more than %d bytes",
                         RECIPE_BYTES);
        err_hint(err, "leave out packages that others depend on anyway");
        return rc;
    }
    r->text = arena_strdup(arena, buf_str(&text));
    int rc = r->text != NULL ? digest_of(text.data, text.len, &d, err) : no_memory(err);
    if (rc == 0)
        digest_hex(r->layer, &d);
    return rc;
}

int recipe_make(const struct image_build_spec *spec, uint64_t nonce, struct arena *arena,
                struct recipe *ret, struct err *err)
{
    struct recipe r = {0};
    int rc = from_check(spec->from, &r.suite, err);
    if (rc == 0)
        rc = names_check(&spec->packages, wire_is_deb_name, "packages",
                         "the name of a Debian package", err);
    if (rc == 0)
        rc = names_check(&spec->pip, wire_is_pip_name, "pip", "a name or name==version", err);
    if (rc == 0)
        rc = names_copy(&spec->packages, true, arena, &r.packages, err);
    if (rc == 0)
        rc = names_copy(&spec->pip, false, arena, &r.pip, err);
    if (rc == 0)
        rc = recipe_name(&r, spec->from, nonce, arena, err);
    if (rc == 0)
        *ret = r;
    return rc;
}

int recipe_read(const char *text, struct arena *arena, struct recipe *ret, struct err *err)
{
    cleanup(js_doc_freep) struct js_doc *doc = NULL;
    struct image_build_spec spec = {0};
    int rc = js_parse_json(text, strlen(text), &doc, err);
    if (rc == 0)
        rc = js_decode_own(doc, js_root(doc), &recipe_table, arena, &spec, err);
    if (rc != 0)
        return rc;
    uint64_t nonce = yyjson_get_uint(yyjson_obj_get(js_root(doc), "nonce"));
    return recipe_make(&spec, nonce, arena, ret, err);
}

int image_ref_parse(const char *ref, char name[64], char tag[129], struct err *err)
{
    char n[64], t[129];
    const char *colon = strchr(ref, ':');
    size_t len = colon != NULL ? (size_t)(colon - ref) : strlen(ref);
    snprintf(n, sizeof(n), "%.*s", (int)(len < sizeof(n) ? len : sizeof(n) - 1), ref);
    snprintf(t, sizeof(t), "%s", colon != NULL ? colon + 1 : "latest");
    if (len >= sizeof(n) || !str_is_label(n) || !str_is_tag(t) ||
        (colon != NULL && strlen(colon + 1) >= sizeof(t))) {
        int rc = err_set(err, BERR_INVALID, "%.80s is no name of an image", ref);
        err_at(err, "name", 0, 0);
        err_hint(err, "use name or name:tag, the name of lower-case letters, digits and -");
        return rc;
    }
    str_copy(name, 64, n);
    str_copy(tag, 129, t);
    return 0;
}
