/*
 * codec: rows of SQLite ↔ structs, in the column order of statements.h. Inside sqlite only.
 */
#ifndef BERTH_STORE_SQLITE_CODEC_H
#define BERTH_STORE_SQLITE_CODEC_H

#include "store/sqlite/db.h"

void put_user(struct row *row, const struct user *u);
void get_user(struct row *row, struct user *ret);
void put_token(struct row *row, const struct token *t);
void get_token(struct row *row, struct token *ret);
void put_project(struct row *row, const struct project *p);
void get_project(struct row *row, struct project *ret);
void put_member(struct row *row, const struct member *m);
void get_member(struct row *row, struct member *ret);
void put_volume(struct row *row, const struct volume_row *v);
void get_volume(struct row *row, struct volume_row *ret);
/* layers: room for IMAGE_LAYERS_TEXT_SIZE that lives until the row ends */
#define IMAGE_LAYERS_TEXT_SIZE (IMAGE_LAYERS_MAX * 65 + 1)
void put_image(struct row *row, const struct image *i, char *layers);
void get_image(struct row *row, struct image *ret);
void put_event(struct row *row, const struct event *e);
void get_event(struct row *row, struct event *ret); /* strings: until the next step */
void put_ledger(struct row *row, const struct ledger_row *l);
void get_ledger(struct row *row, struct ledger_row *ret);
void put_idempotency(struct row *row, const struct idempotency_row *r);
void get_idempotency(struct row *row, struct idempotency_row *ret);
void put_workload(struct row *row, const struct workload_row *w);
void get_workload(struct row *row, struct workload *ret, const char **ret_spec_json);
/* tasks_json: from tasks_encode, lives until the row ends */
void put_attempt(struct row *row, const struct attempt *a, const char *tasks_json);
/* Tasks are made in the arena. False: the workload has no attempt. NOMEM marks the row. */
bool get_attempt(struct row *row, struct arena *arena, struct attempt *ret);

/* tasks.c: tasks as JSON text, compact because finished ones are kept for good. */
void tasks_encode(const struct task *tasks, uint32_t count, struct buf *out);
/* INVALID when the text is damaged, NOMEM. */
int tasks_decode(const char *json, struct arena *arena, struct task **ret, uint32_t *ret_count);

#endif
