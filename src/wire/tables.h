/*
 * wire/tables: field tables that others than the verbs themselves use (the runner keeps orders and
 * facts on disk in the same form). Constant, any thread.
 */
#ifndef BERTH_WIRE_TABLES_H
#define BERTH_WIRE_TABLES_H

#include "wire/runner.h"

extern const struct js_table wire_key_table, wire_task_table, wire_task_create_table,
    wire_event_table;

/* The grammar that a table cannot say, for one verb's decoded request. INVALID with the field. */
int wire_check(enum wire_verb verb, const void *request, struct err *err);

#endif
