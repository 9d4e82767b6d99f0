/*
 * units: explicit sizes, CPU amounts and durations, as people write them, and back.
 *
 *   bytes     4G 512M 10Ki 1Ti 2048 (plain bytes)   K M G T P are powers of 1024, like Slurm and
 *             Docker; Ki Mi Gi Ti Pi (Kubernetes) mean the same. A bare number is bytes.
 *   cpu       2  0.5  500m            milli-cores
 *   duration  90s 4h 2d 1h30m 250ms   milliseconds; a bare number is an error (unit missing)
 *   gpu share 1  0.5  2               thousandths
 *   time      2026-11-25T01:28:00Z    RFC 3339, milliseconds since 1970 UTC
 *
 * Parsers take the whole string, refuse signs, blanks, overflow and more than 3 decimals, and say
 * in *err what was expected (code INVALID, no field). Formatters write the shortest exact form and
 * return dst. Pure, any thread.
 */
#ifndef BERTH_BASE_UNITS_H
#define BERTH_BASE_UNITS_H

#include <stddef.h>
#include <stdint.h>
#include "base/err.h"

#define UNITS_TEXT_MAX 40

int units_parse_bytes(const char *s, uint64_t *ret_bytes, struct err *err);
int units_parse_cpu(const char *s, int64_t *ret_milli, struct err *err);
int units_parse_gpu(const char *s, int64_t *ret_milli, struct err *err);
int units_parse_duration(const char *s, int64_t *ret_ms, struct err *err);
int units_parse_time(const char *s, int64_t *ret_ms, struct err *err);

const char *units_format_bytes(char dst[UNITS_TEXT_MAX], uint64_t bytes); /* "4G", "1000" */
const char *units_format_cpu(char dst[UNITS_TEXT_MAX], int64_t milli);    /* "2", "500m" */
const char *units_format_gpu(char dst[UNITS_TEXT_MAX], int64_t milli);    /* "1", "0.5" */
const char *units_format_duration(char dst[UNITS_TEXT_MAX], int64_t ms);  /* "1h30m", "250ms" */
const char *units_format_time(char dst[UNITS_TEXT_MAX], int64_t ms);      /* RFC 3339, Z */
/* For people: "1.5 GiB", "3 min ago"-style durations rounded to two parts: "2d 4h", "4m 10s", "0.3s". */
const char *units_human_bytes(char dst[UNITS_TEXT_MAX], uint64_t bytes);
const char *units_human_duration(char dst[UNITS_TEXT_MAX], int64_t ms);

#endif
