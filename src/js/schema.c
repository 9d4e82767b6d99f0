/* Field tables as JSON Schema 2020-12, the dialect of OpenAPI 3.1. */
#include "js/internal.h"

#include <string.h>
#include "base/limits.h"

#define TABLES_MAX 512 /* of all that hang together; tables are static, so this is ours to keep */

#define BYTES_PATTERN    "^[0-9]+(\\\\.[0-9]{1,3})?([KMGTP]i?)?$"
#define CPU_PATTERN      "^([0-9]+(\\\\.[0-9]{1,3})?|[0-9]+m)$"
#define GPU_PATTERN      "^[0-9]+(\\\\.[0-9]{1,3})?$"
#define DURATION_PATTERN "^([0-9]+(\\\\.[0-9]{1,3})?(d|h|m|s|ms))+$"
#define ID_PATTERN       "^[a-hjkmnp-tv-z][0-9a-hjkmnp-tv-z]{9}$"
#define LABEL_PATTERN    "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"
#define TAG_PATTERN      "^[A-Za-z0-9_][A-Za-z0-9._-]*$"

/* The types of "type", with null where null is allowed. */
static void put_type(const struct js_field *f, struct buf *out, const char *one, const char *other)
{
    bool is_nullable = js_field_is_nullable(f);
    if (other == NULL && !is_nullable) {
        buf_printf(out, "\"type\":\"%s\"", one);
        return;
    }
    buf_printf(out, "\"type\":[\"%s\"", one);
    if (other != NULL)
        buf_printf(out, ",\"%s\"", other);
    buf_puts(out, is_nullable ? ",\"null\"]" : "]");
}

static void put_range(const struct js_field *f, struct buf *out)
{
    if (f->min == 0 && f->max == 0)
        return;
    buf_printf(out, ",\"minimum\":%lld", (long long)f->min);
    if (f->min <= f->max)
        buf_printf(out, ",\"maximum\":%lld", (long long)f->max);
}

static void put_counts(const struct js_field *f, struct buf *out, const char *what)
{
    if (f->min > 0)
        buf_printf(out, ",\"min%s\":%lld", what, (long long)f->min);
    if (f->max > 0)
        buf_printf(out, ",\"max%s\":%lld", what, (long long)f->max);
}

static void put_text(const struct js_field *f, struct buf *out)
{
    put_type(f, out, "string", NULL);
    if (f->type == JS_LABEL) {
        buf_puts(out, ",\"maxLength\":63,\"pattern\":\"" LABEL_PATTERN "\"");
        return;
    }
    if (f->type == JS_TAG) {
        buf_puts(out, ",\"maxLength\":128,\"pattern\":\"" TAG_PATTERN "\"");
        return;
    }
    if (f->min > 0)
        buf_printf(out, ",\"minLength\":%lld", (long long)f->min);
    buf_printf(out, ",\"maxLength\":%lld", f->max == 0 ? (long long)LIMIT_TEXT : (long long)f->max);
}

static void put_enum(const struct js_field *f, struct buf *out)
{
    put_type(f, out, "string", NULL);
    buf_puts(out, ",\"enum\":[");
    for (size_t i = 0; f->names[i] != NULL; i++) {
        if (i > 0)
            buf_putc(out, ',');
        js_put_string(out, f->names[i]);
    }
    buf_puts(out, js_field_is_nullable(f) ? ",null]" : "]");
}

static void put_ref(const struct js_field *f, struct buf *out)
{
    if (js_field_is_nullable(f))
        buf_printf(out, "\"anyOf\":[{\"$ref\":\"#/components/schemas/%s\"},{\"type\":\"null\"}]",
                   f->sub->name);
    else
        buf_printf(out, "\"$ref\":\"#/components/schemas/%s\"", f->sub->name);
}

/* The members of a field's schema, without braces; false when it says nothing at all. */
static bool put_members(const struct js_field *f, struct buf *out)
{
    switch (f->type) {
    case JS_BOOL:
        put_type(f, out, "boolean", NULL);
        return true;
    case JS_I64:
        put_type(f, out, "integer", NULL);
        put_range(f, out);
        buf_puts(out, ",\"format\":\"int64\"");
        return true;
    case JS_U64:
        put_type(f, out, "integer", NULL);
        if (f->min == 0 && f->max == 0)
            buf_puts(out, ",\"minimum\":0");
        put_range(f, out);
        return true;
    case JS_F64:
        put_type(f, out, "number", NULL);
        put_range(f, out);
        return true;
    case JS_STR:
    case JS_LABEL:
    case JS_TAG:
        put_text(f, out);
        return true;
    case JS_ENUM:
        put_enum(f, out);
        return true;
    case JS_BYTES:
        put_type(f, out, "string", "integer");
        buf_puts(out, ",\"minimum\":0,\"pattern\":\"" BYTES_PATTERN "\"");
        return true;
    case JS_CPU:
        put_type(f, out, "number", "string");
        buf_puts(out, ",\"minimum\":0,\"pattern\":\"" CPU_PATTERN "\"");
        return true;
    case JS_GPU_SHARE:
        put_type(f, out, "number", "string");
        buf_puts(out, ",\"minimum\":0,\"pattern\":\"" GPU_PATTERN "\"");
        return true;
    case JS_DURATION:
        put_type(f, out, "string", NULL);
        buf_puts(out, ",\"pattern\":\"" DURATION_PATTERN "\"");
        return true;
    case JS_TIME:
        put_type(f, out, "string", NULL);
        buf_puts(out, ",\"format\":\"date-time\"");
        return true;
    case JS_ID:
        put_type(f, out, "string", NULL);
        buf_puts(out, ",\"pattern\":\"" ID_PATTERN "\"");
        return true;
    case JS_STRUCT:
    case JS_PTR:
        put_ref(f, out);
        return true;
    case JS_LIST:
        put_type(f, out, "array", NULL);
        buf_printf(out, ",\"items\":{\"$ref\":\"#/components/schemas/%s\"}", f->sub->name);
        put_counts(f, out, "Items");
        return true;
    case JS_STRS:
        put_type(f, out, "array", NULL);
        buf_puts(out, ",\"items\":{\"type\":[\"string\",\"number\",\"boolean\"]}");
        put_counts(f, out, "Items");
        return true;
    case JS_PAIRS:
        put_type(f, out, "object", NULL);
        buf_puts(out, ",\"additionalProperties\":{\"type\":[\"string\",\"number\",\"boolean\"]}");
        put_counts(f, out, "Properties");
        return true;
    case JS_OBJECTS:
        put_type(f, out, "object", NULL);
        buf_printf(out,
                   ",\"additionalProperties\":{\"$ref\":\"#/components/schemas/%s\"},"
                   "\"propertyNames\":{\"maxLength\":63,\"pattern\":\"" LABEL_PATTERN "\"}",
                   f->sub->name);
        put_counts(f, out, "Properties");
        return true;
    case JS_RAW:
    case JS_CUSTOM:
        return false;
    }
    return false;
}

/* A custom field's own schema is a whole object: its members without the braces. */
static bool put_custom_members(const struct js_field *f, struct buf *out)
{
    if (f->type != JS_CUSTOM || f->schema == NULL)
        return false;
    size_t len = strlen(f->schema);
    check(len >= 2 && f->schema[0] == '{' && f->schema[len - 1] == '}');
    buf_append(out, f->schema + 1, len - 2);
    return len > 2;
}

static void put_field(const struct js_field *f, struct buf *out)
{
    buf_putc(out, '{');
    bool need_comma = put_members(f, out) || put_custom_members(f, out);
    if (f->doc != NULL) {
        buf_puts(out, need_comma ? ",\"description\":" : "\"description\":");
        js_put_string(out, f->doc);
        need_comma = true;
    }
    if (f->example != NULL) {
        buf_printf(out, "%s\"examples\":[%s]", need_comma ? "," : "", f->example);
        need_comma = true;
    }
    if (f->flags & (JS_READONLY | JS_SECRET))
        buf_printf(out, "%s\"%s\":true", need_comma ? "," : "",
                   f->flags & JS_READONLY ? "readOnly" : "writeOnly");
    buf_putc(out, '}');
}

void js_schema(const struct js_table *table, struct buf *out)
{
    buf_puts(out, "{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{");
    for (size_t i = 0; i < table->count; i++) {
        if (i > 0)
            buf_putc(out, ',');
        js_put_string(out, table->fields[i].name);
        buf_putc(out, ':');
        put_field(&table->fields[i], out);
    }
    buf_putc(out, '}');
    const char *before = ",\"required\":[";
    for (size_t i = 0; i < table->count; i++) {
        if (!(table->fields[i].flags & JS_REQUIRED))
            continue;
        buf_puts(out, before);
        js_put_string(out, table->fields[i].name);
        before = ",";
    }
    buf_puts(out, *before == ',' && before[1] == '\0' ? "]}" : "}");
}

struct visit {
    const struct js_table *tables[TABLES_MAX];
    size_t count;
};

/* Adds a table and all below it; a name must mean one table only. */
static void visit(struct visit *v, const struct js_table *table)
{
    for (size_t i = 0; i < v->count; i++) {
        if (v->tables[i] == table)
            return;
        check(strcmp(v->tables[i]->name, table->name) != 0);
    }
    check(v->count < TABLES_MAX);
    v->tables[v->count++] = table;
    for (size_t i = 0; i < table->count; i++) {
        if (table->fields[i].sub != NULL)
            visit(v, table->fields[i].sub);
    }
}

void js_schema_components(const struct js_table *const *tables, size_t count, struct buf *out)
{
    struct visit v = {.count = 0};
    for (size_t i = 0; i < count; i++)
        visit(&v, tables[i]);
    for (size_t i = 0; i < v.count; i++) {
        if (i > 0)
            buf_putc(out, ',');
        js_put_string(out, v.tables[i]->name);
        buf_putc(out, ':');
        js_schema(v.tables[i], out);
    }
}
