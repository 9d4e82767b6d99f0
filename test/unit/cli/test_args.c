/* The words behind a command: options in all spellings, operands counted, mistakes told. */
#include "base/str.h"
#include "cli/cli.h"
#include "testlib.h"

static int parse(const char *line, struct arena *arena, struct cli_args *ret, struct err *err)
{
    char *argv[32], *text = arena_strdup(arena, line);
    int argc = 0, words = 0;
    for (char *word = strtok_r(text, " ", &text); word; word = strtok_r(NULL, " ", &text))
        argv[argc++] = word;
    const struct cli_command *c = cli_find_command(argc, argv, &words);
    assert_non_null(c);
    return cli_parse(c, argc - words, argv + words, arena, ret, err);
}

struct fixture {
    struct arena arena;
    struct cli_args args;
    struct err err;
};

static int setup(void **state)
{
    static struct fixture f;
    f = (struct fixture){.arena = ARENA(1 << 20)};
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    arena_done(&((struct fixture *)*state)->arena);
    return 0;
}

static void the_longest_command_wins(void **state)
{
    char user[] = "user", token[] = "token", ls[] = "ls";
    char *argv[] = {user, token, ls};
    int words;
    (void)state;
    const struct cli_command *c = cli_find_command(3, argv, &words);
    assert_string_equal(c->path, "user token ls");
    assert_int_equal(words, 3);
    assert_null(cli_find_command(1, argv, &words));
    assert_true(cli_is_noun("user"));
    assert_false(cli_is_noun("use"));
}

static void options_in_all_spellings(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(
        parse("job logs -f --task 3 --attempt=2 digits -ojson", &f->arena, &f->args, &f->err), 0);
    assert_true(cli_has(&f->args, "follow"));
    assert_string_equal(cli_text(&f->args, "task"), "3");
    assert_string_equal(cli_text(&f->args, "attempt"), "2");
    assert_string_equal(cli_text(&f->args, "output"), "json");
    assert_string_equal(cli_operand(&f->args, 0), "digits");
    assert_null(cli_operand(&f->args, 1));
    assert_null(cli_text(&f->args, "url"));
}

static void the_last_text_counts_and_lists_keep_all(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(
        parse("run --image a --image b -e A=1 --env B=2 x", &f->arena, &f->args, &f->err), 0);
    assert_string_equal(cli_text(&f->args, "image"), "b");
    size_t i = 0;
    assert_string_equal(cli_each(&f->args, "env", &i), "A=1");
    assert_string_equal(cli_each(&f->args, "env", &i), "B=2");
    assert_null(cli_each(&f->args, "env", &i));
}

static void a_command_to_run_keeps_its_options(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(
        parse("run --gpu 1 -- python3 -u train.py --gpu 2 -- x", &f->arena, &f->args, &f->err), 0);
    assert_int_equal(f->args.operand_count, 7);
    assert_string_equal(cli_operand(&f->args, 1), "-u");
    assert_string_equal(cli_operand(&f->args, 5), "--");
    assert_string_equal(cli_text(&f->args, "gpu"), "1");
    assert_int_equal(parse("run python3 --version", &f->arena, &f->args, &f->err), 0);
    assert_string_equal(cli_operand(&f->args, 1), "--version");
}

static void many_operands(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(parse("job submit x.sh -- --epochs 3", &f->arena, &f->args, &f->err), 0);
    assert_int_equal(f->args.operand_count, 3);
    assert_int_equal(parse("job stop a b c", &f->arena, &f->args, &f->err), 0);
    assert_int_equal(f->args.operand_count, 3);
    assert_int_equal(parse("help", &f->arena, &f->args, &f->err), 0);
}

static void mistakes_say_what_to_do(void **state)
{
    static const struct {
        const char *line, *text, *hint;
    } cases[] = {
        {"job logs --folow x", "unknown option --folow", "did you mean --follow?"},
        {"job logs -z x", "unknown option -z", "berth job logs --help"},
        {"job logs", "JOB is missing", "usage: berth job logs JOB"},
        {"job logs a b", "unexpected argument \"b\"", "usage"},
        {"job logs a --task", "--task needs a value: N", "--help"},
        {"job logs a --follow=yes", "--follow takes no value", "--help"},
        {"job ls -o xml", "--output can't be \"xml\"", "table wide json yaml"},
        {"run --image x", "COMMAND is missing", "usage: berth run -- COMMAND..."},
        {"project member p u", "ROLE is missing", "usage"},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_int_equal(parse(cases[i].line, &f->arena, &f->args, &f->err), -(int)BERR_INVALID);
        test_expect_err(&f->err, BERR_INVALID, cases[i].text);
        if (!strstr(f->err.hint, cases[i].hint))
            fail_msg("%s: hint is \"%s\"", cases[i].line, f->err.hint);
    }
}

static void help_needs_no_operands(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(parse("job logs --help", &f->arena, &f->args, &f->err), 0);
    assert_true(cli_has(&f->args, "help"));
}

/* Every row can be shown, has a summary and options that don't hide one another. */
static void the_table_is_sound(void **state)
{
    const struct cli_command *c;
    (void)state;
    for (size_t i = 0; (c = cli_next_command(&i));) {
        struct buf out = BUF(1 << 20);
        struct err err = {0};
        assert_non_null(c->run);
        assert_true(c->summary[0] && c->summary[strlen(c->summary) - 1] != '.');
        for (size_t k = 0; k < c->option_count; k++) {
            const struct cli_option *o = &c->options[k];
            assert_ptr_equal(cli_find_option(c, o->name, 0), o);
            if (o->letter)
                assert_ptr_equal(cli_find_option(c, NULL, o->letter), o);
            assert_int_equal(o->kind == CLI_FLAG, o->value == NULL);
        }
        assert_int_equal(cli_put_help(&out, c->path, &err), 0);
        assert_non_null(strstr(buf_str(&out), c->summary));
        buf_done(&out);
    }
}

static void help_of_what_is_not_there(void **state)
{
    struct buf out = BUF(1 << 20);
    struct err err = {0};
    (void)state;
    assert_int_equal(cli_put_help(&out, "jobb", &err), -(int)BERR_INVALID);
    assert_int_equal(cli_put_help(&out, "job sbmit", &err), -(int)BERR_INVALID);
    assert_non_null(strstr(err.hint, "job submit"));
    assert_int_equal(out.len, 0);
    assert_int_equal(cli_put_help(&out, "exit-codes", &err), 0);
    assert_non_null(strstr(buf_str(&out), "not-found"));
    assert_non_null(strstr(buf_str(&out), "128+N"));
    buf_clear(&out);
    assert_int_equal(cli_put_help(&out, "job", &err), 0);
    assert_non_null(strstr(buf_str(&out), "job submit FILE"));
    assert_null(strstr(buf_str(&out), "notebook"));
    buf_done(&out);
}

static int parse_body(void *ctx)
{
    struct arena arena = ARENA(1 << 20);
    struct cli_args args;
    struct err err = {0};
    char a[] = "x", b[] = "-f", *argv[] = {a, b};
    int words;
    char job[] = "job", logs[] = "logs", *name[] = {job, logs};
    (void)ctx;
    int rc = cli_parse(cli_find_command(2, name, &words), 2, argv, &arena, &args, &err);
    arena_done(&arena);
    return rc;
}

static void torture(void **state)
{
    (void)state;
    test_torture(parse_body, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_longest_command_wins),
        cmocka_unit_test_setup_teardown(options_in_all_spellings, setup, teardown),
        cmocka_unit_test_setup_teardown(the_last_text_counts_and_lists_keep_all, setup, teardown),
        cmocka_unit_test_setup_teardown(a_command_to_run_keeps_its_options, setup, teardown),
        cmocka_unit_test_setup_teardown(many_operands, setup, teardown),
        cmocka_unit_test_setup_teardown(mistakes_say_what_to_do, setup, teardown),
        cmocka_unit_test_setup_teardown(help_needs_no_operands, setup, teardown),
        cmocka_unit_test(the_table_is_sound),
        cmocka_unit_test(help_of_what_is_not_there),
        cmocka_unit_test(torture),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
