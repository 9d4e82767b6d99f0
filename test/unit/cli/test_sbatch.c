/* Scripts with #SBATCH lines. */
#include "cli/jobfile.h"
#include "testlib.h"

struct fixture {
    struct arena arena;
    struct cli_job job;
    struct buf out;
    struct err err;
};

static int setup(void **state)
{
    static struct fixture f;
    f = (struct fixture){.arena = ARENA(1 << 20), .out = BUF(1 << 20)};
    *state = &f;
    return cli_job_init(&f.job, &f.err);
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    cli_job_done(&f->job);
    arena_done(&f->arena);
    buf_done(&f->out);
    return 0;
}

static int parse(struct fixture *f, const char *text)
{
    static const char *const args[] = {"a", "b"};
    return cli_job_parse_script("dir/train.sh", text, args, 2, &f->arena, &f->job, &f->err);
}

static void all_words_are_read(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(parse(f, "#!/bin/bash\n"
                              "#SBATCH --job-name=My_Digits\n"
                              "# a comment\n"
                              "#SBATCH -t 1-02:00:00   # a day and two hours\n"
                              "#SBATCH --cpus-per-task 4 --mem=16G\n"
                              "#SBATCH --gres=gpu:2\n"
                              "\n"
                              "#SBATCH -n4\n"
                              "python3 train.py\n"
                              "#SBATCH --mem=1T\n"),
                     0);
    assert_int_equal(cli_job_write(&f->job, &f->out, &f->err), 0);
    assert_string_equal(buf_str(&f->out),
                        "{\"kind\":\"job\",\"command\":[\"/code/train.sh\",\"a\",\"b\"],"
                        "\"name\":\"my-digits\",\"time_limit\":\"1d2h\",\"roles\":{\"worker\":"
                        "{\"cpu\":4,\"memory\":\"16G\",\"gpu\":2,\"replicas\":4}}}");
    assert_string_equal(f->job.code_file, "dir/train.sh");
    assert_int_equal(f->job.notes.len, 0);
    assert_int_equal(cli_job_check(&f->job, &f->err), 0);
}

static void what_has_no_meaning_is_told(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(parse(f, "#!/bin/sh\n#SBATCH --partition=gpu --mem=100\n"
                              "#SBATCH -o out.txt --requeue -c 2\n"),
                     0);
    assert_int_equal(cli_job_write(&f->job, &f->out, &f->err), 0);
    assert_non_null(strstr(buf_str(&f->out), "\"memory\":\"100M\""));
    assert_non_null(strstr(buf_str(&f->out), "\"cpu\":2"));
    assert_non_null(strstr(buf_str(&f->job.notes), "dir/train.sh:2: --partition"));
    assert_non_null(strstr(buf_str(&f->job.notes), "dir/train.sh:3: -o"));
    assert_non_null(strstr(buf_str(&f->job.notes), "dir/train.sh:3: --requeue"));
}

static void mistakes_name_the_line(void **state)
{
    static const char *const lines[] = {"--time=soon", "--time", "--gres=fpga:1",
                                        "--gres=gpu:1,shard:2", "--job-name=___"};
    struct fixture *f = *state;
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        char text[128];
        snprintf(text, sizeof(text), "#!/bin/sh\n#SBATCH %s\n", lines[i]);
        assert_int_equal(parse(f, text), -(int)BERR_INVALID);
        assert_non_null(strstr(f->err.text, "dir/train.sh:2: "));
    }
}

static void gpu_spellings(void **state)
{
    static const struct {
        const char *line, *part;
    } cases[] = {
        {"--gres=gpu", "\"gpu\":1"},
        {"--gres=gpu:a100:2", "\"gpu\":\"a100:2\""},
        {"--gpus=3", "\"gpu\":3"},
        {"-G 2", "\"gpu\":2"},
        {"--gpus-per-task=h100:1", "\"gpu\":\"h100:1\""},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char text[128];
        snprintf(text, sizeof(text), "#!/bin/sh\n#SBATCH %s\n", cases[i].line);
        assert_int_equal(parse(f, text), 0);
        buf_clear(&f->out);
        assert_int_equal(cli_job_write(&f->job, &f->out, &f->err), 0);
        assert_non_null(strstr(buf_str(&f->out), cases[i].part));
    }
}

static void times(void **state)
{
    static const struct {
        const char *text;
        int64_t seconds; /* -1: refused */
    } cases[] = {
        {"90", 5400},      {"1:30", 90},       {"01:02:03", 3723}, {"2-0", 172800},
        {"1-1:30", 91800}, {"1-0:0:5", 86405}, {"0", 0},           {"", -1},
        {"1:2:3:4", -1},   {"-5", -1},         {"x", -1},          {"1-", -1},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int64_t ms = -1;
        bool ok = cli_sbatch_time(cases[i].text, &ms);
        if (ok != (cases[i].seconds >= 0) || (ok && ms != cases[i].seconds * 1000))
            fail_msg("\"%s\" became %lld", cases[i].text, (long long)ms);
    }
}

static void scripts_are_told_from_yaml(void **state)
{
    (void)state;
    assert_true(cli_job_is_script("#!/bin/sh\n"));
    assert_false(cli_job_is_script("# a comment\nkind: job\n"));
}

static int whole(void *ctx)
{
    static const char *const args[] = {"a"};
    struct arena arena = ARENA(1 << 20);
    struct cli_job job;
    struct err err = {0};
    (void)ctx;
    int rc = cli_job_init(&job, &err);
    if (rc == 0)
        rc = cli_job_parse_script("x.sh", "#!/bin/sh\n#SBATCH -c 2 -J a --mem=1G\n", args, 1,
                                  &arena, &job, &err);
    cli_job_done(&job);
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
        cmocka_unit_test_setup_teardown(all_words_are_read, setup, teardown),
        cmocka_unit_test_setup_teardown(what_has_no_meaning_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(mistakes_name_the_line, setup, teardown),
        cmocka_unit_test_setup_teardown(gpu_spellings, setup, teardown),
        cmocka_unit_test(times),
        cmocka_unit_test(scripts_are_told_from_yaml),
        cmocka_unit_test(torture),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
