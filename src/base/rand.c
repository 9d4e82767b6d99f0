/* xoshiro256** 1.0 and splitmix64, after the public-domain reference by Blackman and Vigna. */
#include "base/rand.h"

#include <string.h>
#include "base/check.h"

static uint64_t splitmix64(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15ull;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return z ^ z >> 31;
}

static uint64_t rotate_left(uint64_t x, int k)
{
    return x << k | x >> (64 - k);
}

void rnd_seed(struct rnd *r, uint64_t seed)
{
    for (size_t i = 0; i < ARRAY_LEN(r->s); i++)
        r->s[i] = splitmix64(&seed);
}

uint64_t rnd_u64(struct rnd *r)
{
    uint64_t *s = r->s;
    uint64_t result = rotate_left(s[1] * 5, 7) * 9, t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate_left(s[3], 45);
    return result;
}

uint64_t rnd_below(struct rnd *r, uint64_t n)
{
    check(n > 0);
    uint64_t reject_below = -n % n; /* 2^64 mod n: what would be drawn once too often */
    uint64_t x;
    do {
        x = rnd_u64(r);
    } while (x < reject_below);
    return x % n;
}

double rnd_double(struct rnd *r)
{
    return (double)(rnd_u64(r) >> 11) * 0x1.0p-53;
}

static void swap_bytes(unsigned char *a, unsigned char *b, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        unsigned char byte = a[i];
        a[i] = b[i];
        b[i] = byte;
    }
}

void rnd_shuffle(struct rnd *r, void *items, size_t count, size_t elem_size)
{
    unsigned char *base = items;
    for (size_t i = count; i > 1; i--) {
        size_t j = (size_t)rnd_below(r, i);
        if (j != i - 1)
            swap_bytes(base + j * elem_size, base + (i - 1) * elem_size, elem_size);
    }
}
