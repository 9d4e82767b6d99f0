/*
 * out: answers for people and for programs — aligned tables, `key: value` lists, JSON, YAML. Text
 * from others is shown without control characters, so that it can't move a terminal's cursor.
 * Everything appends to a buffer. Pure.
 */
#ifndef BERTH_CLI_OUT_H
#define BERTH_CLI_OUT_H

#include <stdbool.h>
#include <stdint.h>
#include <yyjson.h>
#include "base/buf.h"
#include "base/err.h"

enum cli_output { CLI_OUTPUT_TABLE, CLI_OUTPUT_WIDE, CLI_OUTPUT_JSON, CLI_OUTPUT_YAML };
int cli_output_parse(const char *s, enum cli_output *ret, struct err *err);

enum cli_format {
    CLI_PLAIN, /* texts, numbers and lists as they are; nothing for null */
    CLI_TIME,  /* RFC 3339 -> "2026-11-25 01:28:00" in local time */
    CLI_AGE,   /* RFC 3339 -> "4m 10s", since then */
    CLI_YES,   /* true -> "yes", false -> "" */
    CLI_BYTES, /* a number -> "1.5 GiB" */
    CLI_SHARE, /* {used, total} -> "2/8" */
};

typedef void cli_cell_fn(struct buf *out, yyjson_val *item, int64_t now_ms);

struct cli_column {
    const char *title; /* "STATE"; in lists of one thing "state" is made of it */
    const char *path;  /* "attempt.end" */
    enum cli_format format;
    bool wide;       /* only with -o wide (in tables; lists of one thing show all) */
    cli_cell_fn *fn; /* instead of path and format */
};

/* items: an array of objects. */
void cli_put_table(struct buf *out, yyjson_val *items, const struct cli_column *columns,
                   size_t count, bool wide, int64_t now_ms);
/* One object as lines; empty values are left out. */
void cli_put_fields(struct buf *out, yyjson_val *item, const struct cli_column *columns,
                    size_t count, int64_t now_ms);
void cli_put_json(struct buf *out, yyjson_val *val); /* indented, newline at the end */
/* JSON in one line; returns its length, also when that is more than the buffer takes. */
size_t cli_put_compact(struct buf *out, const yyjson_mut_doc *doc);
void cli_put_yaml(struct buf *out, yyjson_val *val);
void cli_put_safe(struct buf *out, const char *s); /* without control characters */

yyjson_val *cli_at(yyjson_val *obj, const char *path);  /* "a.b.c"; NULL when absent */
const char *cli_str(yyjson_val *obj, const char *path); /* "" when absent or no string */
int64_t cli_num(yyjson_val *obj, const char *path, int64_t otherwise);

struct cli;
/* By -o: JSON and YAML of the whole answer, else the table of its "items". */
void cli_show_list(struct cli *cli, yyjson_val *answer, const struct cli_column *columns,
                   size_t count);
void cli_show_one(struct cli *cli, yyjson_val *item, const struct cli_column *columns,
                  size_t count);
/* To standard output, then emptied. */
void cli_flush(struct buf *out);

#endif
