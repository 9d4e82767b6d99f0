/*
 * str: small questions about C strings, ASCII only, locale-free. Nothing here allocates.
 */
#ifndef BERTH_BASE_STR_H
#define BERTH_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool str_is_equal(const char *a, const char *b); /* NULL equals NULL only */
bool str_is_equal_ci(const char *a, const char *b);
bool str_has_prefix(const char *s, const char *prefix);
bool str_has_suffix(const char *s, const char *suffix);
/* Copies with truncation, always NUL-terminated; false when truncated. */
bool str_copy(char *dst, size_t dst_size, const char *src);

/* Decimal, whole string, no sign for u64, no blanks, no overflow. */
bool str_parse_u64(const char *s, uint64_t *ret);
bool str_parse_i64(const char *s, int64_t *ret);

/* Levenshtein distance, capped at `max` + 1; strings over 64 bytes count as far. */
int str_distance(const char *a, const char *b, int max);
/* The nearest of names[count] within a third of its length (at least 2), or NULL: for hints. */
const char *str_nearest(const char *s, const char *const *names, size_t count);

/* A name of ours: 1 to 63 of [a-z0-9-], starts and ends with a letter or digit (RFC 1123 label). */
bool str_is_label(const char *s);
/* 1 to 128 of [A-Za-z0-9._-], not starting with '.' or '-'. */
bool str_is_tag(const char *s);

/* Lower-case hex; dst holds 2*len+1. str_from_hex wants exactly 2*len digits. */
void str_to_hex(char *dst, const void *src, size_t len);
bool str_from_hex(void *dst, size_t len, const char *hex);
/* base64url without padding (RFC 4648 section 5); dst holds (len*4+2)/3+1. */
void str_to_base64url(char *dst, const void *src, size_t len);

/* Valid UTF-8 without NUL, surrogates and overlong forms (RFC 3629). */
bool str_is_utf8(const char *s, size_t len);
/* Bytes of the character at s (1 to 4), or 0 when it is not such UTF-8; reads at most len bytes. */
size_t str_utf8_len(const char *s, size_t len);

#endif
