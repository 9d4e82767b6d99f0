/*
 * rand: seeded random numbers (xoshiro256**, seeded by splitmix64; Blackman and Vigna 2018) for
 * simulation, jitter and tests. Never for secrets: those come from os/entropy.h.
 * Same seed, same numbers, on every machine. One thread at a time per struct.
 */
#ifndef BERTH_BASE_RAND_H
#define BERTH_BASE_RAND_H

#include <stddef.h>
#include <stdint.h>

struct rnd {
    uint64_t s[4];
};

void rnd_seed(struct rnd *r, uint64_t seed);
uint64_t rnd_u64(struct rnd *r);
uint64_t rnd_below(struct rnd *r, uint64_t n); /* uniform in [0, n); n > 0; without modulo bias */
double rnd_double(struct rnd *r);              /* uniform in [0, 1) */
void rnd_shuffle(struct rnd *r, void *items, size_t count, size_t elem_size); /* Fisher-Yates */

#endif
