/*
 * args: the words behind a command, by its row of the table.
 */
#include <stdio.h>
#include <string.h>
#include "base/check.h"
#include "base/str.h"
#include "cli/command.h"

#define NAMES_MAX 64

struct parse {
    const struct cli_command *c;
    struct cli_args *args;
    int argc, at;
    char *const *argv;
    struct err *err;
};

/* ---- how many operands there may be ---- */

struct arity {
    size_t min, max;
    bool is_tail; /* "-- X...": everything from the first operand on */
};

static void read_arity(const char *operands, struct arity *ret)
{
    *ret = (struct arity){0};
    for (const char *at = operands ? operands : ""; *at;) {
        size_t len = strcspn(at, " ");
        if (len == 2 && strncmp(at, "--", 2) == 0) {
            ret->is_tail = true;
        } else {
            size_t name_len = at[len - 1] == ']' ? len - 1 : len;
            bool many = name_len > 3 && strncmp(at + name_len - 3, "...", 3) == 0;
            if (at[0] != '[')
                ret->min++;
            ret->max = many || ret->max == SIZE_MAX ? SIZE_MAX : ret->max + 1;
        }
        at += len + (at[len] == ' ');
    }
}

/* The name of the n-th operand: "FILE". */
static void operand_name(const char *operands, size_t n, char dst[32])
{
    dst[0] = '\0';
    for (const char *at = operands ? operands : ""; *at;) {
        size_t len = strcspn(at, " ");
        if (!(len == 2 && strncmp(at, "--", 2) == 0) && n-- == 0) {
            snprintf(dst, 32, "%.*s", (int)strcspn(at, " .]"), at);
            return;
        }
        at += len + (at[len] == ' ');
    }
}

/* ---- options ---- */

static int usage_hint(const struct parse *p)
{
    return err_hint(p->err, "see `berth %s --help`", p->c->path);
}

static int unknown_option(const struct parse *p, const char *word)
{
    const char *names[NAMES_MAX];
    size_t count = 0;
    for (size_t i = 0; i < p->c->option_count && count < NAMES_MAX; i++)
        names[count++] = p->c->options[i].name;
    for (size_t i = 0; i < cli_common_option_count && count < NAMES_MAX; i++)
        names[count++] = cli_common_options[i].name;
    char name[65];
    snprintf(name, sizeof(name), "%.*s", (int)strcspn(word + strspn(word, "-"), "="),
             word + strspn(word, "-"));
    err_set(p->err, BERR_INVALID, "unknown option %.100s", word);
    const char *near = str_nearest(name, names, count);
    if (near && word[1] == '-')
        return err_hint(p->err, "did you mean --%s?", near);
    return usage_hint(p);
}

static bool is_word_of(const char *words, const char *value)
{
    size_t value_len = strlen(value);
    for (const char *at = words; *at;) {
        size_t len = strcspn(at, " ");
        if (len == value_len && strncmp(at, value, len) == 0)
            return true;
        at += len + (at[len] == ' ');
    }
    return false;
}

static int take_option(struct parse *p, const struct cli_option *o, const char *value)
{
    if (o->kind == CLI_FLAG && value) {
        err_set(p->err, BERR_INVALID, "--%s takes no value", o->name);
        return usage_hint(p);
    }
    if (o->kind != CLI_FLAG && !value) {
        if (p->at >= p->argc) {
            err_set(p->err, BERR_INVALID, "--%s needs a value: %s", o->name, o->value);
            return usage_hint(p);
        }
        value = p->argv[p->at++];
    }
    if (o->words && !is_word_of(o->words, value)) {
        err_set(p->err, BERR_INVALID, "--%s can't be \"%.100s\"", o->name, value);
        return err_hint(p->err, "one of: %s", o->words);
    }
    p->args->given[p->args->given_count++] = (struct cli_given){o, value};
    return 0;
}

/* "--name", "--name=value" */
static int take_long(struct parse *p, const char *word)
{
    char name[65];
    size_t len = strcspn(word + 2, "=");
    if (len >= sizeof(name))
        return unknown_option(p, word);
    snprintf(name, sizeof(name), "%.*s", (int)len, word + 2);
    const struct cli_option *o = cli_find_option(p->c, name, 0);
    if (!o)
        return unknown_option(p, word);
    return take_option(p, o, word[2 + len] == '=' ? word + 2 + len + 1 : NULL);
}

/* "-f", "-o json", "-ojson", "-fq" */
static int take_letters(struct parse *p, const char *word)
{
    for (const char *at = word + 1; *at; at++) {
        const struct cli_option *o = cli_find_option(p->c, NULL, *at);
        if (!o)
            return unknown_option(p, word);
        bool glued = o->kind != CLI_FLAG && at[1];
        int rc = take_option(p, o, glued ? at + 1 : NULL);
        if (rc < 0 || glued)
            return rc;
    }
    return 0;
}

static int check_count(const struct parse *p, const struct arity *arity)
{
    char name[32];
    size_t n = p->args->operand_count;
    if (cli_has(p->args, "help") || (n >= arity->min && n <= arity->max))
        return 0;
    if (n < arity->min) {
        operand_name(p->c->operands, n, name);
        err_set(p->err, BERR_INVALID, "%s is missing", name);
    } else {
        err_set(p->err, BERR_INVALID, "unexpected argument \"%.100s\"",
                p->args->operands[arity->max]);
    }
    return err_hint(p->err, "usage: berth %s%s%s", p->c->path, p->c->operands ? " " : "",
                    p->c->operands ? p->c->operands : "");
}

int cli_parse(const struct cli_command *c, int argc, char *const *argv, struct arena *arena,
              struct cli_args *ret, struct err *err)
{
    struct cli_args args = {.command = c};
    struct parse p = {.c = c, .args = &args, .argc = argc, .argv = argv, .err = err};
    struct arity arity;
    bool only_operands = false;
    size_t letters = 1;
    for (int i = 0; i < argc; i++)
        letters += strlen(argv[i]);
    args.operands = arena_array(arena, (size_t)argc + 1, sizeof(*args.operands));
    args.given = arena_array(arena, letters + (size_t)argc, sizeof(*args.given));
    if (!args.operands || !args.given)
        return err_set(err, BERR_NOMEM, "out of memory");
    read_arity(c->operands, &arity);
    while (p.at < argc) {
        const char *word = argv[p.at++];
        int rc = 0;
        if (only_operands || word[0] != '-' || !word[1]) {
            args.operands[args.operand_count++] = word;
            only_operands = only_operands || arity.is_tail;
        } else if (str_is_equal(word, "--")) {
            only_operands = true;
        } else {
            rc = word[1] == '-' ? take_long(&p, word) : take_letters(&p, word);
        }
        if (rc < 0)
            return rc;
    }
    int rc = check_count(&p, &arity);
    if (rc == 0)
        *ret = args;
    return rc;
}

/* ---- questions ---- */

static const struct cli_option *must_find(const struct cli_args *a, const char *name)
{
    const struct cli_option *o = cli_find_option(a->command, name, 0);
    check(o != NULL);
    return o;
}

bool cli_has(const struct cli_args *a, const char *name)
{
    const struct cli_option *o = must_find(a, name);
    for (size_t i = 0; i < a->given_count; i++)
        if (a->given[i].option == o)
            return true;
    return false;
}

const char *cli_text(const struct cli_args *a, const char *name)
{
    const struct cli_option *o = must_find(a, name);
    for (size_t i = a->given_count; i-- > 0;)
        if (a->given[i].option == o)
            return a->given[i].value;
    return NULL;
}

const char *cli_each(const struct cli_args *a, const char *name, size_t *i)
{
    const struct cli_option *o = must_find(a, name);
    while (*i < a->given_count) {
        const struct cli_given *g = &a->given[(*i)++];
        if (g->option == o)
            return g->value;
    }
    return NULL;
}

const char *cli_operand(const struct cli_args *a, size_t i)
{
    return i < a->operand_count ? a->operands[i] : NULL;
}
