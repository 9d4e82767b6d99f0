/* Opening SQLite files: ours, newer, foreign, damaged, in use; and what a fresh one looks like. */
#include "testlib.h"
#include <sqlite3.h>
#include <sys/stat.h>
#include "base/str.h"
#include "store/store.h"

struct fix {
    char dir[TEST_PATH_MAX], path[TEST_PATH_MAX + 16];
};

static int setup(void **state)
{
    static struct fix f;
    test_tmpdir_make(f.dir);
    snprintf(f.path, sizeof(f.path), "%s/store.db", f.dir);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    test_tmpdir_remove(((struct fix *)*state)->dir);
    return 0;
}

static int try_open(const char *path, struct store **ret, struct err *err)
{
    const struct store_config cfg = {.driver = "sqlite", .path = path};
    *err = (struct err){0};
    *ret = NULL;
    return store_open(&cfg, NULL, ret, err);
}

static void expect_refused(const char *path, enum berr code, const char *part)
{
    struct store *s;
    struct err err;
    assert_int_equal(try_open(path, &s, &err), -(int)code);
    test_expect_err(&err, code, part);
    assert_null(s);
}

static void expect_opens(const char *path)
{
    struct store *s;
    struct err err;
    if (try_open(path, &s, &err) < 0)
        fail_msg("open: %s", err.text);
    assert_null(store_close(s));
}

static void run_sql(const char *path, const char *sql)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    char *text = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &text) != SQLITE_OK)
        fail_msg("%s: %s", sql, text);
    sqlite3_close(db);
}

static int read_number(const char *path, const char *sql)
{
    sqlite3 *db;
    sqlite3_stmt *st;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &st, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(st), SQLITE_ROW);
    int value = sqlite3_column_int(st, 0);
    sqlite3_finalize(st);
    sqlite3_close(db);
    return value;
}

static void fresh_file(void **state)
{
    struct fix *f = *state;
    expect_opens(f->path);
    expect_opens(f->path);
    struct stat st;
    assert_int_equal(stat(f->path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(read_number(f->path, "PRAGMA application_id"), 0x62727468);
    assert_int_equal(read_number(f->path, "PRAGMA user_version"), STORE_SCHEMA_VERSION);
    assert_int_equal(read_number(f->path,
                                 "SELECT count(*) FROM pragma_table_list WHERE type = 'table' "
                                 "AND schema = 'main' AND name NOT LIKE 'sqlite%' AND strict = 0"),
                     0);
}

static void newer_version_is_refused(void **state)
{
    struct fix *f = *state;
    expect_opens(f->path);
    run_sql(f->path, "PRAGMA user_version = 99");
    size_t len;
    cleanup(mem_freep) char *before = test_read_file(f->path, &len);
    expect_refused(f->path, BERR_CONFLICT, "version 99, this one knows 1");
    size_t len_after;
    cleanup(mem_freep) char *after = test_read_file(f->path, &len_after);
    assert_int_equal(len, len_after);
    assert_memory_equal(before, after, len); /* untouched */
    run_sql(f->path, "PRAGMA user_version = 1");
    expect_opens(f->path);
}

static void foreign_files_are_refused(void **state)
{
    struct fix *f = *state;
    run_sql(f->path, "CREATE TABLE other (x)");
    expect_refused(f->path, BERR_CONFLICT, "another program");
    assert_int_equal(read_number(f->path, "SELECT count(*) FROM sqlite_schema"), 1);
    char text_path[TEST_PATH_MAX + 32];
    snprintf(text_path, sizeof(text_path), "%s/text", f->dir);
    test_write_file(text_path,
                    "this is no database, only a text that is long enough to be looked at as "
                    "the first page of one, which takes at least a hundred bytes or so");
    expect_refused(text_path, BERR_IO, "not a database");
    snprintf(text_path, sizeof(text_path), "%s/missing/store.db", f->dir);
    expect_refused(text_path, BERR_NOT_FOUND, "missing/store.db");
}

static void second_user_is_refused(void **state)
{
    struct fix *f = *state;
    struct store *s;
    struct err err;
    assert_int_equal(try_open(f->path, &s, &err), 0);
    expect_refused(f->path, BERR_CONFLICT, "in use by another process");
    store_close(s);
    expect_opens(f->path);
}

static void unknown_driver(void **state)
{
    const struct store_config cfg = {.driver = "oracle"}, no_path = {.driver = "sqlite"};
    struct store *s;
    struct err err;
    assert_int_equal(store_open(&cfg, NULL, &s, &err), -BERR_INVALID);
    test_expect_err(&err, BERR_INVALID, "'oracle'");
    assert_int_equal(store_open(&no_path, NULL, &s, &err), -BERR_INVALID);
    assert_null(store_close(NULL));
}

static int see_workload(void *arg, const struct workload *w, const char *spec_json)
{
    return 0;
}
static int see_user(void *arg, const struct user *u)
{
    return 0;
}

/* Rows that no berth has written are errors, not guesses. */
static void damaged_rows_are_told(void **state)
{
    struct fix *f = *state;
    static const char *const damages[] = {
        "INSERT INTO workloads VALUES (1, 5, 1, 1, 'job', 'ASLEEP', 0, 'run', 'none', "
        "0,0,0,0,0,0,0,'','','','{}',1)",
        "DELETE FROM workloads; INSERT INTO workloads VALUES (1, 5, 1, 1, 'job', 'QUEUED', 0, "
        "'run', 'none', "
        "0,0,0,0,0,0,0,'','','','{}',1); INSERT INTO attempts VALUES "
        "(1,5,1,1,'',0,0,0,'none',0,0,'',0,'[[1,2]]')",
        "UPDATE attempts SET tasks = 'x'",
        "UPDATE attempts SET tasks = '[]', end_reason = 'tired'",
        "DELETE FROM attempts; DELETE FROM workloads; INSERT INTO users VALUES "
        "(1, printf('%.*c', 100, 'x'), 0, 0, '', 0, 1)",
    };
    expect_opens(f->path);
    const struct store_visitor v = {.user = see_user, .workload = see_workload};
    for (size_t i = 0; i < ARRAY_LEN(damages); i++) {
        run_sql(f->path, damages[i]);
        struct store *s;
        struct err err;
        struct store_heads heads;
        assert_int_equal(try_open(f->path, &s, &err), 0);
        if (store_load(s, 0, &v, &heads, &err) != -BERR_IO)
            fail_msg("damage %zu was not seen", i);
        test_expect_err(&err, BERR_IO, "damaged");
        store_close(s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(fresh_file, setup, teardown),
        cmocka_unit_test_setup_teardown(newer_version_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(foreign_files_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(second_user_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(damaged_rows_are_told, setup, teardown),
        cmocka_unit_test(unknown_driver),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
