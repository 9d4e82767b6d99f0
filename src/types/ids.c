/* The key of an attempt as text: WORKLOAD/NUMBER/FENCE. */
#include "types/ids.h"

#include <stdio.h>
#include <string.h>
#include "base/str.h"

const char *attempt_key_format(char dst[ATTEMPT_KEY_TEXT_SIZE], struct attempt_key key)
{
    char id[ID_TEXT_SIZE];
    snprintf(dst, ATTEMPT_KEY_TEXT_SIZE, "%s/%u/%llu", id_format(id, key.workload.v), key.number,
             (unsigned long long)key.fence);
    return dst;
}

/* Copies the part up to the next '/' or the end; false when it is longer than dst. */
static bool take_part(const char **s, char *dst, size_t dst_size)
{
    size_t len = strcspn(*s, "/");
    if (len >= dst_size)
        return false;
    memcpy(dst, *s, len);
    dst[len] = '\0';
    *s += len + ((*s)[len] == '/' ? 1 : 0);
    return true;
}

/* Numbers have one form only, so that a key and its text are one to one. */
static bool parse_number(const char *s, uint64_t max, uint64_t *ret)
{
    bool has_leading_zero = s[0] == '0' && s[1] != '\0';
    return !has_leading_zero && str_parse_u64(s, ret) && *ret <= max;
}

bool attempt_key_parse(const char *s, struct attempt_key *ret)
{
    char id[ID_TEXT_SIZE], number_text[11], fence_text[21];
    struct attempt_key key;
    uint64_t number;
    size_t slashes = 0;
    for (const char *p = s; *p != '\0'; p++)
        slashes += *p == '/';
    if (slashes != 2 || !take_part(&s, id, sizeof(id)) ||
        !take_part(&s, number_text, sizeof(number_text)) ||
        !take_part(&s, fence_text, sizeof(fence_text)))
        return false;
    if (!id_parse(id, &key.workload.v) || !parse_number(number_text, UINT32_MAX, &number) ||
        !parse_number(fence_text, UINT64_MAX, &key.fence))
        return false;
    key.number = (uint32_t)number;
    *ret = key;
    return true;
}

bool attempt_key_is_equal(struct attempt_key a, struct attempt_key b)
{
    return a.workload.v == b.workload.v && a.number == b.number && a.fence == b.fence;
}
