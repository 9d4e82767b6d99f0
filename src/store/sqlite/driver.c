/* The table by which the front knows this driver. */
#include "store/sqlite/access.h"

const struct store_driver store_driver_sqlite = {
    .name = "sqlite",
    .open = db_open,
    .close = db_close,
    .begin = db_begin,
    .apply = db_apply,
    .commit = db_commit,
    .rollback = db_rollback,
    .load = db_load,
    .list_workloads = db_list_workloads,
    .get_workload = db_get_workload,
    .read_events = db_read_events,
};
