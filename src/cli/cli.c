/*
 * cli: what all commands share — the connection, words to people, secrets.
 */
#include "cli/cli.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>
#include "base/alloc.h"
#include "base/str.h"
#include "http/url.h"
#include "js/js.h"
#include "os/clock.h"

#define ANSWER_MAX     (256u << 20)
#define LINE_MAX_BYTES 4096

int64_t cli_now_ms(void)
{
    const struct os_clock *clock = os_clock_real();
    return clock->wall_ms(clock->arg);
}

/* ---- the connection ---- */

int cli_connect(struct cli *cli, bool anonymous, struct err *err)
{
    if (cli->net)
        return 0;
    int rc = cli_context_read(cli_text(&cli->args, "url"), &cli->arena, &cli->context, err);
    if (rc < 0)
        return rc;
    if (!cli->context.url) {
        err_set(err, BERR_UNAUTHENTICATED, "no berth is known here");
        return err_hint(err, "log in with `berth login URL`, or start one with `berth up`");
    }
    if (!cli->context.token && !anonymous) {
        err_set(err, BERR_UNAUTHENTICATED, "not logged in at %s", cli->context.url);
        return err_hint(err, "log in with `berth login %s`", cli->context.url);
    }
    struct cli_net_config cfg = {
        .url = cli->context.url, .ca_path = cli->context.ca, .token = cli->context.token};
    return cli_net_open(&cfg, &cli->net, err);
}

/* The document of an answer; kept until the end of the process, which is near. */
static int keep_document(struct buf *body, yyjson_val **ret, struct err *err)
{
    *ret = NULL;
    if (!body->len)
        return 0;
    yyjson_doc *doc = yyjson_read(body->data, body->len, 0);
    if (!doc)
        return err_set(err, BERR_PROTOCOL, "the server's answer is no JSON");
    *ret = yyjson_doc_get_root(doc);
    return 0;
}

static int call(struct cli *cli, const struct cli_request *req, yyjson_val **ret_val,
                struct err *err)
{
    cleanup(buf_done) struct buf body = BUF(ANSWER_MAX);
    yyjson_val *val = NULL;
    int rc = cli_connect(cli, false, err);
    if (rc == 0)
        rc = cli_net_call(cli->net, req, &body, err);
    if (rc == 0)
        rc = keep_document(&body, &val, err);
    if (rc == 0 && ret_val)
        *ret_val = val;
    return rc;
}

int cli_get(struct cli *cli, yyjson_val **ret_val, struct err *err, const char *target_fmt, ...)
{
    va_list ap;
    va_start(ap, target_fmt);
    const char *target = arena_vprintf(&cli->arena, target_fmt, ap);
    va_end(ap);
    if (!target)
        return err_set(err, BERR_NOMEM, "out of memory");
    return call(cli, &(struct cli_request){.method = "GET", .target = target}, ret_val, err);
}

int cli_send(struct cli *cli, const char *method, const char *target, const struct buf *body,
             yyjson_val **ret_val, struct err *err)
{
    struct cli_request req = {.method = method, .target = target};
    if (!target || (body && buf_is_failed(body)))
        return err_set(err, BERR_NOMEM, "out of memory");
    if (body) {
        req.body = body->data;
        req.body_len = body->len;
    }
    return call(cli, &req, ret_val, err);
}

const char *cli_path(struct cli *cli, const char *fmt, const char *name)
{
    cleanup(buf_done) struct buf escaped = BUF(8192);
    const char *at = strstr(fmt, "%s");
    url_put_escaped(&escaped, name);
    if (!at || buf_is_failed(&escaped))
        return NULL;
    return arena_printf(&cli->arena, "%.*s%s%s", (int)(at - fmt), fmt, buf_str(&escaped), at + 2);
}

/* ---- words to people ---- */

static bool progress_open;
static char progress_last[256];

void cli_progress_end(const struct cli *cli)
{
    if (progress_open && cli->is_terminal)
        fputs("\r\033[K", stderr);
    progress_open = false;
    progress_last[0] = '\0';
}

void cli_say(const struct cli *cli, const char *fmt, ...)
{
    va_list ap;
    cli_progress_end(cli);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
}

void cli_progress(const struct cli *cli, const char *fmt, ...)
{
    char text[sizeof(progress_last)];
    struct buf safe = BUF(1024);
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    if (str_is_equal(text, progress_last))
        return;
    str_copy(progress_last, sizeof(progress_last), text);
    cli_put_safe(&safe, text);
    if (cli->is_terminal)
        fprintf(stderr, "\r\033[K%.100s", buf_str(&safe));
    else
        fprintf(stderr, "%s\n", buf_str(&safe));
    fflush(stderr);
    progress_open = true;
    buf_done(&safe);
}

void cli_put_error(struct buf *out, const struct err *err)
{
    buf_puts(out, "berth: ");
    if (err->field[0]) {
        cli_put_safe(out, err->field);
        buf_puts(out, ": ");
    }
    cli_put_safe(out, err->text[0] ? err->text : berr_name(err->code));
    if (err->line && err->col)
        buf_printf(out, " (line %d, column %d)", err->line, err->col);
    buf_putc(out, '\n');
    if (err->hint[0]) {
        buf_puts(out, "hint: ");
        cli_put_safe(out, err->hint);
        buf_putc(out, '\n');
    }
}

/* ---- questions ---- */

/* A line without its end, read byte by byte so that nothing behind it is taken. */
static int read_line(struct cli *cli, const char **ret, struct err *err)
{
    char line[LINE_MAX_BYTES];
    size_t len = 0;
    for (;;) {
        char c;
        ssize_t n = read(0, &c, 1);
        if (n <= 0 || c == '\n')
            break;
        if (len == sizeof(line) - 1)
            return err_set(err, BERR_TOO_LARGE, "the line is too long");
        line[len++] = c;
    }
    if (len && line[len - 1] == '\r')
        len--;
    *ret = arena_strndup(&cli->arena, line, len);
    explicit_bzero(line, sizeof(line));
    return *ret ? 0 : err_set(err, BERR_NOMEM, "out of memory");
}

int cli_ask(struct cli *cli, const char *question, const char *otherwise, const char **ret,
            struct err *err)
{
    if (!isatty(0)) {
        if (otherwise) {
            *ret = otherwise;
            return 0;
        }
        return err_set(err, BERR_INVALID, "%s is needed, and there is no terminal to ask",
                       question);
    }
    if (otherwise)
        fprintf(stderr, "%s [%s]: ", question, otherwise);
    else
        fprintf(stderr, "%s: ", question);
    const char *line;
    int rc = read_line(cli, &line, err);
    if (rc == 0)
        *ret = line[0] || !otherwise ? line : otherwise;
    return rc;
}

int cli_ask_secret(struct cli *cli, const char *question, bool from_stdin, const char **ret,
                   struct err *err)
{
    struct termios old, quiet;
    bool is_terminal = tcgetattr(0, &old) == 0;
    if (!from_stdin && !is_terminal) {
        err_set(err, BERR_INVALID, "%s is needed, and there is no terminal to ask", question);
        return err_hint(err, "give it on standard input: see --help");
    }
    if (is_terminal) {
        fprintf(stderr, "%s: ", question);
        quiet = old;
        quiet.c_lflag &= ~(tcflag_t)ECHO;
        tcsetattr(0, TCSAFLUSH, &quiet);
    }
    int rc = read_line(cli, ret, err);
    if (is_terminal) {
        tcsetattr(0, TCSAFLUSH, &old);
        fputc('\n', stderr);
    }
    if (rc == 0 && !(*ret)[0])
        return err_set(err, BERR_INVALID, "%s is empty", question);
    return rc;
}

/* ---- printing ---- */

void cli_flush(struct buf *out)
{
    if (out->len)
        fwrite(out->data, 1, out->len, stdout);
    buf_done(out);
}

static bool put_for_programs(struct cli *cli, struct buf *out, yyjson_val *val)
{
    if (cli->output == CLI_OUTPUT_JSON)
        cli_put_json(out, val);
    else if (cli->output == CLI_OUTPUT_YAML)
        cli_put_yaml(out, val);
    else
        return false;
    return true;
}

void cli_show_list(struct cli *cli, yyjson_val *answer, const struct cli_column *columns,
                   size_t count)
{
    struct buf out = BUF(ANSWER_MAX);
    yyjson_val *items = yyjson_is_arr(answer) ? answer : cli_at(answer, "items");
    if (!put_for_programs(cli, &out, answer)) {
        cli_put_table(&out, items, columns, count, cli->output == CLI_OUTPUT_WIDE, cli_now_ms());
        if (!yyjson_arr_size(items)) {
            buf_clear(&out);
            cli_say(cli, "nothing to show");
        }
    }
    cli_flush(&out);
}

void cli_show_one(struct cli *cli, yyjson_val *item, const struct cli_column *columns, size_t count)
{
    struct buf out = BUF(ANSWER_MAX);
    if (!put_for_programs(cli, &out, item))
        cli_put_fields(&out, item, columns, count, cli_now_ms());
    cli_flush(&out);
}
