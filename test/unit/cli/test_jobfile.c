/* Job files and options become what the API takes; mistakes are told with the file's place. */
#include <stdlib.h>
#include <sys/stat.h>
#include "cli/jobfile.h"
#include "testlib.h"

struct fixture {
    struct arena arena;
    struct cli_job job;
    struct buf out;
    struct err err;
    char dir[TEST_PATH_MAX];
};

static int setup(void **state)
{
    static struct fixture f;
    f = (struct fixture){.arena = ARENA(1 << 20), .out = BUF(1 << 20)};
    test_tmpdir_make(f.dir);
    *state = &f;
    return cli_job_init(&f.job, &f.err);
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    cli_job_done(&f->job);
    arena_done(&f->arena);
    buf_done(&f->out);
    test_tmpdir_remove(f->dir);
    return 0;
}

static int read_text(struct fixture *f, const char *text)
{
    return cli_job_parse_yaml("job.yaml", text, strlen(text), f->dir, &f->arena, &f->job, &f->err);
}

static const char *written(struct fixture *f)
{
    buf_clear(&f->out);
    assert_int_equal(cli_job_write(&f->job, &f->out, &f->err), 0);
    return buf_str(&f->out);
}

static void yaml_is_sent_as_it_is(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(read_text(f, "kind: job\nname: digits\nimage: ml:1\n"
                                  "roles:\n  worker: {cpu: 500m, memory: 2G, gpu: 1}\n"
                                  "command: [python3, train.py, --epochs, 3]\n"),
                     0);
    assert_string_equal(written(f),
                        "{\"kind\":\"job\",\"name\":\"digits\",\"image\":\"ml:1\",\"roles\":"
                        "{\"worker\":{\"cpu\":\"500m\",\"memory\":\"2G\",\"gpu\":1}},"
                        "\"command\":[\"python3\",\"train.py\",\"--epochs\",3]}");
    assert_int_equal(cli_job_check(&f->job, &f->err), 0);
    assert_null(f->job.code_dir);
}

static void mistakes_have_file_line_and_column(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(read_text(f, "kind: job\nimage: ml\ncommand: [x]\ntimelimit: 4h\n"),
                     -(int)BERR_INVALID);
    assert_non_null(strstr(f->err.text, "job.yaml:4:1: timelimit: "));
    assert_non_null(strstr(f->err.hint, "time_limit"));
    assert_int_equal(read_text(f, "kind: job\nimage: ml\nroles:\n  worker: {memory: 2X}\n"
                                  "command: [x]\n"),
                     -(int)BERR_INVALID);
    assert_non_null(strstr(f->err.text, "job.yaml:4:20: roles.worker.memory: "));
    assert_int_equal(read_text(f, "kind: [\n"), -(int)BERR_INVALID);
    assert_non_null(strstr(f->err.text, "job.yaml:2:1: "));
}

static void a_local_directory_is_to_be_shipped(void **state)
{
    struct fixture *f = *state;
    char path[TEST_PATH_MAX + 8], wanted[TEST_PATH_MAX + 8];
    snprintf(path, sizeof(path), "%s/src", f->dir);
    assert_int_equal(mkdir(path, 0755), 0);
    assert_int_equal(read_text(f, "kind: job\nimage: ml\ncommand: [x]\ncode: ./src\n"), 0);
    snprintf(wanted, sizeof(wanted), "%s/./src", f->dir);
    assert_string_equal(f->job.code_dir, wanted);
    assert_null(strstr(written(f), "code"));
}

static void a_missing_directory_is_told(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(read_text(f, "kind: job\nimage: ml\ncommand: [x]\ncode: ./away\n"),
                     -(int)BERR_INVALID);
    assert_non_null(strstr(f->err.text, "job.yaml:4:7: code: there is no directory"));
}

static void code_elsewhere_stays(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(read_text(f, "kind: job\nimage: ml\ncommand: [x]\n"
                                  "code: git+https://example.org/a@main\n"),
                     0);
    assert_null(f->job.code_dir);
    assert_non_null(strstr(written(f), "\"code\":\"git+https://example.org/a@main\""));
}

static void fields_can_be_set(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(read_text(f, "kind: job\nimage: ml\ncommand: [x]\n"), 0);
    assert_int_equal(cli_job_set(&f->job, "roles.worker.gpu=2", &f->err), 0);
    assert_int_equal(cli_job_set(&f->job, "time_limit=4h", &f->err), 0);
    assert_int_equal(cli_job_set(&f->job, "command=[a, 'b c']", &f->err), 0);
    assert_int_equal(cli_job_set(&f->job, "env.EMPTY=", &f->err), 0);
    assert_string_equal(written(f),
                        "{\"kind\":\"job\",\"image\":\"ml\",\"command\":[\"a\",\"b c\"],"
                        "\"roles\":{\"worker\":{\"gpu\":2}},\"time_limit\":\"4h\","
                        "\"env\":{\"EMPTY\":\"\"}}");
    assert_int_equal(cli_job_check(&f->job, &f->err), 0);
    assert_int_equal(cli_job_set(&f->job, "roles", &f->err), -(int)BERR_INVALID);
    assert_int_equal(cli_job_set(&f->job, "image.x=1", &f->err), -(int)BERR_INVALID);
    assert_int_equal(cli_job_set(&f->job, "rolls.worker.gpu=2", &f->err), 0);
    assert_int_equal(cli_job_check(&f->job, &f->err), -(int)BERR_INVALID);
    assert_string_equal(f->err.field, "rolls");
}

static void options_become_fields(void **state)
{
    static const char *const command[] = {"python3", "-c", "print(1)"};
    struct fixture *f = *state;
    setenv("BERTH_TEST_VALUE", "from here", 1);
    assert_int_equal(cli_job_put(&f->job, "name", NULL, &f->err), 0);
    assert_int_equal(cli_job_put_number(&f->job, "roles.worker.cpu", "2", &f->err), 0);
    assert_int_equal(cli_job_put_number(&f->job, "roles.worker.gpu", "0.5", &f->err), 0);
    assert_int_equal(cli_job_put_number(&f->job, "roles.other.gpu", "A100:1", &f->err), 0);
    assert_int_equal(cli_job_put_env(&f->job, "A=b=c", &f->err), 0);
    assert_int_equal(cli_job_put_env(&f->job, "BERTH_TEST_VALUE", &f->err), 0);
    assert_int_equal(cli_job_put_list(&f->job, "command", command, 3, &f->err), 0);
    assert_string_equal(written(f),
                        "{\"roles\":{\"worker\":{\"cpu\":2,\"gpu\":0.5},\"other\":{\"gpu\":"
                        "\"A100:1\"}},\"env\":{\"A\":\"b=c\",\"BERTH_TEST_VALUE\":\"from here\"},"
                        "\"command\":[\"python3\",\"-c\",\"print(1)\"]}");
    assert_int_equal(cli_job_put_env(&f->job, "=x", &f->err), -(int)BERR_INVALID);
    assert_int_equal(cli_job_put_env(&f->job, "BERTH_TEST_UNSET", &f->err), -(int)BERR_INVALID);
}

/* One job from text to JSON, with everything that allocates on the way. */
static int whole(void *ctx)
{
    static const char text[] = "kind: job\nimage: ml\ncommand: [x, y]\nenv: {A: b}\n";
    struct arena arena = ARENA(1 << 20);
    struct cli_job job;
    struct buf out = BUF(1 << 20);
    struct err err = {0};
    (void)ctx;
    int rc = cli_job_init(&job, &err);
    if (rc == 0)
        rc = cli_job_parse_yaml("job.yaml", text, sizeof(text) - 1, ".", &arena, &job, &err);
    if (rc == 0)
        rc = cli_job_set(&job, "roles.worker.gpu=2", &err);
    if (rc == 0)
        rc = cli_job_check(&job, &err);
    if (rc == 0)
        rc = cli_job_write(&job, &out, &err);
    cli_job_done(&job);
    buf_done(&out);
    arena_done(&arena);
    return rc;
}

static void torture(void **state)
{
    (void)state;
    test_torture(whole, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(yaml_is_sent_as_it_is, setup, teardown),
        cmocka_unit_test_setup_teardown(mistakes_have_file_line_and_column, setup, teardown),
        cmocka_unit_test_setup_teardown(a_local_directory_is_to_be_shipped, setup, teardown),
        cmocka_unit_test_setup_teardown(a_missing_directory_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(code_elsewhere_stays, setup, teardown),
        cmocka_unit_test_setup_teardown(fields_can_be_set, setup, teardown),
        cmocka_unit_test_setup_teardown(options_become_fields, setup, teardown),
        cmocka_unit_test(torture),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
