/* Completion scripts have every command and option, and bash accepts and obeys ours. */
#include <stdlib.h>
#include <unistd.h>
#include "base/str.h"
#include "cli/command.h"
#include "os/file.h"
#include "os/proc.h"
#include "testlib.h"

static void every_word_is_there(void **state)
{
    static const char *const shells[] = {"bash", "zsh", "fish"};
    (void)state;
    for (size_t s = 0; s < ARRAY_LEN(shells); s++) {
        struct buf out = BUF(1 << 20);
        struct err err = {0};
        const struct cli_command *c;
        assert_int_equal(cli_put_completion(&out, shells[s], &err), 0);
        for (size_t i = 0; (c = cli_next_command(&i));) {
            const char *last = strrchr(c->path, ' ');
            assert_non_null(strstr(buf_str(&out), last ? last + 1 : c->path));
            for (size_t k = 0; k < c->option_count; k++)
                assert_non_null(strstr(buf_str(&out), c->options[k].name));
        }
        buf_done(&out);
    }
}

static void unknown_shell(void **state)
{
    struct buf out = BUF(1 << 20);
    struct err err = {0};
    (void)state;
    assert_int_equal(cli_put_completion(&out, "tcsh", &err), -(int)BERR_INVALID);
    test_expect_err(&err, BERR_INVALID, "tcsh");
}

/* What bash offers behind "berth WORDS", sorted by our asking: one word a line. */
static void ask_bash(const char *words, struct buf *out)
{
    struct buf script = BUF(1 << 20);
    struct err err = {0};
    struct os_exit end;
    const char *const argv[] = {"bash", "--norc", "--noprofile", NULL};
    assert_int_equal(cli_put_completion(&script, "bash", &err), 0);
    buf_printf(&script,
               "\nCOMP_WORDS=(berth %s)\nCOMP_CWORD=$((${#COMP_WORDS[@]} - 1))\n"
               "_berth\nprintf '%%s\\n' \"${COMPREPLY[@]}\"\n",
               words);
    assert_int_equal(os_run(&(struct os_spawn){.argv = argv}, script.data, script.len, out, NULL,
                            20000, &end, &err),
                     0);
    assert_int_equal(end.code, 0);
    buf_done(&script);
}

static void bash_obeys(void **state)
{
    static const struct {
        const char *words, *there, *absent;
    } cases[] = {
        {"''", "notebook\n", "submit\n"},
        {"job ''", "submit\n", "build\n"},
        {"job s", "show\n", "logs\n"},
        {"job submit --d", "--dry-run\n", "--follow\n"},
        {"user token ''", "create\n", "passwd\n"},
        {"project set x --internet ''", "off\n", "json\n"},
        {"node ls -o ''", "yaml\n", "drain\n"},
    };
    (void)state;
    if (access("/bin/bash", X_OK) != 0)
        skip();
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf out = BUF(1 << 20);
        ask_bash(cases[i].words, &out);
        if (!strstr(buf_str(&out), cases[i].there) || strstr(buf_str(&out), cases[i].absent))
            fail_msg("berth %s: %s", cases[i].words, buf_str(&out));
        buf_done(&out);
    }
}

static void the_reference_is_whole(void **state)
{
    struct buf out = BUF(1 << 20);
    const struct cli_command *c;
    char title[80];
    (void)state;
    cli_put_reference(&out);
    for (size_t i = 0; (c = cli_next_command(&i));) {
        snprintf(title, sizeof(title), "## berth %s\n", c->path);
        assert_non_null(strstr(buf_str(&out), title));
    }
    buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_word_is_there),
        cmocka_unit_test(unknown_shell),
        cmocka_unit_test(bash_obeys),
        cmocka_unit_test(the_reference_is_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
