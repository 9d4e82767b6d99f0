/* Every kind of row: out as it went in, changed by version, refused when it collides. */
#include "suite.h"

static struct store_batch *batch(struct fix *f)
{
    struct store_batch *b = store_batch_new(f->store);
    assert_non_null(b);
    return b;
}

static void put_one_of_each(struct fix *f)
{
    put_people(f->store);
    struct store_batch *b = batch(f);
    struct token t = make_token(5, 1);
    struct volume_row v = {.id = {6},
                           .owner = {1},
                           .name = "home",
                           .size_bytes = 1ull << 35,
                           .created_ms = 9,
                           .version = 1};
    struct workload w = make_workload(10, 1, 1, 50);
    struct attempt a = make_attempt(10, 1, 77, 3);
    struct ledger_row l = make_ledger("local/0", a.key);
    struct idempotency_row r = {.user = {1}, .key = "k-1", .made = 10, .time_ms = 50};
    struct event e1 = make_event(1, "queued"), e2 = make_event(2, "placed; \"quoted\" \xc3\xa4");
    assert_true(store_batch_is_empty(b));
    store_put_token(b, &t);
    store_put_volume(b, &v);
    store_put_image(b, make_image(7));
    store_put_workload(b, &w);
    store_put_attempt(b, &a);
    store_ledger_take(b, &l);
    store_put_idempotency(b, &r);
    store_put_setting(b, "domain", "berth.example");
    store_append_event(b, &e1);
    store_append_event(b, &e2);
    assert_false(store_batch_is_empty(b));
    commit_ok(f->store, b);
}

#define A16 "aaaaaaaaaaaaaaaa"
#define B16 "bbbbbbbbbbbbbbbb"
#define D10 "0505050505"

static const char expected_start[] =
    "setting domain=berth.example\n"
    "user 1 ada 1 0 $argon2id$1 1001 v1\n"
    "token 5 of 1 " D10 "00" D10 D10 D10 D10 D10 "05 laptop 3000 4000 1 35\n"
    "project 1 vision 1 1 2000 v1\n"
    "member 1 1 admin\n"
    "volume 6 0 1 home 34359738368 9 v1\n"
    "image 7 ml:latest ready {\"from\":\"debian:bookworm\"} sha256:ab 1099511627776 {} '' 1 5 6 "
    "v1 " A16 A16 A16 A16 " " B16 B16 B16 B16 "\n"
    "workload 10 1 1 QUEUED run none 50 0 0 50 17 3 2 'waits for 4 GPUs' resources "
    "0123456789abcdef0123456789abcdef v1 {";
static const char expected_end[] =
    "attempt 10/1/77 local 1 2 3 exit-code 1 7 'ended with 7' 1\n"
    " task 0 0 0 n\"1 10.0.0.1 2 [3 0] -1 9 1000 -5 1125899906842624 1152921504606846976\n"
    " task 1 1 0 n\"1 10.0.0.1 2 [3 1] 7 9 0110 -5 1125899906842624 1152921504606846976\n"
    " task 2 0 1 n\"1 10.0.0.1 2 [3 2] 7 9 0101 -5 1125899906842624 1152921504606846976\n"
    "ledger gpu local/0 reserved 10/1/77 why\n"
    "idempotency 1 k-1 10 50\n"
    "heads 2 77 1\n"
    "events from 1\n"
    "event 1 101 workload.state 10 workload 1 1 queued -\n"
    "event 2 102 workload.state 10 workload 1 1 placed; \"quoted\" \xc3\xa4 {\"a\":1}\n";

static void rows_come_back(void **state)
{
    struct fix *f = *state;
    put_one_of_each(f);
    if (suite_is_durable())
        fix_reopen(f);
    cleanup(buf_done) struct buf out = BUF(1 << 20);
    dump(f->store, &out);
    if (!str_has_prefix(buf_str(&out), expected_start) ||
        !str_has_suffix(buf_str(&out), expected_end))
        fail_msg("got:\n%s\nexpected:\n%s …\n%s", buf_str(&out), expected_start, expected_end);
    assert_non_null(strstr(buf_str(&out), "\"name\":\"digits\""));
    assert_non_null(strstr(buf_str(&out), "\"command\":[\"python3\",\"train.py\"]"));
}

static void fresh_store_is_empty(void **state)
{
    struct fix *f = *state;
    cleanup(buf_done) struct buf out = BUF(1 << 20);
    dump(f->store, &out);
    assert_string_equal(buf_str(&out), "heads 0 0 0\nevents from 1\n");
}

static void versions_go_up_by_one(void **state)
{
    struct fix *f = *state;
    put_people(f->store);
    static const struct {
        uint64_t version;
        bool is_ok;
    } steps[] = {{0, false}, {2, false}, {1, true},  {1, false}, {3, false},
                 {2, true},  {2, false}, {1, false}, {3, true},  {0, false}};
    for (size_t kind = 0; kind < 5; kind++)
        for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
            struct store_batch *b = batch(f);
            struct user u = make_user(20, "bob");
            struct project p = make_project(20, "nlp");
            struct workload w = make_workload(20, 1, 1, 5);
            struct volume_row v = {.id = {20}, .name = "data"};
            struct image *img = make_image(20);
            u.version = p.version = w.version = v.version = img->version = steps[i].version;
            switch (kind) {
            case 0:
                store_put_user(b, &u);
                break;
            case 1:
                store_put_project(b, &p);
                break;
            case 2:
                store_put_workload(b, &w);
                break;
            case 3:
                store_put_volume(b, &v);
                break;
            default:
                store_put_image(b, img);
                break;
            }
            if (steps[i].is_ok)
                commit_ok(f->store, b);
            else
                commit_fails(f->store, b, BERR_PRECONDITION, "version");
        }
}

static void changes_replace_the_row(void **state)
{
    struct fix *f = *state;
    put_one_of_each(f);
    struct store_batch *b = batch(f);
    struct user u = make_user(1, "ada-l");
    u.disabled = true;
    u.version = 2;
    struct workload w = make_workload(10, 1, 1, 50);
    w.version = 2;
    w.state = STATE_FAILED;
    w.ended_ms = 99;
    w.spec = NULL; /* keeps what is stored */
    struct attempt a = make_attempt(10, 1, 77, 1);
    a.ended_ms = 98;
    struct attempt a2 = make_attempt(10, 2, 78, 1);
    struct token t = make_token(5, 1);
    snprintf(t.label, sizeof(t.label), "desk");
    struct member m = {.project = {1}, .user = {1}, .role = ROLE_VIEWER};
    store_put_user(b, &u);
    store_put_workload(b, &w);
    store_put_attempt(b, &a);
    store_put_attempt(b, &a2);
    store_put_token(b, &t);
    store_put_member(b, &m);
    store_put_setting(b, "domain", "other");
    commit_ok(f->store, b);
    cleanup(buf_done) struct buf out = BUF(1 << 20);
    dump(f->store, &out);
    static const char *const parts[] = {"user 1 ada-l 1 1 ",        "setting domain=other\n",
                                        "FAILED run none 50 0 99 ", "\"name\":\"digits\"",
                                        "attempt 10/2/78",          " desk 3000",
                                        "member 1 1 viewer\n",      "heads 2 78 1"};
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        if (strstr(buf_str(&out), parts[i]) == NULL)
            fail_msg("no '%s' in\n%s", parts[i], buf_str(&out));
    assert_null(strstr(buf_str(&out), "attempt 10/1/77")); /* only the latest */
}

static void removals_remove(void **state)
{
    struct fix *f = *state;
    put_one_of_each(f);
    struct store_batch *b = batch(f);
    struct member m = {.project = {1}, .user = {1}, .role = ROLE_NONE};
    store_remove_token(b, (struct token_id){5});
    store_remove_token(b, (struct token_id){555});
    store_remove_image(b, (struct image_id){7});
    store_put_member(b, &m);
    store_ledger_free(b, "gpu", "local/0");
    store_ledger_free(b, "gpu", "never/there");
    commit_ok(f->store, b);
    cleanup(buf_done) struct buf out = BUF(1 << 20);
    dump(f->store, &out);
    static const char *const gone[] = {"\ntoken", "\nimage", "\nmember", "\nledger"};
    for (size_t i = 0; i < ARRAY_LEN(gone); i++)
        assert_null(strstr(buf_str(&out), gone[i]));
    b = batch(f); /* and may come again */
    struct token t = make_token(5, 1);
    store_put_token(b, &t);
    store_put_image(b, make_image(7));
    commit_ok(f->store, b);
}

static void names_and_digests_are_unique(void **state)
{
    struct fix *f = *state;
    put_one_of_each(f);
    struct store_batch *b = batch(f);
    struct user u = make_user(2, "ada");
    store_put_user(b, &u);
    commit_fails(f->store, b, BERR_CONFLICT, "");
    b = batch(f);
    struct project p = make_project(2, "vision");
    store_put_project(b, &p);
    commit_fails(f->store, b, BERR_CONFLICT, "");
    b = batch(f);
    struct token t = make_token(6, 1);
    memcpy(t.digest, make_token(5, 1).digest, sizeof(t.digest));
    store_put_token(b, &t);
    commit_fails(f->store, b, BERR_CONFLICT, "");
    /* A name that was given up is free, in the same batch as well. */
    b = batch(f);
    struct user renamed = make_user(1, "ada-l");
    renamed.version = 2;
    store_put_user(b, &renamed);
    store_put_user(b, &u);
    commit_ok(f->store, b);
}

static void rows_name_what_is_there(void **state)
{
    struct fix *f = *state;
    put_people(f->store);
    struct store_batch *b = batch(f);
    struct token t = make_token(5, 99);
    store_put_token(b, &t);
    commit_fails(f->store, b, BERR_CONFLICT, "");
    b = batch(f);
    struct member m = {.project = {99}, .user = {1}, .role = ROLE_VIEWER};
    store_put_member(b, &m);
    commit_fails(f->store, b, BERR_CONFLICT, "");
    b = batch(f);
    struct attempt a = make_attempt(99, 1, 1, 1);
    store_put_attempt(b, &a);
    commit_fails(f->store, b, BERR_CONFLICT, "");
}

static void fences_are_not_reused(void **state)
{
    struct fix *f = *state;
    put_one_of_each(f);
    struct store_batch *b = batch(f);
    struct attempt same_fence = make_attempt(10, 2, 77, 1);
    store_put_attempt(b, &same_fence);
    commit_fails(f->store, b, BERR_PRECONDITION, "fence");
    b = batch(f);
    struct attempt same_number = make_attempt(10, 1, 78, 1);
    store_put_attempt(b, &same_number);
    commit_fails(f->store, b, BERR_PRECONDITION, "fence");
    assert_int_equal(heads(f->store).fence, 77);
}

static void load_takes_live_and_recent(void **state)
{
    struct fix *f = *state;
    put_people(f->store);
    struct store_batch *b = batch(f);
    for (uint64_t i = 0; i < 6; i++) {
        struct workload w = make_workload(100 + i, 1, 1, 10);
        w.state = i % 2 == 0 ? STATE_RUNNING : STATE_SUCCEEDED;
        w.ended_ms = i % 2 == 0 ? 0 : 1000 - (int64_t)i; /* the later id ended first */
        store_put_workload(b, &w);
    }
    commit_ok(f->store, b);
    cleanup(buf_done) struct buf out = BUF(1 << 20);
    dump(f->store, &out);
    static const char *const order[] = {"workload 100 ", "workload 102 ", "workload 104 ",
                                        "workload 105 ", "workload 103 ", "workload 101 "};
    const char *at = buf_str(&out);
    for (size_t i = 0; i < ARRAY_LEN(order); i++) {
        at = strstr(at, order[i]);
        assert_non_null(at);
    }
}

struct recent {
    int64_t since_ms;
    int expected, seen, stop_after;
};

static int count_one(void *arg, const struct workload *w, const char *spec_json)
{
    struct recent *r = arg;
    r->seen++;
    return r->stop_after != 0 && r->seen == r->stop_after ? -BERR_CANCELED : 0;
}

static void load_by_time_and_end_it(void **state)
{
    load_takes_live_and_recent(state);
    struct fix *f = *state;
    struct recent cases[] = {
        {995, 6, 0, 0}, {996, 5, 0, 0}, {999, 4, 0, 0}, {1000, 3, 0, 0}, {0, 2, 0, 2}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct store_visitor v = {.arg = &cases[i], .workload = count_one};
        struct store_heads h = {.fence = 12345};
        int rc = store_load(f->store, cases[i].since_ms, &v, &h, NULL);
        assert_int_equal(rc, cases[i].stop_after ? -BERR_CANCELED : 0);
        assert_int_equal(cases[i].seen, cases[i].expected);
        assert_true((h.fence == 12345) == (rc < 0)); /* untouched on failure */
    }
}

const struct CMUnitTest row_tests[] = {
    SUITE_TEST(fresh_store_is_empty),
    SUITE_TEST(rows_come_back),
    SUITE_TEST(versions_go_up_by_one),
    SUITE_TEST(changes_replace_the_row),
    SUITE_TEST(removals_remove),
    SUITE_TEST(names_and_digests_are_unique),
    SUITE_TEST(rows_name_what_is_there),
    SUITE_TEST(fences_are_not_reused),
    SUITE_TEST(load_takes_live_and_recent),
    SUITE_TEST(load_by_time_and_end_it),
};
const size_t row_test_count = ARRAY_LEN(row_tests);
