/*
 * image: root file systems, built from Debian or pulled from a registry.
 */
#include <string.h>
#include "base/alloc.h"
#include "base/str.h"
#include "cli/cli.h"
#include "js/js.h"
#include "types/image.h"

#define BODY_MAX    (256u << 10)
#define LOOK_MS     300
#define AWAY_MAX_MS 120000

static void put_name(struct buf *out, yyjson_val *item, int64_t now_ms)
{
    (void)now_ms;
    buf_printf(out, "%s:%s", cli_str(item, "name"), cli_str(item, "tag"));
}

static void put_note(struct buf *out, yyjson_val *item, int64_t now_ms)
{
    (void)now_ms;
    const char *note = cli_str(item, "reason");
    cli_put_safe(out, note[0] ? note : cli_str(item, "progress"));
}

static const struct cli_column columns[] = {
    {"NAME", NULL, CLI_PLAIN, false, put_name},  {"ID", "id", CLI_PLAIN, false, NULL},
    {"STATE", "state", CLI_PLAIN, false, NULL},  {"SIZE", "size", CLI_PLAIN, false, NULL},
    {"LAYERS", "layers", CLI_PLAIN, true, NULL}, {"AGE", "created", CLI_AGE, false, NULL},
    {"OWNER", "owner", CLI_PLAIN, false, NULL},  {"DIGEST", "digest", CLI_PLAIN, true, NULL},
    {"SOURCE", "source", CLI_PLAIN, true, NULL}, {"NOTE", NULL, CLI_PLAIN, false, put_note},
};

/* Until it is ready or has failed, with each step as a line. */
static int wait_made(struct cli *cli, yyjson_val *image, struct err *err)
{
    const char *path = cli_path(cli, "/api/v1/images/%s", cli_str(image, "id"));
    int64_t away_since = 0;
    int rc = 0;
    while (rc == 0 && str_is_equal(cli_str(image, "state"), image_state_names[IMAGE_MAKING])) {
        const char *step = cli_str(image, "progress");
        cli_progress(cli, "%s: %s", cli_str(image, "name"), step[0] ? step : "making");
        rc = cli_net_sleep(cli->net, LOOK_MS, err);
        if (rc < 0)
            break;
        struct err why = {0};
        rc = cli_get(cli, &image, &why, "%s", path ? path : "");
        if (rc == -(int)BERR_UNAVAILABLE) {
            away_since = away_since ? away_since : cli_now_ms();
            if (cli_now_ms() - away_since < AWAY_MAX_MS)
                rc = 0;
        } else {
            away_since = 0;
        }
        if (rc < 0 && err)
            *err = why;
    }
    cli_progress_end(cli);
    if (rc < 0)
        return rc;
    if (str_is_equal(cli_str(image, "state"), image_state_names[IMAGE_FAILED]))
        return err_set(err, BERR_CONFLICT, "%s could not be made: %s", cli_str(image, "name"),
                       cli_str(image, "reason"));
    cli_say(cli, "%s:%s is ready (%s)", cli_str(image, "name"), cli_str(image, "tag"),
            cli_str(image, "size"));
    return 0;
}

static int make(struct cli *cli, const char *target, const struct buf *body, struct err *err)
{
    yyjson_val *image;
    int rc = cli_send(cli, "POST", target, body, &image, err);
    if (rc < 0)
        return rc;
    if (!cli_has(&cli->args, "no-wait"))
        return wait_made(cli, image, err);
    cli_show_one(cli, image, columns, ARRAY_LEN(columns));
    return 0;
}

/* "a,b" "c" -> ["a","b","c"] */
static int put_words(struct cli *cli, struct js_writer *w, const char *option, struct err *err)
{
    const char *value;
    js_w_array(w, option);
    for (size_t i = 0; (value = cli_each(&cli->args, option, &i));)
        for (const char *at = value; *at;) {
            size_t len = strcspn(at, ", ");
            char *word = arena_strndup(&cli->arena, at, len);
            if (!word)
                return err_set(err, BERR_NOMEM, "out of memory");
            if (len)
                js_w_str(w, NULL, word);
            at += len + (at[len] != '\0');
        }
    js_w_end_array(w);
    return 0;
}

static int run_build(struct cli *cli, struct err *err)
{
    cleanup(buf_done) struct buf body = BUF(BODY_MAX);
    struct js_writer w;
    const char *from = cli_text(&cli->args, "from");
    js_w_init(&w, &body);
    js_w_object(&w, NULL);
    js_w_str(&w, "name", cli_operand(&cli->args, 0));
    js_w_str(&w, "from", from ? from : "debian:bookworm");
    int rc = put_words(cli, &w, "packages", err);
    if (rc == 0)
        rc = put_words(cli, &w, "pip", err);
    js_w_bool(&w, "no_cache", cli_has(&cli->args, "no-cache"));
    js_w_end_object(&w);
    return rc < 0 ? rc : make(cli, "/api/v1/images/build", &body, err);
}

static int run_pull(struct cli *cli, struct err *err)
{
    cleanup(buf_done) struct buf body = BUF(BODY_MAX);
    struct js_writer w;
    js_w_init(&w, &body);
    js_w_object(&w, NULL);
    js_w_str(&w, "reference", cli_operand(&cli->args, 0));
    if (cli_text(&cli->args, "name"))
        js_w_str(&w, "name", cli_text(&cli->args, "name"));
    js_w_end_object(&w);
    return make(cli, "/api/v1/images/pull", &body, err);
}

static int run_ls(struct cli *cli, struct err *err)
{
    yyjson_val *answer;
    int rc = cli_get(cli, &answer, err, "/api/v1/images");
    if (rc == 0)
        cli_show_list(cli, answer, columns, ARRAY_LEN(columns));
    return rc;
}

static int run_show(struct cli *cli, struct err *err)
{
    yyjson_val *image;
    const char *path = cli_path(cli, "/api/v1/images/%s", cli_operand(&cli->args, 0));
    int rc = cli_get(cli, &image, err, "%s", path ? path : "");
    if (rc == 0)
        cli_show_one(cli, image, columns, ARRAY_LEN(columns));
    return rc;
}

static int run_rm(struct cli *cli, struct err *err)
{
    int rc = 0;
    for (size_t i = 0; i < cli->args.operand_count && rc == 0; i++) {
        rc = cli_send(cli, "DELETE", cli_path(cli, "/api/v1/images/%s", cli->args.operands[i]),
                      NULL, NULL, err);
        if (rc == 0)
            cli_say(cli, "%s is removed", cli->args.operands[i]);
    }
    return rc;
}

#define NO_WAIT                                              \
    {                                                        \
        "no-wait", 0, CLI_FLAG, NULL, NULL, "return at once" \
    }

static const struct cli_option build_options[] = {
    {"from", 0, CLI_TEXT, "BASE", "debian:bookworm debian:trixie",
     "what to begin with (default debian:bookworm)"},
    {"packages", 'P', CLI_LIST, "A,B", NULL, "Debian packages"},
    {"pip", 0, CLI_LIST, "X,Y", NULL, "Python packages by pip"},
    {"no-cache", 0, CLI_FLAG, NULL, NULL, "build even when the same has been built"},
    NO_WAIT,
};
static const struct cli_option pull_options[] = {
    {"name", 'n', CLI_TEXT, "NAME", NULL, "its name here (default: of the reference)"},
    NO_WAIT,
};

const struct cli_command cli_image_commands[] = {
    {"image build", "NAME", "build an image from Debian packages",
     "NAME may end in :TAG. The same recipe is built once.", build_options,
     ARRAY_LEN(build_options), run_build},
    {"image pull", "REFERENCE", "copy an image from a registry", NULL, pull_options,
     ARRAY_LEN(pull_options), run_pull},
    {"image ls", NULL, "list images", NULL, NULL, 0, run_ls},
    {"image show", "IMAGE", "show one image, by id or name", NULL, NULL, 0, run_show},
    {"image rm", "IMAGE...", "remove images", NULL, NULL, 0, run_rm},
};
const size_t cli_image_command_count = ARRAY_LEN(cli_image_commands);
