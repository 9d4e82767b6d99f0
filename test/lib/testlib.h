/*
 * testlib: what unit tests in C share. cmocka with its preludes, a seed that is printed, torture
 * (make the n-th allocation fail, for every n), temporary directories, files.
 *
 * Helpers fail the running cmocka test instead of returning errors. One thread.
 */
#ifndef BERTH_TEST_LIB_TESTLIB_H
#define BERTH_TEST_LIB_TESTLIB_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "base/alloc.h"
#include "base/check.h"
#include "base/err.h"

/* The seed of this run: BERTH_TEST_SEED when set, else a fresh one; printed once to stderr. */
uint64_t test_seed(void);

/* Runs body with the first, second, … allocation failing (once, then from there on) until none is
 * hit. Each failed run must return -BERR_NOMEM and leave mem_live() as it was; the last returns 0.
 * Caches that outlive a run must be warm before. */
typedef int test_body_fn(void *ctx);
void test_torture(test_body_fn *body, void *ctx);

#define TEST_PATH_MAX 256
/* Makes an empty directory under $TMPDIR and writes its path to dst. */
void test_tmpdir_make(char dst[TEST_PATH_MAX]);
/* Removes it with all that is in it. */
void test_tmpdir_remove(const char *path);

/* The whole file, NUL-terminated; free with mem_free. ret_len may be NULL. */
char *test_read_file(const char *path, size_t *ret_len);
void test_write_file(const char *path, const char *text);

/* err has this code and its text contains `part`. */
void test_expect_err(const struct err *err, enum berr code, const char *part);

#endif
