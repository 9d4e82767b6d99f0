/* Tables from files of comma-separated values, and texts into files. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "base/str.h"
#include "sim/sim.h"

#define FILE_MAX_BYTES (256u << 20)

static int read_text(const char *path, struct arena *arena, char **ret, size_t *ret_len,
                     struct err *err)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return err_errno(err, errno, "cannot open %s", path);
    int rc = 0;
    long size = fseek(file, 0, SEEK_END) == 0 ? ftell(file) : -1;
    if (size < 0 || size > (long)FILE_MAX_BYTES || fseek(file, 0, SEEK_SET) != 0)
        rc = err_set(err, BERR_TOO_LARGE, "%s is too large or no plain file", path);
    char *text = rc == 0 ? arena_alloc(arena, (size_t)size + 1) : NULL;
    if (rc == 0 && text == NULL)
        rc = err_set(err, BERR_NOMEM, "out of memory while reading %s", path);
    if (rc == 0 && fread(text, 1, (size_t)size, file) != (size_t)size)
        rc = err_set(err, BERR_IO, "cannot read %s", path);
    fclose(file);
    if (rc == 0) {
        *ret = text;
        *ret_len = (size_t)size;
    }
    return rc;
}

/* Cells of one line; returns the place after it. */
static char *split_line(char *p, const char **cells, size_t most, size_t *ret_count)
{
    size_t count = 0;
    char *end = p + strcspn(p, "\r\n");
    while (*end == '\r' || *end == '\n')
        *end++ = '\0';
    while (p < end && count < most) {
        cells[count++] = p;
        p += strcspn(p, ",");
        if (*p == '\0')
            break;
        *p++ = '\0';
        if (*p == '\0' && count < most) { /* the last cell is empty */
            cells[count++] = p;
            break;
        }
    }
    *ret_count = count;
    return end;
}

int sim_csv_read(const char *path, struct arena *arena, struct sim_csv *ret, struct err *err)
{
    struct sim_csv csv = {0};
    size_t len, lines = 0;
    int rc = read_text(path, arena, &csv.text, &len, err);
    if (rc != 0)
        return rc;
    for (size_t i = 0; i < len; i++)
        lines += csv.text[i] == '\n';
    csv.columns = arena_array(arena, 64, sizeof(*csv.columns));
    if (csv.columns == NULL)
        return err_set(err, BERR_NOMEM, "out of memory while reading %s", path);
    char *p = split_line(csv.text, csv.columns, 64, &csv.column_count);
    csv.cells = arena_array(arena, (lines + 1) * csv.column_count, sizeof(*csv.cells));
    if (csv.cells == NULL)
        return err_set(err, BERR_NOMEM, "out of memory while reading %s", path);
    while (*p != '\0') {
        size_t count;
        p = split_line(p, csv.cells + csv.row_count * csv.column_count, csv.column_count, &count);
        if (count != csv.column_count)
            return err_set(err, BERR_INVALID, "%s: line %zu has %zu columns instead of %zu", path,
                           csv.row_count + 2, count, csv.column_count);
        csv.row_count++;
    }
    *ret = csv;
    return 0;
}

int sim_csv_column(const struct sim_csv *csv, const char *name)
{
    for (size_t i = 0; i < csv->column_count; i++) {
        if (str_is_equal(csv->columns[i], name))
            return (int)i;
    }
    return -1;
}

int sim_csv_need(const struct sim_csv *csv, const char *path, const char *name, size_t *ret,
                 struct err *err)
{
    int column = sim_csv_column(csv, name);
    if (column < 0)
        return err_set(err, BERR_INVALID, "%s has no column %s", path, name);
    *ret = (size_t)column;
    return 0;
}

int sim_csv_milli(const struct sim_csv *csv, const char *path, size_t row, size_t column,
                  int64_t *ret, struct err *err)
{
    char whole[24];
    const char *cell = sim_csv_cell(csv, row, column), *dot = strchr(cell, '.');
    int64_t value = 0, part = 0, scale = 100;
    size_t len = dot == NULL ? strlen(cell) : (size_t)(dot - cell);
    bool is_valid = len < sizeof(whole);
    if (is_valid) {
        memcpy(whole, cell, len);
        whole[len] = '\0';
        is_valid = str_parse_i64(whole, &value) && value >= 0 && value < INT64_MAX / 2000;
    }
    for (const char *d = dot == NULL ? "" : dot + 1; is_valid && *d != '\0'; d++) {
        is_valid = *d >= '0' && *d <= '9';
        part += (*d - '0') * scale;
        scale /= 10;
    }
    if (!is_valid)
        return err_set(err, BERR_INVALID, "%s: line %zu: \"%s\" is no number", path, row + 2, cell);
    *ret = value * 1000 + part;
    return 0;
}

int sim_csv_i64(const struct sim_csv *csv, const char *path, size_t row, size_t column,
                int64_t *ret, struct err *err)
{
    int64_t milli;
    int rc = sim_csv_milli(csv, path, row, column, &milli, err);
    if (rc == 0)
        *ret = milli / 1000;
    return rc;
}

int sim_write_file(const char *path, const struct buf *text, struct err *err)
{
    FILE *file = fopen(path, "wb");
    if (file == NULL)
        return err_errno(err, errno, "cannot write %s", path);
    bool is_written = fwrite(text->data, 1, text->len, file) == text->len;
    is_written = fclose(file) == 0 && is_written;
    return is_written ? 0 : err_set(err, BERR_IO, "cannot write %s", path);
}
