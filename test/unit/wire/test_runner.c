#include "testlib.h"

#include <stdlib.h>
#include "base/limits.h"
#include "wire/runner.h"
#include "wire/tables.h"

#define DIGEST "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* ---- a full order, to be spoilt field by field ---- */

struct sample {
    struct wire_task_create order;
    const char *layers[1], *command[2], *gpus[1];
    struct js_pair env[1], hosts[1];
    struct wire_mount mounts[1];
};

static struct wire_task_create *sample_fill(struct sample *s)
{
    *s = (struct sample){
        .layers = {DIGEST},
        .command = {"/bin/echo", "hi"},
        .gpus = {"GPU-1-2"},
        .env = {{"A_1", "x y"}},
        .hosts = {{"worker-0", "10.0.0.2"}},
        .mounts = {{.volume = 0x1555555555555ull, .path = "/home/ada"}},
    };
    s->order = (struct wire_task_create){
        .key = {.workload = 0x1555555555555ull, .number = 1, .fence = 7, .index = 3},
        .project = 0x1555555555555ull,
        .user_name = "ada",
        .hostname = "worker-0",
        .layers = {s->layers, 1},
        .command = {s->command, 2},
        .env = {s->env, 1},
        .workdir = "/code",
        .code = DIGEST,
        .volumes = {s->mounts, 1},
        .gpus = {s->gpus, 1},
        .cpu_milli = 500,
        .memory_bytes = 64 << 20,
        .disk_bytes = 64 << 20,
        .address = "10.0.0.2",
        .hosts = {s->hosts, 1},
        .log_max_bytes = 1 << 20,
    };
    return &s->order;
}

static int request_parse(const struct buf *frame, struct arena *arena, struct wire_request *ret,
                         struct err *err)
{
    size_t len;
    uint64_t id;
    assert_int_equal(wire_frame(frame->data, frame->len, &len, err), 0);
    assert_int_equal(len + 4, frame->len);
    return wire_parse_request(frame->data + 4, len, arena, ret, &id, err);
}

static void test_order_goes_through(void **state)
{
    struct sample s;
    struct err err = {0};
    struct arena arena = ARENA(1 << 20);
    struct wire_request req;
    cleanup(buf_done) struct buf frame = BUF(LIMIT_RUNNER_MESSAGE_BYTES + 4);
    assert_int_equal(wire_put_request(&frame, 9, WIRE_TASK_CREATE, sample_fill(&s), &err), 0);
    assert_int_equal(request_parse(&frame, &arena, &req, &err), 0);
    assert_int_equal(req.id, 9);
    assert_int_equal(req.verb, WIRE_TASK_CREATE);
    const struct wire_task_create *got = req.args;
    assert_true(wire_key_is_equal(&got->key, &s.order.key));
    assert_string_equal(got->command.items[1], "hi");
    assert_string_equal(got->env.items[0].value, "x y");
    assert_string_equal(((const struct wire_mount *)got->volumes.items)[0].path, "/home/ada");
    assert_string_equal(got->hosts.items[0].key, "worker-0");
    assert_int_equal(got->memory_bytes, 64 << 20);
    assert_false(((const struct wire_mount *)got->volumes.items)[0].read_only);
    arena_done(&arena);
}

/* Every bad value is refused by name. */
static void expect_refused(const struct wire_task_create *order, const char *field)
{
    struct err err = {0};
    struct arena arena = ARENA(1 << 20);
    struct wire_request req;
    cleanup(buf_done) struct buf frame = BUF(LIMIT_RUNNER_MESSAGE_BYTES + 4);
    assert_int_equal(wire_put_request(&frame, 1, WIRE_TASK_CREATE, order, &err), 0);
    assert_int_equal(request_parse(&frame, &arena, &req, &err), -BERR_INVALID);
    if (strstr(err.field, field) == NULL)
        fail_msg("%s: the error names '%s': %s", field, err.field, err.text);
    arena_done(&arena);
}

static void test_paths(void **state)
{
    static const char *const bad[] = {
        "home", "/",     "//a",   "/a//b",   "/a/",    "/a/../b",  "/..",       "/.",
        "/a/.", "/a\nb", "/proc", "/proc/x", "/sys/a", "/dev/shm", "/.berth/x", "/etc/x"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct sample s;
        sample_fill(&s);
        s.mounts[0].path = bad[i];
        expect_refused(&s.order, "volumes");
    }
    static const char *const workdirs[] = {"x", "/a/../b", "/a/", "~"};
    for (size_t i = 0; i < ARRAY_LEN(workdirs); i++) {
        struct sample s;
        sample_fill(&s)->workdir = workdirs[i];
        expect_refused(&s.order, "workdir");
    }
}

static void test_names(void **state)
{
    struct sample s;
    sample_fill(&s)->user_name = "root";
    expect_refused(&s.order, "user_name");
    sample_fill(&s)->user_name = "a b";
    expect_refused(&s.order, "user_name");
    sample_fill(&s)->hostname = "-x";
    expect_refused(&s.order, "hostname");
    sample_fill(&s);
    s.layers[0] = "../../etc/passwd";
    expect_refused(&s.order, "layers");
    sample_fill(&s)->code = "0123";
    expect_refused(&s.order, "code");
    sample_fill(&s)->address = "10.0.0";
    expect_refused(&s.order, "address");
    sample_fill(&s);
    s.env[0].key = "1A";
    expect_refused(&s.order, "env");
    sample_fill(&s);
    s.env[0].key = "A=B";
    expect_refused(&s.order, "env");
    sample_fill(&s);
    s.hosts[0].value = "not an address";
    expect_refused(&s.order, "hosts");
    sample_fill(&s);
    s.gpus[0] = "-x";
    expect_refused(&s.order, "gpus");
    sample_fill(&s);
    s.command[0] = "";
    expect_refused(&s.order, "command");
    sample_fill(&s)->key.workload = 0;
    expect_refused(&s.order, "workload");
    sample_fill(&s)->memory_bytes = 1;
    expect_refused(&s.order, "memory_bytes");
    sample_fill(&s)->cpu_milli = 0;
    expect_refused(&s.order, "cpu_milli");
}

static void test_two_volumes_at_one_path(void **state)
{
    struct sample s;
    struct wire_mount two[2] = {{.volume = 0x1555555555555ull, .path = "/a"},
                                {.volume = 0x1555555555556ull, .path = "/a"}};
    sample_fill(&s)->volumes = (struct js_list){two, 2};
    expect_refused(&s.order, "volumes");
}

/* ---- requests that are no requests ---- */

static void test_broken_requests(void **state)
{
    static const struct {
        const char *text;
        enum berr code;
        uint64_t id;
    } cases[] = {
        {"", BERR_INVALID, 0},
        {"[]", BERR_PROTOCOL, 0},
        {"{\"verb\":\"list\",\"args\":{}}", BERR_PROTOCOL, 0},
        {"{\"id\":-1,\"verb\":\"list\",\"args\":{}}", BERR_PROTOCOL, 0},
        {"{\"id\":4,\"verb\":\"format-disk\",\"args\":{}}", BERR_PROTOCOL, 4},
        {"{\"id\":4,\"verb\":\"list\"}", BERR_PROTOCOL, 4},
        {"{\"id\":4,\"verb\":\"list\",\"args\":{},\"more\":1}", BERR_PROTOCOL, 4},
        {"{\"id\":4,\"verb\":\"list\",\"args\":[]}", BERR_PROTOCOL, 4},
        {"{\"id\":4,\"verb\":\"list\",\"args\":{\"before\":\"x\"}}", BERR_INVALID, 4},
        {"{\"id\":4,\"verb\":\"inventory\",\"args\":{\"x\":1}}", BERR_INVALID, 4},
        {"{\"id\":4,\"verb\":\"hello\",\"args\":{\"version\":1}}", BERR_INVALID, 4},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct arena arena = ARENA(1 << 20);
        struct wire_request req;
        struct err err = {0};
        uint64_t id;
        int rc = wire_parse_request(cases[i].text, strlen(cases[i].text), &arena, &req, &id, &err);
        if (rc != -(int)cases[i].code || id != cases[i].id)
            fail_msg("%s: %d %s, id %d", cases[i].text, rc, err.text, (int)id);
        arena_done(&arena);
    }
}

static void test_frames(void **state)
{
    struct err err = {0};
    size_t len = 1;
    assert_int_equal(wire_frame("\3\0\0", 3, &len, &err), 0);
    assert_int_equal(len, 0);
    assert_int_equal(wire_frame("\3\0\0\0ab", 6, &len, &err), 0);
    assert_int_equal(len, 0);
    assert_int_equal(wire_frame("\3\0\0\0abcd", 8, &len, &err), 0);
    assert_int_equal(len, 3);
    assert_int_equal(wire_frame("\0\0\0\0", 4, &len, &err), -BERR_PROTOCOL);
    assert_int_equal(wire_frame("\1\0\4\0", 4, &len, &err),
                     -BERR_PROTOCOL); /* one over the limit */
    assert_int_equal(wire_frame("\0\0\4\0", 4, &len, &err), 0);
}

static void test_too_large(void **state)
{
    struct sample s;
    struct err err = {0};
    static struct js_pair env[300];
    cleanup(buf_done) struct buf frame = BUF(LIMIT_RUNNER_MESSAGE_BYTES + 4);
    static char value[1001];
    memset(value, 'x', 1000);
    for (size_t i = 0; i < ARRAY_LEN(env); i++)
        env[i] = (struct js_pair){"A", value};
    sample_fill(&s)->env = (struct js_pairs){env, ARRAY_LEN(env)};
    assert_int_equal(wire_put_request(&frame, 1, WIRE_TASK_CREATE, &s.order, &err),
                     -BERR_TOO_LARGE);
    assert_int_equal(frame.len, 0);
}

/* ---- answers ---- */

static void answer_parse(struct buf *frame, struct arena *arena, struct wire_answer *ret)
{
    struct err err = {0};
    size_t len;
    assert_int_equal(wire_frame(frame->data, frame->len, &len, &err), 0);
    if (wire_parse_answer(frame->data + 4, len, arena, ret, &err) != 0)
        fail_msg("%s: %s", frame->data + 4, err.text);
    buf_clear(frame);
}

static void test_answers(void **state)
{
    struct arena arena = ARENA(1 << 20);
    struct wire_answer answer;
    struct err error = {0};
    cleanup(buf_done) struct buf frame = BUF(LIMIT_RUNNER_MESSAGE_BYTES + 4);
    struct wire_task task = {.key = {0x1555555555555ull, 1, 2, 3},
                             .state = WIRE_TASK_ENDED,
                             .signal = 9,
                             .out_of_memory = true,
                             .failure = WIRE_FAILURE_START,
                             .text = "no \"such\" file"};
    assert_int_equal(wire_put_reply(&frame, 5, WIRE_TASK_START, &task, &error), 0);
    answer_parse(&frame, &arena, &answer);
    assert_int_equal(answer.kind, WIRE_ANSWER_REPLY);
    assert_int_equal(answer.id, 5);
    const struct wire_task *got = answer.result;
    assert_int_equal(got->signal, 9);
    assert_int_equal(got->exit_code, 0);
    assert_true(got->out_of_memory);
    assert_string_equal(got->text, task.text);
    assert_null(got->address);

    struct wire_none none = {0};
    assert_int_equal(wire_put_reply(&frame, 6, WIRE_TASK_DELETE, &none, &error), 0);
    answer_parse(&frame, &arena, &answer);
    assert_int_equal(answer.verb, WIRE_TASK_DELETE);

    err_set(&error, BERR_NO_SPACE, "the disk is full");
    err_at(&error, "disk", 0, 0);
    err_hint(&error, "make room");
    assert_int_equal(wire_put_error(&frame, 7, &error, NULL), 0);
    answer_parse(&frame, &arena, &answer);
    assert_int_equal(answer.kind, WIRE_ANSWER_ERROR);
    assert_int_equal(answer.error.code, BERR_NO_SPACE);
    assert_string_equal(answer.error.field, "disk");
    assert_string_equal(answer.error.hint, "make room");

    struct wire_event event = {.kind = WIRE_EV_TASK_ENDED, .seq = 12, .task = &task};
    assert_int_equal(wire_put_event(&frame, &event, NULL), 0);
    answer_parse(&frame, &arena, &answer);
    assert_int_equal(answer.kind, WIRE_ANSWER_EVENT);
    assert_int_equal(answer.event.seq, 12);
    assert_int_equal(answer.event.task->signal, 9);
    arena_done(&arena);
}

/* ---- keys ---- */

static void test_keys(void **state)
{
    char text[WIRE_KEY_TEXT_SIZE];
    struct wire_key key = {0x1555555555555ull, 4294967295u, INT64_MAX, 4095}, back;
    assert_true(wire_key_parse(wire_key_format(text, &key), &back));
    assert_true(wire_key_is_equal(&key, &back));
    static const char *const bad[] = {"",
                                      ".",
                                      "ananananan",
                                      "ananananan.1.1",
                                      "ananananan.1.1.1.1",
                                      "ananananan.1.1.",
                                      "ananananan.-1.1.1",
                                      "ananananan.01.1.1",
                                      "ananananan.1.1.1/",
                                      "../anananan.1.1.1",
                                      "ananananan..1.1",
                                      "ananananan.1.1.99999999999999999999"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        if (wire_key_parse(bad[i], &back))
            fail_msg("taken for a key: %s", bad[i]);
    }
}

static int parse_body(void *ctx)
{
    const struct buf *frame = ctx;
    struct arena arena = ARENA(1 << 20);
    struct wire_request req;
    struct err err = {0};
    int rc = request_parse(frame, &arena, &req, &err);
    arena_done(&arena);
    return rc;
}

static void test_memory_is_short(void **state)
{
    struct sample s;
    cleanup(buf_done) struct buf frame = BUF(LIMIT_RUNNER_MESSAGE_BYTES + 4);
    assert_int_equal(wire_put_request(&frame, 9, WIRE_TASK_CREATE, sample_fill(&s), NULL), 0);
    test_torture(parse_body, &frame);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_goes_through),
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_two_volumes_at_one_path),
        cmocka_unit_test(test_broken_requests),
        cmocka_unit_test(test_frames),
        cmocka_unit_test(test_too_large),
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_memory_is_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
