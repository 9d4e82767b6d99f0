/*
 * What the files of the store's conformance suite share: a store of the driver under test, rows to
 * put into it, and its whole content as text. Each test file gives a list of tests; test_DRIVER.c
 * runs them all.
 */
#ifndef BERTH_TEST_CONFORM_STORE_SUITE_H
#define BERTH_TEST_CONFORM_STORE_SUITE_H

#include "testlib.h"
#include "base/buf.h"
#include "base/str.h"
#include "store/store.h"

struct fix {
    const char *driver;
    char dir[TEST_PATH_MAX];
    char path[TEST_PATH_MAX + 16];
    struct store_config cfg;
    struct store *store;
};

/* The driver that the running program tests. */
extern const char *suite_driver;
bool suite_is_durable(void); /* what is written is there after reopening */

int suite_setup(void **state); /* opens without a loop */
int suite_teardown(void **state);
void fix_reopen(struct fix *f);

/* ---- rows: everything follows from the number ---- */
struct user make_user(uint64_t id, const char *name);
struct project make_project(uint64_t id, const char *name);
struct token make_token(uint64_t id, uint64_t user);
struct image *make_image(uint64_t id); /* static */
struct workload make_workload(uint64_t id, uint64_t project, uint64_t owner, int64_t submitted_ms);
/* tasks live in a static array */
struct attempt make_attempt(uint64_t workload, uint32_t number, uint64_t fence, uint32_t tasks);
struct event make_event(uint64_t seq, const char *text);
struct ledger_row make_ledger(const char *name, struct attempt_key holder);
extern struct workload_spec suite_spec; /* a job named "digits" */

/* ---- commits without a loop ---- */
int commit(struct store *s, struct store_batch *b, struct err *err); /* the answer */
void commit_ok(struct store *s, struct store_batch *b);
void commit_fails(struct store *s, struct store_batch *b, enum berr code, const char *part);
/* A user 1 "ada", a project 1 "vision" and their membership. */
void put_people(struct store *s);

/* The whole content, one line a row. */
void dump(struct store *s, struct buf *out);
struct store_heads heads(struct store *s);

/* ---- the suite ---- */
extern const struct CMUnitTest row_tests[], batch_tests[], list_tests[], loop_tests[];
extern const size_t row_test_count, batch_test_count, list_test_count, loop_test_count;
int suite_run(const char *driver);

#define SUITE_TEST(fn) cmocka_unit_test_setup_teardown(fn, suite_setup, suite_teardown)

#endif
