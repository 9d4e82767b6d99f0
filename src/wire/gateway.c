/*
 * gateway: lines of the control socket, by one field table; what a kind needs is checked after it.
 */
#include "wire/gateway.h"
#include <string.h>

const char *const gw_message_names[] = {
#define X(sym, name) name,
    GW_MESSAGE_LIST(X)
#undef X
        NULL,
};

#define FIELD(member, kind_of)                                                         \
    .name = #member, .type = (kind_of), .offset = offsetof(struct gw_message, member), \
    .flags = JS_OMIT_EMPTY
static const struct js_field gw_fields[] = {
    {.name = "t",
     .type = JS_ENUM,
     .offset = offsetof(struct gw_message, kind),
     .flags = JS_REQUIRED,
     .names = gw_message_names},
    {FIELD(version, JS_I64)},
    {FIELD(route, JS_ID)},
    {FIELD(target, JS_STR), .max = 128},
    {FIELD(inject, JS_STR), .max = 512},
    {FIELD(title, JS_STR), .max = 256},
    {FIELD(question, JS_U64)},
    {FIELD(digest, JS_STR), .max = 64},
    {FIELD(allow, JS_BOOL)},
    {FIELD(until_ms, JS_I64)},
    {FIELD(user, JS_STR), .max = 64},
    {FIELD(code, JS_STR), .max = 64},
    {FIELD(text, JS_STR), .max = 1024},
    {FIELD(time_ms, JS_I64)},
    {FIELD(open, JS_I64)},
};
#undef FIELD
static const struct js_table gw_table = JS_TABLE("GatewayMessage", struct gw_message, gw_fields);

void gw_put(struct buf *out, const struct gw_message *m)
{
    js_encode(&gw_table, m, out);
    buf_putc(out, '\n');
}

static const char *missing(const struct gw_message *m)
{
    switch ((enum gw_message_kind)m->kind) {
    case GW_HELLO:
        return m->version > 0 ? NULL : "version";
    case GW_FULL:
    case GW_FULL_END:
    case GW_REVOKE:
        return NULL;
    case GW_ROUTE:
        return !m->route ? "route" : !m->target ? "target" : NULL;
    case GW_ROUTE_GONE:
    case GW_ACTIVITY:
        return m->route ? NULL : "route";
    case GW_ASK:
        return !m->question ? "question" : !m->route ? "route" : !m->digest ? "digest" : NULL;
    case GW_VERDICT:
        return m->question ? NULL : "question";
    }
    return "t";
}

int gw_parse(const char *line, size_t len, struct arena *arena, struct gw_message *ret,
             struct err *err)
{
    struct js_doc *doc = NULL;
    struct gw_message m = {0};
    int rc = js_parse_json(line, len, &doc, err);
    if (rc == 0)
        rc = js_decode(doc, js_root(doc), &gw_table, arena, &m, err);
    js_doc_free(doc);
    if (rc < 0)
        return rc;
    const char *field = missing(&m);
    if (!field && m.digest && strlen(m.digest) != 64)
        field = "digest";
    if (field) {
        err_set(err, BERR_PROTOCOL, "%s without a good %s", gw_message_names[m.kind], field);
        return err_at(err, field, 0, 0);
    }
    *ret = m;
    return 0;
}
