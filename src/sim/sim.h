/*
 * sim: what the subcommands of berth-sim share: options, tables from CSV files, the two outputs.
 *
 * Everything returns 0 or -enum berr and fills *err. One thread.
 */
#ifndef BERTH_SIM_SIM_H
#define BERTH_SIM_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

/* ---- options: `--name value` ---- */

struct sim_option {
    const char *name;  /* without dashes */
    const char *value; /* default, or NULL: required; "" : may be left out */
    const char *help;
};
/* Overwrites the values of a NULL-name-terminated table. INVALID names the option. */
int sim_options(struct sim_option *options, int argc, char **argv, struct err *err);
const char *sim_option(const struct sim_option *options, const char *name);
int sim_option_double(const struct sim_option *options, const char *name, double *ret,
                      struct err *err);
int sim_option_duration(const struct sim_option *options, const char *name, int64_t *ret_ms,
                        struct err *err);
int sim_option_range(const struct sim_option *options, const char *name, uint64_t *ret_first,
                     uint64_t *ret_last, struct err *err); /* 42-51 or 42 */

/* ---- CSV: comma-separated, a header line, no quotes ---- */

struct sim_csv {
    char *text;         /* with NULs for commas and ends of line */
    const char **cells; /* row_count * column_count */
    const char **columns;
    size_t row_count, column_count;
};
/* NOT_FOUND, IO, INVALID. All in the arena. */
int sim_csv_read(const char *path, struct arena *arena, struct sim_csv *ret, struct err *err);
/* Column by name; -1 when there is none. */
int sim_csv_column(const struct sim_csv *csv, const char *name);
int sim_csv_need(const struct sim_csv *csv, const char *path, const char *name, size_t *ret,
                 struct err *err);
static inline const char *sim_csv_cell(const struct sim_csv *csv, size_t row, size_t column)
{
    return csv->cells[row * csv->column_count + column];
}
/* A number of a cell: whole, or with decimals that are cut off after the third. */
int sim_csv_i64(const struct sim_csv *csv, const char *path, size_t row, size_t column,
                int64_t *ret, struct err *err);
int sim_csv_milli(const struct sim_csv *csv, const char *path, size_t row, size_t column,
                  int64_t *ret, struct err *err);

/* ---- output ---- */

int sim_write_file(const char *path, const struct buf *text, struct err *err);

/* A page with one chart for each series over time: no scripts, nothing loaded. */
#define SIM_POINTS_MAX 1200
struct sim_series {
    const char *title, *unit;
    double values[SIM_POINTS_MAX];
};
void sim_report(struct buf *out, const char *title, const char *facts_json,
                const struct sim_series *series, size_t series_count, size_t points, int64_t from_s,
                int64_t to_s);

/* ---- subcommands: print to out ---- */

int sim_place(int argc, char **argv, struct buf *out, struct err *err);
int sim_replay(int argc, char **argv, struct buf *out, struct err *err);
int sim_fuzz(int argc, char **argv, struct buf *out, struct err *err);
int sim_bench(int argc, char **argv, struct buf *out, struct err *err);

#endif
