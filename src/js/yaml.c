/*
 * YAML text into a document: libyaml's events become a mutable yyjson tree with the byte offset of
 * every value beside it, in the order of the text, which is also the order of the values in the
 * immutable copy made at the end. Plain scalars follow the YAML 1.2 core schema (section 10.3.2),
 * but .inf and .nan, which JSON cannot say, stay text.
 */
#include "js/internal.h"

#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>
#include "base/alloc.h"
#include "base/limits.h"
#include "base/str.h"
#include "base/vec.h"

struct anchor {
    char *name;
    yyjson_mut_val *val;
    size_t first, count; /* its range of offsets */
    int height;          /* levels of containers in it; 0 for a scalar */
};

struct frame { /* an open list or object */
    yyjson_mut_val *container;
    yyjson_mut_val *key; /* of an object: the key that waits for its value */
    char *anchor;        /* owned */
    size_t first;
    int height;
};

struct builder {
    struct js_doc *doc;
    struct err *err;
    yaml_parser_t parser;
    yyjson_mut_doc *tree;
    yyjson_mut_val *root;
    VEC(uint32_t) offsets;
    VEC(struct anchor) anchors;
    struct frame frames[LIMIT_DOC_DEPTH];
    int depth;
    int alias_count;
    size_t bom_bytes;                /* of a byte order mark, which libyaml never gets to see */
    size_t cursor_byte, cursor_char; /* where the last mark was, to find the next one's byte */
};

/* ---- plain scalars ---- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_one_of(const char *s, const char *const *words)
{
    for (; *words != NULL; words++) {
        if (strcmp(s, *words) == 0)
            return true;
    }
    return false;
}

/* 0o17 and 0x1F; no sign by the core schema */
static bool parse_based(const char *s, uint64_t *ret)
{
    if (s[0] != '0' || (s[1] != 'o' && s[1] != 'x') || s[2] == '\0')
        return false;
    int bits = s[1] == 'o' ? 3 : 4;
    uint64_t v = 0;
    for (s += 2; *s != '\0'; s++) {
        int digit = is_digit(*s)                           ? *s - '0'
                    : (*s | 32) >= 'a' && (*s | 32) <= 'f' ? (*s | 32) - 87
                                                           : 99;
        if (digit >= 1 << bits || v >> (64 - bits) != 0)
            return false;
        v = v << bits | (uint64_t)digit;
    }
    *ret = v;
    return true;
}

/* [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )? */
static bool is_float(const char *s)
{
    if (*s == '-' || *s == '+')
        s++;
    size_t before = strspn(s, "0123456789"), after = 0;
    s += before;
    if (*s == '.') {
        after = strspn(s + 1, "0123456789");
        s += 1 + after;
    }
    if (before + after == 0)
        return false;
    if (*s == 'e' || *s == 'E') {
        s++;
        if (*s == '-' || *s == '+')
            s++;
        size_t digits = strspn(s, "0123456789");
        if (digits == 0)
            return false;
        s += digits;
    }
    return *s == '\0';
}

static yyjson_mut_val *make_plain(yyjson_mut_doc *tree, const char *s, size_t len)
{
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
    static const char *const trues[] = {"true", "True", "TRUE", NULL};
    static const char *const falses[] = {"false", "False", "FALSE", NULL};
    if (is_one_of(s, nulls))
        return yyjson_mut_null(tree);
    if (is_one_of(s, trues))
        return yyjson_mut_true(tree);
    if (is_one_of(s, falses))
        return yyjson_mut_false(tree);
    uint64_t u;
    int64_t i;
    if (str_parse_u64(s + (*s == '+'), &u) || parse_based(s, &u))
        return yyjson_mut_uint(tree, u);
    if (str_parse_i64(s, &i))
        return yyjson_mut_sint(tree, i);
    if (is_float(s)) {
        locale_t c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0); /* static in glibc */
        double real = c_locale == (locale_t)0 ? strtod(s, NULL) : strtod_l(s, NULL, c_locale);
        if (c_locale != (locale_t)0)
            freelocale(c_locale);
        if (real - real == 0) /* finite */
            return yyjson_mut_real(tree, real);
    }
    return yyjson_mut_strncpy(tree, s, len);
}

/* ---- errors and positions ---- */

static size_t byte_of(struct builder *b, const yaml_mark_t *mark)
{
    const struct js_doc *doc = b->doc;
    while (b->cursor_char < mark->index && b->cursor_byte < doc->source_len) {
        b->cursor_byte += str_utf8_len(doc->source + b->cursor_byte, 4);
        b->cursor_char++;
    }
    return b->cursor_byte;
}

static int fail(struct builder *b, const yaml_mark_t *mark, const char *fmt, ...) PRINTF_LIKE(3, 4);

static int fail(struct builder *b, const yaml_mark_t *mark, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    err_setv(b->err, BERR_INVALID, fmt, ap);
    va_end(ap);
    err_at(b->err, "", (int)mark->line + 1, (int)mark->column + 1);
    return -BERR_INVALID;
}

static int fail_at_byte(struct builder *b, size_t offset, const char *problem)
{
    int line, col;
    js_line_col(b->doc, offset, &line, &col);
    err_set(b->err, BERR_INVALID, "bad YAML: %s", problem);
    err_at(b->err, "", line, col);
    return -BERR_INVALID;
}

static int next_event(struct builder *b, yaml_event_t *event)
{
    if (yaml_parser_parse(&b->parser, event))
        return 0;
    const yaml_parser_t *p = &b->parser;
    if (p->error == YAML_MEMORY_ERROR)
        return js_nomem(b->err);
    if (p->error == YAML_READER_ERROR) /* has an offset instead of a mark */
        return fail_at_byte(b, b->bom_bytes + p->problem_offset, p->problem);
    fail(b, &p->problem_mark, "bad YAML: %s", p->problem == NULL ? "cannot read it" : p->problem);
    if (b->doc->source[byte_of(b, &p->problem_mark)] == '\t')
        err_hint(b->err, "indent with blanks, not with tabs");
    return -BERR_INVALID;
}

static int count_value(struct builder *b, size_t offset)
{
    if (b->offsets.len >= LIMIT_DOC_NODES)
        return err_set(b->err, BERR_TOO_LARGE, "more than %d values in one document",
                       LIMIT_DOC_NODES);
    uint32_t *slot = vec_push(&b->offsets);
    if (slot == NULL)
        return js_nomem(b->err);
    *slot = (uint32_t)offset;
    return 0;
}

/* ---- anchors ---- */

static struct anchor *find_anchor(struct builder *b, const char *name)
{
    for (size_t i = b->anchors.len; i > 0; i--) { /* the latest of that name counts */
        if (strcmp(b->anchors.items[i - 1].name, name) == 0)
            return &b->anchors.items[i - 1];
    }
    return NULL;
}

/* Takes the name over, also on failure. */
static int add_anchor(struct builder *b, char *name, yyjson_mut_val *val, size_t first, int height)
{
    if (name == NULL)
        return 0;
    if (b->anchors.len >= LIMIT_YAML_ALIASES) {
        mem_free(name);
        return err_set(b->err, BERR_TOO_LARGE, "more than %d anchors", LIMIT_YAML_ALIASES);
    }
    struct anchor *anchor = vec_push(&b->anchors);
    if (anchor == NULL) {
        mem_free(name);
        return js_nomem(b->err);
    }
    *anchor = (struct anchor){.name = name,
                              .val = val,
                              .first = first,
                              .count = b->offsets.len - first,
                              .height = height};
    return 0;
}

/* ---- building ---- */

static bool wants_key(const struct builder *b)
{
    if (b->depth == 0)
        return false;
    const struct frame *top = &b->frames[b->depth - 1];
    return yyjson_mut_is_obj(top->container) && top->key == NULL;
}

/* Puts a value (with `height` levels of containers in it) where it belongs. */
static int attach(struct builder *b, yyjson_mut_val *val, int height)
{
    if (b->depth == 0) {
        b->root = val;
        return 0;
    }
    struct frame *top = &b->frames[b->depth - 1];
    if (top->height < height + 1)
        top->height = height + 1;
    bool is_done;
    if (yyjson_mut_is_arr(top->container)) {
        is_done = yyjson_mut_arr_append(top->container, val);
    } else if (top->key == NULL) {
        top->key = val;
        is_done = true;
    } else {
        is_done = yyjson_mut_obj_add(top->container, top->key, val);
        top->key = NULL;
    }
    return is_done ? 0 : js_nomem(b->err);
}

static int copy_anchor_name(struct builder *b, const yaml_char_t *name, char **ret)
{
    *ret = NULL;
    if (name == NULL)
        return 0;
    *ret = mem_strdup((const char *)name);
    return *ret == NULL ? js_nomem(b->err) : 0;
}

static int refuse_tag(struct builder *b, const yaml_event_t *event, const yaml_char_t *tag)
{
    return tag == NULL
               ? 0
               : fail(b, &event->start_mark, "tags like %s are not supported", (const char *)tag);
}

static int on_scalar(struct builder *b, const yaml_event_t *event)
{
    const char *text = (const char *)event->data.scalar.value;
    size_t len = event->data.scalar.length, first = b->offsets.len;
    int rc = refuse_tag(b, event, event->data.scalar.tag);
    if (rc == 0 && memchr(text, '\0', len) != NULL)
        rc = fail(b, &event->start_mark, "a NUL character in a text");
    if (rc == 0)
        rc = count_value(b, byte_of(b, &event->start_mark));
    if (rc != 0)
        return rc;
    bool is_plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && !wants_key(b);
    yyjson_mut_val *val =
        is_plain ? make_plain(b->tree, text, len) : yyjson_mut_strncpy(b->tree, text, len);
    if (val == NULL)
        return js_nomem(b->err);
    rc = attach(b, val, 0);
    char *anchor = NULL;
    if (rc == 0)
        rc = copy_anchor_name(b, event->data.scalar.anchor, &anchor);
    return rc == 0 ? add_anchor(b, anchor, val, first, 0) : rc;
}

static int on_start(struct builder *b, const yaml_event_t *event, bool is_object)
{
    const yaml_char_t *tag =
        is_object ? event->data.mapping_start.tag : event->data.sequence_start.tag;
    const yaml_char_t *anchor =
        is_object ? event->data.mapping_start.anchor : event->data.sequence_start.anchor;
    int rc = refuse_tag(b, event, tag);
    if (rc == 0 && wants_key(b))
        rc = fail(b, &event->start_mark, "a key must be text, not a list or an object");
    if (rc == 0 && b->depth >= LIMIT_DOC_DEPTH)
        rc = fail(b, &event->start_mark, "nested more than %d deep", LIMIT_DOC_DEPTH);
    size_t first = b->offsets.len;
    if (rc == 0)
        rc = count_value(b, byte_of(b, &event->start_mark));
    if (rc != 0)
        return rc;
    yyjson_mut_val *val = is_object ? yyjson_mut_obj(b->tree) : yyjson_mut_arr(b->tree);
    char *name = NULL;
    if (val == NULL)
        return js_nomem(b->err);
    rc = copy_anchor_name(b, anchor, &name);
    if (rc != 0)
        return rc;
    b->frames[b->depth++] = (struct frame){.container = val, .anchor = name, .first = first};
    return 0;
}

static int on_end(struct builder *b)
{
    check(b->depth > 0);
    struct frame done = b->frames[--b->depth];
    int height = done.height == 0 ? 1 : done.height;
    int rc = add_anchor(b, done.anchor, done.container, done.first, height);
    return rc == 0 ? attach(b, done.container, height) : rc;
}

static int on_alias(struct builder *b, const yaml_event_t *event)
{
    const char *name = (const char *)event->data.alias.anchor;
    if (++b->alias_count > LIMIT_YAML_ALIASES)
        return err_set(b->err, BERR_TOO_LARGE, "more than %d aliases", LIMIT_YAML_ALIASES);
    const struct anchor *anchor = find_anchor(b, name);
    if (anchor == NULL)
        return fail(b, &event->start_mark, "no anchor &%s stands before the alias *%s", name, name);
    if (wants_key(b))
        return fail(b, &event->start_mark, "an alias cannot be a key");
    if (b->depth + anchor->height > LIMIT_DOC_DEPTH)
        return fail(b, &event->start_mark, "nested more than %d deep", LIMIT_DOC_DEPTH);
    for (size_t i = 0; i < anchor->count; i++) { /* an error in the copy is shown at its origin */
        int rc = count_value(b, b->offsets.items[anchor->first + i]);
        if (rc != 0)
            return rc;
    }
    yyjson_mut_val *copy = yyjson_mut_val_mut_copy(b->tree, anchor->val);
    return copy == NULL ? js_nomem(b->err) : attach(b, copy, anchor->height);
}

static int on_event(struct builder *b, const yaml_event_t *event, bool *ret_is_end)
{
    switch (event->type) {
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_DOCUMENT_END_EVENT:
        return 0;
    case YAML_STREAM_END_EVENT:
        *ret_is_end = true;
        return b->root != NULL ? 0 : fail(b, &event->start_mark, "the document is empty");
    case YAML_DOCUMENT_START_EVENT:
        return b->root == NULL ? 0 : fail(b, &event->start_mark, "a second document in one file");
    case YAML_ALIAS_EVENT:
        return on_alias(b, event);
    case YAML_SCALAR_EVENT:
        return on_scalar(b, event);
    case YAML_SEQUENCE_START_EVENT:
        return on_start(b, event, false);
    case YAML_MAPPING_START_EVENT:
        return on_start(b, event, true);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        return on_end(b);
    }
    check(!"an event that libyaml does not have");
    return 0;
}

static int build(struct builder *b)
{
    bool is_end = false;
    int rc = 0;
    while (rc == 0 && !is_end) {
        yaml_event_t event;
        rc = next_event(b, &event);
        if (rc != 0)
            return rc;
        rc = on_event(b, &event, &is_end);
        yaml_event_delete(&event);
    }
    return rc;
}

/* Makes the immutable tree and hands the offsets over. */
static int finish(struct builder *b)
{
    b->doc->tree = yyjson_mut_val_imut_copy(b->root, &js_alc);
    if (b->doc->tree == NULL)
        return js_nomem(b->err);
    b->doc->offsets->items = TAKE_PTR(b->offsets.items);
    b->doc->offsets->len = b->offsets.len;
    return js_doc_check(b->doc, b->err);
}

static void builder_done(struct builder *b)
{
    for (int i = 0; i < b->depth; i++)
        mem_free(b->frames[i].anchor);
    for (size_t i = 0; i < b->anchors.len; i++)
        mem_free(b->anchors.items[i].name);
    vec_done(&b->anchors);
    vec_done(&b->offsets);
    yyjson_mut_doc_free(b->tree);
    yaml_parser_delete(&b->parser);
}

int js_parse_yaml(const char *text, size_t len, struct js_doc **ret, struct err *err)
{
    cleanup(js_doc_freep) struct js_doc *doc = NULL;
    int rc = js_doc_new(text, len, &doc, err);
    if (rc != 0)
        return rc;
    size_t bom_bytes = js_bom_bytes(doc);
    struct builder b = {.doc = doc, .err = err, .bom_bytes = bom_bytes, .cursor_byte = bom_bytes};
    if (!yaml_parser_initialize(&b.parser))
        return js_nomem(err);
    yaml_parser_set_encoding(&b.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&b.parser, (const unsigned char *)doc->source + bom_bytes,
                                 doc->source_len - bom_bytes);
    b.tree = yyjson_mut_doc_new(&js_alc);
    rc = b.tree == NULL ? js_nomem(err) : build(&b);
    if (rc == 0)
        rc = finish(&b);
    builder_done(&b);
    if (rc != 0)
        return rc;
    *ret = TAKE_PTR(doc);
    return 0;
}
