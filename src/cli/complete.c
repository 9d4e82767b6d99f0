/*
 * complete: completion scripts for three shells, with all words from the table of commands. The
 * scripts start no berth while completing.
 */
#include <stdio.h>
#include <string.h>
#include "base/str.h"
#include "cli/command.h"

/* ---- helpers ---- */

/* Whether command number n is the first that has this word at this place behind the same words. */
static bool is_first_with(const struct cli_command *c, size_t prefix_len, size_t len)
{
    const struct cli_command *other;
    for (size_t i = 0; (other = cli_next_command(&i)) && other != c;)
        if (strncmp(other->path, c->path, prefix_len + len) == 0 &&
            (other->path[prefix_len + len] == ' ' || other->path[prefix_len + len] == '\0'))
            return false;
    return true;
}

/* The words that may follow `prefix` ("" or "job "), separated by blanks. */
static void put_next_words(struct buf *out, const char *prefix)
{
    const struct cli_command *c;
    size_t prefix_len = strlen(prefix);
    for (size_t i = 0; (c = cli_next_command(&i));) {
        if (!str_has_prefix(c->path, prefix))
            continue;
        size_t len = strcspn(c->path + prefix_len, " ");
        if (len && is_first_with(c, prefix_len, len))
            buf_printf(out, "%.*s ", (int)len, c->path + prefix_len);
    }
}

static void put_option_words(struct buf *out, const struct cli_option *options, size_t count)
{
    for (size_t i = 0; i < count; i++)
        buf_printf(out, "--%s ", options[i].name);
}

/* Calls fn for each text that has commands below it: "job", "user", "user token". */
static void each_noun(struct buf *out, void (*fn)(struct buf *out, const char *noun))
{
    const struct cli_command *c;
    char noun[64];
    for (size_t i = 0; (c = cli_next_command(&i));)
        for (const char *at = strchr(c->path, ' '); at; at = strchr(at + 1, ' ')) {
            size_t len = (size_t)(at - c->path);
            if (len >= sizeof(noun) || !is_first_with(c, 0, len))
                continue;
            memcpy(noun, c->path, len);
            noun[len] = '\0';
            fn(out, noun);
        }
}

/* ---- bash ---- */

static void bash_noun(struct buf *out, const char *noun)
{
    char prefix[72];
    snprintf(prefix, sizeof(prefix), "%s ", noun);
    buf_printf(out, "        \"%s\") words=\"", noun);
    put_next_words(out, prefix);
    buf_puts(out, "\" ;;\n");
}

static void put_bash(struct buf *out)
{
    const struct cli_command *c;
    buf_puts(
        out,
        "# bash completion of berth: source it, or put it into\n"
        "# /usr/share/bash-completion/completions/berth\n"
        "_berth() {\n"
        "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
        "    local path= words= i\n"
        "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
        "        case ${COMP_WORDS[i]} in\n"
        "        --) return ;;\n"
        "        -*) ;;\n"
        "        *) if _berth_words \"$path\" && [[ \" $words\" == *\" ${COMP_WORDS[i]} \"* ]]; "
        "then\n"
        "               path=${path:+$path }${COMP_WORDS[i]}\n"
        "           fi ;;\n"
        "        esac\n"
        "    done\n"
        "    case \"$path $prev\" in\n");
    for (size_t i = 0; (c = cli_next_command(&i));)
        for (size_t k = 0; k < c->option_count; k++)
            if (c->options[k].words)
                buf_printf(out,
                           "    \"%s --%s\") COMPREPLY=($(compgen -W \"%s\" -- \"$cur\")); "
                           "return ;;\n",
                           c->path, c->options[k].name, c->options[k].words);
            else if (str_is_equal(c->options[k].value, "FILE") ||
                     str_is_equal(c->options[k].value, "DIR"))
                buf_printf(out,
                           "    \"%s --%s\") COMPREPLY=($(compgen -%c -- \"$cur\")); "
                           "return ;;\n",
                           c->path, c->options[k].name,
                           str_is_equal(c->options[k].value, "DIR") ? 'd' : 'f');
    buf_puts(out,
             "    *\" -o\"|*\" --output\") COMPREPLY=($(compgen -W \"table wide json yaml\" -- "
             "\"$cur\")); return ;;\n"
             "    esac\n"
             "    if [[ $cur == -* ]]; then\n"
             "        _berth_options \"$path\"\n"
             "    elif ! _berth_words \"$path\"; then\n"
             "        COMPREPLY=($(compgen -f -- \"$cur\"))\n"
             "        return\n"
             "    fi\n"
             "    COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
             "}\n"
             "_berth_words() {\n"
             "    case $1 in\n"
             "        \"\") words=\"");
    put_next_words(out, "");
    buf_puts(out, "\" ;;\n");
    each_noun(out, bash_noun);
    buf_puts(out, "        *) words=; return 1 ;;\n"
                  "    esac\n"
                  "}\n"
                  "_berth_options() {\n"
                  "    case $1 in\n");
    for (size_t i = 0; (c = cli_next_command(&i));) {
        if (!c->option_count)
            continue;
        buf_printf(out, "        \"%s\") words=\"", c->path);
        put_option_words(out, c->options, c->option_count);
        buf_puts(out, "\" ;;\n");
    }
    buf_puts(out, "        *) words= ;;\n    esac\n    words+=\" ");
    put_option_words(out, cli_common_options, cli_common_option_count);
    buf_puts(out, "\"\n}\ncomplete -o filenames -F _berth berth\n");
}

/* ---- zsh: by bash's, which zsh can read ---- */

static void put_zsh(struct buf *out)
{
    buf_puts(out, "#compdef berth\n# zsh completion of berth: source it from ~/.zshrc\n"
                  "autoload -U +X compinit && compinit\n"
                  "autoload -U +X bashcompinit && bashcompinit\n");
    put_bash(out);
}

/* ---- fish ---- */

static void put_quoted(struct buf *out, const char *s)
{
    buf_putc(out, '\'');
    for (; *s; s++) {
        if (*s == '\'' || *s == '\\')
            buf_putc(out, '\\');
        buf_putc(out, *s);
    }
    buf_putc(out, '\'');
}

static void fish_condition(struct buf *out, const char *path, size_t len)
{
    if (!len)
        buf_puts(out, "complete -c berth -n __berth_at_start");
    else
        buf_printf(out, "complete -c berth -n '__berth_behind \"%.*s\"'", (int)len, path);
}

static void fish_command(struct buf *out, const struct cli_command *c)
{
    size_t begin = 0;
    for (size_t end; begin <= strlen(c->path); begin = end + 1) {
        end = begin + strcspn(c->path + begin, " ");
        if (!is_first_with(c, begin, end - begin))
            continue;
        fish_condition(out, c->path, begin ? begin - 1 : 0);
        buf_printf(out, " -f -a %.*s", (int)(end - begin), c->path + begin);
        if (!c->path[end]) {
            buf_puts(out, " -d ");
            put_quoted(out, c->summary);
        }
        buf_putc(out, '\n');
    }
    for (size_t i = 0; i < c->option_count; i++) {
        const struct cli_option *o = &c->options[i];
        fish_condition(out, c->path, strlen(c->path));
        buf_printf(out, " -l %s", o->name);
        if (o->letter)
            buf_printf(out, " -s %c", o->letter);
        if (o->value)
            buf_puts(out, " -r");
        if (o->words) {
            buf_puts(out, " -f -a ");
            put_quoted(out, o->words);
        }
        buf_puts(out, " -d ");
        put_quoted(out, o->doc);
        buf_putc(out, '\n');
    }
}

static void put_fish(struct buf *out)
{
    const struct cli_command *c;
    buf_puts(out, "# fish completion of berth: put it into ~/.config/fish/completions/berth.fish\n"
                  "function __berth_line\n"
                  "    string join ' ' -- (string match -v -- '-*' (commandline -opc)[2..-1])\n"
                  "end\n"
                  "function __berth_at_start\n"
                  "    test -z (__berth_line)\n"
                  "end\n"
                  "function __berth_behind\n"
                  "    string match -q -- \"$argv[1] *\" (__berth_line)' '\n"
                  "end\n"
                  "complete -c berth -l output -s o -r -f -a 'table wide json yaml'\n"
                  "complete -c berth -l url -r -f\n"
                  "complete -c berth -l help -s h\n");
    for (size_t i = 0; (c = cli_next_command(&i));)
        fish_command(out, c);
}

int cli_put_completion(struct buf *out, const char *shell, struct err *err)
{
    if (str_is_equal(shell, "bash"))
        put_bash(out);
    else if (str_is_equal(shell, "zsh"))
        put_zsh(out);
    else if (str_is_equal(shell, "fish"))
        put_fish(out);
    else {
        err_set(err, BERR_INVALID, "no completion for \"%.50s\"", shell);
        return err_hint(err, "one of: bash zsh fish");
    }
    return 0;
}
