/* The table by which the front knows this driver; birth and end of its tables. */
#include "base/alloc.h"
#include "store/memory/memory.h"

static int memory_open(const struct store_config *cfg, void **ret_db, struct err *err)
{
    (void)cfg;
    struct memory *m = mem_calloc(1, sizeof(*m));
    if (m == NULL)
        return err_set(err, BERR_NOMEM, "store: out of memory");
    pthread_mutex_init(&m->lock, NULL);
    m->users = m->tokens = m->projects = m->volumes = m->images = m->workloads = m->fences =
        MAP_U64;
    m->settings = m->user_names = m->token_digests = m->project_names = m->members = m->attempts =
        m->ledger = m->idempotency = MAP_STR;
    *ret_db = m;
    return 0;
}

static void memory_close(void *db)
{
    struct memory *m = db;
    struct map *all[] = {&m->settings,      &m->users,    &m->user_names,    &m->tokens,
                         &m->token_digests, &m->projects, &m->project_names, &m->members,
                         &m->volumes,       &m->images,   &m->workloads,     &m->attempts,
                         &m->fences,        &m->ledger,   &m->idempotency};
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        table_done(all[i]);
    for (size_t i = 0; i < m->events.len; i++)
        mem_free(m->events.items[i]);
    vec_done(&m->events);
    txn_done(&m->txn);
    pthread_mutex_destroy(&m->lock);
    mem_free(m);
}

const struct store_driver store_driver_memory = {
    .name = "memory",
    .open = memory_open,
    .close = memory_close,
    .begin = memory_begin,
    .apply = memory_apply,
    .commit = memory_commit,
    .rollback = memory_rollback,
    .load = memory_load,
    .list_workloads = memory_list_workloads,
    .get_workload = memory_get_workload,
    .read_events = memory_read_events,
};
