/* The live state, read once at start. */
#include "store/sqlite/access.h"

#include <string.h>
#include "base/alloc.h"
#include "store/sqlite/codec.h"

#define LOAD_ARENA_BYTES (64u << 20)

/* One kind of rows: SELECT, a struct of it, the visitor's member. Defines load_NAME. */
#define LOADER(name, statement, type, get)                                                 \
    static int load_##name(struct conn *c, const struct store_visitor *v, struct err *err) \
    {                                                                                      \
        if (v->name == NULL)                                                               \
            return 0;                                                                      \
        struct row row;                                                                    \
        row_begin(&row, c, statement);                                                     \
        int rc;                                                                            \
        while ((rc = row_step(&row, err)) == 1) {                                          \
            type value;                                                                    \
            memset(&value, 0, sizeof(value));                                              \
            get(&row, &value);                                                             \
            rc = row_check(&row, err);                                                     \
            if (rc == 0)                                                                   \
                rc = v->name(v->arg, &value);                                              \
            if (rc != 0)                                                                   \
                break;                                                                     \
        }                                                                                  \
        row_end(&row);                                                                     \
        return rc;                                                                         \
    }
LOADER(user, ALL_USERS, struct user, get_user)
LOADER(token, ALL_TOKENS, struct token, get_token)
LOADER(project, ALL_PROJECTS, struct project, get_project)
LOADER(member, ALL_MEMBERS, struct member, get_member)
LOADER(volume, ALL_VOLUMES, struct volume_row, get_volume)
LOADER(image, ALL_IMAGES, struct image, get_image)
LOADER(ledger, ALL_LEDGER, struct ledger_row, get_ledger)
LOADER(idempotency, ALL_IDEMPOTENCY, struct idempotency_row, get_idempotency)

static int load_setting(struct conn *c, const struct store_visitor *v, struct err *err)
{
    if (v->setting == NULL)
        return 0;
    struct row row;
    row_begin(&row, c, ALL_SETTINGS);
    int rc;
    while ((rc = row_step(&row, err)) == 1) {
        const char *name = get_str(&row), *value = get_str(&row);
        rc = row_check(&row, err);
        if (rc == 0)
            rc = v->setting(v->arg, name, value);
        if (rc != 0)
            break;
    }
    row_end(&row);
    return rc;
}

static int visit_workload(struct row *row, struct arena *arena, const struct store_visitor *v,
                          struct err *err)
{
    struct workload w;
    struct attempt a;
    memset(&w, 0, sizeof(w));
    memset(&a, 0, sizeof(a));
    const char *spec_json;
    get_workload(row, &w, &spec_json);
    bool has_attempt = get_attempt(row, arena, &a);
    if (row->rc == SQLITE_NOMEM)
        return err_set(err, BERR_NOMEM, "store: out of memory");
    int rc = row_check(row, err);
    if (rc == 0 && v->workload != NULL)
        rc = v->workload(v->arg, &w, spec_json);
    if (rc == 0 && has_attempt && v->attempt != NULL)
        rc = v->attempt(v->arg, &a);
    return rc;
}

static int load_workloads(struct conn *c, enum statement id, int64_t recent_ms,
                          const struct store_visitor *v, struct err *err)
{
    cleanup(arena_done) struct arena arena = ARENA(LOAD_ARENA_BYTES);
    struct row row;
    row_begin(&row, c, id);
    if (id == RECENT_WORKLOADS)
        put_i64(&row, recent_ms);
    int rc;
    while ((rc = row_step(&row, err)) == 1) {
        arena_reset(&arena);
        rc = visit_workload(&row, &arena, v, err);
        if (rc != 0)
            break;
    }
    row_end(&row);
    return rc;
}

static int load_number(struct conn *c, enum statement id, uint64_t *ret, struct err *err)
{
    struct row row;
    row_begin(&row, c, id);
    int rc = row_step(&row, err);
    if (rc == 1)
        *ret = get_u64(&row);
    row_end(&row);
    return rc < 0 ? rc : 0;
}

static int load_all(struct conn *c, int64_t recent_ms, const struct store_visitor *v,
                    struct err *err)
{
    static int (*const before[])(struct conn *, const struct store_visitor *, struct err *) = {
        load_setting, load_user, load_token, load_project, load_member, load_volume, load_image};
    for (size_t i = 0; i < ARRAY_LEN(before); i++) {
        int rc = before[i](c, v, err);
        if (rc != 0)
            return rc;
    }
    int rc = load_workloads(c, LIVE_WORKLOADS, 0, v, err);
    if (rc == 0)
        rc = load_workloads(c, RECENT_WORKLOADS, recent_ms, v, err);
    if (rc == 0)
        rc = load_ledger(c, v, err);
    return rc == 0 ? load_idempotency(c, v, err) : rc;
}

int db_load(void *arg, int64_t recent_ms, const struct store_visitor *v,
            struct store_heads *ret_heads, struct err *err)
{
    struct db *db = arg;
    struct conn *c = &db->writer;
    struct store_heads heads = {0};
    int rc = load_number(c, LAST_EVENT, &heads.event_seq, err);
    if (rc == 0)
        rc = load_number(c, LAST_FENCE, &heads.fence, err);
    if (rc == 0)
        rc = load_number(c, COUNT_WORKLOADS, &heads.workloads_total, err);
    if (rc == 0)
        rc = load_all(c, recent_ms, v, err);
    if (rc == 0)
        *ret_heads = heads;
    return rc;
}
