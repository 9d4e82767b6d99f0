/* Run times in bins that grow by a quarter power of two; integers only. */
#include "sched/learn.h"

#define KNOWN_LEAST 3

/* Lower ends of the four bins of an octave, in 1/1024: 2^0, 2^(1/4), 2^(1/2), 2^(3/4). */
static const int64_t steps[4] = {1024, 1218, 1448, 1722};

static int64_t bin_start_ms(uint32_t bin)
{
    return bin >= 4 * 40 ? INT64_MAX / 4 : 1000 * (steps[bin % 4] << (bin / 4)) / 1024;
}

static uint32_t bin_of(int64_t run_ms)
{
    uint32_t bin = 0;
    while (bin + 1 < SCHED_LEARN_BINS && bin_start_ms(bin + 1) <= run_ms)
        bin++;
    return bin;
}

void sched_history_add(struct sched_history *h, int64_t run_ms)
{
    if (run_ms < 0)
        return;
    h->bins[bin_of(run_ms)]++;
    h->count++;
}

/* Run time below which `part` of 4 quarters of the runs from bin `first` on lie. */
static int64_t quarter(const struct sched_history *h, uint32_t first, uint64_t total, uint64_t part)
{
    uint64_t below = 0;
    uint32_t bin = first;
    for (; bin + 1 < SCHED_LEARN_BINS; bin++) {
        below += h->bins[bin];
        if (below * 4 >= total * part && below > 0)
            break;
    }
    return (bin_start_ms(bin) + bin_start_ms(bin + 1)) / 2;
}

bool sched_history_expect(const struct sched_history *h, int64_t served_ms, int64_t *ret_expect_ms,
                          int64_t *ret_spread_ms)
{
    uint32_t first = served_ms <= 0 ? 0 : bin_of(served_ms) + 1;
    uint64_t total = 0;
    for (uint32_t bin = first; bin < SCHED_LEARN_BINS; bin++)
        total += h->bins[bin];
    if (total < KNOWN_LEAST)
        return false;
    *ret_expect_ms = quarter(h, first, total, 2);
    *ret_spread_ms = (quarter(h, first, total, 3) - quarter(h, first, total, 1)) / 2;
    return true;
}
