/*
 * The store against SQLite used plainly, in one run, alternating, medians of five:
 *
 *   store-commit   durable changes a second with 32 in flight; peer: the same row, one a commit
 *   store-submit   the same for a submission (workload, attempt, event, idempotency key)
 *   store-load     milliseconds from open to loaded with 100,000 workloads in the file, 500 of them
 *                  live; no peer
 *   store-list     milliseconds for a page of 100 of them
 *
 *   usage: bench_store DIRECTORY [PART]    PART: write, read
 *
 * DIRECTORY lies on the disk to be measured. Prints one JSON object a line.
 */
#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>
#include "base/check.h"
#include "base/id.h"
#include "base/rand.h"
#include "ev/loop.h"
#include "store/store.h"

#define RUNS      5
#define IN_FLIGHT 32
#define CHANGES   20000
#define PEER_ROWS 1500
#define WORKLOADS 100000
#define LIVE      500

static const char *const command[] = {"python3", "train.py", "--epochs", "3"};
static struct workload_spec spec = {.name = "digits",
                                    .project = "vision",
                                    .image = "ml:latest",
                                    .command = {(const char **)(uintptr_t)command, 4}};
static char directory[512];

static double now_s(void)
{
    return (double)uv_hrtime() / 1e9;
}

static int compare_double(const void *pa, const void *pb)
{
    double a = *(const double *)pa, b = *(const double *)pb;
    return a < b ? -1 : a > b;
}

static double median(double values[RUNS])
{
    qsort(values, RUNS, sizeof(values[0]), compare_double);
    return values[RUNS / 2];
}

static void die(const char *what, const struct err *err)
{
    fprintf(stderr, "bench_store: %s: %s\n", what, err->text);
    exit(1);
}

static void path_of(char dst[600], const char *name, const char *suffix)
{
    snprintf(dst, 600, "%s/%s%s", directory, name, suffix);
}

static void remove_file(const char *name)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", "-lock"};
    char path[600];
    for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
        path_of(path, name, suffixes[i]);
        unlink(path);
    }
}

/* ---- the peer ---- */

static double peer_run(void)
{
    char path[600];
    sqlite3 *db;
    sqlite3_stmt *st;
    remove_file("peer.db");
    path_of(path, "peer.db", "");
    check(sqlite3_open(path, &db) == SQLITE_OK);
    check(sqlite3_exec(db,
                       "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                       "CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) "
                       "STRICT, WITHOUT ROWID",
                       NULL, NULL, NULL) == SQLITE_OK);
    check(sqlite3_prepare_v2(db,
                             "INSERT INTO settings VALUES (?1, ?2) ON CONFLICT (name) "
                             "DO UPDATE SET value = ?2",
                             -1, &st, NULL) == SQLITE_OK);
    double start = now_s();
    for (int i = 0; i < PEER_ROWS; i++) {
        char name[32];
        snprintf(name, sizeof(name), "s%d", i % 100);
        sqlite3_bind_text(st, 1, name, -1, SQLITE_TRANSIENT);
        sqlite3_bind_text(st, 2, "some value", -1, SQLITE_STATIC);
        check(sqlite3_step(st) == SQLITE_DONE);
        sqlite3_reset(st);
    }
    double rate = PEER_ROWS / (now_s() - start);
    sqlite3_finalize(st);
    sqlite3_close(db);
    remove_file("peer.db");
    return rate;
}

/* ---- ours ---- */

struct bench {
    struct store *store;
    struct rnd rnd;
    uint64_t given, done, seq, goal;
    bool is_submit;
};

static struct workload make_workload(struct rnd *rnd, int64_t time_ms, bool is_final)
{
    return (struct workload){.id = {id_from_random(rnd_u64(rnd))},
                             .project = {1 + rnd_below(rnd, 8)},
                             .owner = {1 + rnd_below(rnd, 16)},
                             .spec = &spec,
                             .version = 1,
                             .state = is_final ? STATE_SUCCEEDED : STATE_QUEUED,
                             .submitted_ms = time_ms,
                             .ended_ms = is_final ? time_ms + 60000 : 0};
}

static void put_submission(struct store_batch *b, struct bench *bench, int64_t time_ms,
                           bool is_final)
{
    struct workload w = make_workload(&bench->rnd, time_ms, is_final);
    struct event e = {.seq = ++bench->seq,
                      .time_ms = time_ms,
                      .type = "workload.state",
                      .subject = w.id.v,
                      .subject_kind = "workload",
                      .project = w.project.v,
                      .text = "queued"};
    store_put_workload(b, &w);
    store_append_event(b, &e);
    if (is_final) {
        struct task task = {.node = "local", .ended = true, .ended_ms = time_ms};
        struct attempt a = {.key = {w.id, 1, bench->seq},
                            .site = "local",
                            .tasks = &task,
                            .task_count = 1,
                            .end_reason = END_COMPLETED,
                            .gone = true};
        store_put_attempt(b, &a);
    } else {
        struct idempotency_row r = {.user = w.owner, .made = w.id.v, .time_ms = time_ms};
        id_format(r.key, w.id.v);
        store_put_idempotency(b, &r);
    }
}

static void give(struct bench *bench);

static void on_done(void *arg, int rc, const struct err *err)
{
    struct bench *bench = arg;
    if (rc < 0)
        die("commit", err);
    bench->done++;
    if (bench->given < bench->goal)
        give(bench);
}

static void give(struct bench *bench)
{
    struct store_batch *b = store_batch_new(bench->store);
    check(b != NULL);
    uint64_t n = bench->given++;
    if (bench->is_submit) {
        put_submission(b, bench, (int64_t)n, false);
    } else {
        char name[32];
        snprintf(name, sizeof(name), "s%d", (int)(n % 100));
        store_put_setting(b, name, "some value");
    }
    store_commit(bench->store, b, on_done, bench);
}

static double our_run(bool is_submit)
{
    char path[600];
    struct err err;
    struct ev_loop *loop;
    struct bench bench = {.is_submit = is_submit, .goal = CHANGES};
    rnd_seed(&bench.rnd, 1);
    remove_file("ours.db");
    path_of(path, "ours.db", "");
    const struct store_config cfg = {.driver = "sqlite", .path = path};
    if (ev_loop_new(&loop, &err) < 0 || store_open(&cfg, loop, &bench.store, &err) < 0)
        die("open", &err);
    double start = now_s();
    for (int i = 0; i < IN_FLIGHT; i++)
        give(&bench);
    ev_loop_run(loop);
    double rate = CHANGES / (now_s() - start);
    check(bench.done == CHANGES);
    store_close(bench.store);
    ev_loop_free(loop);
    remove_file("ours.db");
    return rate;
}

/* ---- much in the file ---- */

static void fill_big(const char *path)
{
    struct err err;
    struct bench bench = {0};
    rnd_seed(&bench.rnd, 2);
    const struct store_config cfg = {.driver = "sqlite", .path = path};
    remove_file("big.db");
    if (store_open(&cfg, NULL, &bench.store, &err) < 0)
        die("open", &err);
    for (int i = 0; i < WORKLOADS;) {
        struct store_batch *b = store_batch_new(bench.store);
        for (int k = 0; k < 1000; k++, i++)
            put_submission(b, &bench, i * 1000ll, i < WORKLOADS - LIVE);
        store_commit(bench.store, b, on_done, &bench);
    }
    store_close(bench.store);
}

static int count_workload(void *arg, const struct workload *w, const char *spec_json)
{
    ++*(int *)arg;
    return 0;
}

static double load_run(const char *path)
{
    struct err err;
    struct store *s;
    struct store_heads heads;
    int count = 0;
    const struct store_config cfg = {.driver = "sqlite", .path = path};
    const struct store_visitor v = {.arg = &count, .workload = count_workload};
    double start = now_s();
    /* live ones, and the last 1,000 that ended */
    if (store_open(&cfg, NULL, &s, &err) < 0 ||
        store_load(s, (WORKLOADS - LIVE - 1000) * 1000ll + 60000, &v, &heads, &err) < 0)
        die("load", &err);
    double took = (now_s() - start) * 1000;
    check(count == LIVE + 1000 && heads.workloads_total == WORKLOADS);
    store_close(s);
    return took;
}

static void on_page(void *arg, int rc, const struct store_workload_page *page,
                    const struct err *err)
{
    if (rc < 0)
        die("list", err);
    check(page->count == 100);
}

static double list_run(const char *path)
{
    struct err err;
    struct store *s;
    const struct store_config cfg = {.driver = "sqlite", .path = path};
    uint64_t projects[4];
    for (uint64_t i = 0; i < 4; i++)
        projects[i] = 2 * i + 1;
    const struct store_workload_query q = {.projects = projects,
                                           .project_count = 4,
                                           .kind = -1,
                                           .state = -1,
                                           .limit = 100,
                                           .before_ms = 50000 * 1000ll};
    if (store_open(&cfg, NULL, &s, &err) < 0)
        die("open", &err);
    double start = now_s();
    for (int i = 0; i < 20; i++)
        store_list_workloads(s, &q, on_page, NULL);
    double took = (now_s() - start) * 1000 / 20;
    store_close(s);
    return took;
}

/* ---- the table ---- */

static void print_row(const char *name, double ours, double peer, const char *unit)
{
    printf("{\"name\":\"%s\",\"ours\":%.3f,\"peer\":%.3f,\"ratio\":%.2f,\"unit\":\"%s\","
           "\"peer_version\":\"SQLite %s, one row a commit\"}\n",
           name, ours, peer, peer > 0 ? ours / peer : 0, unit,
           peer > 0 ? sqlite3_libversion() : "-");
    fflush(stdout);
}

static void measure_writing(void)
{
    double peer[RUNS], commit[RUNS], submit[RUNS];
    for (int i = 0; i < RUNS; i++) {
        peer[i] = peer_run();
        commit[i] = our_run(false);
        submit[i] = our_run(true);
    }
    print_row("store-commit", median(commit), median(peer), "changes/s");
    print_row("store-submit", median(submit), median(peer), "submissions/s");
}

static void measure_reading(void)
{
    double load[RUNS], list[RUNS];
    char path[600];
    path_of(path, "big.db", "");
    fill_big(path);
    for (int i = 0; i < RUNS; i++) {
        load[i] = load_run(path);
        list[i] = list_run(path);
    }
    print_row("store-load", median(load), 0, "ms");
    print_row("store-list", median(list), 0, "ms");
    remove_file("big.db");
}

int main(int argc, char **argv)
{
    const char *part = argc == 3 ? argv[2] : "";
    bool is_write = strcmp(part, "write") == 0, is_read = strcmp(part, "read") == 0;
    if (argc < 2 || argc > 3 || (argc == 3 && !is_write && !is_read)) {
        fprintf(stderr, "usage: bench_store DIRECTORY [write|read]\n");
        return 2;
    }
    snprintf(directory, sizeof(directory), "%s", argv[1]);
    if (!is_read)
        measure_writing();
    if (!is_write)
        measure_reading();
    return 0;
}
