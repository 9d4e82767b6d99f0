/*
 * node: machines, GPUs, volumes, and what happened.
 */
#include <stdio.h>
#include <string.h>
#include "base/alloc.h"
#include "base/str.h"
#include "base/units.h"
#include "cli/cli.h"
#include "cli/sse_in.h"
#include "js/js.h"

#define AWAY_MAX_MS 120000

/* ---- nodes ---- */

static void put_node_state(struct buf *out, yyjson_val *item, int64_t now_ms)
{
    (void)now_ms;
    buf_puts(out, js_get_bool(item, "ready", false) ? "ready" : "away");
    if (js_get_bool(item, "drained", false))
        buf_puts(out, ", drained");
}

static const struct cli_column node_columns[] = {
    {"NAME", "name", CLI_PLAIN, false, NULL},
    {"STATE", NULL, CLI_PLAIN, false, put_node_state},
    {"CPU", "cpu", CLI_SHARE, false, NULL},
    {"MEMORY", "memory", CLI_SHARE, false, NULL},
    {"DISK", "disk", CLI_SHARE, false, NULL},
    {"GPU", "gpu", CLI_SHARE, false, NULL},
    {"MODEL", "gpu_model", CLI_PLAIN, false, NULL},
    {"SITE", "site", CLI_PLAIN, true, NULL},
    {"KERNEL", "kernel", CLI_PLAIN, true, NULL},
    {"OS", "os", CLI_PLAIN, true, NULL},
    {"DRIVER", "driver", CLI_PLAIN, true, NULL},
    {"ABILITIES", "abilities", CLI_PLAIN, true, NULL},
};

static int run_nodes(struct cli *cli, struct err *err)
{
    yyjson_val *answer;
    int rc = cli_get(cli, &answer, err, "/api/v1/nodes");
    if (rc == 0)
        cli_show_list(cli, answer, node_columns, ARRAY_LEN(node_columns));
    return rc;
}

static int set_drain(struct cli *cli, const char *verb, struct err *err)
{
    const char *name = cli_operand(&cli->args, 0);
    const char *base = cli_path(cli, "/api/v1/nodes/%s", name);
    const char *target = base ? arena_printf(&cli->arena, "%s/%s", base, verb) : NULL;
    int rc = cli_send(cli, "POST", target, NULL, NULL, err);
    if (rc == 0)
        cli_say(cli, "node %s is %sed", name, verb);
    return rc;
}

static int run_drain(struct cli *cli, struct err *err)
{
    return set_drain(cli, "drain", err);
}

static int run_undrain(struct cli *cli, struct err *err)
{
    return set_drain(cli, "undrain", err);
}

/* ---- GPUs ---- */

static void put_gpu_state(struct buf *out, yyjson_val *item, int64_t now_ms)
{
    (void)now_ms;
    int64_t used = cli_num(item, "used_milli", 0);
    char text[UNITS_TEXT_MAX];
    if (cli_at(item, "quarantine")) {
        buf_puts(out, "quarantined: ");
        cli_put_safe(out, cli_str(item, "quarantine"));
    } else if (!js_get_bool(item, "healthy", true)) {
        buf_puts(out, "unhealthy");
    } else if (used >= 1000) {
        buf_puts(out, "used");
    } else if (used > 0) {
        buf_printf(out, "%s used", units_format_gpu(text, used));
    } else {
        buf_puts(out, "free");
    }
}

static const struct cli_column gpu_columns[] = {
    {"NODE", "node", CLI_PLAIN, false, NULL},         {"GPU", "gpu", CLI_PLAIN, false, NULL},
    {"MODEL", "model", CLI_PLAIN, false, NULL},       {"MEMORY", "memory", CLI_PLAIN, false, NULL},
    {"STATE", NULL, CLI_PLAIN, false, put_gpu_state}, {"USER", "user", CLI_PLAIN, false, NULL},
    {"WORKLOAD", "name", CLI_PLAIN, false, NULL},     {"SINCE", "since", CLI_AGE, false, NULL},
    {"UUID", "uuid", CLI_PLAIN, true, NULL},
};

static int run_gpus(struct cli *cli, struct err *err)
{
    yyjson_val *answer;
    int rc = cli_get(cli, &answer, err, "/api/v1/gpus");
    if (rc == 0)
        cli_show_list(cli, answer, gpu_columns, ARRAY_LEN(gpu_columns));
    return rc;
}

/* ---- volumes ---- */

static const struct cli_column volume_columns[] = {
    {"NAME", "name", CLI_PLAIN, false, NULL}, {"OWNER", "owner", CLI_PLAIN, false, NULL},
    {"SIZE", "size", CLI_PLAIN, false, NULL}, {"AGE", "created", CLI_AGE, false, NULL},
    {"ID", "id", CLI_PLAIN, true, NULL},
};

static int run_volumes(struct cli *cli, struct err *err)
{
    yyjson_val *answer;
    int rc = cli_get(cli, &answer, err, "/api/v1/volumes");
    if (rc == 0)
        cli_show_list(cli, answer, volume_columns, ARRAY_LEN(volume_columns));
    return rc;
}

/* ---- events ---- */

static const struct cli_column event_columns[] = {
    {"TIME", "time", CLI_TIME, false, NULL},       {"SEQ", "seq", CLI_PLAIN, true, NULL},
    {"TYPE", "type", CLI_PLAIN, false, NULL},      {"SUBJECT", "subject", CLI_PLAIN, false, NULL},
    {"PROJECT", "project", CLI_PLAIN, true, NULL}, {"ACTOR", "actor", CLI_PLAIN, false, NULL},
    {"TEXT", "text", CLI_PLAIN, false, NULL},
};

struct watch {
    struct cli *cli;
    struct cli_events events;
    struct err failure;
};

static void put_event_line(struct buf *out, yyjson_val *e, int64_t now_ms)
{
    struct buf line = BUF(16384);
    (void)now_ms;
    cli_put_fields(&line, e, &event_columns[0], 1, 0); /* "time  2026-…\n" */
    const char *time = strstr(buf_str(&line), "  ");
    buf_printf(out, "%.*s  %-22s ", time ? (int)strcspn(time + 2, "\n") : 0, time ? time + 2 : "",
               cli_str(e, "type"));
    cli_put_safe(out, cli_str(e, "text"));
    if (cli_str(e, "actor")[0]) {
        buf_puts(out, " (");
        cli_put_safe(out, cli_str(e, "actor"));
        buf_puts(out, ")");
    }
    buf_putc(out, '\n');
    buf_done(&line);
}

static int on_event(void *arg, const struct cli_event *event)
{
    struct watch *watch = arg;
    struct buf out = BUF(1u << 20);
    struct js_doc *doc = NULL;
    if (js_parse_json(event->data, strlen(event->data), &doc, &(struct err){0}) < 0)
        return 0;
    yyjson_val *root = js_root(doc);
    if (str_is_equal(event->type, "error")) {
        err_set(&watch->failure, berr_from_name(cli_str(root, "code")), "%s",
                cli_str(root, "detail"));
    } else if (watch->cli->output == CLI_OUTPUT_JSON || watch->cli->output == CLI_OUTPUT_YAML) {
        buf_printf(&out, "%s\n", event->data); /* one object a line */
    } else {
        put_event_line(&out, root, 0);
    }
    js_doc_free(doc);
    cli_flush(&out);
    fflush(stdout);
    return watch->failure.code ? 1 : 0;
}

static int on_piece(void *arg, const char *data, size_t len)
{
    struct watch *watch = arg;
    return cli_events_feed(&watch->events, data, len);
}

/* Goes on where it was when berth has been away. */
static int follow_events(struct cli *cli, const char *target, struct err *err)
{
    struct watch watch = {.cli = cli};
    int64_t away_since = 0;
    int rc = cli_connect(cli, false, err);
    if (rc < 0)
        return rc;
    cli_events_init(&watch.events, on_event, &watch);
    for (;;) {
        struct err why = {0};
        int64_t before = watch.events.id;
        cli_events_restart(&watch.events);
        rc = cli_net_stream(cli->net, target, watch.events.id, on_piece, &watch, &why);
        if (watch.failure.code) {
            rc = -(int)watch.failure.code;
            why = watch.failure;
        }
        bool is_away = rc == 0 || rc == -(int)BERR_UNAVAILABLE || rc == -(int)BERR_TIMEOUT;
        if (watch.events.id != before || !away_since)
            away_since = cli_now_ms();
        if (!is_away || cli_now_ms() - away_since > AWAY_MAX_MS) {
            if (err)
                *err = why;
            break;
        }
        rc = cli_net_sleep(cli->net, 500, err);
        if (rc < 0)
            break;
    }
    cli_events_done(&watch.events);
    return rc;
}

static int run_events(struct cli *cli, struct err *err)
{
    yyjson_val *answer;
    uint64_t number;
    const char *after = cli_text(&cli->args, "after"), *limit = cli_text(&cli->args, "limit");
    if ((after && !str_parse_u64(after, &number)) || (limit && !str_parse_u64(limit, &number)))
        return err_set(err, BERR_INVALID, "--after and --limit need numbers");
    if (cli_has(&cli->args, "follow")) {
        const char *target = arena_printf(&cli->arena, "/api/v1/events?watch=true%s%s",
                                          after ? "&after=" : "", after ? after : "");
        return target ? follow_events(cli, target, err) : err_set(err, BERR_NOMEM, "out of memory");
    }
    int rc = cli_get(cli, &answer, err, "/api/v1/events?limit=%s%s%s", limit ? limit : "50",
                     after ? "&after=" : "", after ? after : "");
    if (rc == 0)
        cli_show_list(cli, answer, event_columns, ARRAY_LEN(event_columns));
    return rc;
}

static const struct cli_option event_options[] = {
    {"follow", 'f', CLI_FLAG, NULL, NULL, "show them as they happen"},
    {"after", 0, CLI_TEXT, "SEQ", NULL, "only events with a higher number"},
    {"limit", 'l', CLI_TEXT, "N", NULL, "at most so many (default 50)"},
};

const struct cli_command cli_node_commands[] = {
    {"node ls", NULL, "list machines", NULL, NULL, 0, run_nodes},
    {"node drain", "NODE", "give a machine no new work", NULL, NULL, 0, run_drain},
    {"node undrain", "NODE", "give it work again", NULL, NULL, 0, run_undrain},
    {"gpus", NULL, "list GPUs and who holds them", NULL, NULL, 0, run_gpus},
    {"volume ls", NULL, "list volumes", NULL, NULL, 0, run_volumes},
    {"events", NULL, "what happened, in order", NULL, event_options, ARRAY_LEN(event_options),
     run_events},
};
const size_t cli_node_command_count = ARRAY_LEN(cli_node_commands);
