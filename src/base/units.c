/*
 * Amounts as people write them. All parsers read a decimal number as thousandths (struct amount)
 * and multiply by a unit with 128-bit arithmetic, so that nothing overflows on the way.
 */
#include "base/units.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include "base/str.h"

#define MS_SECOND    1000ll
#define MS_MINUTE    (60 * MS_SECOND)
#define MS_HOUR      (60 * MS_MINUTE)
#define MS_DAY       (24 * MS_HOUR)
#define DECIMALS_MAX 3
#define DIGITS_MAX   20 /* of the whole part: enough for 2^64 */

struct unit {
    const char *name;
    uint64_t factor;
};

static const struct unit byte_units[] = {
    {"P", 1ull << 50}, {"T", 1ull << 40}, {"G", 1ull << 30}, {"M", 1ull << 20}, {"K", 1ull << 10},
};
/* Longest first, which is the order they are written in. */
static const struct unit time_units[] = {
    {"d", MS_DAY}, {"h", MS_HOUR}, {"m", MS_MINUTE}, {"s", MS_SECOND}, {"ms", 1},
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Reads digits with at most three decimals; returns what follows, NULL when it is no number. */
static const char *read_thousandths(const char *s, unsigned __int128 *ret)
{
    unsigned __int128 whole = 0;
    int digits = 0;
    for (; is_digit(*s); s++) {
        if (++digits > DIGITS_MAX)
            return NULL;
        whole = whole * 10 + (unsigned)(*s - '0');
    }
    if (digits == 0)
        return NULL;
    unsigned thousandths = 0;
    if (*s == '.') {
        s++;
        unsigned place = 100;
        int decimals = 0;
        for (; is_digit(*s); s++) {
            if (++decimals > DECIMALS_MAX)
                return NULL;
            thousandths += place * (unsigned)(*s - '0');
            place /= 10;
        }
        if (decimals == 0)
            return NULL;
    }
    *ret = whole * 1000 + thousandths;
    return s;
}

/* ---- bytes ---- */

static bool parse_bytes(const char *s, uint64_t *ret)
{
    unsigned __int128 amount;
    s = read_thousandths(s, &amount);
    if (s == NULL)
        return false;
    uint64_t factor = 1;
    for (size_t i = 0; *s != '\0' && factor == 1 && i < ARRAY_LEN(byte_units); i++) {
        if (*s == byte_units[i].name[0])
            factor = byte_units[i].factor;
    }
    if (factor != 1)
        s += s[1] == 'i' ? 2 : 1;
    else if (amount % 1000 != 0)
        return false; /* half a byte */
    if (*s != '\0')
        return false;
    unsigned __int128 bytes = amount * factor / 1000;
    if (bytes > UINT64_MAX)
        return false;
    *ret = (uint64_t)bytes;
    return true;
}

/* "4g", "4 GB" and "4gib" are no sizes, but what was meant is plain. */
static bool guess_bytes(const char *s, char *dst, size_t dst_size)
{
    size_t len = 0;
    for (; *s != '\0'; s++) {
        if (*s == ' ')
            continue;
        if (len + 1 >= dst_size)
            return false;
        dst[len++] = *s >= 'a' && *s <= 'z' ? (char)(*s - 32) : *s;
    }
    if (len > 0 && dst[len - 1] == 'B')
        len--;
    if (len > 0 && dst[len - 1] == 'I')
        len--;
    dst[len] = '\0';
    uint64_t ignored;
    return parse_bytes(dst, &ignored);
}

int units_parse_bytes(const char *s, uint64_t *ret_bytes, struct err *err)
{
    if (parse_bytes(s, ret_bytes))
        return 0;
    int rc = err_set(err, BERR_INVALID, "expected a size like 4G, found \"%s\"", s);
    char guess[UNITS_TEXT_MAX];
    if (guess_bytes(s, guess, sizeof(guess)))
        err_hint(err, "did you mean \"%s\"?", guess);
    else
        err_hint(err, "write a number of bytes, or one with K, M, G, T or P");
    return rc;
}

const char *units_format_bytes(char dst[UNITS_TEXT_MAX], uint64_t bytes)
{
    for (size_t i = 0; bytes != 0 && i < ARRAY_LEN(byte_units); i++) {
        if (bytes % byte_units[i].factor == 0) {
            snprintf(dst, UNITS_TEXT_MAX, "%llu%s",
                     (unsigned long long)(bytes / byte_units[i].factor), byte_units[i].name);
            return dst;
        }
    }
    snprintf(dst, UNITS_TEXT_MAX, "%llu", (unsigned long long)bytes);
    return dst;
}

const char *units_human_bytes(char dst[UNITS_TEXT_MAX], uint64_t bytes)
{
    for (size_t i = 0; i < ARRAY_LEN(byte_units); i++) {
        if (bytes < byte_units[i].factor)
            continue;
        double value = (double)bytes / (double)byte_units[i].factor;
        bool is_whole = bytes % byte_units[i].factor == 0 || value >= 100;
        snprintf(dst, UNITS_TEXT_MAX, "%.*f %siB", is_whole ? 0 : 1, value, byte_units[i].name);
        return dst;
    }
    snprintf(dst, UNITS_TEXT_MAX, "%llu B", (unsigned long long)bytes);
    return dst;
}

/* ---- cpu and gpu ---- */

static bool to_milli(unsigned __int128 thousandths, int64_t *ret)
{
    if (thousandths > INT64_MAX)
        return false;
    *ret = (int64_t)thousandths;
    return true;
}

int units_parse_cpu(const char *s, int64_t *ret_milli, struct err *err)
{
    unsigned __int128 amount;
    const char *rest = read_thousandths(s, &amount);
    if (rest != NULL && str_is_equal(rest, "m") && amount % 1000 == 0) {
        amount /= 1000;
        rest++;
    }
    if (rest != NULL && *rest == '\0' && to_milli(amount, ret_milli))
        return 0;
    err_set(err, BERR_INVALID, "expected a number of CPUs like 2, 0.5 or 500m, found \"%s\"", s);
    return -BERR_INVALID;
}

int units_parse_gpu(const char *s, int64_t *ret_milli, struct err *err)
{
    unsigned __int128 amount;
    const char *rest = read_thousandths(s, &amount);
    if (rest != NULL && *rest == '\0' && to_milli(amount, ret_milli))
        return 0;
    err_set(err, BERR_INVALID, "expected a number of GPUs like 1 or 0.5, found \"%s\"", s);
    return -BERR_INVALID;
}

const char *units_format_cpu(char dst[UNITS_TEXT_MAX], int64_t milli)
{
    if (milli % 1000 == 0)
        snprintf(dst, UNITS_TEXT_MAX, "%lld", (long long)(milli / 1000));
    else
        snprintf(dst, UNITS_TEXT_MAX, "%lldm", (long long)milli);
    return dst;
}

const char *units_format_gpu(char dst[UNITS_TEXT_MAX], int64_t milli)
{
    uint64_t magnitude = milli < 0 ? 0 - (uint64_t)milli : (uint64_t)milli;
    int len =
        snprintf(dst, UNITS_TEXT_MAX, "%s%llu.%03llu", milli < 0 ? "-" : "",
                 (unsigned long long)(magnitude / 1000), (unsigned long long)(magnitude % 1000));
    while (dst[len - 1] == '0')
        dst[--len] = '\0';
    if (dst[len - 1] == '.')
        dst[--len] = '\0';
    return dst;
}

/* ---- durations ---- */

/* Index of the unit that s starts with ("ms" before "m"), and its length. */
static bool read_time_unit(const char *s, size_t *ret_index, size_t *ret_len)
{
    size_t len = 0;
    while (s[len] >= 'a' && s[len] <= 'z')
        len++;
    for (size_t i = 0; i < ARRAY_LEN(time_units); i++) {
        if (strlen(time_units[i].name) == len && memcmp(s, time_units[i].name, len) == 0) {
            *ret_index = i;
            *ret_len = len;
            return true;
        }
    }
    return false;
}

static bool parse_duration(const char *s, int64_t *ret)
{
    unsigned __int128 total = 0;
    size_t next_unit = 0; /* units come once each, from long to short */
    if (*s == '\0')
        return false;
    while (*s != '\0') {
        unsigned __int128 amount;
        size_t unit, unit_len;
        s = read_thousandths(s, &amount);
        if (s == NULL || !read_time_unit(s, &unit, &unit_len) || unit < next_unit)
            return false;
        amount *= time_units[unit].factor;
        if (amount % 1000 != 0)
            return false;
        total += amount / 1000;
        if (total > INT64_MAX)
            return false;
        s += unit_len;
        next_unit = unit + 1;
    }
    *ret = (int64_t)total;
    return true;
}

int units_parse_duration(const char *s, int64_t *ret_ms, struct err *err)
{
    if (parse_duration(s, ret_ms))
        return 0;
    int rc = err_set(err, BERR_INVALID, "expected a duration like 4h or 1h30m, found \"%s\"", s);
    uint64_t bare;
    if (str_parse_u64(s, &bare))
        err_hint(err, "add the unit: %ss, %sm, %sh or %sd", s, s, s, s);
    else
        err_hint(err, "units are d, h, m, s and ms, from long to short");
    return rc;
}

const char *units_format_duration(char dst[UNITS_TEXT_MAX], int64_t ms)
{
    uint64_t left = ms < 0 ? 0 - (uint64_t)ms : (uint64_t)ms;
    size_t len = (size_t)snprintf(dst, UNITS_TEXT_MAX, "%s", ms < 0 ? "-" : "");
    if (left == 0)
        snprintf(dst, UNITS_TEXT_MAX, "0s");
    for (size_t i = 0; i < ARRAY_LEN(time_units); i++) {
        uint64_t part = left / time_units[i].factor;
        left %= time_units[i].factor;
        if (part > 0)
            len += (size_t)snprintf(dst + len, UNITS_TEXT_MAX - len, "%llu%s",
                                    (unsigned long long)part, time_units[i].name);
    }
    return dst;
}

const char *units_human_duration(char dst[UNITS_TEXT_MAX], int64_t ms)
{
    uint64_t left = ms < 0 ? 0 - (uint64_t)ms : (uint64_t)ms;
    const char *sign = ms < 0 ? "-" : "";
    if (left < 1000) {
        snprintf(dst, UNITS_TEXT_MAX, left == 0 ? "%s0s" : "%s0.%llus", sign,
                 (unsigned long long)(left < 100 ? 1 : left / 100));
        return dst;
    }
    for (size_t i = 0; i + 1 < ARRAY_LEN(time_units); i++) {
        uint64_t part = left / time_units[i].factor;
        if (part == 0)
            continue;
        uint64_t next = left % time_units[i].factor / time_units[i + 1].factor;
        if (next > 0 && time_units[i].factor != MS_SECOND)
            snprintf(dst, UNITS_TEXT_MAX, "%s%llu%s %llu%s", sign, (unsigned long long)part,
                     time_units[i].name, (unsigned long long)next, time_units[i + 1].name);
        else
            snprintf(dst, UNITS_TEXT_MAX, "%s%llu%s", sign, (unsigned long long)part,
                     time_units[i].name);
        break;
    }
    return dst;
}

/* ---- points in time ---- */

/* Days since 1970-01-01 of a date in the proleptic Gregorian calendar, and back; after Howard
 * Hinnant, "chrono-compatible low-level date algorithms". Years start in March. */
static int64_t days_from_civil(int64_t year, int64_t month, int64_t day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

static void civil_from_days(int64_t days, int64_t *year, int *month, int *day)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t day_of_era = days - era * 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t shifted = (5 * day_of_year + 2) / 153;
    *day = (int)(day_of_year - (153 * shifted + 2) / 5 + 1);
    *month = (int)(shifted < 10 ? shifted + 3 : shifted - 9);
    *year = year_of_era + era * 400 + (*month <= 2);
}

static int days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && is_leap);
}

/* Reads exactly `digits` digits in [min, max] and moves on. */
static bool read_part(const char **s, int digits, int min, int max, int *ret)
{
    int v = 0;
    for (int i = 0; i < digits; i++) {
        if (!is_digit((*s)[i]))
            return false;
        v = v * 10 + ((*s)[i] - '0');
    }
    *s += digits;
    *ret = v;
    return v >= min && v <= max;
}

static bool read_char(const char **s, char c)
{
    if (**s != c)
        return false;
    (*s)++;
    return true;
}

static bool read_decimals(const char **s, int *ret_ms)
{
    *ret_ms = 0;
    if (!read_char(s, '.'))
        return true;
    int place = 100, digits = 0;
    for (; is_digit(**s); (*s)++) {
        if (++digits > DECIMALS_MAX)
            return false;
        *ret_ms += place * (**s - '0');
        place /= 10;
    }
    return digits > 0;
}

static bool read_offset(const char **s, int *ret_minutes)
{
    *ret_minutes = 0;
    if (read_char(s, 'Z'))
        return true;
    int sign = **s == '-' ? -1 : 1, hours, minutes;
    if (!read_char(s, '+') && !read_char(s, '-'))
        return false;
    if (!read_part(s, 2, 0, 23, &hours) || !read_char(s, ':') || !read_part(s, 2, 0, 59, &minutes))
        return false;
    *ret_minutes = sign * (hours * 60 + minutes);
    return true;
}

static bool parse_time(const char *s, int64_t *ret)
{
    int year, month, day, hour, minute, second, ms, offset_minutes;
    if (!read_part(&s, 4, 1970, 9999, &year) || !read_char(&s, '-') ||
        !read_part(&s, 2, 1, 12, &month) || !read_char(&s, '-') ||
        !read_part(&s, 2, 1, days_in_month(year, month), &day) || !read_char(&s, 'T') ||
        !read_part(&s, 2, 0, 23, &hour) || !read_char(&s, ':') ||
        !read_part(&s, 2, 0, 59, &minute) || !read_char(&s, ':') ||
        !read_part(&s, 2, 0, 59, &second) || !read_decimals(&s, &ms) ||
        !read_offset(&s, &offset_minutes) || *s != '\0')
        return false;
    *ret = days_from_civil(year, month, day) * MS_DAY + hour * MS_HOUR +
           (minute - offset_minutes) * MS_MINUTE + second * MS_SECOND + ms;
    return true;
}

int units_parse_time(const char *s, int64_t *ret_ms, struct err *err)
{
    if (parse_time(s, ret_ms))
        return 0;
    err_set(err, BERR_INVALID, "expected a time like 2026-11-25T01:28:00Z, found \"%s\"", s);
    return -BERR_INVALID;
}

const char *units_format_time(char dst[UNITS_TEXT_MAX], int64_t ms)
{
    int64_t days = ms / MS_DAY, rest = ms % MS_DAY;
    if (rest < 0) {
        rest += MS_DAY;
        days--;
    }
    int64_t year;
    int month, day;
    civil_from_days(days, &year, &month, &day);
    int len = snprintf(dst, UNITS_TEXT_MAX, "%04lld-%02d-%02dT%02d:%02d:%02d", (long long)year,
                       month, day, (int)(rest / MS_HOUR), (int)(rest / MS_MINUTE % 60),
                       (int)(rest / MS_SECOND % 60));
    if (rest % MS_SECOND != 0)
        len += snprintf(dst + len, UNITS_TEXT_MAX - (size_t)len, ".%03d", (int)(rest % MS_SECOND));
    snprintf(dst + len, UNITS_TEXT_MAX - (size_t)len, "Z");
    return dst;
}
