/* Ids as text: ten digits of Crockford's base32, most significant first. */
#include "base/id.h"

#include <string.h>
#include "base/check.h"

static const char alphabet[] = "0123456789abcdefghjkmnpqrstvwxyz";

#define FIRST_LETTER 10u /* digits below stand for 0-9 */
#define LETTERS      22u
#define LOW_BITS     45 /* of the nine characters after the first */

uint64_t id_from_random(uint64_t random)
{
    uint64_t low = random & ((1ull << LOW_BITS) - 1);
    uint64_t first = FIRST_LETTER + (random >> LOW_BITS) % LETTERS;
    return first << LOW_BITS | low;
}

const char *id_format(char dst[ID_TEXT_SIZE], uint64_t v)
{
    if (v == 0) {
        dst[0] = '\0';
        return dst;
    }
    for (int i = ID_TEXT_LEN - 1; i >= 0; i--) {
        dst[i] = alphabet[v & 31];
        v >>= 5;
    }
    dst[ID_TEXT_LEN] = '\0';
    return dst;
}

bool id_parse(const char *s, uint64_t *ret)
{
    if (s == NULL || strnlen(s, ID_TEXT_LEN + 1) != ID_TEXT_LEN)
        return false;
    uint64_t v = 0;
    for (int i = 0; i < ID_TEXT_LEN; i++) {
        const char *digit = strchr(alphabet, s[i]);
        if (digit == NULL)
            return false;
        v = v << 5 | (uint64_t)(digit - alphabet);
    }
    if (v >> LOW_BITS < FIRST_LETTER)
        return false;
    *ret = v;
    return true;
}
