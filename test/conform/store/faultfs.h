/*
 * faultfs: a layer between SQLite and the file system that makes the n-th change of a file fail
 * (a write, a sync, a truncation, growth of the shared index), and one between SQLite and malloc.
 * One thread.
 */
#ifndef BERTH_TEST_CONFORM_STORE_FAULTFS_H
#define BERTH_TEST_CONFORM_STORE_FAULTFS_H

#include <stdbool.h>
#include <stdint.h>

/* Once, before SQLite is used. */
void faultfs_install(void);

enum fault { FAULT_FULL, FAULT_IO, FAULT_MEMORY };
/* From now on the n-th such call fails, and with `persistent` all after it. n 0: off. */
void faultfs_fail_at(enum fault fault, uint64_t n, bool is_persistent);
bool faultfs_was_hit(void);

#endif
