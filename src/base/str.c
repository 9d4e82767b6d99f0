/* Questions about C strings. */
#include "base/str.h"

#include <string.h>
#include "base/check.h"

#define DISTANCE_MAX_BYTES 64

static char to_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_lower_alnum(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z');
}

bool str_is_equal(const char *a, const char *b)
{
    if (a == NULL || b == NULL)
        return a == b;
    return strcmp(a, b) == 0;
}

bool str_is_equal_ci(const char *a, const char *b)
{
    if (a == NULL || b == NULL)
        return a == b;
    while (*a != '\0' && to_lower(*a) == to_lower(*b)) {
        a++;
        b++;
    }
    return to_lower(*a) == to_lower(*b);
}

bool str_has_prefix(const char *s, const char *prefix)
{
    return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool str_has_suffix(const char *s, const char *suffix)
{
    size_t len = strlen(s), suffix_len = strlen(suffix);
    return suffix_len <= len && memcmp(s + len - suffix_len, suffix, suffix_len) == 0;
}

bool str_copy(char *dst, size_t dst_size, const char *src)
{
    check(dst_size > 0);
    size_t len = strnlen(src, dst_size), kept = len < dst_size ? len : dst_size - 1;
    memmove(dst, src, kept);
    dst[kept] = '\0';
    return len < dst_size;
}

bool str_parse_u64(const char *s, uint64_t *ret)
{
    if (s == NULL || *s == '\0')
        return false;
    uint64_t v = 0;
    for (; *s != '\0'; s++) {
        if (!is_digit(*s) || __builtin_mul_overflow(v, 10u, &v) ||
            __builtin_add_overflow(v, (uint64_t)(*s - '0'), &v))
            return false;
    }
    *ret = v;
    return true;
}

bool str_parse_i64(const char *s, int64_t *ret)
{
    if (s == NULL)
        return false;
    bool is_negative = *s == '-';
    uint64_t v;
    if (!str_parse_u64(s + is_negative, &v))
        return false;
    if (v > (uint64_t)INT64_MAX + is_negative)
        return false;
    *ret = is_negative ? (int64_t)(0 - v) : (int64_t)v;
    return true;
}

static int min3(int a, int b, int c)
{
    int least = a < b ? a : b;
    return least < c ? least : c;
}

int str_distance(const char *a, const char *b, int max)
{
    size_t a_len = strnlen(a, DISTANCE_MAX_BYTES + 1), b_len = strnlen(b, DISTANCE_MAX_BYTES + 1);
    if (a_len > DISTANCE_MAX_BYTES || b_len > DISTANCE_MAX_BYTES)
        return max + 1;
    int row[DISTANCE_MAX_BYTES + 1]; /* distances of a's prefix to every prefix of b */
    for (size_t j = 0; j <= b_len; j++)
        row[j] = (int)j;
    for (size_t i = 1; i <= a_len; i++) {
        int diagonal = row[0];
        row[0] = (int)i;
        for (size_t j = 1; j <= b_len; j++) {
            int above = row[j];
            row[j] = min3(above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
            diagonal = above;
        }
    }
    return row[b_len] > max ? max + 1 : row[b_len];
}

const char *str_nearest(const char *s, const char *const *names, size_t count)
{
    int max = (int)(strnlen(s, DISTANCE_MAX_BYTES) / 3);
    if (max < 2)
        max = 2;
    const char *nearest = NULL;
    for (size_t i = 0; i < count; i++) {
        int distance = str_distance(s, names[i], max);
        /* "cpu" is no better a guess for "ab" than anything else: something must be left of it */
        if (distance <= max && (size_t)distance < strlen(names[i])) {
            nearest = names[i];
            max = distance - 1;
        }
    }
    return nearest;
}

bool str_is_label(const char *s)
{
    size_t len = s == NULL ? 0 : strnlen(s, 64);
    if (len < 1 || len > 63 || !is_lower_alnum(s[0]) || !is_lower_alnum(s[len - 1]))
        return false;
    for (size_t i = 0; i < len; i++) {
        if (!is_lower_alnum(s[i]) && s[i] != '-')
            return false;
    }
    return true;
}

bool str_is_tag(const char *s)
{
    size_t len = s == NULL ? 0 : strnlen(s, 129);
    if (len < 1 || len > 128 || s[0] == '.' || s[0] == '-')
        return false;
    for (size_t i = 0; i < len; i++) {
        if (!is_lower_alnum(to_lower(s[i])) && s[i] != '.' && s[i] != '_' && s[i] != '-')
            return false;
    }
    return true;
}

void str_to_hex(char *dst, const void *src, size_t len)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *bytes = src;
    for (size_t i = 0; i < len; i++) {
        *dst++ = digits[bytes[i] >> 4];
        *dst++ = digits[bytes[i] & 15];
    }
    *dst = '\0';
}

static int hex_value(char c)
{
    if (is_digit(c))
        return c - '0';
    c = to_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool str_from_hex(void *dst, size_t len, const char *hex)
{
    if (hex == NULL || strnlen(hex, 2 * len + 1) != 2 * len)
        return false;
    for (size_t i = 0; i < 2 * len; i++) {
        if (hex_value(hex[i]) < 0)
            return false;
    }
    unsigned char *bytes = dst;
    for (size_t i = 0; i < len; i++)
        bytes[i] = (unsigned char)(hex_value(hex[2 * i]) << 4 | hex_value(hex[2 * i + 1]));
    return true;
}

void str_to_base64url(char *dst, const void *src, size_t len)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const unsigned char *bytes = src;
    unsigned bits = 0, bit_count = 0;
    for (size_t i = 0; i < len; i++) {
        bits = bits << 8 | bytes[i];
        bit_count += 8;
        while (bit_count >= 6) {
            bit_count -= 6;
            *dst++ = digits[bits >> bit_count & 63];
        }
    }
    if (bit_count > 0)
        *dst++ = digits[bits << (6 - bit_count) & 63];
    *dst = '\0';
}

size_t str_utf8_len(const char *s, size_t len)
{
    /* Ranges of the second byte by RFC 3629, section 4; later bytes are always 80..BF. */
    static const struct {
        unsigned char first_min, first_max, second_min, second_max, len;
    } forms[] = {
        {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3}, {0xe1, 0xec, 0x80, 0xbf, 3},
        {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3}, {0xf0, 0xf0, 0x90, 0xbf, 4},
        {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
    };
    if (len == 0)
        return 0;
    unsigned char first = (unsigned char)s[0];
    if (first < 0x80)
        return first == 0 ? 0 : 1;
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        if (first < forms[i].first_min || first > forms[i].first_max)
            continue;
        unsigned char second = len > 1 ? (unsigned char)s[1] : 0;
        if (forms[i].len > len || second < forms[i].second_min || second > forms[i].second_max)
            return 0;
        for (size_t j = 2; j < forms[i].len; j++) {
            if (((unsigned char)s[j] & 0xc0) != 0x80)
                return 0;
        }
        return forms[i].len;
    }
    return 0;
}

bool str_is_utf8(const char *s, size_t len)
{
    while (len > 0) {
        size_t step = str_utf8_len(s, len);
        if (step == 0)
            return false;
        s += step;
        len -= step;
    }
    return true;
}
